// SPDX-License-Identifier: MIT
#include "time/timer_queue.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

#define TIMERS 64
#define ROUNDS 100'000

static struct timer_queue queue;
static struct timer timers[TIMERS];

static void init(struct ktest *test)
{
    (void)test;
    queue = (struct timer_queue){0};
    for (size_t i = 0; i < TIMERS; i++) {
        timers[i] = (struct timer){0};
    }
}

KTEST_SUITE(timer_queue, .init = init);

static struct timer *take_first(void)
{
    struct timer *first = queue.first;
    timer_queue_remove(&queue, first);
    return first;
}

KTEST(timer_queue, deadlines_come_in_their_order)
{
    static const uint64_t deadlines[] = {5, 3, 9, 1, 7, UINT64_MAX, 0, 4};
    static const uint64_t sorted[] = {0, 1, 3, 4, 5, 7, 9, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(deadlines); i++) {
        timer_queue_add(&queue, &timers[i], deadlines[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        KTEST_EXPECT_EQ(test, take_first()->deadline_ns, sorted[i]);
    }
    KTEST_EXPECT_NULL(test, queue.first);
    KTEST_EXPECT_EQ(test, queue.count, 0);
}

KTEST(timer_queue, equal_deadlines_come_as_they_were_added)
{
    for (size_t i = 0; i < TIMERS; i++) {
        timer_queue_add(&queue, &timers[i], 7);
    }
    timer_queue_remove(&queue, &timers[5]);
    timer_queue_add(&queue, &timers[5], 7); // behind all now
    for (size_t i = 0; i < TIMERS - 1; i++) {
        KTEST_EXPECT_PTR_EQ(test, take_first(), &timers[i < 5 ? i : i + 1]);
    }
    KTEST_EXPECT_PTR_EQ(test, take_first(), &timers[5]);
}

KTEST(timer_queue, adding_twice_and_removing_what_is_not_there_panics)
{
    timer_queue_add(&queue, &timers[0], 1);
    KTEST_EXPECT_PANIC(test, "*node->rank == 0*", timer_queue_add(&queue, &timers[0], 2));
    KTEST_EXPECT_PANIC(test, "*node->rank != 0*", timer_queue_remove(&queue, &timers[1]));
}

// --- Against a model ----------------------------------------------------------------------------

// The model: whoever is queued, and of those the one that is first.
static const struct timer *first_of_all(const bool *is_in)
{
    const struct timer *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        const struct timer *timer = &timers[i];
        bool is_better = first == NULL || timer->deadline_ns < first->deadline_ns ||
                         (timer->deadline_ns == first->deadline_ns && timer->order < first->order);
        if (is_in[i] && is_better) {
            first = timer;
        }
    }
    return first;
}

// Few deadlines, so that many are equal; adding is as likely as both ways of removing together, or
// less or more so for a while, so that the queue is empty and full at times.
static void step(struct test_random *random, uint64_t add_of_8, bool *is_in)
{
    size_t i = test_random_below(random, TIMERS);
    uint64_t deadline = test_random_below(random, 50);
    if (test_random_below(random, 8) < add_of_8) {
        if (!is_in[i]) {
            timer_queue_add(&queue, &timers[i], deadline);
            is_in[i] = true;
        }
    } else if (test_random_below(random, 2) == 0) {
        if (is_in[i]) {
            timer_queue_remove(&queue, &timers[i]);
            is_in[i] = false;
        }
    } else if (queue.first != NULL) {
        is_in[take_first() - timers] = false;
    }
}

KTEST_ATTR(timer_queue, agrees_with_a_model, .proves = "7.8.1", .speed = KTEST_SPEED_SLOW);
KTEST(timer_queue, agrees_with_a_model)
{
    static bool is_in[TIMERS];
    struct test_random random = {2026};
    for (size_t i = 0; i < TIMERS; i++) {
        is_in[i] = false;
    }
    size_t fullest = 0;
    size_t empty_count = 0;
    for (unsigned round = 0; round < ROUNDS * test_scale(); round++) {
        step(&random, 2 + round / 1000 % 5, is_in);
        KTEST_ASSERT_PTR_EQ(test, queue.first, first_of_all(is_in));
        KTEST_ASSERT_EQ(test, timers[round % TIMERS].is_queued, is_in[round % TIMERS]);
        fullest = queue.count > fullest ? queue.count : fullest;
        empty_count += queue.count == 0;
    }
    KTEST_EXPECT_GE(test, fullest, TIMERS - 8);
    KTEST_EXPECT_GT(test, empty_count, 100);
}

#define MANY 1024

// Among a thousand others.
KTEST_BENCH(timer_queue, add_and_remove)
{
    static struct timer many[MANY + 1];
    struct test_random random = {7};
    for (size_t i = 0; i < MANY; i++) {
        many[i] = (struct timer){0};
        timer_queue_add(&queue, &many[i], test_random_below(&random, 1 << 20));
    }
    many[MANY] = (struct timer){0};
    uint64_t deadline = 0;
    while (ktest_bench_next(test)) {
        deadline = (deadline * 5 + 12345) % (1 << 20);
        timer_queue_add(&queue, &many[MANY], deadline);
        timer_queue_remove(&queue, &many[MANY]);
    }
    KTEST_EXPECT_EQ(test, queue.count, MANY);
}
