// SPDX-License-Identifier: MIT
//
// Memory of a window that grows from its start, together with its shadow for the address sanitizer
// (debug/kasan.h): a page of shadow is there as long as anything is that it speaks of. In builds
// without the sanitizer these are kernel_map_memory and kernel_unmap_memory.
#pragma once

#include "debug/kasan.h"
#include "mm/kernel_space.h"

#ifdef KASAN

// How many pages more `size_bytes` take that start a window.
#define KASAN_PAGE_COUNT(size_bytes_)                                                              \
    (ALIGN_UP(size_bytes_, PAGE_SIZE * KASAN_GRANULE) / (PAGE_SIZE * KASAN_GRANULE))

// Where there may be a shadow, for the list of windows.
#define KASAN_WINDOWS                                                                              \
    {KASAN_SHADOW(HEAP_VMA), HEAP_SIZE_MAX / KASAN_GRANULE},                                       \
        {KASAN_SHADOW(STACKS_VMA), STACKS_SIZE / KASAN_GRANULE},

// Maps `size_bytes` more, open, where there are `used_bytes` from `start` on. As kernel_map_memory:
// ENOMEM, and nothing has changed.
enum error kasan_map_memory(virt_addr_t start, uint64_t used_bytes, uint64_t size_bytes,
                            const void *site);

// Unmaps so much behind the `used_bytes` that stay.
void kasan_unmap_memory(virt_addr_t start, uint64_t used_bytes, uint64_t size_bytes);

#else

#define KASAN_PAGE_COUNT(size_bytes_) 0
#define KASAN_WINDOWS

static inline enum error kasan_map_memory(virt_addr_t start, uint64_t used_bytes,
                                          uint64_t size_bytes, const void *site)
{
    return kernel_map_memory((virt_addr_t){start.value + used_bytes}, size_bytes, site);
}

static inline void kasan_unmap_memory(virt_addr_t start, uint64_t used_bytes, uint64_t size_bytes)
{
    kernel_unmap_memory((virt_addr_t){start.value + used_bytes}, size_bytes);
}

#endif
