// SPDX-License-Identifier: MIT
//
// What all designs of a heap have in common. A design is a structure that begins with a struct
// allocator; a decorator is one that passes calls on to another allocator.
//
// Pure: an allocator works on memory that its caller gives it, and knows no lock, no page table and
// no interrupt. Calls for one allocator may not overlap; mm/heap/locked.h sees to that.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/error.h"
#include "lib/format.h"

struct allocator {
    const struct allocator_operations *operations;
};

// Internal fragmentation is what blocks take and nobody asked for: used less requested bytes.
// External fragmentation is what is free and can't be had in one piece: free bytes less the
// largest.
struct allocator_statistics {
    size_t managed_bytes;      // all memory that it was given, without the allocator's own tables
    size_t used_bytes;         // blocks, with their headers, rounding and padding
    size_t free_bytes;         // the rest of managed
    size_t largest_free_bytes; // the longest run of free bytes
    size_t block_count;
    // Known to mm/heap/counting.h only, else 0:
    size_t requested_bytes; // of the blocks that are in use
    size_t highest_requested_bytes;
    uint64_t allocation_count; // calls that returned a block, ever
    uint64_t failure_count;    // calls that returned none
};

// What a design has to write. Sizes, alignments and blocks are checked by the functions below.
struct allocator_operations {
    const char *name;
    void *(*allocate)(struct allocator *allocator, size_t size_bytes, size_t alignment);
    void (*free)(struct allocator *allocator, void *block);
    bool (*resize)(struct allocator *allocator, void *block, size_t size_bytes);
    size_t (*usable_bytes)(const struct allocator *allocator, const void *block);
    enum error (*extend)(struct allocator *allocator, void *start, size_t size_bytes);
    void (*trim)(struct allocator *allocator);
    void (*measure)(const struct allocator *allocator, struct allocator_statistics *out);
    const char *(*check)(const struct allocator *allocator);
    void (*dump)(const struct allocator *allocator, const struct writer *writer);
};

// No block is larger: sizes, alignments and headers can be summed up without a fear.
#define ALLOCATION_BYTES_MAX (SIZE_MAX / 4)

// A block of at least `size_bytes`, with any contents, at a multiple of `alignment`, which is a
// power of two. NULL if there is none, and for 0 bytes.
[[nodiscard]] static inline void *allocator_allocate(struct allocator *allocator, size_t size_bytes,
                                                     size_t alignment)
{
    assert(is_power_of_two(alignment));
    if (size_bytes == 0 || size_bytes > ALLOCATION_BYTES_MAX) {
        return NULL;
    }
    return allocator->operations->allocate(allocator, size_bytes, alignment);
}

// Gives a block back that this allocator has given; NULL is none.
static inline void allocator_free(struct allocator *allocator, void *block)
{
    if (block != NULL) {
        allocator->operations->free(allocator, block);
    }
}

// Whether the block has been made as large where it is. If not, nothing has changed. Smaller is
// always possible, but need not free anything; 0 bytes are not.
[[nodiscard]] static inline bool allocator_resize(struct allocator *allocator, void *block,
                                                  size_t size_bytes)
{
    return size_bytes != 0 && size_bytes <= ALLOCATION_BYTES_MAX &&
           allocator->operations->resize(allocator, block, size_bytes);
}

// How many bytes of a block may be used: at least what was asked for.
static inline size_t allocator_usable_bytes(const struct allocator *allocator, const void *block)
{
    return allocator->operations->usable_bytes(allocator, block);
}

// More memory, which begins where the last ends. ENOTSUP if the design can't use it as it stands.
static inline enum error allocator_extend(struct allocator *allocator, void *start,
                                          size_t size_bytes)
{
    return allocator->operations->extend(allocator, start, size_bytes);
}

// Merges all that is kept ready for later calls into the free memory. Not needed for allocations:
// one that fails otherwise does so by itself.
static inline void allocator_trim(struct allocator *allocator)
{
    allocator->operations->trim(allocator);
}

// May take as long as the heap is large.
static inline void allocator_measure(const struct allocator *allocator,
                                     struct allocator_statistics *statistics_out)
{
    *statistics_out = (struct allocator_statistics){};
    allocator->operations->measure(allocator, statistics_out);
}

// What is wrong with the allocator's data, NULL if nothing is. As long as measuring.
static inline const char *allocator_check(const struct allocator *allocator)
{
    return allocator->operations->check(allocator);
}

// Prints its state, free pieces and all.
static inline void allocator_dump(const struct allocator *allocator, const struct writer *writer)
{
    allocator->operations->dump(allocator, writer);
}
