// SPDX-License-Identifier: MIT
#include "mm/heap/bump.h"
#include "mm/heap/global.h"

static struct bump_allocator allocator;

struct allocator *global_allocator_init(void *start, size_t size_bytes)
{
    bump_allocator_init(&allocator, start, size_bytes, BUMP_LAST_AT_ONCE);
    return &allocator.base;
}
