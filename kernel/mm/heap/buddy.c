// SPDX-License-Identifier: MIT
//
// A block is known by its address; its buddy's differs in the one bit that is their size. Beyond
// the range there are no buddies. All states of a block but the first are INNER, so that a merge or
// a split changes one of them.
#include "mm/heap/buddy.h"

#include "lib/string.h"

// A state is INNER, or one of the others with the block's order.
#define INNER 0
#define TAKEN 0x40
#define FREE 0x80
#define ORDER_MASK 0x3f

static struct buddy_allocator *buddy_of(const struct allocator *allocator)
{
    return (struct buddy_allocator *)(uintptr_t)allocator;
}

static size_t size_of(unsigned order)
{
    return (size_t)BUDDY_BLOCK_BYTES_MIN << order;
}

static uintptr_t limit_of(const struct buddy_allocator *buddy)
{
    return (uintptr_t)buddy->states;
}

static bool is_inside(const struct buddy_allocator *buddy, uintptr_t address)
{
    return address - buddy->start < limit_of(buddy) - buddy->start;
}

static uint8_t *state_of(const struct buddy_allocator *buddy, uintptr_t address)
{
    return &buddy->states[(address - buddy->start) >> BUDDY_BLOCK_SHIFT];
}

static bool is_free(const struct buddy_allocator *buddy, uintptr_t address, unsigned order)
{
    return is_inside(buddy, address) && *state_of(buddy, address) == (FREE | order);
}

// --- Free blocks --------------------------------------------------------------------------------

static void insert(struct buddy_allocator *buddy, uintptr_t address, unsigned order)
{
    struct buddy_link *ring = &buddy->rings[order];
    struct buddy_link *block = (struct buddy_link *)address;
    *state_of(buddy, address) = (uint8_t)(FREE | order);
    block->next = ring->next;
    block->previous = ring;
    ring->next->previous = block;
    ring->next = block;
    buddy->orders |= BIT(order);
}

static void unlink(struct buddy_allocator *buddy, uintptr_t address, unsigned order)
{
    struct buddy_link *block = (struct buddy_link *)address;
    struct buddy_link *next = block->next;
    struct buddy_link *previous = block->previous;
    previous->next = next;
    next->previous = previous;
    if (next == previous) { // the ring itself
        buddy->orders &= ~BIT(order);
    }
}

// Frees the upper half of a block until the lower one is of the wanted order. There are no blocks
// of the orders in between: one of them would have been taken.
static void split(struct buddy_allocator *buddy, uintptr_t address, unsigned order, unsigned wanted)
{
    buddy->orders |= BIT(order) - BIT(wanted);
    while (order > wanted) {
        order--;
        struct buddy_link *ring = &buddy->rings[order];
        struct buddy_link *upper = (struct buddy_link *)(address + size_of(order));
        *upper = (struct buddy_link){ring, ring};
        *ring = (struct buddy_link){upper, upper};
        *state_of(buddy, (uintptr_t)upper) = (uint8_t)(FREE | order);
    }
}

// Merges the block with its buddy as long as that is free as a whole.
static void release(struct buddy_allocator *buddy, uintptr_t address, unsigned order)
{
    size_t size_bytes = size_of(order);
    buddy->free_bytes += size_bytes;
    while (is_free(buddy, address ^ size_bytes, order)) {
        unlink(buddy, address ^ size_bytes, order);
        *state_of(buddy, address | size_bytes) = INNER;
        address &= ~size_bytes;
        size_bytes *= 2;
        order++;
    }
    insert(buddy, address, order);
}

static void release_range(struct buddy_allocator *buddy, uintptr_t start, uintptr_t end)
{
    while (start < end) {
        unsigned order = (unsigned)__builtin_ctzll(start) - BUDDY_BLOCK_SHIFT;
        while (size_of(order) > end - start) {
            order--;
        }
        release(buddy, start, order);
        start += size_of(order);
    }
}

// --- Allocating and freeing ---------------------------------------------------------------------

// BUDDY_ORDER_COUNT or more if no block is as large.
static unsigned order_for(size_t size_bytes)
{
    return 64 - BUDDY_BLOCK_SHIFT -
           (unsigned)__builtin_clzll((size_bytes - 1) | (BUDDY_BLOCK_BYTES_MIN - 1));
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct buddy_allocator *buddy = buddy_of(allocator);
    unsigned order = order_for(size_bytes > alignment ? size_bytes : alignment);
    if (order >= BUDDY_ORDER_COUNT || buddy->orders >> order == 0) {
        return NULL;
    }
    unsigned current = order + (unsigned)__builtin_ctzll(buddy->orders >> order);
    uintptr_t address = (uintptr_t)buddy->rings[current].next;
    unlink(buddy, address, current);
    split(buddy, address, current, order);
    *state_of(buddy, address) = (uint8_t)(TAKEN | order);
    buddy->free_bytes -= size_of(order);
    buddy->block_count++;
    return (void *)address;
}

// The order of the block in use that begins there.
static unsigned taken_order(const struct buddy_allocator *buddy, const void *block)
{
    uintptr_t address = (uintptr_t)block;
    assert(is_inside(buddy, address) && is_aligned(address, BUDDY_BLOCK_BYTES_MIN));
    uint8_t state = *state_of(buddy, address);
    assert((state & TAKEN) != 0); // else it is free already, or no block begins there
    return state & ORDER_MASK;
}

static void free(struct allocator *allocator, void *block)
{
    struct buddy_allocator *buddy = buddy_of(allocator);
    unsigned order = taken_order(buddy, block);
    buddy->block_count--;
    release(buddy, (uintptr_t)block, order);
}

// Whether all that the block would grow over is free. Only a lower buddy can grow.
static bool can_grow(const struct buddy_allocator *buddy, uintptr_t address, unsigned order,
                     unsigned wanted)
{
    for (; order < wanted; order++) {
        uintptr_t other = address ^ size_of(order);
        if (other < address || !is_free(buddy, other, order)) {
            return false;
        }
    }
    return true;
}

static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct buddy_allocator *buddy = buddy_of(allocator);
    uintptr_t address = (uintptr_t)block;
    unsigned order = taken_order(buddy, block);
    unsigned wanted = order_for(size_bytes);
    if (wanted >= BUDDY_ORDER_COUNT || !can_grow(buddy, address, order, wanted)) {
        return false;
    }
    *state_of(buddy, address) = (uint8_t)(TAKEN | wanted);
    for (; order < wanted; order++) {
        uintptr_t other = address + size_of(order);
        unlink(buddy, other, order);
        *state_of(buddy, other) = INNER;
        buddy->free_bytes -= size_of(order);
    }
    while (order > wanted) {
        order--;
        release(buddy, address + size_of(order), order);
    }
    return true;
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    return size_of(taken_order(buddy_of(allocator), block));
}

// Each smallest block comes with its state. What is left over is less than both.
static size_t count_for(size_t size_bytes)
{
    return size_bytes / (BUDDY_BLOCK_BYTES_MIN + 1);
}

static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    struct buddy_allocator *buddy = buddy_of(allocator);
    assert((uintptr_t)start == buddy->end && size_bytes <= UINTPTR_MAX - buddy->end);
    uintptr_t limit = limit_of(buddy);
    size_t count_before = (limit - buddy->start) / BUDDY_BLOCK_BYTES_MIN;
    buddy->end += size_bytes;
    size_t count = count_for(buddy->end - buddy->start);
    uint8_t *states = (uint8_t *)(buddy->start + count * BUDDY_BLOCK_BYTES_MIN);
    memmove(states, buddy->states, count_before);
    memset(states + count_before, INNER, count - count_before);
    buddy->states = states;
    release_range(buddy, limit, limit_of(buddy));
    return OK;
}

// Free blocks are merged at once.
static void trim(struct allocator *allocator)
{
    (void)allocator;
}

// --- Reports ------------------------------------------------------------------------------------

// The longest run of free blocks, which need not be one block.
static size_t longest_run(const struct buddy_allocator *buddy)
{
    size_t longest = 0;
    size_t run = 0;
    for (uintptr_t at = buddy->start; at < limit_of(buddy);) {
        uint8_t state = *state_of(buddy, at);
        run = (state & FREE) != 0 ? run + size_of(state & ORDER_MASK) : 0;
        longest = run > longest ? run : longest;
        at += size_of(state & ORDER_MASK);
    }
    return longest;
}

static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    const struct buddy_allocator *buddy = buddy_of(allocator);
    out->managed_bytes = limit_of(buddy) - buddy->start;
    out->free_bytes = buddy->free_bytes;
    out->used_bytes = out->managed_bytes - out->free_bytes;
    out->largest_free_bytes = longest_run(buddy);
    out->block_count = buddy->block_count;
}

// What a walk over the blocks counts.
struct census {
    size_t free_bytes;
    size_t taken_count;
    size_t free_counts[BUDDY_ORDER_COUNT];
};

static const char *check_block(const struct buddy_allocator *buddy, uintptr_t at,
                               struct census *census)
{
    uint8_t state = *state_of(buddy, at);
    unsigned order = state & ORDER_MASK;
    if ((state & (TAKEN | FREE)) != TAKEN && (state & (TAKEN | FREE)) != FREE) {
        return "a block has no valid state";
    }
    if (order >= BUDDY_ORDER_COUNT || !is_aligned(at, size_of(order)) ||
        size_of(order) > limit_of(buddy) - at) {
        return "a block is not where its order belongs";
    }
    for (uintptr_t inner = at + size_of(0); inner < at + size_of(order); inner += size_of(0)) {
        if (*state_of(buddy, inner) != INNER) {
            return "a block begins inside of another one";
        }
    }
    if ((state & TAKEN) != 0) {
        census->taken_count++;
        return NULL;
    }
    if (is_free(buddy, at ^ size_of(order), order)) {
        return "two free buddies have not merged";
    }
    census->free_bytes += size_of(order);
    census->free_counts[order]++;
    return NULL;
}

// All that is on the ring is a free block of its order, and no free block is missing.
static const char *check_ring(const struct buddy_allocator *buddy, unsigned order,
                              size_t free_count)
{
    const struct buddy_link *ring = &buddy->rings[order];
    const struct buddy_link *link = ring;
    for (size_t i = 0; i < free_count; i++) {
        if (!is_free(buddy, (uintptr_t)link->next, order) || link->next->previous != link) {
            return "a ring leads to what is no free block of its order";
        }
        link = link->next;
    }
    if (link->next != ring || ring->previous != link) {
        return "a ring has another number of blocks than there are";
    }
    if (((buddy->orders & BIT(order)) != 0) != (free_count != 0)) {
        return "the orders contradict the rings";
    }
    return NULL;
}

static const char *check(const struct allocator *allocator)
{
    const struct buddy_allocator *buddy = buddy_of(allocator);
    struct census census = {};
    for (uintptr_t at = buddy->start; at < limit_of(buddy);) {
        const char *problem = check_block(buddy, at, &census);
        if (problem != NULL) {
            return problem;
        }
        at += size_of(*state_of(buddy, at) & ORDER_MASK);
    }
    if (census.free_bytes != buddy->free_bytes || census.taken_count != buddy->block_count) {
        return "the counts contradict the blocks";
    }
    for (unsigned order = 0; order < BUDDY_ORDER_COUNT; order++) {
        const char *problem = check_ring(buddy, order, census.free_counts[order]);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    const struct buddy_allocator *buddy = buddy_of(allocator);
    format_write(writer, "%#lx to %#lx, %zu bytes free, %zu blocks in use\n", buddy->start,
                 limit_of(buddy), buddy->free_bytes, buddy->block_count);
    for (unsigned order = 0; order < BUDDY_ORDER_COUNT; order++) {
        const struct buddy_link *ring = &buddy->rings[order];
        for (const struct buddy_link *link = ring->next; link != ring; link = link->next) {
            format_write(writer, "free %#lx, %zu bytes\n", (uintptr_t)link, size_of(order));
        }
    }
}

void buddy_allocator_init(struct buddy_allocator *buddy_out, void *start, size_t size_bytes)
{
    static const struct allocator_operations operations = {
        .name = "buddy",
        .allocate = allocate,
        .free = free,
        .resize = resize,
        .usable_bytes = usable_bytes,
        .extend = extend,
        .trim = trim,
        .measure = measure,
        .check = check,
        .dump = dump,
    };
    uintptr_t end = (uintptr_t)start + size_bytes;
    uintptr_t first = align_up((uintptr_t)start, BUDDY_BLOCK_BYTES_MIN);
    assert((uintptr_t)start <= first && first < end);
    *buddy_out = (struct buddy_allocator){
        .base = {&operations},
        .start = first,
        .end = first,
        .states = (uint8_t *)first,
    };
    for (unsigned order = 0; order < BUDDY_ORDER_COUNT; order++) {
        struct buddy_link *ring = &buddy_out->rings[order];
        *ring = (struct buddy_link){ring, ring};
    }
    enum error error = extend(&buddy_out->base, (void *)first, end - first);
    assert(error == OK);
}
