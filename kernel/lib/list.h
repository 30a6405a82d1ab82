// SPDX-License-Identifier: MIT
//
// An intrusive doubly linked list: nodes lie in the elements, so that nothing is allocated and
// every operation is a few steps, whichever the length. It is a circle through the list itself:
// adding and removing have no special cases. The caller locks.
//
//     struct task { ...; struct list_node node; };
//     LIST_FOR_EACH (node, &waiting) {
//         struct task *task = container_of(node, struct task, node);
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/assert.h"
#include "lib/container_of.h"

// Zeroed before it is added for the first time. It may not move while it is in a list.
struct list_node {
    struct list_node *previous; // NULL: in no list
    struct list_node *next;
};

// May not move either, but while it is empty and initialised anew.
struct list {
    struct list_node end; // its next is the first, its previous the last
};

// static struct list waiting = LIST_INITIALIZER(waiting);
#define LIST_INITIALIZER(list_)                                                                    \
    {                                                                                              \
        {                                                                                          \
            &(list_).end, &(list_).end                                                             \
        }                                                                                          \
    }

static inline void list_init(struct list *list)
{
    *list = (struct list)LIST_INITIALIZER(*list);
}

static inline bool list_is_empty(const struct list *list)
{
    return list->end.next == &list->end;
}

// In any list.
static inline bool list_node_is_linked(const struct list_node *node)
{
    return node->previous != NULL;
}

// `node` is in no list, `place` is in the one that it comes into.
static inline void list_insert_before(struct list_node *place, struct list_node *node)
{
    assert(!list_node_is_linked(node));
    node->previous = place->previous;
    node->next = place;
    place->previous->next = node;
    place->previous = node;
}

static inline void list_insert_after(struct list_node *place, struct list_node *node)
{
    list_insert_before(place->next, node);
}

static inline void list_add_first(struct list *list, struct list_node *node)
{
    list_insert_after(&list->end, node);
}

static inline void list_add_last(struct list *list, struct list_node *node)
{
    list_insert_before(&list->end, node);
}

// From the list it is in. A node that was overwritten is noticed before it does harm.
static inline void list_remove(struct list_node *node)
{
    assert(list_node_is_linked(node));
    assert(node->previous->next == node && node->next->previous == node);
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->previous = NULL;
    node->next = NULL;
}

// The next four return NULL if there is none.
static inline struct list_node *list_next(const struct list *list, const struct list_node *node)
{
    return node->next != &list->end ? node->next : NULL;
}

static inline struct list_node *list_previous(const struct list *list, const struct list_node *node)
{
    return node->previous != &list->end ? node->previous : NULL;
}

static inline struct list_node *list_first(const struct list *list)
{
    return list_next(list, &list->end);
}

static inline struct list_node *list_last(const struct list *list)
{
    return list_previous(list, &list->end);
}

// The first, removed; NULL if the list is empty.
static inline struct list_node *list_take_first(struct list *list)
{
    struct list_node *first = list_first(list);
    if (first != NULL) {
        list_remove(first);
    }
    return first;
}

// From the first to the last. The body may remove and free `node_`, but not the one behind it.
#define LIST_FOR_EACH(node_, list_)                                                                \
    for (struct list_node *node_ = (list_)->end.next, *node_##_next = node_->next;                 \
         node_ != &(list_)->end; node_ = node_##_next, node_##_next = node_->next)
