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

enum error boot_info_add_region(struct boot_info *info, uint64_t start, uint64_t size_bytes,
                                uint32_t type)
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
    bool is_known = type >= MEMORY_USABLE && type <= MEMORY_BAD;
    info->regions[info->region_count++] = (struct memory_region){
        .range = range,
        .type = is_known ? (enum memory_type)type : MEMORY_RESERVED,
    };
    return OK;
}

void boot_info_copy_string(char *to, size_t to_bytes, const char *from, size_t from_bytes)
{
    size_t length = strnlen(from, from_bytes < to_bytes ? from_bytes : to_bytes - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

enum error boot_info_take_memory(struct boot_info *info, uint64_t size_bytes, phys_addr_t limit,
                                 phys_addr_t *address_out)
{
    uint64_t lowest = (uint64_t)kernel_end_phys;
    for (size_t i = 0; i < info->region_count; i++) {
        struct phys_range *range = &info->regions[i].range;
        uint64_t end = range->end.value < limit.value ? range->end.value : limit.value;
        uint64_t start =
            ALIGN_UP(range->start.value > lowest ? range->start.value : lowest, PAGE_SIZE);
        end = ALIGN_DOWN(end, PAGE_SIZE);
        if (info->regions[i].type != MEMORY_USABLE || end < start || end - start < size_bytes) {
            continue;
        }
        if (range->end.value > limit.value || info->region_count == BOOT_REGIONS_MAX) {
            continue;
        }
        *address_out = phys_addr(end - size_bytes);
        range->end = *address_out;
        return boot_info_add_region(info, end - size_bytes, size_bytes, MEMORY_RESERVED);
    }
    return ENOMEM;
}

phys_addr_t boot_info_usable_end(const struct boot_info *info)
{
    phys_addr_t end = {0};
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
    }
    return "unknown";
}
