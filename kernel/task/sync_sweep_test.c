// SPDX-License-Identifier: MIT
//
// What tasks do with semaphores, events, channels and delays, and a handler that does the same or
// the opposite, before each instruction of it. Whichever comes first: nothing is lost, nothing is
// doubled, and nobody waits for ever.
#include "arch/x86_64/interrupt_sweep_fixture.h"
#include "ktest.h"
#include "task/channel.h"
#include "task/clock_fixture.h"
#include "task/delay.h"
#include "task/event.h"
#include "task/test_waker.h"

TESTS_BYPASS_GUARDS

// One of the task's, the others beside it.
static struct test_waker wakers[2];

static void begin(void)
{
    wakers[0] = test_waker_make();
    wakers[1] = test_waker_make();
}

static enum poll poll(unsigned client, struct future *future)
{
    return future_poll(future, &(struct poll_context){&wakers[client].waker});
}

// It was ready when it was polled, or has been woken and is ready now. Nobody keeps the waker.
static bool is_or_gets_ready(unsigned client, struct future *future)
{
    bool is_ready = future_is_ready(future) ||
                    (wakers[client].wake_count > 0 && poll(client, future) == POLL_READY);
    return is_ready && wakers[client].waker.references.count == 1;
}

static bool is_left_alone(unsigned client)
{
    return wakers[client].wake_count <= 1 && wakers[client].waker.references.count == 1;
}

// --- Semaphore ----------------------------------------------------------------------------------

static struct semaphore semaphore;
static struct semaphore_acquire acquires[2];
static unsigned acquired_count; // atomic

static void begin_with_permits(uint32_t permits)
{
    begin();
    semaphore_init(&semaphore, permits);
    semaphore_acquire_init(&acquires[0], &semaphore);
    semaphore_acquire_init(&acquires[1], &semaphore);
    acquired_count = 0;
}

static void begin_without_permit(void)
{
    begin_with_permits(0);
}

static void begin_with_one_permit(void)
{
    begin_with_permits(1);
}

static void acquire(void)
{
    (void)!poll(0, &acquires[0].future);
}

static void let_one_wait(void)
{
    begin_without_permit();
    acquire();
}

static void let_one_be_granted(void)
{
    let_one_wait();
    semaphore_release(&semaphore);
}

static void let_two_wait(void)
{
    let_one_wait();
    (void)!poll(1, &acquires[1].future);
}

static void release(void)
{
    semaphore_release(&semaphore);
}

static void try_acquire(void)
{
    bool is_acquired = semaphore_try_acquire(&semaphore);
    __atomic_fetch_add(&acquired_count, is_acquired, __ATOMIC_RELAXED);
}

static void drop_acquire(void)
{
    future_drop(&acquires[0].future);
}

static void close_semaphore(void)
{
    semaphore_close(&semaphore);
}

static bool first_has_permit(void)
{
    return is_or_gets_ready(0, &acquires[0].future) && acquires[0].result == OK &&
           semaphore.permits == 0;
}

static bool first_has_one_and_one_is_free(void)
{
    return is_or_gets_ready(0, &acquires[0].future) && semaphore.permits == 1;
}

static bool second_has_permit(void)
{
    return is_left_alone(0) && is_or_gets_ready(1, &acquires[1].future) && semaphore.permits == 0;
}

static bool first_sees_close(void)
{
    return is_or_gets_ready(0, &acquires[0].future) && acquires[0].result == EPIPE;
}

static bool two_are_free(void)
{
    return semaphore.permits == 2;
}

static bool one_was_acquired(void)
{
    return acquired_count == 1 && semaphore.permits == 0;
}

// The handler has it, or gives way to nobody: the task waits for the next.
static bool one_of_both_has_permit(void)
{
    bool has_it = future_is_ready(&acquires[0].future);
    drop_acquire();
    return acquired_count == !has_it && is_left_alone(0) && semaphore.permits == 0;
}

// --- Event --------------------------------------------------------------------------------------

static struct event event;
static struct event_wait wait;

static void begin_event(void)
{
    begin();
    event_init(&event);
    event_wait_init(&wait, &event);
}

static void wait_for_event(void)
{
    (void)!poll(0, &wait.future);
}

static void let_wait_for_event(void)
{
    begin_event();
    wait_for_event();
}

static void set_and_clear_event(void)
{
    event_set(&event);
    event_clear(&event);
}

static void set_event(void)
{
    event_set(&event);
}

static void drop_wait(void)
{
    future_drop(&wait.future);
}

static bool wait_is_over(void)
{
    return is_or_gets_ready(0, &wait.future) && wait_queue_is_empty(&event.waiters);
}

static bool nobody_waits(void)
{
    return is_left_alone(0) && wait_queue_is_empty(&event.waiters);
}

// --- Channel ------------------------------------------------------------------------------------

static uint32_t elements[2];
static struct channel channel;
static struct channel_send send;
static struct channel_receive receives[2];
static const uint32_t one = 1;
static const uint32_t two = 2;
static uint32_t taken[2]; // by receive or task, and by handler; 0: nothing

static void begin_channel(void)
{
    begin();
    channel_init(&channel, elements, sizeof(elements[0]), 2);
    channel_send_init(&send, &channel, &one);
    taken[0] = taken[1] = 0;
    for (unsigned i = 0; i < 2; i++) {
        channel_receive_init(&receives[i], &channel, &taken[i]);
    }
}

static void send_one(void)
{
    (void)!channel_try_send(&channel, &one);
}

static void send_two(void)
{
    (void)!channel_try_send(&channel, &two);
}

static void begin_with_one(void)
{
    begin_channel();
    send_one();
}

static void begin_full(void)
{
    begin_with_one();
    send_two();
}

static void receive(void)
{
    (void)!poll(0, &receives[0].future);
}

static void let_two_receive(void)
{
    begin_channel();
    receive();
    (void)!poll(1, &receives[1].future);
}

static void drop_receive(void)
{
    future_drop(&receives[0].future);
}

static void send_by_task(void)
{
    (void)!poll(0, &send.future);
}

static void take(void)
{
    (void)!channel_try_receive(&channel, &taken[0]);
}

static void take_in_handler(void)
{
    (void)!channel_try_receive(&channel, &taken[1]);
}

static void close_channel(void)
{
    channel_close(&channel);
}

static bool both_are_gone(void)
{
    return channel.count == 0 && channel.room.permits == 2 && channel.filled.permits == 0;
}

static bool both_are_sent(void)
{
    uint32_t first = 0;
    uint32_t second = 0;
    return channel_try_receive(&channel, &first) == OK &&
           channel_try_receive(&channel, &second) == OK && first + second == 3 && first != second &&
           both_are_gone();
}

static bool both_are_taken(void)
{
    return taken[0] + taken[1] == 3 && taken[0] != taken[1] && both_are_gone();
}

static bool one_is_taken_and_two_is_left(void)
{
    uint32_t last = 0;
    return taken[0] == 1 && channel_try_receive(&channel, &last) == OK && last == 2 &&
           both_are_gone();
}

static bool one_is_received(void)
{
    return is_or_gets_ready(0, &receives[0].future) && taken[0] == 1 && channel.count == 0;
}

static bool second_receives_one(void)
{
    return is_left_alone(0) && is_or_gets_ready(1, &receives[1].future) && taken[1] == 1;
}

// Then the other one waits.
static bool one_is_received_once(void)
{
    drop_receive();
    return is_left_alone(0) && taken[0] + taken[1] == 1 && both_are_gone();
}

static bool task_has_sent_too(void)
{
    return taken[1] == 1 && is_or_gets_ready(0, &send.future) && send.result == OK &&
           channel.count == 2;
}

static bool is_sent_or_closed(void)
{
    return future_is_ready(&send.future) && channel.count == (send.result == OK) &&
           channel_try_send(&channel, &two) == EPIPE;
}

static bool all_come_to_the_end(void)
{
    return is_or_gets_ready(0, &receives[0].future) && receives[0].result == OK &&
           poll(1, &receives[1].future) == POLL_READY && receives[1].result == EPIPE;
}

// --- Delay --------------------------------------------------------------------------------------

static struct delay delay;

static void begin_delay(void)
{
    begin();
    test_clock_ns = 5000;
    delay_init(&delay, 100);
}

static void poll_delay(void)
{
    (void)!poll(0, &delay.future);
}

static void let_sleep(void)
{
    begin_delay();
    poll_delay();
}

// The time has come, and if the timer is queued, its interrupt. If it is queued later, then later.
static void end_delay(void)
{
    __atomic_store_n(&test_clock_ns, 5100, __ATOMIC_RELAXED);
    if (timer_cancel(&delay.timer)) {
        delay.timer.function(&delay.timer);
    }
}

static void drop_delay(void)
{
    future_drop(&delay.future);
}

static bool delay_is_over(void)
{
    end_delay();
    return is_or_gets_ready(0, &delay.future) && test_clock_timers() == 0;
}

static bool nothing_is_left(void)
{
    return is_left_alone(0) && test_clock_timers() == 0;
}

// --- All ----------------------------------------------------------------------------------------

static const struct interrupt_scenario scenarios[] = {
    {begin_without_permit, acquire, release, first_has_permit},
    {begin_without_permit, acquire, close_semaphore, first_sees_close},
    {begin_without_permit, release, release, two_are_free},
    {let_one_wait, release, release, first_has_one_and_one_is_free},
    {let_two_wait, drop_acquire, release, second_has_permit},
    {let_one_be_granted, drop_acquire, release, two_are_free},
    {begin_with_one_permit, try_acquire, try_acquire, one_was_acquired},
    {begin_with_one_permit, acquire, try_acquire, one_of_both_has_permit},

    {begin_event, wait_for_event, set_event, wait_is_over},
    {let_wait_for_event, wait_for_event, set_and_clear_event, wait_is_over},
    {let_wait_for_event, set_and_clear_event, set_and_clear_event, wait_is_over},
    {let_wait_for_event, drop_wait, set_event, nobody_waits},

    {begin_channel, send_one, send_two, both_are_sent},
    {begin_channel, receive, send_one, one_is_received},
    {begin_with_one, receive, take_in_handler, one_is_received_once},
    {begin_with_one, take, send_two, one_is_taken_and_two_is_left},
    {begin_full, take, take_in_handler, both_are_taken},
    {begin_full, send_by_task, take_in_handler, task_has_sent_too},
    {begin_channel, send_by_task, close_channel, is_sent_or_closed},
    {begin_with_one, receive, close_channel, all_come_to_the_end},
    {let_two_receive, drop_receive, send_one, second_receives_one},

    {begin_delay, poll_delay, end_delay, delay_is_over},
    {let_sleep, poll_delay, end_delay, delay_is_over},
    {let_sleep, drop_delay, end_delay, nothing_is_left},
};

KTEST_ATTR(sync_sweep, nothing_is_lost_or_doubled, .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(sync_sweep, nothing_is_lost_or_doubled, scenarios, NULL)
{
    test_clock_use(test);
    interrupt_sweep_expect_sound(test, param);
}
