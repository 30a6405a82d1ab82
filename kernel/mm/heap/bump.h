// SPDX-License-Identifier: MIT
//
// The simplest allocator that can free at all: two pointers move towards each other, and one counts
// the blocks behind each. When all blocks of a side are freed, its pointer goes back to where it
// began; one block that lives on keeps all of them.
//
// Two improvements: the last block of a side can be taken back at once, and what lives long can be
// taken from the back, where it is in nobody's way.
#pragma once

#include "mm/heap/allocator.h"

// One end of the memory.
struct bump_side {
    uintptr_t top; // the border to the free middle
    size_t block_count;
};

enum bump_reuse {
    BUMP_WHEN_ALL_IS_FREE,
    BUMP_LAST_AT_ONCE,
};

struct bump_allocator {
    struct allocator base;
    uintptr_t start;
    uintptr_t end;
    struct bump_side front;
    struct bump_side back;
    enum bump_reuse reuse;
};

// The memory becomes the allocator's. Panics if there is none, or if it wraps around.
void bump_allocator_init(struct bump_allocator *bump_out, void *start, size_t size_bytes,
                         enum bump_reuse reuse);

// Like allocator_allocate, from the back.
void *bump_allocate_back(struct bump_allocator *bump, size_t size_bytes, size_t alignment);
