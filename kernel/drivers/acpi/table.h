// SPDX-License-Identifier: MIT
//
// ACPI's tables, from the firmware's root pointer on. Source: ACPI 6.5, 5.2.5 to 5.2.8.
//
// Nothing is believed: lengths are bounded, checksums have to be right, and memory is read by the
// caller's reader only, which refuses what it does not vouch for. So any bytes at all end in an
// error or in tables that lie where they may. All of it is pure but for the reader.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/boot_info.h"
#include "lib/error.h"
#include "mm/memory_map.h"

#define ACPI_HEADER_BYTES 36
#define ACPI_SIGNATURE_BYTES 4
#define ACPI_TABLE_BYTES_MAX (4 << 20) // of one table; the largest seen have less than 1 MiB
#define ACPI_TABLES_MAX 256            // what a root has beyond these is not looked at

// The table of tables: the XSDT, or the RSDT of ACPI 1.0.
struct acpi_root {
    boot_reader_t *read;
    uint64_t address;
    unsigned entry_bytes; // 8 in an XSDT, 4 in an RSDT
    size_t entry_count;   // at most ACPI_TABLES_MAX
};

// A whole table with its header. Its checksum is right, and nothing else is known of it.
struct acpi_table {
    const uint8_t *bytes;
    uint32_t size_bytes; // at least ACPI_HEADER_BYTES
};

// The root that a root pointer (RSDP) leads to: the XSDT if the pointer has a sound one, else the
// RSDT. EINVAL if the pointer is not sound, or neither of them is.
enum error acpi_root_read(boot_reader_t *read, const uint8_t *pointer, size_t pointer_bytes,
                          struct acpi_root *root_out);

// Looks for a root pointer where firmware without UEFI puts it (ACPI 6.5, 5.2.5.1): in the first
// KiB of the extended BIOS data area, then from 0xe0000 to 0xfffff. ENOENT if none leads to a root.
enum error acpi_root_scan(boot_reader_t *read, struct acpi_root *root_out);

// EINVAL if there is no sound table of that signature at `address`.
enum error acpi_table_read(boot_reader_t *read, uint64_t address, const char *signature,
                           struct acpi_table *table_out);

// The next sound table of that signature, from the root's entry *cursor on, which it leaves behind
// what was found: the first one with 0. ENOENT if there is none.
enum error acpi_table_find(const struct acpi_root *root, const char *signature, size_t *cursor,
                           struct acpi_table *table_out);

// Whether all of these bytes lie below `end` and in memory that firmware can have put tables into:
// reserved or ACPI's own by the map. What is usable, ours or in no area is none.
//
// Reserved areas can hold registers of devices, too. The firmware's word is all there is to tell
// the two apart: SeaBIOS calls its tables no more than reserved.
bool acpi_is_firmware_memory(const struct memory_map *map, phys_addr_t end, uint64_t address,
                             uint64_t size_bytes);
