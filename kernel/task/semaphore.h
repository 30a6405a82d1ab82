// SPDX-License-Identifier: MIT
//
// Permits that tasks acquire one at a time, and wait for in the order in which they came. One that
// is released while tasks wait belongs to the first of them from that moment on: nobody can come in
// between, and if that task is cancelled before it is polled, the permit goes on to the next.
//
//     struct worker { struct coroutine coroutine; struct semaphore_acquire acquire; };
//
//     semaphore_acquire_init(&self->acquire, &semaphore);
//     AWAIT(self, &self->acquire.future);
//     ...
//     semaphore_release(&semaphore);
//
// Invariant: no permit is free while somebody waits.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "sync/irq_state.h"
#include "task/future.h"
#include "task/wait_queue.h"

#define SEMAPHORE_PERMITS_MAX UINT32_MAX

struct semaphore {
    uint32_t permits GUARDED_BY(interrupts_off); // that are free
    bool is_closed GUARDED_BY(interrupts_off);
    struct wait_queue waiters;
};

void semaphore_init(struct semaphore *semaphore, uint32_t permits);

// These are for any context but NMI, #DF and #MC.

// False if none is free.
bool semaphore_try_acquire(struct semaphore *semaphore);

// One permit more, be it acquired before or new. At most SEMAPHORE_PERMITS_MAX can be free.
void semaphore_release(struct semaphore *semaphore);

// Nobody waits from here on, and those who did get EPIPE; permits that are free can be acquired as
// before. It may be closed again.
void semaphore_close(struct semaphore *semaphore);
bool semaphore_is_closed(const struct semaphore *semaphore);

// A future that is ready when it has a permit, or there is none in a semaphore that is closed.
struct semaphore_acquire {
    struct future future;
    struct semaphore *semaphore;
    enum error result; // OK: has a permit; EPIPE: closed

    // Changed with interrupts off:
    struct waiter waiter;
    bool is_granted; // the permit is its own, and it has been woken to take it
};

void semaphore_acquire_init(struct semaphore_acquire *acquire, struct semaphore *semaphore);
