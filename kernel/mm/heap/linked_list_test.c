// SPDX-License-Identifier: MIT
//
// What is the list's alone: pieces, their merging, the two fits, and the checks of a header.
#include "mm/heap/linked_list.h"

#include "ktest.h"
#include "lib/string.h"
#include "mm/heap/allocators_fixture.h"

static struct list_allocator list;
static struct allocator *const allocator = &list.base;

static void init(struct ktest *test)
{
    (void)test;
    list_allocator_init(&list, test_heap, sizeof(test_heap), FIRST_FIT);
}

KTEST_SUITE(heap_list, .init = init);

static unsigned piece_count(void)
{
    unsigned count = 0;
    for (const struct free_piece *piece = list.free.head.next; piece != NULL; piece = piece->next) {
        count++;
    }
    return count;
}

static size_t free_bytes(void)
{
    struct allocator_statistics now;
    allocator_measure(allocator, &now);
    return now.free_bytes;
}

static void expect_one_piece(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, piece_count(), 1);
    KTEST_EXPECT_EQ(test, free_bytes(), TEST_HEAP_BYTES);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

KTEST_ATTR(heap_list, free_pieces_describe_themselves, .proves = "11.6");
KTEST(heap_list, free_pieces_describe_themselves)
{
    KTEST_EXPECT_EQ(test, FREE_LIST_GRAIN, 16);
    KTEST_EXPECT_PTR_EQ(test, list.free.head.next, test_heap);
    uint8_t *block = allocator_allocate(allocator, 1, 1);
    KTEST_EXPECT_PTR_EQ(test, block, test_heap + 16);
    KTEST_EXPECT_EQ(test, allocator_usable_bytes(allocator, block), 16);
    KTEST_EXPECT_PTR_EQ(test, list.free.head.next, test_heap + 32);
    allocator_free(allocator, block);
    expect_one_piece(test);
}

KTEST_ATTR(heap_list, without_memory_it_has_nothing, .proves = "10.2");
KTEST(heap_list, without_memory_it_has_nothing)
{
    struct list_allocator empty;
    list_allocator_init(&empty, NULL, 0, FIRST_FIT);
    KTEST_EXPECT_NULL(test, allocator_allocate(&empty.base, 4, 4));
    KTEST_EXPECT_NULL(test, allocator_allocate(&empty.base, 1, 1));
    KTEST_EXPECT_NULL(test, allocator_check(&empty.base));
    KTEST_EXPECT_EQ(test, allocator_extend(&empty.base, test_heap, 64), OK);
    void *block = allocator_allocate(&empty.base, 4, 4);
    KTEST_EXPECT_NOT_NULL(test, block);
    allocator_free(&empty.base, block);
}

// The whole heap but one header can be had; linked_list_allocator: 102,350 of 102,400.
KTEST(heap_list, whole_heap_is_one_block)
{
    void *block = allocator_allocate(allocator, TEST_HEAP_BYTES - 16, 8);
    KTEST_ASSERT_NOT_NULL(test, block);
    KTEST_EXPECT_EQ(test, piece_count(), 0);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 1, 1));
    allocator_free(allocator, block);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, TEST_HEAP_BYTES - 15, 8));
    expect_one_piece(test);
}

// In each order of four blocks beside each other.
KTEST_ATTR(heap_list, neighbours_merge_in_any_order, .proves = "10.12");
KTEST(heap_list, neighbours_merge_in_any_order)
{
    for (unsigned order = 0; order < 256; order++) {
        void *blocks[4];
        for (unsigned i = 0; i < 4; i++) {
            blocks[i] = allocator_allocate(allocator, 48, 8);
        }
        for (unsigned i = 0; i < 4; i++) {
            unsigned index = order >> 2 * i & 3;
            allocator_free(allocator, blocks[index]);
            blocks[index] = NULL;
            KTEST_EXPECT_NULL(test, allocator_check(allocator));
        }
        for (unsigned i = 0; i < 4; i++) { // those that this order has left out
            allocator_free(allocator, blocks[i]);
        }
        expect_one_piece(test);
    }
}

KTEST_ATTR(heap_list, padding_in_front_is_free, .proves = "11.9");
KTEST(heap_list, padding_in_front_is_free)
{
    static const size_t alignments[] = {16, 64, 4096};
    for (unsigned i = 0; i < ARRAY_SIZE(alignments); i++) {
        void *first = allocator_allocate(allocator, 16, 8);
        size_t before = free_bytes();
        void *aligned = allocator_allocate(allocator, 100, alignments[i]);
        KTEST_EXPECT_EQ(test, (uintptr_t)aligned % alignments[i], 0);
        KTEST_EXPECT_EQ(test, free_bytes(), before - 112 - 16);
        allocator_free(allocator, aligned);
        allocator_free(allocator, first);
        expect_one_piece(test);
    }
}

// Holes of 100, 50 and 200 grains or more, each between blocks.
static void make_holes(void **holes)
{
    static const size_t sizes[] = {1600, 800, 3200};
    for (unsigned i = 0; i < 3; i++) {
        holes[i] = allocator_allocate(allocator, sizes[i], 8);
        (void)!allocator_allocate(allocator, 16, 8);
    }
    for (unsigned i = 0; i < 3; i++) {
        allocator_free(allocator, holes[i]);
    }
}

KTEST_ATTR(heap_list, first_fit_and_best_fit_choose, .proves = "11.6");
KTEST(heap_list, first_fit_and_best_fit_choose)
{
    void *holes[3];
    make_holes(holes);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 700, 8), holes[0]);
    list_allocator_init(&list, test_heap, sizeof(test_heap), BEST_FIT);
    make_holes(holes);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 700, 8), holes[1]);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 900, 8), holes[0]);
    KTEST_EXPECT_PTR_EQ(test, allocator_allocate(allocator, 3200, 8), holes[2]);
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
}

KTEST(heap_list, block_grows_into_free_memory_behind_it)
{
    void *block = allocator_allocate(allocator, 100, 8);
    void *next = allocator_allocate(allocator, 100, 8);
    void *last = allocator_allocate(allocator, 100, 8);
    KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, 200));
    allocator_free(allocator, next);
    KTEST_EXPECT_FALSE(test, allocator_resize(allocator, block, 112 + 128 + 1));
    KTEST_EXPECT_TRUE(test, allocator_resize(allocator, block, 112 + 128));
    KTEST_EXPECT_EQ(test, piece_count(), 1);
    KTEST_EXPECT_TRUE(test, allocator_resize(allocator, block, 1));
    KTEST_EXPECT_EQ(test, allocator_usable_bytes(allocator, block), 16);
    KTEST_EXPECT_EQ(test, piece_count(), 2);
    allocator_free(allocator, block);
    allocator_free(allocator, last);
    expect_one_piece(test);
}

KTEST(heap_list, memory_is_used_in_whole_grains)
{
    list_allocator_init(&list, test_heap + 1, 100, FIRST_FIT); // 16 to 96 of it
    KTEST_EXPECT_EQ(test, free_bytes(), 80);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 65, 1));
    KTEST_EXPECT_NOT_NULL(test, allocator_allocate(allocator, 64, 1));
    list_allocator_init(&list, test_heap + 1, 15, FIRST_FIT);
    KTEST_EXPECT_EQ(test, free_bytes(), 0);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 1, 1));
}

KTEST(heap_list, added_memory_merges_if_it_adjoins)
{
    list_allocator_init(&list, NULL, 0, FIRST_FIT);
    KTEST_EXPECT_NULL(test, allocator_allocate(allocator, 1, 1));
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap, 4096), OK);
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + 8192, 4096), OK);
    KTEST_EXPECT_EQ(test, piece_count(), 2);
    KTEST_EXPECT_EQ(test, allocator_extend(allocator, test_heap + 4096, 4096), OK);
    KTEST_EXPECT_EQ(test, piece_count(), 1);
    KTEST_EXPECT_EQ(test, free_bytes(), 12288);
}

KTEST(heap_list, memory_that_is_free_already_panics)
{
    list_allocator_init(&list, test_heap + 4096, 4096, FIRST_FIT);
    KTEST_EXPECT_PANIC(test, "assertion failed: *",
                       (void)!allocator_extend(allocator, test_heap + 8176, 4096));
    list_allocator_init(&list, test_heap + 4096, 4096, FIRST_FIT);
    KTEST_EXPECT_PANIC(test, "assertion failed: *",
                       (void)!allocator_extend(allocator, test_heap, 4112));
}

KTEST(heap_list, double_and_foreign_frees_panic)
{
    static struct list_allocator other;
    static _Alignas(16) uint8_t memory[4096];
    list_allocator_init(&other, memory, sizeof(memory), FIRST_FIT);
    void *foreign = allocator_allocate(&other.base, 8, 8);
    void *block = allocator_allocate(allocator, 8, 8);
    const char *expected = "assertion failed: header->owner == *";
    KTEST_EXPECT_PANIC(test, expected, allocator_free(allocator, foreign));
    allocator_free(allocator, block);
    KTEST_EXPECT_PANIC(test, expected, allocator_free(allocator, block));
    KTEST_EXPECT_PANIC(test, expected, (void)allocator_usable_bytes(allocator, block));
    KTEST_EXPECT_PANIC(test, expected, (void)!allocator_resize(allocator, block, 4));
    expect_one_piece(test);
}

KTEST(heap_list, damage_is_found)
{
    void *block = allocator_allocate(allocator, 16, 8);
    struct free_piece *piece = list.free.head.next;
    piece->size_bytes += 16;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    piece->size_bytes -= 15;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    piece->size_bytes = 64;
    piece->next = (struct free_piece *)(void *)((uint8_t *)piece + 64);
    *piece->next = (struct free_piece){64, NULL}; // two that touch
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    piece->next = piece;
    KTEST_EXPECT_NOT_NULL(test, allocator_check(allocator));
    piece->next = NULL;
    KTEST_EXPECT_NULL(test, allocator_check(allocator));
    (void)block;
}
