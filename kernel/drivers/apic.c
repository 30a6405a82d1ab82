// SPDX-License-Identifier: MIT
#include "drivers/apic.h"

#include "drivers/io_apic.h"
#include "drivers/local_apic.h"

static struct io_apic io_apics[ACPI_IO_APICS_MAX];
static size_t io_apic_count;

// Where the lines of ISA arrive; NULL: nowhere.
static struct {
    const struct io_apic *io_apic;
    uint32_t gsi;
} places[IRQ_ISA_COUNT];

static const struct io_apic *find_io_apic(uint32_t gsi)
{
    for (size_t i = 0; i < io_apic_count; i++) {
        if (gsi - io_apics[i].first_gsi < io_apics[i].pin_count) {
            return &io_apics[i];
        }
    }
    return NULL;
}

// Whether the firmware has given this pin to another line: the 8259s' cascade has none of its own.
static bool is_anothers(const struct acpi_madt *madt, unsigned line)
{
    for (unsigned other = 0; other < IRQ_ISA_COUNT; other++) {
        if (other != line && madt->isa_lines[line].interrupt == line &&
            madt->isa_lines[other].interrupt == line) {
            return true;
        }
    }
    return false;
}

static void route_lines(const struct acpi_madt *madt)
{
    for (unsigned line = 0; line < IRQ_ISA_COUNT; line++) {
        const struct acpi_isa_line *isa = &madt->isa_lines[line];
        uint32_t gsi = isa->interrupt;
        places[line].gsi = gsi;
        places[line].io_apic = is_anothers(madt, line) ? NULL : find_io_apic(gsi);
        if (places[line].io_apic != NULL) {
            const struct io_apic_route route = {
                .vector = (uint8_t)(IRQ_FIRST_VECTOR + line),
                .apic_id = (uint8_t)local_apic_id(),
                .is_level = isa->trigger == ACPI_LEVEL,
                .is_low = isa->polarity == ACPI_ACTIVE_LOW,
            };
            io_apic_route(places[line].io_apic, gsi, route);
        }
    }
}

enum error apic_init(const struct acpi_madt *madt)
{
    enum error error = OK;
    for (size_t i = 0; error == OK && i < madt->io_apic_count; i++) {
        const struct acpi_io_apic *found = &madt->io_apics[i];
        error = io_apic_init(&io_apics[i], found->address, found->first_interrupt);
        io_apic_count += error == OK;
    }
    if (error != OK) {
        return error;
    }
    route_lines(madt);
    if (places[IRQ_TIMER].io_apic == NULL || places[IRQ_KEYBOARD].io_apic == NULL) {
        return ENODEV;
    }
    local_apic_shut_pic_out();
    return OK;
}

static bool has_line(unsigned line)
{
    return line == IRQ_LOCAL_TIMER || (line < IRQ_ISA_COUNT && places[line].io_apic != NULL);
}

static void mask(unsigned line)
{
    if (line == IRQ_LOCAL_TIMER) {
        local_apic_timer_mask();
    } else {
        io_apic_mask(places[line].io_apic, places[line].gsi);
    }
}

static void unmask(unsigned line)
{
    if (line == IRQ_LOCAL_TIMER) {
        local_apic_timer_unmask(IRQ_FIRST_VECTOR + IRQ_LOCAL_TIMER);
    } else {
        io_apic_unmask(places[line].io_apic, places[line].gsi);
    }
}

// False alarms have a vector of their own.
static bool is_spurious(unsigned line)
{
    (void)line;
    return false;
}

static void end(unsigned line)
{
    (void)line;
    local_apic_end();
}

const struct irq_chip apic_chip = {
    .name = "APIC",
    .has_line = has_line,
    .mask = mask,
    .unmask = unmask,
    .is_spurious = is_spurious,
    .end = end,
};
