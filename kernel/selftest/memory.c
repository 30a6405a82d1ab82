// SPDX-License-Identifier: MIT
//
// Allocations that fail, and code that does not bear it: test_opposites.py.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "ktest.h"
#include "lib/panic.h"
#include "mm/frame.h"
#include "selftest/selftest.h"
#include "sync/spinlock.h"

TESTS_BYPASS_GUARDS

#define FRAMES 3

// How many frames it got, up to the first that it did not.
[[gnu::noinline]] static size_t take_frames(phys_addr_t *frames_out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (frame_alloc(&frames_out[i]) != OK) {
            return i;
        }
    }
    return count;
}

[[gnu::noinline]] static void give_frames(const phys_addr_t *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        frame_free(frames[i]);
    }
}

// Does what is wrong where the second frame of three is missing.
static void make_three(struct ktest *test, void (*misbehave)(void))
{
    phys_addr_t frames[FRAMES];
    size_t count = take_frames(frames, FRAMES);
    if (count == 1) {
        misbehave();
    }
    KTEST_EXPECT_EQ(test, count == FRAMES, !ktest_allocation_failed(test));
    give_frames(frames, count);
}

static void end_in_panic(void)
{
    panic("there is always a second frame");
}

KTEST_ATTR(opposite_memory, panic_on_the_error_path, .fail_nth = 5);
KTEST(opposite_memory, panic_on_the_error_path)
{
    make_three(test, end_in_panic);
}

static void end_in_fault(void)
{
    peek(UNMAPPED);
}

KTEST_ATTR(opposite_memory, fault_on_the_error_path, .fail_nth = 5);
KTEST(opposite_memory, fault_on_the_error_path)
{
    make_three(test, end_in_fault);
}

static void end_in_hang(void)
{
    for (;;) {
        cpu_relax();
    }
}

KTEST_ATTR(opposite_memory, hang_on_the_error_path, .fail_nth = 5, .timeout_ms = 50);
KTEST(opposite_memory, hang_on_the_error_path)
{
    make_three(test, end_in_hang);
}

static void end_in_triple_fault(void)
{
    static const struct idt empty;
    idt_load(&empty);
    __asm__ volatile("ud2");
}

KTEST_ATTR(opposite_memory, triple_fault_on_the_error_path, .fail_nth = 5);
KTEST(opposite_memory, triple_fault_on_the_error_path)
{
    make_three(test, end_in_triple_fault);
}

static void leave_interrupts_on(void)
{
    cpu_enable_interrupts();
}

KTEST_ATTR(opposite_memory, interrupts_left_on_by_the_error_path, .fail_nth = 5);
KTEST(opposite_memory, interrupts_left_on_by_the_error_path)
{
    make_three(test, leave_interrupts_on);
}

static struct spinlock state_lock = SPINLOCK("state", LOCK_RANK_TEST_STATE);

static void keep_lock_of_state(void)
{
    (void)spinlock_lock(&state_lock);
}

KTEST_ATTR(opposite_memory, lock_left_held_by_the_error_path, .fail_nth = 5);
KTEST(opposite_memory, lock_left_held_by_the_error_path)
{
    make_three(test, keep_lock_of_state);
}

KTEST_ATTR(opposite_memory, leak_on_the_error_path, .fail_nth = 5);
KTEST(opposite_memory, leak_on_the_error_path)
{
    phys_addr_t frames[FRAMES];
    size_t count = take_frames(frames, FRAMES);
    KTEST_EXPECT_EQ(test, count == FRAMES, !ktest_allocation_failed(test));
    give_frames(frames, count != 2 ? count : 1);
}

KTEST_ATTR(opposite_memory, assertion_when_an_allocation_fails, .fail_nth = 5);
KTEST(opposite_memory, assertion_when_an_allocation_fails)
{
    phys_addr_t frames[FRAMES];
    KTEST_ASSERT_EQ(test, take_frames(frames, FRAMES), FRAMES);
    give_frames(frames, FRAMES);
}

KTEST_ATTR(opposite_memory, skip_when_an_allocation_fails, .fail_nth = 5);
KTEST(opposite_memory, skip_when_an_allocation_fails)
{
    phys_addr_t frame;
    KTEST_ASSUME_EQ(test, frame_alloc(&frame), OK);
    frame_free(frame);
    KTEST_EXPECT_TRUE(test, true);
}

static void do_nothing(void)
{
}

KTEST_ATTR(opposite_memory, limit_below_what_it_needs, .fail_nth = FRAMES - 1);
KTEST(opposite_memory, limit_below_what_it_needs)
{
    make_three(test, do_nothing);
}

KTEST_ATTR(opposite_memory, limit_that_is_just_enough, .fail_nth = FRAMES);
KTEST(opposite_memory, limit_that_is_just_enough)
{
    make_three(test, do_nothing);
}

KTEST_ATTR(opposite_memory, sweep_without_an_allocation, .fail_nth = 5);
KTEST(opposite_memory, sweep_without_an_allocation)
{
    KTEST_EXPECT_TRUE(test, true);
}

KTEST_ATTR(opposite_memory, sweep_with_an_outcome, .fail_nth = 5, .outcome = KTEST_PANIC("*"));
KTEST(opposite_memory, sweep_with_an_outcome)
{
    KTEST_ARM(test);
    panic("as declared");
}

// Where the first run says enough there is no second one.
static unsigned run_count;

KTEST_ATTR(opposite_memory, a_first_run_that_fails, .fail_nth = 5);
KTEST(opposite_memory, a_first_run_that_fails)
{
    phys_addr_t frame;
    run_count++;
    KTEST_EXPECT_EQ(test, run_count, 2);
    if (frame_alloc(&frame) == OK) {
        frame_free(frame);
    }
}

KTEST_ATTR(opposite_memory, a_first_run_that_skips, .fail_nth = 5);
KTEST(opposite_memory, a_first_run_that_skips)
{
    run_count++;
    ktest_skip(test, "run %u", run_count);
}

KTEST_ATTR(opposite_memory, known_bug_on_the_error_path, .fail_nth = 5,
           .known_bug = "issue 5: nobody looks at the error");
KTEST(opposite_memory, known_bug_on_the_error_path)
{
    make_three(test, end_in_panic);
}

// Run with --fail-nth, for which nobody wrote them.
KTEST(lenient, assertion_is_overlooked)
{
    phys_addr_t frames[FRAMES];
    KTEST_ASSERT_EQ(test, take_frames(frames, FRAMES), FRAMES);
    give_frames(frames, FRAMES);
}

KTEST(lenient, assumption_is_overlooked)
{
    phys_addr_t frame;
    KTEST_ASSUME_EQ(test, frame_alloc(&frame), OK);
    frame_free(frame);
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(lenient, panic_behind_a_failed_check_is_none)
{
    phys_addr_t frames[FRAMES];
    size_t count = take_frames(frames, FRAMES);
    KTEST_EXPECT_EQ(test, count, FRAMES);
    give_frames(frames, count);
    if (count < FRAMES) {
        end_in_panic();
    }
}

KTEST(lenient, leak_is_none)
{
    phys_addr_t frames[FRAMES];
    size_t count = take_frames(frames, FRAMES);
    KTEST_EXPECT_LE(test, count, FRAMES);
    give_frames(frames, count != 2 ? count : 1);
}

KTEST(lenient, other_fault_than_tried_is_none)
{
    phys_addr_t frame;
    if (frame_alloc(&frame) == OK) {
        frame_free(frame);
        KTEST_EXPECT_FAULT(test, PF, 0, peek(UNMAPPED));
    } else {
        KTEST_EXPECT_FAULT(test, PF, 2, peek(UNMAPPED));
    }
}

KTEST(lenient, fault_that_does_not_come_is_overlooked)
{
    phys_addr_t frame;
    enum error error = frame_alloc(&frame);
    if (error == OK) {
        frame_free(frame);
    }
    KTEST_EXPECT_FAULT(test, PF, 0, error == OK ? peek(UNMAPPED) : 0);
}

KTEST(lenient, more_allocations_than_are_tried)
{
    phys_addr_t frame;
    for (unsigned i = 0; i < 120; i++) {
        if (frame_alloc(&frame) == OK) {
            frame_free(frame);
        }
    }
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(lenient, no_allocation_is_no_second_run)
{
    static unsigned count;
    if (++count > 1) {
        panic("it runs again");
    }
    KTEST_EXPECT_EQ(test, count, 1);
}
