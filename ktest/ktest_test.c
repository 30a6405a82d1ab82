// SPDX-License-Identifier: MIT
//
// The framework on itself: what its checks say, in which order its fixtures run. That its failures
// are failures is shown from outside, on tests that must fail.
#include "ktest.h"

#include "format.h"
#include "runner.h"
#include "select.h"

KTEST_ATTR(ktest, trivial_assertion, .proves = "4.7.5");
KTEST(ktest, trivial_assertion)
{
    KTEST_ASSERT_EQ(test, 1, 1);
}

// In C, -1 < 1u is false; a check compares what the numbers mean.
KTEST(ktest, integers_compare_by_value_whatever_their_types)
{
    KTEST_EXPECT_LT(test, -1, 1U);
    KTEST_EXPECT_GT(test, 1U, -1);
    KTEST_EXPECT_NE(test, -1, UINT64_MAX);
    KTEST_EXPECT_LT(test, INT64_MIN, INT64_MAX);
    KTEST_EXPECT_LT(test, INT64_MAX, UINT64_MAX);
    KTEST_EXPECT_LE(test, (signed char)-3, (short)-3);
    KTEST_EXPECT_GE(test, 'b', 'a');
    KTEST_EXPECT_EQ(test, true, 1);
}

// A copy of the test, of which a check may say what it likes.
static struct ktest silent_copy(const struct ktest *test)
{
    struct ktest copy = *test;
    copy.check_count = 0;
    copy.failure_count = 1000; // beyond what is reported
    return copy;
}

KTEST(ktest, every_relation_fails_where_it_should)
{
    struct ktest copy = silent_copy(test);
    KTEST_EXPECT_EQ(&copy, 1, 2);
    KTEST_EXPECT_NE(&copy, 2, 2);
    KTEST_EXPECT_LT(&copy, 2, 2);
    KTEST_EXPECT_LE(&copy, 3, 2);
    KTEST_EXPECT_GT(&copy, 2, 2);
    KTEST_EXPECT_GE(&copy, 1, 2);
    KTEST_EXPECT_TRUE(&copy, 1 > 2);
    KTEST_EXPECT_FALSE(&copy, 1 < 2);
    KTEST_EXPECT_PTR_EQ(&copy, &copy, test);
    KTEST_EXPECT_NULL(&copy, test);
    KTEST_EXPECT_NOT_NULL(&copy, (void *)NULL);
    KTEST_EXPECT_STREQ(&copy, "abc", "abd");
    KTEST_EXPECT_STREQ(&copy, "abc", "ab");
    KTEST_EXPECT_STREQ(&copy, "abc", NULL);
    KTEST_EXPECT_MEMEQ(&copy, "abc", "abd", 3);
    KTEST_EXPECT_MEMEQ(&copy, "abc", NULL, 3);
    KTEST_EXPECT_MEMEQ(&copy, NULL, "abc", 3);
    KTEST_FAIL(&copy, "%s", "always");

    KTEST_EXPECT_EQ(test, copy.failure_count, 1018);
    KTEST_EXPECT_EQ(test, copy.check_count, 18);
}

KTEST(ktest, every_relation_holds_where_it_should)
{
    struct ktest copy = silent_copy(test);
    KTEST_EXPECT_EQ(&copy, 2, 2);
    KTEST_EXPECT_NE(&copy, 1, 2);
    KTEST_EXPECT_LT(&copy, 1, 2);
    KTEST_EXPECT_LE(&copy, 2, 2);
    KTEST_EXPECT_GT(&copy, 3, 2);
    KTEST_EXPECT_GE(&copy, 2, 2);
    KTEST_EXPECT_TRUE(&copy, 1 < 2);
    KTEST_EXPECT_FALSE(&copy, 1 > 2);
    KTEST_EXPECT_PTR_EQ(&copy, test, test);
    KTEST_EXPECT_NULL(&copy, (void *)NULL);
    KTEST_EXPECT_NOT_NULL(&copy, test);
    KTEST_EXPECT_STREQ(&copy, "abc", "abc");
    KTEST_EXPECT_STREQ(&copy, (char *)NULL, NULL);
    KTEST_EXPECT_MEMEQ(&copy, "abc", "abd", 2);
    KTEST_EXPECT_MEMEQ(&copy, NULL, NULL, 3);
    KTEST_EXPECT_MEMEQ(&copy, "abc", NULL, 0);

    KTEST_EXPECT_EQ(test, copy.failure_count, 1000);
    KTEST_EXPECT_EQ(test, copy.check_count, 16);
}

KTEST(ktest, arguments_are_evaluated_once)
{
    int left = 0;
    int right = 0;
    KTEST_EXPECT_EQ(test, ++left, ++right);
    KTEST_EXPECT_EQ(test, left, 1);
    KTEST_EXPECT_EQ(test, right, 1);
}

KTEST(ktest, globs_match_whole_texts)
{
    static const struct {
        const char *glob;
        const char *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "ab", false},
        {"ab", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"*b*", "abc", true},
        {"a*c", "abc", true},
        {"a*d", "abc", false},
        {"?", "a", true},
        {"?", "", false},
        {"a?c", "abc", true},
        {"**a**", "a", true},
        {"*ab", "aab", true},
        {"*a*b", "acab", true},
        {"a*b*c", "abxbyc", true},
        {"[a]", "a", false},
        {"A", "a", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t glob_bytes = __builtin_strlen(cases[i].glob);
        KTEST_EXPECT_EQ_MSG(test, ktest_glob_matches(cases[i].glob, glob_bytes, cases[i].text),
                            cases[i].matches, "%s for %s", cases[i].glob, cases[i].text);
    }
    KTEST_EXPECT_TRUE(test, ktest_glob_matches("ab,cd", 2, "ab")); // the size counts
}

KTEST(ktest, messages_are_formatted)
{
    char text[80];
    ktest_format(text, sizeof(text), "%d %i %u %x %c %s %%", -5, 7, 4000000000U, 0xbeefU, 'z', "s");
    KTEST_EXPECT_STREQ(test, text, "-5 7 4000000000 beef z s %");
    ktest_format(text, sizeof(text), "%ld %lu %llx %zu", INT64_MIN, UINT64_MAX,
                 0xfedcba9876543210ULL, (size_t)1 << 32);
    KTEST_EXPECT_STREQ(test, text,
                       "-9223372036854775808 18446744073709551615 fedcba9876543210 4294967296");
    ktest_format(text, sizeof(text), "%p %s %x", (void *)0x1000, (const char *)NULL, 0U);
    KTEST_EXPECT_STREQ(test, text, "0x1000 (null) 0");
    ktest_format(text, 5, "%s", "abcdefg");
    KTEST_EXPECT_STREQ(test, text, "a...");
}

// Fixtures: what is called for a test is noted, and the exit fixture looks at it.
static char calls[8];
static size_t call_count;
static unsigned suite_inits;
static unsigned inits;
static unsigned exits;

static void note(char c)
{
    if (call_count < sizeof(calls) - 1) {
        calls[call_count++] = c;
    }
    calls[call_count] = 0;
}

static void suite_init(struct ktest *test)
{
    (void)test;
    suite_inits++;
}

static void suite_exit(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, suite_inits, 1);
    KTEST_EXPECT_GE(test, inits, 1);
    KTEST_EXPECT_EQ(test, exits, inits);
}

static void init(struct ktest *test)
{
    KTEST_EXPECT_EQ(test, suite_inits, 1);
    inits++;
    call_count = 0;
    note('i');
}

static void exit(struct ktest *test)
{
    exits++;
    note('x');
    KTEST_EXPECT_STREQ(test, calls, "ibx");
}

KTEST_SUITE(ktest_fixtures, .suite_init = suite_init, .suite_exit = suite_exit, .init = init,
            .exit = exit);

KTEST(ktest_fixtures, run_around_the_body)
{
    note('b');
    KTEST_EXPECT_STREQ(test, calls, "ib");
}

KTEST_ATTR(ktest_fixtures, run_after_a_fault, .outcome = KTEST_FAULT(UD));
KTEST(ktest_fixtures, run_after_a_fault)
{
    KTEST_ARM(test);
    note('b');
    __asm__ volatile("ud2");
}

// The watchdog of the kernel, not of the harness.
KTEST_ATTR(ktest, hang_is_ended_by_the_watchdog, .speed = KTEST_SPEED_SLOW, .outcome = KTEST_HANG,
           .timeout_ms = 20, .needs = KTEST_NEEDS_APIC);
KTEST(ktest, hang_is_ended_by_the_watchdog)
{
    KTEST_ARM(test);
    for (;;) {
        __asm__ volatile(""); // a pause would leave QEMU's fast loop
    }
}
