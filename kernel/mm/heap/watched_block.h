// SPDX-License-Identifier: MIT
//
// Blocks of the heap, watched or plain: heap.c calls one of two, plain_block.c or watched_block.c,
// as the kernel was built. All with the heap's lock held, which is why they return what is wrong,
// and leave it to the caller to panic.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/heap/allocator.h"
#include "mm/heap/heap.h"

// What is wrong with a block; `what` is NULL if nothing is.
struct heap_fault {
    const char *what;
    const void *block;
    size_t size_bytes;
    ptrdiff_t offset; // of the first wrong byte, from the block's start
    uint64_t allocated_at;
    uint64_t freed_at; // 0: it is in use
};

// NULL if the allocator has nothing.
void *heap_block_allocate(struct allocator *allocator, size_t size_bytes, size_t alignment,
                          uint64_t site);

struct heap_fault heap_block_free(struct allocator *allocator, void *block, uint64_t site);

// As allocator_resize.
bool heap_block_resize(struct allocator *allocator, void *block, size_t size_bytes);

size_t heap_block_usable_bytes(const struct allocator *allocator, const void *block);

// Gives back what is held back for watching, and says what was wrong with it; false if there was
// nothing.
bool heap_block_release(struct allocator *allocator, struct heap_fault *fault_out);

// The first that is wrong.
struct heap_fault heap_block_check(void);
