// SPDX-License-Identifier: MIT
//
// Page tables of an address space: map, unmap, protect, translate. Pages of 4 KiB, 2 MiB and 1 GiB;
// a large page of which only a part is unmapped or protected is split.
//
// Pure: it works on memory through struct address_space, and never touches the CPU. What the CPU
// may hold of the old entries is the caller's to drop: each change returns a struct tlb_flush,
// which the compiler lets nobody ignore (mm/tlb.h).
//
// A call that fails has changed nothing: all tables that it needs are taken before the first entry
// is written. New tables are zeroed before they are linked; one whose last entry goes is unlinked,
// and given back to the frame source when the TLB is flushed. Two kinds stay when they are empty:
// the upper half's level-3 tables, which all address spaces share and address_space_prepare makes,
// and those of the boot code, which are not the frame source's.
//
// Callers take care that nobody else changes the same address space, or the shared upper half, at
// the same time; and that interrupt handlers don't.
//
// Rights are the page's own entry's: tables allow everything, and the AND over the levels is up to
// the page. Source: Intel SDM vol. 3, 4.5, 4.6 and 4.10.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/paging.h"
#include "arch/x86_64/pte.h"
#include "lib/addr.h"
#include "lib/error.h"
#include "lib/format.h"
#include "mm/frame_source.h"

#define TLB_ALL_PAGES UINT64_MAX

// What the CPUs may still know of a change, until it is flushed.
struct tlb_stale {
    virt_addr_t start;
    uint64_t page_count; // of 4 KiB, or TLB_ALL_PAGES; 0: nothing
    phys_addr_t tables;  // unlinked ones, to be freed then: each names the next. 0: none
};

// mm/address_space.h makes them.
struct address_space {
    phys_addr_t top;                   // the level-4 table
    uint64_t physical_offset;          // physical memory is seen at its address plus this
    const struct frame_source *frames; // for tables
    struct paging_features features;
    uint64_t reserved[PTE_LEVEL_MAX + 1]; // by level: what a page's entry may not set
    struct tlb_stale stale;
    bool is_kernel; // the upper half is its own; the others share it
};

// What a caller may say of a page. PTE_PRESENT is understood.
#define PAGE_RIGHTS (PTE_WRITABLE | PTE_USER | PTE_NO_EXECUTE)
#define PAGE_FLAGS                                                                                 \
    (PAGE_RIGHTS | PTE_UNCACHED | PTE_GLOBAL | PTE_SYSTEM_0 | PTE_SYSTEM_1 | PTE_SYSTEM_2)

// The outcome of a change: its error, or what the TLB may hold that is no longer so. The caller
// hands it on at once, unseen, and gets the error in exchange:
//     enum error error = tlb_flush_now(page_unmap(space, page, PAGE_4KIB, NULL));
// Two words, so that it travels in registers.
struct [[nodiscard]] tlb_flush {
    struct address_space *space; // NULL: nothing has changed
    uint64_t value;              // then the error; else a page, or TLB_FLUSH_STALE
};

#define TLB_FLUSH_STALE 1 // it is more than a page: see space->stale

struct page_mapping {
    phys_addr_t frame; // the page's first byte
    uint64_t offset;   // from there
    enum page_size size;
    uint64_t flags; // of PAGE_FLAGS, and PTE_ACCESSED and PTE_DIRTY; rights are the effective ones
};

// Errors of all calls below:
//   EINVAL   an address is not canonical, not aligned or too large for the CPU; a size is 0 or not
//            a multiple of the page size; the range leaves its half of the address space; flags
//            outside PAGE_FLAGS; PTE_USER in the upper half; PTE_GLOBAL in the lower one; the upper
//            half by any other address space than the kernel's, or where it is not prepared
//   ENOTSUP  the CPU has no 1 GiB pages, or no PTE_NO_EXECUTE: it is refused, not dropped
//   ENOENT   (a part of) the range is not mapped
//   EEXIST   (a part of) the range is mapped, by a page of any size; or a large page would have to
//            take the place of a table that stays
//   ENOMEM   no frame for a table
//   EFAULT   an entry is malformed: it sets bits that are reserved at its level

// Maps one page of this size.
struct tlb_flush page_map(struct address_space *space, virt_addr_t page, phys_addr_t frame,
                          enum page_size size, uint64_t flags);

// Maps `size_bytes` from `page` on to consecutive frames, by the largest pages that alignment and
// CPU allow.
struct tlb_flush page_map_range(struct address_space *space, virt_addr_t page, phys_addr_t frame,
                                uint64_t size_bytes, uint64_t flags);

// Each physical address at its own number.
static inline struct tlb_flush page_map_identity(struct address_space *space, phys_addr_t frame,
                                                 uint64_t size_bytes, uint64_t flags)
{
    return page_map_range(space, (virt_addr_t){frame.value}, frame, size_bytes, flags);
}

// Unmaps what a page of this size would cover: a page of that size, or a part of a larger one,
// which is split. ENOENT also if smaller pages lie there. What was mapped, with the accessed and
// dirty bits as they were at the end, goes to *mapping_out unless it is NULL.
struct tlb_flush page_unmap(struct address_space *space, virt_addr_t page, enum page_size size,
                            struct page_mapping *mapping_out);

// ENOENT, and nothing is changed, if there is a hole in the range. Pages of any size.
struct tlb_flush page_unmap_range(struct address_space *space, virt_addr_t page,
                                  uint64_t size_bytes);

// Sets the flags of all pages of the range to `flags`; ENOENT as for page_unmap_range.
struct tlb_flush page_protect_range(struct address_space *space, virt_addr_t page,
                                    uint64_t size_bytes, uint64_t flags);

static inline struct tlb_flush page_protect(struct address_space *space, virt_addr_t page,
                                            enum page_size size, uint64_t flags)
{
    if (!is_aligned(page.value, page_size_bytes(size))) {
        return (struct tlb_flush){NULL, EINVAL};
    }
    return page_protect_range(space, page, page_size_bytes(size), flags);
}

// For address spaces that no CPU has loaded, and for a mapping that is new: the CPU does not
// remember what is not present (Intel SDM vol. 3, 4.10.2.3). For all else mm/tlb.h.
enum error tlb_flush_ignore(struct tlb_flush flush);

// What lies at `address`, which need not be aligned.
enum error page_translate(const struct address_space *space, virt_addr_t address,
                          struct page_mapping *mapping_out);

// Clears PTE_ACCESSED, PTE_DIRTY or both in the page at `address`; it stays mapped. Until the flush
// the CPU may not set them anew.
struct tlb_flush page_clear_used(struct address_space *space, virt_addr_t address, uint64_t bits);

// The first page at or behind *address: its first byte goes to *address, and the rest as for
// page_translate. ENOENT if there is none.
enum error page_find(const struct address_space *space, virt_addr_t *address,
                     struct page_mapping *mapping_out);

// Prints the non-empty entries of the level-4 table, then the pages: those of the same size and
// flags that follow each other in virtual and physical memory as one line.
void page_table_dump(const struct address_space *space, const struct writer *writer);

// Prints the entries from the top of the tables down to the one that decides about this canonical
// address, and what it maps to if it does.
void page_walk_dump(const struct address_space *space, virt_addr_t address,
                    const struct writer *writer);
