// SPDX-License-Identifier: MIT
//
// What the way to a handler and back costs: counted in instructions, and measured.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"

// trap_test.asm
void trap_test_step(void);
extern uint64_t trap_test_stub;

static void note_nothing(struct trap_frame *frame)
{
    (void)frame;
}

static unsigned step_count;

static void count_step(struct trap_frame *frame)
{
    (void)frame;
    step_count++;
}

#ifdef __OPTIMIZE__
#define ROUND_TRIP_MAX (60 * STEPS_PER_INSTRUCTION) // by a sanitizer: kernel/debug/meson.build
#else
#define ROUND_TRIP_MAX (120 * STEPS_PER_INSTRUCTION)
#endif

// From the stub through trap.asm and trap.c to an empty handler, and back with iretq.
KTEST_ATTR(trap, round_trip_takes_few_instructions, .proves = "5.15");
KTEST(trap, round_trip_takes_few_instructions)
{
    trap_set_handler(VECTOR_BREAKPOINT, note_nothing);
    trap_handler_t *before = trap_set_handler(VECTOR_DEBUG, count_step);
    trap_test_stub = gate_handler(&idt_current()->gates[VECTOR_BREAKPOINT.number]);
    step_count = 0;

    trap_test_step();

    trap_set_handler(VECTOR_DEBUG, before);
    KTEST_EXPECT_GE(test, step_count, 35); // 15 registers are pushed and popped
    KTEST_EXPECT_LE(test, step_count, ROUND_TRIP_MAX);
}

// What a breakpoint costs that somebody handles: there, through trap.asm, and back.
KTEST_BENCH(trap, breakpoint_round_trip)
{
    trap_set_handler(VECTOR_BREAKPOINT, note_nothing);
    while (ktest_bench_next(test)) {
        cpu_breakpoint();
    }
}
