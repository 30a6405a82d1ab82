// SPDX-License-Identifier: MIT
#include "mm/heap/buddy.h"
#include "mm/heap/global.h"
#include "mm/heap/slab_allocator.h"

static struct buddy_allocator pages;
static struct slab_allocator allocator;

struct allocator *global_allocator_init(void *start, size_t size_bytes)
{
    buddy_allocator_init(&pages, start, size_bytes);
    slab_allocator_init(&allocator, &pages.base);
    return &allocator.base;
}
