// SPDX-License-Identifier: MIT
//
// Frames are known by their index in the metadata. Sections begin at multiples of their size there
// as in memory, so index ^ (1 << order) is a block's buddy. All frames of a block but the first are
// FRAME_INNER, and so are those that are not ours: zeroed metadata is right, and a merge has one
// frame to change.
//
// The lists are rings with a head of their own behind the last frame: no end needs a branch.
#include "mm/frame_allocator.h"

#define SECTION_SHIFT (PAGE_SHIFT + FRAME_ORDER_MAX)
#define SECTION_FRAMES (1u << FRAME_ORDER_MAX)
#define SECTION_COUNT_MAX (BIT(32 - FRAME_ORDER_MAX) - 1) // the heads need room too

#define HEAD_COUNT (FRAME_ZONE_COUNT * FRAME_ORDER_COUNT)
#define NONE UINT32_MAX

// The stack of single frames: filled by as many frames as a block of this order has, and emptied
// by as many when it would grow beyond its limit. So no pattern of calls can make each one do it.
#define BATCH_ORDER 5
#define BATCH_COUNT (1u << BATCH_ORDER)
#define STACK_COUNT_MAX (2 * BATCH_COUNT)

// --- Indices ------------------------------------------------------------------------------------

// NONE if the frame's section has no usable memory.
static uint32_t index_of(const struct frame_allocator *allocator, phys_addr_t frame)
{
    uint64_t section = frame.value >> SECTION_SHIFT;
    if (section >= allocator->section_limit || allocator->bases[section] == NONE) {
        return NONE;
    }
    return allocator->bases[section] + (uint32_t)(frame.value >> PAGE_SHIFT) % SECTION_FRAMES;
}

static enum frame_zone zone_number(const struct frame_allocator *allocator, uint32_t index)
{
    unsigned zone = FRAME_ZONE_REST;
    while (index < allocator->zones[zone].start) {
        zone--;
    }
    return (enum frame_zone)zone;
}

static struct frame_zone_state *zone_of(struct frame_allocator *allocator, uint32_t index)
{
    return &allocator->zones[zone_number(allocator, index)];
}

// The first frame of the block that a frame is in, NONE if it is in none.
static uint32_t first_of(const struct frame_allocator *allocator, uint32_t index)
{
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        uint32_t first = (uint32_t)ALIGN_DOWN(index, BIT(order));
        const struct frame *frame = &allocator->frames[first];
        if (frame->state != FRAME_INNER) {
            return frame->order >= order ? first : NONE;
        }
    }
    return NONE;
}

// --- Blocks -------------------------------------------------------------------------------------

static void insert(struct frame_allocator *allocator, struct frame_zone_state *zone, uint32_t index,
                   unsigned order)
{
    struct frame *frames = allocator->frames;
    uint32_t head = zone->heads + order;
    uint32_t next = frames[head].next;
    frames[index].state = FRAME_FREE;
    frames[index].order = (uint8_t)order;
    frames[index].next = next;
    frames[index].previous = head;
    frames[next].previous = index;
    frames[head].next = index;
    zone->orders |= 1u << order;
    zone->block_counts[order]++;
}

static void unlink(struct frame_allocator *allocator, struct frame_zone_state *zone, uint32_t index,
                   unsigned order)
{
    struct frame *frames = allocator->frames;
    uint32_t next = frames[index].next;
    uint32_t previous = frames[index].previous;
    frames[previous].next = next;
    frames[next].previous = previous;
    if (--zone->block_counts[order] == 0) {
        zone->orders &= ~(1u << order);
    }
}

// The smallest block that is large enough; what is too much of it stays free.
static uint32_t take_block(struct frame_allocator *allocator, struct frame_zone_state *zone,
                           unsigned order)
{
    uint32_t large_enough = zone->orders >> order;
    if (large_enough == 0) {
        return NONE;
    }
    unsigned current = order + (unsigned)__builtin_ctz(large_enough);
    uint32_t index = allocator->frames[zone->heads + current].next;
    unlink(allocator, zone, index, current);
    while (current > order) {
        current--;
        insert(allocator, zone, index + (1u << current), current);
    }
    return index;
}

static void release_block(struct frame_allocator *allocator, struct frame_zone_state *zone,
                          uint32_t index, unsigned order)
{
    struct frame *frames = allocator->frames;
    while (order < FRAME_ORDER_MAX) {
        uint32_t bit = 1u << order;
        struct frame *buddy = &frames[index ^ bit];
        if (buddy->state != FRAME_FREE || buddy->order != order) {
            break;
        }
        unlink(allocator, zone, index ^ bit, order);
        frames[index | bit].state = FRAME_INNER;
        index &= ~bit;
        order++;
    }
    insert(allocator, zone, index, order);
}

// --- Single frames ------------------------------------------------------------------------------

static uint32_t pop_single(struct frame_allocator *allocator)
{
    uint32_t index = allocator->stack;
    allocator->stack = allocator->frames[index].next;
    allocator->stack_count--;
    return index;
}

// From the highest zone, and there from the smallest blocks, so that the large ones stay whole. The
// lowest frame comes to the top.
[[gnu::noinline]] enum error frame_allocator_refill(struct frame_allocator *allocator)
{
    struct frame_zone_state *zone = &allocator->zones[FRAME_ZONE_REST];
    while (zone->orders == 0) {
        if (zone == allocator->zones) {
            return ENOMEM;
        }
        zone--;
    }
    unsigned smallest = (unsigned)__builtin_ctz(zone->orders);
    unsigned order = smallest < BATCH_ORDER ? smallest : BATCH_ORDER;
    if (__builtin_expect(allocator->is_stack_bypassed, 0)) {
        order = 0;
    } else {
        allocator->stack_start = zone->start;
    }
    uint32_t index = take_block(allocator, zone, order);
    struct frame *first = &allocator->frames[index];
    for (struct frame *frame = first; frame < first + (1u << order); frame++) {
        frame->next = (uint32_t)(frame + 1 - allocator->frames); // of the last, none
        frame->state = FRAME_READY;
        frame->order = 0;
    }
    allocator->block_free_count -= BIT(order);
    allocator->stack = index;
    allocator->stack_count = 1u << order;
    return OK;
}

[[gnu::noinline]] static void empty_stack(struct frame_allocator *allocator, uint32_t count)
{
    allocator->block_free_count += count;
    while (count-- > 0) {
        uint32_t index = pop_single(allocator);
        release_block(allocator, zone_of(allocator, index), index, 0);
    }
}

void frame_allocator_settle(struct frame_allocator *allocator)
{
    empty_stack(allocator, allocator->stack_count);
}

void frame_allocator_bypass_stack(struct frame_allocator *allocator)
{
    frame_allocator_settle(allocator);
    allocator->is_stack_bypassed = true;
    allocator->stack_start = NONE;
}

void frame_allocator_use_stack(struct frame_allocator *allocator)
{
    allocator->is_stack_bypassed = false;
    allocator->stack_start = allocator->zones[FRAME_ZONE_REST].start;
}

// --- Taking -------------------------------------------------------------------------------------

static uint32_t take(struct frame_allocator *allocator, unsigned order, enum frame_zone highest)
{
    for (int i = (int)highest; i >= 0; i--) {
        uint32_t index = take_block(allocator, &allocator->zones[i], order);
        if (index != NONE) {
            return index;
        }
    }
    return NONE;
}

static enum error alloc_single(struct frame_allocator *allocator, uint64_t site,
                               phys_addr_t *frame_out)
{
    if (allocator->stack_count == 0) {
        enum error error = frame_allocator_refill(allocator);
        if (error != OK) {
            return error;
        }
    }
    *frame_out = frame_allocator_pop(allocator, site);
    return OK;
}

enum error frame_allocator_alloc(struct frame_allocator *allocator, unsigned order,
                                 enum frame_zone highest, uint64_t site, phys_addr_t *frame_out)
{
    if (order > FRAME_ORDER_MAX || highest >= FRAME_ZONE_COUNT) {
        return EINVAL;
    }
    if (order == 0 && highest == FRAME_ZONE_REST) {
        return alloc_single(allocator, site, frame_out);
    }
    uint32_t index = take(allocator, order, highest);
    if (index == NONE) { // single frames may have to be merged
        frame_allocator_settle(allocator);
        index = take(allocator, order, highest);
    }
    if (index == NONE) {
        return ENOMEM;
    }
    allocator->block_free_count -= BIT(order);
    frame_note_owner(&allocator->frames[index], order, allocator->epoch, site);
    *frame_out = frame_allocator_address(allocator, index);
    return OK;
}

// --- Giving back --------------------------------------------------------------------------------

static uint64_t free_count(const struct frame_allocator *allocator)
{
    return allocator->block_free_count + allocator->stack_count;
}

[[gnu::noinline]] static void release_to_buddies(struct frame_allocator *allocator, uint32_t index,
                                                 unsigned order)
{
    allocator->block_free_count += BIT(order);
    release_block(allocator, zone_of(allocator, index), index, order);
}

static void release(struct frame_allocator *allocator, uint32_t index, unsigned order)
{
    if (free_count(allocator) < allocator->lowest_free_count) {
        allocator->lowest_free_count = free_count(allocator);
    }
    if (order != 0 || index < allocator->stack_start) {
        release_to_buddies(allocator, index, order);
        return;
    }
    if (allocator->stack_count == STACK_COUNT_MAX) {
        empty_stack(allocator, BATCH_COUNT);
    }
    struct frame *frame = &allocator->frames[index];
    frame->next = allocator->stack;
    frame->state = FRAME_READY; // its order is 0
    allocator->stack = index;
    allocator->stack_count++;
}

// Why a taken block does not begin here, whatever its size; FRAME_FINE if one does.
[[gnu::noinline]] static enum frame_verdict judge(const struct frame_allocator *allocator,
                                                  phys_addr_t frame)
{
    if (frame.value % PAGE_SIZE != 0) {
        return FRAME_UNALIGNED;
    }
    uint32_t index = index_of(allocator, frame);
    uint32_t first = index != NONE ? first_of(allocator, index) : NONE;
    if (first == NONE) {
        return FRAME_FOREIGN;
    }
    if (allocator->frames[first].state != FRAME_TAKEN) {
        return FRAME_IS_FREE;
    }
    return first == index ? FRAME_FINE : FRAME_IS_INSIDE;
}

// The index of the taken block that begins here, NONE if none does.
static uint32_t taken_at(const struct frame_allocator *allocator, phys_addr_t frame)
{
    uint32_t index = index_of(allocator, frame);
    bool is_taken = index != NONE && allocator->frames[index].state == FRAME_TAKEN;
    return is_taken && frame.value % PAGE_SIZE == 0 ? index : NONE;
}

enum frame_verdict frame_allocator_free(struct frame_allocator *allocator, phys_addr_t frame,
                                        unsigned order)
{
    uint32_t index = taken_at(allocator, frame);
    if (index == NONE) {
        return judge(allocator, frame);
    }
    if (allocator->frames[index].order != order) {
        return FRAME_OTHER_ORDER;
    }
    if (allocator->frames[index].references != 1) {
        return FRAME_SHARED;
    }
    release(allocator, index, order);
    return FRAME_FINE;
}

enum frame_verdict frame_allocator_get(struct frame_allocator *allocator, phys_addr_t frame)
{
    uint32_t index = taken_at(allocator, frame);
    if (index == NONE) {
        return judge(allocator, frame);
    }
    allocator->frames[index].references++;
    return FRAME_FINE;
}

enum frame_verdict frame_allocator_put(struct frame_allocator *allocator, phys_addr_t frame)
{
    uint32_t index = taken_at(allocator, frame);
    if (index == NONE) {
        return judge(allocator, frame);
    }
    if (--allocator->frames[index].references == 0) {
        release(allocator, index, allocator->frames[index].order);
    }
    return FRAME_FINE;
}

// --- Reports ------------------------------------------------------------------------------------

const char *frame_verdict_text(enum frame_verdict verdict)
{
    switch (verdict) {
    case FRAME_FINE:
        return "is fine";
    case FRAME_UNALIGNED:
        return "is not the address of a frame";
    case FRAME_FOREIGN:
        return "was never free";
    case FRAME_IS_FREE:
        return "is free already";
    case FRAME_IS_INSIDE:
        return "is not the first of its block";
    case FRAME_OTHER_ORDER:
        return "is a block of another order";
    case FRAME_SHARED:
        return "has other references";
    }
    return "?";
}

void frame_allocator_statistics(const struct frame_allocator *allocator,
                                struct frame_statistics *statistics_out)
{
    uint64_t now = free_count(allocator);
    uint64_t lowest = allocator->lowest_free_count;
    *statistics_out = (struct frame_statistics){
        .free_count = now,
        .lowest_free_count = now < lowest ? now : lowest,
        .single_count = allocator->stack_count,
    };
    for (unsigned i = 0; i < FRAME_ZONE_COUNT; i++) {
        const struct frame_zone_state *zone = &allocator->zones[i];
        statistics_out->total_count += zone->total_count;
        statistics_out->zones[i].total_count = zone->total_count;
        for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
            statistics_out->zones[i].block_counts[order] = zone->block_counts[order];
            statistics_out->zones[i].free_count += (uint64_t)zone->block_counts[order] << order;
        }
    }
    uint32_t index = allocator->stack;
    for (uint32_t left = allocator->stack_count; left > 0; left--) {
        statistics_out->zones[zone_number(allocator, index)].free_count++;
        index = allocator->frames[index].next;
    }
}

static struct frame_owner owner_of(const struct frame_allocator *allocator, uint32_t index)
{
    const struct frame *frame = &allocator->frames[index];
    return (struct frame_owner){
        .frame = frame_allocator_address(allocator, index),
        .order = frame->order,
        .references = frame->state == FRAME_TAKEN ? frame->references : 0,
        .site = frame->site != 0 ? frame->site | GENMASK(63, 32) : 0,
    };
}

bool frame_allocator_inspect(const struct frame_allocator *allocator, phys_addr_t frame,
                             struct frame_owner *owner_out)
{
    uint32_t index = index_of(allocator, frame);
    uint32_t first = index != NONE ? first_of(allocator, index) : NONE;
    if (first == NONE) {
        return false;
    }
    *owner_out = owner_of(allocator, first);
    return true;
}

uint32_t frame_allocator_mark(struct frame_allocator *allocator)
{
    return ++allocator->epoch;
}

static bool is_taken_since(const struct frame *frame, uint32_t mark)
{
    return frame->state == FRAME_TAKEN && (int32_t)(frame->epoch - mark) >= 0;
}

bool frame_allocator_next(const struct frame_allocator *allocator, uint32_t mark, uint32_t *cursor,
                          struct frame_owner *owner_out)
{
    while (*cursor < allocator->frame_count) {
        uint32_t index = *cursor;
        const struct frame *frame = &allocator->frames[index];
        *cursor += frame->state != FRAME_INNER ? 1u << frame->order : 1;
        if (is_taken_since(frame, mark)) {
            *owner_out = owner_of(allocator, index);
            return true;
        }
    }
    return false;
}

uint64_t frame_allocator_reclaim(struct frame_allocator *allocator, uint32_t mark)
{
    uint64_t before = free_count(allocator);
    struct frame_owner owner;
    uint32_t cursor = 0;
    while (frame_allocator_next(allocator, mark, &cursor, &owner)) {
        release(allocator, index_of(allocator, owner.frame), owner.order);
    }
    return free_count(allocator) - before;
}

// --- Metadata -----------------------------------------------------------------------------------

// How much there is of what.
struct layout {
    uint64_t section_count; // with usable memory
    uint64_t section_limit; // behind the last of them
    uint64_t entry_count;   // frames and heads of lists
    uint64_t total_bytes;
};

static struct layout layout_for(const struct memory_map *map)
{
    struct layout layout = {};
    for (size_t i = 0; i < map->area_count; i++) {
        struct phys_range range = map->areas[i].range;
        if (map->areas[i].type != MEMORY_USABLE) {
            continue;
        }
        uint64_t first = range.start.value >> SECTION_SHIFT;
        uint64_t limit = ((range.end.value - 1) >> SECTION_SHIFT) + 1;
        first = first > layout.section_limit ? first : layout.section_limit; // counted before
        layout.section_count += limit - first;
        layout.section_limit = limit;
    }
    layout.entry_count = layout.section_count * SECTION_FRAMES + HEAD_COUNT;
    layout.total_bytes = layout.entry_count * sizeof(struct frame) +
                         layout.section_count * sizeof(uint64_t) +
                         layout.section_limit * sizeof(uint32_t);
    return layout;
}

uint64_t frame_allocator_metadata_bytes(const struct memory_map *map)
{
    return layout_for(map).total_bytes;
}

// Numbers the sections that have usable memory, in both directions.
static void number_sections(const struct memory_map *map, uint64_t section_limit, uint64_t *offsets,
                            uint32_t *bases)
{
    for (uint64_t section = 0; section < section_limit; section++) {
        bases[section] = NONE;
    }
    uint32_t count = 0;
    for (size_t i = 0; i < map->area_count; i++) {
        struct phys_range range = map->areas[i].range;
        if (map->areas[i].type != MEMORY_USABLE) {
            continue;
        }
        for (uint64_t section = range.start.value >> SECTION_SHIFT;
             section <= (range.end.value - 1) >> SECTION_SHIFT; section++) {
            if (bases[section] == NONE) {
                bases[section] = count * SECTION_FRAMES;
                offsets[count] = (section - count) << SECTION_SHIFT; // may wrap, and back
                count++;
            }
        }
    }
}

// The first frame at `start` or above it.
static uint32_t index_from(const struct frame_allocator *allocator, uint64_t start)
{
    uint32_t index = 0;
    while (index < allocator->frame_count &&
           frame_allocator_address(allocator, index).value < start) {
        index += SECTION_FRAMES;
    }
    return index;
}

static void make_zones(struct frame_allocator *allocator)
{
    static const uint64_t starts[FRAME_ZONE_COUNT] = {0, 16ULL << 20, 4ULL << 30};
    for (uint32_t i = 0; i < FRAME_ZONE_COUNT; i++) {
        struct frame_zone_state *zone = &allocator->zones[i];
        zone->start = index_from(allocator, starts[i]);
        zone->heads = allocator->frame_count + i * FRAME_ORDER_COUNT;
        for (uint32_t head = zone->heads; head < zone->heads + FRAME_ORDER_COUNT; head++) {
            allocator->frames[head].next = head;
            allocator->frames[head].previous = head;
        }
    }
}

// In blocks as large as they can be, from the end: the lowest come to the front of their lists.
static void add_area(struct frame_allocator *allocator, struct phys_range range)
{
    uint64_t start = range.start.value >> PAGE_SHIFT;
    uint64_t end = range.end.value >> PAGE_SHIFT;
    while (start < end) {
        unsigned order = (unsigned)__builtin_ctzll(end | BIT(FRAME_ORDER_MAX));
        while (BIT(order) > end - start) {
            order--;
        }
        end -= BIT(order);
        uint32_t index = index_of(allocator, (phys_addr_t){end << PAGE_SHIFT});
        struct frame_zone_state *zone = zone_of(allocator, index);
        insert(allocator, zone, index, order);
        zone->total_count += BIT(order);
        allocator->block_free_count += BIT(order);
    }
}

enum error frame_allocator_init(struct frame_allocator *allocator_out, const struct memory_map *map,
                                void *metadata, uint64_t metadata_bytes)
{
    struct layout layout = layout_for(map);
    if (layout.total_bytes > metadata_bytes || layout.section_count > SECTION_COUNT_MAX) {
        return ENOSPC;
    }
    struct frame *frames = metadata;
    uint64_t *offsets = (void *)(frames + layout.entry_count);
    uint32_t *bases = (void *)(offsets + layout.section_count);
    number_sections(map, layout.section_limit, offsets, bases);
    *allocator_out = (struct frame_allocator){
        .frames = frames,
        .offsets = offsets,
        .bases = bases,
        .section_limit = layout.section_limit,
        .frame_count = (uint32_t)layout.section_count * SECTION_FRAMES,
    };
    make_zones(allocator_out);
    for (size_t i = map->area_count; i-- > 0;) {
        if (map->areas[i].type == MEMORY_USABLE) {
            add_area(allocator_out, map->areas[i].range);
        }
    }
    allocator_out->lowest_free_count = allocator_out->block_free_count;
    allocator_out->stack_start = allocator_out->zones[FRAME_ZONE_REST].start;
    return OK;
}
