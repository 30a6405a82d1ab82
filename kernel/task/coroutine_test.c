// SPDX-License-Identifier: MIT
#include "task/coroutine.h"

#include "ktest.h"
#include "lib/container_of.h"
#include "lib/format.h"
#include "lib/string.h"
#include "task/test_waker.h"

// What happened, a letter for each.
static struct text_buffer events;

static struct test_waker waker;
static struct poll_context context;

static void init(struct ktest *test)
{
    static char text[64];
    (void)test;
    text[0] = 0;
    events = (struct text_buffer){text, sizeof(text), 0};
    waker = test_waker_make();
    context = (struct poll_context){&waker.waker};
}

static void exit(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

KTEST_SUITE(coroutine, .init = init, .exit = exit);

static void note(const char *event)
{
    text_append(&events, "%s", event);
}

static void note_cleanup(void *event)
{
    note(event);
}

static char first_cleanup[] = "1";
static char second_cleanup[] = "2";
static char outer_cleanup[] = "o";

// --- Something to await -------------------------------------------------------------------------

// Ready as soon as somebody says so.
struct signal {
    struct future future;
    struct waker *waker;
    bool is_set;
    const char *drop_event;
};

static void signal_forget(struct signal *signal)
{
    waker_put(signal->waker);
    signal->waker = NULL;
}

static enum poll signal_poll(struct future *future, struct poll_context *poll_context)
{
    struct signal *self = container_of(future, struct signal, future);
    signal_forget(self);
    if (self->is_set) {
        return POLL_READY;
    }
    self->waker = waker_get(poll_context->waker);
    return POLL_PENDING;
}

static void signal_drop(struct future *future)
{
    struct signal *self = container_of(future, struct signal, future);
    signal_forget(self);
    note(self->drop_event);
}

static void signal_init(struct signal *signal, const char *drop_event)
{
    *signal = (struct signal){.drop_event = drop_event};
    future_init(&signal->future, signal_poll, signal_drop);
}

static void signal_set(struct signal *signal)
{
    signal->is_set = true;
    if (signal->waker != NULL) {
        waker_wake(signal->waker);
    }
}

// --- The examples of the post -------------------------------------------------------------------

struct async_number {
    struct coroutine coroutine;
    uint64_t value;
};

static enum coroutine_step async_number(struct coroutine *coroutine)
{
    struct async_number *self = container_of(coroutine, struct async_number, coroutine);
    note("n");
    self->value = 42;
    return COROUTINE_RETURNS;
}

struct example_task {
    struct coroutine coroutine;
    struct async_number number;
};

static enum coroutine_step example_task(struct coroutine *coroutine)
{
    struct example_task *self = container_of(coroutine, struct example_task, coroutine);
    COROUTINE_BEGIN(self);
    coroutine_init(&self->number.coroutine, async_number);
    AWAIT(self, &self->number.coroutine.future);
    text_append(&events, "async number: %lu", self->number.value);
    return COROUTINE_RETURNS;
}

KTEST_ATTR(coroutine, does_nothing_until_it_is_polled, .proves = "12.1.2");
KTEST(coroutine, does_nothing_until_it_is_polled)
{
    struct async_number number = {};
    coroutine_init(&number.coroutine, async_number);
    KTEST_EXPECT_STREQ(test, events.text, "");

    KTEST_EXPECT_EQ(test, future_poll(&number.coroutine.future, &context), POLL_READY);

    KTEST_EXPECT_STREQ(test, events.text, "n");
    KTEST_EXPECT_EQ(test, number.value, 42);
}

KTEST_ATTR(coroutine, await_of_a_ready_child_goes_on_at_once, .proves = "12.1.3 12.1.4");
KTEST(coroutine, await_of_a_ready_child_goes_on_at_once)
{
    struct example_task object = {};
    coroutine_init(&object.coroutine, example_task);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);

    KTEST_EXPECT_STREQ(test, events.text, "nasync number: 42");
    KTEST_EXPECT_EQ(test, waker.wake_count, 0);
}

// Reads foo.txt, and bar.txt as well if foo.txt is too short.
struct read_files {
    struct coroutine coroutine;
    size_t min_length;
    struct signal foo;
    struct signal bar;
    size_t length; // lives across both awaits
};

static enum coroutine_step read_files(struct coroutine *coroutine)
{
    struct read_files *self = container_of(coroutine, struct read_files, coroutine);
    COROUTINE_BEGIN(self);
    note("f");
    AWAIT(self, &self->foo.future);
    self->length = strlen("foo");
    if (self->length < self->min_length) {
        note("b");
        AWAIT(self, &self->bar.future);
        self->length += strlen("bar!");
    }
    note("e");
    return COROUTINE_RETURNS;
}

static void read_files_init(struct read_files *read, size_t min_length)
{
    *read = (struct read_files){.min_length = min_length};
    signal_init(&read->foo, "F");
    signal_init(&read->bar, "B");
    coroutine_init(&read->coroutine, read_files);
}

KTEST_ATTR(coroutine, waits_for_foo_and_then_for_bar, .proves = "12.1.3 12.1.7");
KTEST(coroutine, waits_for_foo_and_then_for_bar)
{
    struct read_files read;
    read_files_init(&read, 4);

    KTEST_EXPECT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_STREQ(test, events.text, "f");

    signal_set(&read.foo);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_STREQ(test, events.text, "fb");

    signal_set(&read.bar);
    KTEST_EXPECT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_READY);
    KTEST_EXPECT_STREQ(test, events.text, "fbe");
    KTEST_EXPECT_EQ(test, read.length, 7);
}

KTEST_ATTR(coroutine, does_not_wait_for_bar_if_foo_is_enough, .proves = "12.1.7");
KTEST(coroutine, does_not_wait_for_bar_if_foo_is_enough)
{
    struct read_files read;
    read_files_init(&read, 3);
    KTEST_EXPECT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_PENDING);

    signal_set(&read.foo);

    KTEST_EXPECT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_READY);
    KTEST_EXPECT_STREQ(test, events.text, "fe");
    KTEST_EXPECT_EQ(test, read.length, 3);
}

KTEST_ATTR(coroutine, moved_while_it_waits_panics, .proves = "12.1.6");
KTEST(coroutine, moved_while_it_waits_panics)
{
    struct read_files read;
    read_files_init(&read, 4);
    KTEST_ASSERT_EQ(test, future_poll(&read.coroutine.future, &context), POLL_PENDING);

    struct read_files copy = read;

    KTEST_EXPECT_PANIC(test, "*was moved after its first poll",
                       (void)!future_poll(&copy.coroutine.future, &context));
    future_drop(&read.coroutine.future);
}

// A reference to an element of its own array, across an await.
struct self_referential {
    struct coroutine coroutine;
    uint64_t numbers[3];
    const uint64_t *last;
    struct signal signal;
    uint64_t seen;
};

static enum coroutine_step self_referential(struct coroutine *coroutine)
{
    struct self_referential *self = container_of(coroutine, struct self_referential, coroutine);
    COROUTINE_BEGIN(self);
    self->numbers[2] = 3;
    self->last = &self->numbers[2];
    AWAIT(self, &self->signal.future);
    self->seen = *self->last;
    return COROUTINE_RETURNS;
}

KTEST_ATTR(coroutine, may_point_into_itself, .proves = "12.1.6");
KTEST(coroutine, may_point_into_itself)
{
    struct self_referential object = {};
    signal_init(&object.signal, "S");
    coroutine_init(&object.coroutine, self_referential);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);

    object.numbers[2] = 4;
    signal_set(&object.signal);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);
    KTEST_EXPECT_EQ(test, object.seen, 4);
}

// --- Wherever an await may stand ----------------------------------------------------------------

struct nested {
    struct coroutine coroutine;
    struct async_number number;
    unsigned outer;
    unsigned inner;
};

static enum coroutine_step nested(struct coroutine *coroutine)
{
    struct nested *self = container_of(coroutine, struct nested, coroutine);
    COROUTINE_BEGIN(self);
    for (self->outer = 0; self->outer < 3; self->outer++) {
        switch (self->outer) {
        case 0:
            coroutine_init(&self->number.coroutine, async_number);
            AWAIT(self, &self->number.coroutine.future);
            note("0");
            [[fallthrough]];
        case 1:
            for (self->inner = 0; self->inner < 2; self->inner++) {
                COROUTINE_YIELD(self);
                note("y");
            }
            break;
        default:
            if (self->inner == 2) {
                COROUTINE_YIELD(self);
            } else {
                note("?");
            }
            note("d");
            break;
        }
    }
    return COROUTINE_RETURNS;
}

KTEST_ATTR(coroutine, awaits_in_loops_switches_and_branches, .proves = "12.1.3");
KTEST(coroutine, awaits_in_loops_switches_and_branches)
{
    static const char *const events_after[] = {"n0", "n0y", "n0yy", "n0yyy", "n0yyyy"};
    struct nested object = {};
    coroutine_init(&object.coroutine, nested);

    for (unsigned i = 0; i < 5; i++) {
        KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
        KTEST_EXPECT_STREQ(test, events.text, events_after[i]);
        KTEST_EXPECT_EQ(test, waker.wake_count, i + 1);
    }
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);
    KTEST_EXPECT_STREQ(test, events.text, "n0yyyyd");
}

static enum coroutine_step await_nothing(struct coroutine *coroutine)
{
    struct async_number *self = container_of(coroutine, struct async_number, coroutine);
    COROUTINE_BEGIN(self);
    AWAIT(self, NULL);
    return COROUTINE_RETURNS;
}

KTEST(coroutine, await_of_no_future_panics)
{
    struct async_number object = {};
    coroutine_init(&object.coroutine, await_nothing);

    KTEST_EXPECT_PANIC(test, "*awaited != NULL*",
                       (void)!future_poll(&object.coroutine.future, &context));
}

KTEST(coroutine, begins_anew_when_it_is_initialised_anew)
{
    struct nested object = {};
    coroutine_init(&object.coroutine, nested);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    future_drop(&object.coroutine.future);

    coroutine_init(&object.coroutine, nested);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_STREQ(test, events.text, "n0n0");
}

KTEST_ATTR(coroutine, polled_after_its_return_panics, .proves = "12.1.1");
KTEST(coroutine, polled_after_its_return_panics)
{
    struct async_number number = {};
    coroutine_init(&number.coroutine, async_number);
    KTEST_EXPECT_EQ(test, future_poll(&number.coroutine.future, &context), POLL_READY);

    KTEST_EXPECT_PANIC(test, "*is polled after it was ready",
                       (void)!future_poll(&number.coroutine.future, &context));
    KTEST_EXPECT_STREQ(test, events.text, "n");
}

// --- The end ------------------------------------------------------------------------------------

// Waits with two things to be cleaned up, and returns early if it is told to.
struct careful {
    struct coroutine coroutine;
    struct coroutine_cleanup first;
    struct coroutine_cleanup second;
    struct signal before;
    struct signal between;
    bool returns_early;
};

static enum coroutine_step careful(struct coroutine *coroutine)
{
    struct careful *self = container_of(coroutine, struct careful, coroutine);
    COROUTINE_BEGIN(self);
    AWAIT(self, &self->before.future);
    coroutine_defer(&self->coroutine, &self->first, note_cleanup, first_cleanup);
    if (self->returns_early) {
        return COROUTINE_RETURNS;
    }
    coroutine_defer(&self->coroutine, &self->second, note_cleanup, second_cleanup);
    AWAIT(self, &self->between.future);
    note("e");
    return COROUTINE_RETURNS;
}

static void careful_init(struct careful *object, bool returns_early)
{
    *object = (struct careful){.returns_early = returns_early};
    signal_init(&object->before, "B");
    signal_init(&object->between, "W");
    coroutine_init(&object->coroutine, careful);
}

KTEST_ATTR(coroutine, return_cleans_up_from_the_last_to_the_first, .proves = "12.1.9");
KTEST(coroutine, return_cleans_up_from_the_last_to_the_first)
{
    struct careful object;
    careful_init(&object, false);
    signal_set(&object.before);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_STREQ(test, events.text, "");
    signal_set(&object.between);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);
    KTEST_EXPECT_STREQ(test, events.text, "e21");

    future_drop(&object.coroutine.future);
    KTEST_EXPECT_STREQ(test, events.text, "e21");
}

KTEST_ATTR(coroutine, early_return_cleans_up_what_was_set_up, .proves = "12.1.9");
KTEST(coroutine, early_return_cleans_up_what_was_set_up)
{
    struct careful object;
    careful_init(&object, true);
    signal_set(&object.before);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);

    KTEST_EXPECT_STREQ(test, events.text, "1");
}

KTEST_ATTR(coroutine, drop_cleans_up_behind_the_drop_of_what_is_awaited, .proves = "12.1.9");
KTEST(coroutine, drop_cleans_up_behind_the_drop_of_what_is_awaited)
{
    struct careful object;
    careful_init(&object, false);
    signal_set(&object.before);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);

    future_drop(&object.coroutine.future);
    future_drop(&object.coroutine.future);

    KTEST_EXPECT_STREQ(test, events.text, "W21");
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

static void note_and_overwrite(void *cleanup)
{
    note("x");
    memset(cleanup, 0, sizeof(struct coroutine_cleanup));
}

KTEST(coroutine, cleanup_may_free_its_own_memory)
{
    struct careful object;
    struct coroutine_cleanup last;
    careful_init(&object, false);
    signal_set(&object.before);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    coroutine_defer(&object.coroutine, &last, note_and_overwrite, &last);

    future_drop(&object.coroutine.future);

    KTEST_EXPECT_STREQ(test, events.text, "Wx21");
}

KTEST_ATTR(coroutine, drop_where_nothing_is_set_up_drops_what_is_awaited, .proves = "12.1.9");
KTEST(coroutine, drop_where_nothing_is_set_up_drops_what_is_awaited)
{
    struct careful object;
    careful_init(&object, false);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);

    future_drop(&object.coroutine.future);

    KTEST_EXPECT_STREQ(test, events.text, "B");
}

KTEST_ATTR(coroutine, drop_before_its_first_poll_runs_nothing, .proves = "12.1.2 12.1.9");
KTEST(coroutine, drop_before_its_first_poll_runs_nothing)
{
    struct careful object;
    careful_init(&object, false);

    future_drop(&object.coroutine.future);

    KTEST_EXPECT_STREQ(test, events.text, "");
}

// Awaits one that has something to clean up, and has something itself.
struct outer {
    struct coroutine coroutine;
    struct coroutine_cleanup cleanup;
    struct careful inner;
};

static enum coroutine_step outer(struct coroutine *coroutine)
{
    struct outer *self = container_of(coroutine, struct outer, coroutine);
    COROUTINE_BEGIN(self);
    coroutine_defer(&self->coroutine, &self->cleanup, note_cleanup, outer_cleanup);
    careful_init(&self->inner, false);
    AWAIT(self, &self->inner.coroutine.future);
    note("O");
    return COROUTINE_RETURNS;
}

KTEST_ATTR(coroutine, drop_goes_from_the_innermost_outwards, .proves = "12.1.9");
KTEST(coroutine, drop_goes_from_the_innermost_outwards)
{
    struct outer object = {};
    coroutine_init(&object.coroutine, outer);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    signal_set(&object.inner.before);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);

    future_drop(&object.coroutine.future);

    KTEST_EXPECT_STREQ(test, events.text, "W21o");
}

KTEST_ATTR(coroutine, returns_go_from_the_innermost_outwards, .proves = "12.1.9");
KTEST(coroutine, returns_go_from_the_innermost_outwards)
{
    struct outer object = {};
    coroutine_init(&object.coroutine, outer);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    signal_set(&object.inner.before);
    signal_set(&object.inner.between);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);

    KTEST_EXPECT_STREQ(test, events.text, "e21Oo");
}

// --- Where it waits -----------------------------------------------------------------------------

KTEST(coroutine, innermost_place_is_that_of_the_last_that_waits)
{
    struct outer object = {};
    coroutine_init(&object.coroutine, outer);
    KTEST_EXPECT_EQ(test, coroutine_innermost_place(&object.coroutine.future), (uintptr_t)outer);

    KTEST_ASSERT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    uintptr_t first = coroutine_innermost_place(&object.coroutine.future);
    KTEST_EXPECT_EQ(test, first, object.inner.coroutine.place);
    KTEST_EXPECT_NE(test, first, object.coroutine.place);

    signal_set(&object.inner.before);
    KTEST_ASSERT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    uintptr_t second = coroutine_innermost_place(&object.coroutine.future);
    KTEST_EXPECT_EQ(test, second, object.inner.coroutine.place);
    KTEST_EXPECT_NE(test, second, first);
    KTEST_EXPECT_EQ(test, coroutine_innermost_place(&object.inner.between.future), 0);
    future_drop(&object.coroutine.future);
}
