// SPDX-License-Identifier: MIT
//
// What every design promises: mm/heap/allocator.h.
#include "ktest.h"
#include "lib/string.h"
#include "mm/heap/test_allocators.h"

static void expect_sound(struct ktest *test, const struct allocator *allocator)
{
    const char *problem = allocator_check(allocator);
    KTEST_ASSERT_TRUE_MSG(test, problem == NULL, "%s", problem != NULL ? problem : "");
}

// As much is free, and in as large a piece, as at the start.
static void expect_like_new(struct ktest *test, struct allocator *allocator,
                            const struct allocator_statistics *first)
{
    expect_sound(test, allocator);
    allocator_trim(allocator);
    expect_sound(test, allocator);
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    KTEST_EXPECT_MEMEQ(test, &now, first, sizeof(now));
}

KTEST_PARAM(heap, fresh_heap_is_free, test_allocators, test_allocator_describe)
{
    struct allocator *allocator = test_allocator_make(param);
    struct allocator_statistics first;
    allocator_measure(allocator, &first);
    KTEST_EXPECT_LE(test, first.managed_bytes, TEST_HEAP_BYTES);
    KTEST_EXPECT_GE(test, first.managed_bytes, TEST_HEAP_BYTES * 99 / 100);
    KTEST_EXPECT_EQ(test, first.free_bytes, first.managed_bytes);
    KTEST_EXPECT_EQ(test, first.used_bytes, 0);
    KTEST_EXPECT_EQ(test, first.block_count, 0);
    expect_sound(test, allocator);
}

KTEST_PARAM(heap, simple_allocation, test_allocators, test_allocator_describe)
{
    struct allocator *allocator = test_allocator_make(param);
    struct allocator_statistics first;
    allocator_measure(allocator, &first);
    int *one = allocator_allocate(allocator, sizeof(int), _Alignof(int));
    int *other = allocator_allocate(allocator, sizeof(int), _Alignof(int));
    KTEST_ASSERT_NOT_NULL(test, one);
    KTEST_ASSERT_NOT_NULL(test, other);
    *one = 41;
    *other = 13;
    KTEST_EXPECT_EQ(test, *one, 41);
    KTEST_EXPECT_EQ(test, *other, 13);
    allocator_free(allocator, one);
    allocator_free(allocator, other);
    expect_like_new(test, allocator, &first);
}
