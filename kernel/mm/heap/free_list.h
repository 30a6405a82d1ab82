// SPDX-License-Identifier: MIT
//
// Free memory as a list in the order of addresses, each piece of it described in its own first
// bytes. Neighbours are merged as they are given, so that no two pieces touch each other.
//
// Everything is counted in grains: sizes and addresses are multiples of FREE_LIST_GRAIN, which is
// what a description needs. So whatever is left over in front of a piece or behind it can be
// described too, and is never lost.
//
// Giving and taking look at each piece up to the right one. All of it is inline, for it is most of
// what an allocator does. Source: D. E. Knuth, The Art of Computer Programming 1, 2.5, algorithms A
// and B.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/bits.h"

struct free_piece {
    size_t size_bytes;
    struct free_piece *next; // at a higher address
};

#define FREE_LIST_GRAIN sizeof(struct free_piece)
_Static_assert(IS_POWER_OF_TWO(FREE_LIST_GRAIN));

enum fit {
    FIRST_FIT, // the one with the lowest address: fast, and leaves large pieces at the end
    BEST_FIT,  // the smallest: looks at all of them
};

// All zero bits: empty, first fit.
struct free_list {
    struct free_piece head; // of no size
    enum fit fit;
};

static inline uintptr_t free_piece_end(const struct free_piece *piece)
{
    return (uintptr_t)piece + piece->size_bytes;
}

// What is not free becomes so, and one with the free memory that it adjoins. Panics if a part of it
// is free already.
static inline void free_list_give(struct free_list *list, void *start, size_t size_bytes)
{
    struct free_piece *piece = start;
    struct free_piece *before = &list->head;
    struct free_piece *after = before->next;
    while (after != NULL && after < piece) {
        before = after;
        after = after->next;
    }
    *piece = (struct free_piece){size_bytes, after};
    if (after != NULL && free_piece_end(piece) >= (uintptr_t)after) {
        assert(free_piece_end(piece) == (uintptr_t)after);
        *piece = (struct free_piece){size_bytes + after->size_bytes, after->next};
    }
    if (free_piece_end(before) == (uintptr_t)piece) {
        before->size_bytes += piece->size_bytes;
        before->next = piece->next;
    } else {
        assert(before == &list->head || free_piece_end(before) < (uintptr_t)piece);
        before->next = piece;
    }
}

// Takes a part of the piece behind `before`. What is in front of it and behind it stays.
static inline void *free_list_cut(struct free_piece *before, size_t padding_bytes,
                                  size_t size_bytes)
{
    struct free_piece *piece = before->next;
    uint8_t *start = (uint8_t *)piece + padding_bytes;
    size_t rest_bytes = piece->size_bytes - padding_bytes - size_bytes;
    struct free_piece *after = piece->next;
    if (rest_bytes != 0) {
        struct free_piece *rest = (struct free_piece *)(void *)(start + size_bytes);
        *rest = (struct free_piece){rest_bytes, after};
        after = rest;
    }
    if (padding_bytes != 0) {
        *piece = (struct free_piece){padding_bytes, after};
    } else {
        before->next = after;
    }
    return start;
}

// What has to be skipped for the byte at `lead_bytes` to be aligned; mask: the alignment less 1.
static inline size_t free_piece_padding(const struct free_piece *piece, size_t lead_bytes,
                                        size_t mask)
{
    return -((uintptr_t)piece + lead_bytes) & mask;
}

// The one before the piece that is large enough, NULL if there is none.
static inline struct free_piece *free_list_find(struct free_list *list, size_t size_bytes,
                                                size_t lead_bytes, size_t mask)
{
    struct free_piece *found = NULL;
    for (struct free_piece *before = &list->head; before->next != NULL; before = before->next) {
        const struct free_piece *piece = before->next;
        if (piece->size_bytes < size_bytes + free_piece_padding(piece, lead_bytes, mask)) {
            continue;
        }
        if (list->fit == FIRST_FIT) {
            return before;
        }
        if (found == NULL || piece->size_bytes < found->next->size_bytes) {
            found = before;
        }
    }
    return found;
}

// Takes `size_bytes`, of which the byte at `lead_bytes` is at a multiple of `alignment`, a power of
// two. NULL if there is no such piece. The sum of all three may not overflow.
static inline void *free_list_take(struct free_list *list, size_t size_bytes, size_t lead_bytes,
                                   size_t alignment)
{
    size_t mask = (alignment - 1) | (FREE_LIST_GRAIN - 1);
    struct free_piece *before = free_list_find(list, size_bytes, lead_bytes, mask);
    if (before == NULL) {
        return NULL;
    }
    return free_list_cut(before, free_piece_padding(before->next, lead_bytes, mask), size_bytes);
}

// Takes exactly these. Whether they were free.
static inline bool free_list_take_at(struct free_list *list, void *start, size_t size_bytes)
{
    struct free_piece *before = &list->head;
    while (before->next != NULL && free_piece_end(before->next) <= (uintptr_t)start) {
        before = before->next;
    }
    const struct free_piece *piece = before->next;
    if (piece == NULL || (uintptr_t)piece > (uintptr_t)start ||
        free_piece_end(piece) - (uintptr_t)start < size_bytes) {
        return false;
    }
    free_list_cut(before, (uintptr_t)start - (uintptr_t)piece, size_bytes);
    return true;
}
