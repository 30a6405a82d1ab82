// SPDX-License-Identifier: MIT
//
// The sweep's own proof: it comes everywhere, no sooner than a CPU would let it, and finds the ways
// to sleep that are wrong.
#include "arch/x86_64/interrupt_sweep_fixture.h"

#include "arch/x86_64/cpu.h"
#include "ktest.h"
#include "lib/bits.h"

static volatile unsigned progress;
static unsigned seen; // bit N: the interrupt has come while progress was N
static volatile bool is_awake;

static void set_up(void)
{
    progress = 0;
    is_awake = false;
}

static void interrupt(void)
{
    seen |= (unsigned)BIT(progress);
    is_awake = true;
}

static bool is_sound(void)
{
    return is_awake;
}

static struct interrupt_sweep sweep(void (*run)(void))
{
    seen = 0;
    return interrupt_sweep(&(struct interrupt_scenario){set_up, run, interrupt, is_sound});
}

#define ADVANCE "incl progress(%%rip);"

static void advance_three_times(void)
{
    __asm__ volatile(ADVANCE ADVANCE ADVANCE : : : "memory", "cc");
}

KTEST(interrupt_sweep, comes_before_every_instruction)
{
    struct interrupt_sweep result = sweep(advance_three_times);
    KTEST_EXPECT_EQ(test, seen, 0xf);
    KTEST_EXPECT_EQ(test, result.losses, 0);
    KTEST_EXPECT_GT(test, result.places, 4);
    KTEST_EXPECT_LT(test, result.places, 100);
}

static void advance_with_interrupts_off(void)
{
    __asm__ volatile(ADVANCE "cli;" ADVANCE ADVANCE "sti;" ADVANCE ADVANCE : : : "memory", "cc");
}

// Behind `sti`, one more instruction comes first.
KTEST(interrupt_sweep, comes_when_interrupts_are_on)
{
    KTEST_EXPECT_EQ(test, sweep(advance_with_interrupts_off).losses, 0);
    KTEST_EXPECT_EQ(test, seen, BIT(0) | BIT(1) | BIT(4) | BIT(5));
}

static void turn_on_twice(void)
{
    __asm__ volatile("sti;" ADVANCE ADVANCE : : : "memory", "cc");
}

// A `sti` that turns nothing on lets them in at once.
KTEST(interrupt_sweep, shadow_needs_interrupts_to_be_off)
{
    KTEST_EXPECT_EQ(test, sweep(turn_on_twice).losses, 0);
    KTEST_EXPECT_EQ(test, seen, BIT(0) | BIT(1) | BIT(2));
}

// --- Ways to sleep until somebody is awake -------------------------------------------------------

static void sleep_well(void)
{
    cpu_disable_interrupts();
    while (!is_awake) {
        cpu_wait_for_interrupt();
        cpu_disable_interrupts();
    }
    cpu_enable_interrupts();
}

KTEST_ATTR(interrupt_sweep, halt_right_behind_sti_loses_nothing, .proves = "12.4.9");
KTEST(interrupt_sweep, halt_right_behind_sti_loses_nothing)
{
    interrupt_sweep_expect_sound(
        test, &(struct interrupt_scenario){set_up, sleep_well, interrupt, is_sound});
}

static void look_with_interrupts_on(void)
{
    while (!is_awake) {
        cpu_wait_for_interrupt();
    }
}

static void halt_later(void)
{
    cpu_disable_interrupts();
    while (!is_awake) {
        __asm__ volatile("sti; nop; hlt; cli" : : : "memory");
    }
    cpu_enable_interrupts();
}

static void halt_with_interrupts_off(void)
{
    cpu_disable_interrupts();
    while (!is_awake) {
        __asm__ volatile("hlt" : : : "memory");
    }
    cpu_enable_interrupts();
}

static void (*const wrong_sleeps[])(void) = {
    look_with_interrupts_on,
    halt_later,
    halt_with_interrupts_off,
};

KTEST_ATTR(interrupt_sweep, wrong_ways_to_sleep_are_found, .proves = "12.4.9");
KTEST_PARAM(interrupt_sweep, wrong_ways_to_sleep_are_found, wrong_sleeps, NULL)
{
    struct interrupt_sweep result = sweep(*param);
    KTEST_EXPECT_GT(test, result.losses, 0);
    KTEST_EXPECT_LT(test, result.losses, result.places);
    KTEST_EXPECT_NE(test, result.first_loss, 0);
}

static bool is_sound_at_first(void)
{
    return (seen & ~BIT(0)) == 0;
}

KTEST(interrupt_sweep, unsound_end_is_a_loss)
{
    seen = 0;
    struct interrupt_sweep result = interrupt_sweep(
        &(struct interrupt_scenario){set_up, advance_three_times, interrupt, is_sound_at_first});
    KTEST_EXPECT_GT(test, result.losses, 3);
    KTEST_EXPECT_LT(test, result.losses, result.places);
}
