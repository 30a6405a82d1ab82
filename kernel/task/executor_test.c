// SPDX-License-Identifier: MIT
#include "task/executor.h"

#include "arch/x86_64/cpu.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "task/coroutine.h"
#include "task/task_fixture.h"
#include "task/task_state.h"

static struct executor executor;
static struct text_buffer polls; // the name of each that is polled

static void init(struct ktest *test)
{
    static char text[128];
    (void)test;
    text[0] = 0;
    polls = (struct text_buffer){text, sizeof(text), 0};
    executor_init(&executor, "test");
}

KTEST_SUITE(executor, .init = init);

static void note_poll(struct test_task *task)
{
    text_append(&polls, "%s", task->task.name);
}

static void spawn_noted(struct test_task *task, const char *name, uint64_t polls_left)
{
    test_task_init(task, name, polls_left);
    task->on_poll = note_poll;
    executor_spawn(&executor, &task->task);
}

static void wake(struct test_task *task)
{
    waker_wake(&task->task.waker);
}

// --- Wakes --------------------------------------------------------------------------------------

KTEST_ATTR(executor, pending_task_that_nobody_wakes_is_polled_once, .proves = "12.4.3 12.4.4");
KTEST(executor, pending_task_that_nobody_wakes_is_polled_once)
{
    struct test_task task;
    spawn_noted(&task, "a", TEST_TASK_ENDLESS);
    KTEST_EXPECT_STREQ(test, polls.text, "");

    executor_run_ready(&executor);
    executor_run_ready(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "a");
    KTEST_EXPECT_EQ(test, task.task.poll_count, 1);
    KTEST_EXPECT_EQ(test, executor.poll_count, 1);
    KTEST_EXPECT_TRUE(test, executor_is_idle(&executor));
    executor_close(&executor);
}

// blog_os's queue of 100 ids overflows, and it panics.
KTEST_ATTR(executor, woken_101_times_is_polled_once, .proves = "12.4.6");
KTEST(executor, woken_101_times_is_polled_once)
{
    struct test_task task;
    spawn_noted(&task, "a", TEST_TASK_ENDLESS);
    for (int i = 0; i < 101; i++) { // before its first poll
        wake(&task);
    }
    executor_run_ready(&executor);
    KTEST_EXPECT_STREQ(test, polls.text, "a");

    for (int i = 0; i < 101; i++) {
        wake(&task);
    }
    executor_run_ready(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "aa");
    KTEST_EXPECT_EQ(test, task.task.waker.references.count, 1);
    executor_close(&executor);
}

static void wake_itself_once(struct test_task *task)
{
    if (task->task.poll_count == 1) {
        wake(task);
        wake(task);
    }
}

KTEST(executor, wake_while_it_is_polled_is_not_lost)
{
    struct test_task task;
    test_task_init(&task, "a", TEST_TASK_ENDLESS);
    task.on_poll = wake_itself_once;
    executor_spawn(&executor, &task.task);

    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, task.task.poll_count, 2);
    executor_close(&executor);
}

KTEST_ATTR(executor, wakes_of_a_finished_task_are_ignored, .proves = "12.4.5 12.4.6 12.4.7");
KTEST(executor, wakes_of_a_finished_task_are_ignored)
{
    struct test_task task;
    spawn_noted(&task, "a", 1);
    struct waker *waker = waker_get(&task.task.waker);
    executor_run_ready(&executor);
    KTEST_EXPECT_TRUE(test, task_has_ended(&task.task));
    KTEST_EXPECT_EQ(test, task.task.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, executor.tasks.count, 0);
    KTEST_EXPECT_EQ(test, executor.ended_count, 1);
    KTEST_EXPECT_EQ(test, task.release_count, 0);

    waker_wake(waker);
    executor_run_ready(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "a");
    waker_put(waker);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

KTEST(executor, wake_in_the_last_poll_is_ignored)
{
    struct test_task task;
    test_task_init(&task, "a", 1);
    task.on_poll = wake_itself_once;
    executor_spawn(&executor, &task.task);

    executor_run_ready(&executor);

    KTEST_EXPECT_EQ(test, task.task.poll_count, 1);
    KTEST_EXPECT_EQ(test, task.task.waker.references.count, 0);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

KTEST_ATTR(executor, wakers_may_outlive_it, .proves = "12.4.7");
KTEST(executor, wakers_may_outlive_it)
{
    struct executor other;
    struct test_task task;
    executor_init(&other, "other");
    test_task_init(&task, "a", TEST_TASK_ENDLESS);
    executor_spawn(&other, &task.task);
    executor_run_ready(&other);
    struct waker *waker = waker_get(&task.task.waker);

    executor_close(&other);
    memset(&other, 0xff, sizeof(other)); // whoever follows a pointer into it faults
    waker_wake(waker);

    KTEST_EXPECT_EQ(test, task.task.result, TASK_CANCELLED);
    KTEST_EXPECT_EQ(test, task.release_count, 0);
    waker_put(waker);
    task_free_released();
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

// --- Order --------------------------------------------------------------------------------------

KTEST(executor, polls_in_the_order_of_the_wakes)
{
    struct test_task a, b, c;
    spawn_noted(&a, "a", TEST_TASK_ENDLESS);
    spawn_noted(&b, "b", TEST_TASK_ENDLESS);
    spawn_noted(&c, "c", TEST_TASK_ENDLESS);
    executor_run_ready(&executor);

    wake(&c);
    wake(&a);
    wake(&c);
    KTEST_EXPECT_TRUE(test, executor_poll_next(&executor));
    wake(&b);
    wake(&c);
    executor_run_ready(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "abccabc");
    executor_close(&executor);
}

KTEST_ATTR(executor, tasks_that_are_always_ready_have_their_turns, .proves = "12.4.11");
KTEST(executor, tasks_that_are_always_ready_have_their_turns)
{
    struct test_task tasks[10];
    for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
        test_task_init(&tasks[i], "always", TEST_TASK_ENDLESS);
        tasks[i].is_always_ready = true;
        executor_spawn(&executor, &tasks[i].task);
    }
    for (uint64_t poll = 0; poll < 1000; poll++) {
        KTEST_ASSERT_TRUE(test, executor_poll_next(&executor));
        const struct test_task *next = &tasks[poll % ARRAY_SIZE(tasks)];
        KTEST_ASSERT_EQ(test, next->task.poll_count, poll / ARRAY_SIZE(tasks) + 1);
    }
    executor_close(&executor);
}

static void spawn_always_ready(struct test_task *task, const char *name,
                               enum task_priority priority)
{
    test_task_init(task, name, TEST_TASK_ENDLESS);
    task->task.priority = priority;
    task->is_always_ready = true;
    task->on_poll = note_poll;
    executor_spawn(&executor, &task->task);
}

static void poll_times(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        executor_poll_next(&executor);
    }
}

KTEST_ATTR(executor, urgent_comes_first_but_nobody_starves, .proves = "12.5.1");
KTEST(executor, urgent_comes_first_but_nobody_starves)
{
    struct test_task urgent, background;
    spawn_always_ready(&background, "b", TASK_BACKGROUND);
    spawn_always_ready(&urgent, "u", TASK_URGENT);

    poll_times(2 * (EXECUTOR_PATIENCE + 1));
    KTEST_EXPECT_STREQ(test, polls.text,
                       "uuuuuuuuuuuuuuuub"
                       "uuuuuuuuuuuuuuuub");

    poll_times(98 * (EXECUTOR_PATIENCE + 1));
    KTEST_EXPECT_EQ(test, urgent.task.poll_count, 100 * EXECUTOR_PATIENCE);
    KTEST_EXPECT_EQ(test, background.task.poll_count, 100);
    executor_close(&executor);
}

KTEST_ATTR(executor, three_priorities_have_their_shares, .proves = "12.5.1");
KTEST(executor, three_priorities_have_their_shares)
{
    struct test_task urgent, normal, background;
    spawn_always_ready(&background, "b", TASK_BACKGROUND);
    spawn_always_ready(&normal, "n", TASK_NORMAL);
    spawn_always_ready(&urgent, "u", TASK_URGENT);

    poll_times(1 + 100 * (EXECUTOR_PATIENCE + 1));

    KTEST_EXPECT_EQ(test,
                    strncmp(polls.text,
                            "uuuuuuuuuuuuuuuubn"
                            "uuuuuuuuuuuuuuubn",
                            35),
                    0);
    KTEST_EXPECT_EQ(test, urgent.task.poll_count, 1 + 100 * (EXECUTOR_PATIENCE - 1));
    KTEST_EXPECT_EQ(test, normal.task.poll_count, 100);
    KTEST_EXPECT_EQ(test, background.task.poll_count, 100);
    executor_close(&executor);
}

KTEST(executor, urgent_task_waits_for_one_poll_at_most)
{
    struct test_task normals[3], urgent;
    for (size_t i = 0; i < ARRAY_SIZE(normals); i++) {
        spawn_always_ready(&normals[i], "n", TASK_NORMAL);
    }
    test_task_init(&urgent, "u", TEST_TASK_ENDLESS);
    urgent.task.priority = TASK_URGENT;
    urgent.on_poll = note_poll;
    executor_spawn(&executor, &urgent.task);

    poll_times(3);
    wake(&urgent);
    poll_times(2);

    KTEST_EXPECT_STREQ(test, polls.text, "unnun");
    executor_close(&executor);
}

// --- Spawning -----------------------------------------------------------------------------------

KTEST_ATTR(executor, spawning_a_task_twice_panics, .proves = "12.4.3");
KTEST(executor, spawning_a_task_twice_panics)
{
    struct test_task task;
    spawn_noted(&task, "a", 1);
    KTEST_EXPECT_PANIC(test, "*task->executor == NULL*", executor_spawn(&executor, &task.task));

    executor_run_ready(&executor);
    KTEST_EXPECT_PANIC(test, "*task->executor == NULL*", executor_spawn(&executor, &task.task));
    KTEST_EXPECT_STREQ(test, polls.text, "a");
}

KTEST_ATTR(executor, ids_are_unique_in_all_executors, .proves = "12.4.1");
KTEST(executor, ids_are_unique_in_all_executors)
{
    struct executor other;
    struct test_task tasks[4];
    executor_init(&other, "other");
    for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
        test_task_init(&tasks[i], "a", 1);
        KTEST_EXPECT_EQ(test, task_id(&tasks[i].task), 0);
        executor_spawn(i % 2 == 0 ? &executor : &other, &tasks[i].task);
        KTEST_EXPECT_EQ(test, task_id(&tasks[i].task), task_id(&tasks[0].task) + i);
    }
    KTEST_EXPECT_EQ(test, sizeof(task_id(&tasks[0].task)), 8);
    KTEST_EXPECT_GT(test, task_id(&tasks[0].task), 0);
    executor_run_ready(&executor);
    executor_run_ready(&other);
}

static void spawn_from_context(struct test_task *self)
{
    note_poll(self);
    if (self->context != NULL) {
        executor_spawn(self->task.executor, self->context);
        self->context = NULL;
    }
}

KTEST_ATTR(executor, tasks_spawn_tasks, .proves = "12.5.2");
KTEST(executor, tasks_spawn_tasks)
{
    struct test_task parent, child, other;
    spawn_noted(&parent, "p", 2);
    spawn_noted(&other, "o", 1);
    test_task_init(&child, "c", 1);
    child.on_poll = note_poll;
    parent.on_poll = spawn_from_context;
    parent.context = &child.task;

    executor_run_ready(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "poc");
    KTEST_EXPECT_EQ(test, child.release_count, 1);
    executor_close(&executor);
}

KTEST_ATTR(executor, finds_tasks_by_their_id, .proves = "12.4.2");
KTEST(executor, finds_tasks_by_their_id)
{
    struct test_task a, b;
    spawn_noted(&a, "a", TEST_TASK_ENDLESS);
    spawn_noted(&b, "b", 2);
    uint64_t id = task_id(&b.task);

    struct task *found = executor_find(&executor, id); // though nobody has polled it
    KTEST_ASSERT_PTR_EQ(test, found, &b.task);
    task_put(found);
    executor_run_ready(&executor);

    found = executor_find(&executor, id);
    KTEST_ASSERT_PTR_EQ(test, found, &b.task);
    KTEST_EXPECT_EQ(test, b.task.waker.references.count, 2);
    KTEST_EXPECT_NULL(test, executor_find(&executor, id + 1));
    struct task *first = executor_find(&executor, 0);
    KTEST_EXPECT_PTR_EQ(test, first, &a.task);
    task_put(first);

    waker_wake(&found->waker);
    executor_run_ready(&executor);
    KTEST_EXPECT_NULL(test, executor_find(&executor, id));
    KTEST_EXPECT_TRUE(test, task_has_ended(found));
    task_put(found);
    executor_close(&executor);
    KTEST_EXPECT_EQ(test, b.release_count, 1);
}

// --- Kinds of tasks -----------------------------------------------------------------------------

struct two_turns {
    struct coroutine coroutine;
    struct task task;
};

static enum coroutine_step two_turns(struct coroutine *coroutine)
{
    struct two_turns *self = container_of(coroutine, struct two_turns, coroutine);
    COROUTINE_BEGIN(self);
    text_append(&polls, "1");
    COROUTINE_YIELD(self);
    text_append(&polls, "2");
    return COROUTINE_RETURNS;
}

KTEST_ATTR(executor, runs_futures_of_any_kind, .proves = "12.1.8");
KTEST(executor, runs_futures_of_any_kind)
{
    struct two_turns coroutine;
    struct test_task counted, last;
    struct task_join join;
    struct task join_task;
    coroutine_init(&coroutine.coroutine, two_turns);
    task_init(&coroutine.task, "coroutine", &coroutine.coroutine.future);
    task_join_init(&join, &coroutine.task);
    task_init(&join_task, "join", &join.future);
    spawn_noted(&counted, "c", 1);
    executor_spawn(&executor, &join_task);
    executor_spawn(&executor, &coroutine.task);
    spawn_noted(&last, "e", 1);

    executor_run_ready(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "c1e2");
    KTEST_EXPECT_TRUE(test, task_has_ended(&join_task));
    KTEST_EXPECT_EQ(test, join.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, coroutine.task.waker.references.count, 0);
}

// --- Many ---------------------------------------------------------------------------------------

KTEST_ATTR(executor, polls_those_of_ten_thousand_that_are_woken, .proves = "12.4.2 12.4.4",
           .speed = KTEST_SPEED_SLOW);
KTEST(executor, polls_those_of_ten_thousand_that_are_woken)
{
    struct test_random random = {12};
    struct test_task *tasks = test_task_alloc_many(test);
    for (size_t i = 0; i < TEST_TASK_MANY; i++) {
        test_task_init(&tasks[i], "many", 2);
        executor_spawn(&executor, &tasks[i].task);
    }
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, executor.tasks.count, TEST_TASK_MANY);
    KTEST_EXPECT_EQ(test, executor.poll_count, TEST_TASK_MANY);

    size_t woken_count = 0;
    for (int i = 0; i < TEST_TASK_MANY / 10; i++) {
        struct test_task *task = &tasks[test_random_below(&random, TEST_TASK_MANY)];
        woken_count += (task->task.state & TASK_STATE_QUEUED) == 0;
        wake(task);
    }
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, executor.ended_count, woken_count);
    KTEST_EXPECT_EQ(test, executor.poll_count, TEST_TASK_MANY + woken_count);

    executor_close(&executor);
    size_t released_count = 0;
    size_t dropped_count = 0;
    for (size_t i = 0; i < TEST_TASK_MANY; i++) {
        released_count += tasks[i].release_count == 1;
        dropped_count += tasks[i].drop_count == 1;
    }
    KTEST_EXPECT_EQ(test, released_count, TEST_TASK_MANY);
    KTEST_EXPECT_EQ(test, dropped_count, TEST_TASK_MANY - woken_count);
    KTEST_EXPECT_EQ(test, executor.ended_count, TEST_TASK_MANY);
}

// --- The end ------------------------------------------------------------------------------------

KTEST(executor, close_cancels_whatever_is_left)
{
    struct test_task pending, ready, fresh;
    spawn_noted(&pending, "p", TEST_TASK_ENDLESS);
    spawn_noted(&ready, "r", TEST_TASK_ENDLESS);
    executor_run_ready(&executor);
    wake(&ready);
    spawn_noted(&fresh, "f", TEST_TASK_ENDLESS);

    executor_close(&executor);

    KTEST_EXPECT_STREQ(test, polls.text, "pr");
    KTEST_EXPECT_EQ(test, executor.tasks.count, 0);
    KTEST_EXPECT_EQ(test, executor.ended_count, 3);
    struct test_task *const all[] = {&pending, &ready, &fresh};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        KTEST_EXPECT_EQ(test, all[i]->task.result, TASK_CANCELLED);
        KTEST_EXPECT_EQ(test, all[i]->drop_count, 1);
        KTEST_EXPECT_EQ(test, all[i]->release_count, 1);
    }
}

static struct test_task late;

static void spawn_late(struct future *future)
{
    (void)future;
    executor_spawn(&executor, &late.task);
}

KTEST(executor, close_cancels_what_is_spawned_meanwhile)
{
    struct test_task task;
    test_task_init(&late, "late", 1);
    spawn_noted(&task, "a", TEST_TASK_ENDLESS);
    task.future.drop = spawn_late;
    executor_run_ready(&executor);

    executor_close(&executor);

    KTEST_EXPECT_EQ(test, late.task.result, TASK_CANCELLED);
    KTEST_EXPECT_EQ(test, late.task.poll_count, 0);
    KTEST_EXPECT_EQ(test, late.release_count, 1);
}

KTEST(executor, run_until_ended_leaves_the_others_to_the_next)
{
    struct test_task first, second;
    spawn_noted(&first, "a", 1);
    spawn_noted(&second, "b", 1);
    task_get(&first.task);

    executor_run_until_ended(&executor, &first.task);

    KTEST_EXPECT_STREQ(test, polls.text, "a");
    KTEST_EXPECT_FALSE(test, executor_is_idle(&executor));
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
    task_put(&first.task);
    executor_run_ready(&executor);
    KTEST_EXPECT_EQ(test, first.release_count, 1);
    KTEST_EXPECT_STREQ(test, polls.text, "ab");
}

static bool interrupts_in_poll;

static void note_interrupts(struct test_task *self)
{
    (void)self;
    interrupts_in_poll = cpu_interrupts_enabled();
}

KTEST(executor, run_until_ended_polls_with_interrupts_on)
{
    struct test_task task;
    for (int are_on = 0; are_on < 2; are_on++) {
        test_task_init(&task, "a", 1);
        task.on_poll = note_interrupts;
        executor_spawn(&executor, task_get(&task.task));
        interrupts_in_poll = false;
        if (are_on) {
            cpu_enable_interrupts();
        }
        executor_run_until_ended(&executor, &task.task);
        bool are_on_behind = cpu_interrupts_enabled();
        cpu_disable_interrupts();
        KTEST_EXPECT_TRUE(test, interrupts_in_poll);
        KTEST_EXPECT_EQ(test, are_on_behind, are_on);
        task_put(&task.task);
        task_free_released();
    }
}

static void spawn_in_release(struct task *released)
{
    (void)released;
    executor_spawn(&executor, &late.task);
}

KTEST(executor, is_not_idle_while_somebody_is_to_be_released)
{
    struct test_task released;
    test_task_init(&released, "released", 1);
    KTEST_EXPECT_TRUE(test, executor_is_idle(&executor));
    task_put(&released.task); // maybe by a handler
    KTEST_EXPECT_FALSE(test, executor_is_idle(&executor));
    executor_run_ready(&executor);
    KTEST_EXPECT_TRUE(test, executor_is_idle(&executor));
    KTEST_EXPECT_EQ(test, released.release_count, 1);
}

// There is news between the last poll and the look before the halt.
KTEST(executor, that_is_not_idle_after_all_has_interrupts_on)
{
    struct test_task released;
    test_task_init(&late, "late", 1);
    late.on_poll = note_interrupts;
    interrupts_in_poll = false;
    test_task_init(&released, "released", 1);
    released.task.release = spawn_in_release;
    task_put(&released.task);
    task_get(&late.task);

    executor_run_until_ended(&executor, &late.task);

    KTEST_EXPECT_TRUE(test, interrupts_in_poll);
    KTEST_EXPECT_EQ(test, executor.sleep_count, 0);
    task_put(&late.task);
    task_free_released();
}
