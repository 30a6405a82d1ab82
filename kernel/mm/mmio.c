// SPDX-License-Identifier: MIT
//
// The page tables are the record of what is in use: there are few devices, and none of them is
// mapped often.
#include "mm/mmio.h"

#include "arch/x86_64/layout.h"
#include "lib/panic.h"
#include "mm/frame.h"
#include "mm/kernel_space.h"
#include "sync/spinlock.h"

#define FLAGS (PTE_WRITABLE | PTE_NO_EXECUTE | PTE_UNCACHED)
#define WINDOW_END (MMIO_VMA + MMIO_SIZE)

static struct spinlock lock = SPINLOCK("device registers", LOCK_RANK_WINDOW);

// Whole pages.
struct extent {
    uint64_t start;
    uint64_t size_bytes;
};

static struct extent pages_around(uint64_t start, uint64_t size_bytes)
{
    uint64_t first = align_down(start, PAGE_SIZE);
    return (struct extent){first, ALIGN_UP(start + size_bytes, PAGE_SIZE) - first};
}

static bool overlaps_memory(uint64_t start, uint64_t end)
{
    const struct memory_map *map = frame_memory_map();
    for (size_t i = 0; i < map->area_count; i++) {
        const struct memory_region *area = &map->areas[i];
        if (area->type != MEMORY_RESERVED && start < area->range.end.value &&
            end > area->range.start.value) {
            return true;
        }
    }
    return false;
}

// The largest page that a range of this size has room for.
static uint64_t alignment_for(uint64_t size_bytes)
{
    for (enum page_size size = PAGE_1GIB; size > PAGE_4KIB; size--) {
        if (size_bytes >= page_size_bytes(size)) {
            return page_size_bytes(size);
        }
    }
    return PAGE_SIZE;
}

// The first place with so many bytes and a page behind them, where `start` can be mapped by large
// pages.
static enum error find_room_locked(phys_addr_t start, uint64_t size_bytes, virt_addr_t *room_out)
    REQUIRES(lock)
{
    uint64_t alignment = alignment_for(size_bytes);
    uint64_t looked_to = MMIO_VMA; // the page before the room may be mapped, too
    for (uint64_t at = MMIO_VMA;;) {
        uint64_t room = at + ((start.value - at) & (alignment - 1));
        if (room >= WINDOW_END || size_bytes >= WINDOW_END - room) {
            return ENOSPC;
        }
        virt_addr_t next = {looked_to};
        struct page_mapping mapping;
        if (kernel_find_page(&next, &mapping) != OK || next.value > room + size_bytes) {
            room_out->value = room;
            return OK;
        }
        looked_to = next.value + page_size_bytes(mapping.size);
        at = looked_to + PAGE_SIZE;
    }
}

static enum error map_locked(phys_addr_t start, uint64_t size_bytes, virt_addr_t *page_out)
    REQUIRES(lock)
{
    enum error error = find_room_locked(start, size_bytes, page_out);
    return error == OK ? kernel_map(*page_out, start, size_bytes, FLAGS) : error;
}

enum error mmio_map(phys_addr_t start, uint64_t size_bytes, volatile void **registers_out)
{
    if (size_bytes == 0 || size_bytes > PHYS_ADDR_LIMIT - start.value) {
        return EINVAL;
    }
    struct extent pages = pages_around(start.value, size_bytes);
    if (overlaps_memory(pages.start, pages.start + pages.size_bytes)) {
        return EINVAL;
    }
    virt_addr_t page;
    irq_state_t state = spinlock_lock(&lock);
    enum error error = map_locked((phys_addr_t){pages.start}, pages.size_bytes, &page);
    spinlock_unlock(&lock, state);
    if (error == OK) {
        *registers_out = (volatile void *)(page.value + start.value % PAGE_SIZE);
    }
    return error;
}

static bool is_mapped(uint64_t address)
{
    struct page_mapping mapping;
    return kernel_translate((virt_addr_t){address}, &mapping) == OK;
}

void mmio_unmap(volatile void *registers, uint64_t size_bytes)
{
    struct extent pages = pages_around((uint64_t)registers, size_bytes);
    uint64_t end = pages.start + pages.size_bytes;
    bool is_whole = pages.start >= MMIO_VMA && end < WINDOW_END &&
                    (pages.start == MMIO_VMA || !is_mapped(pages.start - 1)) && !is_mapped(end);
    if (!is_whole || kernel_unmap((virt_addr_t){pages.start}, pages.size_bytes) != OK) {
        panic("no device registers are mapped at %p, of %#lx bytes", registers, size_bytes);
    }
}
