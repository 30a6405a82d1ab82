// SPDX-License-Identifier: MIT
//
// A spinlock that interrupt handlers may take too: it is held with interrupts off.
//
// Locks have ranks, and a CPU takes them in rising order only, so that no two CPUs can wait for
// each other. Taking one out of order, twice, or giving back one that is not held is a bug of ours
// and panics with both names.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/irq_state.h"
#include "sync/thread_safety.h"

// In the order in which they may be nested: a holder may only take a higher one.
enum lock_rank {
    LOCK_RANK_TEST, // locks of tests, below all others
    LOCK_RANK_TEST_INNER,
    LOCK_RANK_TEST_STATE, // a test's, that stands for one around the kernel's own data
    LOCK_RANK_HEAP,       // which grows under it
    LOCK_RANK_WINDOW,     // of a part of the kernel's address space, which is mapped under it
    LOCK_RANK_KERNEL_SPACE,
    LOCK_RANK_FRAME,   // whatever else is held, frames can be had
    LOCK_RANK_LOG,     // anybody may print with a lock held
    LOCK_RANK_HANDLER, // innermost: a handler of interrupts may take no other
};

struct CAPABILITY("spinlock") spinlock {
    const char *name;
    enum lock_rank rank;
    bool is_locked;    // atomic
    uint64_t taken_at; // what the last call that took it returned to; for reports
};

#define SPINLOCK(name_, rank_)                                                                     \
    {                                                                                              \
        .name = (name_), .rank = (rank_)                                                           \
    }

// Spins until the lock is free. In any context but NMI, #DF and #MC.
irq_state_t spinlock_lock(struct spinlock *lock) ACQUIRES(lock);

// Never spins; false if the lock is taken, with the interrupt state as it was.
bool spinlock_try_lock(struct spinlock *lock, irq_state_t *state_out) TRY_ACQUIRES(lock);

// Restores the interrupt state that spinlock_lock returned.
void spinlock_unlock(struct spinlock *lock, irq_state_t state) RELEASES(lock);

bool spinlock_is_locked(const struct spinlock *lock);

// The locks that this CPU holds, outermost first: NULL from the index of the first free place on.
// For reports; in any context.
const struct spinlock *spinlock_held(unsigned index);

unsigned spinlock_held_count(void);

// The lock that this CPU waits for, NULL if it does not. For reports; in any context.
const struct spinlock *spinlock_awaited(void);

// Frees all but the outermost `keep_count`, for a test runner that has abandoned their holder.
void spinlock_abandon(unsigned keep_count);

// Whether data may be left half-changed when the lock's holder is abandoned. Nothing lasts that the
// log's lock guards but the order of lines, and a handler's guards nothing.
bool spinlock_guards_state(const struct spinlock *lock);
