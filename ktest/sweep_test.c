// SPDX-License-Identifier: MIT
//
// How often a test runs whose allocations have to fail, and what is said of it: here of copies,
// whose runs are made up. That runs are what they say is for the kernels that ktest lives in.
#include "sweep.h"

#include "format.h"
#include "report.h"
#include "select.h"

static unsigned rerun_count;
static unsigned swept_count;

static void count_rerun(const struct ktest *test)
{
    (void)test;
    rerun_count++;
}

static void count_swept(const struct ktest *test, uint64_t runs)
{
    (void)test;
    (void)runs;
    swept_count++;
}

static const char *argument;

static const char *fake_argument(const char *key)
{
    (void)key;
    return argument;
}

static bool cannot(uint64_t nth)
{
    (void)nth;
    return false;
}

static void read_argument_again(void *unused)
{
    (void)unused;
    (void)sweep_read_argument();
}

// Behind all stubs.
static void init(struct ktest *test)
{
    ktest_add_action(test, read_argument_again, NULL);
}

KTEST_SUITE(sweep, .init = init);

static struct ktest copy_with(const struct ktest *test, const struct ktest_attr *attr)
{
    struct ktest copy = *test;
    copy.attr = attr;
    copy.outcome = &attr->outcome;
    copy.check_count = copy.failure_count = 0;
    copy.note_count = 1000; // none is written
    copy.nth = 0;
    copy.is_counted = copy.is_lenient = copy.has_allocation_failed = false;
    return copy;
}

// Runs the copy as long as it goes on; each run asks for so many allocations as long as none fails.
static void run_all(struct ktest *copy, struct sweep *sweep, uint64_t allocations)
{
    rerun_count = swept_count = 0;
    copy->allocation_count = copy->is_counted ? allocations : 0;
    while (sweep_goes_on(copy, sweep)) {
        copy->has_allocation_failed = copy->nth <= allocations;
        copy->allocation_count = copy->has_allocation_failed ? copy->nth : allocations;
    }
}

struct sweep_case {
    uint32_t fail_nth;
    const char *argument;
    uint64_t allocations;
    unsigned reruns;
    unsigned swept;
    enum ktest_verdict verdict;
    const char *reason;
};

static const struct sweep_case cases[] = {
    {0, NULL, 3, 0, 0, KTEST_VERDICT_PASS, ""},
    {5, NULL, 3, 4, 1, KTEST_VERDICT_PASS, ""},
    {3, NULL, 3, 4, 1, KTEST_VERDICT_PASS, ""},
    {2, NULL, 3, 3, 0, KTEST_VERDICT_FAIL, "more than 2 allocations, which is its .fail_nth"},
    {5, NULL, 0, 1, 1, KTEST_VERDICT_ERROR, "it has .fail_nth, and allocates nothing"},
    {5, "all", 3, 4, 1, KTEST_VERDICT_PASS, ""},
    {5, "3", 3, 1, 1, KTEST_VERDICT_PASS, ""},
    {5, "7", 3, 1, 1, KTEST_VERDICT_PASS, ""},
    {0, "all", 3, 4, 1, KTEST_VERDICT_PASS, ""},
    {0, "all", 0, 0, 1, KTEST_VERDICT_PASS, ""},
    {0, "all", 1000, 100, 1, KTEST_VERDICT_PASS, ""},
    {0, "200", 1000, 1, 1, KTEST_VERDICT_PASS, ""},
};

static void describe(const struct sweep_case *param, char *text_out, size_t size_bytes)
{
    ktest_format(text_out, size_bytes, "limit %u, argument %s, %llu allocations", param->fail_nth,
                 param->argument != NULL ? param->argument : "none",
                 (unsigned long long)param->allocations);
}

KTEST_PARAM(sweep, runs_until_one_needs_no_more, cases, describe)
{
    const struct ktest_attr attr = {.fail_nth = param->fail_nth};
    struct ktest copy = copy_with(test, &attr);
    struct sweep sweep;
    KTEST_STUB(test, report_rerun, count_rerun);
    KTEST_STUB(test, report_swept, count_swept);
    KTEST_STUB(test, ktest_port_argument, fake_argument);
    argument = param->argument;
    const char *refusal = sweep_read_argument();
    if (refusal != NULL || !sweep_prepare(&copy, &sweep)) {
        ktest_skip(test, "this kernel can't make an allocation fail");
    }
    run_all(&copy, &sweep, param->allocations);
    KTEST_EXPECT_EQ(test, rerun_count, param->reruns);
    KTEST_EXPECT_EQ(test, swept_count, param->swept);
    KTEST_EXPECT_EQ(test, copy.note_count == 0, rerun_count != 0); // each run may write its own
    KTEST_EXPECT_EQ(test, (int)copy.verdict, (int)param->verdict);
    KTEST_EXPECT_STREQ(test, copy.verdict != KTEST_VERDICT_PASS ? copy.reason : "", param->reason);
}

// A run that goes wrong is the last; so is one of a kernel that can't be relied on.
KTEST(sweep, ends_where_something_goes_wrong)
{
    static const struct {
        uint64_t failure_count;
        enum ktest_verdict verdict;
        bool has_allocation_failed;
        uint64_t allocation_count;
        const char *distrust;
        const char *reason;
    } ends[] = {
        {1, KTEST_VERDICT_PASS, true, 2, NULL, ""},
        {0, KTEST_VERDICT_FAIL, true, 2, NULL, "as it was"},
        {0, KTEST_VERDICT_PASS, false, 2, NULL,
         "the kernel was to make allocation 2 of 2 fail, and did not"},
        {0, KTEST_VERDICT_PASS, true, 1, NULL,
         "the kernel was to make allocation 2 of 1 fail, and did so with another"},
        {0, KTEST_VERDICT_PASS, true, 2, "a lock",
         "allocations behind this one can't be tried: a lock"},
    };
    const struct ktest_attr attr = {.fail_nth = 5};
    KTEST_STUB(test, report_rerun, count_rerun);
    KTEST_STUB(test, report_swept, count_swept);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct ktest copy = copy_with(test, &attr);
        struct sweep sweep = {1, 6, 5, 2};
        copy.nth = 2;
        copy.failure_count = ends[i].failure_count;
        copy.verdict = ends[i].verdict;
        ktest_format(copy.reason, sizeof(copy.reason), "%s", ends[i].reason);
        copy.has_allocation_failed = ends[i].has_allocation_failed;
        copy.allocation_count = ends[i].allocation_count;
        copy.distrust = ends[i].distrust;
        rerun_count = swept_count = 0;
        KTEST_EXPECT_FALSE(test, sweep_goes_on(&copy, &sweep));
        KTEST_EXPECT_EQ(test, rerun_count + swept_count, 0);
        KTEST_EXPECT_STREQ(test, copy.reason, ends[i].reason);
    }
}

KTEST(sweep, is_refused_where_it_makes_no_sense)
{
    static const struct ktest_attr attrs[] = {
        {.fail_nth = 5, .outcome = KTEST_PANIC("*")},
        {.fail_nth = 5, .outcome = KTEST_HANG},
        {.fail_nth = 5, .inject = KTEST_INJECT_NMI},
    };
    struct sweep sweep;
    for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
        struct ktest copy = copy_with(test, &attrs[i]);
        KTEST_EXPECT_FALSE(test, sweep_prepare(&copy, &sweep));
        KTEST_EXPECT_EQ(test, (int)copy.verdict, KTEST_VERDICT_ERROR);
    }
    const struct ktest_attr fine = {.fail_nth = 5};
    struct ktest_record bench = *test->record;
    bench.kind = KTEST_RECORD_BENCH;
    struct ktest copy = copy_with(test, &fine);
    copy.record = &bench;
    KTEST_EXPECT_FALSE(test, sweep_prepare(&copy, &sweep));
    KTEST_EXPECT_EQ(test, (int)copy.verdict, KTEST_VERDICT_ERROR);
}

KTEST(sweep, needs_a_kernel_that_can)
{
    const struct ktest_attr attr = {.fail_nth = 5};
    struct ktest copy = copy_with(test, &attr);
    struct sweep sweep;
    KTEST_STUB(test, ktest_port_allocations_start, cannot);
    KTEST_EXPECT_FALSE(test, sweep_prepare(&copy, &sweep));
    KTEST_EXPECT_EQ(test, (int)copy.verdict, KTEST_VERDICT_ERROR);
    KTEST_EXPECT_STREQ(test, copy.reason,
                       ".fail_nth: this kernel can't make an allocation fail "
                       "(ktest_port_allocations_start)");
}

KTEST(sweep, argument_is_all_or_a_number)
{
    static const char unknown[] =
        "ktest.fail_nth is neither all nor the number of an allocation, 1 to 10000";
    static const char impossible[] = "ktest.fail_nth: this kernel can't make an allocation fail";
    static const struct {
        const char *argument;
        const char *refusal;
    } arguments[] = {
        {"", unknown},      {"none", unknown},     {"alles", unknown}, {"0", unknown},
        {"10001", unknown}, {"1x", unknown},       {"-1", unknown},    {"all", impossible},
        {"1", impossible},  {"10000", impossible},
    };
    KTEST_STUB(test, ktest_port_argument, fake_argument);
    KTEST_STUB(test, ktest_port_allocations_start, cannot);
    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
        argument = arguments[i].argument;
        KTEST_EXPECT_STREQ(test, sweep_read_argument(), arguments[i].refusal);
    }
    argument = NULL;
    KTEST_EXPECT_NULL(test, sweep_read_argument());
}

// --- Failed checks ------------------------------------------------------------------------------

KTEST(sweep, only_runs_that_nobody_wrote_the_test_for_are_lenient)
{
    const struct ktest_attr attr = {.fail_nth = 0};
    struct ktest copy = copy_with(test, &attr);
    copy.is_lenient = true;
    KTEST_EXPECT_FALSE(test, sweep_is_lenient(&copy)); // its first run
    copy.nth = 1;
    copy.lenience[0] = 0;
    KTEST_EXPECT_TRUE(test, sweep_is_lenient(&copy));
    KTEST_EXPECT_EQ(&copy, 1, 2);
    KTEST_EXPECT_EQ(&copy, 3, 4);
    KTEST_EXPECT_EQ(test, copy.failure_count, 0);
    KTEST_EXPECT_EQ(test, copy.check_count, 2);
    bool is_first = ktest_glob_matches("*: 1 == 2: 1 against 2*", 23, copy.lenience);
    KTEST_EXPECT_TRUE_MSG(test, is_first, "%s", copy.lenience);
}
