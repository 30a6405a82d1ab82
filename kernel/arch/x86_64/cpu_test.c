// SPDX-License-Identifier: MIT
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr.h"
#include "ktest.h"

KTEST_ATTR(cpu, write_protection_holds_for_ring_0, .proves = "2.3.4 2.3.3");
KTEST(cpu, write_protection_holds_for_ring_0)
{
    KTEST_EXPECT_EQ(test, cpu_read_cr0() & CR0_WP, CR0_WP);
    KTEST_EXPECT_EQ(test, cpu_read_cr0() & CR0_PG, CR0_PG);
}

KTEST_ATTR(cpu, long_mode_has_no_execute_on, .proves = "2.3.3 2.3.4 2.1.4");
KTEST(cpu, long_mode_has_no_execute_on)
{
    uint64_t efer = msr_read(MSR_EFER);
    KTEST_EXPECT_EQ(test, efer & EFER_LMA, EFER_LMA);
    KTEST_EXPECT_EQ(test, efer & EFER_NXE, EFER_NXE);
    KTEST_EXPECT_EQ(test, cpu_read_cr4() & CR4_PAE, CR4_PAE);
}

// Every protection that CPUID reports is on, and none that it does not report.
KTEST(cpu, protections_are_on_where_the_cpu_has_them)
{
    struct cpuid_result leaf7 = {0};
    if (cpuid(0, 0).eax >= 7) {
        leaf7 = cpuid(7, 0);
    }
    bool has_smep = (leaf7.ebx >> 7 & 1) != 0;
    bool has_smap = (leaf7.ebx >> 20 & 1) != 0;
    bool has_umip = (leaf7.ecx >> 2 & 1) != 0;
    bool has_mce = (cpuid(1, 0).edx >> 7 & 1) != 0;
    bool has_pge = (cpuid(1, 0).edx >> 13 & 1) != 0;

    uint64_t cr4 = cpu_read_cr4();

    KTEST_EXPECT_EQ(test, (cr4 & CR4_SMEP) != 0, has_smep);
    KTEST_EXPECT_EQ(test, (cr4 & CR4_SMAP) != 0, has_smap);
    KTEST_EXPECT_EQ(test, (cr4 & CR4_UMIP) != 0, has_umip);
    KTEST_EXPECT_EQ(test, (cr4 & CR4_MCE) != 0, has_mce);
    KTEST_EXPECT_EQ(test, (cr4 & CR4_PGE) != 0, has_pge);
}

KTEST_ATTR(cpu, sse_instruction_faults, .outcome = KTEST_FAULT(UD), .proves = "2.1.5");
KTEST(cpu, sse_instruction_faults)
{
    KTEST_ARM(test);
    __asm__ volatile("xorps %xmm0, %xmm0");
}

KTEST_ATTR(cpu, x87_instruction_faults, .outcome = KTEST_FAULT(NM), .proves = "2.1.5");
KTEST(cpu, x87_instruction_faults)
{
    KTEST_ARM(test);
    __asm__ volatile("fninit");
}

KTEST_ATTR(cpu, rflags_show_the_interrupt_flag, .proves = "5.16");
KTEST(cpu, rflags_show_the_interrupt_flag)
{
    KTEST_ASSERT_EQ(test, cpu_read_rflags() & RFLAGS_FIXED, RFLAGS_FIXED);
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());

    cpu_enable_interrupts();
    bool is_enabled = cpu_interrupts_enabled();
    cpu_disable_interrupts();

    KTEST_EXPECT_TRUE(test, is_enabled);
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
}

KTEST(cpu, time_stamp_counter_rises)
{
    uint64_t before = cpu_read_tsc();
    uint64_t after = cpu_read_tsc();
    KTEST_EXPECT_GT(test, after, before);
}
