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
#define PTE_TABLE_COUNT GENMASK(61, 52)
#define PTE_TABLE_COUNT_ONE BIT(52)

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
    pte_t entry;    // the one there
    uint64_t allowed;               // what the entries down to there have all,
    uint64_t forbidden;             // and what any of them has
    pte_t *path[PTE_LEVEL_MAX + 1]; // they themselves, by level
};

static inline void page_walk(const struct address_space *space, uint64_t address, unsigned lowest,
                             struct page_walk *walk_out)
{
    phys_addr_t table = space->top;
    uint64_t allowed = ~0ULL;
    uint64_t forbidden = 0;
    unsigned level = PTE_LEVEL_MAX;
    pte_t entry;
    for (;; level--) {
        uint64_t index = address >> pte_shift(level) & (TABLE_ENTRY_COUNT - 1);
        pte_t *place = &page_table_at(space, table)[index];
        entry = *place;
        walk_out->path[level] = place;
        allowed &= entry.value;
        forbidden |= entry.value;
        if (level == lowest || !pte_is_table(entry, level)) {
            break;
        }
        table = pte_table(entry);
    }
    walk_out->level = level;
    walk_out->entry = entry;
    walk_out->allowed = allowed;
    walk_out->forbidden = forbidden;
}

// Bits that the CPU takes for an error in the entry of a page.
static inline bool page_is_malformed(const struct address_space *space, pte_t entry, unsigned level)
{
    uint64_t address = entry.value & PTE_ADDRESS;
    uint64_t below = level > 1 ? (pte_size_bytes(level) - 1) & ~PTE_LARGE_PAT : 0;
    return level == PTE_LEVEL_MAX || address >> space->features.physical_bits != 0 ||
           (address & below) != 0;
}

static inline enum error page_describe(const struct address_space *space, uint64_t address,
                                       const struct page_walk *walk,
                                       struct page_mapping *mapping_out)
{
    if (!pte_is_present(walk->entry)) {
        return ENOENT;
    }
    if (page_is_malformed(space, walk->entry, walk->level)) {
        return EFAULT;
    }
    const uint64_t own = (PAGE_FLAGS & ~PAGE_RIGHTS) | PTE_ACCESSED | PTE_DIRTY;
    mapping_out->frame = pte_frame(walk->entry, walk->level);
    mapping_out->offset = address & (pte_size_bytes(walk->level) - 1);
    mapping_out->size = (enum page_size)walk->level;
    mapping_out->flags = (walk->entry.value & own) | (walk->allowed & (PTE_WRITABLE | PTE_USER)) |
                         (walk->forbidden & PTE_NO_EXECUTE);
    return OK;
}

// --- Arguments and results ---------------------------------------------------------------------

// EINVAL.
enum error page_check_range(const struct address_space *space, virt_addr_t page,
                            uint64_t size_bytes);

// EINVAL or ENOTSUP.
enum error page_check_flags(const struct address_space *space, virt_addr_t page, uint64_t flags);

static inline struct tlb_flush flush_failed(enum error error)
{
    return (struct tlb_flush){.error = error};
}

static inline struct tlb_flush flush_of(struct address_space *space, virt_addr_t page,
                                        uint64_t size_bytes)
{
    return (struct tlb_flush){.space = space, .start = page, .page_count = size_bytes / PAGE_SIZE};
}

// --- Tables ------------------------------------------------------------------------------------

static inline uint64_t page_table_entry(phys_addr_t table, uint64_t address, uint64_t flags)
{
    return table.value | PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED |
           (is_upper(address) ? 0 : PTE_USER) | flags;
}

// One entry more, or one less, in the table that *parent refers to.
static inline void page_table_count_up(pte_t *parent)
{
    if ((parent->value & PTE_TABLE_OWNED) != 0) {
        parent->value += PTE_TABLE_COUNT_ONE;
    }
}

static inline bool page_table_count_down_to_0(pte_t *parent)
{
    if ((parent->value & PTE_TABLE_OWNED) == 0) {
        return false;
    }
    parent->value -= PTE_TABLE_COUNT_ONE;
    return (parent->value & PTE_TABLE_COUNT) == 0;
}

// Tables that are not linked: the first word of each is the physical address of the next. That is an
// entry that is not present, for the CPU may still walk through a table that has just been unlinked.
// 0 is the empty list.
void table_list_push(const struct address_space *space, phys_addr_t *list, phys_addr_t table);

// Panics if there is none.
phys_addr_t table_list_pop(const struct address_space *space, phys_addr_t *list);

// `count` from the frame source, or ENOMEM and none.
enum error table_list_take(const struct address_space *space, uint64_t count,
                           phys_addr_t *list_out);

// Gives all of them back.
void table_list_free(const struct address_space *space, phys_addr_t *list);
