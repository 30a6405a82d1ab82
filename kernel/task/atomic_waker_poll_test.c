// SPDX-License-Identifier: MIT
//
// A handler can come in before and behind each of the two looks: behind the first is before the
// register, behind the second before the clear. Here news come at each of these seams and at each
// two of them; whatever the seams, the task gets all news, and once, if it is polled again only
// when it was ready or is woken.
#include "ktest.h"
#include "lib/byte_ring.h"
#include "task/atomic_waker.h"
#include "task/test_waker.h"

#define LOOKS_MAX 8
#define SEAMS (2 * LOOKS_MAX)

struct source {
    struct atomic_waker reader;
    uint8_t bytes[4];
    struct byte_ring ring;
    unsigned seams[2]; // where a byte comes
    unsigned put_count;
    unsigned seam; // where we are
    unsigned taken_count;
};

static void put_next(struct source *source)
{
    (void)byte_ring_put(&source->ring, (uint8_t)source->put_count++);
    atomic_waker_wake(&source->reader);
}

static void pass_seam(struct source *source)
{
    for (unsigned i = 0; i < 2; i++) {
        if (source->seams[i] == source->seam && source->put_count < 2) {
            put_next(source);
        }
    }
    source->seam++;
}

static bool look(void *object)
{
    struct source *source = object;
    uint8_t byte;
    pass_seam(source);
    bool is_taken = byte_ring_take(&source->ring, &byte);
    if (is_taken && byte == source->taken_count) { // in order
        source->taken_count++;
    }
    pass_seam(source);
    return is_taken;
}

// As an executor does: polled once, and then when it is worth it.
static void run(struct source *source, struct test_waker *waker)
{
    struct poll_context context = {&waker->waker};
    unsigned seen_wakes;
    enum poll poll;
    do {
        seen_wakes = waker->wake_count;
        poll = atomic_waker_poll(&source->reader, &context, look, source);
    } while (poll == POLL_READY || waker->wake_count != seen_wakes);
}

static unsigned taken_with_seams(unsigned first, unsigned second, struct test_waker *waker)
{
    struct source source = {.seams = {first, second}};
    source.ring = BYTE_RING(source.bytes, sizeof(source.bytes));
    run(&source, waker);
    while (source.put_count < 2) { // the others come when it waits
        unsigned wake_count = waker->wake_count;
        put_next(&source);
        if (waker->wake_count != wake_count) {
            run(&source, waker);
        }
    }
    atomic_waker_clear(&source.reader);
    return source.taken_count;
}

KTEST_ATTR(atomic_waker_poll, loses_no_news_at_any_seam, .proves = "12.3.5 12.3.6");
KTEST(atomic_waker_poll, loses_no_news_at_any_seam)
{
    struct test_waker waker = test_waker_make();
    for (unsigned first = 0; first < SEAMS; first++) {
        for (unsigned second = 0; second < SEAMS; second++) {
            KTEST_ASSERT_EQ_MSG(test, taken_with_seams(first, second, &waker), 2, "seams %u and %u",
                                first, second);
            KTEST_ASSERT_EQ(test, waker.waker.references.count, 1);
        }
    }
}

static bool answer(void *object)
{
    const bool **answers = object;
    return *(*answers)++;
}

// Pending with a waker that is registered, ready without one; and the first look registers nothing.
KTEST_ATTR(atomic_waker_poll, is_registered_only_when_pending, .proves = "12.3.6");
KTEST(atomic_waker_poll, is_registered_only_when_pending)
{
    struct test_waker waker = test_waker_make();
    struct poll_context context = {&waker.waker};
    struct atomic_waker place = {};

    const bool *at_once = (const bool[]){true};
    KTEST_EXPECT_EQ(test, atomic_waker_poll(&place, &context, answer, &at_once), POLL_READY);
    KTEST_EXPECT_NULL(test, place.waker);

    const bool *late = (const bool[]){false, true};
    KTEST_EXPECT_EQ(test, atomic_waker_poll(&place, &context, answer, &late), POLL_READY);
    KTEST_EXPECT_NULL(test, place.waker);

    const bool *never = (const bool[]){false, false};
    KTEST_EXPECT_EQ(test, atomic_waker_poll(&place, &context, answer, &never), POLL_PENDING);
    KTEST_EXPECT_TRUE(test, place.waker == &waker.waker);
    atomic_waker_wake(&place);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}
