// SPDX-License-Identifier: MIT
//
// Local APIC and I/O APICs as one interrupt controller, for the lines of ISA and the CPU's timer.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "irq/irq.h"
#include "lib/addr.h"

#define IO_APICS_MAX 8

// What the firmware says of the machine: ACPI's MADT has it.
struct apic_setup {
    struct {
        phys_addr_t address;
        uint32_t first_gsi;
    } io_apics[IO_APICS_MAX];
    size_t io_apic_count;
    struct {
        uint32_t gsi; // the line's own number, unless the firmware says otherwise
        bool is_level;
        bool is_low;
    } lines[IRQ_ISA_COUNT];
};

// All lines where they are without a word of the firmware, and no I/O APIC.
struct apic_setup apic_setup_plain(void);

// Routes all lines to this CPU, masked, and shuts the 8259s out. Once, after local_apic_init has
// succeeded. ENODEV if there is no I/O APIC, or none for the timer's or the keyboard's line: then
// the 8259s are as they were. Others as mmio_map.
enum error apic_init(const struct apic_setup *setup);

extern const struct irq_chip apic_chip;
