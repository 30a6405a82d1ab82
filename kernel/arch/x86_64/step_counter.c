// SPDX-License-Identifier: MIT
#include "arch/x86_64/step_counter.h"

#include "arch/x86_64/trap.h"

static volatile unsigned step_count;
static unsigned empty_count; // what a measurement of nothing counts
static trap_handler_t *handler_before;

static void count_step(struct trap_frame *frame)
{
    (void)frame;
    step_count++;
}

void step_counter_open(void)
{
    handler_before = trap_set_handler(VECTOR_DEBUG, count_step);
    step_count = 0;
    cpu_write_rflags(cpu_read_rflags() | RFLAGS_SINGLE_STEP);
    cpu_write_rflags(cpu_read_rflags() & ~RFLAGS_SINGLE_STEP);
    empty_count = step_count;
    step_count = 0;
}

unsigned step_counter_close(void)
{
    trap_set_handler(VECTOR_DEBUG, handler_before);
    // The divisor is the sanitizer's: kernel/debug/meson.build.
    return (step_count - empty_count) / STEPS_PER_INSTRUCTION;
}
