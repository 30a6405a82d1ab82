// SPDX-License-Identifier: MIT
#include "mm/heap/counting.h"

#include "ktest.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/linked_list.h"

static struct list_allocator list;
static struct counting_allocator counting;
static struct allocator *const allocator = &counting.base;

static void init(struct ktest *test)
{
    (void)test;
    list_allocator_init(&list, test_heap, sizeof(test_heap), FIRST_FIT);
    counting_allocator_init(&counting, &list.base);
}

KTEST_SUITE(heap_counting, .init = init);

static struct allocator_statistics statistics(void)
{
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    return now;
}

KTEST_ATTR(heap_counting, what_is_asked_for_is_told_from_what_is_used, .proves = "11.16");
KTEST(heap_counting, what_is_asked_for_is_told_from_what_is_used)
{
    void *one = allocator_allocate(allocator, 1, 1);
    void *other = allocator_allocate(allocator, 1000, 8);
    KTEST_EXPECT_EQ(test, statistics().requested_bytes, 1001);
    KTEST_EXPECT_EQ(test, statistics().block_count, 2);
    KTEST_EXPECT_GE(test, statistics().used_bytes, 1001 + 2 * sizeof(size_t));
    allocator_free(allocator, other);
    KTEST_EXPECT_EQ(test, statistics().requested_bytes, 1);
    KTEST_EXPECT_EQ(test, statistics().highest_requested_bytes, 1001);
    KTEST_EXPECT_TRUE(test, allocator_resize(allocator, one, 300));
    KTEST_EXPECT_EQ(test, statistics().requested_bytes, 300);
    KTEST_EXPECT_FALSE(test, allocator_resize(allocator, one, TEST_HEAP_BYTES));
    KTEST_EXPECT_EQ(test, statistics().requested_bytes, 300);
    allocator_free(allocator, one);
    KTEST_EXPECT_EQ(test, statistics().requested_bytes, 0);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, 0);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

KTEST(heap_counting, calls_and_failures_are_counted)
{
    void *block = allocator_allocate(allocator, 100, 8);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, TEST_HEAP_BYTES, 8));
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, ALLOCATION_BYTES_MAX, 8));
    allocator_free(allocator, block);
    KTEST_EXPECT_EQ(test, statistics().allocation_count, 1);
    KTEST_EXPECT_EQ(test, statistics().failure_count, 2);
}

KTEST(heap_counting, mistake_in_the_count_is_found)
{
    void *block = allocator_allocate(allocator, 100, 8);
    counting.requested_bytes = 0;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    counting.requested_bytes = 1000;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    counting.requested_bytes = 100;
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    allocator_free(allocator, block);
}
