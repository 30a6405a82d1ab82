// SPDX-License-Identifier: MIT
#include "mm/kernel_space.h"

#include "arch/x86_64/layout.h"
#include "debug/log.h"
#include "lib/assert.h"
#include "lib/panic.h"
#include "mm/address_space.h"
#include "mm/frame.h"
#include "mm/kasan_map.h"
#include "mm/tlb.h"
#include "sync/spinlock.h"

#define MEMORY_FLAGS (PTE_WRITABLE | PTE_NO_EXECUTE)

static struct spinlock lock = SPINLOCK("kernel address space", LOCK_RANK_KERNEL_SPACE);
struct address_space kernel_space;
static struct address_space *const space GUARDED_BY(lock) = &kernel_space;
static uint64_t page_count GUARDED_BY(lock);

static enum error prepare_windows(void)
{
    static const struct {
        uint64_t start;
        uint64_t size_bytes;
    } windows[] = {
        {HEAP_VMA, HEAP_SIZE_MAX},
        {STACKS_VMA, STACKS_SIZE},
        {MMIO_VMA, MMIO_SIZE},
        KASAN_WINDOWS // if there are any
    };
    enum error error = OK;
    for (unsigned i = 0; error == OK && i < ARRAY_SIZE(windows); i++) {
        virt_addr_t start = {windows[i].start};
        error = address_space_prepare(&kernel_space, start, windows[i].size_bytes);
    }
    return error;
}

enum error kernel_space_init(const struct frame_source *frames)
{
    if (kernel_space.top.value != 0) {
        panic("the kernel's address space is taken over already");
    }
    address_space_adopt(&kernel_space, paging_root_read().table, paging_features_read(),
                        DIRECT_MAP_VMA, frames);
    return prepare_windows();
}

enum error kernel_map(virt_addr_t page, phys_addr_t frame, uint64_t size_bytes, uint64_t flags)
{
    irq_state_t state = spinlock_lock(&lock);
    enum error error = tlb_flush_now(page_map_range(space, page, frame, size_bytes, flags));
    page_count += error == OK ? size_bytes / PAGE_SIZE : 0;
    spinlock_unlock(&lock, state);
    return error;
}

enum error kernel_unmap(virt_addr_t page, uint64_t size_bytes)
{
    irq_state_t state = spinlock_lock(&lock);
    enum error error = tlb_flush_now(page_unmap_range(space, page, size_bytes));
    page_count -= error == OK ? size_bytes / PAGE_SIZE : 0;
    spinlock_unlock(&lock, state);
    return error;
}

enum error kernel_translate(virt_addr_t address, struct page_mapping *mapping_out)
{
    irq_state_t state = spinlock_lock(&lock);
    enum error error = page_translate(space, address, mapping_out);
    spinlock_unlock(&lock, state);
    return error;
}

enum error kernel_find_page(virt_addr_t *address, struct page_mapping *mapping_out)
{
    irq_state_t state = spinlock_lock(&lock);
    enum error error = page_find(space, address, mapping_out);
    spinlock_unlock(&lock, state);
    return error;
}

static enum error map_new_frame(virt_addr_t page, const void *site)
{
    phys_addr_t frame;
    enum error error = frame_alloc_for(site, &frame);
    if (error != OK) {
        return error;
    }
    error = kernel_map(page, frame, PAGE_SIZE, MEMORY_FLAGS);
    if (error != OK) {
        frame_free(frame);
    }
    return error;
}

enum error kernel_map_memory(virt_addr_t page, uint64_t size_bytes, const void *site)
{
    for (uint64_t offset = 0; offset < size_bytes; offset += PAGE_SIZE) {
        enum error error = map_new_frame((virt_addr_t){page.value + offset}, site);
        if (error != OK) {
            kernel_unmap_memory(page, offset);
            return error;
        }
    }
    return OK;
}

void kernel_unmap_memory(virt_addr_t page, uint64_t size_bytes)
{
    for (uint64_t offset = 0; offset < size_bytes; offset += PAGE_SIZE) {
        virt_addr_t address = {page.value + offset};
        struct page_mapping mapping;
        enum error error = kernel_translate(address, &mapping);
        if (error == OK) {
            error = kernel_unmap(address, PAGE_SIZE);
        }
        if (error != OK) {
            panic("kernel memory at %#lx can't be unmapped: %s", address.value, error_name(error));
        }
        frame_free(mapping.frame);
    }
}

// For test runners, which are alone.
uint64_t kernel_space_page_count(void) NO_THREAD_SAFETY_ANALYSIS
{
    return page_count;
}

void kernel_space_dump(void)
{
    irq_state_t state = spinlock_lock(&lock);
    page_table_dump(space, &log_text_writer);
    spinlock_unlock(&lock, state);
}

void kernel_walk_dump(virt_addr_t address)
{
    irq_state_t state = spinlock_lock(&lock);
    page_walk_dump(space, address, &log_text_writer);
    spinlock_unlock(&lock, state);
}
