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
    uint64_t *entry = &found->place->value;
    uint64_t all_present = (uint64_t)TABLE_ENTRY_COUNT << PTE_TABLE_COUNT_SHIFT;
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
    const struct page_walk found = page_walk(space, boundary, 1);
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
        const struct page_walk found = page_walk(space, boundary, 1);
        if (!pte_is_present(found.entry) || is_aligned(boundary, pte_size_bytes(found.level))) {
            return;
        }
        split_entry(space, boundary, &found, table_list_pop(space, tables));
    }
}

// Splits the large pages that lie in the range with a part of them. A page that the TLB holds by
// two sizes is an error on some CPUs, so it has to be emptied then.
static enum error split_ends(const struct address_space *space, uint64_t start, uint64_t size_bytes,
                             bool *is_split_out)
{
    uint64_t end = start + size_bytes; // may wrap to 0, or be the first address of the hole
    unsigned count = count_splits(space, start, 0) + count_splits(space, end, start);
    phys_addr_t tables;
    enum error error = table_list_take(space, count, &tables);
    if (error != OK) {
        return error;
    }
    split_at(space, start, &tables);
    split_at(space, end, &tables);
    *is_split_out = count > 0;
    return OK;
}

// --- Changing what is mapped -------------------------------------------------------------------

// Every page of the range is mapped and well-formed.
static enum error check_mapped(const struct address_space *space, virt_addr_t page,
                               uint64_t size_bytes)
{
    for (uint64_t offset = 0; offset < size_bytes;) {
        uint64_t address = page.value + offset;
        const struct page_walk found = page_walk(space, address, 1);
        if (!pte_is_present(found.entry)) {
            return ENOENT;
        }
        if (page_is_malformed(space, &found)) {
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
    bool is_split = false;
    enum error error = page_check_range(space, page, size_bytes);
    if (error == OK) {
        error = check_mapped(space, page, size_bytes);
    }
    if (error == OK) {
        error = split_ends(space, page.value, size_bytes, &is_split);
    }
    if (error != OK) {
        return flush_failed(error);
    }
    return flush_stale(space, page, is_split ? TLB_ALL_PAGES : size_bytes / PAGE_SIZE);
}

static bool has_failed(struct tlb_flush flush)
{
    return flush.space == NULL;
}

// --- Unmapping ---------------------------------------------------------------------------------

// From the table that the entry of `level` refers to upwards, as long as they are empty.
static void unlink_tables(struct address_space *space, uint64_t address, unsigned level)
{
    for (;; level++) {
        const struct page_walk at = page_walk(space, address, level);
        store_entry(at.place, 0);
        table_list_push(space, &space->stale.tables, pte_table(at.entry));
        if (level == PTE_LEVEL_MAX || !page_table_count_down(at.parent)) {
            return;
        }
    }
}

// What the CPU had noted in the pages is added to *used.
static struct tlb_flush unmap_range(struct address_space *space, virt_addr_t page,
                                    uint64_t size_bytes, uint64_t *used)
{
    struct tlb_flush flush = prepare(space, page, size_bytes);
    for (uint64_t offset = 0; !has_failed(flush) && offset < size_bytes;) {
        const struct page_walk found = page_walk(space, page.value + offset, 1);
        *used |= __atomic_exchange_n(&found.place->value, 0, __ATOMIC_RELAXED) &
                 (PTE_ACCESSED | PTE_DIRTY);
        if (page_table_count_down(found.parent)) {
            unlink_tables(space, page.value + offset, found.level + 1);
        }
        offset += pte_size_bytes(found.level);
    }
    return flush;
}

struct tlb_flush page_unmap_range(struct address_space *space, virt_addr_t page,
                                  uint64_t size_bytes)
{
    uint64_t used = 0;
    return unmap_range(space, page, size_bytes, &used);
}

[[gnu::noinline]] static struct tlb_flush unmap_any(struct address_space *space, virt_addr_t page,
                                                    enum page_size size,
                                                    struct page_mapping *mapping_out)
{
    if (page_check_one(space, page, size) != OK) {
        return flush_failed(EINVAL);
    }
    struct page_mapping mapping;
    enum error error = page_translate(space, page, &mapping);
    if (error != OK) {
        return flush_failed(error);
    }
    if (mapping.size < size) {
        return flush_failed(ENOENT);
    }
    struct tlb_flush flush = unmap_range(space, page, page_size_bytes(size), &mapping.flags);
    if (mapping_out != NULL && !has_failed(flush)) {
        mapping_out->frame.value = mapping.frame.value + mapping.offset;
        mapping_out->offset = 0;
        mapping_out->size = size;
        mapping_out->flags = mapping.flags;
    }
    return flush;
}

[[gnu::noinline]] static struct tlb_flush unlink_table_of(struct address_space *space,
                                                          virt_addr_t page)
{
    unlink_tables(space, page.value, PAGE_4KIB + 1);
    return flush_stale(space, page, 1);
}

// The usual case goes straight ahead: a small page, of which nobody wants to know what it was.
struct tlb_flush page_unmap(struct address_space *space, virt_addr_t page, enum page_size size,
                            struct page_mapping *mapping_out)
{
    if (size != PAGE_4KIB || mapping_out != NULL || page_check_one(space, page, PAGE_4KIB) != OK) {
        return unmap_any(space, page, size, mapping_out);
    }
    const struct page_walk found = page_walk(space, page.value, PAGE_4KIB);
    if (found.level != PAGE_4KIB || !pte_is_present(found.entry) ||
        page_is_malformed(space, &found)) {
        return unmap_any(space, page, size, mapping_out);
    }
    store_entry(found.place, 0);
    return page_table_count_down(found.parent) ? unlink_table_of(space, page)
                                               : flush_page(space, page);
}

// --- Protecting --------------------------------------------------------------------------------

// Address, size and what the CPU and others have noted in the entry stay.
static void set_flags(const struct page_walk *found, uint64_t flags)
{
    uint64_t *entry = &found->place->value;
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
    for (uint64_t offset = 0; !has_failed(flush) && offset < size_bytes;) {
        const struct page_walk found = page_walk(space, page.value + offset, 1);
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
    const struct page_walk found = page_walk(space, page.value, 1);
    __atomic_fetch_and(&found.place->value, ~bits, __ATOMIC_RELAXED);
    uint64_t size_bytes = pte_size_bytes(found.level);
    return flush_stale(space, (virt_addr_t){align_down(page.value, size_bytes)},
                       size_bytes / PAGE_SIZE);
}
