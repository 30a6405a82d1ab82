// SPDX-License-Identifier: MIT
#include "ktest.h"
#include "lib/string.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/task_fixture.h"
#include "time/clock.h"

#define HEADER "   id name            priority   state     polls     age goes on at\n"

static struct executor executor;
static struct text_buffer text;
static struct text_buffer expected;

static void append(void *context, const char *bytes, size_t size_bytes)
{
    text_append(context, "%.*s", (int)size_bytes, bytes);
}

static const struct writer to_text = {append, &text};

static void init(struct ktest *test)
{
    static char buffers[2][1024];
    (void)test;
    buffers[0][0] = 0;
    text = (struct text_buffer){buffers[0], sizeof(buffers[0]), 0};
    expected = (struct text_buffer){buffers[1], sizeof(buffers[1]), 0};
    executor_init(&executor, "test");
}

KTEST_SUITE(executor_dump, .init = init);

static void expect_line(const struct task *task, const char *rest)
{
    text_append(&expected, "%5lu %s", task_id(task), rest);
}

KTEST(executor_dump, empty_is_two_lines)
{
    executor_dump(&executor, &to_text);
    KTEST_EXPECT_STREQ(test, text.text,
                       "executor test: 0 tasks, 0 ended, 0 polls, 0 sleeps\n" HEADER);
}

static void dump_from_task(struct test_task *self)
{
    executor_dump(self->task.executor, &to_text);
}

KTEST(executor_dump, tells_what_each_task_does)
{
    struct test_task waits, ready, runs, fresh, gone;
    test_task_init(&waits, "waits-long", TEST_TASK_ENDLESS);
    test_task_init(&ready, "is-ready", TEST_TASK_ENDLESS);
    test_task_init(&runs, "dumps", TEST_TASK_ENDLESS);
    test_task_init(&fresh, "a-name-of-20-letters", TEST_TASK_ENDLESS);
    test_task_init(&gone, "gone", 1);
    waits.task.priority = TASK_BACKGROUND;
    runs.task.priority = TASK_URGENT;
    executor_spawn(&executor, &waits.task);
    executor_spawn(&executor, &ready.task);
    executor_spawn(&executor, &runs.task);
    executor_spawn(&executor, &gone.task);
    executor_run_ready(&executor);
    waits.task.spawned_ns = clock_monotonic_ns() - 123 * NS_PER_SECOND - NS_PER_SECOND / 4;
    executor_spawn(&executor, &fresh.task);
    waker_wake(&ready.task.waker);

    runs.on_poll = dump_from_task;
    waker_wake(&runs.task.waker);
    executor_poll_next(&executor);

    text_append(&expected, "executor test: 4 tasks, 1 ended, 5 polls, 0 sleeps\n" HEADER);
    expect_line(&waits.task, "waits-long      background waits         1   123 s poll+0\n");
    expect_line(&ready.task, "is-ready        normal     ready         1     0 s poll+0\n");
    expect_line(&runs.task, "dumps           urgent     runs          2     0 s poll+0\n");
    expect_line(&fresh.task, "a-name-of-20-letters normal     ready         0     0 s poll+0\n");
    KTEST_EXPECT_STREQ(test, text.text, expected.text);
    executor_close(&executor);
}

static void wake_itself(struct test_task *self)
{
    waker_wake(&self->task.waker);
}

KTEST(executor_dump, leaves_out_who_has_ended)
{
    struct test_task task;
    test_task_init(&task, "gone", 1);
    task.on_poll = wake_itself; // it stays in the queue
    executor_spawn(&executor, &task.task);
    executor_poll_next(&executor);

    executor_dump(&executor, &to_text);

    KTEST_EXPECT_STREQ(test, text.text,
                       "executor test: 0 tasks, 1 ended, 1 polls, 0 sleeps\n" HEADER);
    executor_close(&executor);
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

KTEST(executor_dump, shows_those_that_have_been_passed_over)
{
    struct test_task urgent, background;
    test_task_init(&urgent, "urgent", TEST_TASK_ENDLESS);
    test_task_init(&background, "background", 1);
    urgent.task.priority = TASK_URGENT;
    background.task.priority = TASK_BACKGROUND;
    executor_spawn(&executor, &background.task);
    executor_spawn(&executor, &urgent.task);
    executor_poll_next(&executor);

    executor_dump(&executor, &to_text);

    text_append(&expected, "executor test: 2 tasks, 0 ended, 1 polls, 0 sleeps\n" HEADER);
    expect_line(&background.task, "background      background ready         0     0 s poll+0\n");
    expect_line(&urgent.task, "urgent          urgent     waits         1     0 s poll+0\n");
    KTEST_EXPECT_STREQ(test, text.text, expected.text);
    executor_close(&executor);
}

// --- Coroutines ---------------------------------------------------------------------------------

struct waits_deep {
    struct coroutine coroutine;
    struct coroutine inner;
    struct future never;
    struct task task;
};

static enum poll never(struct future *future, struct poll_context *context)
{
    (void)future;
    (void)context;
    return POLL_PENDING;
}

static enum coroutine_step waits_inside(struct coroutine *coroutine)
{
    struct inner {
        struct coroutine coroutine;
    } *self = container_of(coroutine, struct inner, coroutine);
    COROUTINE_BEGIN(self);
    COROUTINE_YIELD(self);
    AWAIT(self, &container_of(coroutine, struct waits_deep, inner)->never);
    return COROUTINE_RETURNS;
}

static enum coroutine_step waits_outside(struct coroutine *coroutine)
{
    struct waits_deep *self = container_of(coroutine, struct waits_deep, coroutine);
    COROUTINE_BEGIN(self);
    coroutine_init(&self->inner, waits_inside);
    AWAIT(self, &self->inner.future);
    return COROUTINE_RETURNS;
}

static void dump_place_into(struct text_buffer *place)
{
    text.used_bytes = 0;
    executor_dump(&executor, &to_text);
    const char *last = text.text;
    for (const char *at = text.text; *at != 0; at++) {
        last = *at == ' ' ? at + 1 : last;
    }
    text_append(place, "%s", last);
}

KTEST(executor_dump, shows_the_place_in_the_innermost_coroutine)
{
    struct waits_deep object;
    coroutine_init(&object.coroutine, waits_outside);
    future_init(&object.never, never, NULL);
    task_init(&object.task, "deep", &object.coroutine.future);
    executor_spawn(&executor, &object.task);

    char buffer[200];
    struct text_buffer places = {buffer, sizeof(buffer), 0};
    dump_place_into(&places);
    executor_poll_next(&executor);
    dump_place_into(&places);
    uint64_t first = object.inner.place - (uint64_t)waits_inside;
    executor_poll_next(&executor);
    dump_place_into(&places);
    uint64_t second = object.inner.place - (uint64_t)waits_inside;

    text_append(&expected, "waits_outside+0\nwaits_inside+%#lx\nwaits_inside+%#lx\n", first,
                second);
    KTEST_EXPECT_STREQ(test, places.text, expected.text);
    KTEST_EXPECT_NE(test, first, second);
    executor_close(&executor);
}

KTEST(executor_dump, shows_an_unknown_place_as_its_address)
{
    struct test_task task;
    test_task_init(&task, "odd", TEST_TASK_ENDLESS);
    executor_spawn(&executor, &task.task);
    executor_run_ready(&executor);
    task.future.poll = (future_poll_t *)0x1234;

    char buffer[32];
    struct text_buffer place = {buffer, sizeof(buffer), 0};
    dump_place_into(&place);

    KTEST_EXPECT_STREQ(test, place.text, "0x1234\n");
    executor_close(&executor);
}
