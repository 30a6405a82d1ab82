// SPDX-License-Identifier: MIT
#include "drivers/apic_timer.h"

#include "drivers/local_apic.h"
#include "irq/irq.h"
#include "time/clock.h"

#define MIN_NS (2 * NS_PER_US)

static struct scale ns_to_ticks;
static struct clock_event event;
const struct clock_event *const apic_timer_event = &event;

static uint64_t ticks_passed(void)
{
    return UINT32_MAX - local_apic_timer_count();
}

static void set(uint64_t ns)
{
    local_apic_timer_start((uint32_t)scale_apply(ns_to_ticks, ns) + 1);
}

static void stop(void)
{
    local_apic_timer_start(0);
}

enum error apic_timer_init(void)
{
    uint64_t hz;
    local_apic_timer_start(UINT32_MAX);
    enum error error = calibrate(ticks_passed, &clock_reference, &hz);
    stop();
    if (error != OK) {
        return error;
    }
    ns_to_ticks = scale_make(NS_PER_SECOND, hz);
    event = (struct clock_event){
        .name = "local APIC timer",
        .line = IRQ_LOCAL_TIMER,
        .min_ns = MIN_NS,
        .max_ns = scale_apply(scale_make(hz, NS_PER_SECOND), UINT32_MAX - 1),
        .set = set,
        .stop = stop,
    };
    return OK;
}
