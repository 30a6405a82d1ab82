// SPDX-License-Identifier: MIT
//
// The kernel's own address space: everything that is mapped after the boot goes through it.
#pragma once

#include "mm/page_table.h"

// The one that the boot code has made: direct map and kernel image in the upper half, nothing in
// the lower one.
extern struct address_space kernel_space;

// Takes it over, as CR3 has it. Once: it panics when it is called again, for two owners of the same
// tables would undo each other's work. `frames` are for new tables.
void kernel_space_init(const struct frame_source *frames);
