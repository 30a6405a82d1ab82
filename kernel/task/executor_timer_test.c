// SPDX-License-Identifier: MIT
//
// A real interrupt on the way to the halt: a task waits for a timer, and starts to wait an
// instruction later each time. So the interrupt comes after the halt at first, then between any two
// instructions from the look to the halt, and at last long before. QEMU's -icount makes an
// instruction take the same time each time; without it, it is left to chance.
//
// Nothing else interrupts: a wake-up that is lost stays lost.
#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "lib/container_of.h"
#include "lib/test_random.h"
#include "task/atomic_waker.h"
#include "task/executor.h"
#include "time/timer.h"

#define TIMER_NS (8 * NS_PER_US) // far longer than any way to the halt
#define RESCUE_NS NS_PER_MS
#define ROUNDS 9000 // from no delay to one that is longer than TIMER_NS, at 1 ns an instruction

// Waits until its timer has expired, or is rescued.
struct sleeper {
    struct task task;
    struct future future;
    struct atomic_waker place;
    struct timer timer;
    struct timer rescue;
    bool has_expired; // atomic, as are these:
    bool was_rescued;
    uint64_t expired_ns;
    uint64_t latency_ns; // from the timer to the poll
};

static enum poll wait_for_timer(struct future *future, struct poll_context *context)
{
    struct sleeper *self = container_of(future, struct sleeper, future);
    atomic_waker_register(&self->place, context->waker);
    if (!__atomic_load_n(&self->has_expired, __ATOMIC_SEQ_CST)) {
        return POLL_PENDING;
    }
    self->latency_ns = clock_monotonic_ns() - self->expired_ns;
    atomic_waker_clear(&self->place);
    return POLL_READY;
}

static void expire(struct timer *timer)
{
    struct sleeper *self = container_of(timer, struct sleeper, timer);
    self->expired_ns = clock_monotonic_ns();
    __atomic_store_n(&self->has_expired, true, __ATOMIC_SEQ_CST);
    atomic_waker_wake(&self->place);
}

// The interrupt alone ends the halt; but on a busy host both timers may expire in one, so it comes
// again.
static void rescue(struct timer *timer)
{
    container_of(timer, struct sleeper, rescue)->was_rescued = true;
    timer_add(timer, clock_monotonic_ns() + RESCUE_NS);
}

static void init(struct sleeper *sleeper)
{
    *sleeper = (struct sleeper){.timer.function = expire, .rescue.function = rescue};
    future_init(&sleeper->future, wait_for_timer, NULL);
    task_init(&sleeper->task, "sleeper", &sleeper->future);
    task_get(&sleeper->task);
}

// One instruction for each.
static void delay(uint64_t instructions)
{
    __asm__ volatile("0: loop 0b" : "+c"(instructions));
}

struct result {
    unsigned slept; // rounds
    unsigned lost;
    unsigned queued; // again, as the wake came in the last poll
    uint64_t latency_max_ns;
};

typedef void run_t(struct executor *executor, const struct task *task);

static struct result sleep_in_rounds(run_t *run, bool has_rescue)
{
    static struct executor executor;
    struct sleeper sleeper;
    struct result result = {};
    executor_init(&executor, "rounds");
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t sleep_count = executor.sleep_count;
        init(&sleeper);
        executor_spawn(&executor, &sleeper.task);
        uint64_t now = clock_monotonic_ns();
        if (has_rescue) {
            timer_add(&sleeper.rescue, now + RESCUE_NS);
        }
        timer_add(&sleeper.timer, now + TIMER_NS);
        cpu_enable_interrupts();
        delay(round);
        run(&executor, &sleeper.task);
        cpu_disable_interrupts();
        timer_cancel(&sleeper.rescue);
        result.queued += !executor_is_idle(&executor);
        executor_run_ready(&executor); // one that was woken while it ended is in the queue yet
        result.slept += executor.sleep_count > sleep_count;
        result.lost += sleeper.was_rescued;
        result.latency_max_ns = sleeper.latency_ns > result.latency_max_ns ? sleeper.latency_ns
                                                                           : result.latency_max_ns;
    }
    return result;
}

static void report(const char *what, struct result result)
{
    println("%s: %u of %u rounds slept, %u lost, %u queued, polled after %lu ns at most", what,
            result.slept, ROUNDS, result.lost, result.queued, result.latency_max_ns);
}

// host_tests/test_time.py looks at what they print, where time is exact.
KTEST_ATTR(executor_timer, wakes_wherever_it_comes, .speed = KTEST_SPEED_SLOW, .proves = "12.4.9",
           .timeout_ms = 30000);
KTEST(executor_timer, wakes_wherever_it_comes)
{
    KTEST_ASSERT_NOT_NULL(test, timer_event());
    nmi_timer_stop();
    uint64_t called = timer_statistics_read().called;
    report("executor", sleep_in_rounds(executor_run_until_ended, false));
    KTEST_EXPECT_EQ(test, timer_statistics_read().called, called + ROUNDS);
}

static void look_with_interrupts_on(struct executor *executor, const struct task *task)
{
    while (!task_has_ended(task)) {
        executor_run_ready(executor);
        if (executor_is_idle(executor) && !task_has_ended(task)) {
            executor->sleep_count++;
            cpu_wait_for_interrupt();
        }
    }
}

KTEST_ATTR(executor_timer, wrong_look_is_rescued, .speed = KTEST_SPEED_SLOW, .proves = "12.4.9",
           .timeout_ms = 30000);
KTEST(executor_timer, wrong_look_is_rescued)
{
    KTEST_ASSERT_NOT_NULL(test, timer_event());
    nmi_timer_stop();
    struct result result = sleep_in_rounds(look_with_interrupts_on, true);
    report("wrong look", result);
    KTEST_EXPECT_LT(test, result.lost, ROUNDS / 2);
}

// 20 ms, or test.scale times as long: host_tests/test_time.py looks at what that costs the host.
KTEST_ATTR(executor_timer, waiting_task_lets_the_cpu_halt, .speed = KTEST_SPEED_SLOW,
           .proves = "12.4.10", .timeout_ms = 60000);
KTEST(executor_timer, waiting_task_lets_the_cpu_halt)
{
    struct executor executor;
    struct sleeper sleeper;
    KTEST_ASSERT_NOT_NULL(test, timer_event());
    nmi_timer_stop();
    executor_init(&executor, "waiting");
    init(&sleeper);
    executor_spawn(&executor, &sleeper.task);
    println("a task waits");
    timer_add(&sleeper.timer, clock_monotonic_ns() + test_scale() * 20 * NS_PER_MS);
    executor_run_until_ended(&executor, &sleeper.task);
    KTEST_EXPECT_EQ(test, sleeper.task.poll_count, 2);
    KTEST_EXPECT_LE(test, executor.sleep_count, 3 + test_scale());
}
