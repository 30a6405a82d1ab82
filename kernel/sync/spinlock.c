// SPDX-License-Identifier: MIT
//
// Test-and-set with a read-only wait, and the list of what this CPU holds. There is one CPU as yet.
// The functions that take and give back are what the thread safety analysis believes, and does not
// look into.
#include "sync/spinlock.h"

#include <stddef.h>

#include "lib/panic.h"

#define HELD_MAX 8

// Touched with interrupts off only, by this CPU.
static struct spinlock *held[HELD_MAX];
static unsigned held_count;
static const struct spinlock *awaited;

static void check_order(const struct spinlock *lock)
{
    for (unsigned i = 0; i < held_count; i++) {
        if (held[i] == lock) {
            panic("lock %s is taken twice by the same CPU", lock->name);
        }
        if (held[i]->rank >= lock->rank) { // not the last one only: try_lock takes any rank
            panic("lock %s (rank %d) is taken inside of %s (rank %d)", lock->name, lock->rank,
                  held[i]->name, held[i]->rank);
        }
    }
    if (held_count == HELD_MAX) {
        panic("lock %s: more than %d locks held", lock->name, HELD_MAX);
    }
}

static bool try_take(struct spinlock *lock)
{
    return !__atomic_exchange_n(&lock->is_locked, true, __ATOMIC_ACQUIRE);
}

static void wait_for(const struct spinlock *lock)
{
    awaited = lock;
    while (spinlock_is_locked(lock)) {
        cpu_relax();
    }
    awaited = NULL;
}

static void note_holder(struct spinlock *lock, const void *taken_at)
{
    lock->taken_at = (uint64_t)taken_at;
    held[held_count++] = lock;
}

irq_state_t spinlock_lock(struct spinlock *lock) NO_THREAD_SAFETY_ANALYSIS
{
    irq_state_t state = irq_save();
    check_order(lock);
    while (!try_take(lock)) {
        wait_for(lock);
    }
    note_holder(lock, __builtin_return_address(0));
    return state;
}

bool spinlock_try_lock(struct spinlock *lock, irq_state_t *state_out) NO_THREAD_SAFETY_ANALYSIS
{
    irq_state_t state = irq_save();
    if (held_count == HELD_MAX) { // before it is taken: nobody would know of it
        panic("lock %s: more than %d locks held", lock->name, HELD_MAX);
    }
    if (!try_take(lock)) {
        irq_restore(state);
        return false;
    }
    note_holder(lock, __builtin_return_address(0));
    *state_out = state;
    return true;
}

void spinlock_unlock(struct spinlock *lock, irq_state_t state) NO_THREAD_SAFETY_ANALYSIS
{
    if (held_count == 0 || held[held_count - 1] != lock) {
        panic("lock %s is given back, but %s is the last one taken", lock->name,
              held_count == 0 ? "none" : held[held_count - 1]->name);
    }
    held[--held_count] = NULL;
    __atomic_store_n(&lock->is_locked, false, __ATOMIC_RELEASE);
    irq_restore(state);
}

bool spinlock_is_locked(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->is_locked, __ATOMIC_RELAXED);
}

const struct spinlock *spinlock_held(unsigned index)
{
    return index < held_count ? held[index] : NULL;
}

unsigned spinlock_held_count(void)
{
    return held_count;
}

const struct spinlock *spinlock_awaited(void)
{
    return awaited;
}

bool spinlock_guards_state(const struct spinlock *lock)
{
    return lock->rank != LOCK_RANK_TEST && lock->rank != LOCK_RANK_TEST_INNER &&
           lock->rank != LOCK_RANK_LOG && lock->rank != LOCK_RANK_HANDLER;
}

void spinlock_abandon(unsigned keep_count)
{
    awaited = NULL; // whoever waited is abandoned as well
    while (held_count > keep_count) {
        struct spinlock *lock = held[--held_count];
        held[held_count] = NULL;
        __atomic_store_n(&lock->is_locked, false, __ATOMIC_RELEASE);
    }
}
