// SPDX-License-Identifier: MIT
//
// Left and right mirror each other: each step is written once, for a side and its opposite.
#include "lib/ordered_map.h"

#include "lib/assert.h"

static enum map_side opposite(enum map_side side)
{
    return side == MAP_LEFT ? MAP_RIGHT : MAP_LEFT;
}

static uint64_t height(const struct map_node *node)
{
    return node != NULL ? node->height : 0;
}

// As its children say; its own field may be behind.
static uint64_t true_height(const struct map_node *node)
{
    uint64_t left = height(node->children[MAP_LEFT]);
    uint64_t right = height(node->children[MAP_RIGHT]);
    return (left > right ? left : right) + 1;
}

static bool is_balanced(const struct map_node *node)
{
    uint64_t left = height(node->children[MAP_LEFT]);
    uint64_t right = height(node->children[MAP_RIGHT]);
    return left <= right + 1 && right <= left + 1;
}

static void put_below(struct map_node *parent, enum map_side side, struct map_node *child)
{
    parent->children[side] = child;
    if (child != NULL) {
        child->parent = parent;
    }
}

// Where `node` hangs, `other` hangs from here on; it may be NULL.
static void replace(struct ordered_map *map, struct map_node *node, struct map_node *other)
{
    struct map_node *parent = node->parent;
    if (parent != NULL) {
        put_below(parent, parent->children[MAP_LEFT] == node ? MAP_LEFT : MAP_RIGHT, other);
        return;
    }
    map->root = other;
    if (other != NULL) {
        other->parent = NULL;
    }
}

// --- Balance ------------------------------------------------------------------------------------

// The child on that side comes up, the node goes down on the other; the order stays.
static struct map_node *rotate(struct ordered_map *map, struct map_node *node, enum map_side side)
{
    struct map_node *child = node->children[side];
    replace(map, node, child);
    put_below(node, side, child->children[opposite(side)]);
    put_below(child, opposite(side), node);
    node->height = true_height(node);
    child->height = true_height(child);
    return child;
}

// Both subtrees are balanced, and their heights differ by 2 at most. Returns who is on top then.
static struct map_node *balance(struct ordered_map *map, struct map_node *node)
{
    if (is_balanced(node)) {
        node->height = true_height(node);
        return node;
    }
    bool is_left_high = height(node->children[MAP_LEFT]) > height(node->children[MAP_RIGHT]);
    enum map_side high = is_left_high ? MAP_LEFT : MAP_RIGHT;
    struct map_node *child = node->children[high];
    if (height(child->children[high]) < height(child->children[opposite(high)])) {
        rotate(map, child, opposite(high));
    }
    return rotate(map, node, high);
}

// From the lowest node with a changed subtree up to the first whose height stays.
static void balance_up(struct ordered_map *map, struct map_node *node)
{
    while (node != NULL) {
        uint64_t height_before = node->height;
        node = balance(map, node);
        if (node->height == height_before) {
            return;
        }
        node = node->parent;
    }
}

// --- Changes ------------------------------------------------------------------------------------

enum error ordered_map_insert(struct ordered_map *map, struct map_node *node)
{
    assert(node->height == 0);
    struct map_node *parent = NULL;
    struct map_node **link = &map->root;
    while (*link != NULL) {
        parent = *link;
        if (node->key == parent->key) {
            return EEXIST;
        }
        link = &parent->children[node->key < parent->key ? MAP_LEFT : MAP_RIGHT];
    }
    *link = node;
    *node = (struct map_node){.key = node->key, .height = 1, .parent = parent};
    balance_up(map, parent);
    map->count++;
    return OK;
}

static struct map_node *outermost(struct map_node *node, enum map_side side)
{
    while (node != NULL && node->children[side] != NULL) {
        node = node->children[side];
    }
    return node;
}

// A node with two children gives its place to the next in order, which has no left one.
void ordered_map_remove(struct ordered_map *map, struct map_node *node)
{
    assert(node->height != 0);
    struct map_node *left = node->children[MAP_LEFT];
    struct map_node *right = node->children[MAP_RIGHT];
    struct map_node *changed = node->parent;
    if (left == NULL || right == NULL) {
        replace(map, node, left != NULL ? left : right);
    } else {
        struct map_node *heir = outermost(right, MAP_LEFT);
        changed = heir != right ? heir->parent : heir;
        replace(map, heir, heir->children[MAP_RIGHT]);
        replace(map, node, heir);
        put_below(heir, MAP_LEFT, left);
        put_below(heir, MAP_RIGHT, node->children[MAP_RIGHT]);
        heir->height = node->height;
    }
    balance_up(map, changed);
    node->height = 0;
    map->count--;
}

// --- Looking ------------------------------------------------------------------------------------

struct map_node *ordered_map_lower_bound(const struct ordered_map *map, uint64_t key)
{
    struct map_node *found = NULL;
    struct map_node *node = map->root;
    while (node != NULL) {
        if (node->key < key) {
            node = node->children[MAP_RIGHT];
        } else {
            found = node;
            node = node->children[MAP_LEFT];
        }
    }
    return found;
}

struct map_node *ordered_map_find(const struct ordered_map *map, uint64_t key)
{
    struct map_node *node = ordered_map_lower_bound(map, key);
    return node != NULL && node->key == key ? node : NULL;
}

struct map_node *ordered_map_first(const struct ordered_map *map)
{
    return outermost(map->root, MAP_LEFT);
}

struct map_node *ordered_map_last(const struct ordered_map *map)
{
    return outermost(map->root, MAP_RIGHT);
}

// The innermost of the subtree on that side; without one, the first above that has the node on its
// other side.
static struct map_node *neighbour(const struct map_node *node, enum map_side side)
{
    if (node->children[side] != NULL) {
        return outermost(node->children[side], opposite(side));
    }
    struct map_node *parent = node->parent;
    while (parent != NULL && parent->children[side] == node) {
        node = parent;
        parent = node->parent;
    }
    return parent;
}

struct map_node *ordered_map_next(const struct map_node *node)
{
    return neighbour(node, MAP_RIGHT);
}

struct map_node *ordered_map_previous(const struct map_node *node)
{
    return neighbour(node, MAP_LEFT);
}

static bool is_parent(const struct map_node *parent, const struct map_node *child)
{
    return child == NULL || child->parent == parent;
}

static bool is_sound(const struct map_node *node)
{
    return is_balanced(node) && node->height == true_height(node) &&
           is_parent(node, node->children[MAP_LEFT]) && is_parent(node, node->children[MAP_RIGHT]);
}

bool ordered_map_check(const struct ordered_map *map)
{
    if (!is_parent(NULL, map->root)) {
        return false;
    }
    size_t count = 0;
    const struct map_node *previous = NULL;
    for (const struct map_node *node = ordered_map_first(map); node != NULL;
         node = ordered_map_next(node)) {
        bool is_in_order = previous == NULL || previous->key < node->key;
        if (count++ == map->count || !is_in_order || !is_sound(node)) {
            return false;
        }
        previous = node;
    }
    return count == map->count;
}
