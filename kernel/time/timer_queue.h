// SPDX-License-Identifier: MIT
//
// Timers in the order of their deadlines, and those with the same deadline in the order in which
// they were added. A leftist heap: adding and removing take O(log n) steps at worst, with n timers,
// and neither allocates nor recurses. The caller locks.
// Source: C. Crane, Linear lists and priority queues as balanced binary trees (1972).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer;
typedef void timer_function_t(struct timer *timer);

// Belongs to its user, who may read the first three; zeroed but for `function` and `context`
// before it is added for the first time. As long as it is queued it may not move.
struct timer {
    timer_function_t *function;
    void *context;
    uint64_t deadline_ns;
    // The queue's.
    bool is_queued;
    uint64_t order;
    uint64_t rank; // how many steps to the right there are below it, itself included
    struct timer *parent;
    struct timer *left;
    struct timer *right;
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
