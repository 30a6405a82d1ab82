// SPDX-License-Identifier: MIT
//
// Local APIC and I/O APICs as one interrupt controller, for the lines of ISA and the CPU's timer.
#pragma once

#include "drivers/acpi/madt.h"
#include "irq/irq.h"

// Routes all lines to this CPU, masked, and shuts the 8259s out. Once, after local_apic_init has
// succeeded. ENODEV if there is no I/O APIC, or none for the timer's or the keyboard's line: then
// the 8259s are as they were. Others as mmio_map.
enum error apic_init(const struct acpi_madt *madt);

extern const struct irq_chip apic_chip;
