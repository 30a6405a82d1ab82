// SPDX-License-Identifier: MIT
#include "task/byte_stream.h"

#include "debug/log_fixture.h"
#include "ktest.h"
#include "task/test_waker.h"

#define SIZE_BYTES 128

static uint8_t bytes[SIZE_BYTES];
static struct byte_stream stream;
static struct test_waker waker;
static struct byte_stream_next next;

static void init(struct ktest *test)
{
    log_fixture_start(test);
    waker = test_waker_make();
    byte_stream_init(&stream, "test", bytes, sizeof(bytes));
    byte_stream_next_init(&next, &stream);
}

KTEST_SUITE(byte_stream, .init = init);

// --- One after the other ------------------------------------------------------------------------

static enum poll poll(void)
{
    struct poll_context context = {&waker.waker};
    return future_poll(&next.future, &context);
}

// The next one of the stream; -1: its end, -2: it has to wait.
static int take(void)
{
    byte_stream_next_init(&next, &stream);
    if (poll() == POLL_PENDING) {
        future_drop(&next.future);
        return -2;
    }
    return next.has_byte ? next.byte : -1;
}

KTEST_ATTR(byte_stream, bytes_come_in_order_without_a_wait, .proves = "12.3.1 12.3.7");
KTEST(byte_stream, bytes_come_in_order_without_a_wait)
{
    KTEST_EXPECT_EQ(test, take(), -2);
    for (unsigned i = 0; i < 1000; i++) {
        KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, (uint8_t)i));
        KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, (uint8_t)~i));
        KTEST_EXPECT_EQ(test, take(), (uint8_t)i);
        KTEST_EXPECT_EQ(test, take(), (uint8_t)~i);
    }
    KTEST_EXPECT_EQ(test, take(), -2);
    KTEST_EXPECT_EQ(test, waker.wake_count, 0);
}

static bool is_there_when_woken;

static void wake_and_look(struct waker *woken)
{
    (void)woken;
    is_there_when_woken = byte_ring_free_bytes(&stream.ring) != SIZE_BYTES;
}

// Who is woken finds what he is woken for.
KTEST_ATTR(byte_stream, byte_is_put_before_the_wake, .proves = "12.3.4");
KTEST(byte_stream, byte_is_put_before_the_wake)
{
    waker.waker.wake = wake_and_look;
    is_there_when_woken = false;
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, 7));
    KTEST_EXPECT_TRUE(test, is_there_when_woken);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
}

KTEST_ATTR(byte_stream, reader_is_woken_once, .proves = "12.3.5 12.3.6");
KTEST(byte_stream, reader_is_woken_once)
{
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 2);
    KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, 7));
    KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, 8));
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_EQ(test, next.byte, 7);
}

KTEST(byte_stream, reader_that_is_cancelled_is_not_woken)
{
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    future_drop(&next.future);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
    KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, 7));
    KTEST_EXPECT_EQ(test, waker.wake_count, 0);
    KTEST_EXPECT_EQ(test, take(), 7);
}

// --- Too much -----------------------------------------------------------------------------------

static void fill(struct ktest *test, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        KTEST_EXPECT_EQ(test, byte_stream_put(&stream, (uint8_t)i), i < SIZE_BYTES);
    }
}

KTEST_ATTR(byte_stream, what_is_too_much_is_dropped_and_counted, .proves = "12.3.1 12.3.3");
KTEST(byte_stream, what_is_too_much_is_dropped_and_counted)
{
    fill(test, SIZE_BYTES + 5);
    KTEST_EXPECT_EQ(test, byte_stream_dropped_bytes(&stream), 5);
    for (int i = 0; i < SIZE_BYTES; i++) {
        KTEST_EXPECT_EQ(test, take(), i);
    }
    KTEST_EXPECT_EQ(test, take(), -2);
}

// The reader says so, once it has caught up: the producer is an interrupt, and has no time for it.
KTEST_ATTR(byte_stream, reader_logs_what_was_dropped_once, .proves = "12.3.3");
KTEST(byte_stream, reader_logs_what_was_dropped_once)
{
    fill(test, SIZE_BYTES + 5);
    for (int i = 0; i < SIZE_BYTES; i++) {
        KTEST_EXPECT_EQ(test, take(), i);
    }
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "");
    KTEST_EXPECT_EQ(test, take(), -2);
    KTEST_EXPECT_EQ(test, take(), -2);
    fill(test, SIZE_BYTES + 1);
    while (take() >= 0) {
    }
    KTEST_EXPECT_STREQ(test, log_fixture_text(),
                       "warn  test: the queue was full, dropped bytes: 5\n"
                       "warn  test: the queue was full, dropped bytes: 1\n");
}

// --- The end ------------------------------------------------------------------------------------

KTEST_ATTR(byte_stream, end_comes_behind_the_last_byte_and_stays, .proves = "12.3.7");
KTEST(byte_stream, end_comes_behind_the_last_byte_and_stays)
{
    KTEST_EXPECT_TRUE(test, byte_stream_put(&stream, 7));
    byte_stream_end(&stream);
    KTEST_EXPECT_EQ(test, take(), 7);
    KTEST_EXPECT_EQ(test, take(), -1);
    KTEST_EXPECT_EQ(test, take(), -1);
}

KTEST_ATTR(byte_stream, end_wakes_who_waits, .proves = "12.3.7");
KTEST(byte_stream, end_wakes_who_waits)
{
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    byte_stream_end(&stream);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_FALSE(test, next.has_byte);
}

static bool has_ended_when_woken;

static void wake_and_look_for_end(struct waker *woken)
{
    (void)woken;
    has_ended_when_woken = stream.has_ended;
}

KTEST_ATTR(byte_stream, end_is_there_before_the_wake, .proves = "12.3.7");
KTEST(byte_stream, end_is_there_before_the_wake)
{
    waker.waker.wake = wake_and_look_for_end;
    has_ended_when_woken = false;
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    byte_stream_end(&stream);
    KTEST_EXPECT_TRUE(test, has_ended_when_woken);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
}

static unsigned take_count;

// An interrupt puts the last byte, and ends the stream, just behind the first look at the ring.
static bool take_before_the_end(struct byte_ring *ring, uint8_t *byte_out)
{
    (void)ring;
    if (take_count++ == 0) {
        byte_stream_end(&stream);
        return false;
    }
    *byte_out = 7;
    return true;
}

KTEST_ATTR(byte_stream, byte_between_the_look_and_the_end_is_not_lost, .proves = "12.3.7");
KTEST(byte_stream, byte_between_the_look_and_the_end_is_not_lost)
{
    take_count = 0;
    KTEST_STUB(test, byte_ring_take, take_before_the_end);
    KTEST_ASSERT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_TRUE(test, next.has_byte);
    KTEST_EXPECT_EQ(test, next.byte, 7);
}

// --- What it costs ------------------------------------------------------------------------------

KTEST_BENCH(byte_stream, put_and_take)
{
    uint64_t taken = 0;
    while (ktest_bench_next(test)) {
        taken += byte_stream_put(&stream, 7) && take() == 7;
    }
    KTEST_EXPECT_NE(test, taken, 0);
}

// With both looks, register and wake.
KTEST_BENCH(byte_stream, wait_put_and_take)
{
    uint64_t taken = 0;
    while (ktest_bench_next(test)) {
        byte_stream_next_init(&next, &stream);
        bool waits = poll() == POLL_PENDING;
        taken += waits && byte_stream_put(&stream, 7) && poll() == POLL_READY;
    }
    KTEST_EXPECT_NE(test, taken, 0);
}
