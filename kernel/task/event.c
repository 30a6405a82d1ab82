// SPDX-License-Identifier: MIT
#include "task/event.h"

#include "lib/container_of.h"
#include "sync/irq_state.h"

void event_init(struct event *event)
{
    *event = (struct event){};
    wait_queue_init(&event->waiters);
}

void event_set(struct event *event)
{
    irq_state_t state = irq_save();
    struct waiter *waiter;
    event->is_set = true;
    while ((waiter = wait_queue_wake_first(&event->waiters)) != NULL) {
        container_of(waiter, struct event_wait, waiter)->is_over = true;
    }
    irq_restore(state);
}

void event_clear(struct event *event)
{
    irq_state_t state = irq_save();
    event->is_set = false;
    irq_restore(state);
}

bool event_is_set(const struct event *event)
{
    return __atomic_load_n(&event->is_set, __ATOMIC_RELAXED);
}

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct event_wait *wait = container_of(future, struct event_wait, future);
    irq_state_t state = irq_save();
    bool is_ready = wait->is_over || wait->event->is_set;
    if (!is_ready) {
        wait_queue_add(&wait->event->waiters, &wait->waiter, context->waker);
    }
    irq_restore(state);
    return is_ready ? POLL_READY : POLL_PENDING;
}

// Not while event_set has the waiter.
static void drop(struct future *future)
{
    irq_state_t state = irq_save();
    wait_queue_remove(&container_of(future, struct event_wait, future)->waiter);
    irq_restore(state);
}

void event_wait_init(struct event_wait *wait, struct event *event)
{
    *wait = (struct event_wait){.event = event};
    future_init(&wait->future, poll, drop);
}
