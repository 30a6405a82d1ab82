// SPDX-License-Identifier: MIT
//
// The kernel's frames: all usable memory but what is in use before frame_init. Callable with any
// lock held but the log's, and in interrupt handlers; not in NMI, #DF and #MC.
//
// A call by a wrong frame is a bug of ours and panics with the frame and where it was taken: one
// that is free already, was never ours, is not the first of its block, or is of another order.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"
#include "mm/frame_allocator.h"
#include "mm/frame_source.h"
#include "mm/memory_map.h"

// Once, when the direct map reaches all usable memory. Takes the metadata out of the map, which
// must stay where it is. ENOMEM or ENOSPC if there is no room. Before it there are no frames.
enum error frame_init(struct memory_map *map);

// A frame from anywhere, best from high memory; its content is whatever it was. ENOMEM if there is
// none left. O(1).
enum error frame_alloc(phys_addr_t *frame_out);
void frame_free(phys_addr_t frame);

// The same for somebody else, whose call is the one to be named in reports.
enum error frame_alloc_for(const void *site, phys_addr_t *frame_out);

// 2^order frames in a row, aligned to their size, from no zone above `highest`. ENOMEM if there
// is no such run; EINVAL if the order is above FRAME_ORDER_MAX.
enum error frame_alloc_run(unsigned order, enum frame_zone highest, phys_addr_t *frame_out);
void frame_free_run(phys_addr_t frame, unsigned order);

// Who shares a block takes a reference, and puts it back in place of freeing it. Taking it first
// makes one. As long as there are several, freeing it panics.
void frame_get(phys_addr_t frame);
void frame_put(phys_addr_t frame);

// These as a source for page tables.
extern const struct frame_source kernel_frames;

void frame_statistics_read(struct frame_statistics *statistics_out);

// The map that the frames come from, with what was taken before them.
const struct memory_map *frame_memory_map(void);

// On the console: zones, and what there is of each order.
void frame_dump(void);

// --- For the test runner ------------------------------------------------------------------------

// See frame_allocator.h. These take no lock, for their caller may have taken over with any lock
// held: nobody else may run meanwhile.
uint32_t frame_mark(void);
uint64_t frame_taken_count(void);
bool frame_next(uint32_t mark, uint32_t *cursor, struct frame_owner *owner_out);
uint64_t frame_reclaim(uint32_t mark);

// While the stack of single frames is bypassed, every allocation asks the allocation hook:
// frame_alloc does so only where that stack is empty, which costs it nothing.
void frame_bypass_stack(void);
void frame_use_stack(void);
