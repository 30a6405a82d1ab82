// SPDX-License-Identifier: MIT
//
// The memory of the kernel's heap: one range that begins at HEAP_VMA, grows at its end by whole
// pages, and shrinks again.
//
// In any context but NMI, #DF and #MC, with no lock held of a rank above LOCK_RANK_WINDOW. To grow
// by much takes long, with interrupts off: callers ask for little at a time.
#pragma once

#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"

// `size_bytes` more, a multiple of PAGE_SIZE, with any contents: *start_out is their first. EINVAL
// if it is none; ENOMEM without frames for them, or where the window ends: nothing has changed
// then.
enum error heap_window_grow(uint64_t size_bytes, virt_addr_t *start_out);

// Gives back as much at the end. Panics if it is no multiple of PAGE_SIZE, or more than there is.
void heap_window_shrink(uint64_t size_bytes);

// The first address behind it.
virt_addr_t heap_window_end(void);
