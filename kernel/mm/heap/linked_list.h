// SPDX-License-Identifier: MIT
//
// A free list with blocks that know their size: each has a header of one grain in front of it.
//
// Whatever is freed merges with its neighbours. A call costs the more, the more pieces the free
// memory is in. A free that is none, of a block that was freed already or is another allocator's,
// panics as long as nobody has written to the 16 bytes in front of it.
#pragma once

#include "mm/heap/allocator.h"
#include "mm/heap/free_list.h"

struct list_allocator {
    struct allocator base;
    struct free_list free;
    size_t managed_bytes;
    size_t block_count;
};

// `size_bytes` may be 0. The memory, and what allocator_extend adds, may lie anywhere.
void list_allocator_init(struct list_allocator *list_out, void *start, size_t size_bytes,
                         enum fit fit);
