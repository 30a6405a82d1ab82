// SPDX-License-Identifier: MIT
//
// The lower half of its counter is enough, and is one access: 2^31 ticks are 21 s or more. The
// comparator fires when the two are equal, so one that was set too late would fire only when the
// counter comes round: then it is set again, further away.
#include "drivers/hpet.h"

#include <stdbool.h>
#include <stddef.h>

#include "irq/irq.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "mm/mmio.h"
#include "time/scale.h"

enum hpet_register {
    HPET_CAPABILITIES = 0x000,
    HPET_PERIOD = 0x004,
    HPET_CONFIGURATION = 0x010,
    HPET_COUNTER = 0x0f0,
    HPET_TIMER0 = 0x100,
    HPET_COMPARATOR0 = 0x108,
};
#define REGISTERS_BYTES 0x400

#define CAPABILITIES_REVISION GENMASK(7, 0)
#define CAPABILITIES_LEGACY BIT(15)
#define PERIOD_MAX_FS 100'000'000
#define FS_PER_SECOND 1'000'000'000'000'000ULL
#define CONFIGURATION_COUNT BIT(0)
#define CONFIGURATION_LEGACY BIT(1)
#define TIMER_INTERRUPT BIT(2)
#define TIMER_32_BITS BIT(8)

#define MIN_NS (2 * NS_PER_US)
#define MAX_TICKS BIT(31)

static volatile uint32_t *registers;
static struct scale ns_to_ticks;
static bool has_line; // instead of the interval timer

static struct clock_event event;
static struct clock_reference reference;
const struct clock_event *const hpet_event = &event;
const struct clock_reference *const hpet_reference = &reference;

static uint32_t read(enum hpet_register offset)
{
    return registers[offset / sizeof(uint32_t)];
}

static void write(enum hpet_register offset, uint64_t value)
{
    registers[offset / sizeof(uint32_t)] = (uint32_t)value;
}

// --- Clock event --------------------------------------------------------------------------------

static void take_line(void)
{
    if (!has_line) {
        write(HPET_TIMER0, TIMER_INTERRUPT | TIMER_32_BITS);
        write(HPET_CONFIGURATION, CONFIGURATION_COUNT | CONFIGURATION_LEGACY);
        has_line = true;
    }
}

static void event_set(uint64_t ns)
{
    uint32_t ticks = (uint32_t)scale_apply(ns_to_ticks, ns) + 1;
    take_line();
    for (uint32_t start = read(HPET_COUNTER);; start = read(HPET_COUNTER), ticks *= 2) {
        write(HPET_COMPARATOR0, start + ticks);
        if (read(HPET_COUNTER) - start < ticks) {
            return;
        }
    }
}

static void event_stop(void)
{
    write(HPET_TIMER0, TIMER_32_BITS);
    write(HPET_CONFIGURATION, CONFIGURATION_COUNT);
    has_line = false;
}

// --- Reference ----------------------------------------------------------------------------------

static uint32_t reference_start_count;

static void reference_start(void)
{
    reference_start_count = read(HPET_COUNTER);
}

static bool reference_read(uint64_t *ticks_out)
{
    *ticks_out = read(HPET_COUNTER) - reference_start_count;
    return true;
}

// --- Start and end ------------------------------------------------------------------------------

static enum error probe(void)
{
    uint32_t capabilities = read(HPET_CAPABILITIES);
    uint32_t period_fs = read(HPET_PERIOD);
    if (FIELD_GET(CAPABILITIES_REVISION, capabilities) == 0 || period_fs == 0 ||
        period_fs > PERIOD_MAX_FS) {
        return ENODEV;
    }
    if ((capabilities & CAPABILITIES_LEGACY) == 0) {
        return ENOTSUP;
    }
    reference = (struct clock_reference){
        .name = "HPET",
        .hz = FS_PER_SECOND / period_fs,
        .start = reference_start,
        .read = reference_read,
    };
    return OK;
}

enum error hpet_init(phys_addr_t address)
{
    volatile void *mapped;
    assert(registers == NULL);
    enum error error = mmio_map(address, REGISTERS_BYTES, &mapped);
    if (error != OK) {
        return error;
    }
    registers = mapped;
    error = probe();
    if (error != OK) {
        mmio_unmap(mapped, REGISTERS_BYTES);
        registers = NULL;
        return error;
    }
    event = (struct clock_event){
        .name = "HPET",
        .line = IRQ_TIMER,
        .min_ns = MIN_NS,
        .max_ns = scale_apply(scale_make(reference.hz, NS_PER_SECOND), MAX_TICKS - 1),
        .set = event_set,
        .stop = event_stop,
    };
    ns_to_ticks = scale_make(NS_PER_SECOND, reference.hz);
    event_stop();
    return OK;
}

void hpet_release(void)
{
    event_stop();
    write(HPET_CONFIGURATION, 0);
    mmio_unmap(registers, REGISTERS_BYTES);
    registers = NULL;
}
