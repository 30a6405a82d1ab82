// SPDX-License-Identifier: MIT
//
// What is bump's alone: the two sides, and what is taken back when.
#include "mm/heap/bump.h"

#include "ktest.h"
#include "lib/string.h"
#include "mm/heap/allocators_fixture.h"

static struct bump_allocator bump;
static struct allocator *const allocator = &bump.base;

static void init(struct ktest *test)
{
    (void)test;
    bump_allocator_init(&bump, test_heap, sizeof(test_heap), BUMP_LAST_AT_ONCE);
}

KTEST_SUITE(heap_bump, .init = init);

static struct allocator_statistics statistics(void)
{
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    return now;
}

KTEST_ATTR(heap_bump, all_comes_back_with_the_last_block, .proves = "11.3");
KTEST(heap_bump, all_comes_back_with_the_last_block)
{
    bump_allocator_init(&bump, test_heap, sizeof(test_heap), BUMP_WHEN_ALL_IS_FREE);
    uint8_t *one = allocator_allocate(allocator, 100, 8);
    uint8_t *other = allocator_allocate(allocator, 100, 8);
    KTEST_EXPECT_GE(test, other - one, 100);
    size_t used_bytes = statistics().used_bytes;
    allocator_free(allocator, other);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, used_bytes);
    allocator_free(allocator, one);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, 0);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 100, 8), one);
}

// The one that lives long comes first, as in the post: here bump has no memory left.
KTEST_ATTR(heap_bump, long_lived_block_in_front_keeps_all, .proves = "11.4");
KTEST(heap_bump, long_lived_block_in_front_keeps_all)
{
    bump_allocator_init(&bump, test_heap, sizeof(test_heap), BUMP_WHEN_ALL_IS_FREE);
    void *long_lived = allocator_allocate(allocator, 8, 8);
    unsigned count = 0;
    void *block;
    while ((block = allocator_allocate(allocator, 8, 8)) != NULL) {
        allocator_free(allocator, block);
        count++;
    }
    KTEST_EXPECT_LT(test, count, TEST_HEAP_BYTES / 8);
    KTEST_EXPECT_EQ(test, statistics().block_count, 1);
    allocator_free(allocator, long_lived);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, 0);
}

KTEST_ATTR(heap_bump, last_block_is_taken_back_with_its_padding, .proves = "11.5");
KTEST(heap_bump, last_block_is_taken_back_with_its_padding)
{
    void *long_lived = allocator_allocate(allocator, 1, 1);
    size_t used_bytes = statistics().used_bytes;
    void *aligned = allocator_allocate(allocator, 10, 1024);
    void *last = allocator_allocate(allocator, 10, 4096);
    allocator_free(allocator, last); // in the opposite order, down to the first
    allocator_free(allocator, aligned);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, used_bytes);
    aligned = allocator_allocate(allocator, 10, 1024);
    last = allocator_allocate(allocator, 10, 8);
    used_bytes = statistics().used_bytes;
    allocator_free(allocator, aligned); // not the last
    KTEST_EXPECT_EQ(test, statistics().used_bytes, used_bytes);
    allocator_free(allocator, last);
    allocator_free(allocator, long_lived);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, 0);
}

KTEST_ATTR(heap_bump, what_lives_long_is_in_nobodys_way_at_the_back, .proves = "11.5",
           .speed = KTEST_SPEED_SLOW);
KTEST(heap_bump, what_lives_long_is_in_nobodys_way_at_the_back)
{
    bump_allocator_init(&bump, test_heap, sizeof(test_heap), BUMP_WHEN_ALL_IS_FREE);
    uint8_t *long_lived = bump_allocate_back(&bump, 8, 8);
    KTEST_EXPECT_PTR_EQ(test, long_lived, test_heap + TEST_HEAP_BYTES - 8);
    memset(long_lived, 0x42, 8);
    for (unsigned i = 0; i < TEST_HEAP_BYTES; i++) {
        void *block = allocator_allocate(allocator, 8, 8);
        KTEST_ASSERT_NOT_NULL(test, block);
        memset(block, 0, 8);
        allocator_free(allocator, block);
    }
    KTEST_EXPECT_EQ(test, long_lived[0], 0x42);
    KTEST_EXPECT_EQ(test, statistics().block_count, 1);
    allocator_free(allocator, long_lived);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, 0);
}

KTEST(heap_bump, back_is_aligned_and_takes_back_as_the_front_does)
{
    void *front = allocator_allocate(allocator, 8, 8);
    void *first = bump_allocate_back(&bump, 3, 1);
    size_t used_bytes = statistics().used_bytes;
    void *second = bump_allocate_back(&bump, 10, 4096);
    KTEST_EXPECT_EQ(test, (uintptr_t)second % 4096, 0);
    KTEST_EXPECT_LE(test, (uintptr_t)second + 10, (uintptr_t)first);
    KTEST_EXPECT_EQ(test, allocator_usable_bytes(allocator, second), 10);
    KTEST_EXPECT_FALSE(test, allocator_resize(allocator, second, 11));
    KTEST_EXPECT_TRUE(test, allocator_resize(allocator, second, 10));
    allocator_free(allocator, second);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, used_bytes);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    allocator_free(allocator, first);
    allocator_free(allocator, front);
    KTEST_EXPECT_EQ(test, statistics().used_bytes, 0);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

KTEST(heap_bump, front_and_back_meet_and_never_pass)
{
    KTEST_EXPECT_NULL(test, bump_allocate_back(&bump, 0, 8));
    KTEST_EXPECT_NULL(test, bump_allocate_back(&bump, SIZE_MAX, 8));
    KTEST_EXPECT_NULL(test, bump_allocate_back(&bump, TEST_HEAP_BYTES - 8, 8));
    KTEST_EXPECT_NULL(test, bump_allocate_back(&bump, 8, BIT(63)));
    KTEST_EXPECT_PANIC(test, "assertion failed: is_power_of_two(alignment)",
                       bump_allocate_back(&bump, 8, 12));
    void *front = allocator_allocate(allocator, TEST_HEAP_BYTES / 2 - 16, 8);
    void *back = bump_allocate_back(&bump, TEST_HEAP_BYTES / 2 - 16, 8);
    KTEST_ASSERT_NOT_NULL(test, front);
    KTEST_ASSERT_NOT_NULL(test, back);
    KTEST_EXPECT_EQ(test, statistics().free_bytes, 0);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 1, 1));
    KTEST_EXPECT_NULL(test, bump_allocate_back(&bump, 1, 1));
    KTEST_EXPECT_FALSE(test, allocator_resize(allocator, front, TEST_HEAP_BYTES / 2));
    allocator_free(allocator, front);
    allocator_free(allocator, back);
    KTEST_EXPECT_EQ(test, statistics().free_bytes, TEST_HEAP_BYTES);
}

KTEST(heap_bump, memory_behind_a_long_lived_block_is_refused)
{
    bump_allocator_init(&bump, test_heap, 4096, BUMP_LAST_AT_ONCE);
    void *back = bump_allocate_back(&bump, 8, 8);
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + 4096, 4096), ENOTSUP);
    KTEST_EXPECT_EQ(test, statistics().managed_bytes, 4096);
    allocator_free(allocator, back);
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + 4096, 4096), OK);
    KTEST_EXPECT_EQ(test, statistics().free_bytes, 8192);
    KTEST_EXPECT_PANIC(test, "assertion failed: *",
                       (void)!allocator_extend(allocator, test_heap + 16384, 4096));
}

KTEST(heap_bump, damage_is_found)
{
    void *block = allocator_allocate(allocator, 8, 8);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    bump.front.block_count = 0;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    bump.front = (struct bump_side){bump.back.top + 1, 1};
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    (void)block;
}
