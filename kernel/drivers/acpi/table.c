// SPDX-License-Identifier: MIT
//
// A root's entries are read one by one, and never kept: there is nothing to go stale.
#include "drivers/acpi/table.h"

#include "lib/string.h"

#define POINTER_V1_BYTES 20
#define POINTER_V2_BYTES 36
#define POINTER_STEP 16
#define EBDA_SEGMENT 0x40e // where the BIOS says in which segment its data area begins
#define EBDA_SCANNED_BYTES 1024
#define BIOS_START 0xe0000
#define BIOS_END 0x100000

struct [[gnu::packed]] root_pointer {
    char signature[8];
    uint8_t checksum; // of the first 20 bytes
    char oem_id[6];
    uint8_t revision; // 0: ACPI 1.0, without what follows the RSDT
    uint32_t rsdt;
    uint32_t size_bytes;
    uint64_t xsdt;
    uint8_t extended_checksum; // of all of it
    uint8_t reserved[3];
};

struct [[gnu::packed]] header {
    char signature[ACPI_SIGNATURE_BYTES];
    uint32_t size_bytes; // with the header
    uint8_t revision;
    uint8_t checksum;
    char oem[26];
};

_Static_assert(sizeof(struct root_pointer) == POINTER_V2_BYTES);
_Static_assert(offsetof(struct root_pointer, size_bytes) == POINTER_V1_BYTES);
_Static_assert(sizeof(struct header) == ACPI_HEADER_BYTES);

// The bytes of whatever has a checksum sum up to 0.
static bool sums_up(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

enum error acpi_table_read(boot_reader_t *read, uint64_t address, const char *signature,
                           struct acpi_table *table_out)
{
    const void *start = read(address, sizeof(struct header));
    if (start == NULL) {
        return EINVAL;
    }
    struct header header;
    memcpy(&header, start, sizeof(header));
    if (memcmp(header.signature, signature, ACPI_SIGNATURE_BYTES) != 0 ||
        header.size_bytes < sizeof(header) || header.size_bytes > ACPI_TABLE_BYTES_MAX) {
        return EINVAL;
    }
    const uint8_t *bytes = read(address, header.size_bytes);
    if (bytes == NULL || !sums_up(bytes, header.size_bytes)) {
        return EINVAL;
    }
    *table_out = (struct acpi_table){bytes, header.size_bytes};
    return OK;
}

static enum error open_root(boot_reader_t *read, uint64_t address, const char *signature,
                            unsigned entry_bytes, struct acpi_root *root_out)
{
    struct acpi_table table;
    enum error error = acpi_table_read(read, address, signature, &table);
    if (error != OK) {
        return error;
    }
    size_t count = (table.size_bytes - ACPI_HEADER_BYTES) / entry_bytes;
    *root_out = (struct acpi_root){
        .read = read,
        .address = address,
        .entry_bytes = entry_bytes,
        .entry_count = count < ACPI_TABLES_MAX ? count : ACPI_TABLES_MAX,
    };
    return OK;
}

static bool has_sound_xsdt(const struct root_pointer *pointer, size_t pointer_bytes)
{
    return pointer->revision >= 2 && pointer_bytes >= POINTER_V2_BYTES &&
           pointer->size_bytes == POINTER_V2_BYTES &&
           sums_up((const uint8_t *)pointer, POINTER_V2_BYTES);
}

enum error acpi_root_read(boot_reader_t *read, const uint8_t *bytes, size_t pointer_bytes,
                          struct acpi_root *root_out)
{
    if (pointer_bytes < POINTER_V1_BYTES || memcmp(bytes, "RSD PTR ", 8) != 0 ||
        !sums_up(bytes, POINTER_V1_BYTES)) {
        return EINVAL;
    }
    struct root_pointer pointer = {};
    memcpy(&pointer, bytes, pointer_bytes < sizeof(pointer) ? pointer_bytes : sizeof(pointer));
    if (has_sound_xsdt(&pointer, pointer_bytes) &&
        open_root(read, pointer.xsdt, "XSDT", 8, root_out) == OK) {
        return OK;
    }
    return open_root(read, pointer.rsdt, "RSDT", 4, root_out);
}

// A pointer of ACPI 1.0 can be the last that there is to read.
static enum error read_root_at(boot_reader_t *read, uint64_t address, struct acpi_root *root_out)
{
    size_t size_bytes = POINTER_V2_BYTES;
    const uint8_t *bytes = read(address, size_bytes);
    if (bytes == NULL) {
        size_bytes = POINTER_V1_BYTES;
        bytes = read(address, size_bytes);
    }
    return bytes != NULL ? acpi_root_read(read, bytes, size_bytes, root_out) : EINVAL;
}

static enum error scan(boot_reader_t *read, uint64_t start, uint64_t end,
                       struct acpi_root *root_out)
{
    for (uint64_t address = start; address < end; address += POINTER_STEP) {
        if (read_root_at(read, address, root_out) == OK) {
            return OK;
        }
    }
    return ENOENT;
}

enum error acpi_root_scan(boot_reader_t *read, struct acpi_root *root_out)
{
    uint16_t segment = 0;
    const void *bytes = read(EBDA_SEGMENT, sizeof(segment));
    if (bytes != NULL) {
        memcpy(&segment, bytes, sizeof(segment));
    }
    uint64_t ebda = (uint64_t)segment << 4;
    if (scan(read, ebda, ebda + EBDA_SCANNED_BYTES, root_out) == OK) {
        return OK;
    }
    return scan(read, BIOS_START, BIOS_END, root_out);
}

static enum error read_entry(const struct acpi_root *root, size_t index, uint64_t *address_out)
{
    const void *entry = root->read(root->address + ACPI_HEADER_BYTES + index * root->entry_bytes,
                                   root->entry_bytes);
    if (entry == NULL) {
        return EINVAL;
    }
    *address_out = 0;
    memcpy(address_out, entry, root->entry_bytes); // little endian: the low bytes come first
    return OK;
}

enum error acpi_table_find(const struct acpi_root *root, const char *signature, size_t *cursor,
                           struct acpi_table *table_out)
{
    while (*cursor < root->entry_count) {
        uint64_t address;
        if (read_entry(root, (*cursor)++, &address) == OK &&
            acpi_table_read(root->read, address, signature, table_out) == OK) {
            return OK;
        }
    }
    return ENOENT;
}

bool acpi_is_firmware_memory(const struct memory_map *map, phys_addr_t end, uint64_t address,
                             uint64_t size_bytes)
{
    if (address > end.value || size_bytes > end.value - address) {
        return false;
    }
    uint64_t behind = address + size_bytes;
    while (address < behind) {
        const struct memory_region *area = memory_map_lookup(map, (phys_addr_t){address});
        bool may_hold_tables = area != NULL &&
                               (area->type == MEMORY_RESERVED || area->type == MEMORY_ACPI_NVS ||
                                area->type == MEMORY_ACPI_RECLAIMABLE);
        if (!may_hold_tables) {
            return false;
        }
        address = area->range.end.value;
    }
    return true;
}
