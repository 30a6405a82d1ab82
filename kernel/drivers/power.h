// SPDX-License-Identifier: MIT
//
// The end of the machine. Source: ACPI 6.5, 4.8.3.2 (PM1 control), 4.8.3.6 (reset), 4.8.3.7 (sleep
// control), 7.4.2 and 16.1.1 (how to go to sleep).
//
// The firmware's methods \_PTS and \_GTS are not run before, for there is no AML interpreter.
#pragma once

#include "lib/error.h"

// Maps what lies in memory of the registers below. Once, behind acpi_init.
void power_init(void);

// Makes the firmware hand the machine's power management over, if it has not yet: without that,
// power_off's registers need not work. ENODEV if ACPI names no such registers; ETIMEDOUT if the
// firmware does not do it.
enum error power_take_over(void);

// Switches the machine off by ACPI's state S5. There is no other way to do so on a PC: without
// ACPI, and where it fails, this says so and halts. Neither in interrupt handlers nor with the
// log's lock held.
[[gnu::noreturn]] void power_off(void);

// Resets the machine: by ACPI's reset register, or else by the keyboard controller's reset line, or
// else by a triple fault. Where from as power_off.
[[gnu::noreturn]] void reboot(void);
