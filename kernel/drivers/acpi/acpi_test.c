// SPDX-License-Identifier: MIT
//
// What the machine's own firmware says, against what the CPU says. From outside: test_power.py.
#include "drivers/acpi/acpi.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/msr.h"
#include "boot/machine_boot_info.h"
#include "drivers/acpi/test_tables.h"
#include "ktest.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/frame.h"

#define APIC_ADDRESS GENMASK(35, 12)
#define CPUID_1_EBX_APIC_ID GENMASK(31, 24)

// Tests read the tables in other ways.
static void read_again(struct ktest *test)
{
    (void)test;
    acpi_init(machine_boot_info);
}

KTEST_SUITE(acpi, .exit = read_again);

// Only a BIOS leaves its pointer where a scan looks; UEFI has told the loader.
static bool can_be_scanned(void)
{
    for (uint64_t at = 0xe0000; at < 0x100000; at += 16) {
        if (memcmp(phys_to_direct((phys_addr_t){at}), "RSD PTR ", 8) == 0) {
            return true;
        }
    }
    return false;
}

KTEST_ATTR(acpi, local_apic_is_where_the_cpu_has_it, .needs = KTEST_NEEDS_ACPI | KTEST_NEEDS_APIC);
KTEST(acpi, local_apic_is_where_the_cpu_has_it)
{
    KTEST_ASSERT_NOT_NULL(test, acpi_madt());
    KTEST_EXPECT_EQ(test, acpi_madt()->local_apic.value, msr_read(MSR_APIC_BASE) & APIC_ADDRESS);
}

KTEST_ATTR(acpi, this_cpu_is_among_them, .needs = KTEST_NEEDS_ACPI | KTEST_NEEDS_APIC);
KTEST(acpi, this_cpu_is_among_them)
{
    uint64_t apic_id = FIELD_GET(CPUID_1_EBX_APIC_ID, cpuid(1, 0).ebx);
    unsigned found = 0;
    KTEST_ASSERT_NOT_NULL(test, acpi_madt());
    for (size_t i = 0; i < acpi_madt()->cpu_count; i++) {
        found += acpi_madt()->cpus[i].apic_id == apic_id;
    }
    KTEST_EXPECT_EQ(test, found, 1);
}

KTEST_ATTR(acpi, first_io_apic_begins_with_interrupt_0,
           .needs = KTEST_NEEDS_ACPI | KTEST_NEEDS_APIC);
KTEST(acpi, first_io_apic_begins_with_interrupt_0)
{
    KTEST_ASSERT_NOT_NULL(test, acpi_madt());
    KTEST_ASSERT_GT(test, acpi_madt()->io_apic_count, 0);
    KTEST_EXPECT_EQ(test, acpi_madt()->io_apics[0].first_interrupt, 0);
}

KTEST_ATTR(acpi, machine_can_be_switched_off, .needs = KTEST_NEEDS_ACPI);
KTEST(acpi, machine_can_be_switched_off)
{
    KTEST_EXPECT_NOT_NULL(test, acpi_fadt());
    KTEST_EXPECT_NOT_NULL(test, acpi_soft_off());
}

// Without a root pointer from the loader, and with a broken one.
KTEST_ATTR(acpi, scan_finds_what_the_loader_told_of, .needs = KTEST_NEEDS_ACPI | KTEST_NEEDS_APIC);
KTEST(acpi, scan_finds_what_the_loader_told_of)
{
    static struct boot_info boot;
    static struct acpi_madt madt;
    KTEST_ASSERT_TRUE(test, acpi_madt() != NULL && acpi_fadt() != NULL);
    madt = *acpi_madt();
    struct acpi_fadt fadt = *acpi_fadt();
    for (boot.acpi_pointer_bytes = 0; boot.acpi_pointer_bytes <= BOOT_ACPI_POINTER_MAX;
         boot.acpi_pointer_bytes += BOOT_ACPI_POINTER_MAX) {
        acpi_init(&boot);
        KTEST_ASSERT_EQ(test, acpi_madt() != NULL && acpi_fadt() != NULL, can_be_scanned());
        if (!can_be_scanned()) {
            continue;
        }
        KTEST_EXPECT_EQ(test, acpi_madt()->io_apic_count, madt.io_apic_count);
        KTEST_EXPECT_EQ(test, acpi_madt()->io_apics[0].address.value,
                        madt.io_apics[0].address.value);
        KTEST_EXPECT_EQ(test, acpi_fadt()->dsdt, fadt.dsdt);
        KTEST_EXPECT_NOT_NULL(test, acpi_soft_off());
    }
}

// A whole RSDT, and a pointer to it; but it lies where no firmware can have put it.
KTEST_ATTR(acpi, tables_in_usable_memory_are_not_read,
           .needs = KTEST_NEEDS_ACPI | KTEST_NEEDS_APIC);
KTEST(acpi, tables_in_usable_memory_are_not_read)
{
    static struct boot_info boot;
    static struct test_table table;
    phys_addr_t frame;
    KTEST_ASSERT_EQ(test, frame_alloc_run(0, FRAME_ZONE_4_GIB, &frame), OK);
    test_table_begin(&table, "RSDT");
    test_table_seal(&table);
    memcpy(phys_to_direct(frame), table.bytes, table.size_bytes);
    memcpy(boot.acpi_pointer, "RSD PTR ", 8);
    memcpy(boot.acpi_pointer + 16, &(uint32_t){(uint32_t)frame.value}, sizeof(uint32_t));
    boot.acpi_pointer[8] = 0;
    boot.acpi_pointer[8] = test_checksum(boot.acpi_pointer, 20);
    boot.acpi_pointer_bytes = 20;
    acpi_init(&boot);
    frame_free_run(frame, 0);
    KTEST_EXPECT_EQ(test, acpi_madt() != NULL, can_be_scanned()); // by a scan
}

// The memory that the tables would be taken from, were they anywhere.
KTEST(acpi, kernel_and_usable_memory_hold_no_tables)
{
    const struct memory_map *map = frame_memory_map();
    phys_addr_t frame;
    KTEST_EXPECT_FALSE(
        test, acpi_is_firmware_memory(map, direct_map_end(), (uint64_t)boot_start_phys, 1));
    KTEST_ASSERT_EQ(test, frame_alloc(&frame), OK);
    KTEST_EXPECT_FALSE(test, acpi_is_firmware_memory(map, direct_map_end(), frame.value, 1));
    frame_free(frame);
    KTEST_EXPECT_TRUE(test, acpi_is_firmware_memory(map, direct_map_end(), 0xe0000, 0x20000));
}
