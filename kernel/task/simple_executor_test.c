// SPDX-License-Identifier: MIT
#include "task/simple_executor.h"

#include "ktest.h"
#include "lib/container_of.h"
#include "lib/format.h"
#include "task/coroutine.h"

static struct text_buffer polls; // a letter for each
static struct simple_executor executor;

static void init(struct ktest *test)
{
    static char text[64];
    (void)test;
    text[0] = 0;
    polls = (struct text_buffer){text, sizeof(text), 0};
    executor = (struct simple_executor){};
}

KTEST_SUITE(simple_executor, .init = init);

struct counted {
    struct simple_task task;
    struct future future;
    char name;
    unsigned polls_left;
    struct counted *to_spawn; // by the last poll
};

static void spawn(struct counted *counted);

// Wakes nobody, and is polled all the same.
static enum poll count_down(struct future *future, struct poll_context *context)
{
    struct counted *self = container_of(future, struct counted, future);
    (void)context;
    text_append(&polls, "%c", self->name);
    if (--self->polls_left > 0) {
        return POLL_PENDING;
    }
    if (self->to_spawn != NULL) {
        spawn(self->to_spawn);
    }
    return POLL_READY;
}

static void spawn(struct counted *counted)
{
    future_init(&counted->future, count_down, NULL);
    simple_executor_spawn(&executor, &counted->task, &counted->future);
}

KTEST_ATTR(simple_executor, without_tasks_returns_at_once, .proves = "12.2.1");
KTEST(simple_executor, without_tasks_returns_at_once)
{
    simple_executor_run(&executor);
    KTEST_EXPECT_NULL(test, executor.first);
}

KTEST_ATTR(simple_executor, polls_in_turn_until_none_is_left, .proves = "12.2.1 12.2.3");
KTEST(simple_executor, polls_in_turn_until_none_is_left)
{
    struct counted a = {.name = 'a', .polls_left = 3};
    struct counted b = {.name = 'b', .polls_left = 1};
    struct counted c = {.name = 'c', .polls_left = 5};
    spawn(&a);
    spawn(&b);
    spawn(&c);
    KTEST_EXPECT_STREQ(test, polls.text, "");

    simple_executor_run(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "abcacaccc");
    KTEST_EXPECT_TRUE(test, future_is_ready(&a.future));
    KTEST_EXPECT_TRUE(test, future_is_ready(&b.future));
    KTEST_EXPECT_TRUE(test, future_is_ready(&c.future));
}

KTEST_ATTR(simple_executor, task_that_is_spawned_by_a_task_comes_last, .proves = "12.2.1");
KTEST(simple_executor, task_that_is_spawned_by_a_task_comes_last)
{
    struct counted c = {.name = 'c', .polls_left = 2};
    struct counted a = {.name = 'a', .polls_left = 1, .to_spawn = &c};
    struct counted b = {.name = 'b', .polls_left = 2};
    spawn(&a);
    spawn(&b);

    simple_executor_run(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "abcbc");
}

KTEST(simple_executor, can_be_used_again)
{
    struct counted a = {.name = 'a', .polls_left = 1};
    struct counted b = {.name = 'b', .polls_left = 1};
    spawn(&a);
    simple_executor_run(&executor);

    spawn(&b);
    simple_executor_run(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "ab");
}

struct yielding {
    struct coroutine coroutine;
    struct simple_task task;
    int turn;
};

static enum coroutine_step yield_twice(struct coroutine *coroutine)
{
    struct yielding *self = container_of(coroutine, struct yielding, coroutine);
    COROUTINE_BEGIN(self);
    for (self->turn = 0; self->turn < 2; self->turn++) {
        text_append(&polls, "%d", self->turn);
        COROUTINE_YIELD(self);
    }
    return COROUTINE_RETURNS;
}

KTEST(simple_executor, runs_coroutines)
{
    struct yielding pair[2] = {};
    for (int i = 0; i < 2; i++) {
        coroutine_init(&pair[i].coroutine, yield_twice);
        simple_executor_spawn(&executor, &pair[i].task, &pair[i].coroutine.future);
    }

    simple_executor_run(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "0011");
    KTEST_EXPECT_EQ(test, waker_dummy.references.count, 1);
}

KTEST_ATTR(waker, dummy_wakes_nobody, .proves = "12.2.2");
KTEST(waker, dummy_wakes_nobody)
{
    struct waker *another = waker_get(&waker_dummy);
    KTEST_EXPECT_PTR_EQ(test, another, &waker_dummy);

    waker_wake(another);
    waker_put(another);
    waker_put(NULL);

    KTEST_EXPECT_EQ(test, waker_dummy.references.count, 1);
}
