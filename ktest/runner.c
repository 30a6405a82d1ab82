// SPDX-License-Identifier: MIT
//
// Runs the selected tests, suite by suite: their fixtures, bodies and actions, one function after
// the other, and what follows from how each of them ended.
#include "runner.h"

#include "format.h"
#include "port.h"
#include "registry.h"
#include "report.h"
#include "select.h"
#include "sweep.h"
#include "verdict.h"

#define ORDER_MAX 64
#define TIMEOUT_MS_DEFAULT 10000

static struct report_totals totals;
static bool is_alone; // without the harness: ktest_run_here

// --- The functions of a test --------------------------------------------------------------------

struct invocation {
    ktest_function_t *function;
    struct ktest *test;
};

static void invoke(void *context)
{
    const struct invocation *invocation = context;
    invocation->function(invocation->test);
}

static enum ktest_ending call(struct ktest *test, ktest_function_t *function, bool is_body)
{
    struct invocation invocation = {function, test};
    test->is_body = is_body;
    test->ending = KTEST_ENDING_RETURNED;
    return function != NULL ? ktest_call(test, invoke, &invocation) : KTEST_ENDING_RETURNED;
}

// Body, test fixtures and actions; whether the test skipped itself.
static bool run_functions(struct ktest *test, const struct ktest_suite_ops *ops)
{
    enum ktest_ending ending = call(test, ops->init, false);
    verdict_of_fixture(test, ending, "init");
    if (ending == KTEST_ENDING_RETURNED) {
        sweep_body_begin(test);
        ending = call(test, test->record->run, true);
        sweep_body_end(test, ending);
        if (ending != KTEST_ENDING_SKIPPED) {
            verdict_of_body(test);
        }
        ktest_bench_report(test);
    }
    bool is_skipped = ending == KTEST_ENDING_SKIPPED;
    verdict_of_fixture(test, call(test, ops->exit, false), "exit");
    ktest_run_actions(test, false);
    return is_skipped;
}

static bool run_once(struct ktest *test, const struct ktest_suite_ops *ops)
{
    verdict_save_invariants();
    bool is_skipped = run_functions(test, ops);
    verdict_check_invariants(test);
    return is_skipped;
}

// As often as its allocations have to fail, and once without; whether the test skipped itself then.
static bool run_each_time(struct ktest *test, const struct ktest_suite_ops *ops)
{
    struct sweep sweep;
    if (!sweep_prepare(test, &sweep)) {
        return false;
    }
    bool is_skipped = run_once(test, ops);
    while (!is_skipped && sweep_goes_on(test, &sweep)) {
        (void)run_once(test, ops);
    }
    return is_skipped;
}

// --- Orders -------------------------------------------------------------------------------------

static bool string_equals(const char *left, const char *right)
{
    while (*left != 0 && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

static void obey(const char *order)
{
    bool is_stop = string_equals(order, "stop");
    totals.is_stopped |= is_stop;
    report_order(order, is_stop);
}

// Reads what has come in on the protocol port; a line may come in pieces.
static void read_orders(void)
{
    static char order[ORDER_MAX];
    static size_t used;
    char byte;
    while (ktest_port_try_read(&byte)) {
        if (byte == '\n') {
            order[used] = 0;
            used = 0;
            obey(order);
        } else if (used < ORDER_MAX - 1) {
            order[used++] = byte;
        }
    }
}

// --- Suites -------------------------------------------------------------------------------------

// A suite's tests are the records [first, end); `ops` its fixtures.
struct suite {
    const char *name;
    const struct ktest_record **first;
    const struct ktest_record **end;
    const struct ktest_suite_ops *ops;
    uint64_t registered;
    uint64_t selected;
    uint64_t first_runnable; // numbers, counted from 1 among the selected: those that the machine
    uint64_t last_runnable;  // has everything for; 0: none
    uint64_t number;         // of the running test
    const char *broken;      // why none of its tests runs: suite_init failed; else NULL
};

static const struct ktest_suite_ops no_fixtures;

static void count_record(struct suite *suite, const struct ktest_record *record)
{
    size_t count = select_test_count(record);
    suite->registered += count;
    for (size_t index = 0; index < count; index++) {
        if (!select_includes(record, index)) {
            continue;
        }
        suite->selected++;
        if (select_obstacle(record) == NULL) {
            suite->last_runnable = suite->selected;
            suite->first_runnable += suite->first_runnable == 0 ? suite->selected : 0;
        }
    }
}

static struct suite suite_at(const struct ktest_record **first)
{
    struct suite suite = {.name = (*first)->suite, .first = first, .end = first};
    suite.ops = (*first)->kind == KTEST_RECORD_SUITE ? (*first)->ops : &no_fixtures;
    while (suite.end < ktest_records_end && string_equals((*suite.end)->suite, suite.name)) {
        count_record(&suite, *suite.end++);
    }
    return suite;
}

static enum ktest_ending call_suite_fixture(struct ktest *test, ktest_function_t *function)
{
    test->is_in_suite_fixture = true;
    enum ktest_ending ending = call(test, function, false);
    test->is_in_suite_fixture = false;
    return ending;
}

// What went wrong with the suite_init that ran in this test; NULL if nothing did.
static const char *failure_of_suite_init(const struct ktest *test, enum ktest_ending ending)
{
    static char text[KTEST_TEXT_MAX];
    const char *name = test->record->name;
    if (verdict_has_died(ending)) {
        ktest_format(text, sizeof(text), "suite_init failed, in %s: %s", name, test->event);
    } else if (ending == KTEST_ENDING_SKIPPED) {
        ktest_format(text, sizeof(text), "suite_init failed, in %s: it skipped: %s", name,
                     test->reason);
    } else if (ending != KTEST_ENDING_RETURNED || test->failure_count != 0) {
        ktest_format(text, sizeof(text), "suite_init failed, in %s: %llu of %llu checks failed",
                     name, (unsigned long long)test->failure_count,
                     (unsigned long long)test->check_count);
    } else {
        return NULL;
    }
    return text;
}

// A suite's own fixtures run within its first and its last test: so what they do has a verdict.
// When suite_init fails, no test of the suite runs.
static void run_in_suite(struct ktest *test, struct suite *suite)
{
    if (suite->number == suite->first_runnable) {
        enum ktest_ending ending = call_suite_fixture(test, suite->ops->suite_init);
        verdict_of_fixture(test, ending, "suite_init");
        suite->broken = failure_of_suite_init(test, ending);
    }
    bool is_skipped = false;
    if (suite->broken != NULL) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "%s", suite->broken);
    } else {
        is_skipped = run_each_time(test, suite->ops);
    }
    if (suite->number == suite->last_runnable) {
        verdict_of_fixture(test, call_suite_fixture(test, suite->ops->suite_exit), "suite_exit");
        ktest_run_actions(test, true);
    }
    verdict_of_checks(test, is_skipped);
}

static uint64_t default_timeout_ms(void)
{
    const char *text = ktest_port_argument("ktest.timeout_ms");
    uint64_t value = 0;
    bool is_given = text != NULL && select_parse_number(&text, &value) && value != 0;
    return is_given ? value : TIMEOUT_MS_DEFAULT;
}

static void prepare(struct ktest *test, const struct ktest_record *record, size_t index)
{
    const struct ktest_attr *attr = select_attr(record);
    const struct ktest_quirk *quirk = select_quirk(record);
    *test = (struct ktest){.record = record, .attr = attr, .param_index = index};
    test->outcome = quirk != NULL && quirk->skip == NULL ? &quirk->outcome : &attr->outcome;
    test->timeout_ms = attr->timeout_ms != 0 ? attr->timeout_ms : default_timeout_ms();
    ktest_bench_begin();
}

static void describe(void *context)
{
    struct ktest *test = context;
    test->record->describe(test->param_index, test->event, sizeof(test->event) - 1);
}

static void describe_param(struct ktest *test)
{
    if (test->record->param_count == 0) {
        return;
    }
    test->is_param_due = true;
    if (test->record->describe != NULL) {
        verdict_of_fixture(test, ktest_call(test, describe, test),
                           "the description of a parameter");
    }
    report_param(test, test->event);
}

// Whoever looks at the console gets to know, too.
static void tell(const struct ktest *test)
{
    char name[SELECT_NAME_MAX];
    select_full_name(name, test->record, test->param_index);
    ktest_port_verdict(name, report_verdict_name(test->verdict),
                       test->verdict != KTEST_VERDICT_PASS ? test->reason : "");
}

// Why the test can't run: the machine lacks something, or there is nobody to boot it again or to do
// something to it from outside.
static const char *obstacle_of(const struct ktest *test)
{
    bool needs_harness = test->outcome->kind == KTEST_OUTCOME_TRIPLE_FAULT ||
                         test->attr->isolation == KTEST_ISOLATION_BOOT ||
                         test->attr->inject != KTEST_INJECT_NONE;
    return is_alone && needs_harness ? "needs the harness" : select_obstacle(test->record);
}

// NULL, or why the next test needs another boot.
static const char *run_test(struct suite *suite, const struct ktest_record *record, size_t index)
{
    static struct ktest test;
    prepare(&test, record, index);
    suite->number++;
    report_begin(&test);
    uint64_t start = ktest_port_cycles();
    describe_param(&test);
    const char *obstacle = obstacle_of(&test);
    if (obstacle != NULL) {
        ktest_judge(&test, KTEST_VERDICT_SKIP, "%s", obstacle);
    } else {
        run_in_suite(&test, suite);
        verdict_of_known_bug(&test);
    }
    report_end(&test, suite->number, ktest_port_cycles() - start);
    tell(&test);
    totals.tests++;
    totals.by_verdict[test.verdict]++;
    return test.distrust;
}

static uint64_t bad_count(void)
{
    return totals.by_verdict[KTEST_VERDICT_FAIL] + totals.by_verdict[KTEST_VERDICT_ERROR];
}

// Whether the next test may run: nobody has ordered otherwise, and the kernel can be relied on.
static bool goes_on(const char *distrust)
{
    read_orders();
    if (!totals.is_stopped && bad_count() != 0 && ktest_port_argument("ktest.stop") != NULL) {
        obey("stop");
    }
    if (!totals.is_stopped && distrust != NULL) {
        totals.is_stopped = true;
        totals.is_restarting = true;
        report_restart(distrust);
    }
    return !totals.is_stopped;
}

// Returns why the next test needs another boot, NULL if it does not.
static const char *run_suite(struct suite *suite, uint64_t suite_number)
{
    uint64_t bad_before = bad_count();
    const char *distrust = NULL;
    report_suite_begin(suite->name, suite->selected);
    for (const struct ktest_record **record = suite->first; record < suite->end; record++) {
        size_t count = select_test_count(*record);
        for (size_t index = 0; index < count; index++) {
            if (!select_includes(*record, index)) {
                continue;
            }
            if (!goes_on(distrust)) {
                return NULL;
            }
            distrust = run_test(suite, *record, index);
        }
    }
    report_suite_end(suite->name, suite_number, bad_count() == bad_before);
    return distrust;
}

// --- The run ------------------------------------------------------------------------------------

static enum ktest_exit exit_value(void)
{
    if (totals.is_restarting) {
        return KTEST_EXIT_RESTART;
    }
    if (totals.by_verdict[KTEST_VERDICT_ERROR] != 0) {
        return KTEST_EXIT_ERROR;
    }
    return totals.by_verdict[KTEST_VERDICT_FAIL] != 0 ? KTEST_EXIT_FAIL : KTEST_EXIT_PASS;
}

// The seed of ktest.seed in *seed_out, *has_seed_out: whether there is one. NULL, or what is wrong.
static const char *read_seed(uint64_t *seed_out, bool *has_seed_out)
{
    const char *text = ktest_port_argument("ktest.seed");
    *has_seed_out = text != NULL;
    if (text != NULL && (!select_parse_number(&text, seed_out) || *text != 0)) {
        return "ktest.seed is not a number";
    }
    return NULL;
}

static void plan(const uint64_t *seed)
{
    uint64_t test_count = 0;
    uint64_t selected_count = 0;
    uint64_t suite_count = 0;
    for (const struct ktest_record **next = ktest_records_start; next < ktest_records_end;) {
        struct suite suite = suite_at(next);
        test_count += suite.registered;
        selected_count += suite.selected;
        suite_count += suite.selected != 0;
        next = suite.end;
    }
    report_header(test_count, selected_count, seed);
    report_plan(suite_count);
}

// NULL, or why the run can't begin.
static const char *begin(void)
{
    uint64_t seed = 0;
    bool has_seed = false;
    const char *obstacle = registry_sort();
    if (obstacle == NULL) {
        obstacle = sweep_read_argument();
    }
    if (obstacle == NULL) {
        obstacle = read_seed(&seed, &has_seed);
    }
    if (obstacle == NULL) {
        if (has_seed) {
            registry_shuffle(seed);
        }
        plan(has_seed ? &seed : NULL);
    }
    return obstacle;
}

static enum ktest_exit run_selected(void)
{
    totals = (struct report_totals){0};
    const char *obstacle = begin();
    if (obstacle != NULL) {
        report_refusal(obstacle);
        return KTEST_EXIT_ERROR;
    }
    uint64_t number = 0;
    const char *distrust = NULL;
    for (const struct ktest_record **next = ktest_records_start; next < ktest_records_end;) {
        struct suite suite = suite_at(next);
        if (suite.selected != 0 && !totals.is_stopped && goes_on(distrust)) {
            distrust = run_suite(&suite, ++number);
        }
        next = suite.end;
    }
    report_totals(&totals);
    return is_alone && distrust != NULL ? KTEST_EXIT_RESTART : exit_value();
}

void ktest_run(void)
{
    ktest_port_exit(run_selected());
}

enum ktest_exit ktest_run_here(void)
{
    is_alone = true;
    enum ktest_exit value = run_selected();
    is_alone = false;
    return value;
}
