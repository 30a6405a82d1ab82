// SPDX-License-Identifier: MIT
#include "task/atomic_waker.h"

#include "ktest.h"
#include "task/test_waker.h"

KTEST_ATTR(atomic_waker, wakes_once_whoever_is_registered, .proves = "12.3.5");
KTEST(atomic_waker, wakes_once_whoever_is_registered)
{
    struct test_waker waker = test_waker_make();
    struct atomic_waker place = {};

    atomic_waker_register(&place, &waker.waker);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 2);
    KTEST_EXPECT_EQ(test, waker.wake_count, 0);

    atomic_waker_wake(&place);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);

    atomic_waker_wake(&place);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, waker.release_count, 0);
}

KTEST_ATTR(atomic_waker, without_a_waker_wakes_nobody, .proves = "12.3.5");
KTEST(atomic_waker, without_a_waker_wakes_nobody)
{
    struct atomic_waker place = {};

    atomic_waker_wake(&place);
    atomic_waker_clear(&place);

    KTEST_EXPECT_NULL(test, place.waker);
}

KTEST_ATTR(atomic_waker, registering_again_replaces, .proves = "12.3.5");
KTEST(atomic_waker, registering_again_replaces)
{
    struct test_waker first = test_waker_make();
    struct test_waker second = test_waker_make();
    struct atomic_waker place = {};

    atomic_waker_register(&place, &first.waker);
    atomic_waker_register(&place, &second.waker);
    KTEST_EXPECT_EQ(test, first.waker.references.count, 1);
    KTEST_EXPECT_EQ(test, second.waker.references.count, 2);

    atomic_waker_wake(&place);
    KTEST_EXPECT_EQ(test, first.wake_count, 0);
    KTEST_EXPECT_EQ(test, second.wake_count, 1);
    KTEST_EXPECT_EQ(test, second.waker.references.count, 1);
}

KTEST_ATTR(atomic_waker, same_one_registered_again_keeps_one_reference, .proves = "12.3.5");
KTEST(atomic_waker, same_one_registered_again_keeps_one_reference)
{
    struct test_waker waker = test_waker_make();
    struct atomic_waker place = {};

    for (int i = 0; i < 101; i++) {
        atomic_waker_register(&place, &waker.waker);
        KTEST_EXPECT_EQ(test, waker.waker.references.count, 2);
    }
    atomic_waker_wake(&place);

    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

KTEST_ATTR(atomic_waker, cleared_is_not_woken, .proves = "12.3.5");
KTEST(atomic_waker, cleared_is_not_woken)
{
    struct test_waker waker = test_waker_make();
    struct atomic_waker place = {};
    atomic_waker_register(&place, &waker.waker);

    atomic_waker_clear(&place);
    atomic_waker_wake(&place);

    KTEST_EXPECT_EQ(test, waker.wake_count, 0);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

// Its owner has gone meanwhile: it lived by the place's reference alone.
KTEST(atomic_waker, last_reference_goes_behind_the_wake)
{
    struct test_waker waker = test_waker_make();
    struct atomic_waker place = {};
    atomic_waker_register(&place, &waker.waker);
    waker_put(&waker.waker);
    KTEST_EXPECT_EQ(test, waker.release_count, 0);

    atomic_waker_wake(&place);

    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, waker.release_count, 1);
}

static struct atomic_waker place_of_waker;

// As a handler does that comes while the waker is being woken, or a task that is polled at once.
static void register_again(struct waker *waker)
{
    container_of(waker, struct test_waker, waker)->wake_count++;
    atomic_waker_register(&place_of_waker, waker);
}

KTEST(atomic_waker, registered_by_its_own_wake_stays)
{
    struct test_waker waker = test_waker_make();
    waker.waker.wake = register_again;
    place_of_waker = (struct atomic_waker){};
    atomic_waker_register(&place_of_waker, &waker.waker);

    atomic_waker_wake(&place_of_waker);

    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_PTR_EQ(test, place_of_waker.waker, &waker.waker);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 2);
    atomic_waker_clear(&place_of_waker);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}
