// SPDX-License-Identifier: MIT
//
// Exceptions and interrupts as C sees them: one frame, and a handler for each vector. Vectors with
// an error code and those without have types of their own, so that a handler of the wrong kind
// does not compile. Source: Intel SDM vol. 3, 6.3 to 6.15.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/gdt.h"

// trap.asm builds it. A handler may change it: what it leaves is what the interrupted code gets.
struct trap_frame {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector;
    uint64_t error; // 0 for vectors that have none
    uint64_t rip, cs, rflags, rsp, ss;
};

#define EXCEPTION_COUNT 32

// A vector for which the CPU pushes no error code, and one for which it does.
struct plain_vector {
    uint8_t number;
};
struct coded_vector {
    uint8_t number;
};

#define VECTOR_DIVIDE ((struct plain_vector){0})
#define VECTOR_DEBUG ((struct plain_vector){1})
#define VECTOR_NMI ((struct plain_vector){2})
#define VECTOR_BREAKPOINT ((struct plain_vector){3})
#define VECTOR_OVERFLOW ((struct plain_vector){4})
#define VECTOR_BOUND ((struct plain_vector){5})
#define VECTOR_INVALID_OPCODE ((struct plain_vector){6})
#define VECTOR_DEVICE_NOT_AVAILABLE ((struct plain_vector){7})
#define VECTOR_DOUBLE_FAULT ((struct coded_vector){8})
#define VECTOR_INVALID_TSS ((struct coded_vector){10})
#define VECTOR_SEGMENT_NOT_PRESENT ((struct coded_vector){11})
#define VECTOR_STACK_SEGMENT ((struct coded_vector){12})
#define VECTOR_GENERAL_PROTECTION ((struct coded_vector){13})
#define VECTOR_PAGE_FAULT ((struct coded_vector){14})
#define VECTOR_X87 ((struct plain_vector){16})
#define VECTOR_ALIGNMENT_CHECK ((struct coded_vector){17})
#define VECTOR_MACHINE_CHECK ((struct plain_vector){18})
#define VECTOR_SIMD ((struct plain_vector){19})

typedef void trap_handler_t(struct trap_frame *frame);
typedef void trap_coded_handler_t(struct trap_frame *frame, uint64_t error);

// Handlers run with interrupts off, on the interrupted stack or the vector's own one; they don't
// block and don't allocate. NULL takes the handler away. Returns the one that was there.
// Double faults and machine checks can't be returned from: if their handler does, that is a panic.
trap_handler_t *trap_set_handler(struct plain_vector vector, trap_handler_t *handler);
trap_coded_handler_t *trap_set_coded_handler(struct coded_vector vector,
                                             trap_coded_handler_t *handler);

// What happens to an exception or interrupt without a handler; the layers above register it.
// Returns the one that was there; the default panics with the vector's name.
trap_handler_t *trap_set_unhandled(trap_handler_t *handler);

#define TRAP_VECTORS 256

struct trap_handlers {
    trap_handler_t *plain[TRAP_VECTORS];
    trap_coded_handler_t *coded[EXCEPTION_COUNT];
    trap_handler_t *unhandled;
};

// All of them, for whoever saves and restores them.
struct trap_handlers *trap_handlers(void);

// Fills `frame_out` with the registers of the caller at its call.
void trap_capture(struct trap_frame *frame_out);

// The interrupt stack that the frame's exception arrived on.
enum ist trap_ist(const struct trap_frame *frame);
