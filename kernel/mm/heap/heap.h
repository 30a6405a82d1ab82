// SPDX-License-Identifier: MIT
//
// The kernel's heap: blocks of any size, out of memory that grows by the page (mm/heap_window.h).
// The design below is chosen when the kernel is built (-Dheap=…); so is whether blocks are watched
// (-Dheap_debug=…, by default where there are tests).
//
// Watched blocks know who allocated them. A write beside a block, a write to one that has been
// freed, a second kfree and one of what is no block panic, at the latest when the block is freed or
// forgotten, with all the places.
//
// In any context but handlers of interrupts, NMI, #DF and #MC, with no lock held of a rank above
// LOCK_RANK_HEAP.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/format.h"
#include "lib/memory_source.h"
#include "mm/heap/allocator.h"

// What kmalloc aligns to, for any type.
#define KMALLOC_ALIGNMENT 16

// Behind kernel_space_init. Once. As heap_window_grow.
enum error heap_init(void);

// What only gcc knows: whose free is whose.
#ifdef __clang__
#define FREED_BY(function_) gnu::malloc
#else
#define FREED_BY(function_) gnu::malloc, gnu::malloc(function_, 1)
#endif

// Gives a block back; NULL is none.
void kfree(void *block);

// A block of at least so many bytes, with any contents. NULL for 0 bytes, and if there is no
// memory.
[[nodiscard, FREED_BY(kfree), gnu::alloc_size(1)]] void *kmalloc(size_t size_bytes);

// The same at a multiple of `alignment`, a power of two.
[[nodiscard, FREED_BY(kfree), gnu::alloc_size(1), gnu::alloc_align(2)]] void *
kmalloc_aligned(size_t size_bytes, size_t alignment);

// The same, all bytes 0.
[[nodiscard, FREED_BY(kfree), gnu::alloc_size(1)]] void *kzalloc(size_t size_bytes);

// `count` elements of that size each, all bytes 0. NULL also if that is more than a size_t holds.
[[nodiscard, FREED_BY(kfree), gnu::alloc_size(1, 2)]] void *kcalloc(size_t count,
                                                                    size_t size_bytes);

// The block with another size: its contents are kept, as far as there is room, and bytes behind
// them are any. It may move, and is kmalloc-aligned then. NULL, and the block is as it was, if
// there is no memory. No block is a new one; 0 bytes free it, and are NULL.
[[nodiscard]] void *krealloc(void *block, size_t size_bytes);

// The heap for containers that grow.
extern const struct memory_source heap_memory;

// How much of the block may be used: at least what was asked for.
size_t kmalloc_usable_bytes(const void *block);

// The name of the allocator that it was built with.
const char *heap_design(void);

struct allocator_statistics heap_statistics(void);

// Looks at all of it: false if something is wrong, and what. Takes long. What was kept
// back goes to the free memory.
bool heap_is_sound(char *problem_out, size_t size_bytes);

// On the console.
void heap_dump(void);

// --- For test runners, where blocks are watched --------------------------------------------------

// Between two of these, blocks can be told apart by who came first. 0 if blocks are not watched.
uint64_t heap_mark(void);

struct heap_owner {
    const void *block;
    size_t size_bytes;
    uint64_t site; // what the call returned to that allocated it
};

// The next of the blocks in use that were allocated since `mark`, in this order; *cursor is 0 at
// first. False if there is none left.
bool heap_next(uint64_t mark, uint64_t *cursor, struct heap_owner *owner_out);

// Frees all of those, for whom their owner is gone. Returns how many they were.
size_t heap_reclaim(uint64_t mark);
