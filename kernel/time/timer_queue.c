// SPDX-License-Identifier: MIT
#include "time/timer_queue.h"

static struct timer *timer_of(struct priority_node *node)
{
    return node != NULL ? container_of(node, struct timer, node) : NULL;
}

static struct priority_node *node_of(struct timer *timer)
{
    return timer != NULL ? &timer->node : NULL;
}

static bool is_before(const struct priority_node *left_node, const struct priority_node *right_node)
{
    const struct timer *left = container_of(left_node, const struct timer, node);
    const struct timer *right = container_of(right_node, const struct timer, node);
    return left->deadline_ns != right->deadline_ns ? left->deadline_ns < right->deadline_ns
                                                   : left->order < right->order;
}

void timer_queue_add(struct timer_queue *queue, struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    timer->is_queued = true;
    timer->order = queue->order++;
    queue->first = timer_of(priority_queue_add(node_of(queue->first), &timer->node, is_before));
    queue->count++;
}

void timer_queue_remove(struct timer_queue *queue, struct timer *timer)
{
    queue->first = timer_of(priority_queue_remove(node_of(queue->first), &timer->node, is_before));
    timer->is_queued = false;
    queue->count--;
}
