// SPDX-License-Identifier: MIT
//
// For the tests of the kernel's address space as the CPU uses it: new tables come from test frames,
// and after a test the lower half is empty again.
#pragma once

#include "arch/x86_64/layout.h"
#include "ktest.h"
#include "mm/kernel_space.h"
#include "mm/test_frames.h"
#include "mm/tlb.h"

#define PAGE 0x5000000000                             // in a top-level entry that nobody uses
#define SPARE (MMIO_VMA + MMIO_SIZE - 16 * PAGE_SIZE) // at the end, where devices come last
#define RIGHTS (PTE_WRITABLE | PTE_NO_EXECUTE)

static inline phys_addr_t phys_of(const void *image_address)
{
    return (phys_addr_t){(uint64_t)image_address - KERNEL_VMA};
}

static inline enum error map(uint64_t page, const void *memory, uint64_t flags)
{
    return tlb_flush_now(
        page_map(&kernel_space, (virt_addr_t){page}, phys_of(memory), PAGE_4KIB, flags));
}

static inline enum error unmap(uint64_t page)
{
    return tlb_flush_now(page_unmap(&kernel_space, (virt_addr_t){page}, PAGE_4KIB, NULL));
}

// Page 0 is one like all others here, which the compiler may not learn.
uint8_t peek(uint64_t address);
void poke(uint64_t address, uint8_t value);
