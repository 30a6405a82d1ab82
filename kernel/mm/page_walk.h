// SPDX-License-Identifier: MIT
//
// What the files of the page tables share; not for others (page_table.h is).
//
// The entry that refers to a table of ours counts the table's own entries, in bits that the CPU
// ignores: so an empty table is known without a search. Tables of others, the boot code's, have no
// such count and stay for ever; so do the level-3 tables of the upper half, which other address
// spaces refer to. In entries for tables of ours the accessed bit is set from the start: the CPU
// has no reason to write there, and our counting loses nothing.
#pragma once

#include "mm/page_table.h"

// In entries that refer to tables.
#define PTE_TABLE_OWNED PTE_SYSTEM_0 // counted, and freed when empty
#define PTE_TABLE_COUNT_SHIFT 52     // from here up to bit 62; execution is always allowed

static inline pte_t *page_table_at(const struct address_space *space, phys_addr_t table)
{
    return (pte_t *)(uintptr_t)(space->physical_offset + table.value);
}

static inline bool is_upper(uint64_t address)
{
    return address >> 63 != 0;
}

static inline void store_entry(pte_t *entry, uint64_t value)
{
    __atomic_store_n(&entry->value, value, __ATOMIC_RELEASE);
}

// --- Walking -----------------------------------------------------------------------------------

struct page_walk {
    unsigned level; // where it ended: at an entry that is not present, maps a page, or is `lowest`
    pte_t entry;    // the one there,
    pte_t *place;   // where it is,
    pte_t *parent;  // and the one that refers to its table; NULL at level 4
    uint64_t all;   // what all entries from the top to there have,
    uint64_t any;   // and what at least one of them has
};

static inline void page_walk_enter(const struct address_space *space, uint64_t address,
                                   phys_addr_t table, struct page_walk *walk)
{
    uint64_t index = address >> pte_shift(walk->level) & (TABLE_ENTRY_COUNT - 1);
    walk->parent = walk->place;
    walk->place = &page_table_at(space, table)[index];
    walk->entry = *walk->place;
    walk->all &= walk->entry.value;
    walk->any |= walk->entry.value;
}

static inline struct page_walk page_walk(const struct address_space *space, uint64_t address,
                                         unsigned lowest)
{
    struct page_walk walk = {.level = PTE_LEVEL_MAX, .all = ~0ULL};
    page_walk_enter(space, address, space->top, &walk);
    _Pragma("GCC unroll 3")
    while (walk.level > lowest) {
        if (!pte_is_table(walk.entry, walk.level)) {
            break;
        }
        walk.level--;
        page_walk_enter(space, address, pte_table(walk.entry), &walk);
    }
    return walk;
}

// Whether the CPU takes the entry of this page for an error.
static inline bool page_is_malformed(const struct address_space *space, const struct page_walk *at)
{
    return (at->entry.value & space->reserved[at->level]) != 0;
}

// What the walk has found at `address`, with the page's entry as it was last.
static inline void page_describe(const struct page_walk *at, pte_t entry, uint64_t address,
                                 struct page_mapping *mapping_out)
{
    const uint64_t own = (PAGE_FLAGS & ~PAGE_RIGHTS) | PTE_ACCESSED | PTE_DIRTY;
    uint64_t offset_mask = pte_size_bytes(at->level) - 1;
    mapping_out->frame.value = entry.value & PTE_ADDRESS & ~offset_mask;
    mapping_out->offset = address & offset_mask;
    mapping_out->size = (enum page_size)at->level;
    mapping_out->flags = (entry.value & own) | (at->all & (PTE_WRITABLE | PTE_USER)) |
                         (at->any & PTE_NO_EXECUTE);
}

// --- Arguments and results ---------------------------------------------------------------------

// EINVAL.
static inline enum error page_check_one(const struct address_space *space, virt_addr_t page,
                                        enum page_size size)
{
    bool is_possible = virt_addr_is_canonical(page.value) &&
                       is_aligned(page.value, page_size_bytes(size)) &&
                       (!is_upper(page.value) || space->is_kernel);
    return is_possible ? OK : EINVAL;
}

enum error page_check_range(const struct address_space *space, virt_addr_t page,
                            uint64_t size_bytes);

// EINVAL or ENOTSUP.
static inline enum error page_check_flags(const struct address_space *space, virt_addr_t page,
                                          uint64_t flags)
{
    uint64_t refused = ~PAGE_FLAGS | (is_upper(page.value) ? PTE_USER : PTE_GLOBAL);
    if ((flags & refused) != 0) {
        return EINVAL;
    }
    return (flags & PTE_NO_EXECUTE) != 0 && !space->features.has_no_execute ? ENOTSUP : OK;
}

static inline struct tlb_flush flush_failed(enum error error)
{
    return (struct tlb_flush){NULL, error};
}

static inline struct tlb_flush flush_page(struct address_space *space, virt_addr_t page)
{
    return (struct tlb_flush){space, page.value};
}

// Panics if the caller has not handed on the last one.
struct tlb_flush flush_stale(struct address_space *space, virt_addr_t start, uint64_t page_count);

// --- Tables ------------------------------------------------------------------------------------

static inline uint64_t page_table_entry(phys_addr_t table, uint64_t address, uint64_t flags)
{
    return table.value | PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED |
           (is_upper(address) ? 0 : PTE_USER) | flags;
}

static inline bool page_table_is_empty(pte_t parent)
{
    return (parent.value & PTE_TABLE_OWNED) != 0 && parent.value >> PTE_TABLE_COUNT_SHIFT == 0;
}

// One entry more in the table that *parent refers to.
static inline void page_table_count_up(pte_t *parent)
{
    if ((parent->value & PTE_TABLE_OWNED) != 0) {
        parent->value += BIT(PTE_TABLE_COUNT_SHIFT);
    }
}

// One less. Returns whether that was the last one.
static inline bool page_table_count_down(pte_t *parent)
{
    if ((parent->value & PTE_TABLE_OWNED) == 0) {
        return false;
    }
    parent->value -= BIT(PTE_TABLE_COUNT_SHIFT);
    return parent->value >> PTE_TABLE_COUNT_SHIFT == 0;
}

// Tables that are not linked: the first word of each is the physical address of the next. That is
// an entry that is not present, for the CPU may still walk through a table that has just been
// unlinked. 0 is the empty list.
void table_list_push(const struct address_space *space, phys_addr_t *list, phys_addr_t table);

// Panics if there is none.
phys_addr_t table_list_pop(const struct address_space *space, phys_addr_t *list);

// `count` from the frame source, or ENOMEM and none.
enum error table_list_take(const struct address_space *space, uint64_t count,
                           phys_addr_t *list_out);

// Gives all of them back.
void table_list_free(const struct address_space *space, phys_addr_t *list);
