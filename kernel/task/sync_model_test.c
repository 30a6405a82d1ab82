// SPDX-License-Identifier: MIT
//
// Semaphore and channel against models, by chance: clients come, are polled with and without need,
// and are dropped. The model knows who waits since when, and so whom each step has to wake, and
// that it wakes nobody else; what is ready, and with what result; and where every permit and
// element is.
#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"
#include "task/channel.h"
#include "task/test_waker.h"

TESTS_BYPASS_GUARDS

#define ROUNDS 20000
#define CLIENTS 6
#define CAPACITY 3

enum client_state {
    CLIENT_IDLE,
    CLIENT_WAITS,
    CLIENT_GRANTED, // woken, with a permit
    CLIENT_ENDED,   // woken, by the close
};

struct client {
    struct test_waker waker;
    struct future *future; // one of these:
    struct semaphore_acquire acquire;
    struct channel_send send;
    struct channel_receive receive;
    uint64_t element;

    // The model:
    enum client_state state;
    uint64_t since; // when it came, if it waits
    unsigned wake_count;
};

// A semaphore: itself, or one side of a channel.
struct model {
    uint64_t permits;
    bool is_closed;
    struct client clients[CLIENTS];
};

static struct test_random random;
static uint64_t time;

static uint64_t chance(uint64_t limit)
{
    return test_random_below(&random, limit);
}

static void model_init(struct model *model, uint64_t permits)
{
    *model = (struct model){.permits = permits};
    for (size_t i = 0; i < CLIENTS; i++) {
        model->clients[i].waker = test_waker_make();
    }
}

static struct client *any_client(struct model *model)
{
    return &model->clients[chance(CLIENTS)];
}

static struct client *first_that_waits(struct model *model)
{
    struct client *first = NULL;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = &model->clients[i];
        if (client->state == CLIENT_WAITS && (first == NULL || client->since < first->since)) {
            first = client;
        }
    }
    return first;
}

static void model_wake(struct client *client, enum client_state state)
{
    client->state = state;
    client->wake_count++;
}

static void model_release(struct model *model)
{
    struct client *first = first_that_waits(model);
    if (first != NULL) {
        model_wake(first, CLIENT_GRANTED);
    } else {
        model->permits++;
    }
}

static bool model_try_acquire(struct model *model)
{
    bool is_free = model->permits > 0;
    model->permits -= is_free;
    return is_free;
}

static void model_close(struct model *model)
{
    struct client *client;
    model->is_closed = true;
    while ((client = first_that_waits(model)) != NULL) {
        model_wake(client, CLIENT_ENDED);
    }
}

// Polls it, which was idle or not. True if it is ready, with this result.
static bool poll(struct ktest *test, struct model *model, struct client *client,
                 enum error *result_out)
{
    bool has_permit = client->state == CLIENT_GRANTED || model_try_acquire(model);
    bool is_ready = has_permit || model->is_closed;
    enum poll poll = future_poll(client->future, &(struct poll_context){&client->waker.waker});
    KTEST_ASSERT_EQ(test, poll, is_ready ? POLL_READY : POLL_PENDING);
    if (!is_ready && client->state != CLIENT_WAITS) {
        client->since = ++time;
    }
    client->state = is_ready ? CLIENT_IDLE : CLIENT_WAITS;
    *result_out = has_permit ? OK : EPIPE;
    return is_ready;
}

static void drop(struct model *model, struct client *client)
{
    if (client->state != CLIENT_IDLE) {
        bool was_granted = client->state == CLIENT_GRANTED;
        future_drop(client->future);
        client->state = CLIENT_IDLE;
        if (was_granted) {
            model_release(model);
        }
    }
}

static void drop_all(struct model *model)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        drop(model, &model->clients[i]);
    }
}

static void expect_as_model(struct ktest *test, const struct semaphore *semaphore,
                            const struct model *model)
{
    KTEST_ASSERT_EQ(test, semaphore->permits, model->permits);
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &model->clients[i];
        uint32_t keepers = client->state == CLIENT_WAITS;
        KTEST_ASSERT_EQ(test, client->waker.wake_count, client->wake_count);
        KTEST_ASSERT_EQ(test, client->waker.waker.references.count, 1 + keepers);
    }
}

// --- Semaphore ----------------------------------------------------------------------------------

static struct semaphore semaphore;
static struct model permits;
static uint64_t held;

static void acquire(struct ktest *test, struct client *client)
{
    enum error result;
    if (client->state == CLIENT_IDLE) {
        semaphore_acquire_init(&client->acquire, &semaphore);
        client->future = &client->acquire.future;
    }
    if (poll(test, &permits, client, &result)) {
        KTEST_ASSERT_EQ(test, client->acquire.result, result);
        held += result == OK;
    }
}

static void step_semaphore(struct ktest *test)
{
    switch (chance(8)) {
    case 0:
        drop(&permits, any_client(&permits));
        break;
    case 1: {
        bool is_free = model_try_acquire(&permits);
        KTEST_ASSERT_EQ(test, semaphore_try_acquire(&semaphore), is_free);
        held += is_free;
        break;
    }
    case 2:
    case 3:
    case 4:
        if (held > 0) {
            held--;
            semaphore_release(&semaphore);
            model_release(&permits);
        }
        break;
    default:
        acquire(test, any_client(&permits));
        break;
    }
}

KTEST_ATTR(sync_model, semaphore_agrees, .proves = "12.5.6.2", .speed = KTEST_SPEED_SLOW);
KTEST(sync_model, semaphore_agrees)
{
    const unsigned round_count = ROUNDS * test_scale();
    random = (struct test_random){57};
    semaphore_init(&semaphore, CAPACITY);
    model_init(&permits, CAPACITY);
    held = 0;
    for (unsigned round = 0; round < round_count; round++) {
        step_semaphore(test);
        expect_as_model(test, &semaphore, &permits);
    }
    drop_all(&permits);
    expect_as_model(test, &semaphore, &permits);
    KTEST_EXPECT_EQ(test, semaphore.permits + held, CAPACITY);
}

// --- Channel ------------------------------------------------------------------------------------

static uint64_t elements[CAPACITY];
static struct channel channel;
static struct model room;
static struct model filled;
static uint64_t sent; // elements are the numbers from 0 on
static uint64_t received;
static bool is_closed;

static void begin_channel(void)
{
    channel_init(&channel, elements, sizeof(elements[0]), CAPACITY);
    model_init(&room, CAPACITY);
    model_init(&filled, 0);
    sent = 0;
    received = 0;
    is_closed = false;
}

static void model_put(void)
{
    sent++;
    model_release(&filled);
}

static void expect_taken(struct ktest *test, uint64_t element)
{
    KTEST_ASSERT_EQ(test, element, received);
    received++;
    model_release(&room);
    if (is_closed && received == sent) {
        model_close(&filled);
    }
}

static void send(struct ktest *test, struct client *client)
{
    enum error result;
    if (client->state == CLIENT_IDLE) {
        channel_send_init(&client->send, &channel, &client->element);
        client->future = &client->send.future;
    }
    client->element = sent; // it is read when it is sent
    if (poll(test, &room, client, &result)) {
        KTEST_ASSERT_EQ(test, client->send.result, is_closed ? EPIPE : OK);
        if (!is_closed) {
            model_put();
        }
    }
}

static void receive(struct ktest *test, struct client *client)
{
    enum error result;
    if (client->state == CLIENT_IDLE) {
        channel_receive_init(&client->receive, &channel, &client->element);
        client->future = &client->receive.future;
    }
    if (poll(test, &filled, client, &result)) {
        KTEST_ASSERT_EQ(test, client->receive.result, result);
        if (result == OK) {
            expect_taken(test, client->element);
        }
    }
}

static void try_send(struct ktest *test)
{
    enum error expected = model_try_acquire(&room) ? OK : EAGAIN;
    expected = is_closed ? EPIPE : expected;
    KTEST_ASSERT_EQ(test, channel_try_send(&channel, &sent), expected);
    if (expected == OK) {
        model_put();
    }
}

static void try_receive(struct ktest *test)
{
    uint64_t element;
    enum error expected = model_try_acquire(&filled) ? OK : filled.is_closed ? EPIPE : EAGAIN;
    KTEST_ASSERT_EQ(test, channel_try_receive(&channel, &element), expected);
    if (expected == OK) {
        expect_taken(test, element);
    }
}

static void close(void)
{
    channel_close(&channel);
    is_closed = true;
    model_close(&room);
    if (received == sent) {
        model_close(&filled);
    }
}

static void step_channel(struct ktest *test)
{
    switch (chance(10)) {
    case 0:
        drop(&room, any_client(&room));
        break;
    case 1:
        drop(&filled, any_client(&filled));
        break;
    case 2:
        try_send(test);
        break;
    case 3:
        try_receive(test);
        break;
    case 4:
        if (chance(20) == 0) {
            close();
        }
        break;
    case 5:
    case 6:
        receive(test, any_client(&filled));
        break;
    default:
        send(test, any_client(&room));
        break;
    }
}

// Closed, by nobody but try_receive.
static void drain(struct ktest *test)
{
    drop_all(&room);
    drop_all(&filled);
    close();
    while (received < sent) {
        try_receive(test);
    }
    try_receive(test);
}

KTEST_ATTR(sync_model, channel_agrees, .proves = "12.5.6.2", .speed = KTEST_SPEED_SLOW);
KTEST(sync_model, channel_agrees)
{
    const unsigned round_count = ROUNDS * test_scale();
    random = (struct test_random){58};
    begin_channel();
    for (unsigned round = 0; round < round_count; round++) {
        step_channel(test);
        expect_as_model(test, &channel.room, &room);
        expect_as_model(test, &channel.filled, &filled);
        KTEST_ASSERT_EQ(test, channel.count, sent - received);
        if (chance(500) == 0) {
            drain(test);
            begin_channel();
        }
    }
    drain(test);
}
