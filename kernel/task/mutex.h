// SPDX-License-Identifier: MIT
//
// For what a task must have to itself across an await; for less, nothing is needed on one CPU, as
// tasks are not interrupted by each other. Fair, as the semaphore that it is made of.
//
//     struct writer { struct coroutine coroutine; struct mutex_lock lock; };
//
//     mutex_lock_init(&self->lock, &mutex);
//     AWAIT(self, &self->lock.future);
//     ...
//     mutex_unlock(&self->lock);
//
// A task that may be cancelled in between leaves the mutex locked, unless a clean-up unlocks it:
//
//     static void unlock(void *lock)
//     {
//         mutex_unlock(lock);
//     }
//
//     AWAIT(self, &self->lock.future);
//     coroutine_defer(&self->coroutine, &self->cleanup, unlock, &self->lock);
//
// Not for interrupt handlers.
#pragma once

#include <stdbool.h>

#include "task/semaphore.h"

struct mutex_lock;

struct mutex {
    struct semaphore semaphore; // of one permit
    struct mutex_lock *owner; // NULL: not locked, or granted to one that has not been polled since
};

void mutex_init(struct mutex *mutex);

// A future that is ready when the mutex is locked. From then on this is its owner, and stays where
// it is until it unlocks.
struct mutex_lock {
    struct future future;
    struct mutex *mutex;
    struct semaphore_acquire acquire;
};

void mutex_lock_init(struct mutex_lock *lock, struct mutex *mutex);

// Instead of waiting: initialised, and never polled. False if it is locked, or others wait for it.
bool mutex_try_lock(struct mutex_lock *lock);

// The mutex is for the next who waits. Panics if `lock` is not the owner.
void mutex_unlock(struct mutex_lock *lock);
