// SPDX-License-Identifier: MIT
//
// The ends of a machine, and what its firmware says of it: test_power.py looks at both from
// outside.
#include "drivers/power.h"

#include "drivers/acpi/acpi.h"
#include "ktest.h"

KTEST(power, off)
{
    (void)test;
    power_off();
}

KTEST(power, reboot)
{
    (void)test;
    reboot();
}

KTEST(firmware, dump)
{
    acpi_dump();
    KTEST_EXPECT_TRUE(test, true);
}
