// SPDX-License-Identifier: MIT
//
// Something that has happened or not: tasks wait until it is set, and it stays set until it is
// cleared. Those who wait when it is set go on, even if it is cleared before they are polled.
#pragma once

#include <stdbool.h>

#include "sync/irq_state.h"
#include "task/future.h"
#include "task/wait_queue.h"

struct event {
    bool is_set GUARDED_BY(interrupts_off);
    struct wait_queue waiters;
};

// Not set.
void event_init(struct event *event);

// These are for any context but NMI, #DF and #MC. What is set may be set again.
void event_set(struct event *event);
void event_clear(struct event *event);
bool event_is_set(const struct event *event);

// A future that is ready when the event is set.
struct event_wait {
    struct future future;
    struct event *event;

    // Changed with interrupts off:
    struct waiter waiter;
    bool is_over; // the event was set while this waited
};

void event_wait_init(struct event_wait *wait, struct event *event);
