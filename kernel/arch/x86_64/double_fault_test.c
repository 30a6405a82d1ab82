// SPDX-License-Identifier: MIT
//
// Exceptions that are raised while another one is being delivered. Contributory ones (#DE, #TS,
// #NP, #SS, #GP) and page faults make a double fault of their own kind, page faults of both; every
// other pair is served one by one. Source: Intel SDM vol. 3, table 6-5.
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/kcsan.h"

#define STACK_UNMAPPED (UNMAPPED + PAGE_SIZE)

KTEST_SUITE(double_fault, .init = fault_machine_save, .exit = fault_machine_restore);

[[gnu::noinline]] static void poke(uint64_t address)
{
    *(volatile uint8_t *)address = 0xee;
}

[[gnu::noinline]] static void divide_by_zero(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx", "cc");
}

[[gnu::noinline]] static void execute_ud2(void)
{
    __asm__ volatile("ud2");
}

static void push_at(uint64_t rsp)
{
    __asm__ volatile("mov %0, %%rsp\n\tpush %%rax" : : "r"(rsp) : "memory");
}

static void expect_double_fault_stack(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->ist, IST_DOUBLE_FAULT);
}

// --- Pairs that make a double fault -------------------------------------------------------------

KTEST_ATTR(double_fault, page_fault_without_a_gate,
           .outcome = KTEST_FAULT(DF, .error = 0, .addr = KTEST_ADDR(0xdeadbeef),
                                  .ist = IST_DOUBLE_FAULT, .symbol = "poke"),
           .proves = "5.13 6.1 6.14");
KTEST(double_fault, page_fault_without_a_gate)
{
    fault_machine_take_gate_away(VECTOR_PAGE_FAULT.number);
    KTEST_ARM(test);
    poke(0xdeadbeef);
}

KTEST_ATTR(double_fault, general_protection_without_a_gate, .proves = "6.14");
KTEST(double_fault, general_protection_without_a_gate)
{
    fault_machine_take_gate_away(VECTOR_GENERAL_PROTECTION.number);
    KTEST_EXPECT_FAULT(test, DF, 0, poke(NON_CANONICAL));
    expect_double_fault_stack(test);
}

KTEST_ATTR(double_fault, divide_error_without_a_gate, .proves = "6.14");
KTEST(double_fault, divide_error_without_a_gate)
{
    fault_machine_take_gate_away(VECTOR_DIVIDE.number);
    KTEST_EXPECT_FAULT(test, DF, 0, divide_by_zero());
    expect_double_fault_stack(test);
}

KTEST_ATTR(double_fault, push_on_an_unmapped_page, .proves = "6.5 6.14");
KTEST(double_fault, push_on_an_unmapped_page)
{
    KTEST_EXPECT_FAULT(test, DF, 0, push_at(STACK_UNMAPPED));
    expect_double_fault_stack(test);
    // Of the push, or of the frame that the CPU could not push, which begins at the same place.
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->address, STACK_UNMAPPED - 8);
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->rsp, STACK_UNMAPPED);
}

KTEST_ATTR(double_fault, push_at_a_non_canonical_address, .proves = "6.5 6.14");
KTEST(double_fault, push_at_a_non_canonical_address)
{
    KTEST_EXPECT_FAULT(test, DF, 0, push_at(NON_CANONICAL + PAGE_SIZE));
    expect_double_fault_stack(test);
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->rsp, NON_CANONICAL + PAGE_SIZE);
}

// Recursion that no compiler turns into a loop: something is left to do behind the call. It calls
// nothing else, so that the stack ends here.
[[gnu::noinline]] NO_KCSAN static uint64_t recurse(uint64_t depth)
{
    volatile uint64_t local = depth;
    if (depth == UINT64_MAX) {
        return 0;
    }
    return recurse(depth + 1) + local;
}

// The CPU can't push a page fault's frame onto the stack that caused it, and so raises #DF; without
// a stack of its own that would fail too, and reset the machine.
KTEST_ATTR(double_fault, stack_overflow,
           .outcome = KTEST_FAULT(DF, .error = 0,
                                  .addr = KTEST_ADDR_RANGE(boot_stacks_start, STACK_GUARD_SIZE),
                                  .ist = IST_DOUBLE_FAULT, .symbol = "recurse"),
           .proves = "6.5 6.6 6.10 6.11 6.12");
KTEST(double_fault, stack_overflow)
{
    KTEST_ARM(test);
    recurse(0);
}

// Each one abandons the handler of the one before: the next begins at the stack's top again.
KTEST_ATTR(double_fault, one_comes_after_another, .proves = "6.5");
KTEST(double_fault, one_comes_after_another)
{
    for (unsigned i = 0; i < 50; i++) {
        KTEST_ASSERT_FAULT(test, DF, 0, push_at(STACK_UNMAPPED));
        expect_double_fault_stack(test);
    }
}

// The handler of an NMI, say, that needs more than its stack has.
static void overflow(struct trap_frame *frame)
{
    (void)frame;
    recurse(0);
}

KTEST_ATTR(double_fault, overflow_of_an_interrupt_stack, .proves = "6.6");
KTEST(double_fault, overflow_of_an_interrupt_stack)
{
    const uint64_t guard = (uint64_t)boot_stacks[BOOT_STACK_MACHINE_CHECK].guard;
    trap_set_handler(VECTOR_MACHINE_CHECK, overflow);
    KTEST_EXPECT_FAULT(test, DF, 0, __asm__ volatile("int $18"));
    expect_double_fault_stack(test);
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->address - guard < STACK_GUARD_SIZE, true);
}

// Its own handler's overflow comes as another double fault, which begins at the top again.
static struct ktest_context before_overflow;
static volatile unsigned double_faults;
static volatile uint64_t address_of_second;

static void overflow_once(struct trap_frame *frame, uint64_t error)
{
    (void)error;
    double_faults++;
    if (double_faults == 1) {
        overflow(frame);
    }
    address_of_second = cpu_read_cr2();
    ktest_context_restore(&before_overflow);
}

KTEST_ATTR(double_fault, overflow_of_its_own_stack, .proves = "6.6");
KTEST(double_fault, overflow_of_its_own_stack)
{
    const uint64_t guard = (uint64_t)boot_stacks[BOOT_STACK_DOUBLE_FAULT].guard;
    double_faults = 0;
    trap_set_coded_handler(VECTOR_DOUBLE_FAULT, overflow_once);
    if (ktest_context_save(&before_overflow) == 0) {
        push_at(STACK_UNMAPPED);
    }
    KTEST_EXPECT_EQ(test, double_faults, 2);
    KTEST_EXPECT_EQ(test, address_of_second - guard < STACK_GUARD_SIZE, true);
}

// --- Pairs that are served one by one -----------------------------------------------------------

static unsigned nested_faults;

static void fault_within(struct trap_frame *frame)
{
    nested_faults++;
    if (nested_faults == 1) {
        __asm__ volatile("int3");
    }
    frame->rip += frame->vector == VECTOR_INVALID_OPCODE.number ? 2 : 0; // behind the ud2
}

KTEST_ATTR(double_fault, fault_within_a_handler_is_served, .proves = "6.14");
KTEST(double_fault, fault_within_a_handler_is_served)
{
    nested_faults = 0;
    trap_set_handler(VECTOR_INVALID_OPCODE, fault_within);
    trap_set_handler(VECTOR_BREAKPOINT, fault_within);

    execute_ud2();

    KTEST_EXPECT_EQ(test, nested_faults, 2);
}

// The CPU pushes the frame of a #DE onto an interrupt stack that is not there: first a divide
// error, then a page fault, and the second is delivered as itself, on the stack that was in use.
KTEST_ATTR(double_fault, page_fault_after_a_divide_error_is_served, .proves = "6.14");
KTEST(double_fault, page_fault_after_a_divide_error_is_served)
{
    enum ist free_ist = (enum ist)IST_COUNT;
    struct gate *gate = &idt_current()->gates[VECTOR_DIVIDE.number];
    gdt_tss()->ist[free_ist - 1] = STACK_UNMAPPED;
    *gate = gate_make(gate_handler(gate), GATE_INTERRUPT, free_ist, 0);

    KTEST_EXPECT_FAULT(test, PF, 2, divide_by_zero());

    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->address, STACK_UNMAPPED - 8);
    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->ist, IST_NONE);
}

// #UD is neither contributory nor a page fault. Bit 0 of the code says that it was not the program
// that named the gate; TCG does not set it, and before QEMU 10.0 counts the gates by 16.
KTEST_ATTR(
    double_fault, absent_gate_after_an_invalid_opcode_is_served,
    .outcome = KTEST_FAULT(NP, .error = 0x33, .symbol = "execute_ud2"),
    .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                            .from = KTEST_QEMU(10, 0),
                            .outcome = KTEST_FAULT(NP, .error = 0x32, .symbol = "execute_ud2")},
                           {.accel = KTEST_ACCEL_TCG,
                            .outcome = KTEST_FAULT(NP, .error = 0x62, .symbol = "execute_ud2")}),
    .proves = "6.14");
KTEST(double_fault, absent_gate_after_an_invalid_opcode_is_served)
{
    fault_machine_take_gate_away(VECTOR_INVALID_OPCODE.number);
    KTEST_ARM(test);
    execute_ud2();
}

// --- And what comes behind ----------------------------------------------------------------------

KTEST_ATTR(double_fault, without_a_gate_it_resets_the_machine, .outcome = KTEST_TRIPLE_FAULT,
           .proves = "6.3");
KTEST(double_fault, without_a_gate_it_resets_the_machine)
{
    fault_machine_take_gate_away(VECTOR_PAGE_FAULT.number);
    fault_machine_take_gate_away(VECTOR_DOUBLE_FAULT.number);
    KTEST_ARM(test);
    poke(UNMAPPED);
}
