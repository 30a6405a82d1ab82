// SPDX-License-Identifier: MIT
#include "boot/boot_info.h"

#include "arch/x86_64/layout.h"
#include "ktest.h"
#include "lib/string.h"

static struct boot_info info;

static void init(struct ktest *test)
{
    (void)test;
    memset(&info, 0, sizeof(info));
}

KTEST_SUITE(boot_info, .init = init);

KTEST(boot_info, unknown_protocol_is_refused)
{
    memset(&info, 0xff, sizeof(info)); // what was there before does not count
    KTEST_EXPECT_EQ(test, boot_info_read(&info, 3, (phys_addr_t){0x1000}), ENOTSUP);
    KTEST_EXPECT_EQ(test, boot_info_read(&info, 0, (phys_addr_t){0x1000}), ENOTSUP);
    KTEST_EXPECT_EQ(test, info.region_count, 0);
    KTEST_EXPECT_STREQ(test, info.command_line, "");
}

KTEST(boot_info, information_beyond_the_direct_map_is_refused)
{
    phys_addr_t beyond = {DIRECT_MAP_BOOT_END};
    KTEST_EXPECT_EQ(test, boot_info_read(&info, BOOT_PVH, beyond), EINVAL);
    KTEST_EXPECT_EQ(test, info.protocol, BOOT_PVH);
    KTEST_EXPECT_EQ(test, boot_info_read(&info, BOOT_MULTIBOOT2, beyond), EINVAL);
    KTEST_EXPECT_EQ(test, info.protocol, BOOT_MULTIBOOT2);
    beyond.value++;
    KTEST_EXPECT_EQ(test, boot_info_read(&info, BOOT_PVH, beyond), EINVAL);
    KTEST_EXPECT_EQ(test, boot_info_read(&info, BOOT_PVH, (phys_addr_t){DIRECT_MAP_BOOT_END - 55}),
                    EINVAL);
}

KTEST(boot_info, strings_are_cut_to_their_room)
{
    char to[5];
    boot_info_copy_string(to, sizeof(to), "abcdefgh", 9);
    KTEST_EXPECT_STREQ(test, to, "abcd");
    boot_info_copy_string(to, sizeof(to), "abcdefgh", 2); // the source ends without a 0
    KTEST_EXPECT_STREQ(test, to, "ab");
    boot_info_copy_string(to, sizeof(to), "abcd", 4);
    KTEST_EXPECT_STREQ(test, to, "abcd");
    boot_info_copy_string(to, sizeof(to), "a\0b", 4);
    KTEST_EXPECT_STREQ(test, to, "a");
}

KTEST(boot_info, types_have_names)
{
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_USABLE), "usable");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_RESERVED), "reserved");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_ACPI_RECLAIMABLE), "ACPI reclaimable");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_ACPI_NVS), "ACPI NVS");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_BAD), "bad");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_BOOT_INFO), "boot information");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_KERNEL), "kernel");
    KTEST_EXPECT_STREQ(test, memory_type_name((enum memory_type)99), "unknown");
}

// A loader can't say what only we know, and other numbers (7 is persistent memory) are not for us.
KTEST(boot_info, types_from_outside_are_acpis)
{
    const uint32_t foreign[] = {0, 6, 7, 12, MEMORY_BOOT_INFO, MEMORY_KERNEL, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x1000, 0x1000, foreign[i]), OK);
        KTEST_EXPECT_EQ(test, info.regions[i].type, MEMORY_RESERVED);
    }
    KTEST_ASSERT_EQ(test, boot_info_reserve(&info, 0x1000, 0x1000, MEMORY_KERNEL), OK);
    KTEST_EXPECT_EQ(test, info.regions[ARRAY_SIZE(foreign)].type, MEMORY_KERNEL);
}

KTEST(boot_info, regions_lie_within_52_bits)
{
    KTEST_EXPECT_EQ(test, boot_info_add_region(&info, BIT(52), 1, MEMORY_USABLE), EINVAL);
    KTEST_EXPECT_EQ(test, boot_info_reserve(&info, BIT(52) - 1, 2, MEMORY_KERNEL), EINVAL);
    KTEST_EXPECT_EQ(test, boot_info_reserve(&info, UINT64_MAX, 0, MEMORY_KERNEL), OK);
    KTEST_EXPECT_EQ(test, info.region_count, 0);
    KTEST_EXPECT_EQ(test, boot_info_add_region(&info, BIT(52) - 1, 1, MEMORY_USABLE), OK);
    KTEST_EXPECT_EQ(test, info.regions[0].range.end.value, BIT(52));
}

KTEST(boot_info, string_as_long_as_its_room_is_cut)
{
    char to[6] = "xxxxx";
    boot_info_copy_string(to, 5, "abcde", 5);
    KTEST_EXPECT_STREQ(test, to, "abcd");
    KTEST_EXPECT_EQ(test, to[5], 0);
}

KTEST(boot_info, usable_end_passes_over_other_types)
{
    KTEST_EXPECT_EQ(test, boot_info_usable_end(&info).value, 0);
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x4000, 0x1000, MEMORY_USABLE), OK);
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x1000, 0x1000, MEMORY_USABLE), OK);
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x9000, 0x1000, MEMORY_RESERVED), OK);
    KTEST_EXPECT_EQ(test, boot_info_usable_end(&info).value, 0x5000);
}

KTEST(boot_info, every_type_of_acpi_is_kept)
{
    for (uint32_t type = MEMORY_USABLE; type <= MEMORY_BAD; type++) {
        KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x1000, 0x1000, type), OK);
        KTEST_EXPECT_EQ(test, info.regions[type - MEMORY_USABLE].type, type);
    }
}

KTEST(boot_info, what_stands_behind_the_last_region_is_not_memory)
{
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x1000, 0x1000, MEMORY_USABLE), OK);
    info.regions[1] = (struct memory_region){{{0x1000}, {0x9000}}, MEMORY_USABLE};
    KTEST_EXPECT_EQ(test, boot_info_usable_end(&info).value, 0x2000);
}
