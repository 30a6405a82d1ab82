// SPDX-License-Identifier: MIT
#include "task/semaphore.h"

#include "lib/assert.h"
#include "lib/container_of.h"
#include "sync/irq_state.h"

void semaphore_init(struct semaphore *semaphore, uint32_t permits)
{
    *semaphore = (struct semaphore){.permits = permits};
    wait_queue_init(&semaphore->waiters);
}

static bool try_acquire_locked(struct semaphore *semaphore) REQUIRES(interrupts_off)
{
    bool is_free = semaphore->permits > 0;
    semaphore->permits -= is_free;
    return is_free;
}

// Who is woken is not polled before interrupts are on again.
static void release_locked(struct semaphore *semaphore) REQUIRES(interrupts_off)
{
    struct waiter *waiter = wait_queue_wake_first(&semaphore->waiters);
    if (waiter != NULL) {
        container_of(waiter, struct semaphore_acquire, waiter)->is_granted = true;
    } else {
        assert(semaphore->permits < SEMAPHORE_PERMITS_MAX);
        semaphore->permits++;
    }
}

bool semaphore_try_acquire(struct semaphore *semaphore)
{
    irq_state_t state = irq_save();
    bool is_free = try_acquire_locked(semaphore);
    irq_restore(state);
    return is_free;
}

void semaphore_release(struct semaphore *semaphore)
{
    irq_state_t state = irq_save();
    release_locked(semaphore);
    irq_restore(state);
}

void semaphore_close(struct semaphore *semaphore)
{
    irq_state_t state = irq_save();
    semaphore->is_closed = true;
    wait_queue_wake_all(&semaphore->waiters);
    irq_restore(state);
}

bool semaphore_is_closed(const struct semaphore *semaphore)
{
    return __atomic_load_n(&semaphore->is_closed, __ATOMIC_RELAXED);
}

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct semaphore_acquire *acquire = container_of(future, struct semaphore_acquire, future);
    struct semaphore *semaphore = acquire->semaphore;
    enum poll poll = POLL_READY;
    irq_state_t state = irq_save();
    if (acquire->is_granted || try_acquire_locked(semaphore)) {
        acquire->result = OK;
    } else if (semaphore->is_closed) {
        acquire->result = EPIPE;
    } else {
        wait_queue_add(&semaphore->waiters, &acquire->waiter, context->waker);
        poll = POLL_PENDING;
    }
    irq_restore(state);
    return poll;
}

static void drop(struct future *future)
{
    struct semaphore_acquire *acquire = container_of(future, struct semaphore_acquire, future);
    irq_state_t state = irq_save();
    wait_queue_remove(&acquire->waiter);
    if (acquire->is_granted) {
        release_locked(acquire->semaphore);
    }
    irq_restore(state);
}

void semaphore_acquire_init(struct semaphore_acquire *acquire, struct semaphore *semaphore)
{
    *acquire = (struct semaphore_acquire){.semaphore = semaphore};
    future_init(&acquire->future, poll, drop);
}
