// SPDX-License-Identifier: MIT
//
// Free memory as a list in the order of addresses, each piece of it described in its own first
// bytes. Neighbours are merged as they are given, so that no two pieces touch each other.
//
// Everything is counted in grains: sizes and addresses are multiples of FREE_LIST_GRAIN, which is
// what a description needs. So whatever is left over in front of a piece or behind it can be
// described too, and is never lost.
//
// Giving and taking look at each piece up to the right one. Source: D. E. Knuth, The Art of
// Computer Programming 1, 2.5, algorithms A and B.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define FREE_LIST_GRAIN sizeof(struct free_piece)

struct free_piece {
    size_t size_bytes;
    struct free_piece *next;
};

enum fit {
    FIRST_FIT, // the one with the lowest address: fast, and leaves large pieces at the end
    BEST_FIT,  // the smallest: looks at all of them
};

// All zero bits: empty, first fit.
struct free_list {
    struct free_piece *first;
    enum fit fit;
};

// What is not free and adjoins free memory becomes one with it. Panics if a part of it is free.
void free_list_give(struct free_list *list, void *start, size_t size_bytes);

// Takes `size_bytes` in which the byte at `lead_bytes` is at a multiple of `alignment`, a power of
// two; all three are multiples of the grain. NULL if there is no such piece.
void *free_list_take(struct free_list *list, size_t size_bytes, size_t lead_bytes,
                     size_t alignment);

// Takes exactly these. Whether they were free.
bool free_list_take_at(struct free_list *list, void *start, size_t size_bytes);
