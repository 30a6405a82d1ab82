// SPDX-License-Identifier: MIT
#include "lib/bits.h"

#include "ktest.h"

// What stands in enums, array sizes and static asserts has to be a constant expression.
_Static_assert(BIT(63) == 0x8000'0000'0000'0000, "");
_Static_assert(GENMASK(63, 0) == UINT64_MAX, "");
_Static_assert(FIELD_GET(GENMASK(15, 8), 0x1234) == 0x12, "");
_Static_assert(FIELD_PREP(GENMASK(15, 8), 0x12) == 0x1200, "");
_Static_assert(ALIGN_UP(0x1001, 0x1000) == 0x2000, "");
_Static_assert(ALIGN_DOWN(0x1fff, 0x1000) == 0x1000, "");
_Static_assert(IS_ALIGNED(0x2000, 0x1000) && IS_POWER_OF_TWO(4096), "");
_Static_assert(ARRAY_SIZE(((const short[]){1, 2, 3})) == 3, "");

KTEST(bits, bit_reaches_both_ends_of_a_word)
{
    KTEST_EXPECT_EQ(test, BIT(0), 1);
    KTEST_EXPECT_EQ(test, BIT(31), 0x8000'0000u);
    KTEST_EXPECT_EQ(test, BIT(63), 0x8000'0000'0000'0000u);
}

KTEST(bits, genmask_includes_both_ends)
{
    KTEST_EXPECT_EQ(test, GENMASK(0, 0), 1);
    KTEST_EXPECT_EQ(test, GENMASK(11, 0), 0xfff);
    KTEST_EXPECT_EQ(test, GENMASK(51, 12), 0x000f'ffff'ffff'f000);
    KTEST_EXPECT_EQ(test, GENMASK(63, 63), BIT(63));
}

KTEST(bits, field_get_shifts_down_and_cuts_off_neighbours)
{
    KTEST_EXPECT_EQ(test, FIELD_GET(GENMASK(15, 8), 0xffff'12ff), 0x12);
    KTEST_EXPECT_EQ(test, FIELD_GET(GENMASK(63, 60), UINT64_MAX), 0xf);
    KTEST_EXPECT_EQ(test, FIELD_GET(BIT(0), 2), 0);
}

KTEST(bits, field_prep_cuts_off_what_does_not_fit)
{
    KTEST_EXPECT_EQ(test, FIELD_PREP(GENMASK(15, 8), 0x12), 0x1200);
    KTEST_EXPECT_EQ(test, FIELD_PREP(GENMASK(15, 8), 0x312), 0x1200);
    KTEST_EXPECT_EQ(test, FIELD_PREP(GENMASK(63, 32), 1u), BIT(32));
}

KTEST(bits, powers_of_two_have_one_bit)
{
    KTEST_EXPECT_FALSE(test, is_power_of_two(0));
    KTEST_EXPECT_TRUE(test, is_power_of_two(1));
    KTEST_EXPECT_TRUE(test, is_power_of_two(BIT(63)));
    KTEST_EXPECT_FALSE(test, is_power_of_two(3));
    KTEST_EXPECT_FALSE(test, is_power_of_two(BIT(63) | 1));
}

KTEST(bits, align_down_keeps_multiples)
{
    KTEST_EXPECT_EQ(test, align_down(0x1fff, 0x1000), 0x1000);
    KTEST_EXPECT_EQ(test, align_down(0x1000, 0x1000), 0x1000);
    KTEST_EXPECT_EQ(test, align_down(0xfff, 0x1000), 0);
    KTEST_EXPECT_EQ(test, align_down(UINT64_MAX, BIT(32)), 0xffff'ffff'0000'0000u);
}

KTEST_ATTR(bits, align_up_by_mask_and_by_remainder_agree, .proves = "11.2");
KTEST(bits, align_up_by_mask_and_by_remainder_agree)
{
    for (uint64_t alignment = 1; alignment <= 4096; alignment *= 2) {
        for (uint64_t value = 0; value < 3 * 4096; value += 13) {
            uint64_t remainder = value % alignment;
            uint64_t expected = remainder == 0 ? value : value - remainder + alignment;
            KTEST_ASSERT_EQ(test, align_up(value, alignment), expected);
        }
    }
}

KTEST(bits, align_up_keeps_multiples)
{
    KTEST_EXPECT_EQ(test, align_up(0, 0x1000), 0);
    KTEST_EXPECT_EQ(test, align_up(1, 0x1000), 0x1000);
    KTEST_EXPECT_EQ(test, align_up(0x1000, 0x1000), 0x1000);
    KTEST_EXPECT_EQ(test, align_up(0x1'0000'0001, 0x1000), 0x1'0000'1000);
    KTEST_EXPECT_EQ(test, align_up(7, 1), 7);
}

KTEST(bits, align_up_wraps_to_zero_at_the_top)
{
    KTEST_EXPECT_EQ(test, align_up(UINT64_MAX, 16), 0);
}

// Alignments given as 32-bit numbers do not cut off the upper half.
KTEST(bits, alignment_macros_work_in_64_bits)
{
    KTEST_EXPECT_EQ(test, ALIGN_DOWN(0xffff'8000'0000'1234u, 0x1000u), 0xffff'8000'0000'1000u);
    KTEST_EXPECT_EQ(test, ALIGN_UP(0xffff'8000'0000'1234u, 0x1000u), 0xffff'8000'0000'2000u);
}

KTEST(bits, is_aligned_looks_at_the_low_bits)
{
    KTEST_EXPECT_TRUE(test, is_aligned(0, 8));
    KTEST_EXPECT_TRUE(test, is_aligned(0x18, 8));
    KTEST_EXPECT_FALSE(test, is_aligned(0x1c, 8));
    KTEST_EXPECT_FALSE(test, is_aligned(1, 2));
    KTEST_EXPECT_TRUE(test, is_aligned(1, 1));
}

KTEST(bits, array_size_counts_elements)
{
    uint64_t words[7];

    KTEST_EXPECT_EQ(test, ARRAY_SIZE(words), 7);
}
