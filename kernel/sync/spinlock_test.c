// SPDX-License-Identifier: MIT
#include "sync/spinlock.h"

#include "ktest.h"
#include "lib/panic.h"

TESTS_BYPASS_GUARDS

static struct spinlock outer = SPINLOCK("outer", LOCK_RANK_TEST);
static struct spinlock inner = SPINLOCK("inner", LOCK_RANK_TEST_INNER);
static struct spinlock peer = SPINLOCK("peer", LOCK_RANK_TEST);

static void exit(struct ktest *test)
{
    (void)test;
    spinlock_abandon(0); // a test that panics leaves its locks
    cpu_disable_interrupts();
}

KTEST_SUITE(spinlock, .exit = exit);

KTEST_ATTR(spinlock, lock_and_unlock_change_the_state, .proves = "3.16");
KTEST(spinlock, lock_and_unlock_change_the_state)
{
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&outer));
    irq_state_t state = spinlock_lock(&outer);
    bool is_locked = spinlock_is_locked(&outer);
    spinlock_unlock(&outer, state);
    KTEST_EXPECT_TRUE(test, is_locked);
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&outer));
}

KTEST_ATTR(spinlock, holder_runs_with_interrupts_off, .proves = "4.3.3");
KTEST(spinlock, holder_runs_with_interrupts_off)
{
    cpu_enable_interrupts();
    irq_state_t state = spinlock_lock(&outer);
    bool is_enabled_within = cpu_interrupts_enabled();
    irq_state_t inner_state = spinlock_lock(&inner);
    spinlock_unlock(&inner, inner_state);
    bool is_enabled_after_inner = cpu_interrupts_enabled();
    spinlock_unlock(&outer, state);
    bool is_enabled_after = cpu_interrupts_enabled();
    cpu_disable_interrupts();

    KTEST_EXPECT_FALSE(test, is_enabled_within);
    KTEST_EXPECT_FALSE(test, is_enabled_after_inner);
    KTEST_EXPECT_TRUE(test, is_enabled_after);
}

KTEST(spinlock, interrupts_that_were_off_stay_off)
{
    irq_state_t state = spinlock_lock(&outer);
    spinlock_unlock(&outer, state);
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
}

KTEST_ATTR(spinlock, try_lock_fails_on_a_taken_lock_and_changes_nothing, .proves = "3.16");
KTEST(spinlock, try_lock_fails_on_a_taken_lock_and_changes_nothing)
{
    irq_state_t state = spinlock_lock(&outer);
    irq_state_t other = {true};
    bool is_taken = spinlock_try_lock(&outer, &other);
    spinlock_unlock(&outer, state);
    KTEST_EXPECT_FALSE(test, is_taken);
    KTEST_EXPECT_TRUE(test, other.is_enabled);

    cpu_enable_interrupts();
    bool is_free = spinlock_try_lock(&outer, &other);
    bool is_enabled_within = cpu_interrupts_enabled();
    spinlock_unlock(&outer, other);
    bool is_enabled_after = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, is_free);
    KTEST_EXPECT_FALSE(test, is_enabled_within);
    KTEST_EXPECT_TRUE(test, is_enabled_after);
}

KTEST_ATTR(spinlock, failed_try_lock_gives_interrupts_back, .proves = "3.16");
KTEST(spinlock, failed_try_lock_gives_interrupts_back)
{
    outer.is_locked = true; // as if another CPU held it
    cpu_enable_interrupts();
    irq_state_t state;
    bool is_taken = spinlock_try_lock(&outer, &state);
    bool is_enabled = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    outer.is_locked = false;
    KTEST_EXPECT_FALSE(test, is_taken);
    KTEST_EXPECT_TRUE(test, is_enabled);
}

KTEST(spinlock, held_locks_are_listed_outermost_first)
{
    KTEST_ASSERT_NULL(test, spinlock_held(0));
    irq_state_t outer_state = spinlock_lock(&outer);
    irq_state_t inner_state = spinlock_lock(&inner);
    const struct spinlock *first = spinlock_held(0);
    const struct spinlock *second = spinlock_held(1);
    const struct spinlock *third = spinlock_held(2);
    spinlock_unlock(&inner, inner_state);
    spinlock_unlock(&outer, outer_state);
    KTEST_EXPECT_PTR_EQ(test, first, &outer);
    KTEST_EXPECT_PTR_EQ(test, second, &inner);
    KTEST_EXPECT_NULL(test, third);
    KTEST_EXPECT_NULL(test, spinlock_held(0));
}

[[gnu::noinline]] static bool take_and_give_back(void)
{
    irq_state_t outer_state = spinlock_lock(&outer);
    irq_state_t inner_state;
    bool is_taken = spinlock_try_lock(&inner, &inner_state);
    if (is_taken) {
        spinlock_unlock(&inner, inner_state);
    }
    spinlock_unlock(&outer, outer_state);
    return is_taken;
}

KTEST(spinlock, place_where_it_was_taken_is_known)
{
    KTEST_ASSERT_TRUE(test, take_and_give_back());
    uint64_t start = (uint64_t)take_and_give_back;
    KTEST_EXPECT_GT(test, outer.taken_at, start);
    KTEST_EXPECT_GT(test, inner.taken_at, outer.taken_at);
    KTEST_EXPECT_LT(test, inner.taken_at, start + 512);
    KTEST_EXPECT_NULL(test, spinlock_awaited());
}

KTEST(spinlock, abandoned_locks_are_free_again)
{
    (void)spinlock_lock(&outer);
    (void)spinlock_lock(&inner);
    spinlock_abandon(0);
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&outer));
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&inner));
    KTEST_EXPECT_NULL(test, spinlock_held(0));
}

KTEST(spinlock, only_the_inner_locks_are_abandoned)
{
    irq_state_t state = spinlock_lock(&outer);
    (void)spinlock_lock(&inner);
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 2);
    spinlock_abandon(1);
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 1);
    KTEST_EXPECT_TRUE(test, spinlock_is_locked(&outer));
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&inner));
    spinlock_abandon(3); // more than there are
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 1);
    spinlock_unlock(&outer, state);
}

// An abandoned statement gives back what it took itself, and nothing else.
KTEST(spinlock, lock_from_before_a_recovered_panic_stays_held)
{
    irq_state_t state = spinlock_lock(&outer);
    KTEST_EXPECT_PANIC(test, "within", {
        (void)spinlock_lock(&inner);
        panic("within");
    });
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 1);
    KTEST_EXPECT_TRUE(test, spinlock_is_locked(&outer));
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&inner));
    spinlock_unlock(&outer, state);
}

// One more than a CPU can keep track of is refused before it is taken: nobody would know of it.
KTEST(spinlock, ninth_lock_is_refused_and_stays_free)
{
    static struct spinlock locks[9];
    irq_state_t state;
    for (int i = 0; i < 8; i++) {
        locks[i] = (struct spinlock)SPINLOCK("many", LOCK_RANK_TEST);
        KTEST_ASSERT_TRUE(test, spinlock_try_lock(&locks[i], &state));
    }
    locks[8] = (struct spinlock)SPINLOCK("ninth", LOCK_RANK_TEST);
    KTEST_EXPECT_PANIC(test, "lock ninth: more than 8 locks held",
                       (void)spinlock_try_lock(&locks[8], &state));
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&locks[8]));
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 8);
    spinlock_abandon(0);
}

// Every lock guards data, unless it is known that it does not.
KTEST(spinlock, rank_tells_whether_a_lock_guards_state)
{
    static const struct spinlock state = SPINLOCK("state", LOCK_RANK_TEST_STATE);
    static const struct spinlock log = SPINLOCK("log", LOCK_RANK_LOG);
    static const struct spinlock handler = SPINLOCK("handler", LOCK_RANK_HANDLER);
    static const struct spinlock future =
        SPINLOCK("future", (enum lock_rank)(LOCK_RANK_HANDLER + 1));
    KTEST_EXPECT_FALSE(test, spinlock_guards_state(&outer));
    KTEST_EXPECT_FALSE(test, spinlock_guards_state(&inner));
    KTEST_EXPECT_FALSE(test, spinlock_guards_state(&log));
    KTEST_EXPECT_FALSE(test, spinlock_guards_state(&handler));
    KTEST_EXPECT_TRUE(test, spinlock_guards_state(&state));
    KTEST_EXPECT_TRUE(test, spinlock_guards_state(&future));
}

// try_lock takes any rank, so that eight of one rank can be held.
KTEST(spinlock, eight_are_held_and_no_more)
{
    static struct spinlock locks[9];
    static struct spinlock innermost = SPINLOCK("innermost", (enum lock_rank)(LOCK_RANK_LOG + 1));
    irq_state_t state;
    for (unsigned i = 0; i < 9; i++) {
        locks[i] = (struct spinlock)SPINLOCK("one of many", LOCK_RANK_TEST);
    }
    for (unsigned i = 0; i < 8; i++) {
        KTEST_EXPECT_TRUE(test, spinlock_try_lock(&locks[i], &state));
    }
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 8);
    KTEST_EXPECT_PTR_EQ(test, spinlock_held(7), &locks[7]);
    KTEST_EXPECT_NULL(test, spinlock_held(8));
    KTEST_EXPECT_PANIC(test, "lock one of many: more than 8 locks held",
                       (void)spinlock_try_lock(&locks[8], &state));
    KTEST_EXPECT_PANIC(test, "lock innermost: more than 8 locks held",
                       (void)spinlock_lock(&innermost));
}

KTEST_ATTR(spinlock, taking_a_lock_twice_panics,
           .outcome = KTEST_PANIC("lock outer is taken twice by the same CPU"), .proves = "3.16");
KTEST(spinlock, taking_a_lock_twice_panics)
{
    (void)spinlock_lock(&outer);
    KTEST_ARM(test);
    (void)spinlock_lock(&outer);
}

KTEST_ATTR(spinlock, taking_a_lower_rank_inside_panics,
           .outcome = KTEST_PANIC("lock outer (rank 0) is taken inside of inner (rank 1)"),
           .proves = "3.17");
KTEST(spinlock, taking_a_lower_rank_inside_panics)
{
    (void)spinlock_lock(&inner);
    KTEST_ARM(test);
    (void)spinlock_lock(&outer);
}

KTEST_ATTR(spinlock, taking_the_same_rank_inside_panics,
           .outcome = KTEST_PANIC("lock peer (rank 0) is taken inside of outer (rank 0)"));
KTEST(spinlock, taking_the_same_rank_inside_panics)
{
    (void)spinlock_lock(&outer);
    KTEST_ARM(test);
    (void)spinlock_lock(&peer);
}

// A lock that was tried for may be of a lower rank; it does not hide the higher one.
KTEST_ATTR(spinlock, rank_counts_behind_a_lock_that_was_tried,
           .outcome = KTEST_PANIC("lock inner (rank 1) is taken inside of top (rank *)"));
KTEST(spinlock, rank_counts_behind_a_lock_that_was_tried)
{
    static struct spinlock top = SPINLOCK("top", LOCK_RANK_LOG);
    irq_state_t state;
    (void)spinlock_lock(&top);
    KTEST_EXPECT_TRUE(test, spinlock_try_lock(&outer, &state));
    KTEST_ARM(test);
    (void)spinlock_lock(&inner);
}

KTEST_ATTR(spinlock, unlocking_out_of_order_panics,
           .outcome = KTEST_PANIC("lock outer is given back, but inner is the last one taken"),
           .proves = "3.17");
KTEST(spinlock, unlocking_out_of_order_panics)
{
    irq_state_t state = spinlock_lock(&outer);
    (void)spinlock_lock(&inner);
    KTEST_ARM(test);
    spinlock_unlock(&outer, state);
}

KTEST_ATTR(spinlock, unlocking_a_free_lock_panics,
           .outcome = KTEST_PANIC("lock outer is given back, but none is the last one taken"),
           .proves = "3.17");
KTEST(spinlock, unlocking_a_free_lock_panics)
{
    KTEST_ARM(test);
    spinlock_unlock(&outer, (irq_state_t){false});
}

KTEST_ATTR(irq_state, nested_saves_restore_what_was, .proves = "7.2.2");
KTEST(irq_state, nested_saves_restore_what_was)
{
    cpu_enable_interrupts();
    irq_state_t first = irq_save();
    irq_state_t second = irq_save();
    irq_restore(second);
    bool is_enabled_within = cpu_interrupts_enabled();
    irq_restore(first);
    bool is_enabled_after = cpu_interrupts_enabled();
    cpu_disable_interrupts();

    KTEST_EXPECT_TRUE(test, first.is_enabled);
    KTEST_EXPECT_FALSE(test, second.is_enabled);
    KTEST_EXPECT_FALSE(test, is_enabled_within);
    KTEST_EXPECT_TRUE(test, is_enabled_after);
}
