// SPDX-License-Identifier: MIT
//
// The parsers on the machine's own memory.
#include "drivers/acpi/acpi.h"

#include "arch/x86_64/layout.h"
#include "debug/log.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/frame.h"

// Written by acpi_init, and only read behind it.
static struct {
    struct acpi_root root;
    struct acpi_madt madt;
    struct acpi_fadt fadt;
    phys_addr_t hpet;
    struct acpi_sleep_type soft_off;
    bool has_root, has_madt, has_fadt, has_hpet, has_soft_off;
} found;

static const void *read_firmware(uint64_t address, uint64_t size_bytes)
{
    bool is_readable =
        acpi_is_firmware_memory(frame_memory_map(), direct_map_end(), address, size_bytes);
    return is_readable ? phys_to_direct((phys_addr_t){address}) : NULL;
}

// Who says where it is, in words; NULL if nobody does.
static const char *find_root(const struct boot_info *boot)
{
    if (acpi_root_read(read_firmware, boot->acpi_pointer, boot->acpi_pointer_bytes, &found.root) ==
        OK) {
        return "the loader";
    }
    if (boot->acpi_pointer_bytes != 0) {
        log_warn("acpi", "the loader's root pointer leads to no sound table");
    }
    return acpi_root_scan(read_firmware, &found.root) == OK ? "a scan" : NULL;
}

static bool find_table(const char *signature, struct acpi_table *table_out)
{
    size_t cursor = 0;
    return acpi_table_find(&found.root, signature, &cursor, table_out) == OK;
}

// `error` is the parser's.
static bool is_sound(enum error error, const char *signature)
{
    if (error != OK) {
        log_warn("acpi", "the table %s is malformed", signature);
    }
    return error == OK;
}

static void read_tables(void)
{
    struct acpi_table table;
    if (find_table("APIC", &table)) {
        found.has_madt = is_sound(acpi_madt_parse(&table, &found.madt), "APIC");
    }
    if (find_table("HPET", &table)) {
        found.has_hpet = is_sound(acpi_hpet_parse(&table, &found.hpet), "HPET");
    }
    if (find_table("FACP", &table)) {
        found.has_fadt = is_sound(acpi_fadt_parse(&table, &found.fadt), "FACP");
    }
    found.has_soft_off = found.has_fadt &&
                         acpi_soft_off_find(&found.root, found.fadt.dsdt, &found.soft_off) == OK;
}

void acpi_init(const struct boot_info *boot)
{
    memset(&found, 0, sizeof(found));
    const char *guide = find_root(boot);
    found.has_root = guide != NULL;
    if (!found.has_root) {
        log_info("acpi", "this machine has no tables");
        return;
    }
    read_tables();
    log_info("acpi", "%zu tables by %s, %zu CPUs, %zu I/O APICs, %s, %s", found.root.entry_count,
             guide, found.has_madt ? found.madt.cpu_count : 0,
             found.has_madt ? found.madt.io_apic_count : 0, found.has_hpet ? "HPET" : "no HPET",
             found.has_soft_off ? "soft off" : "no soft off");
}

const struct acpi_madt *acpi_madt(void)
{
    return found.has_madt ? &found.madt : NULL;
}

const struct acpi_fadt *acpi_fadt(void)
{
    return found.has_fadt ? &found.fadt : NULL;
}

const phys_addr_t *acpi_hpet(void)
{
    return found.has_hpet ? &found.hpet : NULL;
}

const struct acpi_sleep_type *acpi_soft_off(void)
{
    return found.has_soft_off ? &found.soft_off : NULL;
}

void acpi_dump(void)
{
    if (!found.has_root) {
        println("this machine has no ACPI tables");
        return;
    }
    println("%cSDT at %#lx with %zu tables", found.root.entry_bytes == 8 ? 'X' : 'R',
            found.root.address, found.root.entry_count);
    if (found.has_madt) {
        acpi_madt_dump(&found.madt, &log_text_writer);
    }
    if (found.has_hpet) {
        println("HPET at %#lx", found.hpet.value);
    }
    if (found.has_fadt) {
        acpi_fadt_dump(&found.fadt, &log_text_writer);
    }
    if (found.has_soft_off) {
        println("soft off is sleep type %u for PM1a, %u for PM1b", found.soft_off.a,
                found.soft_off.b);
    }
}
