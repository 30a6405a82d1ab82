// SPDX-License-Identifier: MIT
//
// Tasks and the interrupts of a real timer: wakes, spawns and the release of memory.
#include "arch/x86_64/cpu.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "mm/heap/heap.h"
#include "task/executor.h"
#include "task/task_fixture.h"
#include "time/timer.h"

static struct executor executor;
static struct test_task task;
static struct timer timer;

static void init(struct ktest *test)
{
    (void)test;
    executor_init(&executor, "test");
    test_task_init(&task, "task", TEST_TASK_ENDLESS);
    timer = (struct timer){};
}

KTEST_SUITE(executor_interrupt, .init = init);

// In an interrupt, soon. From the first call on the device is not the watchdog's any more.
static void call_in(uint64_t ns, timer_function_t *function)
{
    nmi_timer_stop();
    timer.function = function;
    timer_add(&timer, clock_monotonic_ns() + ns);
}

static void call_soon(timer_function_t *function)
{
    call_in(50 * NS_PER_US, function);
}

static void wake_task(struct timer *unused)
{
    (void)unused;
    waker_wake(&task.task.waker);
}

static void wake_many_times(struct timer *unused)
{
    for (int i = 0; i < 101; i++) {
        wake_task(unused);
    }
}

KTEST_ATTR(executor_interrupt, wakes_of_one_handler_are_one_poll, .proves = "12.4.6");
KTEST(executor_interrupt, wakes_of_one_handler_are_one_poll)
{
    test_task_init(&task, "task", 2);
    executor_spawn(&executor, task_get(&task.task));
    executor_run_ready(&executor);

    call_soon(wake_many_times);
    executor_run_until_ended(&executor, &task.task);

    KTEST_EXPECT_EQ(test, task.task.poll_count, 2);
    task_put(&task.task);
    task_free_released();
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

static void wake_soon(struct test_task *self)
{
    if (self->polls_left > 1) {
        call_in(self->polls_left % 64 * NS_PER_US / 8, wake_task);
    }
}

// Each wake comes at another moment of poll, look and halt. One that is lost hangs.
KTEST_ATTR(executor_interrupt, none_of_a_thousand_wakes_is_lost, .proves = "12.4.8",
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                                   .skip = "Bochs is too slow to sleep before it is woken"}),
           .speed = KTEST_SPEED_SLOW);
KTEST(executor_interrupt, none_of_a_thousand_wakes_is_lost)
{
    test_task_init(&task, "task", 1000);
    task.on_poll = wake_soon;
    executor_spawn(&executor, task_get(&task.task));

    executor_run_until_ended(&executor, &task.task);

    KTEST_EXPECT_EQ(test, task.task.poll_count, 1000);
    KTEST_EXPECT_GE(test, executor.sleep_count, 1);
    task_put(&task.task);
    task_free_released();
}

static void spawn_task(struct timer *unused)
{
    (void)unused;
    executor_spawn(&executor, &task.task);
}

KTEST_ATTR(executor_interrupt, spawns_a_task, .proves = "12.5.2");
KTEST(executor_interrupt, spawns_a_task)
{
    test_task_init(&task, "task", 1);
    task_get(&task.task);

    call_soon(spawn_task);
    executor_run_until_ended(&executor, &task.task);

    KTEST_EXPECT_EQ(test, task.task.poll_count, 1);
    task_put(&task.task);
    task_free_released();
    KTEST_EXPECT_EQ(test, task.release_count, 1);
}

static void cancel_task(struct timer *unused)
{
    (void)unused;
    task_cancel(&task.task);
}

KTEST(executor_interrupt, cancels_a_task)
{
    executor_spawn(&executor, task_get(&task.task));
    executor_run_ready(&executor);

    call_soon(cancel_task);
    executor_run_until_ended(&executor, &task.task);

    KTEST_EXPECT_EQ(test, task.task.result, TASK_CANCELLED);
    KTEST_EXPECT_EQ(test, task.drop_count, 1);
    task_put(&task.task);
    task_free_released();
}

// --- The last reference -------------------------------------------------------------------------

static struct {
    struct test_task *task;
    unsigned freed_count;
    unsigned freed_count_in_handler;
} allocated;

static void free_allocated(struct task *released)
{
    kfree(container_of(released, struct test_task, task));
    allocated.freed_count++;
}

static void put_last(struct timer *unused)
{
    (void)unused;
    task_put(&allocated.task->task);
    allocated.freed_count_in_handler = allocated.freed_count;
    waker_wake(&task.task.waker);
}

KTEST_ATTR(executor_interrupt, frees_nothing, .proves = "12.4.2");
KTEST(executor_interrupt, frees_nothing)
{
    allocated.task = kmalloc(sizeof(*allocated.task));
    allocated.freed_count = 0;
    KTEST_ASSERT_NOT_NULL(test, allocated.task);
    test_task_init(allocated.task, "allocated", 1);
    allocated.task->task.release = free_allocated;
    test_task_init(&task, "task", 2);
    executor_spawn(&executor, task_get(&task.task));
    executor_run_ready(&executor);

    call_soon(put_last);
    executor_run_until_ended(&executor, &task.task);

    KTEST_EXPECT_EQ(test, allocated.freed_count_in_handler, 0);
    KTEST_EXPECT_EQ(test, allocated.freed_count, 1);
    task_put(&task.task);
    task_free_released();
}

// --- For ever -----------------------------------------------------------------------------------

#define POLLS 100

static void panic_at_last(struct test_task *self)
{
    KTEST_EXPECT_TRUE(self->context, cpu_interrupts_enabled());
    if (self->task.poll_count == POLLS) {
        panic("it is still running");
    }
    call_soon(wake_task);
}

KTEST_ATTR(executor_interrupt, runs_for_ever, .proves = "12.4.8");
KTEST(executor_interrupt, runs_for_ever)
{
    task.on_poll = panic_at_last;
    task.context = test;
    executor_spawn(&executor, &task.task);
    cpu_enable_interrupts();

    KTEST_EXPECT_PANIC(test, "it is still running", executor_run(&executor));

    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, task.task.poll_count, POLLS);
    KTEST_EXPECT_GE(test, executor.sleep_count, 1);
}
