// SPDX-License-Identifier: MIT
//
// Runs the selected tests, suite by suite, and judges each by how its functions ended, what it had
// declared and what it left behind.
#include "runner.h"

#include "port.h"
#include "registry.h"
#include "select.h"
#include "stream.h"

#define ORDER_MAX 64
#define NOTES_MAX 20
#define TIMEOUT_MS_DEFAULT 10000

static struct {
    uint64_t tests;
    uint64_t by_verdict[4];
    bool is_stopped;
    bool is_restarting; // in another boot
} totals;

static const char *const verdict_names[] = {
    [KTEST_VERDICT_PASS] = "pass",
    [KTEST_VERDICT_SKIP] = "skip",
    [KTEST_VERDICT_FAIL] = "fail",
    [KTEST_VERDICT_ERROR] = "error",
};

void ktest_judge(struct ktest *test, enum ktest_verdict verdict, const char *format, ...)
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

void ktest_note(struct ktest *test, const char *format, ...)
{
    char text[KTEST_TEXT_MAX];
    if (test->note_count++ >= NOTES_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    ktest_vformat(text, sizeof(text), format, arguments);
    va_end(arguments);
    stream_begin("    #:ktest_note");
    stream_field("text", text);
    stream_end();
}

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

static bool has_died(enum ktest_ending ending)
{
    return ending == KTEST_ENDING_PANICKED || ending == KTEST_ENDING_FAULTED ||
           ending == KTEST_ENDING_HUNG;
}

static void judge_missing(struct ktest *test)
{
    const struct ktest_outcome *declared = test->outcome;
    switch ((enum ktest_outcome_kind)declared->kind) {
    case KTEST_OUTCOME_PASS:
        break;
    case KTEST_OUTCOME_PANIC:
        ktest_judge(test, KTEST_VERDICT_FAIL, "the expected panic \"%s\" never came",
                    declared->text);
        break;
    case KTEST_OUTCOME_FAULT:
        ktest_judge(test, KTEST_VERDICT_FAIL, "the expected fault (vector %u) never came",
                    declared->vector);
        break;
    case KTEST_OUTCOME_TRIPLE_FAULT:
        ktest_judge(test, KTEST_VERDICT_FAIL, "the expected triple fault never came");
        break;
    case KTEST_OUTCOME_HANG:
        ktest_judge(test, KTEST_VERDICT_FAIL, "the expected hang never came");
        break;
    }
}

static void judge_body(struct ktest *test)
{
    if (!has_died(test->ending)) {
        judge_missing(test);
    } else if (!test->is_as_declared) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "%s", test->event);
    } else if (!test->is_armed) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "as declared, but before KTEST_ARM: %s", test->event);
    } else {
        test->check_count++;
    }
}

static void judge_fixture(struct ktest *test, enum ktest_ending ending, const char *which)
{
    if (has_died(ending)) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "%s: %s", which, test->event);
    }
}

// Body, test fixtures and actions; whether the test skipped itself.
static bool run_functions(struct ktest *test, const struct ktest_suite_ops *ops)
{
    enum ktest_ending ending = call(test, ops->init, false);
    judge_fixture(test, ending, "init");
    if (ending == KTEST_ENDING_RETURNED) {
        ending = call(test, test->record->run, true);
        if (ending != KTEST_ENDING_SKIPPED) {
            judge_body(test);
        }
        ktest_bench_report(test);
    }
    bool is_skipped = ending == KTEST_ENDING_SKIPPED;
    judge_fixture(test, call(test, ops->exit, false), "exit");
    ktest_run_actions(test, false);
    return is_skipped;
}

// --- What a test leaves behind ------------------------------------------------------------------

static void save_invariants(void)
{
    const struct ktest_invariant *const *each = ktest_port_invariants();
    for (; *each != NULL; each++) {
        (*each)->save();
    }
}

static void check_invariants(struct ktest *test)
{
    const struct ktest_invariant *const *each = ktest_port_invariants();
    for (; *each != NULL; each++) {
        char difference[KTEST_TEXT_MAX] = "";
        enum ktest_invariant_state state = (*each)->check(difference, sizeof(difference));
        if (state == KTEST_INTACT) {
            continue;
        }
        ktest_judge(test, KTEST_VERDICT_FAIL, "left behind: %s: %s", (*each)->name, difference);
        ktest_note(test, "left behind: %s: %s", (*each)->name, difference);
        if (state == KTEST_DAMAGED) {
            test->distrust = "an invariant could not be put back";
        }
    }
}

// --- Verdict and report -------------------------------------------------------------------------

static void judge_checks(struct ktest *test, bool is_skipped)
{
    if (test->failure_count != 0) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "%llu of %llu checks failed",
                    (unsigned long long)test->failure_count, (unsigned long long)test->check_count);
    } else if (is_skipped && test->verdict == KTEST_VERDICT_PASS) {
        test->verdict = KTEST_VERDICT_SKIP; // ktest_skip has set the reason
    } else if (test->check_count == 0 && test->verdict == KTEST_VERDICT_PASS) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "it asserted nothing");
    }
}

static void judge_known_bug(struct ktest *test)
{
    const char *bug = test->attr->known_bug;
    if (bug == NULL) {
        return;
    }
    if (test->verdict == KTEST_VERDICT_PASS) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "the known bug no longer shows: %s", bug);
    } else if (test->verdict == KTEST_VERDICT_FAIL) {
        test->verdict = KTEST_VERDICT_SKIP;
        ktest_format(test->reason, sizeof(test->reason), "known bug: %s", bug);
    }
}

// "name" or "name/3", the short form of the KTAP lines.
static void stream_name(const struct ktest *test)
{
    stream_text(test->record->name);
    if (test->record->param_count != 0) {
        stream_text("/");
        stream_number(test->param_index);
    }
}

static void stream_full_name(const struct ktest *test)
{
    stream_text(test->record->suite);
    stream_text(".");
    stream_name(test);
}

static void report_begin(const struct ktest *test)
{
    stream_begin("    #:ktest_begin test=");
    stream_full_name(test);
    stream_end();
}

static void describe(void *context)
{
    struct ktest *test = context;
    test->record->describe(test->param_index, test->event, sizeof(test->event));
}

static void report_param(struct ktest *test)
{
    if (test->record->describe == NULL) {
        return;
    }
    test->is_body = false;
    bool has_died_on_it = has_died(ktest_call(test, describe, test));
    judge_fixture(test, test->ending, "the description of a parameter");
    test->event[sizeof(test->event) - 1] = 0;
    stream_begin("    #:ktest_param");
    stream_field("text", has_died_on_it ? "" : test->event);
    stream_end();
}

static void report_end(const struct ktest *test, uint64_t number, uint64_t cycles)
{
    bool is_ok = test->verdict <= KTEST_VERDICT_SKIP;
    const char *reason = test->verdict == KTEST_VERDICT_PASS ? "" : test->reason;
    stream_begin("    #:ktest_end test=");
    stream_full_name(test);
    stream_field("verdict", verdict_names[test->verdict]);
    stream_field_number("checks", test->check_count);
    stream_field_number("cycles", cycles);
    stream_field_number("stack", test->stack_bytes);
    stream_field_number("recovery", test->recovery_cycles);
    stream_field("reason", reason);
    stream_end();

    stream_begin(is_ok ? "    ok " : "    not ok ");
    stream_number(number);
    stream_text(" ");
    stream_name(test);
    if (test->verdict == KTEST_VERDICT_SKIP) {
        stream_text(" # SKIP ");
        stream_printable(reason);
    }
    stream_end();
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
    bool is_broken;          // suite_init failed
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

// A suite's own fixtures run within its first and its last test: so what they do has a verdict.
// When suite_init fails, no test of the suite runs.
static void run_in_suite(struct ktest *test, struct suite *suite)
{
    if (suite->number == suite->first_runnable) {
        enum ktest_ending ending = call_suite_fixture(test, suite->ops->suite_init);
        judge_fixture(test, ending, "suite_init");
        suite->is_broken = ending != KTEST_ENDING_RETURNED || test->failure_count != 0;
    }
    bool is_skipped = false;
    save_invariants();
    if (suite->is_broken) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "suite_init failed");
    } else {
        is_skipped = run_functions(test, suite->ops);
    }
    check_invariants(test);
    if (suite->number == suite->last_runnable) {
        judge_fixture(test, call_suite_fixture(test, suite->ops->suite_exit), "suite_exit");
        ktest_run_actions(test, true);
    }
    judge_checks(test, is_skipped);
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

// NULL, or why the next test needs another boot.
static const char *run_test(struct suite *suite, const struct ktest_record *record, size_t index)
{
    static struct ktest test;
    prepare(&test, record, index);
    suite->number++;
    report_begin(&test);
    uint64_t start = ktest_port_cycles();
    report_param(&test);
    const char *obstacle = select_obstacle(record);
    if (obstacle != NULL) {
        ktest_judge(&test, KTEST_VERDICT_SKIP, "%s", obstacle);
    } else {
        run_in_suite(&test, suite);
        judge_known_bug(&test);
    }
    report_end(&test, suite->number, ktest_port_cycles() - start);
    totals.tests++;
    totals.by_verdict[test.verdict]++;
    return test.distrust;
}

static void ask_for_restart(const char *reason)
{
    totals.is_stopped = true;
    totals.is_restarting = true;
    stream_begin("#:ktest_restart");
    stream_field("reason", reason);
    stream_end();
}

// Whether the next test may run: nobody has ordered otherwise, and the kernel can be relied on.
static bool goes_on(const char *distrust)
{
    read_orders();
    if (!totals.is_stopped && distrust != NULL) {
        ask_for_restart(distrust);
    }
    return !totals.is_stopped;
}

static void report_suite_begin(const struct suite *suite)
{
    stream_begin("    KTAP version 1");
    stream_end();
    stream_begin("    # Subtest: ");
    stream_text(suite->name);
    stream_end();
    stream_begin("    1..");
    stream_number(suite->selected);
    stream_end();
}

static void report_suite_end(const struct suite *suite, uint64_t suite_number, bool is_ok)
{
    stream_begin(is_ok ? "ok " : "not ok ");
    stream_number(suite_number);
    stream_text(" ");
    stream_text(suite->name);
    stream_end();
}

// Returns why the next test needs another boot, NULL if it does not.
static const char *run_suite(struct suite *suite, uint64_t suite_number)
{
    uint64_t bad_before = totals.by_verdict[KTEST_VERDICT_FAIL] +
                          totals.by_verdict[KTEST_VERDICT_ERROR];
    const char *distrust = NULL;
    report_suite_begin(suite);
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
    uint64_t bad = totals.by_verdict[KTEST_VERDICT_FAIL] + totals.by_verdict[KTEST_VERDICT_ERROR];
    report_suite_end(suite, suite_number, bad == bad_before);
    return distrust;
}

// --- The run ------------------------------------------------------------------------------------

static void report_header(uint64_t test_count, uint64_t selected_count, const uint64_t *seed)
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
    stream_begin("#:ktest_run protocol=2");
    stream_field("nonce", nonce != NULL ? nonce : "none");
    stream_field("build_id", digits);
    stream_field_number("tests", test_count);
    stream_field_number("selected", selected_count);
    if (seed != NULL) {
        stream_field_number("seed", *seed);
    } else {
        stream_field("seed", "none");
    }
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
    if (totals.is_restarting) {
        return KTEST_EXIT_RESTART;
    }
    if (totals.by_verdict[KTEST_VERDICT_ERROR] != 0) {
        return KTEST_EXIT_ERROR;
    }
    return totals.by_verdict[KTEST_VERDICT_FAIL] != 0 ? KTEST_EXIT_FAIL : KTEST_EXIT_PASS;
}

KTEST_NORETURN static void refuse(const char *reason)
{
    stream_begin("#:ktest_error");
    stream_field("reason", reason);
    stream_end();
    ktest_port_exit(KTEST_EXIT_ERROR);
}

// The seed of ktest.seed in *seed_out; NULL if there is none.
static const uint64_t *read_seed(uint64_t *seed_out)
{
    const char *text = ktest_port_argument("ktest.seed");
    if (text == NULL) {
        return NULL;
    }
    if (!select_parse_number(&text, seed_out) || *text != 0) {
        refuse("ktest.seed is not a number");
    }
    return seed_out;
}

static uint64_t count_and_report(const uint64_t *seed)
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
    return suite_count;
}

void ktest_run(void)
{
    const char *obstacle = registry_sort();
    if (obstacle != NULL) {
        refuse(obstacle);
    }
    uint64_t seed_value = 0;
    const uint64_t *seed = read_seed(&seed_value);
    if (seed != NULL) {
        registry_shuffle(*seed);
    }
    uint64_t suite_count = count_and_report(seed);
    stream_begin("1..");
    stream_number(suite_count);
    stream_end();

    uint64_t number = 0;
    const char *distrust = NULL;
    for (const struct ktest_record **next = ktest_records_start; next < ktest_records_end;) {
        struct suite suite = suite_at(next);
        if (suite.selected != 0 && !totals.is_stopped && goes_on(distrust)) {
            distrust = run_suite(&suite, ++number);
        }
        next = suite.end;
    }
    report_totals();
    ktest_port_exit(exit_value());
}
