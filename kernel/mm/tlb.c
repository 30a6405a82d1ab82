// SPDX-License-Identifier: MIT
#include "mm/tlb.h"

#include "arch/x86_64/paging.h"

tlb_shootdown_t *tlb_shootdown;

static void flush_here(const struct tlb_stale *stale)
{
    if (stale->page_count > TLB_FLUSH_PAGES_MAX) {
        paging_flush_all();
        return;
    }
    for (uint64_t i = 0; i < stale->page_count; i++) {
        cpu_invalidate_page(stale->start.value + i * PAGE_SIZE);
    }
}

enum error tlb_flush_slowly(struct tlb_flush flush)
{
    if (flush.space == NULL) {
        return (enum error)flush.value;
    }
    struct tlb_stale stale = {.start = {flush.value}, .page_count = 1};
    if (flush.value == TLB_FLUSH_STALE) {
        stale = flush.space->stale;
    }
    flush_here(&stale);
    if (tlb_shootdown != NULL) {
        tlb_shootdown(flush.space, stale.start, stale.page_count);
    }
    return tlb_flush_ignore(flush); // frees the tables
}

void tlb_load(const struct address_space *space)
{
    paging_root_write((struct paging_root){space->top, 0});
}
