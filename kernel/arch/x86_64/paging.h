// SPDX-License-Identifier: MIT
//
// The CPU's side of paging: what it can do, which table is in use, and its TLB. What stands in the
// tables is in pte.h.
//
// Four levels: five-level paging (CR4.LA57) is neither needed for 128 TiB of physical memory nor
// turned on. Neither are process-context identifiers: CR3 holds a table and two cache bits.
#pragma once

#include <stdbool.h>

#include "lib/addr.h"

struct paging_features {
    bool has_gib_pages;     // CPUID 0x80000001, EDX bit 26
    bool has_no_execute;    // EDX bit 20, and EFER.NXE; this kernel does not boot without
    unsigned physical_bits; // of an address: CPUID 0x80000008, EAX bits 7 to 0
};

struct paging_features paging_features_read(void);

#define CR3_WRITE_THROUGH BIT(3) // how the CPU reads the level-4 table itself
#define CR3_CACHE_DISABLE BIT(4)

// CR3, taken apart.
struct paging_root {
    phys_addr_t table; // of level 4
    uint64_t flags;
};

struct paging_root paging_root_read(void);

// Empties the TLB, but for global pages.
void paging_root_write(struct paging_root root);

// Empties the TLB of this CPU, global pages included: by CR4.PGE if that is on, by CR3 if not
// (Intel SDM vol. 3, 4.10.4.1).
void paging_flush_all(void);
