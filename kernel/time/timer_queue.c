// SPDX-License-Identifier: MIT
//
// Invariants: no timer is due before its parent; rank(left) >= rank(right) for each, so that the
// way to the right, on which all the work is done, is no longer than log2(n + 1).
#include "time/timer_queue.h"

#include "lib/assert.h"

static bool is_before(const struct timer *left, const struct timer *right)
{
    return left->deadline_ns != right->deadline_ns ? left->deadline_ns < right->deadline_ns
                                                   : left->order < right->order;
}

static uint64_t rank(const struct timer *timer)
{
    return timer != NULL ? timer->rank : 0;
}

static void put_right(struct timer *timer, struct timer *child)
{
    timer->right = child;
    if (child != NULL) {
        child->parent = timer;
    }
}

// Whether the rank has changed.
static bool settle(struct timer *timer)
{
    if (rank(timer->left) < rank(timer->right)) {
        struct timer *left = timer->left;
        timer->left = timer->right;
        timer->right = left;
    }
    uint64_t before = timer->rank;
    timer->rank = rank(timer->right) + 1;
    return timer->rank != before;
}

// Two heaps, either may be empty, made into one: their ways to the right become one, in order.
static struct timer *merge(struct timer *left, struct timer *right)
{
    if (left == NULL || right == NULL) {
        return left != NULL ? left : right;
    }
    bool is_left_first = is_before(left, right);
    struct timer *top = is_left_first ? left : right;
    struct timer *other = is_left_first ? right : left;
    struct timer *last = top;
    while (last->right != NULL) {
        if (is_before(other, last->right)) {
            struct timer *rest = last->right;
            put_right(last, other);
            other = rest;
        }
        last = last->right;
    }
    put_right(last, other);
    for (struct timer *timer = last; timer != top; timer = timer->parent) {
        settle(timer);
    }
    settle(top);
    return top;
}

void timer_queue_add(struct timer_queue *queue, struct timer *timer, uint64_t deadline_ns)
{
    assert(!timer->is_queued);
    timer->deadline_ns = deadline_ns;
    timer->is_queued = true;
    timer->order = queue->order++;
    timer->rank = 1;
    timer->parent = NULL;
    timer->left = NULL;
    timer->right = NULL;
    queue->first = merge(queue->first, timer);
    queue->first->parent = NULL;
    queue->count++;
}

void timer_queue_remove(struct timer_queue *queue, struct timer *timer)
{
    assert(timer->is_queued);
    struct timer *parent = timer->parent;
    struct timer *rest = merge(timer->left, timer->right);
    if (rest != NULL) {
        rest->parent = parent;
    }
    if (parent == NULL) {
        queue->first = rest;
    } else if (parent->left == timer) {
        parent->left = rest;
    } else {
        parent->right = rest;
    }
    while (parent != NULL && settle(parent)) {
        parent = parent->parent;
    }
    timer->is_queued = false;
    queue->count--;
}
