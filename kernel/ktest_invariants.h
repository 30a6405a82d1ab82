// SPDX-License-Identifier: MIT
//
// What every test of this kernel has to leave as it found it.
#pragma once

#include "lib/format.h"
#include "port.h"

extern const struct ktest_invariant *const kernel_invariants[];

// Appends what was taken since frame_mark() returned `mark`, by the place in the code that took it:
// "3 times frame 0x1000 (order 0), taken in f at 0xffffffff80101234", the lowest, and so on.
void append_frames_since(struct text_buffer *text, uint32_t mark);

// The same for blocks of the heap, since heap_mark() returned `mark`.
void append_blocks_since(struct text_buffer *text, uint64_t mark);
