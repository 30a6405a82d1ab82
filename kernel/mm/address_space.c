// SPDX-License-Identifier: MIT
//
// The kernel's address space heads a list of all that share its upper half: a new level-4 entry of
// that half has to be written into each of them (page_map.c does). That happens 256 times at
// most.
#include "mm/address_space.h"

#include "lib/assert.h"
#include "lib/string.h"

#define LOWER_HALF_ENTRIES (TABLE_ENTRY_COUNT / 2)

static pte_t *top_table(const struct address_space *space)
{
    return (pte_t *)(uintptr_t)(space->physical_offset + space->top.value);
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
        .kernel = space_out,
    };
    for (unsigned level = PAGE_4KIB; level <= PAGE_1GIB; level++) {
        space_out->reserved[level] = reserved_bits(features, level);
    }
    space_out->reserved[PTE_LEVEL_MAX] = PTE_LARGE; // no page can be that large
}

enum error address_space_create(struct address_space *kernel, struct address_space *space_out)
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
    kernel->next = space_out; // *space_out has the rest of the list
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
    assert(space->kernel != space);
    unmap_lower_half(space);
    struct address_space *before = space->kernel;
    while (before->next != space) {
        before = before->next;
    }
    before->next = space->next;
    space->frames->free(space->frames->context, space->top);
}
