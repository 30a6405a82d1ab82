// SPDX-License-Identifier: MIT
//
// The parser on information made by hand, whole and broken in every way that a length can be wrong.
#include "boot/multiboot2.h"

#include "ktest.h"
#include "lib/string.h"

#define BASE 0x12340000 // the address that `bytes` stand for

static struct boot_info info;
static _Alignas(8) uint8_t bytes[4096];
static size_t used_bytes;

static void put(const void *source, size_t size_bytes)
{
    memcpy(bytes + used_bytes, source, size_bytes);
    used_bytes += size_bytes;
}

static void put32(uint32_t value)
{
    put(&value, sizeof(value));
}

static void put64(uint64_t value)
{
    put(&value, sizeof(value));
}

static void align(void)
{
    used_bytes = ALIGN_UP(used_bytes, 8);
}

static void begin(void)
{
    memset(bytes, 0, sizeof(bytes));
    used_bytes = 8;
}

static void put_string(uint32_t type, const char *text)
{
    put32(type);
    put32((uint32_t)(8 + strlen(text) + 1));
    put(text, strlen(text) + 1);
    align();
}

static void put_region(uint64_t start, uint64_t size_bytes, uint32_t type)
{
    put64(start);
    put64(size_bytes);
    put32(type);
    put32(0);
}

static void put_memory_map(void)
{
    put32(6);
    put32(16 + 2 * 24);
    put32(24);
    put32(0);
    put_region(0x1000, 0x9e000, 1);
    put_region(0xe0000, 0x20000, 99);
}

static void put_end(void)
{
    put32(0);
    put32(8);
    memcpy(bytes, &(uint32_t){(uint32_t)used_bytes}, 4);
}

// Exactly the bytes that were put can be read, and not one more.
static const void *reader(uint64_t address, uint64_t size_bytes)
{
    uint64_t offset = address - BASE;
    bool is_inside = offset <= used_bytes && size_bytes <= used_bytes - offset;
    return is_inside ? bytes + offset : NULL;
}

static enum error parse(void)
{
    memset(&info, 0, sizeof(info));
    return multiboot2_parse(&info, reader, BASE);
}

static void put_all(void)
{
    begin();
    put_string(1, "log=debug x=y");
    put_string(2, "GRUB");
    put_memory_map();
    put_end();
}

KTEST_ATTR(multiboot2, whole_information_is_read, .proves = "2.3.8 2.3.3");
KTEST(multiboot2, whole_information_is_read)
{
    put_all();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, info.protocol, BOOT_MULTIBOOT2);
    KTEST_EXPECT_STREQ(test, info.command_line, "log=debug x=y");
    KTEST_EXPECT_STREQ(test, info.loader_name, "GRUB");
    KTEST_ASSERT_EQ(test, info.region_count, 3);
    KTEST_EXPECT_EQ(test, info.regions[0].range.start.value, 0x1000);
    KTEST_EXPECT_EQ(test, info.regions[0].range.end.value, 0x9f000);
    KTEST_EXPECT_EQ(test, info.regions[0].type, MEMORY_USABLE);
    KTEST_EXPECT_EQ(test, info.regions[1].type, MEMORY_RESERVED);
    KTEST_EXPECT_EQ(test, info.regions[2].type, MEMORY_BOOT_INFO);
    KTEST_EXPECT_EQ(test, info.regions[2].range.start.value, BASE);
    KTEST_EXPECT_EQ(test, info.regions[2].range.end.value, BASE + used_bytes);
}

static void put_module(uint32_t start, uint32_t end)
{
    put32(3);
    put32(8 + 8 + 2);
    put32(start);
    put32(end);
    put("m", 2);
    align();
}

KTEST(multiboot2, modules_are_kept_out)
{
    begin();
    put_module(0x200800, 0x2fffff);
    put_module(0x400000, 0x400000);
    put_memory_map();
    put_module(0xfffff000, 0xffffffff);
    put_end();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_ASSERT_EQ(test, info.region_count, 5);
    KTEST_EXPECT_EQ(test, info.regions[0].type, MEMORY_BOOT_INFO);
    KTEST_EXPECT_EQ(test, info.regions[0].range.start.value, 0x200800);
    KTEST_EXPECT_EQ(test, info.regions[0].range.end.value, 0x2fffff);
    KTEST_EXPECT_EQ(test, info.regions[3].range.start.value, 0xfffff000);
    KTEST_EXPECT_EQ(test, info.regions[3].type, MEMORY_BOOT_INFO);
}

KTEST(multiboot2, broken_modules_are_refused)
{
    begin();
    put_module(0x200001, 0x200000);
    put_memory_map();
    put_end();
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    begin();
    put32(3);
    put32(15);
    put64(0);
    put_memory_map();
    put_end();
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(multiboot2, memory_that_is_not_usable_is_nothing_to_start_with)
{
    begin();
    put_module(0x200000, 0x300000);
    put32(6);
    put32(16 + 24);
    put32(24);
    put32(0);
    put_region(0x1000, 0x9e000, 2);
    put_end();
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
}

KTEST(multiboot2, unknown_tags_are_passed_over)
{
    begin();
    put_string(77, "whatever");
    put_memory_map();
    put_string(0xffffffff, "");
    put_end();
    KTEST_EXPECT_EQ(test, parse(), OK);
    KTEST_EXPECT_EQ(test, info.region_count, 3);
}

KTEST(multiboot2, without_a_memory_map_there_is_nothing_to_start_with)
{
    begin();
    put_string(1, "x");
    put_end();
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
}

// Cut at every length: nothing beyond the end is read (reader() would refuse) and nothing passes.
KTEST(multiboot2, cut_off_information_is_refused)
{
    put_all();
    size_t whole_bytes = used_bytes;
    for (size_t size_bytes = 0; size_bytes < whole_bytes; size_bytes++) {
        put_all();
        used_bytes = size_bytes;
        memcpy(bytes, &(uint32_t){(uint32_t)size_bytes}, 4);
        KTEST_ASSERT_EQ_MSG(test, parse(), EINVAL, "%zu bytes", size_bytes);
    }
}

KTEST(multiboot2, total_beyond_memory_is_refused)
{
    put_all();
    memcpy(bytes, &(uint32_t){(uint32_t)used_bytes + 1}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(multiboot2, tag_smaller_than_its_header_is_refused)
{
    put_all();
    memcpy(bytes + 12, &(uint32_t){7}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    memcpy(bytes + 12, &(uint32_t){0}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(multiboot2, tag_beyond_the_total_is_refused)
{
    put_all();
    memcpy(bytes + 12, &(uint32_t){(uint32_t)used_bytes - 7}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(multiboot2, memory_map_with_small_entries_is_refused)
{
    begin();
    size_t map = used_bytes;
    put_memory_map();
    put_end();
    memcpy(bytes + map + 8, &(uint32_t){23}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    memcpy(bytes + map + 8, &(uint32_t){0}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(multiboot2, larger_entries_of_a_later_version_are_read)
{
    begin();
    put32(6);
    put32(16 + 2 * 32);
    put32(32);
    put32(1);
    put_region(0x1000, 0x1000, 1);
    put64(0);
    put_region(0x5000, 0x2000, 3);
    put64(0);
    put_end();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_ASSERT_EQ(test, info.region_count, 3);
    KTEST_EXPECT_EQ(test, info.regions[1].range.start.value, 0x5000);
    KTEST_EXPECT_EQ(test, info.regions[1].type, MEMORY_ACPI_RECLAIMABLE);
}

KTEST(multiboot2, region_that_wraps_is_refused)
{
    begin();
    put32(6);
    put32(16 + 24);
    put32(24);
    put32(0);
    put_region(0xffffffffffffff00, 0x1000, 1);
    put_end();
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}

KTEST(multiboot2, more_regions_than_fit_are_an_error)
{
    begin();
    put32(6);
    put32(16 + (BOOT_REGIONS_MAX + 1) * 24);
    put32(24);
    put32(0);
    for (uint64_t i = 0; i <= BOOT_REGIONS_MAX; i++) {
        put_region(i << 12, 0x1000, 1);
    }
    put_end();
    KTEST_EXPECT_EQ(test, parse(), ENOSPC);
    KTEST_EXPECT_EQ(test, info.region_count, BOOT_REGIONS_MAX);
}

KTEST(multiboot2, tag_beyond_the_total_is_not_even_read)
{
    begin();
    put_memory_map();
    put_end();
    memcpy(bytes, &(uint32_t){(uint32_t)used_bytes - 32}, 4);
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
    KTEST_EXPECT_EQ(test, info.region_count, 0);
}

KTEST(multiboot2, memory_map_without_entries_is_no_map)
{
    begin();
    put32(6);
    put32(16);
    put32(24);
    put32(0);
    put_end();
    KTEST_EXPECT_EQ(test, parse(), ENOENT);
}

// As GRUB says of a screen of 1024 * 768.
static void put_framebuffer(uint64_t address, uint8_t type)
{
    static const uint8_t colours[6] = {16, 8, 8, 7, 0, 6};
    put32(8);
    put32(32 + sizeof(colours));
    put64(address);
    put32(4096);
    put32(1024);
    put32(768);
    put(&(uint8_t){32}, 1);
    put(&type, 1);
    put("\0", 2);
    put(colours, sizeof(colours));
    align();
}

static enum error parse_with_framebuffer(uint64_t address, uint8_t type)
{
    begin();
    put_memory_map();
    put_framebuffer(address, type);
    put_end();
    return parse();
}

KTEST(multiboot2, framebuffer_is_read_and_reserved)
{
    KTEST_ASSERT_EQ(test, parse_with_framebuffer(0xfd000000, 1), OK);
    KTEST_EXPECT_EQ(test, info.framebuffer.address.value, 0xfd000000);
    KTEST_EXPECT_EQ(test, info.framebuffer.pitch_bytes, 4096);
    KTEST_EXPECT_EQ(test, info.framebuffer.width, 1024);
    KTEST_EXPECT_EQ(test, info.framebuffer.height, 768);
    KTEST_EXPECT_EQ(test, info.framebuffer.bits_per_pixel, 32);
    KTEST_EXPECT_EQ(test, info.framebuffer.red.position, 16);
    KTEST_EXPECT_EQ(test, info.framebuffer.red.bit_count, 8);
    KTEST_EXPECT_EQ(test, info.framebuffer.green.position, 8);
    KTEST_EXPECT_EQ(test, info.framebuffer.green.bit_count, 7);
    KTEST_EXPECT_EQ(test, info.framebuffer.blue.position, 0);
    KTEST_EXPECT_EQ(test, info.framebuffer.blue.bit_count, 6);
    KTEST_EXPECT_EQ(test, info.regions[2].type, MEMORY_RESERVED);
    KTEST_EXPECT_EQ(test, info.regions[2].range.start.value, 0xfd000000);
    KTEST_EXPECT_EQ(test, info.regions[2].range.end.value, 0xfd000000 + 4096 * 768);
}

KTEST(multiboot2, text_mode_and_palettes_are_no_framebuffer)
{
    KTEST_ASSERT_EQ(test, parse_with_framebuffer(0xb8000, 2), OK);
    KTEST_EXPECT_EQ(test, info.framebuffer.width, 0);
    KTEST_EXPECT_EQ(test, info.region_count, 3);
    KTEST_ASSERT_EQ(test, parse_with_framebuffer(0xa0000, 0), OK);
    KTEST_EXPECT_EQ(test, info.framebuffer.width, 0);
}

KTEST(multiboot2, framebuffer_that_makes_no_sense_is_refused)
{
    KTEST_EXPECT_EQ(test, parse_with_framebuffer(~0ULL - 4096, 1), EINVAL);
    for (uint32_t size_bytes = 8; size_bytes < 38; size_bytes++) { // too short for what it says
        begin();
        put_memory_map();
        size_t start = used_bytes;
        put_framebuffer(0xfd000000, 1);
        memcpy(bytes + start + 4, &size_bytes, sizeof(size_bytes));
        used_bytes = start + size_bytes;
        align();
        put_end();
        KTEST_EXPECT_EQ(test, parse(), EINVAL);
    }
}

static void put_acpi_pointer(uint32_t type, char filling, uint32_t size_bytes)
{
    put32(type);
    put32(8 + size_bytes);
    memset(bytes + used_bytes, filling, size_bytes);
    used_bytes += size_bytes;
    align();
}

static void expect_acpi_pointer(struct ktest *test, char filling, size_t size_bytes)
{
    put_memory_map();
    put_end();
    KTEST_ASSERT_EQ(test, parse(), OK);
    KTEST_ASSERT_EQ(test, info.acpi_pointer_bytes, size_bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        KTEST_ASSERT_EQ(test, info.acpi_pointer[i], (uint8_t)filling);
    }
}

KTEST(multiboot2, later_acpi_pointer_counts)
{
    begin();
    put_acpi_pointer(14, 'a', 20);
    expect_acpi_pointer(test, 'a', 20);
    begin();
    put_acpi_pointer(14, 'a', 20);
    put_acpi_pointer(15, 'b', 36);
    expect_acpi_pointer(test, 'b', 36);
    begin();
    put_acpi_pointer(15, 'b', 36);
    put_acpi_pointer(14, 'a', 20);
    expect_acpi_pointer(test, 'b', 36);
}

KTEST(multiboot2, first_of_two_acpi_pointers_of_a_version_counts)
{
    begin();
    put_acpi_pointer(14, 'a', 20);
    put_acpi_pointer(14, 'c', 20);
    expect_acpi_pointer(test, 'a', 20);
}

KTEST(multiboot2, acpi_pointer_of_any_size_is_cut_to_its_room)
{
    begin();
    put_acpi_pointer(15, 'b', 1000);
    expect_acpi_pointer(test, 'b', BOOT_ACPI_POINTER_MAX);
    begin();
    put_acpi_pointer(15, 'b', 0);
    expect_acpi_pointer(test, 'b', 0);
}

static void put_tag(uint32_t type, uint32_t size_bytes)
{
    put32(type);
    put32(size_bytes);
    used_bytes += size_bytes - 8; // zeroes
    align();
}

KTEST(multiboot2, tags_may_be_as_short_as_what_they_have_to_say)
{
    begin();
    put_memory_map();
    put_tag(3, 16); // a module without a name
    put_tag(8, 32); // a framebuffer without colours, as the one with a palette of none
    put_end();
    KTEST_EXPECT_EQ(test, parse(), OK);
}

KTEST(multiboot2, memory_map_that_is_cut_off_is_refused_beside_a_whole_one)
{
    begin();
    put_tag(6, 15);
    put_memory_map();
    put_end();
    KTEST_EXPECT_EQ(test, parse(), EINVAL);
}
