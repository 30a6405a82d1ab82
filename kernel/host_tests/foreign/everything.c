// SPDX-License-Identifier: MIT
//
// Everything that ktest.h offers, once, in the words that C and C++ have in common: test_port.py
// compiles it as both, with every compiler that it finds, and compares the records.
#include "ktest/ktest.h"

enum colour { RED, GREEN = 200 };
typedef unsigned char byte_t;

struct point {
    int x, y;
};

extern volatile uint64_t watched;
int add(int left, int right);
int add_wrongly(int left, int right);
void poke(uint64_t value);
void lock_twice(void);

static void set_up(struct ktest *test)
{
    (void)test;
}

KTEST_SUITE(all, .suite_init = set_up, .suite_exit = set_up, .init = set_up, .exit = set_up);
KTEST_SUITE(some, .exit = set_up);

KTEST(all, plain)
{
    (void)test;
}

KTEST_ATTR(all, attributes_before, .isolation = KTEST_ISOLATION_BOOT, .timeout_ms = 500,
           .needs = KTEST_NEEDS_VGA, .speed = KTEST_SPEED_SLOW, .inject = KTEST_INJECT_NMI,
           .known_bug = "not yet", .proves = "1.2 3.4");
KTEST(all, attributes_before)
{
    (void)test;
}

KTEST_ATTR(all, allocations_that_fail, .timeout_ms = 5, .fail_nth = 3);
KTEST(all, allocations_that_fail)
{
    KTEST_EXPECT_FALSE(test, ktest_allocation_failed(test));
}

KTEST(all, attributes_behind)
{
    KTEST_ARM(test);
    poke(1);
}
KTEST_ATTR(all, attributes_behind,
           .outcome = KTEST_FAULT(PF, .error = 2, .mask = 7, .addr = KTEST_ADDR(&watched), .ist = 1,
                                  .symbol = "poke"));

KTEST_ATTR(ends, fault_without_fields, .outcome = KTEST_FAULT(UD));
KTEST(ends, fault_without_fields)
{
    KTEST_ARM(test);
}

KTEST_ATTR(ends, fault_in_a_range,
           .outcome = KTEST_FAULT(PF, .addr = KTEST_ADDR_RANGE(&watched, sizeof(watched))));
KTEST(ends, fault_in_a_range)
{
    KTEST_ARM(test);
}

KTEST_ATTR(ends, panic, .outcome = KTEST_PANIC("taken *"), .proves = "4.5");
KTEST(ends, panic)
{
    KTEST_ARM(test);
    lock_twice();
}

KTEST_ATTR(ends, triple_fault, .outcome = KTEST_TRIPLE_FAULT);
KTEST(ends, triple_fault)
{
    KTEST_ARM(test);
}

KTEST_ATTR(ends, hang, .outcome = KTEST_HANG, .timeout_ms = 200);
KTEST(ends, hang)
{
    KTEST_ARM(test);
}

static const struct ktest_quirk quirks[] = {
    {{KTEST_OUTCOME_HANG, 0, 0, 0, {0, 0}, 0, 0, NULL, NULL},
     KTEST_ACCEL_KVM,
     KTEST_QEMU(5, 2),
     KTEST_QEMU(9, 0),
     0,
     "not there"},
};
KTEST_ATTR(ends, quirks, .quirk_count = 1, .quirks = quirks);
KTEST(ends, quirks)
{
    (void)test;
}

static const struct point points[] = {{1, 2}, {3, 4}, {5, 6}};

static void describe(const struct point *param, char *text_out, size_t size_bytes)
{
    text_out[0] = (char)('0' + param->x);
    (void)size_bytes;
}

KTEST_PARAM(params, described, points, describe)
{
    KTEST_EXPECT_EQ(test, param->x + 1, param->y);
}

KTEST_PARAM(params, silent, points, NULL)
{
    KTEST_ASSERT_LT(test, param->x, param->y);
    KTEST_EXPECT_EQ(test, ktest_param_index(test), 0);
}
KTEST_ATTR(params, silent, .proves = "6.7");

KTEST_BENCH(speed, addition)
{
    int sum = 0;
    while (ktest_bench_next(test)) {
        sum = add(sum, 1);
    }
    KTEST_EXPECT_GT(test, sum, 0);
}

#define CHECK_ALL(kind_)                                                                           \
    KTEST_##kind_##_TRUE(test, number == 3 && flag);                                               \
    KTEST_##kind_##_FALSE(test, numbers == NULL);                                                  \
    KTEST_##kind_##_EQ(test, number, 3u);                                                          \
    KTEST_##kind_##_EQ(test, GREEN, small);                                                        \
    KTEST_##kind_##_EQ(test, flag, true);                                                          \
    KTEST_##kind_##_NE(test, -1, UINT64_MAX);                                                      \
    KTEST_##kind_##_LT(test, letter, 300L);                                                        \
    KTEST_##kind_##_LE(test, watched, UINT64_MAX);                                                 \
    KTEST_##kind_##_GT(test, (short)2, (signed char)1);                                            \
    KTEST_##kind_##_GE(test, 1LL, 1ULL);                                                           \
    KTEST_##kind_##_PTR_EQ(test, &numbers[0], numbers);                                            \
    KTEST_##kind_##_PTR_EQ(test, &watched, NULL);                                                  \
    KTEST_##kind_##_NULL(test, nothing);                                                           \
    KTEST_##kind_##_NOT_NULL(test, numbers);                                                       \
    KTEST_##kind_##_STREQ(test, ktest_name(test), "all");                                          \
    KTEST_##kind_##_MEMEQ(test, numbers, points, sizeof(numbers));                                 \
    KTEST_##kind_##_TRUE_MSG(test, flag, "plain");                                                 \
    KTEST_##kind_##_FALSE_MSG(test, !flag, "%d", number);                                          \
    KTEST_##kind_##_EQ_MSG(test, number, 3, "%s of %d", "some", 3);                                \
    KTEST_##kind_##_NE_MSG(test, number, 4, "%p", nothing);                                        \
    KTEST_##kind_##_LT_MSG(test, number, 4, "less");                                               \
    KTEST_##kind_##_LE_MSG(test, number, 4, "less");                                               \
    KTEST_##kind_##_GT_MSG(test, number, 2, "more");                                               \
    KTEST_##kind_##_GE_MSG(test, number, 2, "more");                                               \
    KTEST_##kind_##_PTR_EQ_MSG(test, nothing, NULL, "same");                                       \
    KTEST_##kind_##_NULL_MSG(test, nothing, "nothing");                                            \
    KTEST_##kind_##_NOT_NULL_MSG(test, numbers, "something");                                      \
    KTEST_##kind_##_STREQ_MSG(test, "one", "two", "%d", 1);                                        \
    KTEST_##kind_##_MEMEQ_MSG(test, numbers, points, sizeof(numbers), "%d", 1)

KTEST(checks, each_in_each_form)
{
    int number = add(1, 2);
    bool flag = number > 0;
    char letter = 'a';
    byte_t small = GREEN;
    void *nothing = NULL;
    int numbers[2] = {1, 2};
    CHECK_ALL(EXPECT);
    CHECK_ALL(ASSERT);
    CHECK_ALL(ASSUME);
    KTEST_FAIL(test, "not reached: %d", number);
    ktest_skip(test, "%s", "enough");
}

KTEST(attempts, nested_and_in_a_loop)
{
    uint64_t sum = 0;
    for (int i = 0; i < add(1, 2); i++) {
        uint64_t value = (uint64_t)i;
        KTEST_EXPECT_FAULT(test, PF, 2, poke(value));
        KTEST_EXPECT_PANIC(test, "taken*", lock_twice(); poke(sum));
        KTEST_ASSERT_FAULT(test, GP, 0, KTEST_EXPECT_PANIC(test, "*", lock_twice()); poke(value));
        KTEST_ASSERT_PANIC(test, "*", {
            for (int j = 0; j < i; j++) {
                KTEST_EXPECT_FAULT(test, UD, 0, poke(value));
                KTEST_EXPECT_EQ(test, ktest_last_fault(test)->vector, KTEST_VECTOR_UD);
            }
        });
        sum += value;
    }
    KTEST_EXPECT_EQ(test, sum, 3);
}

static void give_back(void *context)
{
    (void)context;
}

KTEST(during, stubs_and_actions)
{
    static int resource;
    KTEST_STUB(test, add, add_wrongly);
    KTEST_EXPECT_EQ(test, add(1, 1), 3);
    KTEST_ASSERT_TRUE(test, ktest_add_action(test, give_back, &resource));
    ktest_remove_action(test, give_back, &resource);
    ktest_release_action(test, give_back, &resource);
}
