// SPDX-License-Identifier: MIT
#include "lib/ordered_map.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

#define NODES 128
#define MANY 1024

static struct ordered_map map;
static struct map_node nodes[MANY];

static void init(struct ktest *test)
{
    (void)test;
    map = (struct ordered_map){0};
    for (size_t i = 0; i < MANY; i++) {
        nodes[i] = (struct map_node){.key = i};
    }
}

KTEST_SUITE(ordered_map, .init = init);

static void insert_all(struct ktest *test, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        KTEST_ASSERT_EQ(test, ordered_map_insert(&map, &nodes[i]), OK);
    }
}

KTEST(ordered_map, without_nodes_has_none)
{
    KTEST_EXPECT_NULL(test, ordered_map_first(&map));
    KTEST_EXPECT_NULL(test, ordered_map_last(&map));
    KTEST_EXPECT_NULL(test, ordered_map_find(&map, 0));
    KTEST_EXPECT_NULL(test, ordered_map_lower_bound(&map, 0));
    KTEST_EXPECT_TRUE(test, ordered_map_check(&map));
}

KTEST(ordered_map, holds_the_smallest_and_the_largest_key)
{
    nodes[0].key = UINT64_MAX;
    nodes[1].key = 0;
    insert_all(test, 2);
    KTEST_EXPECT_PTR_EQ(test, ordered_map_find(&map, UINT64_MAX), &nodes[0]);
    KTEST_EXPECT_PTR_EQ(test, ordered_map_find(&map, 0), &nodes[1]);
    KTEST_EXPECT_PTR_EQ(test, ordered_map_lower_bound(&map, 1), &nodes[0]);
    KTEST_EXPECT_NULL(test, ordered_map_find(&map, 1));
}

KTEST_ATTR(ordered_map, key_that_is_there_is_refused, .proves = "10.6.4");
KTEST(ordered_map, key_that_is_there_is_refused)
{
    insert_all(test, 3);
    struct map_node other = {.key = 1};
    KTEST_EXPECT_EQ(test, ordered_map_insert(&map, &other), EEXIST);
    KTEST_EXPECT_EQ(test, other.height, 0);
    KTEST_EXPECT_EQ(test, map.count, 3);
    KTEST_EXPECT_PTR_EQ(test, ordered_map_find(&map, 1), &nodes[1]);
    KTEST_EXPECT_TRUE(test, ordered_map_check(&map));
}

KTEST(ordered_map, inserting_twice_and_removing_what_is_not_there_panics)
{
    insert_all(test, 1);
    KTEST_EXPECT_PANIC(test, "*node->height == 0*", (void)ordered_map_insert(&map, &nodes[0]));
    KTEST_EXPECT_PANIC(test, "*node->height != 0*", ordered_map_remove(&map, &nodes[1]));
}

// As the source promises 1.44 log2(1,026) is 14.4; for sorted keys it is as good as can be.
KTEST_ATTR(ordered_map, sorted_keys_make_no_list, .proves = "10.6.4");
KTEST(ordered_map, sorted_keys_make_no_list)
{
    insert_all(test, MANY);
    KTEST_EXPECT_TRUE(test, ordered_map_check(&map));
    KTEST_EXPECT_EQ(test, map.root->height, 11);
    for (size_t i = 0; i < MANY - 100; i++) {
        ordered_map_remove(&map, ordered_map_first(&map));
    }
    KTEST_EXPECT_TRUE(test, ordered_map_check(&map));
    KTEST_EXPECT_LE(test, map.root->height, 9); // 1.44 log2(102) is 9.6
}

// Each kind of damage, at a node with two children.
KTEST(ordered_map, check_notices_damage)
{
    insert_all(test, 7);
    struct map_node *node = map.root->children[MAP_LEFT];
    const struct map_node saved = *node;
    KTEST_ASSERT_TRUE(test, ordered_map_check(&map));

    node->key = 3;
    KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
    *node = saved;
    node->height++;
    KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
    *node = saved;
    node->children[MAP_LEFT] = NULL;
    KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
    *node = saved;
    for (enum map_side side = MAP_LEFT; side <= MAP_RIGHT; side++) {
        node->children[side]->parent = map.root;
        KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
        node->children[side]->parent = node;
    }
    struct map_node outside = {.children = {NULL, map.root}};
    map.root->parent = &outside;
    KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
    map.root->parent = NULL;
    map.count++;
    KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
    map.count--;
    KTEST_EXPECT_TRUE(test, ordered_map_check(&map));
}

// With right heights, in order, and too high on one side.
KTEST(ordered_map, check_notices_a_list)
{
    map = (struct ordered_map){&nodes[0], 3};
    for (size_t i = 0; i < 3; i++) {
        nodes[i].height = 3 - i;
        nodes[i].parent = i > 0 ? &nodes[i - 1] : NULL;
        nodes[i].children[MAP_RIGHT] = i < 2 ? &nodes[i + 1] : NULL;
    }
    KTEST_EXPECT_FALSE(test, ordered_map_check(&map));
}

// --- Against a model: who is in, by the key -----------------------------------------------------

static struct map_node *model_lower_bound(const bool *is_in, size_t key)
{
    while (key < NODES && !is_in[key]) {
        key++;
    }
    return key < NODES ? &nodes[key] : NULL;
}

// Inserting is as likely as removing, or less or more so for a while, so that the map is empty and
// full at times.
static void step(struct ktest *test, struct test_random *random, uint64_t insert_of_8, bool *is_in)
{
    size_t i = test_random_below(random, NODES);
    bool inserts = test_random_below(random, 8) < insert_of_8;
    if (inserts && !is_in[i]) {
        KTEST_ASSERT_EQ(test, ordered_map_insert(&map, &nodes[i]), OK);
    } else if (!inserts && is_in[i]) {
        ordered_map_remove(&map, &nodes[i]);
    }
    is_in[i] = inserts;
}

static void look(struct ktest *test, size_t key, const bool *is_in)
{
    struct map_node *bound = model_lower_bound(is_in, key);
    KTEST_ASSERT_PTR_EQ(test, ordered_map_lower_bound(&map, key), bound);
    KTEST_ASSERT_PTR_EQ(test, ordered_map_find(&map, key), is_in[key] ? &nodes[key] : NULL);
    KTEST_ASSERT_PTR_EQ(test, ordered_map_first(&map), model_lower_bound(is_in, 0));
    if (bound != NULL) {
        struct map_node *next = ordered_map_next(bound);
        KTEST_ASSERT_PTR_EQ(test, next, model_lower_bound(is_in, bound->key + 1));
        struct map_node *from = next != NULL ? ordered_map_previous(next) : ordered_map_last(&map);
        KTEST_ASSERT_PTR_EQ(test, from, bound);
    }
}

KTEST_ATTR(ordered_map, agrees_with_a_model, .proves = "10.6.4", .speed = KTEST_SPEED_SLOW);
KTEST(ordered_map, agrees_with_a_model)
{
    static bool is_in[NODES];
    struct test_random random = {2026};
    size_t fullest = 0;
    size_t empty_count = 0;
    for (size_t i = 0; i < NODES; i++) {
        is_in[i] = false;
    }
    for (unsigned round = 0; round < 20'000 * test_scale(); round++) {
        step(test, &random, round / 1000 % 9, is_in);
        look(test, test_random_below(&random, NODES), is_in);
        if (round % 16 == 0) {
            KTEST_ASSERT_TRUE(test, ordered_map_check(&map));
        }
        fullest = map.count > fullest ? map.count : fullest;
        empty_count += map.count == 0;
    }
    KTEST_EXPECT_EQ(test, fullest, NODES);
    KTEST_EXPECT_GT(test, empty_count, 100);
}

// Among a thousand others.
KTEST_BENCH(ordered_map, insert_find_and_remove)
{
    for (size_t i = 0; i < MANY; i++) {
        nodes[i].key = i * 997 % MANY * 2; // mixed
        KTEST_ASSERT_EQ(test, ordered_map_insert(&map, &nodes[i]), OK);
    }
    struct map_node node = {0};
    uint64_t turn = 0;
    uint64_t wrong_count = 0;
    while (ktest_bench_next(test)) {
        node.key = (turn++ * 499 % MANY * 2) + 1;
        wrong_count += ordered_map_insert(&map, &node) != OK;
        wrong_count += ordered_map_find(&map, node.key) != &node;
        ordered_map_remove(&map, &node);
    }
    KTEST_EXPECT_EQ(test, wrong_count, 0);
}
