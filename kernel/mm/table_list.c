// SPDX-License-Identifier: MIT
#include "mm/page_walk.h"

#include "lib/assert.h"

void table_list_push(const struct address_space *space, phys_addr_t *list, phys_addr_t table)
{
    store_entry(page_table_at(space, table), list->value);
    *list = table;
}

phys_addr_t table_list_pop(const struct address_space *space, phys_addr_t *list)
{
    phys_addr_t table = *list;
    assert(table.value != 0);
    list->value = page_table_at(space, table)->value;
    return table;
}

void table_list_free(const struct address_space *space, phys_addr_t *list)
{
    while (list->value != 0) {
        phys_addr_t table = table_list_pop(space, list);
        space->frames->free(space->frames->context, table);
    }
}

enum error table_list_take(const struct address_space *space, uint64_t count, phys_addr_t *list_out)
{
    phys_addr_t list = {0};
    for (; count > 0; count--) {
        phys_addr_t table;
        enum error error = space->frames->alloc(space->frames->context, &table);
        if (error != OK) {
            table_list_free(space, &list);
            return error;
        }
        table_list_push(space, &list, table);
    }
    *list_out = list;
    return OK;
}

struct tlb_flush flush_stale(struct address_space *space, virt_addr_t start, uint64_t page_count)
{
    assert(space->stale.page_count == 0);
    space->stale.start = start;
    space->stale.page_count = page_count;
    return (struct tlb_flush){space, TLB_FLUSH_STALE};
}

enum error tlb_flush_ignore(struct tlb_flush flush)
{
    if (flush.space == NULL) {
        return (enum error)flush.value;
    }
    if (flush.value == TLB_FLUSH_STALE) {
        flush.space->stale.page_count = 0;
        table_list_free(flush.space, &flush.space->stale.tables);
    }
    return OK;
}
