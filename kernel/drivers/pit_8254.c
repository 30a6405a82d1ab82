// SPDX-License-Identifier: MIT
//
// Channels 0 and 2 count in mode 0, in which the output tells that the count is over for as long as
// nobody sets the channel again. Counts go down, and in two bytes, the low one first.
#include "drivers/pit_8254.h"

#include "arch/x86_64/port.h"
#include "irq/irq.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "time/scale.h"

enum pit_port {
    PIT_CHANNEL0 = 0x40,
    PIT_CHANNEL2 = 0x42,
    PIT_CONTROL = 0x43,
    SPEAKER = 0x61,
};

#define SPEAKER_GATE BIT(0) // channel 2 counts
#define SPEAKER_ON BIT(1)

#define CHANNEL0_MODE0 0x30
#define CHANNEL0_MODE2 0x34
#define CHANNEL2_MODE0 0xb0
#define READ_STATUS_CHANNEL0 0xe2
#define READ_STATUS_AND_COUNT_CHANNEL2 0xc8
#define STATUS_OUTPUT BIT(7)
#define STATUS_NOT_LOADED BIT(6)

#define LONGEST 0xffff // a count of 0 is 65536, and can't be told from one that is over

static void write_count(enum pit_port channel, uint32_t count)
{
    port_write8((uint16_t)channel, (uint8_t)count);
    port_write8((uint16_t)channel, (uint8_t)(count >> 8));
}

void pit_start_once(uint32_t ticks)
{
    assert(ticks >= 1 && ticks <= PIT_TICKS_MAX);
    port_write8(PIT_CONTROL, CHANNEL0_MODE0);
    write_count(PIT_CHANNEL0, ticks);
}

void pit_init(void)
{
    pit_start_once(1);
}

void pit_start_rate(uint32_t ticks)
{
    assert(ticks >= PIT_RATE_TICKS_MIN && ticks <= PIT_TICKS_MAX);
    port_write8(PIT_CONTROL, CHANNEL0_MODE2);
    write_count(PIT_CHANNEL0, ticks);
}

bool pit_line_is_up(void)
{
    port_write8(PIT_CONTROL, READ_STATUS_CHANNEL0);
    return (port_read8(PIT_CHANNEL0) & STATUS_OUTPUT) != 0;
}

// --- Clock event --------------------------------------------------------------------------------

#define EVENT_TICKS_MIN 2
#define TICKS_TO_NS(ticks_) ((uint64_t)(ticks_)*NS_PER_SECOND / PIT_HZ)

// A tick more than that lets no interrupt come early: the first may be shorter than a whole one.
static void event_set(uint64_t ns)
{
    pit_start_once((uint32_t)(ns * PIT_HZ / NS_PER_SECOND) + 1);
}

// It can't be told to stand still: once more it goes up, and its line is masked then.
static void event_stop(void)
{
}

const struct clock_event pit_event = {
    .name = "PIT",
    .line = IRQ_TIMER,
    .min_ns = TICKS_TO_NS(EVENT_TICKS_MIN),
    .max_ns = TICKS_TO_NS(PIT_TICKS_MAX - 1),
    .set = event_set,
    .stop = event_stop,
};

// --- Reference ----------------------------------------------------------------------------------

static void reference_start(void)
{
    uint64_t speaker = port_read8(SPEAKER);
    port_write8(SPEAKER, (uint8_t)((speaker & ~SPEAKER_ON) | SPEAKER_GATE));
    port_write8(PIT_CONTROL, CHANNEL2_MODE0);
    write_count(PIT_CHANNEL2, LONGEST);
}

static bool reference_read(uint64_t *ticks_out)
{
    port_write8(PIT_CONTROL, READ_STATUS_AND_COUNT_CHANNEL2);
    uint8_t status = port_read8(PIT_CHANNEL2);
    uint64_t count = port_read8(PIT_CHANNEL2);
    count |= (uint64_t)port_read8(PIT_CHANNEL2) << 8;
    if ((status & STATUS_OUTPUT) != 0) {
        return false;
    }
    *ticks_out = (status & STATUS_NOT_LOADED) != 0 ? 0 : LONGEST - count;
    return true;
}

const struct clock_reference pit_reference = {
    .name = "PIT",
    .hz = PIT_HZ,
    .start = reference_start,
    .read = reference_read,
};
