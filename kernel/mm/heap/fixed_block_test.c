// SPDX-License-Identifier: MIT
//
// What is the fixed blocks' alone: their sizes, the pages that come and go, and the list behind.
#include "mm/heap/fixed_block.h"

#include "ktest.h"
#include "lib/addr.h"
#include "mm/heap/allocators_fixture.h"

#define BLOCKS_MAX 1024

static struct fixed_block_allocator fixed;
static struct allocator *const allocator = &fixed.base;
static void *blocks[BLOCKS_MAX];

static void init(struct ktest *test)
{
    (void)test;
    fixed_block_allocator_init(&fixed, test_heap, sizeof(test_heap));
}

KTEST_SUITE(heap_fixed_block, .init = init);

static size_t list_bytes(void)
{
    struct allocator_statistics list;
    allocator_measure(&fixed.list.base, &list);
    return list.free_bytes;
}

static unsigned allocate_many(size_t size_bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        blocks[i] = allocator_allocate(allocator, size_bytes, 1);
        if (blocks[i] == NULL) {
            return i;
        }
    }
    return count;
}

static void free_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        allocator_free(allocator, blocks[i]);
    }
}

KTEST_ATTR(heap_fixed_block, sizes_are_rounded_up_to_powers_of_two, .proves = "11.11");
KTEST(heap_fixed_block, sizes_are_rounded_up_to_powers_of_two)
{
    for (size_t size = 8; size <= 2048; size *= 2) {
        size_t below = size == 8 ? 1 : size / 2 + 1;
        const size_t wanted[][2] = {{size, 1}, {below, 1}, {1, size}, {below, size}};
        for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
            void *block = allocator_allocate(allocator, wanted[i][0], wanted[i][1]);
            KTEST_EXPECT_EQ(test, allocator_usable_bytes(allocator, block), size);
            KTEST_EXPECT_EQ(test, (uintptr_t)block % size, 0);
            KTEST_EXPECT_TRUE(test, allocator_resize(allocator, block, size));
            KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, size + 1));
            allocator_free(allocator, block);
        }
        KTEST_EXPECT_NULL(test, allocator_check(allocator));
    }
}

KTEST(heap_fixed_block, last_freed_block_comes_first)
{
    allocate_many(64, 3);
    allocator_free(allocator, blocks[0]);
    allocator_free(allocator, blocks[2]);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 64, 1), blocks[2]);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 64, 1), blocks[0]);
}

KTEST(heap_fixed_block, page_holds_nothing_but_blocks)
{
    size_t before = list_bytes();
    for (size_t size = 8; size <= 2048; size *= 2) {
        unsigned count = (unsigned)(PAGE_SIZE / size);
        KTEST_EXPECT_EQ(test, allocate_many(size, count), count);
        KTEST_EXPECT_EQ(test, list_bytes(), before - PAGE_SIZE);
        KTEST_EXPECT_EQ(test, align_down((uintptr_t)blocks[0], PAGE_SIZE),
                        align_down((uintptr_t)blocks[count - 1], PAGE_SIZE));
        free_many(count);
        allocator_trim(allocator);
        KTEST_EXPECT_EQ(test, list_bytes(), before);
    }
}

// Of all the pages that a size has had, one stays until it is needed elsewhere.
KTEST_ATTR(heap_fixed_block, empty_pages_go_back_but_for_one, .proves = "11.14");
KTEST(heap_fixed_block, empty_pages_go_back_but_for_one)
{
    size_t before = list_bytes();
    size_t largest = test_allocator_largest(allocator);
    unsigned count = allocate_many(1024, 80);
    KTEST_EXPECT_EQ(test, count, 80);
    KTEST_EXPECT_EQ(test, list_bytes(), before - 20 * PAGE_SIZE);
    free_many(count);
    KTEST_EXPECT_EQ(test, list_bytes(), before - PAGE_SIZE);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    KTEST_EXPECT_EQ(test, test_allocator_largest(allocator), largest);
    KTEST_EXPECT_EQ(test, list_bytes(), before);
}

// At the border between two pages, where one page is needed and not needed in turns.
KTEST(heap_fixed_block, page_that_is_needed_again_and_again_stays)
{
    allocate_many(2048, 2);
    (void)!allocator_allocate(allocator, 2048, 1);
    size_t before = list_bytes();
    for (unsigned i = 0; i < 10; i++) {
        void *first = allocator_allocate(allocator, 2048, 1);
        void *second = allocator_allocate(allocator, 2048, 1);
        void *third = allocator_allocate(allocator, 2048, 1);
        KTEST_EXPECT_EQ(test, list_bytes(), before - PAGE_SIZE);
        allocator_free(allocator, first);
        allocator_free(allocator, second);
        allocator_free(allocator, third);
        KTEST_EXPECT_EQ(test, list_bytes(), before - PAGE_SIZE);
    }
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

KTEST_ATTR(heap_fixed_block, large_blocks_are_the_lists, .proves = "11.12");
KTEST(heap_fixed_block, large_blocks_are_the_lists)
{
    const size_t wanted[][2] = {{2049, 8}, {8, 4096}, {20000, 8}, {5000, 16384}};
    for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
        void *block = allocator_allocate(allocator, wanted[i][0], wanted[i][1]);
        KTEST_ASSERT_NOT_NULL(test, block);
        KTEST_EXPECT_EQ(test, fixed.list.block_count, 1);
        allocator_free(allocator, block);
        KTEST_EXPECT_EQ(test, fixed.list.block_count, 0);
    }
}

// No page is free as a whole, but there is room: the list serves small sizes as well.
KTEST_ATTR(heap_fixed_block, small_blocks_come_from_the_list_without_pages, .proves = "11.12");
KTEST(heap_fixed_block, small_blocks_come_from_the_list_without_pages)
{
    void *large = allocator_allocate(allocator, list_bytes() - 2048, 8);
    KTEST_ASSERT_NOT_NULL(test, large);
    void *small = allocator_allocate(allocator, 64, 64);
    KTEST_ASSERT_NOT_NULL(test, small);
    KTEST_EXPECT_EQ(test, (uintptr_t)small % 64, 0);
    KTEST_EXPECT_EQ(test, fixed.list.block_count, 2);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    allocator_free(allocator, large);
    allocator_free(allocator, small);
    KTEST_EXPECT_EQ(test, fixed.list.block_count, 0);
}

// Memory that begins and ends anywhere, and grows while blocks of all kinds are in use.
KTEST(heap_fixed_block, table_moves_to_the_new_end)
{
    fixed_block_allocator_init(&fixed, test_heap + 24, 10000);
    unsigned count = allocate_many(100, 60);
    KTEST_EXPECT_EQ(test, count, 60);
    for (size_t end = 10024; end + 9001 <= TEST_HEAP_BYTES; end += 9001) {
        KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + end, 9001), OK);
        KTEST_EXPECT_NULL(test, allocator_check(allocator));
        allocator_free(allocator, blocks[end % 59]);
        blocks[end % 59] = allocator_allocate(allocator, 9000, 8);
        KTEST_EXPECT_NOT_NULL(test, blocks[end % 59]);
    }
    free_many(count);
    allocator_trim(allocator);
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    KTEST_EXPECT_EQ(test, now.used_bytes, 0);
    KTEST_EXPECT_EQ(test, now.largest_free_bytes, now.managed_bytes);
    KTEST_EXPECT_GE(test, now.managed_bytes, (TEST_HEAP_BYTES - 9001) * 99 / 100);
}

KTEST(heap_fixed_block, memory_without_room_for_the_table_is_refused)
{
    fixed_block_allocator_init(&fixed, test_heap, 65536);
    size_t before = list_bytes();
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + 65536, 512), ENOSPC);
    KTEST_EXPECT_EQ(test, list_bytes(), before);
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + 65536, 4096), OK);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    KTEST_EXPECT_PANIC(test, "assertion failed: error == OK",
                       fixed_block_allocator_init(&fixed, test_heap, 47));
}

KTEST(heap_fixed_block, foreign_free_panics)
{
    int foreign = 0;
    KTEST_EXPECT_PANIC(test, "assertion failed: index < self->page_count",
                       allocator_free(allocator, &foreign));
}

KTEST(heap_fixed_block, damage_is_found)
{
    allocate_many(64, 2);
    struct fixed_block_page *page = fixed.first[6];
    const struct fixed_block_page sound = *page;
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    page->used_count = 1;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    *page = sound;
    page->next = page;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    *page = sound;
    page->free = blocks[0];
    *(void **)blocks[0] = blocks[0];
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    *(void **)blocks[0] = (uint8_t *)blocks[0] + PAGE_SIZE;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    *page = sound;
    fixed.first[6] = NULL;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    fixed.first[6] = page;
    free_many(2);
    fixed.empty[6] = NULL;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
}
