// SPDX-License-Identifier: MIT
//
// From the stubs of trap.asm to the handlers.
#include "arch/x86_64/trap.h"

#include <stddef.h>

#include "arch/x86_64/exception.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/stack.h"
#include "lib/panic.h"

_Static_assert(offsetof(struct trap_frame, r8) == 7 * 8);
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8);
_Static_assert(offsetof(struct trap_frame, rip) == 17 * 8);
_Static_assert(sizeof(struct trap_frame) == 22 * 8);

static void unhandled_default(struct trap_frame *frame);

_Static_assert(TRAP_VECTORS == IDT_VECTORS);

static struct trap_handlers handlers = {.unhandled = unhandled_default};

// Called by trap.asm and by nobody else.
void trap_dispatch(struct trap_frame *frame);

static void unhandled_default(struct trap_frame *frame)
{
    panic("unhandled %s (vector %lu) at %#lx", exception_name((uint8_t)frame->vector),
          frame->vector, frame->rip);
}

trap_handler_t *trap_set_handler(struct plain_vector vector, trap_handler_t *handler)
{
    trap_handler_t *previous = handlers.plain[vector.number];
    handlers.plain[vector.number] = handler;
    return previous;
}

trap_coded_handler_t *trap_set_coded_handler(struct coded_vector vector,
                                             trap_coded_handler_t *handler)
{
    trap_coded_handler_t *previous = handlers.coded[vector.number];
    handlers.coded[vector.number] = handler;
    return previous;
}

trap_handler_t *trap_set_unhandled(trap_handler_t *handler)
{
    trap_handler_t *previous = handlers.unhandled;
    handlers.unhandled = handler;
    return previous;
}

struct trap_handlers *trap_handlers(void)
{
    return &handlers;
}

[[gnu::noreturn, gnu::noinline]] static void refuse_return(uint64_t vector)
{
    panic("the handler of %s returned", exception_name((uint8_t)vector));
}

[[gnu::noinline]] static void dispatch_coded(struct trap_frame *frame)
{
    uint64_t vector = frame->vector;
    bool is_coded = exception_has_error_code((uint8_t)vector);
    trap_coded_handler_t *handler = is_coded ? handlers.coded[vector] : NULL;
    if (handler == NULL) {
        handlers.unhandled(frame);
        return;
    }
    handler(frame, frame->error);
    if (vector == VECTOR_DOUBLE_FAULT.number) {
        refuse_return(vector);
    }
}

// Vectors without an error code come first, and have a path of a few instructions: they are the
// interrupts.
void trap_dispatch(struct trap_frame *frame)
{
    uint64_t vector = frame->vector; // the handler may change the frame
    trap_handler_t *handler = handlers.plain[vector];
    if (handler == NULL) {
        dispatch_coded(frame);
        return;
    }
    handler(frame);
    if (vector == VECTOR_MACHINE_CHECK.number) {
        refuse_return(vector);
    }
}

enum ist trap_ist(const struct trap_frame *frame)
{
    struct stack_place place = stack_locate((uint64_t)frame);
    if (place.part != STACK_PART_BODY || (uint64_t)(frame + 1) != place.top) {
        return IST_NONE; // the CPU begins at the top of an interrupt stack
    }
    switch (place.stack) {
    case BOOT_STACK_DOUBLE_FAULT:
        return IST_DOUBLE_FAULT;
    case BOOT_STACK_NMI:
        return IST_NMI;
    case BOOT_STACK_MACHINE_CHECK:
        return IST_MACHINE_CHECK;
    case BOOT_STACK_MAIN:
    case BOOT_STACK_TEST:
    case BOOT_STACK_COUNT:
        break;
    }
    return IST_NONE;
}
