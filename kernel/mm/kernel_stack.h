// SPDX-License-Identifier: MIT
//
// Stacks for whatever runs in the kernel beside the boot: STACK_SIZE bytes, with nothing mapped
// below them or above. An overflow is a page fault on a stack that has no room for it, and so a
// double fault that names the stack.
//
// In any context but NMI, #DF and #MC, with no lock held of a rank above LOCK_RANK_WINDOW.
#pragma once

#include <stdint.h>

#include "lib/error.h"

// A stack with any contents; *top_out, 16-byte aligned, is where RSP starts from. ENOMEM if there
// are no frames for it, ENOSPC if there are STACK_SLOT_COUNT stacks already.
enum error kernel_stack_alloc(uint64_t *top_out);

// Unmaps it: nobody may use it any more, the caller included. Panics for what is no such stack.
void kernel_stack_free(uint64_t top);
