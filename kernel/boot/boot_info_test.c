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
    KTEST_EXPECT_EQ(test, boot_info_read(&info, 3, (phys_addr_t){0x1000}), ENOTSUP);
    KTEST_EXPECT_EQ(test, boot_info_read(&info, 0, (phys_addr_t){0x1000}), ENOTSUP);
}

KTEST(boot_info, information_beyond_the_direct_map_is_refused)
{
    phys_addr_t beyond = {DIRECT_MAP_BOOT_END};
    KTEST_EXPECT_EQ(test, boot_info_read(&info, BOOT_PVH, beyond), EINVAL);
    KTEST_EXPECT_EQ(test, boot_info_read(&info, BOOT_MULTIBOOT2, beyond), EINVAL);
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

KTEST(boot_info, memory_is_taken_from_the_end_of_a_usable_region)
{
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x1000, 0x8000, MEMORY_USABLE), OK);
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x4000000, 0x10800, MEMORY_USABLE), OK);
    phys_addr_t address = {0};

    KTEST_ASSERT_EQ(test,
                    boot_info_take_memory(&info, 0x3000, (phys_addr_t){0x100000000}, &address), OK);

    KTEST_EXPECT_EQ(test, address.value, 0x400d000); // not below the image, and a whole page
    KTEST_EXPECT_EQ(test, info.regions[1].range.end.value, 0x400d000);
    KTEST_ASSERT_EQ(test, info.region_count, 3);
    KTEST_EXPECT_EQ(test, info.regions[2].type, MEMORY_RESERVED);
    KTEST_EXPECT_EQ(test, info.regions[2].range.start.value, 0x400d000);
    KTEST_EXPECT_EQ(test, info.regions[2].range.end.value, 0x4010000);
}

KTEST(boot_info, memory_is_taken_below_the_limit_or_not_at_all)
{
    phys_addr_t address = {0x77};
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x4000000, 0x10000, MEMORY_USABLE), OK);
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x5000000, 0x10000, MEMORY_RESERVED), OK);

    KTEST_EXPECT_EQ(test, boot_info_take_memory(&info, 0x1000, (phys_addr_t){0x400f000}, &address),
                    ENOMEM);
    KTEST_EXPECT_EQ(test, boot_info_take_memory(&info, 0x11000, (phys_addr_t){BIT(32)}, &address),
                    ENOMEM);
    KTEST_EXPECT_EQ(test, address.value, 0x77);
    KTEST_EXPECT_EQ(test, info.region_count, 2);
    KTEST_EXPECT_EQ(test, boot_info_take_memory(&info, 0x10000, (phys_addr_t){BIT(32)}, &address),
                    OK);
    KTEST_EXPECT_EQ(test, address.value, 0x4000000);
}

KTEST(boot_info, memory_is_not_taken_from_below_the_image)
{
    phys_addr_t address = {0};
    uint64_t end = ((uint64_t)kernel_end_phys) + 2 * PAGE_SIZE;
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x100000, end - 0x100000, MEMORY_USABLE), OK);

    KTEST_EXPECT_EQ(test,
                    boot_info_take_memory(&info, 3 * PAGE_SIZE, (phys_addr_t){BIT(32)}, &address),
                    ENOMEM);
    KTEST_EXPECT_EQ(
        test, boot_info_take_memory(&info, 2 * PAGE_SIZE, (phys_addr_t){BIT(32)}, &address), OK);
}

KTEST(boot_info, types_have_names)
{
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_USABLE), "usable");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_RESERVED), "reserved");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_ACPI_RECLAIMABLE), "ACPI reclaimable");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_ACPI_NVS), "ACPI NVS");
    KTEST_EXPECT_STREQ(test, memory_type_name(MEMORY_BAD), "bad");
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

KTEST(boot_info, part_of_a_page_at_the_start_is_not_taken)
{
    phys_addr_t address = {0};
    KTEST_ASSERT_EQ(test, boot_info_add_region(&info, 0x4000800, 0x1800, MEMORY_USABLE), OK);
    KTEST_EXPECT_EQ(test, boot_info_take_memory(&info, 0x1800, (phys_addr_t){BIT(32)}, &address),
                    ENOMEM);
}
