// SPDX-License-Identifier: MIT
#include "mm/heap/linked_list.h"
#include "mm/heap/global.h"

static struct list_allocator allocator;

struct allocator *global_allocator_init(void *start, size_t size_bytes)
{
    list_allocator_init(&allocator, start, size_bytes, FIRST_FIT);
    return &allocator.base;
}
