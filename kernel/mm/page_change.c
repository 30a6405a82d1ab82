// SPDX-License-Identifier: MIT
//
// Unmapping and protecting: look whether all of it is mapped, take the tables for large pages that
// have to be split, split them, and change the entries. Only the taking can fail.
#include "mm/page_walk.h"

// --- Splitting ---------------------------------------------------------------------------------

// The pages of the next smaller size that say the same. The bit that marks a large page is the
// PAT's in a small one.
static void fill_with_parts(pte_t *table, uint64_t page, unsigned level)
{
    uint64_t first = page;
    if (level == PAGE_2MIB) {
        first &= ~(PTE_LARGE | PTE_LARGE_PAT);
        first |= (page & PTE_LARGE_PAT) != 0 ? PTE_PAT : 0;
    }
    for (unsigned i = 0; i < TABLE_ENTRY_COUNT; i++) {
        table[i].value = first + i * pte_size_bytes(level - 1);
    }
}

static void split_entry(const struct address_space *space, uint64_t address,
                        const struct page_walk *found, phys_addr_t table)
{
    uint64_t *entry = &found->path[found->level]->value;
    uint64_t all_present = FIELD_PREP(PTE_TABLE_COUNT, TABLE_ENTRY_COUNT);
    uint64_t table_value = page_table_entry(table, address, PTE_TABLE_OWNED | all_present);
    uint64_t page = *entry;
    do { // again if the CPU has marked the page accessed or dirty meanwhile
        fill_with_parts(page_table_at(space, table), page, found->level);
    } while (!__atomic_compare_exchange_n(entry, &page, table_value, false, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

// How many tables it takes until no large page holds both sides of `boundary`, if the same has been
// done for `other`. (0 is not inside of any page.)
static unsigned count_splits(const struct address_space *space, uint64_t boundary, uint64_t other)
{
    struct page_walk found;
    page_walk(space, boundary, 1, &found);
    unsigned count = 0;
    if (pte_is_present(found.entry)) {
        for (unsigned level = found.level; !is_aligned(boundary, pte_size_bytes(level)); level--) {
            uint64_t size_bytes = pte_size_bytes(level);
            bool is_done = !is_aligned(other, size_bytes) &&
                           align_down(boundary, size_bytes) == align_down(other, size_bytes);
            count += !is_done;
        }
    }
    return count;
}

static void split_at(const struct address_space *space, uint64_t boundary, phys_addr_t *tables)
{
    for (;;) {
        struct page_walk found;
        page_walk(space, boundary, 1, &found);
        if (!pte_is_present(found.entry) || is_aligned(boundary, pte_size_bytes(found.level))) {
            return;
        }
        split_entry(space, boundary, &found, table_list_pop(space, tables));
    }
}

// Splits the large pages that lie in the range with a part of them.
static struct tlb_flush split_ends(struct address_space *space, virt_addr_t page,
                                   uint64_t size_bytes)
{
    struct tlb_flush flush = flush_of(space, page, size_bytes);
    uint64_t start = page.value;
    uint64_t end = start + size_bytes; // may wrap to 0, or be the first address of the hole
    unsigned count = count_splits(space, start, 0) + count_splits(space, end, start);
    if (count == 0) {
        return flush;
    }
    phys_addr_t tables;
    enum error error = table_list_take(space, count, &tables);
    if (error != OK) {
        return flush_failed(error);
    }
    split_at(space, start, &tables);
    split_at(space, end, &tables);
    flush.page_count = TLB_FLUSH_ALL; // a page in the TLB by two sizes is an error on some CPUs
    return flush;
}

// --- Changing what is mapped -------------------------------------------------------------------

// Clears the entry at the end of the walk, and unlinks the tables that are empty then. Returns the
// entry as the CPU left it.
static pte_t remove_entry(const struct address_space *space, const struct page_walk *found,
                          phys_addr_t *tables)
{
    unsigned level = found->level;
    pte_t old = {__atomic_exchange_n(&found->path[level]->value, 0, __ATOMIC_RELAXED)};
    while (level < PTE_LEVEL_MAX && page_table_count_down_to_0(found->path[level + 1])) {
        level++;
        phys_addr_t table = pte_table(*found->path[level]);
        store_entry(found->path[level], 0);
        table_list_push(space, tables, table);
    }
    return old;
}

struct tlb_flush page_unmap(struct address_space *space, virt_addr_t page, enum page_size size,
                            struct page_mapping *mapping_out)
{
    uint64_t size_bytes = page_size_bytes(size);
    if (!is_aligned(page.value, size_bytes) || page_check_range(space, page, size_bytes) != OK) {
        return flush_failed(EINVAL);
    }
    struct tlb_flush flush = flush_of(space, page, size_bytes);
    struct page_walk found;
    page_walk(space, page.value, size, &found);
    if (!pte_is_present(found.entry) || pte_is_table(found.entry, found.level)) {
        return flush_failed(ENOENT);
    }
    if (page_is_malformed(space, found.entry, found.level)) {
        return flush_failed(EFAULT);
    }
    if (found.level > size) {
        flush = split_ends(space, page, size_bytes);
        if (flush.error != OK) {
            return flush;
        }
        page_walk(space, page.value, size, &found);
    }
    found.entry = remove_entry(space, &found, &flush.tables);
    if (mapping_out != NULL) {
        flush.error = page_describe(space, page.value, &found, mapping_out);
    }
    return flush;
}

// Every page of the range is mapped and well-formed.
static enum error check_mapped(const struct address_space *space, virt_addr_t page,
                               uint64_t size_bytes)
{
    for (uint64_t offset = 0; offset < size_bytes;) {
        uint64_t address = page.value + offset;
        struct page_walk found;
        page_walk(space, address, 1, &found);
        if (!pte_is_present(found.entry)) {
            return ENOENT;
        }
        if (page_is_malformed(space, found.entry, found.level)) {
            return EFAULT;
        }
        uint64_t page_bytes = pte_size_bytes(found.level);
        offset += page_bytes - (address & (page_bytes - 1));
    }
    return OK;
}

// After this, pages of the range and no others can be changed, without any error.
static struct tlb_flush prepare(struct address_space *space, virt_addr_t page, uint64_t size_bytes)
{
    enum error error = page_check_range(space, page, size_bytes);
    if (error == OK) {
        error = check_mapped(space, page, size_bytes);
    }
    return error == OK ? split_ends(space, page, size_bytes) : flush_failed(error);
}

struct tlb_flush page_unmap_range(struct address_space *space, virt_addr_t page,
                                  uint64_t size_bytes)
{
    struct tlb_flush flush = prepare(space, page, size_bytes);
    for (uint64_t offset = 0; flush.error == OK && offset < size_bytes;) {
        struct page_walk found;
        page_walk(space, page.value + offset, 1, &found);
        remove_entry(space, &found, &flush.tables);
        offset += pte_size_bytes(found.level);
    }
    return flush;
}

// Address, size and what the CPU and others have noted in the entry stay.
static void set_flags(const struct page_walk *found, uint64_t flags)
{
    uint64_t *entry = &found->path[found->level]->value;
    uint64_t old = *entry;
    while (!__atomic_compare_exchange_n(entry, &old, (old & ~PAGE_FLAGS) | flags, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

struct tlb_flush page_protect_range(struct address_space *space, virt_addr_t page,
                                    uint64_t size_bytes, uint64_t flags)
{
    enum error error = page_check_flags(space, page, flags);
    if (error != OK) {
        return flush_failed(error);
    }
    struct tlb_flush flush = prepare(space, page, size_bytes);
    for (uint64_t offset = 0; flush.error == OK && offset < size_bytes;) {
        struct page_walk found;
        page_walk(space, page.value + offset, 1, &found);
        set_flags(&found, flags);
        offset += pte_size_bytes(found.level);
    }
    return flush;
}

struct tlb_flush page_clear_used(struct address_space *space, virt_addr_t address, uint64_t bits)
{
    virt_addr_t page = {align_down(address.value, PAGE_SIZE)};
    if (page_check_range(space, page, PAGE_SIZE) != OK ||
        (bits & ~(PTE_ACCESSED | PTE_DIRTY)) != 0) {
        return flush_failed(EINVAL);
    }
    enum error error = check_mapped(space, page, PAGE_SIZE);
    if (error != OK) {
        return flush_failed(error);
    }
    struct page_walk found;
    page_walk(space, page.value, 1, &found);
    __atomic_fetch_and(&found.path[found.level]->value, ~bits, __ATOMIC_RELAXED);
    uint64_t size_bytes = pte_size_bytes(found.level);
    return flush_of(space, (virt_addr_t){align_down(page.value, size_bytes)}, size_bytes);
}
