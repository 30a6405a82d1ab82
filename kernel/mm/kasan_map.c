// SPDX-License-Identifier: MIT
#include "mm/kasan_map.h"

#include "lib/kasan.h"

// The shadow of [start, start + used_bytes): whole pages.
static virt_addr_t shadow_of(virt_addr_t start)
{
    return (virt_addr_t){(uint64_t)kasan_shadow(start.value)};
}

static uint64_t shadow_bytes(uint64_t used_bytes)
{
    return ALIGN_UP(used_bytes, PAGE_SIZE * KASAN_GRANULE) / KASAN_GRANULE;
}

static void unmap_shadow(virt_addr_t start, uint64_t used_bytes, uint64_t size_bytes)
{
    uint64_t kept = shadow_bytes(used_bytes);
    kernel_unmap_memory((virt_addr_t){shadow_of(start).value + kept},
                        shadow_bytes(used_bytes + size_bytes) - kept);
}

static void note_size(virt_addr_t start, uint64_t used_bytes)
{
    if (start.value == HEAP_VMA) {
        kasan_heap_bytes = used_bytes;
    }
}

enum error kasan_map_memory(virt_addr_t start, uint64_t used_bytes, uint64_t size_bytes,
                            const void *site)
{
    virt_addr_t memory = {start.value + used_bytes};
    uint64_t mapped = shadow_bytes(used_bytes);
    enum error error = kernel_map_memory((virt_addr_t){shadow_of(start).value + mapped},
                                         shadow_bytes(used_bytes + size_bytes) - mapped, site);
    if (error != OK) {
        return error;
    }
    error = kernel_map_memory(memory, size_bytes, site);
    if (error != OK) {
        unmap_shadow(start, used_bytes, size_bytes);
        return error;
    }
    note_size(start, used_bytes + size_bytes);
    kasan_unpoison((const void *)memory.value, size_bytes);
    return OK;
}

void kasan_unmap_memory(virt_addr_t start, uint64_t used_bytes, uint64_t size_bytes)
{
    note_size(start, used_bytes);
    kernel_unmap_memory((virt_addr_t){start.value + used_bytes}, size_bytes);
    unmap_shadow(start, used_bytes, size_bytes);
}
