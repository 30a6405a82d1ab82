// SPDX-License-Identifier: MIT
//
// Two registers in memory: one selects, the other holds what was selected. Callers have interrupts
// off.
#include "drivers/io_apic.h"

#include "lib/assert.h"
#include "lib/bits.h"
#include "mm/mmio.h"

#define SELECT (0x00 / sizeof(uint32_t))
#define WINDOW (0x10 / sizeof(uint32_t))
#define REGISTERS_BYTES 0x20

#define VERSION 0x01
#define VERSION_NUMBER GENMASK(7, 0)
#define VERSION_LAST_PIN GENMASK(23, 16)
#define ENTRIES 0x10 // two words each

#define ENTRY_LOW_ACTIVE BIT(13)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)
#define ENTRY_HIGH_DESTINATION GENMASK(31, 24)

static uint32_t read(const struct io_apic *io_apic, uint32_t index)
{
    io_apic->registers[SELECT] = index;
    return io_apic->registers[WINDOW];
}

static void write(const struct io_apic *io_apic, uint32_t index, uint64_t value)
{
    io_apic->registers[SELECT] = index;
    io_apic->registers[WINDOW] = (uint32_t)value;
}

static uint32_t entry_of(const struct io_apic *io_apic, uint32_t gsi)
{
    uint32_t pin = gsi - io_apic->first_gsi;
    assert(pin < io_apic->pin_count);
    return ENTRIES + 2 * pin;
}

enum error io_apic_init(struct io_apic *io_apic_out, phys_addr_t address, uint32_t first_gsi)
{
    volatile void *mapped;
    enum error error = mmio_map(address, REGISTERS_BYTES, &mapped);
    if (error != OK) {
        return error;
    }
    *io_apic_out = (struct io_apic){.registers = mapped, .first_gsi = first_gsi};
    uint32_t version = read(io_apic_out, VERSION);
    if (FIELD_GET(VERSION_NUMBER, version) == 0 ||
        FIELD_GET(VERSION_NUMBER, version) == VERSION_NUMBER) {
        mmio_unmap(mapped, REGISTERS_BYTES);
        return ENODEV;
    }
    io_apic_out->pin_count = (uint32_t)FIELD_GET(VERSION_LAST_PIN, version) + 1;
    for (uint32_t pin = 0; pin < io_apic_out->pin_count; pin++) {
        io_apic_mask(io_apic_out, first_gsi + pin);
    }
    return OK;
}

void io_apic_route(const struct io_apic *io_apic, uint32_t gsi, struct io_apic_route route)
{
    uint32_t entry = entry_of(io_apic, gsi);
    write(io_apic, entry, ENTRY_MASKED); // as long as it is half-written
    write(io_apic, entry + 1, FIELD_PREP(ENTRY_HIGH_DESTINATION, route.apic_id));
    write(io_apic, entry,
          route.vector | ENTRY_MASKED | (route.is_level ? ENTRY_LEVEL : 0) |
              (route.is_low ? ENTRY_LOW_ACTIVE : 0));
}

void io_apic_mask(const struct io_apic *io_apic, uint32_t gsi)
{
    uint32_t entry = entry_of(io_apic, gsi);
    write(io_apic, entry, read(io_apic, entry) | ENTRY_MASKED);
}

void io_apic_unmask(const struct io_apic *io_apic, uint32_t gsi)
{
    uint32_t entry = entry_of(io_apic, gsi);
    write(io_apic, entry, read(io_apic, entry) & ~ENTRY_MASKED);
}
