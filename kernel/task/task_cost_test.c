// SPDX-License-Identifier: MIT
//
// What tasks cost, in instructions, each counted by a single-step trap. The limits are what
// blog_os's executor takes, whose poll costs more the more tasks there are.
#include "arch/x86_64/step_counter.h"
#include "drivers/nmi_timer.h"
#include "irq/irq.h"
#include "ktest.h"
#include "lib/bits.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/simple_executor.h"
#include "task/task_fixture.h"
#include "time/timer.h"

#ifdef __OPTIMIZE__
#define WAKE_AND_POLL_MAX 187
#define WAKE_AND_POLL_OF_64_MAX 330
#define SPAWN_MAX 452
#define FIRST_POLL_AND_END_MAX 744
#define SIMPLE_POLL_MAX 81
#else // blog_os's dev build
#define WAKE_AND_POLL_MAX 3970
#define WAKE_AND_POLL_OF_64_MAX 7863
#define SPAWN_MAX 10'004
#define FIRST_POLL_AND_END_MAX 21'095
#define SIMPLE_POLL_MAX 1346
#endif

static struct executor executor;

static void init(struct ktest *test)
{
    (void)test;
    executor_init(&executor, "cost");
}

KTEST_SUITE(task_cost, .init = init);

static enum poll pend(struct future *future, struct poll_context *context)
{
    (void)future;
    (void)context;
    return POLL_PENDING;
}

static void spawn_pending(struct test_task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_task_init(&tasks[i], "pending", TEST_TASK_ENDLESS);
        tasks[i].future.poll = pend;
        executor_spawn(&executor, &tasks[i].task);
    }
    executor_run_ready(&executor);
}

// Of one among `count`: each is woken, then all are polled, and the executor finds that it is idle.
static unsigned wake_and_poll_cost(struct test_task *tasks, size_t count)
{
    step_counter_start();
    for (size_t i = 0; i < count; i++) {
        waker_wake(&tasks[i].task.waker);
    }
    executor_run_ready(&executor);
    return step_counter_stop() / (unsigned)count;
}

KTEST_ATTR(task_cost, wake_and_poll_cost_the_same_with_any_number_of_tasks, .timeout_ms = 60000,
           .speed = KTEST_SPEED_SLOW, .proves = "12.4.12");
KTEST(task_cost, wake_and_poll_cost_the_same_with_any_number_of_tasks)
{
    struct test_task *tasks = test_task_alloc_many(test);
    spawn_pending(tasks, 1);
    KTEST_EXPECT_LE(test, wake_and_poll_cost(tasks, 1), WAKE_AND_POLL_MAX);

    spawn_pending(tasks + 1, 63);
    unsigned cost_of_64 = wake_and_poll_cost(tasks, 64);
    KTEST_EXPECT_LE(test, cost_of_64, WAKE_AND_POLL_OF_64_MAX);

    spawn_pending(tasks + 64, TEST_TASK_MANY - 64);
    // The watchdog's NMIs are steps too.
    KTEST_EXPECT_LE(test, wake_and_poll_cost(tasks, 64), cost_of_64 + 1);
    KTEST_EXPECT_LE(test, wake_and_poll_cost(tasks, TEST_TASK_MANY), cost_of_64 + 1);
    KTEST_EXPECT_EQ(test, executor.poll_count, 1 + 64 + 64 + 2 * TEST_TASK_MANY);
    executor_close(&executor);
}

KTEST_ATTR(task_cost, spawning_and_ending_are_cheap, .proves = "12.4.12");
KTEST(task_cost, spawning_and_ending_are_cheap)
{
    struct test_task tasks[64];
    for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
        test_task_init(&tasks[i], "short", 1);
    }
    step_counter_start();
    for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
        executor_spawn(&executor, &tasks[i].task);
    }
    KTEST_EXPECT_LE(test, step_counter_stop() / ARRAY_SIZE(tasks), SPAWN_MAX);

    step_counter_start();
    executor_run_ready(&executor);
    KTEST_EXPECT_LE(test, step_counter_stop() / ARRAY_SIZE(tasks), FIRST_POLL_AND_END_MAX);
    KTEST_EXPECT_EQ(test, executor.ended_count, ARRAY_SIZE(tasks));
}

struct simple {
    struct simple_task task;
    struct future future;
    unsigned polls_left;
};

static enum poll count_down(struct future *future, struct poll_context *context)
{
    struct simple *self = container_of(future, struct simple, future);
    (void)context;
    return --self->polls_left == 0 ? POLL_READY : POLL_PENDING;
}

KTEST_ATTR(task_cost, simple_poll_is_cheap, .proves = "12.4.12");
KTEST(task_cost, simple_poll_is_cheap)
{
    struct simple_executor simple_executor = {};
    struct simple simple[2];
    for (size_t i = 0; i < ARRAY_SIZE(simple); i++) {
        simple[i].polls_left = 50;
        future_init(&simple[i].future, count_down, NULL);
        simple_executor_spawn(&simple_executor, &simple[i].task, &simple[i].future);
    }
    step_counter_start();
    simple_executor_run(&simple_executor);
    KTEST_EXPECT_LE(test, step_counter_stop() / 100, SIMPLE_POLL_MAX);
}

// --- Benchmarks ---------------------------------------------------------------------------------

KTEST_BENCH(task_cost, wake_and_poll)
{
    struct test_task task;
    spawn_pending(&task, 1);
    while (ktest_bench_next(test)) {
        waker_wake(&task.task.waker);
        executor_poll_next(&executor);
    }
    executor_close(&executor);
}

KTEST_BENCH(task_cost, wake_and_poll_of_ten_thousand)
{
    struct test_task *tasks = test_task_alloc_many(test);
    spawn_pending(tasks, TEST_TASK_MANY);
    for (size_t i = 0; ktest_bench_next(test); i = (i + 1) % TEST_TASK_MANY) {
        waker_wake(&tasks[i].task.waker);
        executor_poll_next(&executor);
    }
    executor_close(&executor);
}

KTEST_BENCH(task_cost, spawn_to_end)
{
    struct test_task task;
    while (ktest_bench_next(test)) {
        test_task_init(&task, "short", 1);
        executor_spawn(&executor, &task.task);
        executor_run_ready(&executor);
    }
    KTEST_EXPECT_EQ(test, executor.ended_count, executor.poll_count);
}

struct endless {
    struct coroutine coroutine;
    struct coroutine child;
    uint64_t awaited_count;
};

static enum coroutine_step return_at_once(struct coroutine *coroutine)
{
    (void)coroutine;
    return COROUTINE_RETURNS;
}

// Each poll awaits a child that is ready, and yields.
static enum coroutine_step await_children(struct coroutine *coroutine)
{
    struct endless *self = container_of(coroutine, struct endless, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        coroutine_init(&self->child, return_at_once);
        AWAIT(self, &self->child.future);
        self->awaited_count++;
        COROUTINE_YIELD(self);
    }
}

static enum coroutine_step yield_for_ever(struct coroutine *coroutine)
{
    struct endless *self = container_of(coroutine, struct endless, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        COROUTINE_YIELD(self);
    }
}

KTEST_BENCH(task_cost, await_of_a_ready_child)
{
    struct endless object = {};
    struct poll_context context = {&waker_dummy};
    uint64_t poll_count = 0;
    coroutine_init(&object.coroutine, await_children);
    while (ktest_bench_next(test)) {
        poll_count += future_poll(&object.coroutine.future, &context) == POLL_PENDING;
    }
    KTEST_EXPECT_EQ(test, object.awaited_count, poll_count);
}

KTEST_BENCH(task_cost, yield)
{
    struct endless object = {};
    struct task task;
    coroutine_init(&object.coroutine, yield_for_ever);
    task_init(&task, "yields", &object.coroutine.future);
    executor_spawn(&executor, &task);
    while (ktest_bench_next(test)) {
        executor_poll_next(&executor);
    }
    executor_close(&executor);
}

// --- From an interrupt to the poll --------------------------------------------------------------

#define LINE IRQ_COM2 // the tests' protocol port is polled: the line is nobody's

static struct test_task sleeper;
static struct timer timer;

static void wake_sleeper(void *unused)
{
    (void)unused;
    waker_wake(&sleeper.task.waker);
}

static void wake_sleeper_in_time(struct timer *unused)
{
    wake_sleeper(unused);
}

// An interrupt of a device, by `int`: there, the wake in its handler, back, and the poll.
KTEST_BENCH(task_cost, interrupt_to_poll)
{
    spawn_pending(&sleeper, 1);
    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", IRQ_PLAIN, wake_sleeper, NULL), OK);
    while (ktest_bench_next(test)) {
        __asm__ volatile("int %0" : : "i"(IRQ_FIRST_VECTOR + LINE) : "memory");
        executor_poll_next(&executor);
    }
    irq_unregister(LINE);
    KTEST_EXPECT_EQ(test, sleeper.task.poll_count, executor.poll_count);
    executor_close(&executor);
}

static void set_timer(struct test_task *self)
{
    if (self->polls_left > 1) {
        timer_add(&timer, clock_monotonic_ns());
    }
}

// With the real timer: it is set for now, the CPU halts, and whatever it takes until the next poll.
KTEST_BENCH(task_cost, timer_to_poll_of_a_sleeper)
{
    nmi_timer_stop(); // the timer's device may be the watchdog's
    timer = (struct timer){.function = wake_sleeper_in_time};
    while (ktest_bench_next(test)) {
        test_task_init(&sleeper, "sleeper", 2);
        sleeper.on_poll = set_timer;
        executor_spawn(&executor, task_get(&sleeper.task));
        executor_run_until_ended(&executor, &sleeper.task);
        task_put(&sleeper.task);
        task_free_released();
    }
    KTEST_EXPECT_EQ(test, executor.poll_count, 2 * executor.ended_count);
}
