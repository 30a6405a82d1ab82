// SPDX-License-Identifier: MIT
//
// Tests that must fail: each breaks one promise that a good test elsewhere relies on, and is named
// after what has to be said of it. They are linked into a kernel of their own, which only
// host_tests/test_opposites.py runs.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/panic.h"

#define UNMAPPED 0xffffffffc0000000

[[gnu::noinline]] static uint8_t peek(uint64_t address)
{
    return *(volatile uint8_t *)address;
}

[[gnu::noinline]] static uint64_t recurse(uint64_t depth)
{
    volatile uint64_t local = depth;
    if (depth == UINT64_MAX) {
        return 0;
    }
    return recurse(depth + 1) + local;
}

#define STACK_OVERFLOW                                                                             \
    KTEST_FAULT(DF, .error = 0,                                                                    \
                .addr = KTEST_ADDR_RANGE(&boot_stacks[BOOT_STACK_MAIN].guard, STACK_GUARD_SIZE),   \
                .ist = IST_DOUBLE_FAULT, .symbol = "recurse")

// Without a stack of its own, the double fault can't be delivered either.
KTEST_ATTR(opposite, stack_overflow_without_ist, .outcome = STACK_OVERFLOW);
KTEST(opposite, stack_overflow_without_ist)
{
    (void)test;
    idt_current()->gates[VECTOR_DOUBLE_FAULT.number].options &= (uint16_t)~7U;
    recurse(0);
}

KTEST_ATTR(opposite, stack_overflow_without_recursion, .outcome = STACK_OVERFLOW);
KTEST(opposite, stack_overflow_without_recursion)
{
    (void)test;
    recurse(UINT64_MAX);
}

KTEST_ATTR(opposite, double_fault_on_another_stack,
           .outcome = KTEST_FAULT(DF, .error = 0, .ist = IST_NMI, .symbol = "recurse"));
KTEST(opposite, double_fault_on_another_stack)
{
    (void)test;
    recurse(0);
}

KTEST_ATTR(opposite, panic_that_never_comes, .outcome = KTEST_PANIC("never"));
KTEST(opposite, panic_that_never_comes)
{
    (void)test;
}

KTEST_ATTR(opposite, panic_with_another_text, .outcome = KTEST_PANIC("one thing"));
KTEST(opposite, panic_with_another_text)
{
    (void)test;
    panic("another thing");
}

KTEST_ATTR(opposite, panic_instead_of_fault, .outcome = KTEST_FAULT(UD));
KTEST(opposite, panic_instead_of_fault)
{
    (void)test;
    panic("no fault");
}

KTEST_ATTR(opposite, fault_instead_of_panic, .outcome = KTEST_PANIC("*"));
KTEST(opposite, fault_instead_of_panic)
{
    (void)test;
    __asm__ volatile("ud2");
}

KTEST_ATTR(opposite, fault_with_another_vector, .outcome = KTEST_FAULT(GP, .error = 0));
KTEST(opposite, fault_with_another_vector)
{
    (void)test;
    peek(UNMAPPED);
}

KTEST_ATTR(opposite, fault_with_another_code,
           .outcome = KTEST_FAULT(PF, .error = 2, .addr = KTEST_ADDR(UNMAPPED), .symbol = "peek"));
KTEST(opposite, fault_with_another_code)
{
    (void)test;
    peek(UNMAPPED);
}

KTEST_ATTR(opposite, fault_at_another_address,
           .outcome = KTEST_FAULT(PF, .addr = KTEST_ADDR(UNMAPPED), .symbol = "peek"));
KTEST(opposite, fault_at_another_address)
{
    (void)test;
    peek(UNMAPPED + 1);
}

KTEST_ATTR(opposite, fault_in_another_function,
           .outcome = KTEST_FAULT(PF, .addr = KTEST_ADDR(UNMAPPED), .symbol = "recurse"));
KTEST(opposite, fault_in_another_function)
{
    (void)test;
    peek(UNMAPPED);
}

KTEST(opposite, panic_that_nobody_declared)
{
    KTEST_EXPECT_TRUE(test, true);
    panic("out of the blue");
}

KTEST(opposite, fault_that_nobody_declared)
{
    KTEST_EXPECT_TRUE(test, true);
    peek(UNMAPPED);
}

KTEST(opposite, expectation_that_fails)
{
    int three = 3;
    KTEST_EXPECT_EQ_MSG(test, three, 4, "of %d", 7);
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite, assertion_that_fails)
{
    KTEST_ASSERT_STREQ(test, "left", "right");
    panic("an assertion must end the test");
}

KTEST(opposite, test_that_asserts_nothing)
{
    (void)test;
}

KTEST_ATTR(opposite, hang_with_interrupts_off, .timeout_ms = 500);
KTEST(opposite, hang_with_interrupts_off)
{
    (void)test;
    for (;;) {
        cpu_relax();
    }
}

KTEST(opposite, reset_by_the_keyboard_controller)
{
    (void)test;
    port_write8(0x64, 0xfe);
    cpu_halt_forever();
}

KTEST(opposite, triple_fault)
{
    static const struct idt empty;
    (void)test;
    idt_load(&empty);
    __asm__ volatile("ud2");
}

// The harness leaves out the exit device: the kernel is done, and QEMU stays.
KTEST(opposite, nothing_wrong)
{
    KTEST_EXPECT_TRUE(test, true);
}
