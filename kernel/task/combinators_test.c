// SPDX-License-Identifier: MIT
#include "task/combinators.h"

#include "ktest.h"
#include "lib/bits.h"
#include "lib/container_of.h"
#include "lib/string.h"

// --- A member that is ready when the test says so -----------------------------------------------

struct member {
    struct future future;
    bool is_done;
    unsigned poll_count;
    unsigned drop_count;
};

static enum poll member_poll(struct future *future, struct poll_context *context)
{
    struct member *member = container_of(future, struct member, future);
    (void)context;
    member->poll_count++;
    return member->is_done ? POLL_READY : POLL_PENDING;
}

static void member_drop(struct future *future)
{
    container_of(future, struct member, future)->drop_count++;
}

static struct {
    struct member members[3];
    struct future *futures[3];
} three;

static void init(struct ktest *test)
{
    (void)test;
    three = (typeof(three)){0};
    for (size_t i = 0; i < ARRAY_SIZE(three.members); i++) {
        future_init(&three.members[i].future, member_poll, member_drop);
        three.futures[i] = &three.members[i].future;
    }
}

KTEST_SUITE(combinators, .init = init);

static enum poll poll(struct future *future)
{
    return future_poll(future, &(struct poll_context){&waker_dummy});
}

static void expect_polls(struct ktest *test, unsigned first, unsigned second, unsigned third)
{
    KTEST_EXPECT_EQ(test, three.members[0].poll_count, first);
    KTEST_EXPECT_EQ(test, three.members[1].poll_count, second);
    KTEST_EXPECT_EQ(test, three.members[2].poll_count, third);
}

static void expect_drops(struct ktest *test, unsigned first, unsigned second, unsigned third)
{
    KTEST_EXPECT_EQ(test, three.members[0].drop_count, first);
    KTEST_EXPECT_EQ(test, three.members[1].drop_count, second);
    KTEST_EXPECT_EQ(test, three.members[2].drop_count, third);
}

// --- Ready and map ------------------------------------------------------------------------------

struct number {
    struct future future;
    uint64_t value;
};

KTEST_ATTR(combinators, ready_is_ready_at_once, .proves = "12.1.5");
KTEST(combinators, ready_is_ready_at_once)
{
    struct number number = {.value = 42};
    ready_init(&number.future);

    KTEST_EXPECT_EQ(test, poll(&number.future), POLL_READY);
    KTEST_EXPECT_EQ(test, number.value, 42);
    KTEST_EXPECT_PANIC(test, "*is polled after it was ready", (void)!poll(&number.future));
}

struct read_file {
    struct member member;
    const char *content;
};

// The content becomes its length, and that whether it is too short.
struct string_len {
    struct map map;
    struct read_file file;
    size_t length;
};

struct is_short {
    struct map map;
    struct string_len string_len;
    size_t min_length;
    bool value;
    unsigned call_count;
};

static void measure(struct map *map)
{
    struct string_len *self = container_of(map, struct string_len, map);
    self->length = strlen(self->file.content);
}

static void compare(struct map *map)
{
    struct is_short *self = container_of(map, struct is_short, map);
    self->value = self->string_len.length < self->min_length;
    self->call_count++;
}

static void is_short_init(struct is_short *self, const char *content, size_t min_length)
{
    *self = (struct is_short){.min_length = min_length};
    self->string_len.file.content = content;
    future_init(&self->string_len.file.member.future, member_poll, member_drop);
    map_init(&self->string_len.map, &self->string_len.file.member.future, measure);
    map_init(&self->map, &self->string_len.map.future, compare);
}

KTEST_ATTR(combinators, map_makes_a_length_of_a_string, .proves = "12.1.5");
KTEST(combinators, map_makes_a_length_of_a_string)
{
    struct is_short is_short;
    is_short_init(&is_short, "foo", 4);

    KTEST_EXPECT_EQ(test, poll(&is_short.map.future), POLL_PENDING);
    KTEST_EXPECT_EQ(test, is_short.call_count, 0);

    is_short.string_len.file.member.is_done = true;
    KTEST_EXPECT_EQ(test, poll(&is_short.map.future), POLL_READY);
    KTEST_EXPECT_EQ(test, is_short.string_len.length, 3);
    KTEST_EXPECT_TRUE(test, is_short.value);
    KTEST_EXPECT_EQ(test, is_short.call_count, 1);

    is_short_init(&is_short, "foobar", 4);
    is_short.string_len.file.member.is_done = true;
    KTEST_EXPECT_EQ(test, poll(&is_short.map.future), POLL_READY);
    KTEST_EXPECT_FALSE(test, is_short.value);
}

KTEST(combinators, dropped_map_drops_what_is_inside)
{
    struct is_short is_short;
    is_short_init(&is_short, "foo", 4);

    KTEST_EXPECT_EQ(test, poll(&is_short.map.future), POLL_PENDING);
    future_drop(&is_short.map.future);
    future_drop(&is_short.map.future);
    KTEST_EXPECT_EQ(test, is_short.string_len.file.member.drop_count, 1);
    KTEST_EXPECT_EQ(test, is_short.call_count, 0);
}

// --- Join ---------------------------------------------------------------------------------------

KTEST_ATTR(combinators, join_is_ready_when_all_are, .proves = "12.1.5");
KTEST(combinators, join_is_ready_when_all_are)
{
    struct join join;
    join_init(&join, three.futures, 3);
    expect_polls(test, 0, 0, 0);

    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_PENDING);
    three.members[2].is_done = true;
    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_PENDING);
    three.members[0].is_done = true;
    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_PENDING);
    three.members[1].is_done = true;
    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_READY);

    expect_polls(test, 3, 4, 2);
    expect_drops(test, 0, 0, 0);
}

KTEST(combinators, join_of_none_is_ready)
{
    struct join join;
    join_init(&join, NULL, 0);
    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_READY);
}

KTEST(combinators, dropped_join_drops_those_that_are_not_ready)
{
    struct join join;
    join_init(&join, three.futures, 3);
    three.members[1].is_done = true;

    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_PENDING);
    future_drop(&join.future);
    expect_drops(test, 1, 0, 1);
}

// --- Select -------------------------------------------------------------------------------------

KTEST_ATTR(combinators, select_drops_the_losers, .proves = "12.1.5");
KTEST(combinators, select_drops_the_losers)
{
    struct select select;
    select_init(&select, three.futures, 3);
    KTEST_EXPECT_EQ(test, poll(&select.future), POLL_PENDING);
    expect_drops(test, 0, 0, 0);

    three.members[1].is_done = true;
    KTEST_EXPECT_EQ(test, poll(&select.future), POLL_READY);
    KTEST_EXPECT_EQ(test, select.winner, 1);
    expect_polls(test, 2, 2, 1);
    expect_drops(test, 1, 0, 1);
    KTEST_EXPECT_PANIC(test, "*is polled after it was dropped", (void)!poll(three.futures[0]));
}

KTEST(combinators, earlier_of_two_that_are_ready_is_selected)
{
    struct select select;
    select_init(&select, three.futures, 3);
    three.members[1].is_done = true;
    three.members[2].is_done = true;

    KTEST_EXPECT_EQ(test, poll(&select.future), POLL_READY);
    KTEST_EXPECT_EQ(test, select.winner, 1);
    expect_polls(test, 1, 1, 0);
}

KTEST(combinators, dropped_select_drops_all)
{
    struct select select;
    select_init(&select, three.futures, 3);

    KTEST_EXPECT_EQ(test, poll(&select.future), POLL_PENDING);
    future_drop(&select.future);
    expect_drops(test, 1, 1, 1);
}

KTEST(combinators, select_of_none_panics)
{
    struct select select;
    KTEST_EXPECT_PANIC(test, "*count > 0*", select_init(&select, NULL, 0));
}

KTEST(combinators, may_be_members_of_each_other)
{
    struct select select;
    struct number number = {.value = 42};
    struct join join;
    ready_init(&number.future);
    select_init(&select, three.futures, 2);
    join_init(&join, (struct future *const[]){&select.future, &number.future, three.futures[2]}, 3);

    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_PENDING);
    three.members[2].is_done = true;
    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_PENDING);
    three.members[1].is_done = true;
    KTEST_EXPECT_EQ(test, poll(&join.future), POLL_READY);
    KTEST_EXPECT_EQ(test, select.winner, 1);
    expect_drops(test, 1, 0, 0);
}
