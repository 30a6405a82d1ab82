// SPDX-License-Identifier: MIT
#include "task/wait_queue.h"

#include "lib/container_of.h"

void wait_queue_add(struct wait_queue *queue, struct waiter *waiter, struct waker *waker)
{
    irq_state_t state = irq_save();
    struct waker *before = waiter->waker;
    waiter->waker = waker_get(waker);
    if (!list_node_is_linked(&waiter->node)) {
        list_add_last(&queue->waiters, &waiter->node);
    }
    irq_restore(state);
    waker_put(before);
}

// Out of its queue: the waker, with its reference.
static struct waker *take(struct waiter *waiter) REQUIRES(interrupts_off)
{
    struct waker *waker = waiter->waker;
    list_remove(&waiter->node);
    waiter->waker = NULL;
    return waker;
}

bool wait_queue_remove(struct waiter *waiter)
{
    irq_state_t state = irq_save();
    bool waits = list_node_is_linked(&waiter->node);
    struct waker *waker = waits ? take(waiter) : NULL;
    irq_restore(state);
    waker_put(waker);
    return waits;
}

// The waiter may be gone as soon as interrupts are on, or another CPU has seen it out of its queue.
struct waiter *wait_queue_wake_first(struct wait_queue *queue)
{
    irq_state_t state = irq_save();
    struct list_node *node = list_first(&queue->waiters);
    struct waiter *waiter = node != NULL ? container_of(node, struct waiter, node) : NULL;
    struct waker *waker = waiter != NULL ? take(waiter) : NULL;
    irq_restore(state);
    if (waker != NULL) {
        waker_wake(waker);
        waker_put(waker);
    }
    return waiter;
}

bool wait_queue_is_empty(const struct wait_queue *queue)
{
    return list_is_empty(&queue->waiters);
}

size_t wait_queue_wake_all(struct wait_queue *queue)
{
    irq_state_t state = irq_save();
    size_t count = 0;
    while (wait_queue_wake_first(queue) != NULL) {
        count++;
    }
    irq_restore(state);
    return count;
}
