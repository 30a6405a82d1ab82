// SPDX-License-Identifier: MIT
#include "mm/address_space.h"

#include "lib/assert.h"
#include "lib/string.h"
#include "mm/page_walk.h"

#define LOWER_HALF_ENTRIES (TABLE_ENTRY_COUNT / 2)

static pte_t *top_table(const struct address_space *space)
{
    return page_table_at(space, space->top);
}

// Bits of the address that the CPU has not, or that lie within a large page.
static uint64_t reserved_bits(struct paging_features features, unsigned level)
{
    uint64_t beyond = PTE_ADDRESS & ~(BIT(features.physical_bits) - 1);
    uint64_t within = PTE_ADDRESS & (pte_size_bytes(level) - 1) & ~PTE_LARGE_PAT;
    return beyond | within;
}

void address_space_adopt(struct address_space *space_out, phys_addr_t top,
                         struct paging_features features, uint64_t physical_offset,
                         const struct frame_source *frames)
{
    *space_out = (struct address_space){
        .top = top,
        .physical_offset = physical_offset,
        .frames = frames,
        .features = features,
        .is_kernel = true,
    };
    for (unsigned level = PAGE_4KIB; level <= PAGE_1GIB; level++) {
        space_out->reserved[level] = reserved_bits(features, level);
    }
    space_out->reserved[PTE_LEVEL_MAX] = PTE_LARGE; // no page can be that large
}

enum error address_space_prepare(struct address_space *kernel, virt_addr_t start,
                                 uint64_t size_bytes)
{
    if (page_check_range(kernel, start, size_bytes) != OK || !is_upper(start.value)) {
        return EINVAL;
    }
    unsigned first = virt_addr_p4_index(start);
    unsigned last = virt_addr_p4_index((virt_addr_t){start.value + (size_bytes - 1)});
    pte_t *table = top_table(kernel);
    uint64_t missing_count = 0;
    for (unsigned i = first; i <= last; i++) {
        missing_count += !pte_is_present(table[i]);
    }
    phys_addr_t tables;
    enum error error = table_list_take(kernel, missing_count, &tables);
    for (unsigned i = first; error == OK && i <= last; i++) {
        if (!pte_is_present(table[i])) {
            phys_addr_t level3 = table_list_pop(kernel, &tables);
            memset(page_table_at(kernel, level3), 0, PAGE_SIZE);
            store_entry(&table[i], page_table_entry(level3, start.value, 0));
        }
    }
    return error;
}

enum error address_space_create(const struct address_space *kernel, struct address_space *space_out)
{
    phys_addr_t top;
    enum error error = kernel->frames->alloc(kernel->frames->context, &top);
    if (error != OK) {
        return error;
    }
    *space_out = *kernel;
    space_out->top = top;
    pte_t *table = top_table(space_out);
    memset(table, 0, LOWER_HALF_ENTRIES * sizeof(pte_t));
    memcpy(table + LOWER_HALF_ENTRIES, top_table(kernel) + LOWER_HALF_ENTRIES,
           LOWER_HALF_ENTRIES * sizeof(pte_t));
    space_out->is_kernel = false;
    return OK;
}

static void unmap_lower_half(struct address_space *space)
{
    virt_addr_t page = {0};
    struct page_mapping mapping;
    enum error error;
    while ((error = page_find(space, &page, &mapping)) == OK &&
           page.value < BIT(VIRT_ADDR_BITS - 1)) {
        error = tlb_flush_ignore(page_unmap(space, page, mapping.size, NULL));
        assert(error == OK);
    }
    assert(error == OK || error == ENOENT);
}

void address_space_destroy(struct address_space *space)
{
    assert(!space->is_kernel);
    unmap_lower_half(space);
    space->frames->free(space->frames->context, space->top);
}
