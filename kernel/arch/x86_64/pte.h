// SPDX-License-Identifier: MIT
//
// The format of page tables: Intel SDM vol. 3, 4.5 (four levels, 48-bit addresses; five levels are
// not used). Pure: what is in memory, not what the CPU does with it.
//
// A table is one frame of 512 entries. An entry refers to a table of the next lower level, or maps
// a page; or it is not present, and the CPU ignores all other bits. Levels count from 4, the table
// in CR3, down to 1.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/bits.h"

#define PTE_PRESENT BIT(0)
#define PTE_WRITABLE BIT(1) // CR0.WP: holds for ring 0 too
#define PTE_USER BIT(2)
#define PTE_WRITE_THROUGH BIT(3)
#define PTE_CACHE_DISABLE BIT(4)
#define PTE_ACCESSED BIT(5) // set by the CPU
#define PTE_DIRTY BIT(6)    // set by the CPU; of pages only
#define PTE_LARGE BIT(7)    // of levels 3 and 2: maps a page. Reserved at level 4
#define PTE_GLOBAL BIT(8)   // of pages, if CR4.PGE: stays in the TLB when CR3 is written
#define PTE_NO_EXECUTE BIT(63)

// The third bit of the index into the page attribute table is elsewhere in large pages.
#define PTE_PAT BIT(7)
#define PTE_LARGE_PAT BIT(12)

// Strongly uncached, for device registers: entry 3 of the PAT, in which the bits after a reset have
// the meaning that they had before there was a PAT (Intel SDM vol. 3, 12.12.4).
#define PTE_UNCACHED (PTE_CACHE_DISABLE | PTE_WRITE_THROUGH)

// Ignored by the CPU, for the system's use. With CR4.PKE, 62 to 59 are a user page's key.
#define PTE_SYSTEM_0 BIT(9)
#define PTE_SYSTEM_1 BIT(10)
#define PTE_SYSTEM_2 BIT(11)
#define PTE_SYSTEM_HIGH GENMASK(58, 52)
#define PTE_KEY_MASK GENMASK(62, 59)
#define PTE_KEY(key_) FIELD_PREP(PTE_KEY_MASK, key_)

#define PTE_ADDRESS GENMASK(51, 12)

#define PTE_LEVEL_MAX 4

typedef struct {
    uint64_t value;
} pte_t;

_Static_assert(sizeof(pte_t) * TABLE_ENTRY_COUNT == PAGE_SIZE);

// The value is the level of the table whose entry maps the page.
enum page_size {
    PAGE_4KIB = 1,
    PAGE_2MIB = 2,
    PAGE_1GIB = 3,
};

// How many bits of an address lie below an entry of this level, and what it covers.
static inline unsigned pte_shift(unsigned level)
{
    return PAGE_SHIFT - 9 + 9 * level;
}

static inline uint64_t pte_size_bytes(unsigned level)
{
    return BIT(pte_shift(level));
}

static inline uint64_t page_size_bytes(enum page_size size)
{
    return pte_size_bytes(size);
}

static inline bool pte_is_present(pte_t entry)
{
    return (entry.value & PTE_PRESENT) != 0;
}

// Whether an entry of a table at `level` refers to a lower table.
static inline bool pte_is_table(pte_t entry, unsigned level)
{
    return level > 1 && (entry.value & (PTE_PRESENT | PTE_LARGE)) == PTE_PRESENT;
}

// The table that such an entry, or CR3, refers to.
static inline phys_addr_t pte_table(pte_t entry)
{
    return (phys_addr_t){entry.value & PTE_ADDRESS};
}

// The frame of a page of this level.
static inline phys_addr_t pte_frame(pte_t entry, unsigned level)
{
    return (phys_addr_t){entry.value & PTE_ADDRESS & ~(pte_size_bytes(level) - 1)};
}
