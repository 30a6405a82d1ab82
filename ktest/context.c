// SPDX-License-Identifier: MIT
//
// In assembly, for the System V ABI: the registers that a callee preserves, in the order of
// struct ktest_context, whose address is in RDI.
#include "context.h"

#include <stddef.h>

_Static_assert(offsetof(struct ktest_context, rsp) == 48, "the assembly below counts on it");
_Static_assert(offsetof(struct ktest_context, rflags) == 64, "the assembly below counts on it");
_Static_assert(offsetof(struct ktest_context, cs) == 78, "the assembly below counts on it");

__asm__(".pushsection .text\n"
        ".globl ktest_context_save\n"
        ".type ktest_context_save, @function\n"
        "ktest_context_save:\n"
        "    movq %rbx, 0(%rdi)\n"
        "    movq %rbp, 8(%rdi)\n"
        "    movq %r12, 16(%rdi)\n"
        "    movq %r13, 24(%rdi)\n"
        "    movq %r14, 32(%rdi)\n"
        "    movq %r15, 40(%rdi)\n"
        "    leaq 8(%rsp), %rax\n" // RSP as it is after the return
        "    movq %rax, 48(%rdi)\n"
        "    movq (%rsp), %rax\n"
        "    movq %rax, 56(%rdi)\n"
        "    pushfq\n"
        "    popq 64(%rdi)\n"
        "    movw %ss, 72(%rdi)\n"
        "    movw %ds, 74(%rdi)\n"
        "    movw %es, 76(%rdi)\n"
        "    movw %cs, 78(%rdi)\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        ".size ktest_context_save, . - ktest_context_save\n"
        "\n"
        ".globl ktest_context_restore\n"
        ".type ktest_context_restore, @function\n"
        "ktest_context_restore:\n"
        "    movw 74(%rdi), %ds\n"
        "    movw 76(%rdi), %es\n"
        "    movq 0(%rdi), %rbx\n"
        "    movq 8(%rdi), %rbp\n"
        "    movq 16(%rdi), %r12\n"
        "    movq 24(%rdi), %r13\n"
        "    movq 32(%rdi), %r14\n"
        "    movq 40(%rdi), %r15\n"
        "    movzwl 72(%rdi), %eax\n"
        "    pushq %rax\n"     // SS
        "    pushq 48(%rdi)\n" // RSP
        "    pushq 64(%rdi)\n" // RFLAGS
        "    movzwl 78(%rdi), %eax\n"
        "    pushq %rax\n"     // CS
        "    pushq 56(%rdi)\n" // RIP
        "    movl $1, %eax\n"
        "    iretq\n"
        ".size ktest_context_restore, . - ktest_context_restore\n"
        "\n"
        ".globl ktest_context_call\n"
        ".type ktest_context_call, @function\n"
        "ktest_context_call:\n" // RDI: top of the stack, RSI: function, RDX: argument
        "    pushq %rbp\n"
        "    movq %rsp, %rbp\n" // backtraces go on into the caller's stack
        "    movq %rdi, %rsp\n"
        "    movq %rdx, %rdi\n"
        "    call *%rsi\n"
        "    pushfq\n"
        "    popq %rax\n"
        "    cld\n" // or the compiler's own string instructions destroy the runner's memory
        "    movq %rbp, %rsp\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size ktest_context_call, . - ktest_context_call\n"
        ".popsection\n");
