// SPDX-License-Identifier: MIT
//
// Where to go on when a test is abandoned: setjmp and longjmp for a kernel. RFLAGS, and with them
// the interrupt flag, are part of the context, and so are the segments: the CPU makes SS null when
// it changes to an interrupt stack. The way back is iretq: nothing else ends an NMI.
#pragma once

#include "ktest.h"

struct ktest_context {
    uint64_t rbx, rbp, r12, r13, r14, r15;
    uint64_t rsp, rip, rflags;
    uint16_t ss, ds, es, cs;
};

// 0 at the call, 1 when it returns again through ktest_context_restore.
int ktest_context_save(struct ktest_context *context) __attribute__((returns_twice));

// The function that saved must not have returned.
KTEST_NORETURN void ktest_context_restore(const struct ktest_context *context);
