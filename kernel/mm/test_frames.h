// SPDX-License-Identifier: MIT
//
// For tests: a small frame source that counts, and fails when it is told to. Its frames are memory
// of this program, in the kernel and on the host, and arrive full of garbage.
#pragma once

#include "mm/address_space.h"

#define TEST_FRAME_COUNT 160

extern const struct frame_source test_frames;

// Takes all frames back, and plans no failure.
void test_frames_reset(void);

// Does that, and makes a space that is its own kernel's, of a CPU that has everything and physical
// addresses of 40 bits. Its level-4 table is one frame.
void test_frames_make_space(struct address_space *space_out);

unsigned test_frames_used_count(void);

// The n-th allocation from now on fails, the others don't; 0: none.
void test_frames_fail_at(unsigned nth);

// Where they are seen: this plus the physical address. What that address is on the host is made up.
uint64_t test_frames_offset(void);

// The frame's memory, and the other way round. `index` is below TEST_FRAME_COUNT.
void *test_frame_memory(phys_addr_t frame);
phys_addr_t test_frame(unsigned index);
