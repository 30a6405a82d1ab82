// SPDX-License-Identifier: MIT
//
// Where to go on when a test is abandoned: setjmp and longjmp for a kernel. RFLAGS, and with them
// the interrupt flag, are part of the context, and so are the segments: the CPU makes SS null when
// it changes to an interrupt stack. The way back is iretq: nothing else ends an NMI.
#pragma once

#include <stdint.h>

#include "dialect.h"

KTEST_BEGIN_C

struct ktest_context {
    uint64_t rbx, rbp, r12, r13, r14, r15;
    uint64_t rsp, rip, rflags;
    uint16_t ss, ds, es, cs;
};

// What the kernel remembers of itself, to come back to when code is abandoned: port.h.
struct ktest_mark {
    uint64_t words[4];
};

// 0 at the call, 1 when it returns again through ktest_context_restore.
int ktest_context_save(struct ktest_context *context) __attribute__((returns_twice));

// The function that saved must not have returned.
__attribute__((noreturn)) void ktest_context_restore(const struct ktest_context *context);

// Calls function(argument) on another stack, of which `stack_top` (16-byte aligned) is the end.
// Returns RFLAGS as the function left them; the direction flag is clear again.
uint64_t ktest_context_call(void *stack_top, void (*function)(void *), void *argument);

KTEST_END_C
