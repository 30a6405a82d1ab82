// SPDX-License-Identifier: MIT
//
// Many tasks that lock, send, receive and wait, are cancelled wherever they are and begin again,
// while an interrupt sends, receives and releases too. In the end every number that was sent has
// been received once, and no permit is lost.
#include "arch/x86_64/cpu.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/container_of.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "task/channel.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/mutex.h"
#include "time/timer.h"

TESTS_BYPASS_GUARDS

#define ROUNDS 100000
#define ACTORS 30
#define CAPACITY 4
// More than rounds and interrupts can send: the slower the rounds, the more of these.
#define NUMBERS (STEPS_PER_INSTRUCTION > 1 ? 400000 : 100000)
#define PERIOD_NS (20 * NS_PER_US)
#define PERMITS 5 // that an interrupt releases

// Locks the mutex, and stays for some turns of others.
struct visit {
    struct coroutine coroutine;
    struct mutex_lock lock;
    struct coroutine_cleanup cleanup;
    unsigned turns_left;
};

struct actor {
    struct task task;
    struct coroutine coroutine;
    struct visit visit;
    struct semaphore_acquire acquire;
    struct channel_send send;
    struct channel_receive receive;
    uint32_t number;
};

static struct test_random random;
static struct executor executor;
static struct actor actors[ACTORS];
static struct mutex mutex;
static struct semaphore semaphore;
static uint32_t elements[CAPACITY];
static struct channel channel;

static struct {
    unsigned inside;
    unsigned most_inside;
    uint64_t visits;
    uint64_t cancels;
    uint64_t interrupts;
    uint64_t released; // by the interrupt
    uint64_t given_back;
    uint64_t acquired;
    uint32_t next_number; // atomic
    uint8_t sent[NUMBERS];
    uint8_t received[NUMBERS];
} world;

static uint32_t new_number(void)
{
    return __atomic_fetch_add(&world.next_number, 1, __ATOMIC_RELAXED) % NUMBERS;
}

static void leave(void *visit)
{
    world.inside--;
    mutex_unlock(&((struct visit *)visit)->lock);
}

static enum coroutine_step visit(struct coroutine *coroutine)
{
    struct visit *self = container_of(coroutine, struct visit, coroutine);
    COROUTINE_BEGIN(self);
    mutex_lock_init(&self->lock, &mutex);
    AWAIT(self, &self->lock.future);
    coroutine_defer(&self->coroutine, &self->cleanup, leave, self);
    world.visits++;
    world.inside++;
    for (; self->turns_left > 0; self->turns_left--) {
        world.most_inside = world.inside > world.most_inside ? world.inside : world.most_inside;
        COROUTINE_YIELD(self);
    }
    return COROUTINE_RETURNS;
}

static enum coroutine_step act(struct coroutine *coroutine)
{
    struct actor *self = container_of(coroutine, struct actor, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        switch (test_random_below(&random, 4)) {
        case 0:
            self->visit.turns_left = (unsigned)test_random_below(&random, 3);
            coroutine_init(&self->visit.coroutine, visit);
            AWAIT(self, &self->visit.coroutine.future);
            break;
        case 1:
            semaphore_acquire_init(&self->acquire, &semaphore);
            AWAIT(self, &self->acquire.future);
            world.acquired++;
            if (test_random_below(&random, 2) == 0) {
                semaphore_release(&semaphore);
                world.given_back++;
            }
            break;
        case 2:
            self->number = new_number();
            channel_send_init(&self->send, &channel, &self->number);
            AWAIT(self, &self->send.future);
            world.sent[self->number]++;
            break;
        case 3:
            channel_receive_init(&self->receive, &channel, &self->number);
            AWAIT(self, &self->receive.future);
            world.received[self->number]++;
            break;
        }
        COROUTINE_YIELD(self);
    }
}

static void begin(struct actor *actor)
{
    coroutine_init(&actor->coroutine, act);
    task_init(&actor->task, "actor", &actor->coroutine.future);
    executor_spawn(&executor, task_get(&actor->task));
}

static void interrupt(struct timer *timer)
{
    uint32_t number = new_number();
    world.interrupts++;
    for (unsigned i = 0; i < PERMITS; i++) {
        world.released++;
        semaphore_release(&semaphore);
    }
    if (channel_try_send(&channel, &number) == OK) {
        world.sent[number]++;
    }
    if (world.interrupts % 2 == 0 && channel_try_receive(&channel, &number) == OK) {
        world.received[number]++;
    }
    timer_add(timer, clock_monotonic_ns() + PERIOD_NS);
}

// One that was woken by an interrupt while it ended is in the executor's queue as yet.
static bool has_references(const struct actor *actor)
{
    return __atomic_load_n(&actor->task.waker.references.count, __ATOMIC_ACQUIRE) > 1;
}

static void step(void)
{
    struct actor *actor = &actors[test_random_below(&random, ACTORS)];
    executor_poll_next(&executor);
    if (task_has_ended(&actor->task)) {
        if (!has_references(actor)) {
            begin(actor);
        }
    } else if (test_random_below(&random, 20) == 0) {
        world.cancels++;
        task_cancel(&actor->task);
    }
}

static void init(struct ktest *test)
{
    (void)test;
    random = (struct test_random){59};
    memset(&world, 0, sizeof(world));
    executor_init(&executor, "test");
    mutex_init(&mutex);
    semaphore_init(&semaphore, 0);
    channel_init(&channel, elements, sizeof(elements[0]), CAPACITY);
    for (size_t i = 0; i < ACTORS; i++) {
        begin(&actors[i]);
    }
}

KTEST_SUITE(sync_tasks, .init = init);

static void expect_all_as_it_was(struct ktest *test)
{
    uint32_t number;
    while (channel_try_receive(&channel, &number) == OK) {
        world.received[number]++;
    }
    KTEST_EXPECT_MEMEQ(test, world.received, world.sent, NUMBERS);
    KTEST_EXPECT_EQ(test, channel.room.permits, CAPACITY);
    KTEST_EXPECT_NULL(test, mutex.owner);
    KTEST_EXPECT_EQ(test, mutex.semaphore.permits, 1);
    KTEST_EXPECT_EQ(test, world.acquired + semaphore.permits, world.released + world.given_back);
    for (size_t i = 0; i < ACTORS; i++) {
        KTEST_EXPECT_FALSE(test, has_references(&actors[i]));
    }
}

KTEST_ATTR(
    sync_tasks, nothing_is_lost_or_doubled, .timeout_ms = 60000, .proves = "12.5.6.2 12.1.9",
    .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                            .skip = "Bochs's timer interrupts so often that the numbers run out"}),
    .speed = KTEST_SPEED_SLOW);
KTEST(sync_tasks, nothing_is_lost_or_doubled)
{
    struct timer timer = {.function = interrupt};
    nmi_timer_stop(); // the timer's device may be the watchdog's
    timer_add(&timer, clock_monotonic_ns() + PERIOD_NS);
    cpu_enable_interrupts();
    for (unsigned round = 0; round < ROUNDS; round++) {
        step();
    }
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    executor_close(&executor);

    expect_all_as_it_was(test);
    KTEST_EXPECT_EQ(test, world.most_inside, 1);
    KTEST_EXPECT_EQ(test, world.inside, 0);
    KTEST_EXPECT_GT(test, world.visits, 0);
    KTEST_EXPECT_GT(test, world.interrupts, 0);
    KTEST_EXPECT_GT(test, world.acquired, 0);
    KTEST_EXPECT_LT(test, world.next_number, NUMBERS);
}
