// SPDX-License-Identifier: MIT
//
// A decorator that counts what any allocator is asked for: calls, failures, and how many bytes its
// blocks have been asked to have, now and at most. Only so internal fragmentation is known.
//
// What was asked for stands in the last 8 bytes of each block.
#pragma once

#include "mm/heap/allocator.h"

struct counting_allocator {
    struct allocator base;
    struct allocator *inner;
    size_t requested_bytes;
    size_t highest_requested_bytes;
    uint64_t allocation_count;
    uint64_t failure_count;
};

void counting_allocator_init(struct counting_allocator *counting_out, struct allocator *inner);
