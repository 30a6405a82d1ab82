// SPDX-License-Identifier: MIT
#include "task/mutex.h"

#include "lib/assert.h"
#include "lib/container_of.h"

void mutex_init(struct mutex *mutex)
{
    semaphore_init(&mutex->semaphore, 1);
    mutex->owner = NULL;
}

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct mutex_lock *lock = container_of(future, struct mutex_lock, future);
    assert(lock->mutex->owner != lock);
    if (future_poll(&lock->acquire.future, context) == POLL_PENDING) {
        return POLL_PENDING;
    }
    lock->mutex->owner = lock;
    return POLL_READY;
}

static void drop(struct future *future)
{
    future_drop(&container_of(future, struct mutex_lock, future)->acquire.future);
}

void mutex_lock_init(struct mutex_lock *lock, struct mutex *mutex)
{
    *lock = (struct mutex_lock){.mutex = mutex};
    semaphore_acquire_init(&lock->acquire, &mutex->semaphore);
    future_init(&lock->future, poll, drop);
}

bool mutex_try_lock(struct mutex_lock *lock)
{
    bool is_free = semaphore_try_acquire(&lock->mutex->semaphore);
    if (is_free) {
        lock->mutex->owner = lock;
    }
    return is_free;
}

void mutex_unlock(struct mutex_lock *lock)
{
    assert(lock->mutex->owner == lock);
    lock->mutex->owner = NULL;
    semaphore_release(&lock->mutex->semaphore);
}
