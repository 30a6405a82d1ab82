// SPDX-License-Identifier: MIT
//
// Return addresses along the chain of frame pointers (the kernel is built with them). Reads only
// memory of known stacks, so it can be called with any register values, in any context.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/format.h"

#define BACKTRACE_MAX 32

// Writes up to `max` addresses, beginning with `rip`, the outermost last; returns how many.
size_t backtrace_walk(uint64_t rip, uint64_t rbp, uint64_t *addresses_out, size_t max);

// One line an address: "  #0 0xffffffff80101234 frame_free+0x2c".
void backtrace_write(const struct writer *writer, uint64_t rip, uint64_t rbp);
