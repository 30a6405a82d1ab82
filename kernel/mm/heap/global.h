// SPDX-License-Identifier: MIT
//
// The design of the kernel's heap: one of global/*.c, by the build option `heap`.
#pragma once

#include "mm/heap/allocator.h"

// Once.
struct allocator *global_allocator_init(void *start, size_t size_bytes);
