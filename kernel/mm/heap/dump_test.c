// SPDX-License-Identifier: MIT
//
// What the allocators say of themselves, to the letter: someone will look for a mistake with it.
#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/heap/allocators_fixture.h"
#include "mm/heap/buddy.h"
#include "mm/heap/bump.h"
#include "mm/heap/counting.h"
#include "mm/heap/fixed_block.h"
#include "mm/heap/linked_list.h"
#include "mm/heap/slab_allocator.h"

#define PAGE 4096

static char text[16384];
static char expected[256];

static void append(void *context, const char *bytes, size_t size_bytes)
{
    text_append(context, "%.*s", (int)size_bytes, bytes);
}

static const char *dumped(const struct allocator *allocator)
{
    struct text_buffer buffer = {text, sizeof(text), 0};
    text[0] = 0;
    allocator_dump(allocator, &(struct writer){append, &buffer});
    return text;
}

static bool begins_with(const char *all, const char *beginning)
{
    return strncmp(all, beginning, strlen(beginning)) == 0;
}

static bool text_has(const char *all, const char *wanted)
{
    for (; *all != 0; all++) {
        if (begins_with(all, wanted)) {
            return true;
        }
    }
    return false;
}

KTEST(heap_dump, bump_tells_both_ends)
{
    static struct bump_allocator bump;
    uintptr_t start = (uintptr_t)test_heap;
    bump_allocator_init(&bump, test_heap, 4096, BUMP_WHEN_ALL_IS_FREE);
    (void)!allocator_allocate(&bump.base, 64, 1);
    (void)!allocator_allocate(&bump.base, 32, 1);
    format_buffer(expected, sizeof(expected),
                  "front %#lx to %#lx, %zu blocks\nback %#lx to %#lx, %zu blocks\n", start,
                  bump.front.top, bump.front.block_count, bump.back.top, start + 4096,
                  bump.back.block_count);
    KTEST_EXPECT_STREQ(test, dumped(&bump.base), expected);
    KTEST_EXPECT_EQ(test, bump.front.block_count + bump.back.block_count, 2);
}

KTEST(heap_dump, counts_stand_before_what_is_counted)
{
    static struct list_allocator list;
    static struct counting_allocator counting;
    list_allocator_init(&list, test_heap, TEST_HEAP_BYTES, FIRST_FIT);
    counting_allocator_init(&counting, &list.base);
    void *block = allocator_allocate(&counting.base, 500, 8);
    (void)!allocator_allocate(&counting.base, 100, 8);
    (void)!allocator_allocate(&counting.base, 7, 8);
    allocator_free(&counting.base, block);
    (void)!allocator_allocate(&counting.base, TEST_HEAP_BYTES, 8);
    const char *all = dumped(&counting.base);
    const char *first = "3 allocations, 1 failures, 107 bytes asked for, at most 607\n";
    KTEST_EXPECT_TRUE_MSG(test, begins_with(all, first), "%s", all);
    KTEST_EXPECT_GT(test, strlen(all), strlen(first));
}

// Those that have blocks, the first and the last included.
KTEST(heap_dump, each_page_of_blocks_is_told)
{
    static struct fixed_block_allocator fixed;
    fixed_block_allocator_init(&fixed, test_heap, TEST_HEAP_BYTES);
    KTEST_EXPECT_FALSE(test, begins_with(dumped(&fixed.base), "page "));
    unsigned count = 0;
    uintptr_t lowest = UINTPTR_MAX;
    for (void *block; (block = allocator_allocate(&fixed.base, 2048, 2048)) != NULL; count++) {
        lowest = (uintptr_t)block < lowest ? (uintptr_t)block : lowest;
    }
    format_buffer(expected, sizeof(expected), "page %#lx, blocks of 2048 bytes, 2 of 2 used\n",
                  lowest);
    const char *all = dumped(&fixed.base);
    KTEST_EXPECT_TRUE_MSG(test, begins_with(all, expected), "%s against %s", all, expected);
    unsigned lines = 0;
    for (const char *at = all; begins_with(at, "page "); lines++) {
        while (*at++ != '\n') {
        }
    }
    KTEST_EXPECT_EQ(test, lines, count / 2);
}

KTEST(heap_dump, buddies_tell_their_free_blocks)
{
    static struct buddy_allocator buddy;
    buddy_allocator_init(&buddy, test_heap, TEST_HEAP_BYTES);
    (void)!allocator_allocate(&buddy.base, 1, 1);
    struct allocator_statistics now;
    allocator_measure(&buddy.base, &now);
    format_buffer(expected, sizeof(expected), "%#lx to %#lx, %zu bytes free, 1 blocks in use\n",
                  buddy.start, (uintptr_t)buddy.states, now.free_bytes);
    const char *all = dumped(&buddy.base);
    KTEST_EXPECT_TRUE_MSG(test, begins_with(all, expected), "%s against %s", all, expected);
    for (unsigned order = 0; order < BUDDY_ORDER_COUNT; order++) {
        const struct buddy_link *ring = &buddy.rings[order];
        if (ring->next != ring) {
            format_buffer(expected, sizeof(expected), "free %#lx, %zu bytes\n",
                          (uintptr_t)ring->next, (size_t)BUDDY_BLOCK_BYTES_MIN << order);
            KTEST_EXPECT_TRUE_MSG(test, text_has(all, expected), "%s", expected);
        }
    }
}

KTEST(heap_dump, slabs_tell_each_class_and_what_is_behind)
{
    static struct buddy_allocator parent;
    static struct slab_allocator heap;
    buddy_allocator_init(&parent, test_heap, TEST_HEAP_BYTES);
    slab_allocator_init(&heap, &parent.base);
    (void)!allocator_allocate(&heap.base, SLAB_CLASS_BYTES_MAX, 1);
    const char *all = dumped(&heap.base);
    unsigned in_use = 0;
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        format_buffer(expected, sizeof(expected), "%s: ", heap.classes[i].type.name);
        KTEST_EXPECT_TRUE_MSG(test, text_has(all, expected), "%s", expected);
        format_buffer(expected, sizeof(expected), "\n%s: 1 of ", heap.classes[i].type.name);
        in_use += text_has(all, expected);
    }
    KTEST_EXPECT_EQ(test, in_use, 1);
    KTEST_EXPECT_TRUE(test, text_has(all, " blocks in use\n"));
}

// --- What can be no heap ------------------------------------------------------------------------

KTEST(heap_dump, memory_of_no_size_is_refused)
{
    static struct bump_allocator bump;
    static struct buddy_allocator buddy;
    KTEST_EXPECT_PANIC(test, "*size_bytes != 0*",
                       bump_allocator_init(&bump, test_heap, 0, BUMP_WHEN_ALL_IS_FREE));
    KTEST_EXPECT_PANIC(test, "*first < end*", buddy_allocator_init(&buddy, test_heap, 0));
}
