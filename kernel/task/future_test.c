// SPDX-License-Identifier: MIT
#include "task/future.h"

#include "ktest.h"
#include "lib/container_of.h"
#include "task/test_waker.h"

struct number {
    struct future future;
    unsigned polls_left; // until it is ready
    unsigned poll_count;
    unsigned drop_count;
    uint64_t value;
};

static enum poll number_poll(struct future *future, struct poll_context *context)
{
    struct number *self = container_of(future, struct number, future);
    self->poll_count++;
    if (self->polls_left > 0) {
        self->polls_left--;
        waker_wake(context->waker);
        return POLL_PENDING;
    }
    self->value = 42;
    return POLL_READY;
}

static void number_drop(struct future *future)
{
    container_of(future, struct number, future)->drop_count++;
}

static struct number make_number(unsigned polls_left)
{
    struct number number = {.polls_left = polls_left};
    future_init(&number.future, number_poll, number_drop);
    return number;
}

KTEST_ATTR(future, does_nothing_until_it_is_polled, .proves = "12.1.2");
KTEST(future, does_nothing_until_it_is_polled)
{
    struct number number = make_number(0);
    struct poll_context context = {&waker_dummy};

    KTEST_EXPECT_EQ(test, number.poll_count, 0);
    KTEST_EXPECT_FALSE(test, future_is_ready(&number.future));

    KTEST_EXPECT_EQ(test, future_poll(&number.future, &context), POLL_READY);
    KTEST_EXPECT_EQ(test, number.poll_count, 1);
}

KTEST_ATTR(future, is_pending_and_then_ready_with_a_value, .proves = "12.1.1");
KTEST(future, is_pending_and_then_ready_with_a_value)
{
    struct number number = make_number(2);
    struct test_waker waker = test_waker_make();
    struct poll_context context = {&waker.waker};

    KTEST_EXPECT_EQ(test, future_poll(&number.future, &context), POLL_PENDING);
    KTEST_EXPECT_EQ(test, future_poll(&number.future, &context), POLL_PENDING);
    KTEST_EXPECT_FALSE(test, future_is_ready(&number.future));
    KTEST_EXPECT_EQ(test, waker.wake_count, 2);
    KTEST_EXPECT_EQ(test, future_poll(&number.future, &context), POLL_READY);
    KTEST_EXPECT_TRUE(test, future_is_ready(&number.future));
    KTEST_EXPECT_EQ(test, number.value, 42);
    KTEST_EXPECT_EQ(test, waker.wake_count, 2);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

KTEST_ATTR(future, polled_after_it_was_ready_panics, .proves = "12.1.1");
KTEST(future, polled_after_it_was_ready_panics)
{
    struct number number = make_number(0);
    struct poll_context context = {&waker_dummy};
    KTEST_ASSERT_EQ(test, future_poll(&number.future, &context), POLL_READY);

    KTEST_EXPECT_PANIC(test, "future 0x* of poll function 0x* is polled after it was ready",
                       (void)!future_poll(&number.future, &context));
    KTEST_EXPECT_EQ(test, number.poll_count, 1);
}

KTEST_ATTR(future, dropped_is_cleaned_up_once, .proves = "12.1.9");
KTEST(future, dropped_is_cleaned_up_once)
{
    struct number number = make_number(1);
    struct poll_context context = {&waker_dummy};
    KTEST_ASSERT_EQ(test, future_poll(&number.future, &context), POLL_PENDING);

    future_drop(&number.future);
    future_drop(&number.future);

    KTEST_EXPECT_EQ(test, number.drop_count, 1);
    KTEST_EXPECT_FALSE(test, future_is_ready(&number.future));
    KTEST_EXPECT_PANIC(test, "*is polled after it was dropped",
                       (void)!future_poll(&number.future, &context));
}

KTEST(future, dropped_before_its_first_poll_is_cleaned_up)
{
    struct number number = make_number(0);
    struct poll_context context = {&waker_dummy};

    future_drop(&number.future);

    KTEST_EXPECT_EQ(test, number.drop_count, 1);
    KTEST_EXPECT_PANIC(test, "*is polled after it was dropped",
                       (void)!future_poll(&number.future, &context));
    KTEST_EXPECT_EQ(test, number.poll_count, 0);
}

KTEST(future, ready_has_nothing_to_be_cleaned_up)
{
    struct number number = make_number(0);
    struct poll_context context = {&waker_dummy};
    KTEST_ASSERT_EQ(test, future_poll(&number.future, &context), POLL_READY);

    future_drop(&number.future);

    KTEST_EXPECT_EQ(test, number.drop_count, 0);
    KTEST_EXPECT_TRUE(test, future_is_ready(&number.future));
}

static void drop_twice(struct future *future)
{
    number_drop(future);
    future_drop(future);
}

// As a clean-up may that ends what it belongs to.
KTEST(future, dropped_by_its_own_drop_function_is_cleaned_up_once)
{
    struct number number = make_number(1);
    future_init(&number.future, number_poll, drop_twice);

    future_drop(&number.future);

    KTEST_EXPECT_EQ(test, number.drop_count, 1);
}

KTEST(future, needs_no_drop_function)
{
    struct number number = make_number(1);
    struct poll_context context = {&waker_dummy};
    future_init(&number.future, number_poll, NULL);
    KTEST_ASSERT_EQ(test, future_poll(&number.future, &context), POLL_PENDING);

    future_drop(&number.future);

    KTEST_EXPECT_PANIC(test, "*is polled after it was dropped",
                       (void)!future_poll(&number.future, &context));
}

KTEST_ATTR(future, moved_after_its_first_poll_panics, .proves = "12.1.6");
KTEST(future, moved_after_its_first_poll_panics)
{
    struct number number = make_number(1);
    struct poll_context context = {&waker_dummy};
    KTEST_ASSERT_EQ(test, future_poll(&number.future, &context), POLL_PENDING);

    struct number copy = number;

    KTEST_EXPECT_PANIC(test, "*was moved after its first poll",
                       (void)!future_poll(&copy.future, &context));
    KTEST_EXPECT_PANIC(test, "*was moved after its first poll", future_drop(&copy.future));
    KTEST_EXPECT_EQ(test, copy.drop_count, 0);
    KTEST_EXPECT_EQ(test, future_poll(&number.future, &context), POLL_READY);
}

KTEST_ATTR(future, may_move_before_its_first_poll, .proves = "12.1.6");
KTEST(future, may_move_before_its_first_poll)
{
    struct number number = make_number(0);
    struct poll_context context = {&waker_dummy};

    struct number copy = number;

    KTEST_EXPECT_EQ(test, future_poll(&copy.future, &context), POLL_READY);
    KTEST_EXPECT_EQ(test, copy.value, 42);
}

KTEST(future, runs_again_when_it_is_initialised_anew)
{
    struct number number = make_number(0);
    struct poll_context context = {&waker_dummy};
    KTEST_ASSERT_EQ(test, future_poll(&number.future, &context), POLL_READY);

    future_init(&number.future, number_poll, NULL);

    KTEST_EXPECT_EQ(test, future_poll(&number.future, &context), POLL_READY);
    KTEST_EXPECT_EQ(test, number.poll_count, 2);
}
