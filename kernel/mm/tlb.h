// SPDX-License-Identifier: MIT
//
// What becomes of a change in the page tables (mm/page_table.h): it has to reach the CPUs. Each of
// them remembers translations in its TLB, and is told by name what to forget.
//
// Above TLB_FLUSH_PAGES_MAX pages of 4 KiB, large pages included, the whole TLB is emptied: to fill
// it anew is cheaper then, and a large page may be in it as many small ones (Intel SDM vol. 3,
// 4.10.2.3, 4.10.4.2).
#pragma once

#include "arch/x86_64/cpu.h"
#include "mm/page_table.h"

#define TLB_FLUSH_PAGES_MAX 32

// How other CPUs are told: called by tlb_flush_now() behind this CPU's own flush and before tables
// are freed; returns when all have done it. NULL, as at the start: there is no other CPU.
typedef void tlb_shootdown_t(const struct address_space *space, virt_addr_t start,
                             uint64_t page_count);

extern tlb_shootdown_t *tlb_shootdown;

// tlb_flush_now() for what is not simple.
enum error tlb_flush_slowly(struct tlb_flush flush);

// Makes the change known to all CPUs, frees the tables that it has made empty, and returns the
// error of the change. Its pages are not in use after this.
static inline enum error tlb_flush_now(struct tlb_flush flush)
{
    bool is_page = is_aligned(flush.value, PAGE_SIZE); // no error, and not TLB_FLUSH_STALE
    if (!is_page || tlb_shootdown != NULL) {
        return tlb_flush_slowly(flush);
    }
    cpu_invalidate_page(flush.value);
    return OK;
}

// From here on this CPU works in `space`. What the TLB holds of another one's lower half is gone.
void tlb_load(const struct address_space *space);
