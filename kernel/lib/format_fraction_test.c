// SPDX-License-Identifier: MIT
#include "lib/format.h"

#include "ktest.h"

KTEST(format_fraction, prints_a_third)
{
    KTEST_EXPECT_STREQ(test, format_fraction(1, 3, 16).text, "0.3333333333333333");
    KTEST_EXPECT_STREQ(test, format_fraction(22, 7, 6).text, "3.142857");
}
KTEST_ATTR(format_fraction, prints_a_third, .proves = "2.1.3");

KTEST(format_fraction, keeps_zeros_at_both_ends)
{
    KTEST_EXPECT_STREQ(test, format_fraction(1, 1000, 4).text, "0.0010");
    KTEST_EXPECT_STREQ(test, format_fraction(5, 1, 3).text, "5.000");
    KTEST_EXPECT_STREQ(test, format_fraction(0, 7, 2).text, "0.00");
}
KTEST_ATTR(format_fraction, keeps_zeros_at_both_ends, .proves = "2.1.3");

KTEST(format_fraction, rounds_to_the_nearest)
{
    KTEST_EXPECT_STREQ(test, format_fraction(2, 3, 4).text, "0.6667");
    KTEST_EXPECT_STREQ(test, format_fraction(1249, 1000, 1).text, "1.2");
    KTEST_EXPECT_STREQ(test, format_fraction(1251, 1000, 1).text, "1.3");
}
KTEST_ATTR(format_fraction, rounds_to_the_nearest, .proves = "2.1.3");

KTEST(format_fraction, rounds_halves_away_from_zero)
{
    KTEST_EXPECT_STREQ(test, format_fraction(125, 1000, 2).text, "0.13");
    KTEST_EXPECT_STREQ(test, format_fraction(-125, 1000, 2).text, "-0.13");
    KTEST_EXPECT_STREQ(test, format_fraction(5, 2, 0).text, "3");
}

KTEST(format_fraction, carries_through_nines)
{
    KTEST_EXPECT_STREQ(test, format_fraction(999, 1000, 2).text, "1.00");
    KTEST_EXPECT_STREQ(test, format_fraction(1996, 1000, 2).text, "2.00");
    KTEST_EXPECT_STREQ(test, format_fraction(1299, 1000, 2).text, "1.30");
    KTEST_EXPECT_STREQ(test, format_fraction(99999, 1000, 1).text, "100.0");
}

KTEST(format_fraction, no_decimals_means_no_point)
{
    KTEST_EXPECT_STREQ(test, format_fraction(7, 3, 0).text, "2");
    KTEST_EXPECT_STREQ(test, format_fraction(-8, 3, 0).text, "-3");
}

KTEST(format_fraction, negative_numbers_below_one_keep_their_sign)
{
    KTEST_EXPECT_STREQ(test, format_fraction(-1, 3, 4).text, "-0.3333");
    KTEST_EXPECT_STREQ(test, format_fraction(-1, 1, 1).text, "-1.0");
}

// Ten times these remainders do not fit into 64 bits.
KTEST(format_fraction, large_denominators_are_exact)
{
    KTEST_EXPECT_STREQ(test, format_fraction(INT64_MAX, UINT64_MAX, 20).text,
                       "0.49999999999999999997");
    KTEST_EXPECT_STREQ(test, format_fraction(1, UINT64_MAX, 20).text, "0.00000000000000000005");
    KTEST_EXPECT_STREQ(test, format_fraction(INT64_MAX, INT64_MAX, 2).text, "1.00");
}

KTEST(format_fraction, longest_result_fits)
{
    KTEST_EXPECT_STREQ(test, format_fraction(INT64_MIN, 1, 20).text,
                       "-9223372036854775808.00000000000000000000");
    KTEST_EXPECT_STREQ(test, format_fraction(INT64_MIN, 1, 99).text,
                       "-9223372036854775808.00000000000000000000");
}

KTEST(format_fraction, division_by_zero_is_visible)
{
    KTEST_EXPECT_STREQ(test, format_fraction(-7, 0, 2).text, "-7/0");
    KTEST_EXPECT_STREQ(test, format_fraction(INT64_MIN, 0, 20).text, "-9223372036854775808/0");
}
