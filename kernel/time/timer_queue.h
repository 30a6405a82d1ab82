// SPDX-License-Identifier: MIT
//
// Timers in the order of their deadlines, and those with the same deadline in the order in which
// they were added. The caller locks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/priority_queue.h"

struct timer;
typedef void timer_function_t(struct timer *timer);

// Belongs to its user, who may read it but for the queue's part; zeroed but for `function` and
// `context` before it is added for the first time. As long as it is queued it may not move.
struct timer {
    struct priority_node node; // the queue's; the first, so that its address is the timer's
    timer_function_t *function;
    void *context;
    uint64_t deadline_ns;
    // The queue's.
    bool is_queued;
    uint64_t order;
};

struct timer_queue {
    struct timer *first;
    size_t count;
    uint64_t order; // of the next one
};

// It is in no queue.
void timer_queue_add(struct timer_queue *queue, struct timer *timer, uint64_t deadline_ns);

// It is in this one.
void timer_queue_remove(struct timer_queue *queue, struct timer *timer);
