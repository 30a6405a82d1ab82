// SPDX-License-Identifier: MIT
//
// A walk over tags of {type, size, content}, each padded to 8 bytes, up to an end tag. Nothing is
// believed: a tag that is too small for its type or reaches beyond the total is EINVAL.
#include "boot/multiboot2.h"

#include "lib/string.h"

enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_LOADER_NAME = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_ACPI_POINTER_V1 = 14,
    TAG_ACPI_POINTER_V2 = 15,
};

#define FRAMEBUFFER_RGB 1 // the others are palettes, and text mode

struct information_header {
    uint32_t total_bytes;
    uint32_t reserved;
};

struct tag {
    uint32_t type;
    uint32_t size_bytes; // with this header, without padding
};

struct memory_map_header {
    struct tag tag;
    uint32_t entry_bytes;
    uint32_t entry_version;
};

struct memory_map_entry {
    uint64_t start;
    uint64_t size_bytes;
    uint32_t type;
    uint32_t reserved;
};

struct module_header {
    struct tag tag;
    uint32_t start;
    uint32_t end;
};

struct framebuffer_header {
    struct tag tag;
    uint64_t address;
    uint32_t pitch_bytes;
    uint32_t width;
    uint32_t height;
    uint8_t bits_per_pixel;
    uint8_t type;
    uint16_t reserved;
};

struct framebuffer_colours {
    struct boot_colour_field red;
    struct boot_colour_field green;
    struct boot_colour_field blue;
};

_Static_assert(sizeof(struct module_header) == 16);
_Static_assert(sizeof(struct framebuffer_header) == 32);
_Static_assert(sizeof(struct framebuffer_colours) == 6);
_Static_assert(sizeof(struct memory_map_header) == 16);
_Static_assert(sizeof(struct memory_map_entry) == 24);

// The loader's structures need not be aligned as C would want them, so they are copied out.
static enum error parse_memory_map(struct boot_info *info, const uint8_t *bytes, size_t size_bytes)
{
    struct memory_map_header header;
    if (size_bytes < sizeof(header)) {
        return EINVAL;
    }
    memcpy(&header, bytes, sizeof(header));
    if (header.entry_bytes < sizeof(struct memory_map_entry)) {
        return EINVAL;
    }
    /*@ loop invariant sizeof(header) <= offset <= size_bytes && sound_info(info);
        loop assigns offset, info->region_count, info->regions[0 .. BOOT_REGIONS_MAX - 1];
        loop variant size_bytes - offset;
    */
    for (size_t offset = sizeof(header); size_bytes - offset >= header.entry_bytes;
         offset += header.entry_bytes) {
        struct memory_map_entry entry;
        memcpy(&entry, bytes + offset, sizeof(entry));
        enum error error = boot_info_add_region(info, entry.start, entry.size_bytes, entry.type);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error parse_module(struct boot_info *info, const uint8_t *bytes, size_t size_bytes)
{
    struct module_header header;
    if (size_bytes < sizeof(header)) {
        return EINVAL;
    }
    memcpy(&header, bytes, sizeof(header));
    if (header.end < header.start) {
        return EINVAL;
    }
    return boot_info_reserve(info, header.start, header.end - header.start, MEMORY_BOOT_INFO);
}

static enum error parse_framebuffer(struct boot_info *info, const uint8_t *bytes, size_t size_bytes)
{
    struct framebuffer_header header;
    struct framebuffer_colours colours;
    if (size_bytes < sizeof(header)) {
        return EINVAL;
    }
    memcpy(&header, bytes, sizeof(header));
    if (header.type != FRAMEBUFFER_RGB) {
        return OK;
    }
    if (size_bytes < sizeof(header) + sizeof(colours)) {
        return EINVAL;
    }
    memcpy(&colours, bytes + sizeof(header), sizeof(colours));
    info->framebuffer = (struct boot_framebuffer){
        .address = {header.address},
        .pitch_bytes = header.pitch_bytes,
        .width = header.width,
        .height = header.height,
        .bits_per_pixel = header.bits_per_pixel,
        .red = colours.red,
        .green = colours.green,
        .blue = colours.blue,
    };
    return boot_info_reserve(info, header.address, (uint64_t)header.pitch_bytes * header.height,
                             MEMORY_RESERVED);
}

static enum error parse_tag(struct boot_info *info, const uint8_t *bytes, struct tag tag)
{
    const char *text = (const char *)bytes + sizeof(tag);
    size_t text_bytes = tag.size_bytes - sizeof(tag);
    switch (tag.type) {
    case TAG_COMMAND_LINE:
        boot_info_copy_string(info->command_line, sizeof(info->command_line), text, text_bytes);
        return OK;
    case TAG_LOADER_NAME:
        boot_info_copy_string(info->loader_name, sizeof(info->loader_name), text, text_bytes);
        return OK;
    case TAG_MODULE:
        return parse_module(info, bytes, tag.size_bytes);
    case TAG_MEMORY_MAP:
        return parse_memory_map(info, bytes, tag.size_bytes);
    case TAG_FRAMEBUFFER:
        return parse_framebuffer(info, bytes, tag.size_bytes);
    case TAG_ACPI_POINTER_V1:
    case TAG_ACPI_POINTER_V2:
        boot_info_set_acpi_pointer(info, text, text_bytes);
        return OK;
    default:
        return OK; // loaders add tags as they like
    }
}

static enum error parse_tags(struct boot_info *info, const uint8_t *bytes, size_t total_bytes)
{
    size_t offset = sizeof(struct information_header);
    /*@ loop invariant sizeof(struct information_header) <= offset <= total_bytes;
        loop invariant sound_info(info);
        loop assigns offset, *info;
        loop variant total_bytes - offset;
    */
    while (total_bytes - offset >= sizeof(struct tag)) {
        struct tag tag;
        memcpy(&tag, bytes + offset, sizeof(tag));
        if (tag.size_bytes < sizeof(tag) || tag.size_bytes > total_bytes - offset) {
            return EINVAL;
        }
        if (tag.type == TAG_END) {
            return boot_info_usable_end(info).value != 0 ? OK : ENOENT;
        }
        enum error error = parse_tag(info, bytes + offset, tag);
        if (error != OK) {
            return error;
        }
        size_t step_bytes = ALIGN_UP(tag.size_bytes, 8);
        if (step_bytes > total_bytes - offset) {
            return EINVAL;
        }
        offset += step_bytes;
    }
    return EINVAL; // no end tag
}

enum error multiboot2_parse(struct boot_info *info, boot_reader_t *read, uint64_t address)
{
    info->protocol = BOOT_MULTIBOOT2;
    const void *start = read(address, sizeof(struct information_header));
    if (start == NULL) {
        return EINVAL;
    }
    struct information_header header;
    memcpy(&header, start, sizeof(header));
    if (header.total_bytes < sizeof(header) || read(address, header.total_bytes) == NULL) {
        return EINVAL;
    }
    enum error error = parse_tags(info, start, header.total_bytes);
    if (error != OK) {
        return error;
    }
    return boot_info_reserve(info, address, header.total_bytes, MEMORY_BOOT_INFO);
}
