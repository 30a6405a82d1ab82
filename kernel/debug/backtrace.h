// SPDX-License-Identifier: MIT
//
// Return addresses along the chain of frame pointers (the kernel is built with them). Reads only
// memory of known stacks and the kernel's code, so any register values will do, in any context.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/trap.h"
#include "lib/format.h"

#define BACKTRACE_MAX 32

// Writes up to `max` addresses, beginning with the frame's RIP, the outermost last; returns how
// many. Of the frame, RIP, RSP and RBP count.
size_t backtrace_walk(const struct trap_frame *frame, uint64_t *addresses_out, size_t max);

// One line an address: "  #0 0xffffffff80101234 frame_free+0x2c".
void backtrace_write(const struct writer *writer, const struct trap_frame *frame);
