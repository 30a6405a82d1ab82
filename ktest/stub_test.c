// SPDX-License-Identifier: MIT
//
// A function replaced for one test. The victim is one of ktest's own that no runner calls while a
// test runs; what it does otherwise is looked at in the exit fixture, when the stubs are still there,
// and by the test that comes with none.
#include "format.h"
#include "ktest.h"
#include "runner.h"

static size_t write_nothing(char *digits_out, uint64_t value)
{
    digits_out[0] = '?';
    digits_out[1] = 0;
    return value == 7 ? 1 : 2;
}

static size_t write_star(char *digits_out, uint64_t value)
{
    digits_out[0] = '*';
    digits_out[1] = 0;
    return value == 7 ? 1 : 2;
}

static size_t (*volatile victim)(char *, uint64_t) = ktest_write_hex;

static const char *result(void)
{
    static char text[20];
    text[0] = 0;
    victim(text, 7);
    return text;
}

static void expect_original(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_STREQ(test, result(), "7");
}

// Added first, so called last, when the stubs are gone.
static void init(struct ktest *test)
{
    ktest_add_action(test, expect_original, test);
    KTEST_EXPECT_STREQ(test, result(), "7");
}

KTEST_SUITE(stub, .init = init);

KTEST(stub, calls_land_in_the_replacement)
{
    KTEST_STUB(test, ktest_write_hex, write_nothing);
    KTEST_EXPECT_STREQ(test, result(), "?");
}

KTEST(stub, may_be_replaced_itself)
{
    KTEST_STUB(test, ktest_write_hex, write_nothing);
    KTEST_STUB(test, ktest_write_hex, write_star);
    KTEST_EXPECT_STREQ(test, result(), "*");
}

KTEST_ATTR(stub, ends_with_a_test_that_dies, .outcome = KTEST_FAULT(UD));
KTEST(stub, ends_with_a_test_that_dies)
{
    KTEST_STUB(test, ktest_write_hex, write_nothing);
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

KTEST(stub, too_many_are_an_error)
{
    struct ktest copy = *test;
    for (unsigned i = 0; i < 17; i++) {
        KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_PASS);
        KTEST_STUB(&copy, ktest_write_hex, write_nothing);
    }
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_ERROR);
}
