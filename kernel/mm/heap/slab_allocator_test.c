// SPDX-License-Identifier: MIT
//
// What is the slab heap's own: its classes, and that they share the memory. What it has in common
// with the others is in conformance_test.c.
#include "mm/heap/slab_allocator.h"

#include "ktest.h"
#include "lib/string.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/buddy.h"
#include "mm/heap/linked_list.h"

#define PAGE 4096
#define PAGE_COUNT (TEST_HEAP_BYTES / PAGE - 1) // a page has the buddies' states
#define LARGEST_BYTES (64 << 10)

static struct buddy_allocator parent;
static struct slab_allocator heap;

static void init(struct ktest *test)
{
    (void)test;
    buddy_allocator_init(&parent, test_heap, TEST_HEAP_BYTES);
    slab_allocator_init(&heap, &parent.base);
}

KTEST_SUITE(heap_slab_classes, .init = init);

static uint8_t *take(size_t size_bytes, size_t alignment)
{
    return allocator_allocate(&heap.base, size_bytes, alignment);
}

static size_t usable(const void *block)
{
    return allocator_usable_bytes(&heap.base, block);
}

KTEST_ATTR(heap_slab_classes, classes_waste_less_than_a_third, .proves = "11.15.1");
KTEST(heap_slab_classes, classes_waste_less_than_a_third)
{
    for (size_t size = 1; size <= SLAB_CLASS_BYTES_MAX; size++) {
        void *block = take(size, 1);
        KTEST_ASSERT_NOT_NULL(test, block);
        KTEST_ASSERT_GE(test, usable(block), size);
        KTEST_ASSERT_TRUE(test, size <= 32 || usable(block) * 2 < size * 3);
        allocator_free(&heap.base, block);
    }
    void *large = take(SLAB_CLASS_BYTES_MAX + 1, 1);
    KTEST_EXPECT_EQ(test, (uintptr_t)large % PAGE, 0);
    KTEST_EXPECT_NULL(test, allocator_check(&heap.base));
}

KTEST(heap_slab_classes, every_size_comes_at_every_alignment)
{
    for (size_t size = 1; size <= PAGE; size = size * 9 / 8 + 1) {
        for (size_t alignment = 1; alignment <= 4 * PAGE; alignment *= 2) {
            uint8_t *blocks[] = {take(size, alignment), take(size, alignment)};
            for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
                KTEST_ASSERT_NOT_NULL(test, blocks[i]);
                KTEST_ASSERT_EQ(test, (uintptr_t)blocks[i] % alignment, 0);
            }
            allocator_free(&heap.base, blocks[0]);
            allocator_free(&heap.base, blocks[1]);
        }
    }
}

// No slab that a class has kept stands in another's way, nor in that of a large block.
KTEST(heap_slab_classes, kept_slabs_serve_other_sizes)
{
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        size_t size = heap.classes[i].type.object_bytes;
        uint8_t *blocks[PAGE_COUNT] = {};
        for (unsigned page = 0; page < PAGE_COUNT; page++) {
            blocks[page] = take(SLAB_CLASS_BYTES_MAX, 1);
            KTEST_ASSERT_NOT_NULL(test, blocks[page]);
        }
        KTEST_ASSERT_NULL(test, take(size, 1));
        for (unsigned page = 0; page < PAGE_COUNT; page++) {
            allocator_free(&heap.base, blocks[page]);
        }
        uint8_t *small = take(size, 1);
        KTEST_ASSERT_NOT_NULL(test, small);
        allocator_free(&heap.base, small);
    }
    KTEST_EXPECT_NOT_NULL(test, take(LARGEST_BYTES, 1));
}

KTEST(heap_slab_classes, larger_class_serves_where_no_page_is_left)
{
    uint8_t *blocks[] = {take(64, 1), take(64, 1)}; // the only slab
    while (take(PAGE, 1) != NULL) {
    }
    uint8_t *small = take(16, 1);
    KTEST_ASSERT_NOT_NULL(test, small);
    KTEST_EXPECT_EQ(test, usable(small), 64);
    uint8_t *aligned = take(16, 64);
    KTEST_ASSERT_NOT_NULL(test, aligned);
    KTEST_EXPECT_TRUE(test, is_aligned((uintptr_t)aligned, 64));
    KTEST_EXPECT_NULL(test, take(65, 1)); // smaller ones don't
    allocator_free(&heap.base, small);
    allocator_free(&heap.base, aligned);
    allocator_free(&heap.base, blocks[0]);
    allocator_free(&heap.base, blocks[1]);
    KTEST_EXPECT_NULL(test, allocator_check(&heap.base));
    KTEST_EXPECT_NOT_NULL(test, take(PAGE, 1)); // the slab, which was kept
}

KTEST(heap_slab_classes, larger_class_serves_only_where_it_is_aligned)
{
    KTEST_ASSERT_NOT_NULL(test, take(48, 16)); // the only slab
    while (take(PAGE, 1) != NULL) {
    }
    KTEST_EXPECT_NULL(test, take(32, 32));
    KTEST_EXPECT_NOT_NULL(test, take(32, 16));
}

KTEST(heap_slab_classes, nothing_is_taken_before_it_is_needed)
{
    struct allocator_statistics statistics;
    allocator_measure(&parent.base, &statistics);
    KTEST_EXPECT_EQ(test, statistics.block_count, 0);
    void *block = take(100, 1);
    allocator_measure(&parent.base, &statistics);
    KTEST_EXPECT_EQ(test, statistics.block_count, 1);
    allocator_measure(&heap.base, &statistics);
    KTEST_EXPECT_EQ(test, statistics.block_count, 1);
    KTEST_EXPECT_EQ(test, statistics.used_bytes, PAGE - 30 * 128); // the header, and the block
    KTEST_EXPECT_EQ(test, statistics.used_bytes + statistics.free_bytes, statistics.managed_bytes);
    allocator_free(&heap.base, block);
    allocator_trim(&heap.base);
    allocator_measure(&parent.base, &statistics);
    KTEST_EXPECT_EQ(test, statistics.block_count, 0);
}

// The list's blocks need headers, so that a page costs two; but it serves.
KTEST(heap_slab_classes, large_blocks_begin_pages_over_any_parent)
{
    static struct list_allocator list;
    list_allocator_init(&list, test_heap, TEST_HEAP_BYTES, FIRST_FIT);
    slab_allocator_init(&heap, &list.base);
    uint8_t *blocks[12];
    for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
        blocks[i] = take(i % 2 == 0 ? 2049 + i : 20 * i, 8);
        KTEST_ASSERT_NOT_NULL(test, blocks[i]);
        KTEST_EXPECT_EQ(test, is_aligned((uintptr_t)blocks[i], PAGE), i % 2 == 0);
    }
    KTEST_EXPECT_NULL(test, allocator_check(&heap.base));
    for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
        allocator_free(&heap.base, blocks[i]);
    }
    allocator_trim(&heap.base);
    struct allocator_statistics statistics;
    allocator_measure(&heap.base, &statistics);
    KTEST_EXPECT_EQ(test, statistics.largest_free_bytes, statistics.managed_bytes);
}
