// SPDX-License-Identifier: MIT
//
// Blocks of a few fixed sizes, the powers of two from 8 to 2048: allocating and freeing take and
// put the first of a list, however large the heap is. A block is aligned to its size, and at most
// half of it is wasted.
//
// The memory is a linked list's (mm/heap/linked_list.h). A size that has no free block takes a page
// of it and cuts it up; a page whose blocks are all free goes back, but for one of each size, which
// stays ready. So what a size needed once does not stay with it. What is larger than 2048 bytes,
// and what finds no page, comes from the list directly.
//
// A table at the end of the memory tells for each page which size it has been cut into: 32 bytes a
// page, 0.8 %, and no header in front of any block. When the heap is extended, a new table takes
// the end of the new memory, and the old one becomes free.
#pragma once

#include "mm/heap/linked_list.h"

#define FIXED_BLOCK_ORDER_MIN 3  // 8 bytes, enough for the list's pointer
#define FIXED_BLOCK_ORDER_MAX 11 // 2048 bytes

struct fixed_block_page {
    void *free;                    // its first free block, each of which points to the next
    struct fixed_block_page *next; // pages of the same size that have free blocks
    struct fixed_block_page *previous;
    uint32_t used_count;
    uint32_t order; // of its blocks; 0: the page is the list's
};

struct fixed_block_allocator {
    struct allocator base;
    struct list_allocator list;
    uintptr_t start; // of the first page
    uintptr_t end;   // of all memory
    struct fixed_block_page *pages;
    size_t page_count;
    // By the order of the blocks: the first page with free blocks, and the last of which all were
    // free, if it still is so.
    struct fixed_block_page *first[FIXED_BLOCK_ORDER_MAX + 1];
    struct fixed_block_page *empty[FIXED_BLOCK_ORDER_MAX + 1];
};

// Panics if the memory has no room for its table. allocator_extend: ENOSPC if what is added has no
// room for the new one.
void fixed_block_allocator_init(struct fixed_block_allocator *allocator_out, void *start,
                                size_t size_bytes);
