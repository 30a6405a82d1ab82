// SPDX-License-Identifier: MIT
#include "lib/priority_queue.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

#define JOBS 64

struct job {
    uint64_t priority;
    struct priority_node node;
};

static struct priority_node *first;
static struct job jobs[JOBS];

static void init(struct ktest *test)
{
    (void)test;
    first = NULL;
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){0};
    }
}

KTEST_SUITE(priority_queue, .init = init);

static uint64_t priority_of(const struct priority_node *node)
{
    return container_of(node, const struct job, node)->priority;
}

static bool is_before(const struct priority_node *left, const struct priority_node *right)
{
    return priority_of(left) < priority_of(right);
}

static void add_job(struct job *job, uint64_t priority)
{
    job->priority = priority;
    first = priority_queue_add(first, &job->node, is_before);
}

static void remove_job(struct job *job)
{
    first = priority_queue_remove(first, &job->node, is_before);
}

static uint64_t take_first(void)
{
    struct job *job = container_of(first, struct job, node);
    remove_job(job);
    return job->priority;
}

KTEST(priority_queue, first_comes_first)
{
    static const uint64_t priorities[] = {5, 3, 9, 3, 7, UINT64_MAX, 0, 4};
    static const uint64_t sorted[] = {0, 3, 3, 4, 5, 7, 9, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
        add_job(&jobs[i], priorities[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        KTEST_EXPECT_EQ(test, take_first(), sorted[i]);
    }
    KTEST_EXPECT_NULL(test, first);
}

KTEST(priority_queue, adding_twice_and_removing_what_is_not_there_panics)
{
    add_job(&jobs[0], 1);
    KTEST_EXPECT_PANIC(test, "*node->rank == 0*", add_job(&jobs[0], 2));
    KTEST_EXPECT_PANIC(test, "*node->rank != 0*", remove_job(&jobs[1]));
    remove_job(&jobs[0]);
    KTEST_EXPECT_PANIC(test, "*node->rank != 0*", remove_job(&jobs[0]));
}

// As many steps as the logarithm says: the way to the right is never longer.
KTEST_ATTR(priority_queue, sorted_additions_make_no_list, .proves = "10.6.5");
KTEST(priority_queue, sorted_additions_make_no_list)
{
    for (uint64_t i = 0; i < JOBS; i++) {
        add_job(&jobs[i], i);
    }
    KTEST_EXPECT_LE(test, first->rank, 6);
    while (first != NULL) {
        (void)take_first();
    }
    for (uint64_t i = 0; i < JOBS; i++) {
        add_job(&jobs[i], JOBS - i);
    }
    KTEST_EXPECT_LE(test, first->rank, 6);
}

// --- Against a model: who is in -----------------------------------------------------------------

static uint64_t rank_of(const struct priority_node *node)
{
    return node != NULL ? node->rank : 0;
}

static bool is_below(const struct priority_node *parent, const struct priority_node *child)
{
    return child == NULL || (child->parent == parent && !is_before(child, parent));
}

// The invariants in the header, of each that is in.
static bool is_sound(const bool *is_in)
{
    for (size_t i = 0; i < JOBS; i++) {
        const struct priority_node *node = &jobs[i].node;
        bool is_right = node->rank == rank_of(node->right) + 1 &&
                        rank_of(node->left) >= rank_of(node->right) && is_below(node, node->left) &&
                        is_below(node, node->right) && (node->parent == NULL) == (node == first);
        if (is_in[i] ? !is_right : node->rank != 0) {
            return false;
        }
    }
    return true;
}

// Every one that is in, and no other, can be reached from the first: with is_sound it is a tree.
static size_t count_below(const struct priority_node *node)
{
    return node != NULL ? 1 + count_below(node->left) + count_below(node->right) : 0;
}

static bool is_first(const struct priority_node *node, const bool *is_in)
{
    for (size_t i = 0; i < JOBS; i++) {
        if (is_in[i] && (node == NULL || is_before(&jobs[i].node, node))) {
            return false;
        }
    }
    return true;
}

// Few priorities, so that many are equal; adding is as likely as both ways of removing together, or
// less or more so for a while, so that the queue is empty and full at times.
static void step(struct test_random *random, uint64_t add_of_8, bool *is_in)
{
    size_t i = test_random_below(random, JOBS);
    if (test_random_below(random, 8) < add_of_8) {
        if (!is_in[i]) {
            add_job(&jobs[i], test_random_below(random, 50));
            is_in[i] = true;
        }
    } else if (test_random_below(random, 2) == 0) {
        if (is_in[i]) {
            remove_job(&jobs[i]);
            is_in[i] = false;
        }
    } else if (first != NULL) {
        is_in[container_of(first, struct job, node) - jobs] = false;
        (void)take_first();
    }
}

KTEST_ATTR(priority_queue, agrees_with_a_model, .proves = "10.6.5", .speed = KTEST_SPEED_SLOW);
KTEST(priority_queue, agrees_with_a_model)
{
    static bool is_in[JOBS];
    struct test_random random = {2026};
    size_t fullest = 0;
    size_t empty_count = 0;
    for (size_t i = 0; i < JOBS; i++) {
        is_in[i] = false;
    }
    for (unsigned round = 0; round < 20'000 * test_scale(); round++) {
        step(&random, 2 + round / 1000 % 5, is_in);
        KTEST_ASSERT_TRUE(test, is_first(first, is_in));
        if (round % 16 == 0) {
            size_t count = 0;
            for (size_t i = 0; i < JOBS; i++) {
                count += is_in[i];
            }
            KTEST_ASSERT_TRUE(test, is_sound(is_in));
            KTEST_ASSERT_EQ(test, count_below(first), count);
            fullest = count > fullest ? count : fullest;
            empty_count += count == 0;
        }
    }
    KTEST_EXPECT_GE(test, fullest, JOBS - 8);
    KTEST_EXPECT_GT(test, empty_count, 10);
}
