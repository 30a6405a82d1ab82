// SPDX-License-Identifier: MIT
//
// Faults of x87 and SSE instructions. The kernel itself uses none, and keeps them from running by
// CR0.EM; each test turns on what it needs. Sources: Intel SDM vol. 1, 8.5 and 11.5; vol. 3, 2.5.
#include "arch/x86_64/fault_machine.h"
#include "ktest.h"

#define X87_MASK_ALL 0x37f
#define X87_MASK_ALL_BUT_ZERO_DIVIDE 0x37b
#define MXCSR_MASK_ALL 0x1f80
#define MXCSR_MASK_ALL_BUT_ZERO_DIVIDE 0x1d80
#define MXCSR_RESERVED BIT(31)

#define TCG_SKIP(reason_) KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG, .skip = reason_})

// As an operating system sets the CPU up that lets programs use both.
static void init(struct ktest *test)
{
    fault_machine_save(test);
    cpu_write_cr0((cpu_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
    cpu_write_cr4(cpu_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    __asm__ volatile("fninit");
}

// No exception is left pending in the x87.
static void exit(struct ktest *test)
{
    cpu_write_cr0(cpu_read_cr0() & ~(CR0_EM | CR0_TS));
    __asm__ volatile("fninit");
    fault_machine_restore(test);
}

KTEST_SUITE(fault_float, .init = init, .exit = exit);

static void load_mxcsr(uint32_t value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static void set_cr0(uint64_t bits)
{
    cpu_write_cr0(cpu_read_cr0() | bits);
}

KTEST(fault_float, instructions_run_when_all_is_on)
{
    const double four = 4;
    double x87 = 0;
    double sse = 0;
    __asm__ volatile("fldl %2\n\tfsqrt\n\tfstpl %0\n\tsqrtsd %2, %%xmm0\n\tmovsd %%xmm0, %1"
                     : "=m"(x87), "=m"(sse)
                     : "m"(four));
    KTEST_EXPECT_EQ(test, *(volatile uint64_t *)&x87, 0x4000000000000000);
    KTEST_EXPECT_EQ(test, *(volatile uint64_t *)&sse, 0x4000000000000000);
}

// How an operating system learns that a task wants the registers that another one left there.
KTEST_ATTR(fault_float, instructions_after_a_task_switch, .proves = "5.13");
KTEST(fault_float, instructions_after_a_task_switch)
{
    set_cr0(CR0_TS);
    KTEST_EXPECT_FAULT(test, NM, 0, __asm__ volatile("fninit"));
    KTEST_EXPECT_FAULT(test, NM, 0, __asm__ volatile("fwait"));
    KTEST_EXPECT_FAULT(test, NM, 0, __asm__ volatile("xorps %xmm0, %xmm0"));

    __asm__ volatile("clts");
    __asm__ volatile("fninit\n\tfwait\n\txorps %xmm0, %xmm0");
}

KTEST(fault_float, sse_without_the_systems_consent_is_undefined)
{
    cpu_write_cr4(cpu_read_cr4() & ~CR4_OSFXSR);
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("xorps %xmm0, %xmm0"));
    cpu_write_cr4(cpu_read_cr4() | CR4_OSFXSR);
    set_cr0(CR0_EM);
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("xorps %xmm0, %xmm0"));
}

// The division notes the exception; the next instruction that waits for the x87 raises it.
KTEST_ATTR(fault_float, x87_division_by_zero, .outcome = KTEST_FAULT(MF, .symbol = "wait_for_x87"),
           .proves = "5.13");
[[gnu::noinline]] static void wait_for_x87(void)
{
    __asm__ volatile("fwait");
}

KTEST(fault_float, x87_division_by_zero)
{
    const uint16_t control = X87_MASK_ALL_BUT_ZERO_DIVIDE;
    __asm__ volatile("fldcw %0\n\tfld1\n\tfldz\n\tfdivrp" : : "m"(control));
    KTEST_ARM(test);
    wait_for_x87();
}

KTEST(fault_float, masked_x87_division_by_zero_goes_on)
{
    uint16_t status;
    __asm__ volatile("fld1\n\tfldz\n\tfdivrp\n\tfwait\n\tfnstsw %0" : "=a"(status));
    KTEST_EXPECT_EQ(test, status & 4, 4);
}

KTEST_ATTR(fault_float, misaligned_sse_operand,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(7, 2),
                                   .skip = "TCG before QEMU 7.2 takes any address in movaps"}),
           .proves = "5.13");
KTEST(fault_float, misaligned_sse_operand)
{
    static _Alignas(16) const uint8_t bytes[32];
    __asm__ volatile("movaps (%0), %%xmm0\n\tmovups 8(%0), %%xmm0" : : "r"(bytes));
    KTEST_EXPECT_FAULT(test, GP, 0, __asm__ volatile("movaps 8(%0), %%xmm0" : : "r"(bytes)));
}

static void divide_by_zero_in_sse(void)
{
    const float one = 1;
    const float zero = 0;
    load_mxcsr(MXCSR_MASK_ALL_BUT_ZERO_DIVIDE);
    __asm__ volatile("movss %0, %%xmm0\n\tdivss %1, %%xmm0" : : "m"(one), "m"(zero));
}

KTEST_ATTR(fault_float, sse_division_by_zero,
           .quirks = TCG_SKIP("TCG raises no SIMD floating-point exceptions"), .proves = "5.13");
KTEST(fault_float, sse_division_by_zero)
{
    KTEST_EXPECT_FAULT(test, XM, 0, divide_by_zero_in_sse());
    cpu_write_cr4(cpu_read_cr4() & ~CR4_OSXMMEXCPT);
    KTEST_EXPECT_FAULT(test, UD, 0, divide_by_zero_in_sse());
    load_mxcsr(MXCSR_MASK_ALL);
}

KTEST_ATTR(fault_float, reserved_bits_of_mxcsr,
           .quirks = TCG_SKIP("TCG takes any value into MXCSR"));
KTEST(fault_float, reserved_bits_of_mxcsr)
{
    KTEST_EXPECT_FAULT(test, GP, 0, load_mxcsr((uint32_t)MXCSR_RESERVED | MXCSR_MASK_ALL));
}
