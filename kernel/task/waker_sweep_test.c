// SPDX-License-Identifier: MIT
//
// An interrupt that wakes, before each instruction of what else is done with a waker's place and
// with a queue: no wake is lost or comes twice, and each reference goes back once.
#include "arch/x86_64/interrupt_sweep_fixture.h"
#include "ktest.h"
#include "task/atomic_waker.h"
#include "task/test_waker.h"
#include "task/wait_queue.h"

TESTS_BYPASS_GUARDS

static struct test_waker early;
static struct test_waker late;

static void make_wakers(void)
{
    early = late = test_waker_make();
}

// The test has one too.
static bool has_reference_if(const struct test_waker *waker, bool is_kept)
{
    return waker->waker.references.count == 1U + is_kept;
}

// --- A place for one -----------------------------------------------------------------------------

static struct atomic_waker place;

static void empty_place(void)
{
    make_wakers();
    place = (struct atomic_waker){};
}

static void occupy_place(void)
{
    empty_place();
    atomic_waker_register(&place, &early.waker);
}

static void wake_place(void)
{
    atomic_waker_wake(&place);
}

static void register_late(void)
{
    atomic_waker_register(&place, &late.waker);
}

static void clear_place(void)
{
    atomic_waker_clear(&place);
}

static void wake_twice(void)
{
    atomic_waker_wake(&place);
    atomic_waker_wake(&place);
}

// Either the wake has found it, or it is still there for the next.
static bool is_registered_or_woken(void)
{
    bool is_kept = place.waker == &late.waker;
    return late.wake_count == !is_kept && early.wake_count == 0 && has_reference_if(&late, is_kept);
}

// The wake has found one of the two.
static bool is_replaced_or_woken(void)
{
    bool is_kept = place.waker == &late.waker;
    return early.wake_count + late.wake_count == 1 && early.wake_count == is_kept &&
           has_reference_if(&early, false) && has_reference_if(&late, is_kept);
}

static bool is_cleared(void)
{
    return place.waker == NULL && early.wake_count <= 1 && has_reference_if(&early, false);
}

static bool is_woken_once(void)
{
    return place.waker == NULL && early.wake_count == 1 && has_reference_if(&early, false);
}

static const struct interrupt_scenario place_scenarios[] = {
    {empty_place, register_late, wake_place, is_registered_or_woken},
    {occupy_place, register_late, wake_place, is_replaced_or_woken},
    {occupy_place, clear_place, wake_place, is_cleared},
    {occupy_place, wake_twice, wake_place, is_woken_once},
};

KTEST_ATTR(waker_sweep, place_is_woken_once, .proves = "12.3.5");
KTEST_PARAM(waker_sweep, place_is_woken_once, place_scenarios, NULL)
{
    interrupt_sweep_expect_sound(test, param);
}

// --- A queue -------------------------------------------------------------------------------------

static struct wait_queue queue;
static struct waiter early_waiter;
static struct waiter late_waiter;
static bool was_in_queue;

static void empty_queue(void)
{
    make_wakers();
    wait_queue_init(&queue);
    early_waiter = late_waiter = (struct waiter){};
}

static void queue_early(void)
{
    empty_queue();
    wait_queue_add(&queue, &early_waiter, &early.waker);
}

static void queue_both(void)
{
    queue_early();
    wait_queue_add(&queue, &late_waiter, &late.waker);
}

static void wake_first(void)
{
    wait_queue_wake_first(&queue);
}

static void wake_all(void)
{
    wait_queue_wake_all(&queue);
}

static void add_late(void)
{
    wait_queue_add(&queue, &late_waiter, &late.waker);
}

static void remove_early(void)
{
    was_in_queue = wait_queue_remove(&early_waiter);
}

static bool waits_or_was_woken(const struct waiter *waiter, const struct test_waker *waker)
{
    bool waits = waiter->waker != NULL;
    return list_node_is_linked(&waiter->node) == waits && waker->wake_count == !waits &&
           has_reference_if(waker, waits);
}

static bool late_waits_or_was_woken(void)
{
    return waits_or_was_woken(&late_waiter, &late);
}

static bool early_was_woken_and_late_waits(void)
{
    return early.wake_count == 1 && has_reference_if(&early, false) && late.wake_count == 0 &&
           late_waits_or_was_woken();
}

static bool early_was_removed_or_woken(void)
{
    return early_waiter.waker == NULL && early.wake_count == !was_in_queue &&
           has_reference_if(&early, false);
}

static bool both_were_woken(void)
{
    return wait_queue_is_empty(&queue) && early.wake_count == 1 && late.wake_count == 1 &&
           has_reference_if(&early, false) && has_reference_if(&late, false);
}

static const struct interrupt_scenario queue_scenarios[] = {
    {empty_queue, add_late, wake_first, late_waits_or_was_woken},
    {queue_early, add_late, wake_first, early_was_woken_and_late_waits},
    {queue_early, remove_early, wake_first, early_was_removed_or_woken},
    {queue_both, wake_first, wake_first, both_were_woken},
    {queue_both, wake_all, wake_first, both_were_woken},
};

KTEST_PARAM(waker_sweep, queue_is_woken_once, queue_scenarios, NULL)
{
    interrupt_sweep_expect_sound(test, param);
}
