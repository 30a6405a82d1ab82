// SPDX-License-Identifier: MIT
//
// A function replaced for one test. The victim is one of ktest's own that nobody calls while tests
// run; the last action of each test looks whether it is itself again.
#include "ktest.h"
#include "registry.h"
#include "runner.h"

static uint64_t one(uint64_t seed, const char *suite, const char *name)
{
    return seed + (suite == name) + 1;
}

static uint64_t two(uint64_t seed, const char *suite, const char *name)
{
    return seed + (suite == name) + 2;
}

static uint64_t original;

static void expect_original(void *context)
{
    struct ktest *test = context;
    KTEST_EXPECT_EQ(test, registry_hash(0, "a", "b"), original);
}

// Added first, so called last, when the stubs are gone.
static void init(struct ktest *test)
{
    original = registry_hash(0, "a", "b");
    KTEST_EXPECT_GT(test, original, 2);
    ktest_add_action(test, expect_original, test);
}

KTEST_SUITE(stub, .init = init);

KTEST(stub, calls_land_in_the_replacement)
{
    KTEST_STUB(test, registry_hash, one);
    KTEST_EXPECT_EQ(test, registry_hash(0, "a", "b"), 1);
    KTEST_EXPECT_EQ(test, registry_hash(40, "a", "b"), 41); // arguments arrive
}

KTEST(stub, may_be_replaced_itself)
{
    KTEST_STUB(test, registry_hash, one);
    KTEST_STUB(test, registry_hash, two);
    KTEST_EXPECT_EQ(test, registry_hash(0, "a", "b"), 2);
}

// A jump of five bytes where that reaches. The far one is looked at, and not taken: nothing that
// could be called lies so far away.
KTEST(stub, jump_is_as_long_as_its_distance_asks_for)
{
    const uint8_t *code = (const uint8_t *)(uintptr_t)registry_hash;
    ktest_stub(test, (uintptr_t)registry_hash, 0x1122334455667788);
    KTEST_EXPECT_MEMEQ(test, code, "\xff\x25\0\0\0\0\x88\x77\x66\x55\x44\x33\x22\x11", 14);
    KTEST_STUB(test, registry_hash, one);
    KTEST_EXPECT_EQ(test, code[0], 0xe9);
    KTEST_EXPECT_EQ(test, code[5], 0); // the far one's, still
    KTEST_EXPECT_EQ(test, registry_hash(40, "a", "b"), 41);
}

static void do_nothing(void *context)
{
    (void)context;
}

// It could not be put back.
KTEST(stub, there_is_none_without_room_for_its_action)
{
    struct ktest copy = *test;
    while (ktest_add_action(&copy, do_nothing, NULL)) {
    }
    KTEST_STUB(&copy, registry_hash, one);
    KTEST_EXPECT_EQ(test, registry_hash(0, "a", "b"), original);
}

KTEST_ATTR(stub, ends_with_a_test_that_dies, .outcome = KTEST_FAULT(UD));
KTEST(stub, ends_with_a_test_that_dies)
{
    KTEST_STUB(test, registry_hash, one);
    KTEST_ARM(test);
    __asm__ volatile("ud2");
}

KTEST(stub, too_many_are_an_error)
{
    struct ktest copy = *test;
    for (unsigned i = 0; i < 16; i++) {
        KTEST_STUB(&copy, registry_hash, one);
        KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_PASS);
    }
    KTEST_STUB(&copy, registry_hash, two);
    KTEST_EXPECT_EQ(test, copy.verdict, KTEST_VERDICT_ERROR);
    KTEST_EXPECT_EQ(test, registry_hash(0, "a", "b"), 1);
}
