// SPDX-License-Identifier: MIT
//
// The loader's words in our own form.
#include "boot/boot_info.h"

#include "arch/x86_64/layout.h"
#include "boot/multiboot2.h"
#include "boot/pvh.h"
#include "lib/string.h"

// Until the kernel extends the direct map, it shows what entry.asm has mapped.
static const void *read_direct(uint64_t address, uint64_t size_bytes)
{
    if (address > DIRECT_MAP_BOOT_END || size_bytes > DIRECT_MAP_BOOT_END - address) {
        return NULL;
    }
    return phys_to_direct((phys_addr_t){address});
}

enum error boot_info_read(struct boot_info *info_out, uint32_t protocol, phys_addr_t address)
{
    memset(info_out, 0, sizeof(*info_out));
    switch (protocol) {
    case BOOT_MULTIBOOT2:
        return multiboot2_parse(info_out, read_direct, address.value);
    case BOOT_PVH:
        return pvh_parse(info_out, read_direct, address.value);
    default:
        return ENOTSUP;
    }
}

enum error boot_info_reserve(struct boot_info *info, uint64_t start, uint64_t size_bytes,
                             enum memory_type type)
{
    if (size_bytes == 0) {
        return OK;
    }
    struct phys_range range;
    if (phys_range_checked(start, size_bytes, &range) != OK) {
        return EINVAL;
    }
    if (info->region_count == BOOT_REGIONS_MAX) {
        return ENOSPC;
    }
    info->regions[info->region_count++] = (struct memory_region){range, type};
    return OK;
}

enum error boot_info_add_region(struct boot_info *info, uint64_t start, uint64_t size_bytes,
                                uint32_t type)
{
    bool is_known = type >= MEMORY_USABLE && type <= MEMORY_BAD;
    return boot_info_reserve(info, start, size_bytes,
                             is_known ? (enum memory_type)type : MEMORY_RESERVED);
}

void boot_info_set_acpi_pointer(struct boot_info *info, const void *bytes, size_t size_bytes)
{
    size_bytes = size_bytes < BOOT_ACPI_POINTER_MAX ? size_bytes : BOOT_ACPI_POINTER_MAX;
    if (size_bytes > info->acpi_pointer_bytes) {
        memcpy(info->acpi_pointer, bytes, size_bytes);
        info->acpi_pointer_bytes = size_bytes;
    }
}

void boot_info_copy_string(char *to, size_t to_bytes, const char *from, size_t from_bytes)
{
    size_t length = strnlen(from, from_bytes < to_bytes ? from_bytes : to_bytes - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

phys_addr_t boot_info_usable_end(const struct boot_info *info)
{
    phys_addr_t end = {0};
    /*@ loop invariant i <= info->region_count && end.value <= PHYS_ADDR_LIMIT;
        loop assigns i, end;
        loop variant info->region_count - i;
    */
    for (size_t i = 0; i < info->region_count; i++) {
        const struct memory_region *region = &info->regions[i];
        if (region->type == MEMORY_USABLE && region->range.end.value > end.value) {
            end = region->range.end;
        }
    }
    return end;
}

const char *memory_type_name(enum memory_type type)
{
    switch (type) {
    case MEMORY_USABLE:
        return "usable";
    case MEMORY_RESERVED:
        return "reserved";
    case MEMORY_ACPI_RECLAIMABLE:
        return "ACPI reclaimable";
    case MEMORY_ACPI_NVS:
        return "ACPI NVS";
    case MEMORY_BAD:
        return "bad";
    case MEMORY_BOOT_INFO:
        return "boot information";
    case MEMORY_KERNEL:
        return "kernel";
    }
    return "unknown";
}
