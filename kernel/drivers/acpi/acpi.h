// SPDX-License-Identifier: MIT
//
// What this machine's firmware says of it. Read once, and copied: the tables themselves are not
// looked at again. A machine need not have any of it, and whoever asks has to do without then.
#pragma once

#include "drivers/acpi/fadt.h"
#include "drivers/acpi/madt.h"
#include "drivers/acpi/sleep.h"

// Finds the tables by the loader's root pointer, or else by a scan, and reads them. Behind
// frame_init, while nobody asks; tests call it again. What is broken is logged, and counts as
// missing.
void acpi_init(const struct boot_info *boot);

// NULL if the machine has no sound one. Valid for ever; callable in any context.
const struct acpi_madt *acpi_madt(void);
const struct acpi_fadt *acpi_fadt(void);
const phys_addr_t *acpi_hpet(void);                // its registers
const struct acpi_sleep_type *acpi_soft_off(void); // state S5

// On the console: all that was found.
void acpi_dump(void);
