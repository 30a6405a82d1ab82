// SPDX-License-Identifier: MIT
//
// A future written as one function that waits in the middle:
//
//     struct greet { struct coroutine coroutine; struct number number; };
//
//     static enum coroutine_step greet(struct coroutine *coroutine)
//     {
//         struct greet *self = container_of(coroutine, struct greet, coroutine);
//         COROUTINE_BEGIN(self);
//         number_init(&self->number);
//         AWAIT(self, &self->number.future);
//         println("async number: %lu", self->number.value);
//         return COROUTINE_RETURNS;
//     }
//
//     coroutine_init(&object->coroutine, greet);   object->coroutine.future is the future
//
// The function returns where it waits, and is called again to go on behind that place; its stack is
// gone by then. So what it has to know afterwards lies in its structure. A local variable may live
// between two awaits only, in a block of its own; `self` is the exception, as it is set anew each
// time. A test looks for others in the kernel's debug data, and where the compiler sees that the
// value is lost, it does not compile.
//
// The place is an address, not the case of a switch: loops and switches may hold awaits, and a dump
// can say where a task waits. The price: gcc and clang only, and no await in an expression.
#pragma once

#include "task/future.h"

// A body returns COROUTINE_RETURNS where it ends; the others are for the macros.
enum [[nodiscard]] coroutine_step{
    COROUTINE_AWAITS,
    COROUTINE_YIELDS,
    COROUTINE_RETURNS,
};

struct coroutine;
typedef enum coroutine_step coroutine_body_t(struct coroutine *coroutine);

// Something to be done when the coroutine ends, whichever way. Lies in the coroutine's structure.
struct coroutine_cleanup {
    void (*function)(void *argument);
    void *argument;
    struct coroutine_cleanup *before; // set up before this one
};

struct coroutine {
    struct future future;
    coroutine_body_t *body;
    uintptr_t place;                    // where it goes on; 0: at the beginning
    struct future *awaited;             // NULL: it can go on
    struct coroutine_cleanup *cleanups; // the last one first
};

// It has to be initialised before each time it is run.
void coroutine_init(struct coroutine *coroutine, coroutine_body_t *body);

// When the coroutine returns, or is dropped, function(argument) is called: the last one that was
// set up is called first, behind the drop of what was awaited. For the body.
void coroutine_defer(struct coroutine *coroutine, struct coroutine_cleanup *cleanup,
                     void (*function)(void *argument), void *argument);

// Where this future goes on, if it is a coroutine: in the innermost one of those that it awaits. An
// address of code; 0 if it is none.
uintptr_t coroutine_innermost_place(const struct future *future);

// For the body, with the pointer to the structure that `coroutine` lies in.
#define COROUTINE_BEGIN(self_)                                                                     \
    do {                                                                                           \
        if ((self_)->coroutine.place != 0) {                                                       \
            goto *(const void *)(self_)->coroutine.place;                                          \
        }                                                                                          \
    } while (0)

// Goes on when this future is ready, without a pause if it is at once.
#define AWAIT(self_, future_)                                                                      \
    do {                                                                                           \
        (self_)->coroutine.awaited = (future_);                                                    \
        COROUTINE_LEAVE_(self_, COROUTINE_AWAITS);                                                 \
    } while (0)

// Lets the other tasks that are ready have their turn.
#define COROUTINE_YIELD(self_) COROUTINE_LEAVE_(self_, COROUTINE_YIELDS)

// As a number: gcc 12 takes a label for a variable whose address is kept.
#define COROUTINE_LEAVE_(self_, step_)                                                             \
    do {                                                                                           \
        __label__ coroutine_place;                                                                 \
        (self_)->coroutine.place = (uintptr_t) && coroutine_place;                                 \
        return step_;                                                                              \
    coroutine_place:;                                                                              \
    } while (0)
