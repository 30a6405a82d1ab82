// SPDX-License-Identifier: MIT
//
// What the loader said, in one form whoever it was. The parsers (multiboot2, pvh) fill it from
// bytes that they don't trust; everything is copied, so the loader's memory can be used again.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/error.h"

// boot/layout.inc has the same numbers.
enum boot_protocol {
    BOOT_MULTIBOOT2 = 1,
    BOOT_PVH = 2,
};

// The numbers of ACPI's address ranges (ACPI 6.5, 15.2), which both protocols use.
enum memory_type {
    MEMORY_USABLE = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI_RECLAIMABLE = 3,
    MEMORY_ACPI_NVS = 4,
    MEMORY_BAD = 5,
};

struct memory_region {
    struct phys_range range;
    enum memory_type type; // what is none of the above counts as reserved
};

#define BOOT_REGIONS_MAX 128
#define BOOT_COMMAND_LINE_MAX 2048 // bytes, with the terminating 0
#define BOOT_LOADER_NAME_MAX 64

struct boot_info {
    enum boot_protocol protocol;
    char loader_name[BOOT_LOADER_NAME_MAX];
    char command_line[BOOT_COMMAND_LINE_MAX];       // "" if there was none
    struct memory_region regions[BOOT_REGIONS_MAX]; // as the loader gave them: neither sorted
    size_t region_count;                            // nor free of overlaps
};

// Reads physical memory for the parsers: NULL if [address, address + size_bytes) can't be read.
typedef const void *boot_reader_t(uint64_t address, uint64_t size_bytes);

// Parses what the loader left at `address`. EINVAL: malformed; ENOENT: without a memory map;
// ENOSPC: more regions than BOOT_REGIONS_MAX; ENOTSUP: unknown protocol.
enum error boot_info_read(struct boot_info *info_out, uint32_t protocol, phys_addr_t address);

// Adds a region, for the parsers. Empty ones are dropped; EINVAL if it wraps; ENOSPC if full.
enum error boot_info_add_region(struct boot_info *info, uint64_t start, uint64_t size_bytes,
                                uint32_t type);

// Copies a string that may lack its end, for the parsers. What is too long is cut off.
void boot_info_copy_string(char *to, size_t to_bytes, const char *from, size_t from_bytes);

// Takes `size_bytes` (whole pages) out of a usable region below `limit`, above the kernel image:
// memory for what must exist before the frame allocator. ENOMEM if there is no such region.
enum error boot_info_take_memory(struct boot_info *info, uint64_t size_bytes, phys_addr_t limit,
                                 phys_addr_t *address_out);

// The first address behind the last usable region.
phys_addr_t boot_info_usable_end(const struct boot_info *info);

const char *memory_type_name(enum memory_type type);
