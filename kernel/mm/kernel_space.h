// SPDX-License-Identifier: MIT
//
// The kernel's own address space: everything that is mapped after the boot goes through it. What
// lies where is in arch/x86_64/layout.h and docs/memory.md.
//
// The calls below take its lock for as long as they work, with interrupts off: callers map long
// ranges in pieces. In any context but NMI, #DF and #MC, with no lock held of a rank above
// LOCK_RANK_KERNEL_SPACE. Errors are those of mm/page_table.h.
#pragma once

#include "mm/page_table.h"

// The one that the boot code has made: direct map and kernel image in the upper half, nothing in
// the lower one. Guarded by that lock.
extern struct address_space kernel_space;

// Takes it over, as CR3 has it, and makes the windows of the upper half mappable. Once: it panics
// when it is called again, for two owners of the same tables would undo each other's work. `frames`
// are for new tables. ENOMEM.
enum error kernel_space_init(const struct frame_source *frames);

// Maps whole pages to consecutive frames, which are the caller's.
enum error kernel_map(virt_addr_t page, phys_addr_t frame, uint64_t size_bytes, uint64_t flags);

// Unmaps what kernel_map has mapped, or a part of it.
enum error kernel_unmap(virt_addr_t page, uint64_t size_bytes);

enum error kernel_translate(virt_addr_t address, struct page_mapping *mapping_out);

// The first page at or behind *address, as page_find.
enum error kernel_find_page(virt_addr_t *address, struct page_mapping *mapping_out);

// Maps memory: whole pages, writable and not executable, to frames of its own with any contents.
// `site` is the caller's caller, whose frames they are for reports. ENOMEM, and nothing has
// changed.
enum error kernel_map_memory(virt_addr_t page, uint64_t size_bytes, const void *site);

// Unmaps that, or a part of it, and frees the frames. What is not mapped so is a bug, and panics.
void kernel_unmap_memory(virt_addr_t page, uint64_t size_bytes);

// How many pages of 4 KiB are mapped by these calls. For the test runner; takes no lock.
uint64_t kernel_space_page_count(void);

// On the console: all that is mapped.
void kernel_space_dump(void);

// The same for the way to this canonical address.
void kernel_walk_dump(virt_addr_t address);
