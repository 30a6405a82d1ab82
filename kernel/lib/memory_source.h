// SPDX-License-Identifier: MIT
//
// Where containers that grow take their memory from; the heap stands above them and is one.
#pragma once

#include <stddef.h>

struct memory_source {
    // Makes a block of `old_bytes` at `old` (NULL and 0: there is none yet) one of `new_bytes`, for
    // any type, and returns where it is then: as much of the content as fits is kept. 0 frees what
    // there is, and returns NULL. NULL else: there is no memory, and the old block is as it was.
    void *(*resize)(void *context, void *old, size_t old_bytes, size_t new_bytes);
    void *context;
};
