// SPDX-License-Identifier: MIT
//
// The machine has what the harness says that it has: each test needs one thing, and looks for it.
#include "boot/machine_boot_info.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "boot/arguments.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "lib/test_random.h"

#define CPUID_APIC BIT(9) // leaf 1, EDX: Intel SDM vol. 2, CPUID

// ACPI 6.5, 5.2.5.1: on BIOS machines the pointer lies here, on a multiple of 16.
#define RSDP_AREA_START 0xe0000
#define RSDP_AREA_END 0x100000
#define RSDP_STEP 16
#define RSDP_BYTES 20 // that its checksum is over

const struct boot_info *machine_boot_info;

unsigned test_scale(void)
{
    const char *text = argument("test.scale");
    unsigned scale = 0;
    for (const char *c = text != NULL ? text : "1"; *c != 0; c++) {
        bool is_digit = *c >= '0' && *c <= '9' && scale < 1000;
        scale = is_digit ? scale * 10 + (unsigned)(*c - '0') : 10000;
    }
    if (scale == 0 || scale >= 10000) {
        panic("test.scale=%s: it has to be a number from 1 to 9999", text);
    }
    return scale;
}

KTEST_ATTR(machine, grub_has_started_the_kernel, .needs = KTEST_NEEDS_LOADER);
KTEST(machine, grub_has_started_the_kernel)
{
    KTEST_EXPECT_EQ(test, machine_boot_info->protocol, BOOT_MULTIBOOT2);
    KTEST_EXPECT_EQ(test, strncmp(machine_boot_info->loader_name, "GRUB 2", 6), 0);
    KTEST_EXPECT_GT(test, machine_boot_info->region_count, 2);
}

static bool is_rsdp(const uint8_t *bytes)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < RSDP_BYTES; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0 && memcmp(bytes, "RSD PTR ", 8) == 0;
}

KTEST_ATTR(machine, acpi_tables_have_a_root, .needs = KTEST_NEEDS_ACPI);
KTEST(machine, acpi_tables_have_a_root)
{
    bool is_found = false;
    for (uint64_t at = RSDP_AREA_START; at < RSDP_AREA_END && !is_found; at += RSDP_STEP) {
        is_found = is_rsdp((const uint8_t *)(DIRECT_MAP_VMA + at));
    }
    KTEST_EXPECT_TRUE(test, is_found || machine_boot_info->acpi_pointer_bytes != 0); // UEFI's
}

KTEST_ATTR(machine, cpu_has_an_apic, .needs = KTEST_NEEDS_APIC);
KTEST(machine, cpu_has_an_apic)
{
    KTEST_EXPECT_NE(test, cpuid(1, 0).edx & CPUID_APIC, 0);
}
