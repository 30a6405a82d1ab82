// SPDX-License-Identifier: MIT
//
// Runs the selected tests in the order of their names. Each function of a test – fixtures and body
// – runs from a saved context, to which an assertion, a panic or a fault returns; so one boot
// carries them all. The runner's own state is static: it survives whatever a test does to a stack.
#include "runner.h"

#include "port.h"
#include "registry.h"
#include "stream.h"

#define ORDER_MAX 64

static struct ktest current_test;
static struct ktest *current;

static struct {
    uint64_t tests;
    uint64_t by_verdict[4];
    bool is_stopped;
} totals;

static const char *const verdict_names[] = {
    [KTEST_VERDICT_PASS] = "pass",
    [KTEST_VERDICT_SKIP] = "skip",
    [KTEST_VERDICT_FAIL] = "fail",
    [KTEST_VERDICT_ERROR] = "error",
};

struct ktest *ktest_current(void)
{
    return current;
}

void ktest_abandon(struct ktest *test, enum ktest_ending ending)
{
    test->ending = ending;
    ktest_context_restore(&test->context);
}

// Calls one function of the test; it may return or be abandoned.
static enum ktest_ending call(struct ktest *test, ktest_function_t *function, bool is_body)
{
    test->is_body = is_body;
    test->is_fault_reported = false;
    test->is_as_declared = false;
    test->ending = KTEST_ENDING_RETURNED;
    if (function == NULL) {
        return KTEST_ENDING_RETURNED;
    }
    if (ktest_context_save(&test->context) == 0) {
        current = test;
        function(test);
    }
    current = NULL;
    if (test->ending == KTEST_ENDING_PANICKED || test->ending == KTEST_ENDING_FAULTED) {
        ktest_port_recover();
    }
    return test->ending;
}

// A later verdict counts only if it is worse.
static void judge(struct ktest *test, enum ktest_verdict verdict, const char *format, ...)
    KTEST_PRINTF(3, 4);
static void judge(struct ktest *test, enum ktest_verdict verdict, const char *format, ...)
{
    if (verdict <= test->verdict) {
        return;
    }
    test->verdict = verdict;
    va_list arguments;
    va_start(arguments, format);
    ktest_vformat(test->reason, sizeof(test->reason), format, arguments);
    va_end(arguments);
}

static void judge_declared(struct ktest *test)
{
    const struct ktest_outcome *declared = &test->record->attr->outcome;
    if (test->is_as_declared) {
        test->check_count++;
    } else if (test->ending == KTEST_ENDING_PANICKED || test->ending == KTEST_ENDING_FAULTED) {
        judge(test, KTEST_VERDICT_FAIL, "%s", test->event);
    } else if (declared->kind == KTEST_OUTCOME_PANIC) {
        judge(test, KTEST_VERDICT_FAIL, "the expected panic \"%s\" never came", declared->text);
    } else if (declared->kind == KTEST_OUTCOME_FAULT) {
        judge(test, KTEST_VERDICT_FAIL, "the expected fault (vector %u) never came",
              declared->vector);
    }
}

static void judge_fixture(struct ktest *test, enum ktest_ending ending, const char *which)
{
    if (ending == KTEST_ENDING_PANICKED || ending == KTEST_ENDING_FAULTED) {
        judge(test, KTEST_VERDICT_FAIL, "%s: %s", which, test->event);
    }
}

// Body and test fixtures; whether the test skipped itself.
static bool run_functions(struct ktest *test, const struct ktest_suite_ops *ops)
{
    enum ktest_ending ending = call(test, ops->init, false);
    judge_fixture(test, ending, "init");
    if (ending == KTEST_ENDING_RETURNED) {
        ending = call(test, test->record->run, true);
        if (ending != KTEST_ENDING_SKIPPED) {
            judge_declared(test);
        }
    }
    bool is_skipped = ending == KTEST_ENDING_SKIPPED;
    judge_fixture(test, call(test, ops->exit, false), "exit");
    return is_skipped;
}

static void judge_checks(struct ktest *test, bool is_skipped)
{
    if (test->failure_count != 0) {
        judge(test, KTEST_VERDICT_FAIL, "%llu of %llu checks failed",
              (unsigned long long)test->failure_count, (unsigned long long)test->check_count);
    } else if (is_skipped && test->verdict == KTEST_VERDICT_PASS) {
        test->verdict = KTEST_VERDICT_SKIP; // ktest_skip has set the reason
    } else if (test->check_count == 0 && test->verdict == KTEST_VERDICT_PASS) {
        judge(test, KTEST_VERDICT_ERROR, "it asserted nothing");
    }
}

static void report_begin(const struct ktest_record *record)
{
    stream_begin("    #:ktest_begin test=");
    stream_text(record->suite);
    stream_text(".");
    stream_text(record->name);
    stream_end();
}

static void report_end(const struct ktest *test, uint64_t number, uint64_t cycles)
{
    bool is_ok = test->verdict <= KTEST_VERDICT_SKIP;
    const char *reason = test->verdict == KTEST_VERDICT_PASS ? "" : test->reason;
    stream_begin("    #:ktest_end test=");
    stream_text(test->record->suite);
    stream_text(".");
    stream_text(test->record->name);
    stream_field("verdict", verdict_names[test->verdict]);
    stream_field_number("checks", test->check_count);
    stream_field_number("cycles", cycles);
    stream_field("reason", reason);
    stream_end();

    stream_begin(is_ok ? "    ok " : "    not ok ");
    stream_number(number);
    stream_text(" ");
    stream_text(test->record->name);
    if (test->verdict == KTEST_VERDICT_SKIP) {
        stream_text(" # SKIP ");
        stream_printable(reason);
    }
    stream_end();
}

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
    stream_begin("#:ktest_order");
    stream_field("text", order);
    stream_field("known", is_stop ? "yes" : "no");
    stream_end();
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

// A suite's tests are the records [first, end); `ops` its fixtures.
struct suite {
    const char *name;
    const struct ktest_record **first;
    const struct ktest_record **end;
    const struct ktest_suite_ops *ops;
    uint64_t selected;
    uint64_t first_runnable; // numbers, counted from 1 among the selected: those that are not
    uint64_t last_runnable;  // skipped for a need; 0: none
    bool is_broken;          // suite_init failed
};

static const struct ktest_suite_ops no_fixtures;

static struct suite suite_at(const struct ktest_record **first)
{
    struct suite suite = {.name = (*first)->suite, .first = first, .end = first};
    suite.ops = (*first)->kind == KTEST_RECORD_SUITE ? (*first)->ops : &no_fixtures;
    while (suite.end < ktest_records_end && string_equals((*suite.end)->suite, suite.name)) {
        const struct ktest_record *record = *suite.end++;
        if (registry_is_selected(record)) {
            suite.selected++;
            if (registry_missing_need(record) == NULL) {
                suite.last_runnable = suite.selected;
                suite.first_runnable += suite.first_runnable == 0 ? suite.selected : 0;
            }
        }
    }
    return suite;
}

// A suite's own fixtures run within its first and its last test: so what they do has a verdict.
// When suite_init fails, no test of the suite runs.
static void run_in_suite(struct ktest *test, struct suite *suite, bool is_first, bool is_last)
{
    if (is_first) {
        judge_fixture(test, call(test, suite->ops->suite_init, false), "suite_init");
        suite->is_broken = test->ending != KTEST_ENDING_RETURNED || test->failure_count != 0;
    }
    bool is_skipped = false;
    if (suite->is_broken) {
        judge(test, KTEST_VERDICT_ERROR, "suite_init failed");
    } else {
        is_skipped = run_functions(test, suite->ops);
    }
    if (is_last) {
        judge_fixture(test, call(test, suite->ops->suite_exit, false), "suite_exit");
    }
    judge_checks(test, is_skipped);
}

static enum ktest_verdict run_case(struct suite *suite, const struct ktest_record *record,
                                   uint64_t number)
{
    struct ktest *test = &current_test;
    *test = (struct ktest){.record = record};
    report_begin(record);
    uint64_t start = ktest_port_cycles();
    const char *missing = registry_missing_need(record);
    if (missing != NULL) {
        judge(test, KTEST_VERDICT_SKIP, "needs %s", missing);
    } else {
        run_in_suite(test, suite, number == suite->first_runnable, number == suite->last_runnable);
    }
    report_end(test, number, ktest_port_cycles() - start);
    totals.tests++;
    totals.by_verdict[test->verdict]++;
    return test->verdict;
}

static void run_suite(struct suite *suite, uint64_t suite_number)
{
    stream_begin("    KTAP version 1");
    stream_end();
    stream_begin("    # Subtest: ");
    stream_text(suite->name);
    stream_end();
    stream_begin("    1..");
    stream_number(suite->selected);
    stream_end();

    enum ktest_verdict worst = KTEST_VERDICT_PASS;
    uint64_t number = 0;
    for (const struct ktest_record **record = suite->first; record < suite->end; record++) {
        if (!registry_is_selected(*record)) {
            continue;
        }
        read_orders();
        if (totals.is_stopped) {
            return;
        }
        enum ktest_verdict verdict = run_case(suite, *record, ++number);
        worst = verdict > worst ? verdict : worst;
    }
    stream_begin(worst <= KTEST_VERDICT_SKIP ? "ok " : "not ok ");
    stream_number(suite_number);
    stream_text(" ");
    stream_text(suite->name);
    stream_end();
}

static void report_header(uint64_t test_count, uint64_t selected_count)
{
    const uint8_t *build_id;
    size_t build_id_bytes = ktest_port_build_id(&build_id);
    char digits[2 * 32 + 1] = "none";
    for (size_t i = 0; i < build_id_bytes && i < 32; i++) {
        digits[2 * i] = "0123456789abcdef"[build_id[i] >> 4];
        digits[2 * i + 1] = "0123456789abcdef"[build_id[i] & 15];
        digits[2 * i + 2] = 0;
    }
    const char *nonce = ktest_port_argument("ktest.nonce");
    stream_begin("KTAP version 1");
    stream_end();
    stream_begin("#:ktest_run protocol=1");
    stream_field("nonce", nonce != NULL ? nonce : "none");
    stream_field("build_id", digits);
    stream_field_number("tests", test_count);
    stream_field_number("selected", selected_count);
    stream_end();
}

static void report_totals(void)
{
    uint64_t line_count = stream_line_count();
    uint32_t crc = stream_crc32();
    stream_begin("#:ktest_totals");
    stream_field_number("tests", totals.tests);
    for (size_t i = 0; i < 4; i++) {
        stream_field_number(verdict_names[i], totals.by_verdict[i]);
    }
    stream_field_number("stopped", totals.is_stopped);
    stream_field_number("lines", line_count);
    stream_field_hex("crc32", crc);
    stream_end();
}

static enum ktest_exit exit_value(void)
{
    if (totals.by_verdict[KTEST_VERDICT_ERROR] != 0) {
        return KTEST_EXIT_ERROR;
    }
    return totals.by_verdict[KTEST_VERDICT_FAIL] != 0 ? KTEST_EXIT_FAIL : KTEST_EXIT_PASS;
}

void ktest_run(void)
{
    const char *obstacle = registry_sort();
    if (obstacle != NULL) {
        stream_begin("#:ktest_error");
        stream_field("reason", obstacle);
        stream_end();
        ktest_port_exit(KTEST_EXIT_ERROR);
    }

    uint64_t test_count = 0;
    uint64_t selected_count = 0;
    uint64_t suite_count = 0;
    for (const struct ktest_record **next = ktest_records_start; next < ktest_records_end;) {
        struct suite suite = suite_at(next);
        test_count += (uint64_t)(suite.end - suite.first) - (suite.ops != &no_fixtures);
        selected_count += suite.selected;
        suite_count += suite.selected != 0;
        next = suite.end;
    }
    report_header(test_count, selected_count);
    stream_begin("1..");
    stream_number(suite_count);
    stream_end();

    uint64_t number = 0;
    for (const struct ktest_record **next = ktest_records_start; next < ktest_records_end;) {
        struct suite suite = suite_at(next);
        if (suite.selected != 0 && !totals.is_stopped) {
            run_suite(&suite, ++number);
        }
        next = suite.end;
    }
    report_totals();
    ktest_port_exit(exit_value());
}
