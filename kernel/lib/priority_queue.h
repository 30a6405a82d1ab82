// SPDX-License-Identifier: MIT
//
// The first of many, by an order of the user's: an intrusive leftist heap. A queue is a pointer to
// its first node, NULL if it is empty. Adding and removing, also in the middle, take O(log n) steps
// at worst, with n nodes, and neither allocates nor recurses. Inline, so that the order is as well
// where it is known. The caller locks.
// Source: C. Crane, Linear lists and priority queues as balanced binary trees (1972).
//
// Invariants: no node is before its parent; rank(left) >= rank(right) for each, so that the way to
// the right, on which all the work is done, is no longer than log2(n + 1).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/container_of.h"

// Zeroed before it is added for the first time. As long as it is queued it may not move.
struct priority_node {
    uint64_t rank; // how many steps to the right there are below it, itself included; 0: not queued
    struct priority_node *parent;
    struct priority_node *left;
    struct priority_node *right;
};

// Whether `left` comes out before `right`; of two that are equal, neither is.
typedef bool priority_is_before_t(const struct priority_node *left,
                                  const struct priority_node *right);

static inline uint64_t priority_rank_(const struct priority_node *node)
{
    return node != NULL ? node->rank : 0;
}

static inline void priority_put_right_(struct priority_node *node, struct priority_node *child)
{
    node->right = child;
    if (child != NULL) {
        child->parent = node;
    }
}

// Whether the rank has changed.
static inline bool priority_settle_(struct priority_node *node)
{
    if (priority_rank_(node->left) < priority_rank_(node->right)) {
        struct priority_node *left = node->left;
        node->left = node->right;
        node->right = left;
    }
    uint64_t before = node->rank;
    node->rank = priority_rank_(node->right) + 1;
    return node->rank != before;
}

// Two heaps, either may be empty, made into one: their ways to the right become one, in order.
static inline struct priority_node *priority_merge_(struct priority_node *left,
                                                    struct priority_node *right,
                                                    priority_is_before_t *is_before)
{
    if (left == NULL || right == NULL) {
        return left != NULL ? left : right;
    }
    bool is_left_first = is_before(left, right);
    struct priority_node *top = is_left_first ? left : right;
    struct priority_node *other = is_left_first ? right : left;
    struct priority_node *last = top;
    while (last->right != NULL) {
        if (is_before(other, last->right)) {
            struct priority_node *rest = last->right;
            priority_put_right_(last, other);
            other = rest;
        }
        last = last->right;
    }
    priority_put_right_(last, other);
    for (struct priority_node *node = last; node != top; node = node->parent) {
        priority_settle_(node);
    }
    priority_settle_(top);
    return top;
}

// The node is in no queue. Returns the new first.
static inline struct priority_node *priority_queue_add(struct priority_node *first,
                                                       struct priority_node *node,
                                                       priority_is_before_t *is_before)
{
    assert(node->rank == 0);
    *node = (struct priority_node){.rank = 1};
    return priority_merge_(first, node, is_before);
}

// The node is in this queue. Returns the new first.
static inline struct priority_node *priority_queue_remove(struct priority_node *first,
                                                          struct priority_node *node,
                                                          priority_is_before_t *is_before)
{
    assert(node->rank != 0);
    struct priority_node *parent = node->parent;
    struct priority_node *rest = priority_merge_(node->left, node->right, is_before);
    node->rank = 0;
    if (rest != NULL) {
        rest->parent = parent;
    }
    if (parent == NULL) {
        return rest;
    }
    if (parent->left == node) {
        parent->left = rest;
    } else {
        parent->right = rest;
    }
    while (parent != NULL && priority_settle_(parent)) {
        parent = parent->parent;
    }
    return first;
}
