// SPDX-License-Identifier: MIT
//
// Where page tables and the like get their frames from: the kernel's allocator (mm/frame.h), or a
// test's.
#pragma once

#include "lib/addr.h"
#include "lib/error.h"

struct frame_source {
    enum error (*alloc)(void *context, phys_addr_t *frame_out);
    void (*free)(void *context, phys_addr_t frame);
    void *context;
};
