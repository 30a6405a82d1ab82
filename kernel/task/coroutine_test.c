// SPDX-License-Identifier: MIT
#include "ktest.h"
#include "lib/container_of.h"
#include "task/coroutine.h"

struct async_number {
    struct coroutine coroutine;
    uint64_t value;
};

static enum coroutine_step async_number(struct coroutine *coroutine)
{
    struct async_number *self = container_of(coroutine, struct async_number, coroutine);
    self->value = 42;
    return COROUTINE_RETURNS;
}

struct example {
    struct coroutine coroutine;
    struct async_number number;
    uint64_t seen;
    unsigned rounds;
};

static enum coroutine_step example(struct coroutine *coroutine)
{
    struct example *self = container_of(coroutine, struct example, coroutine);
    COROUTINE_BEGIN(self);
    for (self->rounds = 0; self->rounds < 3; self->rounds++) {
        switch (self->rounds) {
        case 0:
            coroutine_init(&self->number.coroutine, async_number);
            AWAIT(self, &self->number.coroutine.future);
            self->seen = self->number.value;
            break;
        default:
            COROUTINE_YIELD(self);
            break;
        }
    }
    return COROUTINE_RETURNS;
}

KTEST_ATTR(coroutine, awaits_in_loops_and_switches, .proves = "12.1.4");
KTEST(coroutine, awaits_in_loops_and_switches)
{
    struct example object = {};
    struct poll_context context = {&waker_dummy};
    coroutine_init(&object.coroutine, example);

    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_EQ(test, object.seen, 42);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_PENDING);
    KTEST_EXPECT_EQ(test, future_poll(&object.coroutine.future, &context), POLL_READY);
}
