// SPDX-License-Identifier: MIT
#include "task/channel.h"

#include "ktest.h"
#include "lib/bits.h"
#include "task/interrupt_fixture.h"
#include "task/test_waker.h"

#define CAPACITY 2

static uint64_t elements[CAPACITY];
static struct channel channel;

static struct {
    struct test_waker waker;
    uint64_t element;
    struct channel_send send;
    struct channel_receive receive;
} clients[4];

static void init(struct ktest *test)
{
    (void)test;
    channel_init(&channel, elements, sizeof(elements[0]), CAPACITY);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i].waker = test_waker_make();
        clients[i].element = 100 + i;
        channel_send_init(&clients[i].send, &channel, &clients[i].element);
        channel_receive_init(&clients[i].receive, &channel, &clients[i].element);
    }
}

static void exit(struct ktest *test)
{
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&channel.room.waiters));
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&channel.filled.waiters));
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        KTEST_EXPECT_EQ(test, clients[i].waker.waker.references.count, 1);
    }
}

KTEST_SUITE(channel, .init = init, .exit = exit);

static enum poll poll(unsigned client, struct future *future)
{
    return future_poll(future, &(struct poll_context){&clients[client].waker.waker});
}

static void expect_send_waits(struct ktest *test, unsigned client)
{
    KTEST_EXPECT_EQ(test, poll(client, &clients[client].send.future), POLL_PENDING);
}

static void expect_sent(struct ktest *test, unsigned client, enum error result)
{
    KTEST_EXPECT_EQ(test, poll(client, &clients[client].send.future), POLL_READY);
    KTEST_EXPECT_EQ(test, clients[client].send.result, result);
}

static void expect_receive_waits(struct ktest *test, unsigned client)
{
    KTEST_EXPECT_EQ(test, poll(client, &clients[client].receive.future), POLL_PENDING);
}

static void expect_received(struct ktest *test, unsigned client, uint64_t element)
{
    KTEST_EXPECT_EQ(test, poll(client, &clients[client].receive.future), POLL_READY);
    KTEST_EXPECT_EQ(test, clients[client].receive.result, OK);
    KTEST_EXPECT_EQ(test, clients[client].element, element);
}

static void expect_end(struct ktest *test, unsigned client)
{
    KTEST_EXPECT_EQ(test, poll(client, &clients[client].receive.future), POLL_READY);
    KTEST_EXPECT_EQ(test, clients[client].receive.result, EPIPE);
    KTEST_EXPECT_EQ(test, clients[client].element, 100 + client);
}

static enum error try_send(uint64_t element)
{
    return channel_try_send(&channel, &element);
}

// A number that is never sent if there was none.
static uint64_t try_receive(enum error *error_out)
{
    uint64_t element = 77;
    *error_out = channel_try_receive(&channel, &element);
    return element;
}

static void expect_try_receives(struct ktest *test, enum error expected, uint64_t element)
{
    enum error error;
    KTEST_EXPECT_EQ(test, try_receive(&error), element);
    KTEST_EXPECT_EQ(test, error, expected);
}

KTEST_ATTR(channel, holds_what_it_has_room_for_in_order, .proves = "12.5.6.2");
KTEST(channel, holds_what_it_has_room_for_in_order)
{
    expect_try_receives(test, EAGAIN, 77);
    for (uint64_t i = 0; i < 5; i++) { // around its end too
        KTEST_EXPECT_EQ(test, try_send(2 * i), OK);
        KTEST_EXPECT_EQ(test, try_send(2 * i + 1), OK);
        KTEST_EXPECT_EQ(test, try_send(9), EAGAIN);
        expect_try_receives(test, OK, 2 * i);
        KTEST_EXPECT_EQ(test, try_send(9), OK);
        expect_try_receives(test, OK, 2 * i + 1);
        expect_try_receives(test, OK, 9);
        expect_try_receives(test, EAGAIN, 77);
    }
}

KTEST(channel, elements_are_of_any_size)
{
    struct packet {
        uint8_t bytes[5];
    } packets[3];
    struct channel own;
    channel_init(&own, packets, sizeof(packets[0]), 2);
    packets[2] = (struct packet){{1, 2, 3, 4, 5}};
    KTEST_EXPECT_EQ(test, channel_try_send(&own, &(struct packet){{9, 8, 7, 6, 5}}), OK);
    KTEST_EXPECT_EQ(test, channel_try_send(&own, &(struct packet){{11, 12, 13, 14, 15}}), OK);

    struct packet packet;
    KTEST_EXPECT_EQ(test, channel_try_receive(&own, &packet), OK);
    KTEST_EXPECT_MEMEQ(test, packet.bytes, ((uint8_t[]){9, 8, 7, 6, 5}), 5);
    KTEST_EXPECT_EQ(test, channel_try_receive(&own, &packet), OK);
    KTEST_EXPECT_MEMEQ(test, packet.bytes, ((uint8_t[]){11, 12, 13, 14, 15}), 5);
    KTEST_EXPECT_MEMEQ(test, packets[2].bytes, ((uint8_t[]){1, 2, 3, 4, 5}), 5);
}

KTEST(channel, has_room_for_one_at_least)
{
    struct channel own;
    KTEST_EXPECT_PANIC(test, "*capacity > 0*", channel_init(&own, elements, 8, 0));
}

KTEST(channel, receivers_wait_in_their_order)
{
    expect_receive_waits(test, 0);
    expect_receive_waits(test, 1);
    expect_sent(test, 2, OK);
    KTEST_EXPECT_EQ(test, clients[0].waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 0);

    expect_try_receives(test, EAGAIN, 77); // it is for the first
    expect_receive_waits(test, 1);
    expect_received(test, 0, 102);
    expect_sent(test, 3, OK);
    expect_received(test, 1, 103);
}

KTEST(channel, senders_wait_in_their_order)
{
    expect_sent(test, 0, OK);
    expect_sent(test, 1, OK);
    expect_send_waits(test, 2);
    expect_send_waits(test, 3);

    expect_try_receives(test, OK, 100);
    KTEST_EXPECT_EQ(test, clients[2].waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, clients[3].waker.wake_count, 0);
    KTEST_EXPECT_EQ(test, try_send(9), EAGAIN); // the room is for the first
    expect_sent(test, 2, OK);
    expect_try_receives(test, OK, 101);
    expect_sent(test, 3, OK);
    expect_try_receives(test, OK, 102);
    expect_try_receives(test, OK, 103);
}

KTEST_ATTR(channel, dropped_receive_leaves_its_element_to_the_next, .proves = "12.1.9");
KTEST(channel, dropped_receive_leaves_its_element_to_the_next)
{
    expect_receive_waits(test, 0);
    expect_receive_waits(test, 1);
    KTEST_EXPECT_EQ(test, try_send(7), OK);
    future_drop(&clients[0].receive.future);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    future_drop(&clients[1].receive.future);
    expect_try_receives(test, OK, 7);
}

KTEST_ATTR(channel, dropped_send_leaves_its_room_to_the_next, .proves = "12.1.9");
KTEST(channel, dropped_send_leaves_its_room_to_the_next)
{
    KTEST_EXPECT_EQ(test, try_send(7), OK);
    KTEST_EXPECT_EQ(test, try_send(8), OK);
    expect_send_waits(test, 0);
    expect_send_waits(test, 1);
    expect_try_receives(test, OK, 7);
    future_drop(&clients[0].send.future);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    expect_sent(test, 1, OK);

    expect_try_receives(test, OK, 8);
    expect_try_receives(test, OK, 101);
    expect_try_receives(test, EAGAIN, 77); // nothing of the one that was dropped
}

// --- Close --------------------------------------------------------------------------------------

KTEST_ATTR(channel, closed_it_is_drained_and_then_at_its_end, .proves = "12.5.6.2");
KTEST(channel, closed_it_is_drained_and_then_at_its_end)
{
    expect_sent(test, 2, OK);
    expect_sent(test, 3, OK);
    channel_close(&channel);
    channel_close(&channel);

    KTEST_EXPECT_EQ(test, try_send(9), EPIPE);
    expect_sent(test, 0, EPIPE);
    expect_received(test, 0, 102);
    expect_try_receives(test, OK, 103);
    expect_end(test, 1);
    expect_try_receives(test, EPIPE, 77);
}

KTEST(channel, close_wakes_receivers)
{
    expect_receive_waits(test, 0);
    expect_receive_waits(test, 1);
    channel_close(&channel);
    KTEST_EXPECT_EQ(test, clients[0].waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    expect_end(test, 0);
    expect_end(test, 1);
}

// One has been granted the room already.
KTEST(channel, close_wakes_senders_and_nothing_is_sent)
{
    KTEST_EXPECT_EQ(test, try_send(7), OK);
    KTEST_EXPECT_EQ(test, try_send(8), OK);
    expect_send_waits(test, 0);
    expect_send_waits(test, 1);
    expect_try_receives(test, OK, 7);
    channel_close(&channel);
    KTEST_EXPECT_EQ(test, clients[0].waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    expect_sent(test, 0, EPIPE);
    expect_sent(test, 1, EPIPE);

    expect_try_receives(test, OK, 8);
    expect_try_receives(test, EPIPE, 77);
}

// The last element is promised to the first: whether there is an end for the second is known when
// the first has it, or has been dropped.
KTEST(channel, end_is_no_earlier_than_the_last_element_is_received)
{
    expect_receive_waits(test, 0);
    expect_sent(test, 3, OK);
    channel_close(&channel);
    expect_receive_waits(test, 1);
    expect_try_receives(test, EAGAIN, 77);
    expect_received(test, 0, 103);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    expect_end(test, 1);
}

KTEST(channel, last_element_of_a_dropped_receive_is_not_lost)
{
    expect_receive_waits(test, 0);
    expect_sent(test, 3, OK);
    channel_close(&channel);
    expect_receive_waits(test, 1);
    future_drop(&clients[0].receive.future);
    KTEST_EXPECT_EQ(test, clients[1].waker.wake_count, 1);
    expect_received(test, 1, 103);
    expect_end(test, 2);
}

// --- Interrupts ---------------------------------------------------------------------------------

static void send_in_interrupt(struct timer *timer)
{
    (void)timer;
    (void)!try_send(7);
}

KTEST_ATTR(channel, interrupt_sends, .proves = "12.5.6.2");
KTEST(channel, interrupt_sends)
{
    test_run_until_interrupt(test, &clients[0].receive.future, send_in_interrupt);
    KTEST_EXPECT_EQ(test, clients[0].receive.result, OK);
    KTEST_EXPECT_EQ(test, clients[0].element, 7);
}

static void receive_in_interrupt(struct timer *timer)
{
    enum error error;
    (void)timer;
    try_receive(&error);
}

KTEST(channel, interrupt_receives)
{
    KTEST_EXPECT_EQ(test, try_send(7), OK);
    KTEST_EXPECT_EQ(test, try_send(8), OK);
    test_run_until_interrupt(test, &clients[0].send.future, receive_in_interrupt);
    expect_try_receives(test, OK, 8);
    expect_try_receives(test, OK, 100);
}

static void close_in_interrupt(struct timer *timer)
{
    (void)timer;
    channel_close(&channel);
}

KTEST(channel, interrupt_closes)
{
    test_run_until_interrupt(test, &clients[0].receive.future, close_in_interrupt);
    KTEST_EXPECT_EQ(test, clients[0].receive.result, EPIPE);
}
