// SPDX-License-Identifier: MIT
//
// The registers of a caller as a frame: what a panic reports.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/gdt.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/string.h"

KTEST(trap, capture_takes_the_callers_registers)
{
    struct trap_frame frame;
    memset(&frame, 0xff, sizeof(frame));
    uint64_t rbx = 0x1122334455667788;
    uint64_t rsp;

    __asm__ volatile("mov %%rsp, %1\n\tcall trap_capture"
                     : "+b"(rbx), "=&r"(rsp)
                     : "D"(&frame)
                     : "rax", "memory");

    KTEST_EXPECT_EQ(test, frame.rbx, rbx);
    KTEST_EXPECT_EQ(test, frame.rdi, (uint64_t)&frame);
    KTEST_EXPECT_EQ(test, frame.rsp, rsp);
    KTEST_EXPECT_EQ(test, frame.rbp, (uint64_t)__builtin_frame_address(0));
    KTEST_EXPECT_EQ(test, frame.cs, SELECTOR_KERNEL_CODE.value);
    KTEST_EXPECT_EQ(test, frame.ss, SELECTOR_KERNEL_DATA.value);
    KTEST_EXPECT_EQ(test, frame.vector, 0);
    KTEST_EXPECT_EQ(test, frame.error, 0);
    KTEST_EXPECT_EQ(test, frame.rflags & RFLAGS_FIXED, RFLAGS_FIXED);
    KTEST_EXPECT_GE(test, frame.rip, (uint64_t)text_start);
    KTEST_EXPECT_LT(test, frame.rip, (uint64_t)text_end);
}

// SS and DS hold the same selector as a rule; here DS is null for a moment.
KTEST(trap, capture_takes_ss_and_not_ds)
{
    struct trap_frame frame;
    __asm__ volatile("xorl %%eax, %%eax\n\tmovl %%eax, %%ds\n\tcall trap_capture\n\t"
                     "movl %%ss, %%eax\n\tmovl %%eax, %%ds"
                     :
                     : "D"(&frame)
                     : "rax", "memory");
    KTEST_EXPECT_EQ(test, frame.ss, SELECTOR_KERNEL_DATA.value);
}

KTEST(trap, capture_tells_the_numbered_registers_apart)
{
    struct trap_frame frame;
    __asm__ volatile("movl $8, %%r8d\n\tmovl $9, %%r9d\n\tmovl $10, %%r10d\n\tmovl $11, %%r11d\n\t"
                     "movl $12, %%r12d\n\tmovl $13, %%r13d\n\tmovl $14, %%r14d\n\t"
                     "movl $15, %%r15d\n\tmovl $1, %%eax\n\tmovl $3, %%ecx\n\tmovl $4, %%edx\n\t"
                     "movl $5, %%esi\n\tcall trap_capture"
                     :
                     : "D"(&frame)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "memory");
    const uint64_t expected[] = {8, 9, 10, 11, 12, 13, 14, 15};
    KTEST_EXPECT_MEMEQ(test, &frame.r8, expected, sizeof(expected));
    KTEST_EXPECT_EQ(test, frame.rax, 1);
    KTEST_EXPECT_EQ(test, frame.rcx, 3);
    KTEST_EXPECT_EQ(test, frame.rdx, 4);
    KTEST_EXPECT_EQ(test, frame.rsi, 5);
}
