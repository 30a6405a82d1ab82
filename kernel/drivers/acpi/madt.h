// SPDX-License-Identifier: MIT
//
// The multiple APIC description table: who the CPUs are, and how interrupts reach them. Source:
// ACPI 6.5, 5.2.12.
#pragma once

#include <stdbool.h>

#include "drivers/acpi/table.h"
#include "lib/format.h"

#define ACPI_CPUS_MAX 256
#define ACPI_IO_APICS_MAX 16
#define ACPI_NMIS_MAX 32
#define ACPI_ISA_LINES 16
#define ACPI_EVERY_CPU 0xffffffff

enum acpi_polarity { ACPI_ACTIVE_HIGH, ACPI_ACTIVE_LOW };
enum acpi_trigger { ACPI_EDGE, ACPI_LEVEL };

struct acpi_cpu {
    uint32_t uid; // the firmware's number of it
    uint32_t apic_id;
};

struct acpi_io_apic {
    uint8_t id;
    phys_addr_t address;
    uint32_t first_interrupt; // the global one that its pin 0 is
};

// Where a line of the ISA bus, as the PIC knows it, arrives.
struct acpi_isa_line {
    uint32_t interrupt; // the global one
    enum acpi_polarity polarity;
    enum acpi_trigger trigger;
};

struct acpi_nmi {
    uint32_t cpu_uid; // or ACPI_EVERY_CPU
    uint8_t pin;      // of its local APIC: LINT0 or LINT1
    enum acpi_polarity polarity;
};

struct acpi_madt {
    phys_addr_t local_apic; // its registers, the same for every CPU
    bool has_pics;          // a pair of 8259 too, which has to be masked
    struct acpi_cpu cpus[ACPI_CPUS_MAX];
    size_t cpu_count; // those that can be used now
    struct acpi_io_apic io_apics[ACPI_IO_APICS_MAX];
    size_t io_apic_count;
    struct acpi_isa_line isa_lines[ACPI_ISA_LINES];
    struct acpi_nmi nmis[ACPI_NMIS_MAX];
    size_t nmi_count;
    size_t left_out; // entries that there was no room for
};

// EINVAL, and *madt_out is worth nothing, if the table is too short or an entry of a known type is
// malformed. Unknown types are passed over, and so are overrides of lines that ISA does not have.
enum error acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *madt_out);

void acpi_madt_dump(const struct acpi_madt *madt, const struct writer *writer);
