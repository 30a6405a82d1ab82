// SPDX-License-Identifier: MIT
//
// The exceptions themselves: raised by the CPU, declared by each test, compared by the kernel and
// once more by the harness, with error code, address and the function that RIP lies in.
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "ktest.h"

// Named accesses, for the harness to find RIP in. NULL is to fault, not to be found by a sanitizer.
[[gnu::noinline]] __attribute__((no_sanitize("undefined"))) static uint8_t peek(uint64_t address)
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
           .proves = "5.13 8.8");
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
           .proves = "2.3.4 8.9");
KTEST(fault, write_to_code)
{
    peek((uint64_t)text_start); // works
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

KTEST_ATTR(fault, selector_beyond_the_table, .outcome = KTEST_FAULT(GP, .error = 0x1230),
           .proves = "5.13");
KTEST(fault, selector_beyond_the_table)
{
    KTEST_ARM(test);
    __asm__ volatile("mov %0, %%ds" : : "r"(0x1230));
}

// The quotient does not fit: the same exception as without a divisor.
KTEST_ATTR(fault, division_of_the_smallest_number_by_minus_one, .proves = "5.13");
KTEST(fault, division_of_the_smallest_number_by_minus_one)
{
    KTEST_EXPECT_FAULT(test, DE, 0,
                       __asm__ volatile("idivl %0"
                                        :
                                        : "r"(-1), "a"(INT32_MIN), "d"(-1)
                                        : "cc", "memory"));
    KTEST_EXPECT_FAULT(test, DE, 0,
                       __asm__ volatile("idivq %0"
                                        :
                                        : "r"(-1L), "a"(INT64_MIN), "d"(-1L)
                                        : "cc", "memory"));
}

// `int 4` is a trap like `into`, which 64-bit mode has not: RIP lies behind it.
KTEST_ATTR(fault, overflow_interrupt_is_a_trap, .proves = "5.13");
KTEST(fault, overflow_interrupt_is_a_trap)
{
    static const uint8_t int_4[] = {0xcd, 4};
    KTEST_EXPECT_FAULT(test, OF, 0, __asm__ volatile("int $4"));
    KTEST_EXPECT_MEMEQ(test, (const void *)(ktest_last_fault(test)->rip - 2), int_4, 2);
}

// Three that are undefined for ever, a lock prefix where nothing can be locked, and one that exists
// in system management mode only.
KTEST_ATTR(fault, undefined_instructions, .proves = "5.13");
KTEST(fault, undefined_instructions)
{
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("ud2"));
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile(".byte 0x0f, 0xff, 0xc0")); // ud0 eax, eax
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile(".byte 0x0f, 0xb9, 0xc0")); // ud1 eax, eax
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile(".byte 0xf0, 0x90"));       // lock nop
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("rsm"));
}

// INTO, of which 64-bit mode has no use.
KTEST_ATTR(fault, instruction_of_32_bit_mode,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .from = KTEST_QEMU(10, 0),
                                   .before = KTEST_QEMU(11, 0),
                                   .skip = "TCG of QEMU 10 executes INTO in 64-bit mode"}));
KTEST(fault, instruction_of_32_bit_mode)
{
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile(".byte 0xce"));
}
