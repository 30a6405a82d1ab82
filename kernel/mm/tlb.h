// SPDX-License-Identifier: MIT
//
// What becomes of a change in the page tables (mm/page_table.h): it has to reach the CPUs. Each of
// them remembers translations in its TLB, and is told by name what to forget.
//
// Above TLB_FLUSH_PAGES_MAX pages of 4 KiB, large pages included, the whole TLB is emptied: to fill
// it anew is cheaper then, and a large page may be in it as many small ones (Intel SDM vol. 3,
// 4.10.2.3, 4.10.4.2).
#pragma once

#include "mm/page_table.h"

#define TLB_FLUSH_PAGES_MAX 32

// Makes the change known to all CPUs, frees the tables that it has made empty, and returns the
// error of the change. Its pages are not in use after this.
enum error tlb_flush_now(struct tlb_flush flush);

// How other CPUs are told: called by tlb_flush_now() behind this CPU's own flush and before tables
// are freed; returns when all have done it. NULL, as at the start: there is no other CPU.
typedef void tlb_shootdown_t(const struct address_space *space, virt_addr_t start,
                             uint64_t page_count);
void tlb_set_shootdown(tlb_shootdown_t *shootdown);

// From here on this CPU works in `space`. What the TLB holds of another one's lower half is gone.
void tlb_load(const struct address_space *space);
