// SPDX-License-Identifier: MIT
//
// The fixed ACPI description table: how the machine is switched off and reset. Source: ACPI 6.5,
// 5.2.9; the HPET's own table: IA-PC HPET specification 1.0a, 3.2.4.
#pragma once

#include <stdbool.h>

#include "drivers/acpi/table.h"
#include "lib/format.h"

// Where a register of a byte or a word is. Other places that ACPI knows (PCI configuration space,
// embedded controllers) are none for us.
enum acpi_space { ACPI_NOWHERE, ACPI_MEMORY, ACPI_PORT };

struct acpi_register {
    enum acpi_space space;
    uint64_t address; // a valid physical one, or below 0x10000
};

struct acpi_fadt {
    uint64_t dsdt;
    uint16_t sci_line;     // of the interrupts for ACPI's events
    uint16_t smi_command;  // the port that hands the machine over; 0: it is ours already
    uint8_t enable_value;  // what has to be written there
    uint8_t disable_value; // what gives it back
    struct acpi_register pm1a_control; // ports of 16 bits, or nowhere
    struct acpi_register pm1b_control;
    struct acpi_register reset; // of 8 bits
    uint8_t reset_value;
    bool is_reduced; // hardware without the PM1 blocks: it sleeps by sleep_control
    struct acpi_register sleep_control; // of 8 bits
    bool has_8042;                      // true as well if the firmware is too old to tell
    uint8_t century_index;              // in the RTC's memory; 0: it has no century
};

// Takes the 64-bit fields before the older ones. What the table is too short for is not there.
// EINVAL if it is shorter than that of ACPI 1.0.
enum error acpi_fadt_parse(const struct acpi_table *table, struct acpi_fadt *fadt_out);

// Where the registers of the HPET are. EINVAL if the table is too short, or names no memory.
enum error acpi_hpet_parse(const struct acpi_table *table, phys_addr_t *address_out);

void acpi_fadt_dump(const struct acpi_fadt *fadt, const struct writer *writer);
