// SPDX-License-Identifier: MIT
//
// The exceptions themselves: raised by the CPU, declared by each test, compared by the kernel and
// once more by the harness, with error code, address and the function that RIP lies in.
#include "arch/x86_64/idt.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"

#define UNMAPPED 0xffffffffc0000000 // the image's last GiB has no tables
#define NON_CANONICAL 0x0000800000000000

// Named accesses, for the harness to find RIP in.
[[gnu::noinline]] static uint8_t peek(uint64_t address)
{
    return *(volatile uint8_t *)address;
}

[[gnu::noinline]] static void poke(uint64_t address)
{
    *(volatile uint8_t *)address = 0xee;
}

[[gnu::noinline]] static void jump(uint64_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "memory");
}

static uint8_t data_byte = 0xc3; // ret
static const uint8_t rodata_byte = 0xc3;

KTEST_ATTR(fault, read_of_an_unmapped_page,
           .outcome = KTEST_FAULT(PF, .error = 0, .addr = KTEST_ADDR(UNMAPPED), .symbol = "peek"),
           .proves = "5.13");
KTEST(fault, read_of_an_unmapped_page)
{
    KTEST_ARM(test);
    peek(UNMAPPED);
}

KTEST_ATTR(fault, write_to_an_unmapped_page,
           .outcome = KTEST_FAULT(PF, .error = 2, .addr = KTEST_ADDR(0xdeadbeaf), .symbol = "poke"),
           .proves = "5.13");
KTEST(fault, write_to_an_unmapped_page)
{
    KTEST_ARM(test);
    poke(0xdeadbeaf);
}

KTEST_ATTR(fault, execution_of_an_unmapped_page,
           .outcome = KTEST_FAULT(PF, .error = 0x10, .addr = KTEST_ADDR(UNMAPPED)),
           .proves = "5.13");
KTEST(fault, execution_of_an_unmapped_page)
{
    KTEST_ARM(test);
    jump(UNMAPPED);
}

KTEST_ATTR(fault, write_to_read_only_data,
           .outcome = KTEST_FAULT(PF, .error = 3, .addr = KTEST_ADDR(&rodata_byte),
                                  .symbol = "poke"),
           .proves = "2.3.4");
KTEST(fault, write_to_read_only_data)
{
    KTEST_ARM(test);
    poke((uint64_t)&rodata_byte);
}

KTEST_ATTR(fault, write_to_code,
           .outcome = KTEST_FAULT(PF, .error = 3, .addr = KTEST_ADDR(&text_start),
                                  .symbol = "poke"),
           .proves = "2.3.4");
KTEST(fault, write_to_code)
{
    KTEST_ARM(test);
    poke((uint64_t)text_start);
}

// The direct map is the same memory at another address: it must not be a way around.
KTEST_ATTR(fault, write_to_code_through_the_direct_map,
           .outcome = KTEST_FAULT(PF, .error = 3,
                                  .addr = KTEST_ADDR((uint64_t)&text_start - KERNEL_VMA +
                                                     DIRECT_MAP_VMA),
                                  .symbol = "poke"),
           .proves = "2.3.4");
KTEST(fault, write_to_code_through_the_direct_map)
{
    KTEST_ARM(test);
    poke((uint64_t)text_start - KERNEL_VMA + DIRECT_MAP_VMA);
}

KTEST_ATTR(fault, execution_of_data,
           .outcome = KTEST_FAULT(PF, .error = 0x11, .addr = KTEST_ADDR(&data_byte),
                                  .symbol = "data_byte"),
           .proves = "2.3.4");
KTEST(fault, execution_of_data)
{
    KTEST_ARM(test);
    jump((uint64_t)&data_byte);
}

KTEST_ATTR(fault, execution_of_read_only_data,
           .outcome = KTEST_FAULT(PF, .error = 0x11, .addr = KTEST_ADDR(&rodata_byte),
                                  .symbol = "rodata_byte"),
           .proves = "2.3.4");
KTEST(fault, execution_of_read_only_data)
{
    KTEST_ARM(test);
    jump((uint64_t)&rodata_byte);
}

KTEST_ATTR(fault, execution_through_the_direct_map,
           .outcome = KTEST_FAULT(PF, .error = 0x11,
                                  .addr = KTEST_ADDR((uint64_t)&text_start - KERNEL_VMA +
                                                     DIRECT_MAP_VMA)),
           .proves = "2.3.4");
KTEST(fault, execution_through_the_direct_map)
{
    KTEST_ARM(test);
    jump((uint64_t)text_start - KERNEL_VMA + DIRECT_MAP_VMA);
}

KTEST_ATTR(fault, read_of_the_null_page,
           .outcome = KTEST_FAULT(PF, .error = 0, .addr = KTEST_ADDR(0), .symbol = "peek"));
KTEST(fault, read_of_the_null_page)
{
    KTEST_ARM(test);
    peek(0);
}

// The identity map that the switch to long mode needed.
KTEST_ATTR(fault, read_of_the_identity_map,
           .outcome = KTEST_FAULT(PF, .error = 0, .addr = KTEST_ADDR(0x100000), .symbol = "peek"));
KTEST(fault, read_of_the_identity_map)
{
    KTEST_ARM(test);
    peek(0x100000);
}

KTEST_ATTR(fault, write_below_a_stack,
           .outcome = KTEST_FAULT(
               PF, .error = 2,
               .addr = KTEST_ADDR(&boot_stacks[BOOT_STACK_DOUBLE_FAULT].guard[PAGE_SIZE - 1]),
               .symbol = "poke"),
           .proves = "6.6 6.11");
KTEST(fault, write_below_a_stack)
{
    KTEST_ARM(test);
    poke((uint64_t)&boot_stacks[BOOT_STACK_DOUBLE_FAULT].guard[PAGE_SIZE - 1]);
}

KTEST_ATTR(fault, divide_by_zero, .outcome = KTEST_FAULT(DE), .proves = "5.13");
KTEST(fault, divide_by_zero)
{
    KTEST_ARM(test);
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx");
}

KTEST_ATTR(fault, single_step, .outcome = KTEST_FAULT(DB), .proves = "5.13");
KTEST(fault, single_step)
{
    KTEST_ARM(test);
    __asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop" : : : "memory");
}

KTEST_ATTR(fault, breakpoint_without_handler, .outcome = KTEST_FAULT(BP), .proves = "5.13");
KTEST(fault, breakpoint_without_handler)
{
    KTEST_ARM(test);
    __asm__ volatile("int3");
}

KTEST_ATTR(fault, invalid_opcode, .outcome = KTEST_FAULT(UD), .proves = "5.13");
KTEST(fault, invalid_opcode)
{
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

KTEST_ATTR(fault, non_canonical_access, .outcome = KTEST_FAULT(GP, .error = 0, .symbol = "peek"),
           .proves = "5.13");
KTEST(fault, non_canonical_access)
{
    KTEST_ARM(test);
    peek(NON_CANONICAL);
}

KTEST_ATTR(fault, selector_beyond_the_table, .outcome = KTEST_FAULT(GP, .error = 0x1230));
KTEST(fault, selector_beyond_the_table)
{
    KTEST_ARM(test);
    __asm__ volatile("mov %0, %%ds" : : "r"(0x1230));
}

static struct gate gate_before;

static void take_page_fault_gate_away(struct ktest *test)
{
    (void)test;
    gate_before = idt_current()->gates[VECTOR_PAGE_FAULT.number];
}

static void put_page_fault_gate_back(struct ktest *test)
{
    (void)test;
    idt_current()->gates[VECTOR_PAGE_FAULT.number] = gate_before;
}

KTEST_SUITE(double_fault, .init = take_page_fault_gate_away, .exit = put_page_fault_gate_back);

KTEST_ATTR(double_fault, page_fault_without_a_gate,
           .outcome = KTEST_FAULT(DF, .error = 0, .addr = KTEST_ADDR(0xdeadbeef),
                                  .ist = IST_DOUBLE_FAULT, .symbol = "poke"),
           .proves = "6.1 6.14");
KTEST(double_fault, page_fault_without_a_gate)
{
    KTEST_ARM(test);
    idt_current()->gates[VECTOR_PAGE_FAULT.number] = (struct gate){0};
    poke(0xdeadbeef);
}

// Recursion that no compiler turns into a loop: something is left to do behind the call.
[[gnu::noinline]] static uint64_t recurse(uint64_t depth)
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

// Serially handled, not doubled: the handler of the first fault may itself fault.
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

    __asm__ volatile("ud2");

    trap_set_handler(VECTOR_INVALID_OPCODE, NULL);
    trap_set_handler(VECTOR_BREAKPOINT, NULL);
    KTEST_EXPECT_EQ(test, nested_faults, 2);
}
