// SPDX-License-Identifier: MIT
#include "boot/pvh.h"

#include "ktest.h"
#include "lib/string.h"

#define MAGIC 0x336ec578
#define BASE 0x1000 // the address that the image stands for

// A piece of physical memory with start information, command line and memory map.
static struct {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
    struct {
        uint64_t start, size_bytes;
        uint32_t type, reserved;
    } map[3];
    struct {
        uint64_t start, size_bytes, command_line, reserved;
    } modules_at[2];
    char acpi_pointer[40];
    char text[16];
} image;

static struct boot_info info;

#define LONG_LINE 0x100000
static char long_line[BOOT_COMMAND_LINE_MAX + 16];
static bool has_read_null;

static const void *reader(uint64_t address, uint64_t size_bytes)
{
    has_read_null = has_read_null || address == 0;
    if (address >= LONG_LINE && address - LONG_LINE + size_bytes <= sizeof(long_line)) {
        return long_line + (address - LONG_LINE);
    }
    uint64_t offset = address - BASE;
    bool is_inside = offset <= sizeof(image) && size_bytes <= sizeof(image) - offset;
    return is_inside ? (const uint8_t *)&image + offset : NULL;
}

static void fill(void)
{
    memset(&image, 0, sizeof(image));
    image.magic = MAGIC;
    image.version = 1;
    image.command_line = BASE + offsetof(typeof(image), text);
    image.memory_map = BASE + offsetof(typeof(image), map);
    image.memory_map_count = 3;
    image.map[0].start = 0;
    image.map[0].size_bytes = 0x9fc00;
    image.map[0].type = 1;
    image.map[1].start = 0xf0000;
    image.map[1].size_bytes = 0x10000;
    image.map[1].type = 2;
    image.map[2].start = 0x100000;
    image.map[2].size_bytes = 0x7f00000;
    image.map[2].type = 1;
    memcpy(image.text, "log=warn a=b", 13);
}

static enum error parse(void)
{
    memset(&info, 0, sizeof(info));
    return pvh_parse(&info, reader, BASE);
}

KTEST(pvh, whole_information_is_read)
{
    fill();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, info.protocol, BOOT_PVH);
    KTEST_EXPECT_STREQ(test, info.loader_name, "PVH");
    KTEST_EXPECT_STREQ(test, info.command_line, "log=warn a=b");
    KTEST_ASSERT_EQ(test, info.region_count, 6);
    KTEST_EXPECT_EQ(test, info.regions[1].range.start.value, 0xf0000);
    KTEST_EXPECT_EQ(test, info.regions[1].range.end.value, 0x100000);
    KTEST_EXPECT_EQ(test, info.regions[1].type, MEMORY_RESERVED);
    KTEST_EXPECT_EQ(test, boot_info_usable_end(&info).value, 0x8000000);
}

static void expect_kept_out(struct ktest *test, size_t index, uint64_t start, uint64_t size_bytes)
{
    KTEST_EXPECT_EQ(test, info.regions[index].type, MEMORY_BOOT_INFO);
    KTEST_EXPECT_EQ(test, info.regions[index].range.start.value, start);
    KTEST_EXPECT_EQ(test, info.regions[index].range.end.value, start + size_bytes);
}

KTEST(pvh, information_and_modules_are_kept_out)
{
    fill();
    image.module_count = 2;
    image.modules = BASE + offsetof(typeof(image), modules_at);
    image.modules_at[0].start = 0x7000800;
    image.modules_at[0].size_bytes = 0x801;
    image.modules_at[1].start = BIT(40);
    image.modules_at[1].size_bytes = 1;
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_ASSERT_EQ(test, info.region_count, 9);
    expect_kept_out(test, 3, image.memory_map, sizeof(image.map));
    expect_kept_out(test, 4, image.command_line, 13);
    expect_kept_out(test, 5, 0x7000800, 0x801);
    expect_kept_out(test, 6, BIT(40), 1);
    expect_kept_out(test, 7, image.modules, sizeof(image.modules_at));
    expect_kept_out(test, 8, BASE, 56);
}

KTEST(pvh, broken_modules_are_refused)
{
    fill();
    image.module_count = 1;
    image.modules = BASE + sizeof(image) - 31;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    image.module_count = 0xffffffff;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    image.module_count = 1;
    image.modules = BASE + offsetof(typeof(image), modules_at);
    image.modules_at[0].start = BIT(52) - 1;
    image.modules_at[0].size_bytes = 2;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    image.modules_at[0].size_bytes = UINT64_MAX;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(pvh, memory_that_is_not_usable_is_refused)
{
    fill();
    image.map[0].type = 2;
    image.map[2].type = 3;
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
}

KTEST(pvh, command_line_may_be_missing)
{
    fill();
    image.command_line = 0;
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_STREQ(test, info.command_line, "");
}

KTEST(pvh, wrong_magic_is_refused)
{
    fill();
    image.magic ^= 1;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(pvh, version_without_a_memory_map_is_refused)
{
    fill();
    image.version = 0;
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
    fill();
    image.memory_map_count = 0;
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
}

KTEST(pvh, memory_map_of_empty_regions_is_refused)
{
    fill();
    for (unsigned i = 0; i < 3; i++) {
        image.map[i].size_bytes = 0;
    }
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
}

KTEST(pvh, pointers_out_of_memory_are_refused)
{
    fill();
    image.memory_map = BASE + sizeof(image) - 71; // one byte too far
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    fill();
    image.memory_map_count = 0xffffffff;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    fill();
    image.command_line = BASE + sizeof(image);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    KTEST_EXPECT_EQ(test, pvh_parse(&info, reader, BASE + sizeof(image) - 55), EINVAL);
}

// The line fills the image to its last byte: its end is missing.
KTEST(pvh, command_line_without_an_end_is_refused)
{
    fill();
    memset(image.text, 'x', sizeof(image.text));
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(pvh, acpi_pointer_is_copied)
{
    fill();
    image.rsdp = BASE + offsetof(typeof(image), acpi_pointer);
    memcpy(image.acpi_pointer, "RSD PTR 0123456789012345678901234567", 36);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, info.acpi_pointer_bytes, 36);
    KTEST_EXPECT_MEMEQ(test, info.acpi_pointer, image.acpi_pointer, 36);
}

KTEST(pvh, acpi_pointer_may_be_missing_or_out_of_reach)
{
    fill();
    KTEST_EXPECT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, info.acpi_pointer_bytes, 0);
    image.rsdp = BASE + sizeof(image) - 35;
    KTEST_EXPECT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, info.acpi_pointer_bytes, 0);
}

KTEST(pvh, command_line_is_cut_to_its_room)
{
    fill();
    image.command_line = LONG_LINE;
    memset(long_line, 'x', sizeof(long_line));
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, strnlen(info.command_line, BOOT_COMMAND_LINE_MAX),
                    BOOT_COMMAND_LINE_MAX - 1);
    KTEST_EXPECT_EQ(test, info.regions[0].range.start.value, 0);
    KTEST_EXPECT_EQ(test, info.regions[0].range.end.value, 0x9fc00);
    expect_kept_out(test, 4, LONG_LINE, BOOT_COMMAND_LINE_MAX - 1);
}

KTEST(pvh, command_line_may_end_with_memory)
{
    fill();
    image.command_line = LONG_LINE + sizeof(long_line) - 3;
    memcpy(long_line + sizeof(long_line) - 3, "ab", 3);
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_STREQ(test, info.command_line, "ab");
}

KTEST(pvh, region_that_wraps_is_refused)
{
    fill();
    image.map[1].start = BIT(52) - 1;
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(pvh, memory_map_may_have_one_entry)
{
    fill();
    image.memory_map_count = 1;
    KTEST_EXPECT_EQ(test, parse(), OK);
}

KTEST(pvh, what_is_missing_is_not_read)
{
    fill();
    image.command_line = 0;
    has_read_null = false;
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_FALSE(test, has_read_null);
}
