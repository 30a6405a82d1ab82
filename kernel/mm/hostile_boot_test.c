// SPDX-License-Identifier: MIT
//
// From the loader's bytes to the memory map, with bytes that no loader would leave: each round
// takes sound information, breaks it in a few places and follows it all the way. Nothing beyond
// the information may be read, whatever it says of its size: the reader refuses, and on the host
// the sanitizer watches the bytes behind it.
#include "boot/multiboot2.h"
#include "boot/pvh.h"
#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "mm/memory_map.h"

#define BASE 0x7f000 // the address that the image stands for
#define IMAGE_BYTES 512

// The information ends where the array does, so that one byte more is out of it.
static uint8_t memory[IMAGE_BYTES];
static uint32_t used_bytes;

static struct boot_info info;
static struct memory_map map;

static uint8_t *image(void)
{
    return memory + IMAGE_BYTES - used_bytes;
}

static const void *reader(uint64_t address, uint64_t size_bytes)
{
    uint64_t offset = address - BASE;
    bool is_inside = offset <= used_bytes && size_bytes <= used_bytes - offset;
    return is_inside ? image() + offset : NULL;
}

// --- Sound information --------------------------------------------------------------------------

#define REGION(start_, size_bytes_, type_)                                                         \
    (uint32_t)(start_), (uint32_t)((uint64_t)(start_) >> 32), (uint32_t)(size_bytes_),             \
        (uint32_t)((uint64_t)(size_bytes_) >> 32), type_, 0

#define REGIONS                                                                                    \
    REGION(0, 0x9fc00, 1), REGION(0x9fc00, 0x400, 2), REGION(0xf0000, 0x10000, 2),                 \
        REGION(0x100000, 0x7ee0000, 1), REGION(0x7fe0000, 0x20000, 3),                             \
        REGION(0xfffc0000, 0x40000, 2), REGION(BIT(32), BIT(30), 1)
#define REGION_COUNT 7

static const uint32_t multiboot2_information[] = {
    256, 0,                                       // total
    1,   16,  0x3d676f6c, 0x00676264,             // command line: log=dbg
    2,   13,  0x42555247, 0,                      // loader: GRUB
    3,   18,  0x200000,   0x208001,   0x6d,    0, // module m
    6,   184, 24,         0,          REGIONS,    // memory map
    0,   8,                                       // end
};
_Static_assert(sizeof(multiboot2_information) == 256);

static const uint32_t pvh_information[] = {
    0x336ec578, 1,          0,         1,             // magic, version, flags, modules
    BASE + 56,  0,          BASE + 88, 0,             // modules, command line
    0,          0,          BASE + 96, 0,             // ACPI, memory map
    7,          0,                                    // its entries
    0x200000,   0,          0x8001,    0, 0, 0, 0, 0, // module
    0x3d676f6c, 0x00676264,                           // log=dbg
    REGIONS,
};
_Static_assert(sizeof(pvh_information) == 96 + 24 * REGION_COUNT);

struct loader {
    const char *name;
    const void *information;
    uint32_t size_bytes;
    enum error (*parse)(struct boot_info *info, boot_reader_t *read, uint64_t address);
};

static const struct loader loaders[] = {
    {"Multiboot2", multiboot2_information, sizeof(multiboot2_information), multiboot2_parse},
    {"PVH", pvh_information, sizeof(pvh_information), pvh_parse},
};

static void describe(const struct loader *loader, char *text_out, size_t size_bytes)
{
    format_buffer(text_out, size_bytes, "%s", loader->name);
}

static enum error read_and_make(const struct loader *loader)
{
    memset(&info, 0, sizeof(info));
    map.area_count = 0;
    enum error error = loader->parse(&info, reader, BASE);
    return error != OK ? error : memory_map_make(&map, info.regions, info.region_count);
}

static void restore(const struct loader *loader)
{
    used_bytes = loader->size_bytes;
    memcpy(image(), loader->information, used_bytes);
}

KTEST_ATTR(hostile_boot, sound_information_makes_a_map, .proves = "9.1.1");
KTEST(hostile_boot, sound_information_makes_a_map)
{
    for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
        restore(&loaders[i]);
        KTEST_ASSERT_EQ(test, read_and_make(&loaders[i]), OK);
        KTEST_EXPECT_STREQ(test, info.command_line, "log=dbg");
        KTEST_EXPECT_EQ(test, memory_map_usable_end(&map).value, BIT(32) + BIT(30));
        uint64_t usable = 0x7ee0000 - 0x9000 + BIT(30) + 0x7f000 + 0x1f000;
        KTEST_EXPECT_EQ(test, memory_map_size_bytes(&map, MEMORY_USABLE), usable);
        // the information's page, and the module's nine
        KTEST_EXPECT_EQ(test, memory_map_size_bytes(&map, MEMORY_BOOT_INFO), 0xa000);
    }
}

// --- Broken information -------------------------------------------------------------------------

static uint32_t wild_number(struct test_random *random)
{
    static const uint32_t notorious[] = {0,          1,          7,          8,          24,
                                         0x7fffffff, 0x80000000, BASE,       UINT32_MAX, 0xfffffff8,
                                         0x000fffff, 0x00100000, BASE + 512, 0xffffff00};
    uint64_t which = test_random_below(random, 2 * ARRAY_SIZE(notorious));
    return which < ARRAY_SIZE(notorious) ? notorious[which] : (uint32_t)test_random_next(random);
}

static void break_somewhere(struct test_random *random)
{
    switch (test_random_below(random, 4)) {
    case 0: // a byte
        image()[test_random_below(random, used_bytes)] = (uint8_t)test_random_next(random);
        return;
    case 1: // the end
        used_bytes -= (uint32_t)test_random_below(random, 16);
        return;
    default: { // a number
        uint32_t number = wild_number(random);
        memcpy(image() + test_random_below(random, used_bytes / 4) * 4, &number, 4);
        return;
    }
    }
}

static bool covers(const struct memory_region *region, struct phys_range range)
{
    return region->range.start.value <= range.start.value &&
           range.end.value <= region->range.end.value;
}

// Each page of the area's ends was called usable, and nothing else touches any of it.
static void expect_usable(struct ktest *test, const struct memory_region *area)
{
    struct phys_range first = {area->range.start, {area->range.start.value + PAGE_SIZE}};
    struct phys_range last = {{area->range.end.value - PAGE_SIZE}, area->range.end};
    bool is_first_usable = false;
    bool is_last_usable = false;
    for (size_t i = 0; i < info.region_count; i++) {
        const struct memory_region *region = &info.regions[i];
        if (region->type == MEMORY_USABLE) {
            is_first_usable |= covers(region, first);
            is_last_usable |= covers(region, last);
        } else {
            KTEST_ASSERT_FALSE(test, phys_range_overlaps(region->range, area->range));
        }
    }
    KTEST_ASSERT_TRUE(test, is_first_usable && is_last_usable);
}

static void expect_sound_map(struct ktest *test)
{
    for (size_t i = 0; i < map.area_count; i++) {
        const struct memory_region *area = &map.areas[i];
        KTEST_ASSERT_LT(test, area->range.start.value, area->range.end.value);
        KTEST_ASSERT_LE(test, area->range.end.value, PHYS_ADDR_LIMIT);
        KTEST_ASSERT_EQ(test, (area->range.start.value | area->range.end.value) % PAGE_SIZE, 0);
        if (i > 0) {
            KTEST_ASSERT_LE(test, area[-1].range.end.value, area->range.start.value);
        }
        if (area->type == MEMORY_USABLE) {
            expect_usable(test, area);
        }
    }
}

static void expect_sound_information(struct ktest *test)
{
    KTEST_ASSERT_LE(test, info.region_count, BOOT_REGIONS_MAX);
    KTEST_ASSERT_LT(test, strnlen(info.command_line, BOOT_COMMAND_LINE_MAX), BOOT_COMMAND_LINE_MAX);
    KTEST_ASSERT_LT(test, strnlen(info.loader_name, BOOT_LOADER_NAME_MAX), BOOT_LOADER_NAME_MAX);
    for (size_t i = 0; i < info.region_count; i++) {
        struct phys_range range = info.regions[i].range;
        KTEST_ASSERT_LT(test, range.start.value, range.end.value);
        KTEST_ASSERT_LE(test, range.end.value, PHYS_ADDR_LIMIT);
    }
}

KTEST_ATTR(hostile_boot, broken_information_makes_a_sound_map_or_none, .proves = "9.1.5",
           .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(hostile_boot, broken_information_makes_a_sound_map_or_none, loaders, describe)
{
    struct test_random random = {3};
    unsigned accepted_count = 0;
    const unsigned round_count = 3000 * test_scale() * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        restore(param);
        for (uint64_t left = 1 + test_random_below(&random, 4); left-- > 0;) {
            break_somewhere(&random);
        }
        enum error error = read_and_make(param);
        KTEST_ASSERT_TRUE_MSG(test,
                              error == OK || error == EINVAL || error == ENOENT || error == ENOSPC,
                              "%s", error_name(error));
        expect_sound_information(test);
        expect_sound_map(test);
        accepted_count += error == OK;
    }
    // Neither all nor none: the rounds get far enough to mean something.
    KTEST_EXPECT_GT(test, accepted_count, round_count / 10);
    KTEST_EXPECT_LT(test, accepted_count, round_count / 10 * 9);
}

// Nothing of it is information, but for the number that PVH is known by.
KTEST_ATTR(hostile_boot, noise_makes_no_trouble, .speed = KTEST_SPEED_SLOW);
KTEST_PARAM(hostile_boot, noise_makes_no_trouble, loaders, describe)
{
    struct test_random random = {4};
    const unsigned round_count = 1000 * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        used_bytes = (uint32_t)test_random_below(&random, IMAGE_BYTES + 1);
        for (uint32_t i = 0; i < used_bytes; i++) {
            image()[i] = (uint8_t)test_random_next(&random);
        }
        if (used_bytes >= 4) {
            memcpy(image(), param->parse == pvh_parse ? pvh_information : &used_bytes, 4);
        }
        enum error error = read_and_make(param);
        KTEST_ASSERT_NE(test, error, OK);
        expect_sound_information(test);
    }
}
