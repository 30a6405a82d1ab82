// SPDX-License-Identifier: MIT
//
// Elements in the order of their keys, each key once: an intrusive AVL tree. The heights of two
// siblings differ by 1 at most, so that with n elements no way down is longer than 1.45 log2(n + 2)
// nodes; to insert, find and remove takes one such way, and nothing allocates or recurses. The
// caller locks.
// Source: G. Adelson-Velsky, E. Landis, An algorithm for the organization of information (1962).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/container_of.h"
#include "lib/error.h"

enum map_side { MAP_LEFT, MAP_RIGHT };

// Lies in the element; zeroed but for the key before it is inserted for the first time. As long as
// it is in a map it may not move, and its key may not change.
struct map_node {
    uint64_t key;
    uint64_t height; // nodes on the longest way down, itself included; 0: in no map
    struct map_node *parent;
    struct map_node *children[2]; // by side: smaller keys, larger keys
};

// Zeroed it is empty.
struct ordered_map {
    struct map_node *root;
    size_t count;
};

// In any map.
static inline bool map_node_is_linked(const struct map_node *node)
{
    return node->height != 0;
}

// The node is in no map. EEXIST, and nothing is changed, if its key is there already.
enum error ordered_map_insert(struct ordered_map *map, struct map_node *node);

// The node is in this map.
void ordered_map_remove(struct ordered_map *map, struct map_node *node);

// These return NULL if there is none.
struct map_node *ordered_map_find(const struct ordered_map *map, uint64_t key);
// The first whose key is not below `key`.
struct map_node *ordered_map_lower_bound(const struct ordered_map *map, uint64_t key);
struct map_node *ordered_map_first(const struct ordered_map *map);
struct map_node *ordered_map_last(const struct ordered_map *map);
struct map_node *ordered_map_next(const struct map_node *node);
struct map_node *ordered_map_previous(const struct map_node *node);

// Whether all that is said above holds of each node, and the count is right.
bool ordered_map_check(const struct ordered_map *map);
