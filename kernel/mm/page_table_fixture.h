// SPDX-License-Identifier: MIT
//
// For the tests of the page tables: a space that no CPU walks, made anew for each of them, and the
// calls of mm/page_table.h on it. Nothing is remembered of it, and so no flush is missed.
#pragma once

#include "ktest.h"
#include "mm/address_space.h"
#include "mm/test_frames.h"

#define KIB 1024ULL
#define MIB (KIB << 10)
#define GIB (MIB << 10)

#define LOWER_END BIT(47)
#define UPPER_START (~0ULL << 47)
#define RIGHTS (PTE_WRITABLE | PTE_NO_EXECUTE)

// By test_frames_make_space().
extern struct address_space test_space;

static inline virt_addr_t at(uint64_t address)
{
    return (virt_addr_t){address};
}

static inline phys_addr_t frame_at(uint64_t address)
{
    return (phys_addr_t){address};
}

// So that this page of the upper half can be mapped. Takes one frame for ever.
static inline void prepare(struct ktest *test, uint64_t page)
{
    KTEST_ASSERT_EQ(test, address_space_prepare(&test_space, at(page), PAGE_SIZE), OK);
}

static inline enum error map(uint64_t page, uint64_t frame, enum page_size size, uint64_t flags)
{
    return tlb_flush_ignore(page_map(&test_space, at(page), frame_at(frame), size, flags));
}

static inline enum error map_range(uint64_t page, uint64_t frame, uint64_t size_bytes,
                                   uint64_t flags)
{
    return tlb_flush_ignore(
        page_map_range(&test_space, at(page), frame_at(frame), size_bytes, flags));
}

static inline enum error unmap(uint64_t page, enum page_size size)
{
    return tlb_flush_ignore(page_unmap(&test_space, at(page), size, NULL));
}

static inline enum error unmap_range(uint64_t page, uint64_t size_bytes)
{
    return tlb_flush_ignore(page_unmap_range(&test_space, at(page), size_bytes));
}

static inline enum error protect_range(uint64_t page, uint64_t size_bytes, uint64_t flags)
{
    return tlb_flush_ignore(page_protect_range(&test_space, at(page), size_bytes, flags));
}

void expect_unmapped(struct ktest *test, uint64_t address);
void expect_mapped(struct ktest *test, uint64_t address, uint64_t physical, enum page_size size,
                   uint64_t flags);

// Nothing but the level-4 table is in use.
void expect_nothing_left(struct ktest *test);

// The entry of an address at a level, in tables that are there.
pte_t *entry_of(uint64_t address, unsigned level);
