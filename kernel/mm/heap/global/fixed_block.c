// SPDX-License-Identifier: MIT
#include "mm/heap/fixed_block.h"
#include "mm/heap/global.h"

static struct fixed_block_allocator allocator;

struct allocator *global_allocator_init(void *start, size_t size_bytes)
{
    fixed_block_allocator_init(&allocator, start, size_bytes);
    return &allocator.base;
}
