// SPDX-License-Identifier: MIT
#include "mm/tlb.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"

static tlb_shootdown_t *shoot_down;

void tlb_set_shootdown(tlb_shootdown_t *shootdown)
{
    shoot_down = shootdown;
}

static void flush_here(const struct tlb_flush *flush)
{
    if (flush->page_count > TLB_FLUSH_PAGES_MAX) {
        paging_flush_all();
        return;
    }
    for (uint64_t i = 0; i < flush->page_count; i++) {
        cpu_invalidate_page(flush->start.value + i * PAGE_SIZE);
    }
}

enum error tlb_flush_now(struct tlb_flush flush)
{
    flush_here(&flush);
    if (shoot_down != NULL && flush.page_count != 0) {
        shoot_down(flush.space, flush.start, flush.page_count);
    }
    return tlb_flush_ignore(flush); // frees the tables
}

void tlb_load(const struct address_space *space)
{
    paging_root_write((struct paging_root){space->top, 0});
}
