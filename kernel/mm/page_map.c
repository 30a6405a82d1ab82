// SPDX-License-Identifier: MIT
//
// Mapping comes in three steps: look whether it is possible and which tables it needs, take them,
// and write the entries, which can't fail any more.
#include "mm/page_walk.h"

#include "lib/string.h"

static enum error check_frames(const struct address_space *space, phys_addr_t frame,
                               uint64_t size_bytes)
{
    uint64_t limit = BIT(space->features.physical_bits);
    bool is_possible = is_aligned(frame.value, PAGE_SIZE) && frame.value <= limit &&
                       size_bytes <= limit - frame.value;
    return is_possible ? OK : EINVAL;
}

static void link_table(const struct address_space *space, uint64_t address,
                       const struct page_walk *at, phys_addr_t table)
{
    memset(page_table_at(space, table), 0, PAGE_SIZE);
    store_entry(at->place, page_table_entry(table, address, PTE_TABLE_OWNED));
    if (at->level < PTE_LEVEL_MAX) {
        page_table_count_up(at->parent);
    }
}

static inline void write_page(const struct page_walk *at, uint64_t value)
{
    store_entry(at->place, value);
    page_table_count_up(at->parent);
}

// Writes the entry of a page, with tables from the list where they are missing.
static void install(const struct address_space *space, uint64_t address, enum page_size size,
                    uint64_t value, phys_addr_t *tables)
{
    struct page_walk at = page_walk(space, address, size);
    while (at.level > size) {
        link_table(space, address, &at, table_list_pop(space, tables));
        at = page_walk(space, address, size);
    }
    write_page(&at, value);
}

// Pages of one size, or of the largest that fits at each place.
struct mapping_request {
    virt_addr_t page;
    phys_addr_t frame;
    uint64_t size_bytes;
    uint64_t flags;
    enum page_size largest;
};

static enum page_size size_at(const struct mapping_request *request, uint64_t offset)
{
    uint64_t position = (request->page.value + offset) | (request->frame.value + offset);
    enum page_size size = request->largest;
    while (size > PAGE_4KIB && (!is_aligned(position, page_size_bytes(size)) ||
                                page_size_bytes(size) > request->size_bytes - offset)) {
        size--;
    }
    return size;
}

static uint64_t entry_of(const struct mapping_request *request, uint64_t offset,
                         enum page_size size)
{
    return (request->frame.value + offset) | request->flags | PTE_PRESENT |
           (size > PAGE_4KIB ? PTE_LARGE : 0);
}

// EEXIST if anything is in the way, EINVAL where the upper half is not prepared. A table is counted
// where its first page lies.
static enum error count_missing_tables(const struct address_space *space,
                                       const struct mapping_request *request, uint64_t *count_out)
{
    uint64_t count = 0;
    for (uint64_t offset = 0; offset < request->size_bytes;) {
        enum page_size size = size_at(request, offset);
        uint64_t address = request->page.value + offset;
        const struct page_walk found = page_walk(space, address, size);
        if (pte_is_present(found.entry)) {
            return EEXIST;
        }
        if (found.level == PTE_LEVEL_MAX && is_upper(address)) {
            return EINVAL;
        }
        for (unsigned level = size; level < found.level; level++) {
            count += offset == 0 || is_aligned(address, pte_size_bytes(level + 1));
        }
        offset += page_size_bytes(size);
    }
    *count_out = count;
    return OK;
}

static struct tlb_flush map(struct address_space *space, const struct mapping_request *request)
{
    uint64_t count;
    phys_addr_t tables;
    enum error error = count_missing_tables(space, request, &count);
    if (error != OK) {
        return flush_failed(error);
    }
    error = table_list_take(space, count, &tables);
    if (error != OK) {
        return flush_failed(error);
    }
    for (uint64_t offset = 0; offset < request->size_bytes;) {
        enum page_size size = size_at(request, offset);
        install(space, request->page.value + offset, size, entry_of(request, offset, size),
                &tables);
        offset += page_size_bytes(size);
    }
    return flush_stale(space, request->page, request->size_bytes / PAGE_SIZE);
}

static enum error check_range(const struct address_space *space,
                              const struct mapping_request *request)
{
    enum error error = page_check_range(space, request->page, request->size_bytes);
    if (error == OK) {
        error = check_frames(space, request->frame, request->size_bytes);
    }
    return error == OK ? page_check_flags(space, request->page, request->flags) : error;
}

static inline enum error check_one(const struct address_space *space, virt_addr_t page,
                                   phys_addr_t frame, enum page_size size, uint64_t flags)
{
    bool is_frame = is_aligned(frame.value, page_size_bytes(size)) &&
                    (frame.value & (space->reserved[size] | ~PTE_ADDRESS)) == 0;
    if (page_check_one(space, page, size) != OK || !is_frame) {
        return EINVAL;
    }
    if (size == PAGE_1GIB && !space->features.has_gib_pages) {
        return ENOTSUP;
    }
    return page_check_flags(space, page, flags);
}

[[gnu::noinline]] static struct tlb_flush map_one(struct address_space *space, virt_addr_t page,
                                                  phys_addr_t frame, enum page_size size,
                                                  uint64_t flags)
{
    const struct mapping_request request = {page, frame, page_size_bytes(size), flags, size};
    return map(space, &request);
}

// The usual case goes straight ahead: a small page in tables that are there.
struct tlb_flush page_map(struct address_space *space, virt_addr_t page, phys_addr_t frame,
                          enum page_size size, uint64_t flags)
{
    enum error error = check_one(space, page, frame, size, flags);
    if (error != OK) {
        return flush_failed(error);
    }
    if (size == PAGE_4KIB) {
        const struct page_walk at = page_walk(space, page.value, PAGE_4KIB);
        if (at.level == PAGE_4KIB && !pte_is_present(at.entry)) {
            write_page(&at, frame.value | flags | PTE_PRESENT);
            return flush_page(space, page);
        }
    }
    return map_one(space, page, frame, size, flags);
}

struct tlb_flush page_map_range(struct address_space *space, virt_addr_t page, phys_addr_t frame,
                                uint64_t size_bytes, uint64_t flags)
{
    enum page_size largest = space->features.has_gib_pages ? PAGE_1GIB : PAGE_2MIB;
    const struct mapping_request request = {page, frame, size_bytes, flags, largest};
    enum error error = check_range(space, &request);
    return error == OK ? map(space, &request) : flush_failed(error);
}
