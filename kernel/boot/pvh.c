// SPDX-License-Identifier: MIT
//
// One structure that points at the command line, at the modules and, from its version 1 on, at the
// memory map. Every pointer is checked before it is followed.
#include "boot/pvh.h"

#include "lib/string.h"

#define START_INFO_MAGIC 0x336ec578

struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t command_line; // 0: none
    uint64_t rsdp;
    uint64_t memory_map; // from here on: version 1
    uint32_t memory_map_count;
    uint32_t reserved;
};

struct memory_map_entry {
    uint64_t start;
    uint64_t size_bytes;
    uint32_t type;
    uint32_t reserved;
};

struct module_entry {
    uint64_t start;
    uint64_t size_bytes;
    uint64_t command_line;
    uint64_t reserved;
};

struct acpi_pointer {
    uint8_t bytes[BOOT_ACPI_POINTER_MAX];
};

_Static_assert(sizeof(struct start_info) == 56);
_Static_assert(sizeof(struct module_entry) == 32);
_Static_assert(sizeof(struct memory_map_entry) == 24);

static enum error parse_command_line(struct boot_info *info, boot_reader_t *read, uint64_t address)
{
    size_t length = 0;
    /*@ loop invariant length < BOOT_COMMAND_LINE_MAX && sound_info(info);
        loop assigns length, info->command_line[0 .. BOOT_COMMAND_LINE_MAX - 1];
        loop variant BOOT_COMMAND_LINE_MAX - length;
    */
    while (address != 0 && length < BOOT_COMMAND_LINE_MAX - 1) {
        const char *byte = read(address + length, 1);
        if (byte == NULL) {
            return EINVAL;
        }
        info->command_line[length++] = *byte;
        if (*byte == 0) {
            break;
        }
    }
    return boot_info_reserve(info, address, length, MEMORY_BOOT_INFO);
}

static enum error parse_memory_map(struct boot_info *info, boot_reader_t *read, uint64_t address,
                                   uint32_t count)
{
    uint64_t size_bytes = count * sizeof(struct memory_map_entry);
    const uint8_t *bytes = read(address, size_bytes);
    if (bytes == NULL) {
        return EINVAL;
    }
    /*@ loop invariant i <= count && sound_info(info);
        loop assigns i, info->region_count, info->regions[0 .. BOOT_REGIONS_MAX - 1];
        loop variant count - i;
    */
    for (uint32_t i = 0; i < count; i++) {
        struct memory_map_entry entry;
        memcpy(&entry, bytes + i * sizeof(entry), sizeof(entry));
        enum error error = boot_info_add_region(info, entry.start, entry.size_bytes, entry.type);
        if (error != OK) {
            return error;
        }
    }
    return boot_info_reserve(info, address, size_bytes, MEMORY_BOOT_INFO);
}

static enum error parse_modules(struct boot_info *info, boot_reader_t *read, uint64_t address,
                                uint32_t count)
{
    uint64_t size_bytes = count * sizeof(struct module_entry);
    const uint8_t *bytes = count != 0 ? read(address, size_bytes) : NULL;
    if (bytes == NULL) {
        return count != 0 ? EINVAL : OK;
    }
    /*@ loop invariant i <= count && sound_info(info);
        loop assigns i, info->region_count, info->regions[0 .. BOOT_REGIONS_MAX - 1];
        loop variant count - i;
    */
    for (uint32_t i = 0; i < count; i++) {
        struct module_entry entry;
        memcpy(&entry, bytes + i * sizeof(entry), sizeof(entry));
        enum error error = boot_info_reserve(info, entry.start, entry.size_bytes, MEMORY_BOOT_INFO);
        if (error != OK) {
            return error;
        }
    }
    return boot_info_reserve(info, address, size_bytes, MEMORY_BOOT_INFO);
}

// Without it the tables can still be found by a scan, so one out of reach is no error.
static void parse_acpi_pointer(struct boot_info *info, boot_reader_t *read, uint64_t address)
{
    struct acpi_pointer pointer;
    const void *bytes = address != 0 ? read(address, sizeof(pointer)) : NULL;
    if (bytes != NULL) {
        memcpy(&pointer, bytes, sizeof(pointer));
        boot_info_set_acpi_pointer(info, &pointer, sizeof(pointer));
    }
}

// What `start` points at; the structure itself is read and sound.
static enum error parse_parts(struct boot_info *info, boot_reader_t *read,
                              const struct start_info *start)
{
    enum error error = parse_memory_map(info, read, start->memory_map, start->memory_map_count);
    if (error != OK) {
        return error;
    }
    if (boot_info_usable_end(info).value == 0) {
        return ENOENT;
    }
    error = parse_command_line(info, read, start->command_line);
    if (error != OK) {
        return error;
    }
    parse_acpi_pointer(info, read, start->rsdp);
    return parse_modules(info, read, start->modules, start->module_count);
}

enum error pvh_parse(struct boot_info *info, boot_reader_t *read, uint64_t address)
{
    info->protocol = BOOT_PVH;
    boot_info_copy_string(info->loader_name, sizeof(info->loader_name), "PVH", 3);
    const void *bytes = read(address, sizeof(struct start_info));
    if (bytes == NULL) {
        return EINVAL;
    }
    struct start_info start;
    memcpy(&start, bytes, sizeof(start));
    if (start.magic != START_INFO_MAGIC) {
        return EINVAL;
    }
    if (start.version == 0 || start.memory_map_count == 0) {
        return ENOENT;
    }
    enum error error = parse_parts(info, read, &start);
    if (error != OK) {
        return error;
    }
    return boot_info_reserve(info, address, sizeof(start), MEMORY_BOOT_INFO);
}
