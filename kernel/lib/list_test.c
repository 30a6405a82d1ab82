// SPDX-License-Identifier: MIT
#include "lib/list.h"

#include "ktest.h"
#include "lib/test_random.h"

#define THINGS 32

struct thing {
    size_t number;
    struct list_node node;
};

static struct list list;
static struct thing things[THINGS];

static void init(struct ktest *test)
{
    (void)test;
    list_init(&list);
    for (size_t i = 0; i < THINGS; i++) {
        things[i] = (struct thing){.number = i};
    }
}

KTEST_SUITE(list, .init = init);

static size_t number_of(const struct list_node *node)
{
    return container_of(node, const struct thing, node)->number;
}

KTEST(list, without_nodes_has_no_first_and_no_last)
{
    static struct list constant = LIST_INITIALIZER(constant);
    KTEST_EXPECT_TRUE(test, list_is_empty(&constant));
    KTEST_EXPECT_TRUE(test, list_is_empty(&list));
    KTEST_EXPECT_NULL(test, list_first(&list));
    KTEST_EXPECT_NULL(test, list_last(&list));
    KTEST_EXPECT_NULL(test, list_take_first(&list));
    LIST_FOR_EACH(node, &list)
    {
        KTEST_FAIL(test, "there is a node");
    }
}

KTEST(list, nodes_come_as_they_were_added)
{
    list_add_last(&list, &things[1].node);
    list_add_last(&list, &things[2].node);
    list_add_first(&list, &things[0].node);

    KTEST_EXPECT_PTR_EQ(test, list_last(&list), &things[2].node);
    for (size_t i = 0; i < 3; i++) {
        KTEST_EXPECT_PTR_EQ(test, list_take_first(&list), &things[i].node);
        KTEST_EXPECT_FALSE(test, list_node_is_linked(&things[i].node));
    }
    KTEST_EXPECT_TRUE(test, list_is_empty(&list));
}

KTEST(list, each_may_be_removed_on_the_way)
{
    for (size_t i = 0; i < THINGS; i++) {
        list_add_last(&list, &things[i].node);
    }
    LIST_FOR_EACH(node, &list)
    {
        if (number_of(node) % 2 == 0) {
            list_remove(node);
        }
    }
    size_t expected = 1;
    LIST_FOR_EACH(node, &list)
    {
        KTEST_EXPECT_EQ(test, number_of(node), expected);
        expected += 2;
    }
    KTEST_EXPECT_EQ(test, expected, THINGS + 1);
}

KTEST_ATTR(list, adding_twice_and_removing_what_is_not_there_panics, .proves = "10.6.2");
KTEST(list, adding_twice_and_removing_what_is_not_there_panics)
{
    list_add_last(&list, &things[0].node);
    KTEST_EXPECT_PANIC(test, "*!list_node_is_linked*", list_add_first(&list, &things[0].node));
    KTEST_EXPECT_PANIC(test, "*list_node_is_linked*", list_remove(&things[1].node));
}

KTEST_ATTR(list, overwritten_node_is_not_removed, .proves = "10.6.2");
KTEST(list, overwritten_node_is_not_removed)
{
    list_add_last(&list, &things[0].node);
    list_add_last(&list, &things[1].node);
    struct list_node saved = things[0].node;
    things[0].node.next = &things[2].node;
    KTEST_EXPECT_PANIC(test, "*node->next->previous == node*", list_remove(&things[0].node));
    things[0].node = saved;
    things[0].node.previous = &things[2].node;
    KTEST_EXPECT_PANIC(test, "*node->previous->next == node*", list_remove(&things[0].node));
    KTEST_EXPECT_PTR_EQ(test, list_first(&list), &things[0].node);
    KTEST_EXPECT_PTR_EQ(test, list_last(&list), &things[1].node);
}

// --- Against a model: the numbers in an array ---------------------------------------------------

struct model {
    size_t numbers[THINGS];
    size_t count;
};

static void model_insert(struct model *model, size_t place, size_t number)
{
    for (size_t i = model->count++; i > place; i--) {
        model->numbers[i] = model->numbers[i - 1];
    }
    model->numbers[place] = number;
}

static void model_remove(struct model *model, size_t place)
{
    model->count--;
    for (size_t i = place; i < model->count; i++) {
        model->numbers[i] = model->numbers[i + 1];
    }
}

static size_t model_find(const struct model *model, size_t number)
{
    size_t place = 0;
    while (place < model->count && model->numbers[place] != number) {
        place++;
    }
    return place;
}

// Adds it at one of the ends, or beside another one.
static void add(struct test_random *random, struct model *model, size_t number)
{
    size_t place = model->count > 0 ? test_random_below(random, model->count) : 0;
    struct list_node *other = &things[model->numbers[place]].node;
    struct list_node *node = &things[number].node;
    switch (test_random_below(random, model->count > 0 ? 4 : 2)) {
    case 0:
        list_add_first(&list, node);
        model_insert(model, 0, number);
        break;
    case 1:
        list_add_last(&list, node);
        model_insert(model, model->count, number);
        break;
    case 2:
        list_insert_before(other, node);
        model_insert(model, place, number);
        break;
    default:
        list_insert_after(other, node);
        model_insert(model, place + 1, number);
    }
}

static void step(struct test_random *random, struct model *model)
{
    size_t number = test_random_below(random, THINGS);
    size_t place = model_find(model, number);
    if (place == model->count) {
        add(random, model, number);
    } else if (test_random_below(random, 4) == 0) {
        list_take_first(&list);
        model_remove(model, 0);
    } else {
        list_remove(&things[number].node);
        model_remove(model, place);
    }
}

// From both ends.
static bool is_like(const struct model *model)
{
    const struct list_node *node = list_first(&list);
    const struct list_node *from_last = list_last(&list);
    for (size_t i = 0; i < model->count; i++) {
        if (node == NULL || number_of(node) != model->numbers[i] || from_last == NULL ||
            number_of(from_last) != model->numbers[model->count - 1 - i]) {
            return false;
        }
        node = list_next(&list, node);
        from_last = list_previous(&list, from_last);
    }
    return node == NULL && from_last == NULL && list_is_empty(&list) == (model->count == 0);
}

KTEST_ATTR(list, agrees_with_a_model, .proves = "10.6.2", .speed = KTEST_SPEED_SLOW);
KTEST(list, agrees_with_a_model)
{
    static struct model model;
    struct test_random random = {7};
    model = (struct model){0};
    for (unsigned round = 0; round < 20'000 * test_scale(); round++) {
        step(&random, &model);
        KTEST_ASSERT_TRUE(test, is_like(&model));
    }
}
