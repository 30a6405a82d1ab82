// SPDX-License-Identifier: MIT
#include "mm/frame_source.h"

static enum error alloc_none(void *context, phys_addr_t *frame_out)
{
    (void)context;
    (void)frame_out;
    return ENOMEM;
}

static void free_none(void *context, phys_addr_t frame)
{
    (void)context;
    panic("the empty frame source is given %#lx, which is not its own", frame.value);
}

const struct frame_source frame_source_empty = {.alloc = alloc_none, .free = free_none};
