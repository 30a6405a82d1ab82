// SPDX-License-Identifier: MIT
#include "time/scale.h"

#include "ktest.h"
#include "lib/bits.h"

static const uint64_t frequencies[] = {1'000'000,     1'193'182,     999'999'937,    1'000'000'000,
                                       2'893'437'111, 5'000'000'000, 100'000'000'000};

KTEST(scale, a_second_is_a_second)
{
    for (size_t i = 0; i < ARRAY_SIZE(frequencies); i++) {
        struct scale to_ns = scale_make(frequencies[i], NS_PER_SECOND);
        uint64_t ns = scale_apply(to_ns, frequencies[i]);
        KTEST_EXPECT_LE(test, ns, NS_PER_SECOND);
        KTEST_EXPECT_GE(test, ns, NS_PER_SECOND - 1 - frequencies[i] / BIT(32));
    }
}

// A product of 64 bits would be over after 18 seconds.
KTEST(scale, a_century_is_one_too)
{
    uint64_t seconds = 100 * 365 * 86400ULL;
    for (size_t i = 0; i < ARRAY_SIZE(frequencies) - 1; i++) {
        struct scale to_ns = scale_make(frequencies[i], NS_PER_SECOND);
        uint64_t ns = scale_apply(to_ns, seconds * frequencies[i]);
        KTEST_EXPECT_LE(test, ns, seconds * NS_PER_SECOND);
        KTEST_EXPECT_GE(test, ns, seconds * (NS_PER_SECOND - 2));
    }
}

KTEST(scale, never_goes_backwards)
{
    struct scale to_ns = scale_make(2'893'437'111, NS_PER_SECOND);
    uint64_t last = 0;
    for (uint64_t ticks = BIT(40); ticks < BIT(40) + 1000; ticks++) {
        uint64_t ns = scale_apply(to_ns, ticks);
        KTEST_ASSERT_GE(test, ns, last);
        last = ns;
    }
}

KTEST(scale, refuses_what_has_no_fraction)
{
    KTEST_EXPECT_PANIC(test, "*from != 0*", (void)scale_make(0, NS_PER_SECOND));
    KTEST_EXPECT_PANIC(test, "*to <= *", (void)scale_make(1, BIT(32)));
}
