// SPDX-License-Identifier: MIT
#include "drivers/pic_8259.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"

KTEST(pic, all_lines_are_masked)
{
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xffff);
}

static uint64_t interrupts_seen;
static uint64_t last_vector;

static void count_interrupt(struct trap_frame *frame)
{
    interrupts_seen++;
    last_vector = frame->vector;
}

// The firmware's timer has been ticking since power-on: with interrupts on for a while, none may
// arrive as what would look like a double fault.
KTEST(pic, masked_lines_stay_quiet_with_interrupts_on)
{
    trap_handler_t *before = trap_set_unhandled(count_interrupt);
    interrupts_seen = 0;
    cpu_enable_interrupts();
    for (int i = 0; i < 10000; i++) {
        cpu_relax();
    }
    cpu_disable_interrupts();
    trap_set_unhandled(before);
    KTEST_EXPECT_EQ_MSG(test, interrupts_seen, 0, "vector %lu", last_vector);
}
