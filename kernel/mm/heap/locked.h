// SPDX-License-Identifier: MIT
//
// A decorator that takes a spinlock around each call of any allocator: the one that several CPUs
// and threads may share.
//
// In any context but NMI, #DF and #MC, with no lock held of a rank above LOCK_RANK_HEAP: so not by
// a handler of interrupts, which panics.
#pragma once

#include "mm/heap/allocator.h"
#include "sync/spinlock.h"

struct locked_allocator {
    struct allocator base;
    struct allocator *inner; // guarded by lock
    struct spinlock lock;
};

// The name is the lock's, for reports.
void locked_allocator_init(struct locked_allocator *locked_out, struct allocator *inner,
                           const char *name);
