// SPDX-License-Identifier: MIT
#include "lib/addr.h"

#include "ktest.h"

#define LOWER_HALF_LAST 0x0000'7fff'ffff'ffffu
#define UPPER_HALF_FIRST 0xffff'8000'0000'0000u

_Static_assert(sizeof(phys_addr_t) == 8 && sizeof(virt_addr_t) == 8, "cost nothing");
_Static_assert(PAGE_SIZE == 4096, "");

static phys_addr_t phys(uint64_t value)
{
    return (phys_addr_t){value};
}

static virt_addr_t virt(uint64_t value)
{
    return (virt_addr_t){value};
}

static struct phys_range range(uint64_t start, uint64_t end)
{
    return (struct phys_range){{start}, {end}};
}

KTEST(addr, indices_and_offset_of_the_textbook_example)
{
    virt_addr_t address = virt_addr(0x80'3fe7'f5ce);

    KTEST_EXPECT_EQ(test, virt_addr_p4_index(address), 1);
    KTEST_EXPECT_EQ(test, virt_addr_p3_index(address), 0);
    KTEST_EXPECT_EQ(test, virt_addr_p2_index(address), 511);
    KTEST_EXPECT_EQ(test, virt_addr_p1_index(address), 127);
    KTEST_EXPECT_EQ(test, virt_addr_page_offset(address), 0x5ce);
}
KTEST_ATTR(addr, indices_and_offset_of_the_textbook_example, .proves = "8.1");

// Each part at its largest, with all the others at 0 and the other way round.
KTEST(addr, indices_do_not_touch_each_other)
{
    for (unsigned part = 0; part < 5; part++) {
        unsigned shift = part == 0 ? 0 : 12 + 9 * (part - 1);
        uint64_t mask = (part == 0 ? 0xfff : UINT64_C(0x1ff)) << shift;
        virt_addr_t only = virt_addr_truncate(mask);
        virt_addr_t others = virt_addr_truncate(~mask);

        KTEST_EXPECT_EQ(test, virt_addr_page_offset(only), part == 0 ? 0xfff : 0);
        KTEST_EXPECT_EQ(test, virt_addr_p1_index(only), part == 1 ? 511 : 0);
        KTEST_EXPECT_EQ(test, virt_addr_p2_index(only), part == 2 ? 511 : 0);
        KTEST_EXPECT_EQ(test, virt_addr_p3_index(only), part == 3 ? 511 : 0);
        KTEST_EXPECT_EQ(test, virt_addr_p4_index(only), part == 4 ? 511 : 0);
        KTEST_EXPECT_EQ(test, virt_addr_page_offset(others), part == 0 ? 0 : 0xfff);
        KTEST_EXPECT_EQ(test, virt_addr_p1_index(others), part == 1 ? 0 : 511);
        KTEST_EXPECT_EQ(test, virt_addr_p2_index(others), part == 2 ? 0 : 511);
        KTEST_EXPECT_EQ(test, virt_addr_p3_index(others), part == 3 ? 0 : 511);
        KTEST_EXPECT_EQ(test, virt_addr_p4_index(others), part == 4 ? 0 : 511);
    }
}
KTEST_ATTR(addr, indices_do_not_touch_each_other, .proves = "8.1");

KTEST(addr, canonical_addresses_are_the_two_halves)
{
    KTEST_EXPECT_TRUE(test, virt_addr_is_canonical(0));
    KTEST_EXPECT_TRUE(test, virt_addr_is_canonical(LOWER_HALF_LAST));
    KTEST_EXPECT_FALSE(test, virt_addr_is_canonical(LOWER_HALF_LAST + 1));
    KTEST_EXPECT_FALSE(test, virt_addr_is_canonical(UPPER_HALF_FIRST - 1));
    KTEST_EXPECT_TRUE(test, virt_addr_is_canonical(UPPER_HALF_FIRST));
    KTEST_EXPECT_TRUE(test, virt_addr_is_canonical(UINT64_MAX));
    KTEST_EXPECT_FALSE(test, virt_addr_is_canonical(BIT(63)));
}
KTEST_ATTR(addr, canonical_addresses_are_the_two_halves, .proves = "8.2");

KTEST(addr, truncation_extends_the_sign)
{
    KTEST_EXPECT_EQ(test, virt_addr_truncate(LOWER_HALF_LAST + 1).value, UPPER_HALF_FIRST);
    KTEST_EXPECT_EQ(test, virt_addr_truncate(UPPER_HALF_FIRST - 1).value, LOWER_HALF_LAST);
    KTEST_EXPECT_EQ(test, virt_addr_truncate(0x1234'0000'0000'5678).value, 0x5678);
    KTEST_EXPECT_EQ(test, virt_addr_truncate(UINT64_MAX).value, UINT64_MAX);
}
KTEST_ATTR(addr, truncation_extends_the_sign, .proves = "8.2");

KTEST(addr, virt_addr_panics_unless_canonical)
{
    KTEST_ARM(test);
    (void)virt_addr(LOWER_HALF_LAST + 1);
}
KTEST_ATTR(addr, virt_addr_panics_unless_canonical,
           .outcome = KTEST_PANIC("assertion failed: virt_addr_is_canonical(value)"),
           .proves = "8.2");

KTEST(addr, virt_addr_checked_refuses_unless_canonical)
{
    virt_addr_t address = virt(0x1234);

    KTEST_EXPECT_EQ(test, virt_addr_checked(UPPER_HALF_FIRST - 1, &address), EINVAL);
    KTEST_EXPECT_EQ_MSG(test, address.value, 0x1234, "untouched on failure");
    KTEST_EXPECT_EQ(test, virt_addr_checked(UPPER_HALF_FIRST, &address), OK);
    KTEST_EXPECT_EQ(test, address.value, UPPER_HALF_FIRST);
}
KTEST_ATTR(addr, virt_addr_checked_refuses_unless_canonical, .proves = "8.2");

KTEST(addr, pointers_survive_the_round_trip)
{
    int object = 0;

    KTEST_EXPECT_PTR_EQ(test, virt_addr_pointer(virt_addr_of(&object)), &object);
    KTEST_EXPECT_NULL(test, virt_addr_pointer(virt_addr(0)));
}

KTEST(addr, virtual_sums_stay_in_their_half)
{
    virt_addr_t sum = virt(7);

    KTEST_EXPECT_EQ(test, virt_addr_add_checked(virt(LOWER_HALF_LAST), 1, &sum), ERANGE);
    KTEST_EXPECT_EQ(test, virt_addr_add_checked(virt(UINT64_MAX), 1, &sum), ERANGE);
    KTEST_EXPECT_EQ(test, virt_addr_add_checked(virt(0), UPPER_HALF_FIRST, &sum), ERANGE);
    KTEST_EXPECT_EQ(test, virt_addr_add_checked(virt(0), LOWER_HALF_LAST + 1, &sum), ERANGE);
    KTEST_EXPECT_EQ_MSG(test, sum.value, 7, "untouched on failure");
    KTEST_EXPECT_EQ(test, virt_addr_add_checked(virt(0), LOWER_HALF_LAST, &sum), OK);
    KTEST_EXPECT_EQ(test, sum.value, LOWER_HALF_LAST);
    KTEST_EXPECT_EQ(test, virt_addr_add(virt(UPPER_HALF_FIRST), 5).value, UPPER_HALF_FIRST + 5);
}

KTEST(addr, virtual_sum_panics_at_the_end_of_its_half)
{
    KTEST_ARM(test);
    (void)virt_addr_add(virt(LOWER_HALF_LAST), 1);
}
KTEST_ATTR(addr, virtual_sum_panics_at_the_end_of_its_half,
           .outcome = KTEST_PANIC("assertion failed: *"));

KTEST(addr, virtual_alignment_rounds_both_ways)
{
    KTEST_EXPECT_EQ(test, virt_addr_align_down(virt(0x1fff), 0x1000).value, 0x1000);
    KTEST_EXPECT_EQ(test, virt_addr_align_up(virt(0x1001), 0x1000).value, 0x2000);
    KTEST_EXPECT_EQ(test, virt_addr_align_up(virt(0x1000), 0x1000).value, 0x1000);
    KTEST_EXPECT_EQ(test, virt_addr_align_up(virt(UPPER_HALF_FIRST + 1), 2).value,
                    UPPER_HALF_FIRST + 2);
    KTEST_EXPECT_TRUE(test, virt_addr_is_aligned(virt(0x2000), 0x1000));
    KTEST_EXPECT_FALSE(test, virt_addr_is_aligned(virt(0x2008), 0x1000));
}
KTEST_ATTR(addr, virtual_alignment_rounds_both_ways, .proves = "8.2");

KTEST(addr, virtual_alignment_up_panics_at_the_end_of_its_half)
{
    KTEST_ARM(test);
    (void)virt_addr_align_up(virt(LOWER_HALF_LAST), 0x1000);
}
KTEST_ATTR(addr, virtual_alignment_up_panics_at_the_end_of_its_half, .proves = "11.2",
           .outcome = KTEST_PANIC("assertion failed: *"));

KTEST(addr, virtual_alignment_has_to_be_a_power_of_two)
{
    KTEST_ARM(test);
    (void)virt_addr_align_down(virt(0x1000), 24);
}
KTEST_ATTR(addr, virtual_alignment_has_to_be_a_power_of_two,
           .outcome = KTEST_PANIC("assertion failed: is_power_of_two(alignment)*"));

KTEST(addr, physical_addresses_have_52_bits)
{
    phys_addr_t address = phys(7);

    KTEST_EXPECT_EQ(test, phys_addr_checked(BIT(52), &address), EINVAL);
    KTEST_EXPECT_EQ(test, phys_addr_checked(UINT64_MAX, &address), EINVAL);
    KTEST_EXPECT_EQ_MSG(test, address.value, 7, "untouched on failure");
    KTEST_EXPECT_EQ(test, phys_addr_checked(BIT(52) - 1, &address), OK);
    KTEST_EXPECT_EQ(test, address.value, BIT(52) - 1);
}
KTEST_ATTR(addr, physical_addresses_have_52_bits, .proves = "8.2");

KTEST(addr, phys_addr_panics_beyond_52_bits)
{
    KTEST_ARM(test);
    (void)phys_addr(BIT(52));
}
KTEST_ATTR(addr, phys_addr_panics_beyond_52_bits,
           .outcome = KTEST_PANIC("assertion failed: phys_addr_is_valid(value)"), .proves = "8.2");

KTEST(addr, physical_sums_are_checked)
{
    phys_addr_t sum = phys(7);

    KTEST_EXPECT_EQ(test, phys_addr_add_checked(phys(BIT(52) - 1), 1, &sum), ERANGE);
    KTEST_EXPECT_EQ(test, phys_addr_add_checked(phys(1), UINT64_MAX, &sum), ERANGE);
    KTEST_EXPECT_EQ_MSG(test, sum.value, 7, "untouched on failure");
    KTEST_EXPECT_EQ(test, phys_addr_add_checked(phys(0x1000), 0x234, &sum), OK);
    KTEST_EXPECT_EQ(test, sum.value, 0x1234);
    KTEST_EXPECT_EQ(test, phys_addr_add(phys(0x1000), 0x234).value, 0x1234);
}

KTEST(addr, physical_sum_panics_when_it_wraps)
{
    KTEST_ARM(test);
    (void)phys_addr_add(phys(0x1000), UINT64_MAX);
}
KTEST_ATTR(addr, physical_sum_panics_when_it_wraps, .outcome = KTEST_PANIC("assertion failed: *"));

KTEST(addr, physical_alignment_rounds_both_ways)
{
    KTEST_EXPECT_EQ(test, phys_addr_align_down(phys(0x1fff), 0x1000).value, 0x1000);
    KTEST_EXPECT_EQ(test, phys_addr_align_up(phys(0x1001), 0x1000).value, 0x2000);
    KTEST_EXPECT_EQ(test, phys_addr_align_up(phys(0x1000), 0x1000).value, 0x1000);
    KTEST_EXPECT_TRUE(test, phys_addr_is_aligned(phys(0x2000), 0x1000));
    KTEST_EXPECT_FALSE(test, phys_addr_is_aligned(phys(0x2008), 0x1000));
}
KTEST_ATTR(addr, physical_alignment_rounds_both_ways, .proves = "8.2");

KTEST(addr, physical_alignment_up_panics_at_the_limit)
{
    KTEST_ARM(test);
    (void)phys_addr_align_up(phys(BIT(52) - 1), 0x1000);
}
KTEST_ATTR(addr, physical_alignment_up_panics_at_the_limit, .proves = "11.2",
           .outcome = KTEST_PANIC("assertion failed: *"));

KTEST(addr, physical_alignment_has_to_be_a_power_of_two)
{
    KTEST_ARM(test);
    (void)phys_addr_align_up(phys(0x1000), 0);
}
KTEST_ATTR(addr, physical_alignment_has_to_be_a_power_of_two,
           .outcome = KTEST_PANIC("assertion failed: is_power_of_two(alignment)*"));

// As unsigned numbers: the upper half is above the lower one, and no difference overflows.
KTEST(addr, comparison_orders_by_number)
{
    KTEST_EXPECT_LT(test, virt_addr_compare(virt(0), virt(UPPER_HALF_FIRST)), 0);
    KTEST_EXPECT_GT(test, virt_addr_compare(virt(UINT64_MAX), virt(LOWER_HALF_LAST)), 0);
    KTEST_EXPECT_EQ(test, virt_addr_compare(virt(5), virt(5)), 0);
    KTEST_EXPECT_LT(test, phys_addr_compare(phys(1), phys(BIT(51))), 0);
    KTEST_EXPECT_GT(test, phys_addr_compare(phys(BIT(32)), phys(0)), 0);
    KTEST_EXPECT_EQ(test, phys_addr_compare(phys(5), phys(5)), 0);
}

KTEST(addr, ranges_end_at_the_physical_limit)
{
    struct phys_range made = range(1, 2);

    KTEST_EXPECT_EQ(test, phys_range_checked(BIT(52) - 1, 2, &made), ERANGE);
    KTEST_EXPECT_EQ(test, phys_range_checked(BIT(52) + 1, 0, &made), ERANGE);
    KTEST_EXPECT_EQ(test, phys_range_checked(0x1000, UINT64_MAX, &made), ERANGE);
    KTEST_EXPECT_EQ_MSG(test, made.end.value, 2, "untouched on failure");
    KTEST_EXPECT_EQ(test, phys_range_checked(BIT(52), 0, &made), OK); // empty, at the limit
    KTEST_EXPECT_EQ(test, made.start.value, BIT(52));
    KTEST_EXPECT_EQ(test, phys_range_checked(BIT(52) - 1, 1, &made), OK);
    KTEST_EXPECT_EQ(test, made.start.value, BIT(52) - 1);
    KTEST_EXPECT_EQ(test, made.end.value, PHYS_ADDR_LIMIT);
}

KTEST(addr, ranges_are_half_open)
{
    KTEST_EXPECT_FALSE(test, phys_range_contains(range(10, 20), phys(9)));
    KTEST_EXPECT_TRUE(test, phys_range_contains(range(10, 20), phys(10)));
    KTEST_EXPECT_TRUE(test, phys_range_contains(range(10, 20), phys(19)));
    KTEST_EXPECT_FALSE(test, phys_range_contains(range(10, 20), phys(20)));
    KTEST_EXPECT_EQ(test, phys_range_size_bytes(range(10, 20)), 10);
}

KTEST(addr, empty_ranges_contain_nothing)
{
    KTEST_EXPECT_TRUE(test, phys_range_is_empty(range(10, 10)));
    KTEST_EXPECT_FALSE(test, phys_range_is_empty(range(10, 11)));
    KTEST_EXPECT_FALSE(test, phys_range_contains(range(10, 10), phys(10)));
    KTEST_EXPECT_FALSE(test, phys_range_overlaps(range(15, 15), range(10, 20)));
    KTEST_EXPECT_FALSE(test, phys_range_overlaps(range(10, 20), range(15, 15)));
}

KTEST(addr, ranges_overlap_when_they_share_an_address)
{
    KTEST_EXPECT_FALSE(test, phys_range_overlaps(range(10, 20), range(20, 30)));
    KTEST_EXPECT_FALSE(test, phys_range_overlaps(range(20, 30), range(10, 20)));
    KTEST_EXPECT_TRUE(test, phys_range_overlaps(range(10, 21), range(20, 30)));
    KTEST_EXPECT_TRUE(test, phys_range_overlaps(range(20, 30), range(10, 21)));
    KTEST_EXPECT_TRUE(test, phys_range_overlaps(range(10, 40), range(20, 30)));
}

KTEST(addr, reversed_range_panics)
{
    KTEST_ARM(test);
    (void)phys_range_size_bytes(range(20, 10));
}
KTEST_ATTR(addr, reversed_range_panics, .outcome = KTEST_PANIC("assertion failed: *"));
