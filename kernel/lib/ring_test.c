// SPDX-License-Identifier: MIT
#include "lib/ring.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"

KTEST(ring, has_as_many_places_as_its_size)
{
    struct ring ring = ring_empty(4);
    uint32_t place = 77;
    KTEST_EXPECT_FALSE(test, ring_begin_take(&ring, &place));
    KTEST_EXPECT_EQ(test, place, 77);
    for (uint32_t i = 0; i < 4; i++) {
        KTEST_EXPECT_EQ(test, ring_free_count(&ring), 4 - i);
        KTEST_ASSERT_TRUE(test, ring_begin_put(&ring, &place));
        KTEST_EXPECT_EQ(test, place, i);
        ring_end_put(&ring);
    }
    place = 77;
    KTEST_EXPECT_FALSE(test, ring_begin_put(&ring, &place));
    KTEST_EXPECT_EQ(test, place, 77);

    KTEST_EXPECT_TRUE(test, ring_begin_take(&ring, &place));
    KTEST_EXPECT_EQ(test, place, 0);
}

// An interrupt between begin and end sees nothing of it.
KTEST_ATTR(ring, element_is_not_there_before_its_end, .proves = "10.6.3");
KTEST(ring, element_is_not_there_before_its_end)
{
    struct ring ring = ring_empty(1);
    uint32_t place;
    KTEST_ASSERT_TRUE(test, ring_begin_put(&ring, &place));
    KTEST_EXPECT_FALSE(test, ring_begin_take(&ring, &place));
    ring_end_put(&ring);
    KTEST_ASSERT_TRUE(test, ring_begin_take(&ring, &place));
    KTEST_EXPECT_FALSE(test, ring_begin_put(&ring, &place));
    ring_end_take(&ring);
    KTEST_EXPECT_TRUE(test, ring_begin_put(&ring, &place));
}

KTEST(ring, size_has_to_be_a_power_of_two)
{
    KTEST_EXPECT_EQ(test, ring_free_count(&(struct ring){.size = BIT(31)}), BIT(31));
    KTEST_EXPECT_PANIC(test, "*is_power_of_two(size)*", (void)ring_empty(0));
    KTEST_EXPECT_PANIC(test, "*is_power_of_two(size)*", (void)ring_empty(3));
}

struct event {
    uint64_t number;
    uint64_t inverse;
};

static bool put(struct ring *ring, struct event *events, uint64_t number)
{
    uint32_t place;
    if (!ring_begin_put(ring, &place)) {
        return false;
    }
    events[place] = (struct event){number, ~number};
    ring_end_put(ring);
    return true;
}

static bool take(struct ring *ring, const struct event *events, struct event *event_out)
{
    uint32_t place;
    if (!ring_begin_take(ring, &place)) {
        return false;
    }
    *event_out = events[place];
    ring_end_take(ring);
    return true;
}

// Both counts wrap at 2^32, and the ring does not notice: against two plain counters.
KTEST_ATTR(ring, agrees_with_a_model, .proves = "10.6.3");
KTEST(ring, agrees_with_a_model)
{
    struct event events[16];
    struct ring ring = ring_empty(ARRAY_SIZE(events));
    ring.put_count = ring.taken_count = UINT32_MAX - 1000;
    struct test_random random = {1};
    uint64_t put_count = 0;
    uint64_t taken_count = 0;
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 20'000 * test_scale(); i++) {
        // In turns of 64, it rather fills or rather drains.
        if (test_random_below(&random, 4) < (i / 64 % 2 == 0 ? 3 : 1)) {
            bool has_room = put_count - taken_count < ARRAY_SIZE(events);
            wrong += put(&ring, events, put_count) != has_room;
            put_count += has_room;
        } else {
            struct event event = {0};
            bool has_event = put_count != taken_count;
            wrong += take(&ring, events, &event) != has_event;
            wrong += has_event && (event.number != taken_count || event.inverse != ~taken_count);
            taken_count += has_event;
        }
        wrong += ring_free_count(&ring) != ARRAY_SIZE(events) - (put_count - taken_count);
    }
    KTEST_EXPECT_EQ(test, wrong, 0);
    KTEST_EXPECT_GT(test, put_count, 2000);
    KTEST_EXPECT_GT(test, taken_count, 2000);
}
