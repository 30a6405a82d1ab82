// SPDX-License-Identifier: MIT
#include "mm/heap_window.h"

#include "arch/x86_64/layout.h"
#include "lib/panic.h"
#include "mm/kasan_map.h"
#include "sync/spinlock.h"

static struct spinlock lock = SPINLOCK("heap window", LOCK_RANK_WINDOW);
static uint64_t used_bytes GUARDED_BY(lock);

enum error heap_window_grow(uint64_t size_bytes, virt_addr_t *start_out)
{
    if (size_bytes == 0 || !is_aligned(size_bytes, PAGE_SIZE)) {
        return EINVAL;
    }
    irq_state_t state = spinlock_lock(&lock);
    virt_addr_t start = {HEAP_VMA + used_bytes};
    enum error error = ENOMEM;
    if (size_bytes <= HEAP_SIZE_MAX - used_bytes) {
        error = kasan_map_memory((virt_addr_t){HEAP_VMA}, used_bytes, size_bytes,
                                 __builtin_return_address(0));
    }
    if (error == OK) {
        used_bytes += size_bytes;
        *start_out = start;
    }
    spinlock_unlock(&lock, state);
    return error;
}

void heap_window_shrink(uint64_t size_bytes)
{
    irq_state_t state = spinlock_lock(&lock);
    bool is_possible = is_aligned(size_bytes, PAGE_SIZE) && size_bytes <= used_bytes;
    if (is_possible) {
        used_bytes -= size_bytes;
        kasan_unmap_memory((virt_addr_t){HEAP_VMA}, used_bytes, size_bytes);
    }
    spinlock_unlock(&lock, state);
    if (!is_possible) {
        panic("the heap window can't shrink by %#lx bytes", size_bytes);
    }
}

// The answer may be old by the time it is used: a lock would not help.
virt_addr_t heap_window_end(void) NO_THREAD_SAFETY_ANALYSIS
{
    return (virt_addr_t){HEAP_VMA + used_bytes};
}
