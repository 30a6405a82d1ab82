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

// The first are the numbers of ACPI's address ranges (ACPI 6.5, 15.2), which both protocols use.
enum memory_type {
    MEMORY_USABLE = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI_RECLAIMABLE = 3,
    MEMORY_ACPI_NVS = 4,
    MEMORY_BAD = 5,
    // Ours: a loader that says these numbers means something else, and it counts as reserved.
    MEMORY_BOOT_INFO = 0x100, // what the loader left for us: its information, modules
    MEMORY_KERNEL,            // the image, and what was taken before there were frames
};

struct memory_region {
    struct phys_range range;
    enum memory_type type; // what is none of the above counts as reserved
};

// Where the bits of a colour lie in a pixel.
struct boot_colour_field {
    uint8_t position; // of the lowest bit
    uint8_t bit_count;
};

// A screen of pixels, row by row, each a little-endian number.
struct boot_framebuffer {
    phys_addr_t address;
    uint32_t pitch_bytes; // from a row to the next
    uint32_t width;       // pixels; 0: there is no framebuffer
    uint32_t height;
    uint8_t bits_per_pixel;
    struct boot_colour_field red;
    struct boot_colour_field green;
    struct boot_colour_field blue;
};

#define BOOT_REGIONS_MAX 128
#define BOOT_COMMAND_LINE_MAX 8192 // bytes, with the terminating 0: thousands of tests' names
#define BOOT_LOADER_NAME_MAX 64
#define BOOT_ACPI_POINTER_MAX 36 // bytes: ACPI 6.5, 5.2.5.3

struct boot_info {
    enum boot_protocol protocol;
    char loader_name[BOOT_LOADER_NAME_MAX];
    char command_line[BOOT_COMMAND_LINE_MAX];       // "" if there was none
    struct memory_region regions[BOOT_REGIONS_MAX]; // the loader's, and what has to be kept out of
    size_t region_count;                            // them: neither sorted nor free of overlaps
    struct boot_framebuffer framebuffer;            // not checked but for its place in memory
    uint8_t acpi_pointer[BOOT_ACPI_POINTER_MAX];    // a copy of ACPI's root pointer, unchecked
    size_t acpi_pointer_bytes;                      // 0: the loader told of none
};

// Reads physical memory for the parsers: NULL if [address, address + size_bytes) can't be read.
typedef const void *boot_reader_t(uint64_t address, uint64_t size_bytes);

// Parses what the loader left at `address`. EINVAL: malformed; ENOENT: without usable memory;
// ENOSPC: more regions than BOOT_REGIONS_MAX; ENOTSUP: unknown protocol.
enum error boot_info_read(struct boot_info *info_out, uint32_t protocol, phys_addr_t address);

// Adds a region of the loader's memory map, for the parsers. Empty ones are dropped; EINVAL if it
// leaves the physical address space; ENOSPC if full.
enum error boot_info_add_region(struct boot_info *info, uint64_t start, uint64_t size_bytes,
                                uint32_t type);

// Adds a region that something of `type` lies in, whatever the loader's map says of it. Errors as
// boot_info_add_region.
enum error boot_info_reserve(struct boot_info *info, uint64_t start, uint64_t size_bytes,
                             enum memory_type type);

// Copies ACPI's root pointer, or as much of it as there is room for. If there are several, the
// longest counts: that is the latest version.
void boot_info_set_acpi_pointer(struct boot_info *info, const void *bytes, size_t size_bytes);

// Copies a string that may lack its end, for the parsers. What is too long is cut off.
void boot_info_copy_string(char *to, size_t to_bytes, const char *from, size_t from_bytes);

// The first address behind the last usable region.
phys_addr_t boot_info_usable_end(const struct boot_info *info);

const char *memory_type_name(enum memory_type type);
