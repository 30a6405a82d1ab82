// SPDX-License-Identifier: MIT
//
// Blocks that nobody watches: those of the allocator.
#include "mm/heap/watched_block.h"

void *heap_block_allocate(struct allocator *allocator, size_t size_bytes, size_t alignment,
                          uint64_t site)
{
    (void)site;
    return allocator_allocate(allocator, size_bytes, alignment);
}

struct heap_fault heap_block_free(struct allocator *allocator, void *block, uint64_t site)
{
    (void)site;
    allocator_free(allocator, block);
    return (struct heap_fault){};
}

bool heap_block_resize(struct allocator *allocator, void *block, size_t size_bytes)
{
    return allocator_resize(allocator, block, size_bytes);
}

size_t heap_block_usable_bytes(const struct allocator *allocator, const void *block)
{
    return allocator_usable_bytes(allocator, block);
}

bool heap_block_release(struct allocator *allocator, struct heap_fault *fault_out)
{
    (void)allocator;
    (void)fault_out;
    return false;
}

struct heap_fault heap_block_check(void)
{
    return (struct heap_fault){};
}

uint64_t heap_mark(void)
{
    return 0;
}

bool heap_next(uint64_t mark, uint64_t *cursor, struct heap_owner *owner_out)
{
    (void)mark;
    (void)cursor;
    (void)owner_out;
    return false;
}
