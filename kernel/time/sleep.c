// SPDX-License-Identifier: MIT
//
// The wake-up can't be lost between the look and the halt: the look is with interrupts off, and
// cpu_wait_for_interrupt lets none in before the CPU halts.
#include "time/sleep.h"

#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "sync/irq_state.h"
#include "sync/spinlock.h"
#include "time/timer.h"

// To be waited for is all it is for.
static void do_nothing(struct timer *timer)
{
    (void)timer;
}

void clock_sleep_ns(uint64_t ns)
{
    assert(timer_event() != NULL && spinlock_held_count() == 0);
    struct timer timer = {.function = do_nothing};
    irq_state_t state = irq_save();
    timer_add(&timer, clock_monotonic_ns() + ns);
    while (timer.is_queued) {
        cpu_wait_for_interrupt();
        cpu_disable_interrupts();
    }
    irq_restore(state);
}
