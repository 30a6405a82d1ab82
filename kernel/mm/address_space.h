// SPDX-License-Identifier: MIT
//
// Address spaces come and go. The lower half is each one's own, the upper half is the kernel's and
// the same in all: what is mapped there through the kernel's address space shows in every other at
// once, for they share its level-3 tables. Pure, as mm/page_table.h; the same rules hold for
// callers.
#pragma once

#include "mm/page_table.h"

// Where its tables come from, and how they are seen. The level-4 table `top`, with whatever hangs
// from it, stays its owner's: none of it is ever freed.
void address_space_adopt(struct address_space *space_out, phys_addr_t top,
                         struct paging_features features, uint64_t physical_offset,
                         const struct frame_source *frames);

// Makes the level-3 tables for this part of the upper half, for ever. To be done before others
// share it: only what is prepared can be mapped there. EINVAL if it is no range of whole pages in
// the upper half; ENOMEM, and nothing is changed.
enum error address_space_prepare(struct address_space *kernel, virt_addr_t start,
                                 uint64_t size_bytes);

// An empty lower half, and the kernel's upper one. Tables come from where the kernel's come from.
// ENOMEM.
enum error address_space_create(const struct address_space *kernel,
                                struct address_space *space_out);

// Unmaps all of the lower half and frees its tables; what was mapped is the caller's. No CPU may
// have it loaded. Panics for the kernel's.
void address_space_destroy(struct address_space *space);
