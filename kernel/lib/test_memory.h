// SPDX-License-Identifier: MIT
//
// For tests: a memory source in a fixed piece of memory. It moves a block at each resize,
// overwrites the old one, and panics when it is given a block that it has not handed out, or that
// was written beyond its end.
#pragma once

#include "lib/memory_source.h"

#define TEST_MEMORY_BYTES (128 << 10)

struct test_memory {
    struct memory_source source;
    size_t calls;   // for memory, not to free
    size_t fail_at; // the call that finds no memory, from 1; 0: none
    size_t block_count;
    size_t used_bytes; // used again when there is no block
    _Alignas(16) unsigned char bytes[TEST_MEMORY_BYTES];
};

// Empty, and may be used at once; all blocks before are forgotten.
void test_memory_init(struct test_memory *memory);
