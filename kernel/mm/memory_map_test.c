// SPDX-License-Identifier: MIT
//
// Maps made by hand, and maps by chance that are compared with the definition, page by page.
#include "mm/memory_map.h"

#include "ktest.h"
#include "lib/string.h"
#include "lib/test_random.h"

static struct memory_map map;
static struct memory_region regions[2 * MEMORY_AREAS_MAX];
static size_t region_count;

static void init(struct ktest *test)
{
    (void)test;
    region_count = 0;
    map.area_count = 0;
}

KTEST_SUITE(memory_map, .init = init);

static void add(uint64_t start, uint64_t end, enum memory_type type)
{
    regions[region_count++] = (struct memory_region){{{start}, {end}}, type};
}

static enum error make(void)
{
    return memory_map_make(&map, regions, region_count);
}

static char text[1024];

static void append_text(void *context, const char *bytes, size_t size_bytes)
{
    struct text_buffer *buffer = context;
    text_append(buffer, "%.*s", (int)size_bytes, bytes);
}

// The map in short: what a test expects stands on one line.
static const char *dump(void)
{
    struct text_buffer buffer = {text, sizeof(text), 0};
    const struct writer writer = {append_text, &buffer};
    text[0] = 0;
    memory_map_dump(&map, &writer);
    return text;
}

// --- The definition -----------------------------------------------------------------------------

// From the weakest; what stands behind wins.
static const enum memory_type by_strength[] = {
    MEMORY_USABLE,   MEMORY_BOOT_INFO, MEMORY_ACPI_RECLAIMABLE, MEMORY_KERNEL, MEMORY_ACPI_NVS,
    MEMORY_RESERVED, MEMORY_BAD,
};

static bool has_page(const struct memory_region *region, uint64_t page)
{
    uint64_t start = region->range.start.value;
    uint64_t end = region->range.end.value;
    if (start >= end) {
        return false;
    }
    bool is_whole = start <= page && page + PAGE_SIZE <= end;
    bool is_touched = start < page + PAGE_SIZE && page < end;
    return region->type == MEMORY_USABLE ? is_whole : is_touched;
}

// 0: nobody knows of it.
static uint32_t expected_type(uint64_t page)
{
    for (size_t strength = ARRAY_SIZE(by_strength); strength-- > 0;) {
        for (size_t i = 0; i < region_count; i++) {
            if (regions[i].type == by_strength[strength] && has_page(&regions[i], page)) {
                return by_strength[strength];
            }
        }
    }
    return 0;
}

static uint32_t actual_type(uint64_t page)
{
    const struct memory_region *area = memory_map_lookup(&map, phys_addr(page));
    return area != NULL ? area->type : 0;
}

static void expect_in_order(struct ktest *test)
{
    for (size_t i = 0; i < map.area_count; i++) {
        struct phys_range range = map.areas[i].range;
        KTEST_ASSERT_LT(test, range.start.value, range.end.value);
        KTEST_ASSERT_LE(test, range.end.value, PHYS_ADDR_LIMIT);
        KTEST_ASSERT_EQ(test, (range.start.value | range.end.value) % PAGE_SIZE, 0);
        if (i == 0) {
            continue;
        }
        const struct memory_region *before = &map.areas[i - 1];
        KTEST_ASSERT_LE(test, before->range.end.value, range.start.value);
        KTEST_ASSERT_TRUE(test, before->range.end.value < range.start.value ||
                                    before->type != map.areas[i].type);
    }
}

static void expect_pages_around(struct ktest *test, uint64_t address)
{
    for (int step = -1; step <= 1; step++) {
        uint64_t page = ALIGN_DOWN(address, PAGE_SIZE) + (uint64_t)step * PAGE_SIZE;
        if (page < PHYS_ADDR_LIMIT) {
            KTEST_ASSERT_EQ_MSG(test, actual_type(page), expected_type(page), "page 0x%lx", page);
        }
    }
}

// A page's type changes where a region begins or ends, so it is enough to look there.
static void expect_as_defined(struct ktest *test)
{
    expect_in_order(test);
    for (size_t i = 0; i < region_count; i++) {
        expect_pages_around(test, regions[i].range.start.value);
        expect_pages_around(test, regions[i].range.end.value);
    }
}

// --- By hand ------------------------------------------------------------------------------------

KTEST_ATTR(memory_map, is_sorted_and_rounded, .proves = "9.1.1 9.1.3");
KTEST(memory_map, is_sorted_and_rounded)
{
    add(0x100000, 0x7fe0800, MEMORY_USABLE);
    add(0x7fe0800, 0x8000000, MEMORY_RESERVED);
    add(0xf0000, 0x100000, MEMORY_RESERVED);
    add(0, 0x9fc00, MEMORY_USABLE);
    add(0x9fc00, 0xa0000, MEMORY_RESERVED);
    add(0x500800, 0x501001, MEMORY_BOOT_INFO);
    add(0x100000, 0x300001, MEMORY_KERNEL);
    add(0xb0000000, 0xb0000001, MEMORY_ACPI_NVS);
    add(0xb0001fff, 0xb0002fff, MEMORY_ACPI_RECLAIMABLE);
    add(0xb0003000, 0xb0004000, MEMORY_BAD);
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_EXPECT_STREQ(test, dump(),
                       "0x0000000000000 to 0x000000009f000 usable\n"
                       "0x000000009f000 to 0x00000000a0000 reserved\n"
                       "0x00000000f0000 to 0x0000000100000 reserved\n"
                       "0x0000000100000 to 0x0000000301000 kernel\n"
                       "0x0000000301000 to 0x0000000500000 usable\n"
                       "0x0000000500000 to 0x0000000502000 boot information\n"
                       "0x0000000502000 to 0x0000007fe0000 usable\n"
                       "0x0000007fe0000 to 0x0000008000000 reserved\n"
                       "0x00000b0000000 to 0x00000b0001000 ACPI NVS\n"
                       "0x00000b0001000 to 0x00000b0003000 ACPI reclaimable\n"
                       "0x00000b0003000 to 0x00000b0004000 bad\n");
    expect_as_defined(test);
}

KTEST_ATTR(memory_map, stronger_type_wins_in_any_order, .proves = "9.1.3");
KTEST(memory_map, stronger_type_wins_in_any_order)
{
    for (size_t weak = 0; weak < ARRAY_SIZE(by_strength); weak++) {
        for (size_t strong = weak + 1; strong < ARRAY_SIZE(by_strength); strong++) {
            for (unsigned is_strong_first = 0; is_strong_first < 2; is_strong_first++) {
                region_count = 0;
                add(0x1000, 0x4000, by_strength[is_strong_first ? strong : weak]);
                add(0x1000, 0x4000, by_strength[is_strong_first ? weak : strong]);
                KTEST_ASSERT_EQ(test, make(), OK);
                KTEST_ASSERT_EQ(test, map.area_count, 1);
                KTEST_EXPECT_EQ(test, map.areas[0].type, by_strength[strong]);
            }
        }
    }
}

KTEST(memory_map, unknown_type_keeps_memory_out)
{
    add(0x1000, 0x4000, MEMORY_USABLE);
    add(0x2000, 0x3000, (enum memory_type)77);
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_EXPECT_NE(test, actual_type(0x2000), MEMORY_USABLE);
    KTEST_EXPECT_EQ(test, memory_map_size_bytes(&map, MEMORY_USABLE), 0x2000);
}

KTEST(memory_map, neighbours_of_a_type_are_one_area)
{
    add(0x3000, 0x5000, MEMORY_USABLE);
    add(0x1000, 0x3000, MEMORY_USABLE);
    add(0x2000, 0x4000, MEMORY_USABLE);
    add(0x6000, 0x7000, MEMORY_USABLE); // a page apart
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_EXPECT_STREQ(test, dump(),
                       "0x0000000001000 to 0x0000000005000 usable\n"
                       "0x0000000006000 to 0x0000000007000 usable\n");
}

// Half of it in one region and half in another: nobody vouches for the page.
KTEST(memory_map, page_of_two_halves_is_not_usable)
{
    add(0x1000, 0x2800, MEMORY_USABLE);
    add(0x2800, 0x4000, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_EXPECT_EQ(test, actual_type(0x2000), 0);
    KTEST_EXPECT_EQ(test, memory_map_size_bytes(&map, MEMORY_USABLE), 0x2000);
}

KTEST(memory_map, regions_without_sense_are_dropped)
{
    add(0x1000, 0x1000, MEMORY_RESERVED);                  // empty
    add(0x5000, 0x3000, MEMORY_BAD);                       // backwards
    add(0x1001, 0x1fff, MEMORY_USABLE);                    // no whole page
    add(PHYS_ADDR_LIMIT, PHYS_ADDR_LIMIT + 1, MEMORY_BAD); // behind the end
    add(UINT64_MAX - 1, UINT64_MAX, MEMORY_USABLE);        // far behind it
    add(0xfffffffffffff800, 0x800, MEMORY_RESERVED);       // wrapped
    KTEST_EXPECT_EQ(test, make(), OK);
    KTEST_EXPECT_EQ(test, map.area_count, 0);
    KTEST_EXPECT_EQ(test, memory_map_usable_end(&map).value, 0);
    KTEST_EXPECT_NULL(test, memory_map_lookup(&map, (phys_addr_t){0}));
    region_count = 0;
    KTEST_EXPECT_EQ(test, make(), OK);
    KTEST_EXPECT_EQ(test, map.area_count, 0);
}

KTEST(memory_map, reaches_to_the_last_physical_address)
{
    add(0, UINT64_MAX, MEMORY_USABLE);
    add(PHYS_ADDR_LIMIT - 1, UINT64_MAX, MEMORY_RESERVED);
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_ASSERT_EQ(test, map.area_count, 2);
    KTEST_EXPECT_EQ(test, map.areas[1].range.start.value, PHYS_ADDR_LIMIT - PAGE_SIZE);
    KTEST_EXPECT_EQ(test, map.areas[1].range.end.value, PHYS_ADDR_LIMIT);
    KTEST_EXPECT_EQ(test, memory_map_usable_end(&map).value, PHYS_ADDR_LIMIT - PAGE_SIZE);
    expect_as_defined(test);
}

// As many areas as n regions can make: all that a full boot_info can say has room.
KTEST(memory_map, full_boot_info_has_room)
{
    add(0, BIT(40), MEMORY_USABLE);
    while (region_count < BOOT_REGIONS_MAX) {
        uint64_t start = region_count * 2 * PAGE_SIZE;
        add(start, start + 1, MEMORY_RESERVED);
    }
    KTEST_EXPECT_EQ(test, make(), OK);
    KTEST_EXPECT_EQ(test, map.area_count, 2 * BOOT_REGIONS_MAX - 1);
    expect_as_defined(test);
}

KTEST(memory_map, what_fits_is_kept_if_not_all_does)
{
    for (size_t i = MEMORY_AREAS_MAX + 1; i-- > 0;) {
        add(i * 2 * PAGE_SIZE, (i * 2 + 1) * PAGE_SIZE, MEMORY_USABLE);
    }
    KTEST_EXPECT_EQ(test, make(), ENOSPC);
    KTEST_EXPECT_EQ(test, map.area_count, MEMORY_AREAS_MAX);
    expect_in_order(test);
    KTEST_EXPECT_EQ(test, map.areas[0].range.start.value, 0);
    KTEST_EXPECT_EQ(test, memory_map_usable_end(&map).value,
                    (2 * MEMORY_AREAS_MAX - 1) * PAGE_SIZE);
    phys_addr_t address = {7};
    KTEST_EXPECT_EQ(test, memory_map_take(&map, PAGE_SIZE, (phys_addr_t){BIT(40)}, &address),
                    ENOSPC);
    KTEST_EXPECT_EQ(test, address.value, 7);
    KTEST_EXPECT_EQ(test, map.area_count, MEMORY_AREAS_MAX);
}

// --- Taking memory ------------------------------------------------------------------------------

static uint64_t take(struct ktest *test, uint64_t size_bytes, uint64_t limit)
{
    phys_addr_t address = {0};
    KTEST_ASSERT_EQ(test, memory_map_take(&map, size_bytes, (phys_addr_t){limit}, &address), OK);
    return address.value;
}

KTEST(memory_map, highest_memory_below_the_limit_is_taken)
{
    add(0x100000, 0x110800, MEMORY_USABLE);
    add(0x200000, 0x300000, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
    KTEST_EXPECT_EQ(test, take(test, 1, BIT(32)), 0x2ff000);
    KTEST_EXPECT_EQ(test, take(test, 0x1001, BIT(32)), 0x2fd000); // joins the one before
    KTEST_EXPECT_EQ(test, take(test, 0x1000, 0x204fff), 0x203000);
    KTEST_EXPECT_EQ(test, take(test, 0x10000, 0x200fff), 0x100000); // a whole area
    KTEST_EXPECT_STREQ(test, dump(),
                       "0x0000000100000 to 0x0000000110000 kernel\n"
                       "0x0000000200000 to 0x0000000203000 usable\n"
                       "0x0000000203000 to 0x0000000204000 kernel\n"
                       "0x0000000204000 to 0x00000002fd000 usable\n"
                       "0x00000002fd000 to 0x0000000300000 kernel\n");
}

KTEST(memory_map, memory_is_not_taken_where_there_is_none)
{
    add(0x100000, 0x110000, MEMORY_USABLE);
    add(0x200000, 0x300000, MEMORY_RESERVED);
    KTEST_ASSERT_EQ(test, make(), OK);
    phys_addr_t address = {7};
    const phys_addr_t limit = {BIT(32)};
    KTEST_EXPECT_EQ(test, memory_map_take(&map, 0, limit, &address), EINVAL);
    KTEST_EXPECT_EQ(test, memory_map_take(&map, 0x10001, limit, &address), ENOMEM);
    KTEST_EXPECT_EQ(test, memory_map_take(&map, UINT64_MAX, limit, &address), ENOMEM);
    KTEST_EXPECT_EQ(test, memory_map_take(&map, PHYS_ADDR_LIMIT, limit, &address), ENOMEM);
    KTEST_EXPECT_EQ(test, memory_map_take(&map, 1, (phys_addr_t){0x100fff}, &address), ENOMEM);
    KTEST_EXPECT_EQ(test, memory_map_take(&map, 1, (phys_addr_t){0}, &address), ENOMEM);
    KTEST_EXPECT_EQ(test, address.value, 7);
    KTEST_EXPECT_EQ(test, memory_map_size_bytes(&map, MEMORY_USABLE), 0x10000);
    KTEST_EXPECT_EQ(test, memory_map_size_bytes(&map, MEMORY_KERNEL), 0);
}

KTEST(memory_map, only_usable_memory_is_retyped)
{
    add(0x100000, 0x200000, MEMORY_USABLE);
    add(0x140000, 0x150000, MEMORY_BAD);
    add(0x300000, 0x400000, MEMORY_USABLE);
    KTEST_ASSERT_EQ(test, make(), OK);
    struct phys_range range = {{0x130000}, {PHYS_ADDR_LIMIT}};
    KTEST_EXPECT_EQ(test, memory_map_retype(&map, range, MEMORY_RESERVED), OK);
    range.end = range.start;
    KTEST_EXPECT_EQ(test, memory_map_retype(&map, range, MEMORY_BAD), OK); // nothing
    KTEST_EXPECT_STREQ(test, dump(),
                       "0x0000000100000 to 0x0000000130000 usable\n"
                       "0x0000000130000 to 0x0000000140000 reserved\n"
                       "0x0000000140000 to 0x0000000150000 bad\n"
                       "0x0000000150000 to 0x0000000200000 reserved\n"
                       "0x0000000300000 to 0x0000000400000 reserved\n");
}

// --- By chance ----------------------------------------------------------------------------------

static uint64_t random_address(struct test_random *random)
{
    switch (test_random_below(random, 4)) {
    case 0: // anywhere
        return test_random_next(random);
    case 1: // at the end of the address space
        return PHYS_ADDR_LIMIT - 0x10000 + test_random_below(random, 0x20000);
    default: // in a narrow place, where they meet
        return test_random_below(random, 0x40) * 0x400;
    }
}

static void add_random(struct test_random *random)
{
    uint64_t start = random_address(random);
    uint64_t end = random_address(random);
    add(start, end, by_strength[test_random_below(random, ARRAY_SIZE(by_strength))]);
    if (test_random_below(random, 2) == 0) {
        regions[region_count - 1].type = MEMORY_USABLE;
    }
}

KTEST_ATTR(memory_map, any_regions_make_the_map_that_is_defined, .proves = "9.1.3");
KTEST(memory_map, any_regions_make_the_map_that_is_defined)
{
    struct test_random random = {1};
    const unsigned round_count = 300 * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        region_count = 0;
        for (uint64_t left = test_random_below(&random, 20); left-- > 0;) {
            add_random(&random);
        }
        KTEST_ASSERT_EQ(test, make(), OK);
        expect_as_defined(test);
    }
}

// Whatever is taken was usable, is not taken twice, and nothing else changes.
KTEST(memory_map, any_takes_leave_a_sound_map)
{
    struct test_random random = {2};
    const unsigned round_count = 100 * test_scale();
    for (unsigned round = 0; round < round_count; round++) {
        region_count = 0;
        for (unsigned i = 0; i < 10; i++) {
            add_random(&random);
        }
        KTEST_ASSERT_EQ(test, make(), OK);
        for (unsigned i = 0; i < 20; i++) {
            uint64_t size_bytes = 1 + test_random_below(&random, 0x4000);
            uint64_t pages_bytes = ALIGN_UP(size_bytes, PAGE_SIZE);
            uint64_t usable = memory_map_size_bytes(&map, MEMORY_USABLE);
            uint64_t limit = random_address(&random);
            phys_addr_t address;
            struct memory_map before = map;
            if (memory_map_take(&map, size_bytes, (phys_addr_t){limit}, &address) != OK) {
                continue;
            }
            expect_in_order(test);
            KTEST_ASSERT_LE(test, address.value + pages_bytes, limit);
            KTEST_ASSERT_EQ(test, memory_map_size_bytes(&map, MEMORY_USABLE), usable - pages_bytes);
            const struct memory_region *area = memory_map_lookup(&before, address);
            KTEST_ASSERT_NOT_NULL(test, area);
            KTEST_ASSERT_EQ(test, area->type, MEMORY_USABLE);
            KTEST_ASSERT_LE(test, address.value + pages_bytes, area->range.end.value);
        }
    }
}
