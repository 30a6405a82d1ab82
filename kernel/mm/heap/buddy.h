// SPDX-License-Identifier: MIT
//
// A buddy allocator of bytes: blocks of 2^n bytes, naturally aligned. A block that is too large is
// split into two buddies, and two free buddies merge again, so that after any sequence of calls the
// same free blocks are back once everything is freed. No call takes longer than the number of
// sizes.
//
// A range of any start and size is cut into blocks as large as their alignment and its end allow.
// At its end lies the table of states, a byte for each BUDDY_BLOCK_BYTES_MIN (3 %). There it leaves
// the aligned start of the range whole, and moves away when the range grows. What is asked for is
// rounded up to a power of two: a third more on average, at most twice as much.
//
// Source: K. C. Knowlton, A fast storage allocator, CACM 8 (1965); D. E. Knuth, The Art of Computer
// Programming 1, 2.5, algorithms R and S.
#pragma once

#include "mm/heap/allocator.h"

#define BUDDY_BLOCK_SHIFT 5
#define BUDDY_BLOCK_BYTES_MIN (1u << BUDDY_BLOCK_SHIFT)
#define BUDDY_ORDER_COUNT (48 - BUDDY_BLOCK_SHIFT) // no range of the kernel has a larger block

// What a free block begins with: its neighbours in the ring of its order.
struct buddy_link {
    struct buddy_link *next;
    struct buddy_link *previous;
};

struct buddy_allocator {
    struct allocator base;
    uintptr_t start; // of the blocks, which end where the states begin
    uintptr_t end;
    uint8_t *states; // of each smallest block
    size_t free_bytes;
    size_t block_count; // in use
    uint64_t orders;    // bit n: there are free blocks of order n, of BUDDY_BLOCK_BYTES_MIN << n
    struct buddy_link rings[BUDDY_ORDER_COUNT];
};

// Makes all of a range free, which is at least as large as the smallest block.
void buddy_allocator_init(struct buddy_allocator *buddy_out, void *start, size_t size_bytes);
