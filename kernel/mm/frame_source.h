// SPDX-License-Identifier: MIT
//
// Where page tables come from: somebody who has frames to give. The frame allocator is one; tests
// bring their own, small and failing on request.
#pragma once

#include "lib/addr.h"
#include "lib/error.h"

struct frame_source {
    // One frame, with any contents. ENOMEM if there is none left.
    enum error (*alloc)(void *context, phys_addr_t *frame_out);
    // Takes back a frame that `alloc` gave.
    void (*free)(void *context, phys_addr_t frame);
    void *context;
};

// Never has any: for mappings that have to get along with the tables there are.
extern const struct frame_source frame_source_empty;
