// SPDX-License-Identifier: MIT
//
// General protection faults: addresses that are not canonical, and values that a register refuses.
// TCG checks few of the latter: those tests are skipped there, and their bodies are what the
// manual says. Source: Intel SDM vol. 3, 2.5, 6.15 (vectors 12 and 13).
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/msr.h"
#include "ktest.h"

#define MSR_ABSENT 0x1badc0de
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR4_RESERVED BIT(63)
#define CR3_RESERVED BIT(60)

#define TCG_SKIP(reason_) KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG, .skip = reason_})

KTEST_SUITE(fault_register, .init = fault_machine_save, .exit = fault_machine_restore);

[[gnu::noinline]] static void read_by_rbp(uint64_t address)
{
    __asm__ volatile("push %%rbp\n\tmov %0, %%rbp\n\tmovb (%%rbp), %%al\n\tpop %%rbp"
                     :
                     : "r"(address)
                     : "rax", "memory");
}

// RBP is an address in the stack segment, which has a vector of its own; not so in TCG.
KTEST_ATTR(fault_register, non_canonical_stack_access,
           .outcome = KTEST_FAULT(SS, .error = 0, .symbol = "read_by_rbp"),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .outcome = KTEST_FAULT(GP, .error = 0,
                                                          .symbol = "read_by_rbp")}),
           .proves = "5.13");
KTEST(fault_register, non_canonical_stack_access)
{
    KTEST_ARM(test);
    read_by_rbp(NON_CANONICAL);
}

KTEST_ATTR(fault_register, non_canonical_jump, .proves = "5.13");
KTEST(fault_register, non_canonical_jump)
{
    KTEST_EXPECT_FAULT(test, GP, 0, __asm__ volatile("jmp *%0" : : "r"(NON_CANONICAL)));
    KTEST_EXPECT_FAULT(test, GP, 0, __asm__ volatile("call *%0" : : "r"(NON_CANONICAL)));
}

KTEST_ATTR(fault_register, non_canonical_return, .proves = "5.13");
KTEST(fault_register, non_canonical_return)
{
    KTEST_EXPECT_FAULT(test, GP, 0, __asm__ volatile("push %0\n\tret" : : "r"(NON_CANONICAL)));
}

// The last canonical address below the hole and the first one above it are pages like others.
KTEST(fault_register, hole_of_the_address_space_has_exact_ends)
{
    KTEST_EXPECT_FAULT(test, PF, 0, (void)*(volatile uint8_t *)(NON_CANONICAL - 1));
    KTEST_EXPECT_FAULT(test, GP, 0, (void)*(volatile uint8_t *)NON_CANONICAL);
    KTEST_EXPECT_FAULT(test, GP, 0, (void)*(volatile uint8_t *)0xffff7fffffffffff);
}

KTEST_ATTR(fault_register, absent_msr, .quirks = TCG_SKIP("TCG ignores MSRs that it does not know"),
           .proves = "5.13");
KTEST(fault_register, absent_msr)
{
    KTEST_EXPECT_FAULT(test, GP, 0, (void)msr_read((enum msr)MSR_ABSENT));
    KTEST_EXPECT_FAULT(test, GP, 0, msr_write((enum msr)MSR_ABSENT, 0));
}

KTEST_ATTR(fault_register, non_canonical_segment_base,
           .quirks = TCG_SKIP("TCG takes any address into IA32_FS_BASE"));
KTEST(fault_register, non_canonical_segment_base)
{
    KTEST_EXPECT_FAULT(test, GP, 0, msr_write(MSR_FS_BASE, NON_CANONICAL));
}

KTEST_ATTR(fault_register, reserved_bits_of_efer,
           .quirks = TCG_SKIP("TCG ignores the reserved bits of EFER"));
KTEST(fault_register, reserved_bits_of_efer)
{
    KTEST_EXPECT_FAULT(test, GP, 0, msr_write(MSR_EFER, msr_read(MSR_EFER) | BIT(63)));
}

KTEST_ATTR(fault_register, contradictions_in_cr0,
           .quirks = TCG_SKIP("TCG takes any value into CR0"));
KTEST(fault_register, contradictions_in_cr0)
{
    KTEST_EXPECT_FAULT(test, GP, 0, cpu_write_cr0((cpu_read_cr0() & ~CR0_CD) | CR0_NW));
    KTEST_EXPECT_FAULT(test, GP, 0, cpu_write_cr0(cpu_read_cr0() & ~CR0_PE));
}

KTEST_ATTR(fault_register, reserved_bits_of_cr3,
           .quirks = TCG_SKIP("TCG hangs when a reserved bit of CR3 is written"));
KTEST(fault_register, reserved_bits_of_cr3)
{
    KTEST_EXPECT_FAULT(test, GP, 0, cpu_write_cr3(cpu_read_cr3() | CR3_RESERVED));
}

KTEST_ATTR(fault_register, reserved_bits_of_cr4,
           .quirks = TCG_SKIP("TCG hangs when a reserved bit of CR4 is written"));
KTEST(fault_register, reserved_bits_of_cr4)
{
    KTEST_EXPECT_FAULT(test, GP, 0, cpu_write_cr4(cpu_read_cr4() | CR4_RESERVED));
}

KTEST_ATTR(fault_register, long_mode_without_pae,
           .quirks = TCG_SKIP("TCG resets the machine when CR4.PAE is cleared"));
KTEST(fault_register, long_mode_without_pae)
{
    KTEST_EXPECT_FAULT(test, GP, 0, cpu_write_cr4(cpu_read_cr4() & ~CR4_PAE));
}
