// SPDX-License-Identifier: MIT
//
// What can be tried without an end of the machine. That is in test_power.py.
#include "drivers/power.h"

#include "arch/x86_64/port.h"
#include "drivers/acpi/acpi.h"
#include "ktest.h"

#define PM1_SCI_ENABLED 1

static uint16_t pm1a_control(void)
{
    return port_read16((uint16_t)acpi_fadt()->pm1a_control.address);
}

KTEST_ATTR(power, firmware_hands_the_machine_over, .needs = KTEST_NEEDS_ACPI);
KTEST(power, firmware_hands_the_machine_over)
{
    KTEST_ASSERT_NOT_NULL(test, acpi_fadt());
    if (acpi_fadt()->is_reduced) {
        KTEST_EXPECT_EQ(test, power_take_over(), ENODEV);
        return;
    }
    port_write8(acpi_fadt()->smi_command, acpi_fadt()->disable_value);
    KTEST_EXPECT_EQ(test, pm1a_control() & PM1_SCI_ENABLED, 0);
    KTEST_EXPECT_EQ(test, power_take_over(), OK);
    KTEST_EXPECT_EQ(test, pm1a_control() & PM1_SCI_ENABLED, 1);
    KTEST_EXPECT_EQ(test, power_take_over(), OK);
}
