// SPDX-License-Identifier: MIT
//
// The frame allocator under operations from bytes, for libFuzzer, against the list of what was
// given out. The memory lies around the zones' borders.
#include "mm/frame_allocator.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/bits.h"

#define BLOCKS_MAX 64
#define METADATA_BYTES (512 << 10)

struct block {
    uint64_t start;
    uint64_t end;
    unsigned order;
    unsigned references;
};

static const struct memory_map map = {
    {
        {{{0x100000}, {0x180000}}, MEMORY_USABLE},
        {{{0x180000}, {0x181000}}, MEMORY_RESERVED},
        {{{0x181000}, {0x183000}}, MEMORY_USABLE},
        {{{0xff8000}, {0x1009000}}, MEMORY_USABLE},
        {{{0xffffc000}, {0x100010000}}, MEMORY_USABLE},
    },
    5,
};
static const uint64_t zone_ends[FRAME_ZONE_COUNT] = {16ULL << 20, 4ULL << 30, PHYS_ADDR_LIMIT};

static struct frame_allocator allocator;
static struct block blocks[BLOCKS_MAX];
static unsigned block_count;
static uint64_t total_count;

static uint64_t taken_count(void)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < block_count; i++) {
        count += 1ULL << blocks[i].order;
    }
    return count;
}

static void check_statistics(void)
{
    struct frame_statistics statistics;
    frame_allocator_statistics(&allocator, &statistics);
    assert(statistics.total_count == total_count);
    assert(statistics.free_count == total_count - taken_count());
}

static void check_new(const struct block *block, enum frame_zone highest)
{
    assert(is_aligned(block->start, PAGE_SIZE << block->order));
    assert(block->end <= zone_ends[highest]);
    const struct memory_region *area = memory_map_lookup(&map, (phys_addr_t){block->start});
    assert(area != NULL && area->type == MEMORY_USABLE && block->end <= area->range.end.value);
    for (unsigned i = 0; i < block_count; i++) {
        assert(block->end <= blocks[i].start || blocks[i].end <= block->start);
    }
}

// Without a free frame in these zones there is no single one, and with one there is.
static void check_exhausted(enum frame_zone highest)
{
    struct frame_statistics statistics;
    frame_allocator_settle(&allocator);
    frame_allocator_statistics(&allocator, &statistics);
    for (unsigned zone = 0; zone <= highest; zone++) {
        assert(statistics.zones[zone].free_count == 0);
    }
}

static void take(struct fuzz_input *input)
{
    unsigned order = fuzz_next(input) % 8;
    enum frame_zone highest = fuzz_next(input) % FRAME_ZONE_COUNT;
    phys_addr_t frame;
    if (block_count == BLOCKS_MAX) {
        return;
    }
    if (frame_allocator_alloc(&allocator, order, highest, 1, &frame) != OK) {
        if (order == 0) {
            check_exhausted(highest);
        }
        return;
    }
    struct block block = {frame.value, frame.value + (PAGE_SIZE << order), order, 1};
    check_new(&block, highest);
    blocks[block_count++] = block;
}

static void drop(struct block *block)
{
    *block = blocks[--block_count];
}

static void give_back(struct block *block, unsigned order)
{
    enum frame_verdict expected = order != block->order    ? FRAME_OTHER_ORDER
                                  : block->references != 1 ? FRAME_SHARED
                                                           : FRAME_FINE;
    enum frame_verdict verdict =
        frame_allocator_free(&allocator, (phys_addr_t){block->start}, order);
    assert(verdict == expected);
    if (verdict == FRAME_FINE) {
        drop(block);
    }
}

static void count_references(struct block *block, bool is_one_more)
{
    phys_addr_t frame = {block->start};
    enum frame_verdict verdict = is_one_more ? frame_allocator_get(&allocator, frame)
                                             : frame_allocator_put(&allocator, frame);
    assert(verdict == FRAME_FINE);
    block->references += is_one_more ? 1 : -1U;
    if (block->references == 0) {
        drop(block);
    }
}

// A frame that nobody has a right to free by this address.
static void give_back_wrongly(uint64_t address)
{
    for (unsigned i = 0; i < block_count; i++) {
        if (blocks[i].start == address) {
            return;
        }
    }
    assert(frame_allocator_free(&allocator, (phys_addr_t){address}, 0) != FRAME_FINE);
    assert(frame_allocator_put(&allocator, (phys_addr_t){address}) != FRAME_FINE);
}

static void operate(struct fuzz_input *input)
{
    unsigned kind = fuzz_next(input) % 8;
    unsigned number = fuzz_next(input);
    struct block *block = block_count != 0 ? &blocks[number % block_count] : NULL;
    if (kind < 3) {
        take(input);
    } else if (kind == 3) {
        frame_allocator_settle(&allocator);
    } else if (kind == 4) {
        const struct memory_region *area = &map.areas[number % map.area_count];
        give_back_wrongly(area->range.start.value + fuzz_next(input) * PAGE_SIZE / 2);
    } else if (block != NULL && kind == 5) {
        count_references(block, number >= 128);
    } else if (block != NULL) {
        give_back(block, number >= 250 ? block->order ^ 1 : block->order);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static _Alignas(16) uint8_t metadata[METADATA_BYTES];
    struct fuzz_input input = {bytes, size_bytes};
    uint64_t needed_bytes = frame_allocator_metadata_bytes(&map);
    assert(needed_bytes <= sizeof(metadata));
    memset(metadata, 0, needed_bytes);
    enum error error = frame_allocator_init(&allocator, &map, metadata, needed_bytes);
    assert(error == OK);
    block_count = 0;
    total_count = memory_map_size_bytes(&map, MEMORY_USABLE) / PAGE_SIZE;
    while (input.left > 0) {
        operate(&input);
        check_statistics();
    }
    while (block_count > 0) {
        blocks[0].references == 1 ? give_back(&blocks[0], blocks[0].order)
                                  : count_references(&blocks[0], false);
    }
    check_statistics();
    phys_addr_t frame; // all that was split has merged: the largest block there was is back
    frame_allocator_settle(&allocator);
    assert(frame_allocator_alloc(&allocator, 7, FRAME_ZONE_REST, 1, &frame) == OK);
    return 0;
}
