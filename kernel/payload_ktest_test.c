// SPDX-License-Identifier: MIT
//
// This kernel's half of ktest. The watchdog has the timer in the test's hand: it waits in steps, as
// the timer can't wait longer than one, and comes again when it has come at a bad time.
#include "arch/x86_64/cpu.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "port.h"
#include "stream.h"

static uint32_t steps[4];
static size_t step_count;

static void note_step(uint32_t ms)
{
    if (step_count < 4) {
        steps[step_count++] = ms;
    }
}

static bool always(void)
{
    return true;
}

static void expire(void)
{
    __asm__ volatile("int $2" : : : "memory");
}

KTEST_ATTR(watchdog, waits_in_steps_and_then_a_little_longer, .outcome = KTEST_HANG);
KTEST(watchdog, waits_in_steps_and_then_a_little_longer)
{
    step_count = 0;
    KTEST_STUB(test, nmi_timer_start, note_step);
    KTEST_STUB(test, nmi_timer_has_expired, always);
    ktest_port_watchdog_start(NMI_TIMER_MAX_MS + 10);
    expire();
    stream_hold();
    expire(); // its time is over, but a report is on its way
    stream_release();
    KTEST_EXPECT_EQ(test, step_count, 3);
    KTEST_EXPECT_EQ(test, steps[0], NMI_TIMER_MAX_MS);
    KTEST_EXPECT_EQ(test, steps[1], 10);
    KTEST_EXPECT_EQ(test, steps[2], 1);
    KTEST_ARM(test);
    expire();
}

static uint64_t no_cycles(void)
{
    return 0;
}

// A stub may be put in place in any state: only the code changes.
KTEST(ktest_port, writing_code_changes_neither_interrupts_nor_write_protection)
{
    cpu_enable_interrupts();
    KTEST_STUB(test, ktest_port_cycles, no_cycles);
    bool is_enabled = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_STUB(test, ktest_port_cycles, no_cycles);
    KTEST_EXPECT_TRUE(test, is_enabled);
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
    KTEST_EXPECT_EQ(test, cpu_read_cr0() & CR0_WP, CR0_WP);
    KTEST_EXPECT_EQ(test, ktest_port_cycles(), 0);
}
