// SPDX-License-Identifier: MIT
//
// The timer's line stays up when the count is over, until it is set again, which makes a lost NMI
// visible and a stray one too. Sources: Intel 82093AA data sheet, 3.1 and 3.2.4 (index and data,
// redirection).
#include "drivers/nmi_timer.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "drivers/pit_8254.h"
#include "lib/bits.h"

_Static_assert(PIT_HZ / 1000 * NMI_TIMER_MAX_MS <= PIT_TICKS_MAX);

#define IO_APIC_PHYS 0xfec00000 // where chipsets put the first one
#define TIMER_PIN 2             // ISA's interrupt 0 comes in here: ACPI's usual override

enum io_apic_register {
    IO_APIC_VERSION = 0x01,
    IO_APIC_TIMER_LOW = 0x10 + 2 * TIMER_PIN,
    IO_APIC_TIMER_HIGH = 0x11 + 2 * TIMER_PIN,
};

#define VERSION_MASK GENMASK(7, 0)
#define DELIVERY_NMI FIELD_PREP(GENMASK(10, 8), 4)
#define REDIRECTION_MASKED BIT(16)
#define REDIRECTION_DESTINATION GENMASK(31, 24)
#define CPUID_1_EBX_APIC_ID GENMASK(31, 24)

static volatile uint32_t *io_apic(uint32_t offset)
{
    return phys_to_direct((phys_addr_t){IO_APIC_PHYS + offset});
}

// Who was interrupted may have selected a register, and not reached it yet.
static void io_apic_write(enum io_apic_register index, uint32_t value)
{
    uint32_t selected = *io_apic(0x00);
    *io_apic(0x00) = index;
    *io_apic(0x10) = value;
    *io_apic(0x00) = selected;
}

static uint32_t io_apic_read(enum io_apic_register index)
{
    uint32_t selected = *io_apic(0x00);
    *io_apic(0x00) = index;
    uint32_t value = *io_apic(0x10);
    *io_apic(0x00) = selected;
    return value;
}

// The pin's entry as the I/O APIC's owner has left it, as long as it is ours.
static struct {
    bool is_ours;
    uint32_t low;
    uint32_t high;
} pin;

bool nmi_timer_exists(void)
{
    uint64_t version = FIELD_GET(VERSION_MASK, io_apic_read(IO_APIC_VERSION));
    return version >= 0x10 && version < 0x30;
}

void nmi_timer_start(uint32_t ms)
{
    if (!pin.is_ours) {
        pin.low = io_apic_read(IO_APIC_TIMER_LOW);
        pin.high = io_apic_read(IO_APIC_TIMER_HIGH);
        pin.is_ours = true;
    }
    pit_start_once(PIT_HZ / 1000 * ms);
    uint64_t apic_id = FIELD_GET(CPUID_1_EBX_APIC_ID, cpuid(1, 0).ebx);
    io_apic_write(IO_APIC_TIMER_HIGH, (uint32_t)FIELD_PREP(REDIRECTION_DESTINATION, apic_id));
    io_apic_write(IO_APIC_TIMER_LOW, (uint32_t)DELIVERY_NMI);
}

// Masked first: an NMI in between may set it once more. It stays masked: while the entry was ours,
// whoever had opened the line may have given it back.
void nmi_timer_stop(void)
{
    if (pin.is_ours) {
        io_apic_write(IO_APIC_TIMER_LOW, (uint32_t)(DELIVERY_NMI | REDIRECTION_MASKED));
        io_apic_write(IO_APIC_TIMER_HIGH, pin.high);
        io_apic_write(IO_APIC_TIMER_LOW, pin.low | (uint32_t)REDIRECTION_MASKED);
        pin.is_ours = false;
    }
}

bool nmi_timer_has_expired(void)
{
    return pit_line_is_up();
}
