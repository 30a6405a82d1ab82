// SPDX-License-Identifier: MIT
#include "task/wait_queue.h"

#include "arch/x86_64/cpu.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/test_random.h"
#include "task/test_waker.h"

static struct wait_queue queue = WAIT_QUEUE_INITIALIZER(queue);
static struct test_waker wakers[4];
static struct waiter waiters[ARRAY_SIZE(wakers)];

static void init(struct ktest *test)
{
    (void)test;
    wait_queue_init(&queue);
    for (size_t i = 0; i < ARRAY_SIZE(wakers); i++) {
        wakers[i] = test_waker_make();
        waiters[i] = (struct waiter){};
    }
}

// Every reference goes with its waiter.
static void exit(struct ktest *test)
{
    wait_queue_wake_all(&queue);
    for (size_t i = 0; i < ARRAY_SIZE(wakers); i++) {
        KTEST_EXPECT_EQ(test, wakers[i].waker.references.count, 1);
    }
}

KTEST_SUITE(wait_queue, .init = init, .exit = exit);

static void add(size_t index)
{
    wait_queue_add(&queue, &waiters[index], &wakers[index].waker);
}

KTEST(wait_queue, wakes_in_the_order_of_coming)
{
    add(2);
    add(0);
    add(1);
    KTEST_EXPECT_EQ(test, wakers[0].waker.references.count, 2);

    KTEST_EXPECT_PTR_EQ(test, wait_queue_wake_first(&queue), &waiters[2]);
    KTEST_EXPECT_EQ(test, wakers[2].wake_count, 1);
    KTEST_EXPECT_EQ(test, wakers[0].wake_count, 0);
    KTEST_EXPECT_PTR_EQ(test, wait_queue_wake_first(&queue), &waiters[0]);
    KTEST_EXPECT_PTR_EQ(test, wait_queue_wake_first(&queue), &waiters[1]);
    KTEST_EXPECT_NULL(test, wait_queue_wake_first(&queue));
    KTEST_EXPECT_EQ(test, wakers[0].wake_count, 1);
}

KTEST(wait_queue, wakes_all_that_wait_now)
{
    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&queue));
    KTEST_EXPECT_EQ(test, wait_queue_wake_all(&queue), 0);
    for (size_t i = 0; i < 4; i++) {
        add(i);
    }
    KTEST_EXPECT_FALSE(test, wait_queue_is_empty(&queue));

    KTEST_EXPECT_EQ(test, wait_queue_wake_all(&queue), 4);

    KTEST_EXPECT_TRUE(test, wait_queue_is_empty(&queue));
    for (size_t i = 0; i < 4; i++) {
        KTEST_EXPECT_EQ(test, wakers[i].wake_count, 1);
    }
}

KTEST(wait_queue, added_again_keeps_its_place_with_the_new_waker)
{
    add(0);
    add(1);
    wait_queue_add(&queue, &waiters[0], &wakers[2].waker);
    KTEST_EXPECT_EQ(test, wakers[0].waker.references.count, 1);
    KTEST_EXPECT_EQ(test, wakers[2].waker.references.count, 2);

    KTEST_EXPECT_PTR_EQ(test, wait_queue_wake_first(&queue), &waiters[0]);

    KTEST_EXPECT_EQ(test, wakers[0].wake_count, 0);
    KTEST_EXPECT_EQ(test, wakers[2].wake_count, 1);
}

KTEST(wait_queue, removed_is_not_woken)
{
    add(0);
    add(1);
    add(2);

    KTEST_EXPECT_TRUE(test, wait_queue_remove(&waiters[1]));
    KTEST_EXPECT_FALSE(test, wait_queue_remove(&waiters[1]));
    KTEST_EXPECT_FALSE(test, wait_queue_remove(&waiters[3]));

    KTEST_EXPECT_EQ(test, wait_queue_wake_all(&queue), 2);
    KTEST_EXPECT_EQ(test, wakers[1].wake_count, 0);
    KTEST_EXPECT_FALSE(test, wait_queue_remove(&waiters[0]));
}

KTEST(wait_queue, woken_may_wait_again)
{
    add(0);
    wait_queue_wake_first(&queue);
    add(0);

    KTEST_EXPECT_EQ(test, wait_queue_wake_all(&queue), 1);
    KTEST_EXPECT_EQ(test, wakers[0].wake_count, 2);
}

KTEST(wait_queue, keeps_interrupts_as_they_were)
{
    for (int are_on = 0; are_on < 2; are_on++) {
        if (are_on) {
            cpu_enable_interrupts();
        }
        add(0);
        add(1);
        bool behind_add = cpu_interrupts_enabled();
        wait_queue_remove(&waiters[0]);
        bool behind_remove = cpu_interrupts_enabled();
        wait_queue_wake_all(&queue);
        bool behind_wake = cpu_interrupts_enabled();
        cpu_disable_interrupts();
        KTEST_EXPECT_EQ(test, behind_add, are_on);
        KTEST_EXPECT_EQ(test, behind_remove, are_on);
        KTEST_EXPECT_EQ(test, behind_wake, are_on);
    }
}

static bool was_interruptible;

static void note_interrupts(struct waker *waker)
{
    (void)waker;
    was_interruptible |= cpu_interrupts_enabled();
}

// A handler that comes in between could add one that did not wait then, again and again.
KTEST(wait_queue, those_that_wait_now_are_woken_uninterrupted)
{
    was_interruptible = false;
    wakers[0].waker.wake = note_interrupts;
    add(0);
    cpu_enable_interrupts();
    size_t count = wait_queue_wake_all(&queue);
    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, count, 1);
    KTEST_EXPECT_FALSE(test, was_interruptible);
}

// Which of them wait, the first one first.
struct model {
    size_t waiting[ARRAY_SIZE(wakers)];
    size_t count;
};

static size_t model_find(const struct model *model, size_t index)
{
    size_t at = 0;
    while (at < model->count && model->waiting[at] != index) {
        at++;
    }
    return at;
}

static void model_remove_at(struct model *model, size_t at)
{
    for (model->count--; at < model->count; at++) {
        model->waiting[at] = model->waiting[at + 1];
    }
}

KTEST(wait_queue, agrees_with_a_model)
{
    struct test_random random = {8};
    struct model model = {};
    for (int step = 0; step < 2000; step++) {
        size_t index = test_random_below(&random, ARRAY_SIZE(wakers));
        size_t at = model_find(&model, index);
        switch (test_random_below(&random, 3)) {
        case 0:
            add(index);
            if (at == model.count) {
                model.waiting[model.count++] = index;
            }
            break;
        case 1:
            KTEST_ASSERT_EQ(test, wait_queue_remove(&waiters[index]), at < model.count);
            if (at < model.count) {
                model_remove_at(&model, at);
            }
            break;
        default:
            KTEST_ASSERT_PTR_EQ(test, wait_queue_wake_first(&queue),
                                model.count > 0 ? &waiters[model.waiting[0]] : NULL);
            if (model.count > 0) {
                model_remove_at(&model, 0);
            }
            break;
        }
        KTEST_ASSERT_EQ(test, wait_queue_is_empty(&queue), model.count == 0);
    }
}
