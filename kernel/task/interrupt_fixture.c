// SPDX-License-Identifier: MIT
#include "task/interrupt_fixture.h"

#include "drivers/nmi_timer.h"
#include "task/executor.h"
#include "time/timer.h"

void test_run_until_interrupt(struct ktest *test, struct future *future, timer_function_t *function)
{
    struct timer timer = {.function = function};
    struct executor executor;
    struct task task;
    nmi_timer_stop(); // the timer's device may be the watchdog's
    executor_init(&executor, "test");
    task_init(&task, "test", future);
    executor_spawn(&executor, task_get(&task));
    executor_run_ready(&executor);
    KTEST_EXPECT_FALSE(test, task_has_ended(&task));

    timer_add(&timer, clock_monotonic_ns() + NS_PER_MS);
    executor_run_until_ended(&executor, &task);
    KTEST_EXPECT_FALSE(test, timer_cancel(&timer));
    KTEST_EXPECT_EQ(test, task.poll_count, 2);
    KTEST_EXPECT_EQ(test, task.waker.references.count, 1);
}
