// SPDX-License-Identifier: MIT
//
// The allocator on more memory than a test machine has: the metadata are pages of the host that
// nobody touches but where a block begins. Only in the host's test program.
#include <sys/mman.h>

#include "ktest.h"
#include "mm/frame_allocator.h"

#define GIB (1ULL << 30)
#define TIB (1ULL << 40)

static struct memory_map map;
static struct frame_allocator allocator;

static void *reserve(uint64_t size_bytes)
{
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

static void take_and_give(struct ktest *test)
{
    enum { COUNT = 2000 };
    static phys_addr_t frames[COUNT];
    struct frame_statistics first;
    frame_allocator_statistics(&allocator, &first);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned order = i % 7 == 0 ? i % (FRAME_ORDER_MAX + 1) : 0;
        enum frame_zone highest = i % 5 == 0 ? FRAME_ZONE_4_GIB : FRAME_ZONE_REST;
        KTEST_ASSERT_EQ(test, frame_allocator_alloc(&allocator, order, highest, 1, &frames[i]), OK);
        KTEST_ASSERT_EQ(test, highest == FRAME_ZONE_REST, frames[i].value >= 4 * GIB);
    }
    for (unsigned i = COUNT; i-- > 0;) {
        unsigned order = i % 7 == 0 ? i % (FRAME_ORDER_MAX + 1) : 0;
        KTEST_ASSERT_EQ(test, frame_allocator_free(&allocator, frames[i], order), FRAME_FINE);
    }
    frame_allocator_settle(&allocator);
    struct frame_statistics last;
    frame_allocator_statistics(&allocator, &last);
    last.lowest_free_count = first.lowest_free_count;
    KTEST_EXPECT_MEMEQ(test, &last, &first, sizeof(last));
}

KTEST(frame_allocator_host, terabyte_in_one_piece)
{
    const struct memory_region all = {{{0}, {TIB}}, MEMORY_USABLE};
    KTEST_ASSERT_EQ(test, memory_map_make(&map, &all, 1), OK);
    uint64_t size_bytes = frame_allocator_metadata_bytes(&map);
    void *metadata = reserve(size_bytes);
    KTEST_ASSERT_NOT_NULL(test, metadata);
    KTEST_EXPECT_EQ(test, frame_allocator_init(&allocator, &map, metadata, size_bytes), OK);
    KTEST_EXPECT_EQ(test, allocator.block_free_count, TIB / PAGE_SIZE);
    take_and_give(test);
    // To the last block, at any place.
    phys_addr_t frame = {0};
    uint64_t count = 0;
    while (frame_allocator_alloc(&allocator, FRAME_ORDER_MAX, FRAME_ZONE_REST, 1, &frame) == OK) {
        count++;
    }
    KTEST_EXPECT_EQ(test, count, TIB / (16 << 20));
    KTEST_EXPECT_EQ(test, allocator.block_free_count, 0);
    KTEST_EXPECT_EQ(test, frame_allocator_reclaim(&allocator, 0), TIB / PAGE_SIZE);
    munmap(metadata, size_bytes);
}

KTEST(frame_allocator_host, hole_of_a_terabyte)
{
    const struct memory_region regions[] = {{{{0}, {3 * GIB}}, MEMORY_USABLE},
                                            {{{TIB}, {TIB + GIB}}, MEMORY_USABLE}};
    KTEST_ASSERT_EQ(test, memory_map_make(&map, regions, 2), OK);
    uint64_t size_bytes = frame_allocator_metadata_bytes(&map);
    KTEST_EXPECT_LT(test, size_bytes, 17ULL << 20); // as for 4 GiB, and 257 KiB for the hole
    void *metadata = reserve(size_bytes);
    KTEST_ASSERT_NOT_NULL(test, metadata);
    KTEST_EXPECT_EQ(test, frame_allocator_init(&allocator, &map, metadata, size_bytes), OK);
    take_and_give(test);
    phys_addr_t frame = {0};
    KTEST_EXPECT_EQ(test, frame_allocator_alloc(&allocator, 0, FRAME_ZONE_REST, 1, &frame), OK);
    KTEST_EXPECT_GE(test, frame.value, TIB);
    KTEST_EXPECT_EQ(test, frame_allocator_free(&allocator, (phys_addr_t){TIB / 2}, 0),
                    FRAME_FOREIGN);
    munmap(metadata, size_bytes);
}
