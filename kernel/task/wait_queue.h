// SPDX-License-Identifier: MIT
//
// Tasks that wait for the same thing, in the order in which they came. Changed with interrupts off,
// so that handlers may wake too.
//
// A future that waits has a waiter in its structure:
//
//     poll:  look; if it has to wait, wait_queue_add(&queue, &self->waiter, context->waker)
//     drop:  wait_queue_remove(&self->waiter)
//
// with interrupts off around the look and the add, or with a second look behind it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/list.h"
#include "sync/irq_state.h"
#include "task/waker.h"

struct wait_queue {
    struct list waiters;
};

// Zeroed before it is used for the first time.
struct waiter {
    struct list_node node;
    struct waker *waker GUARDED_BY(interrupts_off); // with a reference, while it is in a queue
};

#define WAIT_QUEUE_INITIALIZER(queue_)                                                             \
    {                                                                                              \
        LIST_INITIALIZER((queue_).waiters)                                                         \
    }

static inline void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->waiters);
}

// These are for any context but NMI, #DF and #MC.

// At the end; one that waits already keeps its place, and gets this waker.
void wait_queue_add(struct wait_queue *queue, struct waiter *waiter, struct waker *waker);

// From the queue it is in; false if it is in none.
bool wait_queue_remove(struct waiter *waiter);

// Removes the first and wakes it. Returns it, or NULL if nobody waits.
struct waiter *wait_queue_wake_first(struct wait_queue *queue);

// Those that wait now. Returns how many.
size_t wait_queue_wake_all(struct wait_queue *queue);

bool wait_queue_is_empty(const struct wait_queue *queue);
