// SPDX-License-Identifier: MIT
//
// In front of each block stands where the pointer was before: freeing the last one takes its
// padding back too.
#include "mm/heap/bump.h"

struct header {
    size_t size_bytes;
    uintptr_t top_before; // of the side it is on
};

static struct bump_allocator *bump_of(const struct allocator *allocator)
{
    return (struct bump_allocator *)(uintptr_t)allocator;
}

static struct header *header_of(const void *block)
{
    return (struct header *)(uintptr_t)block - 1;
}

static void *add_block(struct bump_side *side, uintptr_t block, size_t size_bytes, uintptr_t top)
{
    *header_of((void *)block) = (struct header){size_bytes, side->top};
    side->top = top;
    side->block_count++;
    return (void *)block;
}

// For padding, header and block.
static bool has_room(const struct bump_allocator *bump, size_t total_bytes)
{
    return total_bytes <= bump->back.top - bump->front.top;
}

static size_t mask_of(size_t alignment)
{
    return (alignment - 1) | (_Alignof(struct header) - 1);
}

static void *allocate(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    struct bump_allocator *bump = bump_of(allocator);
    uintptr_t first = bump->front.top + sizeof(struct header);
    size_t padding_bytes = -first & mask_of(alignment);
    size_t total_bytes = sizeof(struct header) + padding_bytes + size_bytes;
    if (!has_room(bump, total_bytes)) {
        return NULL;
    }
    return add_block(&bump->front, first + padding_bytes, size_bytes,
                     bump->front.top + total_bytes);
}

void *bump_allocate_back(struct bump_allocator *bump, size_t size_bytes, size_t alignment)
{
    assert(is_power_of_two(alignment));
    if (size_bytes == 0 || size_bytes > ALLOCATION_BYTES_MAX) {
        return NULL;
    }
    uintptr_t last = bump->back.top - size_bytes;
    size_t padding_bytes = last & mask_of(alignment);
    size_t total_bytes = sizeof(struct header) + padding_bytes + size_bytes;
    if (!has_room(bump, total_bytes)) {
        return NULL;
    }
    return add_block(&bump->back, last - padding_bytes, size_bytes, bump->back.top - total_bytes);
}

static void free(struct allocator *allocator, void *block)
{
    struct bump_allocator *bump = bump_of(allocator);
    const struct header *header = header_of(block);
    bool is_back = (uintptr_t)block >= bump->back.top;
    struct bump_side *side = is_back ? &bump->back : &bump->front;
    if (--side->block_count == 0) {
        side->top = is_back ? bump->end : bump->start;
        return;
    }
    uintptr_t inner_end = is_back ? (uintptr_t)header : (uintptr_t)block + header->size_bytes;
    if (bump->reuse == BUMP_LAST_AT_ONCE && side->top == inner_end) {
        side->top = header->top_before;
    }
}

// Only the last block of the front has room behind it.
static bool resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    struct bump_allocator *bump = bump_of(allocator);
    struct header *header = header_of(block);
    if ((uintptr_t)block + header->size_bytes != bump->front.top) {
        return size_bytes <= header->size_bytes;
    }
    if (size_bytes > bump->back.top - (uintptr_t)block) {
        return false;
    }
    header->size_bytes = size_bytes;
    bump->front.top = (uintptr_t)block + size_bytes;
    return true;
}

static size_t usable_bytes(const struct allocator *allocator, const void *block)
{
    (void)allocator;
    return header_of(block)->size_bytes;
}

static enum error extend(struct allocator *allocator, void *start, size_t size_bytes)
{
    struct bump_allocator *bump = bump_of(allocator);
    assert((uintptr_t)start == bump->end && size_bytes <= UINTPTR_MAX - bump->end);
    if (bump->back.block_count != 0) {
        return ENOTSUP; // the free memory has to be in one piece
    }
    bump->end += size_bytes;
    bump->back.top = bump->end;
    return OK;
}

static void trim(struct allocator *allocator)
{
    (void)allocator;
}

static void measure(const struct allocator *allocator, struct allocator_statistics *out)
{
    const struct bump_allocator *bump = bump_of(allocator);
    out->managed_bytes = bump->end - bump->start;
    out->free_bytes = bump->back.top - bump->front.top;
    out->used_bytes = out->managed_bytes - out->free_bytes;
    out->largest_free_bytes = out->free_bytes;
    out->block_count = bump->front.block_count + bump->back.block_count;
}

static const char *check(const struct allocator *allocator)
{
    const struct bump_allocator *bump = bump_of(allocator);
    if (bump->front.top < bump->start || bump->back.top < bump->front.top ||
        bump->end < bump->back.top) {
        return "the pointers have passed each other";
    }
    if ((bump->front.block_count == 0) != (bump->front.top == bump->start) ||
        (bump->back.block_count == 0) != (bump->back.top == bump->end)) {
        return "the counts contradict the pointers";
    }
    return NULL;
}

static void dump(const struct allocator *allocator, const struct writer *writer)
{
    const struct bump_allocator *bump = bump_of(allocator);
    format_write(writer, "front %#lx to %#lx, %zu blocks\n", bump->start, bump->front.top,
                 bump->front.block_count);
    format_write(writer, "back %#lx to %#lx, %zu blocks\n", bump->back.top, bump->end,
                 bump->back.block_count);
}

void bump_allocator_init(struct bump_allocator *bump_out, void *start, size_t size_bytes,
                         enum bump_reuse reuse)
{
    static const struct allocator_operations operations = {
        .name = "bump",
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
    uintptr_t at = (uintptr_t)start;
    assert(size_bytes != 0 && size_bytes <= UINTPTR_MAX - at);
    *bump_out = (struct bump_allocator){{&operations},        at,   at + size_bytes, {at, 0},
                                        {at + size_bytes, 0}, reuse};
}
