// SPDX-License-Identifier: MIT
#include "mm/heap/buddy.h"
#include "mm/heap/global.h"

static struct buddy_allocator allocator;

struct allocator *global_allocator_init(void *start, size_t size_bytes)
{
    buddy_allocator_init(&allocator, start, size_bytes);
    return &allocator.base;
}
