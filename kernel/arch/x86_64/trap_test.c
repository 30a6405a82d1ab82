// SPDX-License-Identifier: MIT
#include "arch/x86_64/trap.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/exception.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/stack.h"
#include "ktest.h"
#include "lib/string.h"

// trap_test.asm
void trap_test_registers(const struct trap_frame *in, struct trap_frame *out, void (*raise)(void));
void trap_test_fault(void);
void trap_test_enter(uint64_t stub, uint64_t has_error_code, uint64_t error);
extern void (*const trap_test_raise[IDT_VECTORS])(void);
extern uint64_t trap_test_stub;

static struct trap_frame last_frame;
static const struct trap_frame *last_frame_address;
static unsigned trap_count;
static trap_handler_t *nmi_before;
static trap_handler_t *catcher;
static volatile unsigned raised;

static void note_trap(struct trap_frame *frame)
{
    last_frame = *frame;
    last_frame_address = frame;
    trap_count++;
}

static void note_coded_trap(struct trap_frame *frame, uint64_t error)
{
    note_trap(frame);
    last_frame.error = error;
}

// An NMI that nobody raised here is the tests' watchdog.
static void pass_watchdog_on(struct trap_frame *frame)
{
    (raised == VECTOR_NMI.number ? catcher : nmi_before)(frame);
}

// Every vector that the test raises, having said so in `raised`, goes to `handler`.
static void catch_all(trap_handler_t *handler)
{
    raised = 0;
    catcher = handler;
    for (unsigned vector = EXCEPTION_COUNT; vector < TRAP_VECTORS; vector++) {
        trap_set_handler((struct plain_vector){(uint8_t)vector}, NULL);
    }
    trap_set_unhandled(handler);
    nmi_before = trap_set_handler(VECTOR_NMI, pass_watchdog_on);
}

static struct trap_handlers handlers_before;

static void init(struct ktest *test)
{
    (void)test;
    trap_count = 0;
    handlers_before = *trap_handlers();
}

static void exit(struct ktest *test)
{
    (void)test;
    *trap_handlers() = handlers_before;
}

KTEST_SUITE(trap, .init = init, .exit = exit);

KTEST_ATTR(trap, breakpoint_returns, .proves = "5.10 5.11 5.12 5.13 5.16");
KTEST(trap, breakpoint_returns)
{
    trap_set_handler(VECTOR_BREAKPOINT, note_trap);

    cpu_breakpoint();

    KTEST_EXPECT_EQ(test, trap_count, 1);
    KTEST_EXPECT_EQ(test, last_frame.vector, 3);
    KTEST_EXPECT_EQ(test, last_frame.error, 0);
}

KTEST_ATTR(trap, frame_shows_where_it_happened, .proves = "5.6");
KTEST(trap, frame_shows_where_it_happened)
{
    trap_set_handler(VECTOR_BREAKPOINT, note_trap);
    uint64_t rip;
    uint64_t rsp;

    __asm__ volatile("mov %%rsp, %1\n\tint3\n\tlea 0(%%rip), %0\n1:" : "=&r"(rip), "=&r"(rsp));

    KTEST_ASSERT_EQ(test, trap_count, 1);
    KTEST_EXPECT_EQ(test, last_frame.rip, rip - 7); // lea is 7 bytes long; int3 lies before it
    KTEST_EXPECT_EQ(test, *(const uint8_t *)(last_frame.rip - 1), 0xcc);
    KTEST_EXPECT_EQ(test, last_frame.rsp, rsp);
    KTEST_EXPECT_EQ(test, last_frame.cs, SELECTOR_KERNEL_CODE.value);
    KTEST_EXPECT_EQ(test, last_frame.ss, SELECTOR_KERNEL_DATA.value);
    KTEST_EXPECT_EQ(test, last_frame.rflags & RFLAGS_IF, 0);
}

static void skip_two_bytes(struct trap_frame *frame)
{
    note_trap(frame);
    frame->rip += 2;
    frame->rax = 0x1234;
}

KTEST_ATTR(trap, handler_may_change_the_frame, .proves = "5.6");
KTEST(trap, handler_may_change_the_frame)
{
    trap_set_handler(VECTOR_BREAKPOINT, skip_two_bytes);
    uint64_t rax;

    __asm__ volatile("int3\n\tud2" : "=a"(rax)); // the handler leads around the ud2

    KTEST_EXPECT_EQ(test, trap_count, 1);
    KTEST_EXPECT_EQ(test, rax, 0x1234);
}

// Every register has a value of its own, so that two that change places are seen too.
static void expect_all_preserved(struct ktest *test, unsigned vector, void (*raise)(void))
{
    struct trap_frame in = {0};
    struct trap_frame out = {0};
    uint64_t *values = (uint64_t *)&in;
    for (size_t i = 0; i < 15; i++) {
        values[i] = 0x1111111111111111 * (i + 1);
    }
    in.rflags = RFLAGS_FIXED | RFLAGS_DF | RFLAGS_AC | 0x8d5; // OF, SF, ZF, AF, PF, CF
    trap_count = 0;
    raised = vector;

    trap_test_registers(&in, &out, raise);

    KTEST_ASSERT_EQ_MSG(test, trap_count, 1, "vector %u", vector);
    KTEST_ASSERT_EQ(test, last_frame.vector, vector);
    KTEST_ASSERT_EQ_MSG(test, out.rflags, in.rflags, "vector %u", vector);
    KTEST_ASSERT_EQ_MSG(test, out.rsp, 0, "vector %u", vector);
    in.rflags = 0;
    out.rflags = 0;
    KTEST_ASSERT_MEMEQ(test, &out, &in, sizeof(in));
    KTEST_ASSERT_MEMEQ(test, &last_frame, &in, 15 * sizeof(uint64_t));
    KTEST_ASSERT_EQ(test, last_frame.rflags & RFLAGS_DF, RFLAGS_DF);
}

KTEST_ATTR(trap, every_vector_preserves_every_register, .proves = "5.5 5.9");
KTEST(trap, every_vector_preserves_every_register)
{
    catch_all(note_trap);
    for (unsigned vector = 0; vector < IDT_VECTORS; vector++) {
        trap_test_stub = gate_handler(&idt_current()->gates[vector]);
        expect_all_preserved(test, vector,
                             exception_has_error_code((uint8_t)vector) ? trap_test_fault
                                                                       : trap_test_raise[vector]);
    }
}

static uint64_t rflags_in_handler;

static void note_rflags(struct trap_frame *frame)
{
    note_trap(frame);
    rflags_in_handler = cpu_read_rflags();
}

KTEST_ATTR(trap, handler_runs_with_direction_and_interrupt_flag_clear, .proves = "5.9");
KTEST(trap, handler_runs_with_direction_and_interrupt_flag_clear)
{
    trap_set_handler(VECTOR_BREAKPOINT, note_rflags);

    __asm__ volatile("sti\n\tstd\n\tint3\n\tcld\n\tcli" : : : "memory");

    KTEST_ASSERT_EQ(test, trap_count, 1);
    KTEST_EXPECT_EQ(test, rflags_in_handler & RFLAGS_DF, 0);
    KTEST_EXPECT_EQ(test, rflags_in_handler & RFLAGS_IF, 0);
    KTEST_EXPECT_EQ(test, last_frame.rflags & RFLAGS_DF, RFLAGS_DF);
    KTEST_EXPECT_EQ(test, last_frame.rflags & RFLAGS_IF, RFLAGS_IF);
}

KTEST_ATTR(trap, every_stub_delivers_its_vector_and_error_code, .proves = "5.3 5.7 5.8");
KTEST(trap, every_stub_delivers_its_vector_and_error_code)
{
    catch_all(note_trap);
    for (unsigned vector = 0; vector < IDT_VECTORS; vector++) {
        bool has_error = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 ||
                         vector == 21 || vector == 29 || vector == 30;
        uint64_t stub = gate_handler(&idt_current()->gates[vector]);
        raised = vector;

        trap_test_enter(stub, has_error, 0x5a5a0000 + vector);

        KTEST_ASSERT_EQ(test, trap_count, vector + 1);
        KTEST_ASSERT_EQ(test, last_frame.vector, vector);
        KTEST_ASSERT_EQ_MSG(test, last_frame.error, has_error ? 0x5a5a0000 + vector : 0,
                            "vector %u", vector);
        KTEST_ASSERT_EQ_MSG(test, (uint64_t)last_frame_address % 16, 0, "vector %u", vector);
        KTEST_ASSERT_EQ(test, exception_has_error_code((uint8_t)vector), has_error);
    }
}

// Through the CPU and the IDT; `int n` pushes no error code, so vectors with one are left out.
KTEST_ATTR(trap, int_n_reaches_its_vector, .proves = "5.3");
KTEST(trap, int_n_reaches_its_vector)
{
    catch_all(note_trap);
    for (unsigned vector = 0; vector < IDT_VECTORS; vector++) {
        if (exception_has_error_code((uint8_t)vector)) {
            continue;
        }
        raised = vector;
        trap_test_raise[vector]();
        KTEST_ASSERT_EQ(test, last_frame.vector, vector);
    }
    KTEST_EXPECT_EQ(test, trap_count, IDT_VECTORS - 10);
}

// `int n` pushes no error code for any vector. The stub of one that has a code takes RIP for it, CS
// for RIP, and so on; so the only way back to what was interrupted is a context of our own.
static struct ktest_context before_int_n;

static void note_shifted(struct trap_frame *frame)
{
    trap_count++;
    last_frame.vector = frame->vector;
    last_frame.error = frame->error;
    last_frame.rip = frame->rip;
    last_frame.ss = frame->rsp; // frame->ss lies beyond the top of an interrupt stack
    ktest_context_restore(&before_int_n);
}

KTEST_ATTR(trap, int_n_of_a_vector_with_an_error_code_pushes_none, .proves = "5.3 5.7");
KTEST(trap, int_n_of_a_vector_with_an_error_code_pushes_none)
{
    catch_all(note_shifted);
    volatile unsigned count = 0;
    for (volatile unsigned vector = 0; vector < EXCEPTION_COUNT; vector++) {
        if (!exception_has_error_code((uint8_t)vector)) {
            continue;
        }
        count++;
        if (ktest_context_save(&before_int_n) == 0) {
            trap_test_raise[vector]();
        }
        KTEST_ASSERT_EQ_MSG(test, trap_count, count, "vector %u", vector);
        KTEST_EXPECT_EQ(test, last_frame.vector, vector);
        KTEST_EXPECT_EQ(test, last_frame.error, (uint64_t)trap_test_raise[vector] + 2);
        KTEST_EXPECT_EQ(test, last_frame.rip, SELECTOR_KERNEL_CODE.value);
        KTEST_EXPECT_EQ(test, last_frame.ss, SELECTOR_KERNEL_DATA.value);
    }
    KTEST_EXPECT_EQ(test, count, 10);
}

KTEST_ATTR(trap, coded_handler_gets_the_error_code, .proves = "5.2 5.7 4.8.4");
KTEST(trap, coded_handler_gets_the_error_code)
{
    trap_set_coded_handler(VECTOR_PAGE_FAULT, note_coded_trap);

    trap_test_enter(gate_handler(&idt_current()->gates[14]), 1, 0x17);

    KTEST_EXPECT_EQ(test, trap_count, 1);
    KTEST_EXPECT_EQ(test, last_frame.error, 0x17);
}

KTEST_ATTR(trap, setting_a_handler_returns_the_one_before, .proves = "5.2");
KTEST(trap, setting_a_handler_returns_the_one_before)
{
    KTEST_EXPECT_NULL(test, (const void *)trap_set_handler(VECTOR_BREAKPOINT, note_trap));
    KTEST_EXPECT_TRUE(test, trap_set_handler(VECTOR_BREAKPOINT, NULL) == note_trap);
    KTEST_EXPECT_NULL(test,
                      (const void *)trap_set_coded_handler(VECTOR_PAGE_FAULT, note_coded_trap));
    KTEST_EXPECT_TRUE(test, trap_set_coded_handler(VECTOR_PAGE_FAULT, NULL) == note_coded_trap);
}

KTEST_ATTR(trap, returning_from_a_double_fault_panics,
           .outcome = KTEST_PANIC("the handler of double fault returned"), .proves = "6.2");
KTEST(trap, returning_from_a_double_fault_panics)
{
    KTEST_ARM(test);
    trap_set_coded_handler(VECTOR_DOUBLE_FAULT, note_coded_trap);
    trap_test_enter(gate_handler(&idt_current()->gates[8]), 1, 0);
}

KTEST_ATTR(trap, returning_from_a_machine_check_panics,
           .outcome = KTEST_PANIC("the handler of machine check returned"));
KTEST(trap, returning_from_a_machine_check_panics)
{
    KTEST_ARM(test);
    trap_set_handler(VECTOR_MACHINE_CHECK, note_trap);
    trap_test_raise[18]();
}

static void disguise(struct trap_frame *frame)
{
    frame->vector = VECTOR_BREAKPOINT.number;
}

static void disguise_coded(struct trap_frame *frame, uint64_t error)
{
    (void)error;
    disguise(frame);
}

// What counts is the vector that came, not what the handler has made of it.
KTEST(trap, returning_panics_whatever_the_frame_says)
{
    trap_set_handler(VECTOR_MACHINE_CHECK, disguise);
    trap_set_coded_handler(VECTOR_DOUBLE_FAULT, disguise_coded);
    KTEST_EXPECT_PANIC(test, "the handler of machine check returned", trap_test_raise[18]());
    KTEST_EXPECT_PANIC(test, "the handler of double fault returned", trap_test_raise[8]());
}

KTEST_ATTR(trap, interrupt_stack_is_told_from_the_frame, .proves = "6.15");
KTEST(trap, interrupt_stack_is_told_from_the_frame)
{
    struct trap_frame *on_df = (struct trap_frame *)stack_top(BOOT_STACK_DOUBLE_FAULT) - 1;
    struct trap_frame *on_nmi = (struct trap_frame *)stack_top(BOOT_STACK_NMI) - 1;
    struct trap_frame *on_mc = (struct trap_frame *)stack_top(BOOT_STACK_MACHINE_CHECK) - 1;
    struct trap_frame here;
    KTEST_EXPECT_EQ(test, trap_ist(on_df), IST_DOUBLE_FAULT);
    KTEST_EXPECT_EQ(test, trap_ist(on_nmi), IST_NMI);
    KTEST_EXPECT_EQ(test, trap_ist(on_mc), IST_MACHINE_CHECK);
    KTEST_EXPECT_EQ(test, trap_ist(&here), IST_NONE);
    KTEST_EXPECT_EQ(test, trap_ist(on_df - 1), IST_NONE); // a fault within the handler
}

static enum ist ist_in_handler;

static void note_ist(struct trap_frame *frame)
{
    note_trap(frame);
    ist_in_handler = trap_ist(frame);
}

// `int 2` and `int 18` use the gate's interrupt stack like the real thing.
KTEST_ATTR(trap, nmi_and_machine_check_arrive_on_their_own_stacks, .proves = "6.15");
KTEST(trap, nmi_and_machine_check_arrive_on_their_own_stacks)
{
    catch_all(note_ist);

    raised = 2;
    trap_test_raise[2]();
    KTEST_EXPECT_EQ(test, ist_in_handler, IST_NMI);
    raised = 0;
    trap_test_raise[18]();
    KTEST_EXPECT_EQ(test, ist_in_handler, IST_MACHINE_CHECK);
    trap_test_raise[3]();
    KTEST_EXPECT_EQ(test, ist_in_handler, IST_NONE);
    KTEST_EXPECT_EQ(test, trap_count, 3);
}
