// SPDX-License-Identifier: MIT
//
// The proof of the race: while tasks are woken, polled, ended and slept for, an interrupt that
// wakes, cancels or spawns comes before each instruction. No wake may be lost, no task be queued
// twice, and each reference is given back once. The same is done wrong in some ways, which have to
// be found.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/interrupt_sweep_fixture.h"
#include "ktest.h"
#include "lib/container_of.h"
#include "task/atomic_waker.h"
#include "task/executor.h"
#include "task/task_state.h"

// Waits for news.
struct listener {
    struct task task;
    struct future future;
    struct atomic_waker place;
    bool has_news; // atomic
    unsigned release_count;
};

static struct executor executor;
static struct listener first;
static struct listener second;
static struct task_join join;
static struct task joiner;

static bool has_news(const struct listener *listener)
{
    return __atomic_load_n(&listener->has_news, __ATOMIC_SEQ_CST);
}

static enum poll look_register_look(struct future *future, struct poll_context *context)
{
    struct listener *self = container_of(future, struct listener, future);
    if (!has_news(self)) {
        atomic_waker_register(&self->place, context->waker);
        if (!has_news(self)) {
            return POLL_PENDING;
        }
        atomic_waker_clear(&self->place);
    }
    return POLL_READY;
}

static void drop(struct future *future)
{
    atomic_waker_clear(&container_of(future, struct listener, future)->place);
}

// The second time is after a loss, when nobody listens any more.
static void tell(struct listener *listener)
{
    if (has_news(listener)) {
        waker_wake(&listener->task.waker);
    } else {
        __atomic_store_n(&listener->has_news, true, __ATOMIC_SEQ_CST);
        atomic_waker_wake(&listener->place);
    }
}

static void count_release(struct task *task)
{
    container_of(task, struct listener, task)->release_count++;
}

// The test has a reference too.
static void init(struct listener *listener)
{
    *listener = (struct listener){};
    future_init(&listener->future, look_register_look, drop);
    task_init(&listener->task, "listener", &listener->future);
    listener->task.release = count_release;
    task_get(&listener->task);
}

static void spawn(struct listener *listener)
{
    init(listener);
    executor_spawn(&executor, &listener->task);
}

static bool is_released_once(struct listener *listener)
{
    bool has_test_only = listener->task.waker.references.count == 1 && listener->release_count == 0;
    task_put(&listener->task);
    task_free_released();
    return has_test_only && listener->release_count == 1;
}

static bool has_ended_well(struct listener *listener)
{
    executor_run_ready(&executor);
    bool has_ended = task_has_ended(&listener->task) && listener->place.waker == NULL;
    return has_ended && is_released_once(listener) && executor_is_idle(&executor);
}

// It has been polled so often; what is only queued comes first.
static bool has_ended_after(struct listener *listener, uint64_t poll_count)
{
    return has_ended_well(listener) && listener->task.poll_count == poll_count;
}

static bool has_no_task(void)
{
    return ordered_map_first(&executor.tasks) == NULL;
}

// --- What is interrupted -------------------------------------------------------------------------

static void spawn_first(void)
{
    executor_init(&executor, "sweep");
    spawn(&first);
}

static void spawn_first_with_news(void)
{
    spawn_first();
    first.has_news = true;
}

static void spawn_joiner_of_first(void)
{
    spawn_first();
    task_join_init(&join, &first.task);
    task_init(&joiner, "joiner", &join.future);
    executor_spawn(&executor, task_get(&joiner));
}

static void let_both_wait(void)
{
    spawn_first();
    spawn(&second);
    executor_run_ready(&executor);
}

static void let_second_wait_for_a_spawn(void)
{
    spawn_first();
    init(&second);
    second.task.priority = TASK_URGENT;
    second.has_news = true;
}

static void run_until_first_has_ended(void)
{
    executor_run_until_ended(&executor, &first.task);
}

static void run_until_second_has_ended(void)
{
    executor_run_until_ended(&executor, &second.task);
}

static void run_until_joiner_has_ended(void)
{
    executor_run_until_ended(&executor, &joiner);
}

static void run_ready(void)
{
    executor_run_ready(&executor);
}

static void tell_first(void)
{
    tell(&first);
}

static void tell_first_and_run(void)
{
    tell(&first);
    executor_run_ready(&executor);
}

static void tell_second(void)
{
    tell(&second);
}

static void wake_first(void)
{
    waker_wake(&first.task.waker);
}

// Gives the test's reference back: the last one, if the executor is through with the task.
static void wake_first_and_put_it(void)
{
    waker_wake(&first.task.waker);
    task_put(&first.task);
}

static void tell_first_and_wake_joiner(void)
{
    waker_wake(&joiner.waker);
    tell(&first);
}

static void cancel_first(void)
{
    task_cancel(&first.task);
}

static void spawn_second(void)
{
    if (task_id(&second.task) == 0) {
        executor_spawn(&executor, &second.task);
    }
}

// --- What has to come of it ----------------------------------------------------------------------

static bool first_has_ended(void)
{
    return has_ended_well(&first) && first.task.poll_count <= 2;
}

static bool first_was_released(void)
{
    executor_run_ready(&executor);
    return first.release_count == 1 && first.task.waker.references.count == 0 && has_no_task();
}

static bool first_was_joined(void)
{
    bool has_joined = join.result == TASK_RETURNED && joiner.poll_count <= 3;
    return has_joined && first_has_ended() && joiner.waker.references.count == 1 && has_no_task();
}

static bool first_was_cancelled(void)
{
    return has_ended_well(&first) && first.task.result == TASK_CANCELLED;
}

// The two wakes were one: nothing was polled in between.
static bool first_was_polled_once_more(void)
{
    return has_ended_after(&first, 2);
}

static bool both_were_polled_once_more(void)
{
    return has_ended_after(&first, 2) && has_ended_after(&second, 2);
}

static bool second_was_polled_once(void)
{
    cancel_first();
    return has_ended_after(&second, 1) && has_ended_well(&first);
}

static const struct interrupt_scenario scenarios[] = {
    // A wake while the executor polls, looks and sleeps.
    {spawn_first, run_until_first_has_ended, tell_first, first_has_ended},
    // Two wakes, of the same task and of two.
    {let_both_wait, tell_first, wake_first, first_was_polled_once_more},
    {let_both_wait, tell_first, tell_second, both_were_polled_once_more},
    // While the inbox is emptied and another one is polled.
    {let_both_wait, tell_first_and_run, tell_second, both_were_polled_once_more},
    // A late wake of one that ends.
    {spawn_first_with_news, run_ready, wake_first, first_has_ended},
    {spawn_first_with_news, run_ready, wake_first_and_put_it, first_was_released},
    {spawn_joiner_of_first, run_until_joiner_has_ended, tell_first_and_wake_joiner,
     first_was_joined},
    {spawn_first, run_until_first_has_ended, cancel_first, first_was_cancelled},
    {let_second_wait_for_a_spawn, run_until_second_has_ended, spawn_second, second_was_polled_once},
};

// Built with a sanitizer each place takes ten times as long.
KTEST_ATTR(executor_sweep, no_wake_is_lost_or_doubled, .timeout_ms = 60000, .proves = "12.4.9",
           .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(executor_sweep, no_wake_is_lost_or_doubled, scenarios, NULL)
{
    interrupt_sweep_expect_sound(test, param);
}

// --- Wrong ways ----------------------------------------------------------------------------------

static enum poll look_and_register(struct future *future, struct poll_context *context)
{
    struct listener *self = container_of(future, struct listener, future);
    if (!has_news(self)) {
        atomic_waker_register(&self->place, context->waker);
        return POLL_PENDING;
    }
    atomic_waker_clear(&self->place);
    return POLL_READY;
}

// As if the executor took the mark away behind the poll, and not before it.
static enum poll stay_queued(struct future *future, struct poll_context *context)
{
    struct listener *self = container_of(future, struct listener, future);
    __atomic_fetch_or(&self->task.state, TASK_STATE_QUEUED, __ATOMIC_SEQ_CST);
    enum poll poll = look_register_look(future, context);
    __atomic_fetch_and(&self->task.state, ~TASK_STATE_QUEUED, __ATOMIC_SEQ_CST);
    return poll;
}

static void look_with_interrupts_on(void)
{
    while (!task_has_ended(&first.task)) {
        executor_run_ready(&executor);
        if (executor_is_idle(&executor) && !task_has_ended(&first.task)) {
            cpu_wait_for_interrupt();
        }
    }
}

static void halt_later(void)
{
    while (!task_has_ended(&first.task)) {
        executor_run_ready(&executor);
        cpu_disable_interrupts();
        if (executor_is_idle(&executor) && !task_has_ended(&first.task)) {
            __asm__ volatile("sti; nop; hlt" : : : "memory");
        }
        cpu_enable_interrupts();
    }
}

static void spawn_without_second_look(void)
{
    spawn_first();
    first.future.poll = look_and_register;
}

static void spawn_to_stay_queued(void)
{
    spawn_first();
    first.future.poll = stay_queued;
}

static const struct interrupt_scenario wrong_scenarios[] = {
    {spawn_without_second_look, run_until_first_has_ended, tell_first, first_has_ended},
    {spawn_to_stay_queued, run_until_first_has_ended, tell_first, first_has_ended},
    {spawn_first, look_with_interrupts_on, tell_first, first_has_ended},
    {spawn_first, halt_later, tell_first, first_has_ended},
};

KTEST_ATTR(executor_sweep, wrong_ways_lose_wakes, .proves = "12.4.9", .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(executor_sweep, wrong_ways_lose_wakes, wrong_scenarios, NULL)
{
    struct interrupt_sweep sweep = interrupt_sweep(param);
    KTEST_EXPECT_GT(test, sweep.losses, 0);
    KTEST_EXPECT_LT(test, sweep.losses, sweep.places / 2);
}
