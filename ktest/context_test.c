// SPDX-License-Identifier: MIT
//
// The way back, register by register. A compiler keeps few of them across a call, so that tests in
// C would not miss one.
#include "context.h"
#include "ktest.h"

static struct ktest_context context;

// RBX, RBP and R12 to R15 behind the way back, for the test to look at.
uint64_t ktest_context_registers[6];

void ktest_context_there_and_back(struct ktest_context *at);

// Puts 0x11 to 0x66 into them, saves, destroys them, and restores.
__asm__(".pushsection .text\n"
        ".type ktest_context_there_and_back, @function\n"
        "ktest_context_there_and_back:\n"
        "    pushq %rbx\n"
        "    pushq %rbp\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    pushq %rdi\n" // 16-byte aligned, and found again through RSP
        "    movl $0x11, %ebx\n"
        "    movl $0x22, %ebp\n"
        "    movl $0x33, %r12d\n"
        "    movl $0x44, %r13d\n"
        "    movl $0x55, %r14d\n"
        "    movl $0x66, %r15d\n"
        "    call ktest_context_save\n"
        "    testl %eax, %eax\n"
        "    jnz 1f\n"
        "    movq (%rsp), %rdi\n"
        "    xorl %ebx, %ebx\n"
        "    xorl %ebp, %ebp\n"
        "    xorl %r12d, %r12d\n"
        "    xorl %r13d, %r13d\n"
        "    xorl %r14d, %r14d\n"
        "    xorl %r15d, %r15d\n"
        "    jmp ktest_context_restore\n"
        "1:  movq $ktest_context_registers, %rax\n"
        "    movq %rbx, 0(%rax)\n"
        "    movq %rbp, 8(%rax)\n"
        "    movq %r12, 16(%rax)\n"
        "    movq %r13, 24(%rax)\n"
        "    movq %r14, 32(%rax)\n"
        "    movq %r15, 40(%rax)\n"
        "    popq %rdi\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbp\n"
        "    popq %rbx\n"
        "    ret\n"
        ".size ktest_context_there_and_back, . - ktest_context_there_and_back\n"
        ".popsection\n");

KTEST(context, every_register_that_a_callee_preserves_comes_back)
{
    ktest_context_there_and_back(&context);
    for (uint64_t i = 0; i < 6; i++) {
        KTEST_EXPECT_EQ_MSG(test, ktest_context_registers[i], 0x11 * (i + 1), "number %llu",
                            (unsigned long long)i);
    }
}

static uint32_t segments(void)
{
    uint16_t ds;
    uint16_t es;
    __asm__ volatile("movw %%ds, %0\n\tmovw %%es, %1" : "=r"(ds), "=r"(es));
    return (uint32_t)ds << 16 | es;
}

KTEST(context, data_segments_come_back)
{
    uint32_t before = segments();
    KTEST_EXPECT_FAULT(test, UD, 0, {
        __asm__ volatile("movl %0, %%ds\n\tmovl %0, %%es\n\tud2" : : "r"(0));
    });
    KTEST_EXPECT_NE(test, before >> 16, 0);
    KTEST_EXPECT_EQ(test, segments(), before);
}
