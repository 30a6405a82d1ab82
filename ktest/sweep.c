// SPDX-License-Identifier: MIT
//
// Nothing is kept of a run but the lines that it has written: the kernel may not survive it, and
// whoever reads them has to know which allocation it was.
#include "sweep.h"

#include "format.h"
#include "port.h"
#include "report.h"
#include "select.h"

#define UNDECLARED_MAX 100 // of a test that says nothing of its allocations
#define NTH_MAX 10000

static struct {
    bool is_all;
    uint64_t nth; // this one only; 0: no such wish
} asked;

static bool is_supported(void)
{
    bool is_started = ktest_port_allocations_start(0);
    if (is_started) {
        (void)ktest_port_allocations_stop();
    }
    return is_started;
}

const char *sweep_read_argument(void)
{
    const char *text = ktest_port_argument("ktest.fail_nth");
    asked.is_all = text != NULL && ktest_glob_matches("all", sizeof("all") - 1, text);
    asked.nth = 0;
    if (text == NULL) {
        return NULL;
    }
    bool is_number = select_parse_number(&text, &asked.nth) && *text == 0;
    if (!asked.is_all && (!is_number || asked.nth == 0 || asked.nth > NTH_MAX)) {
        return "ktest.fail_nth is neither all nor the number of an allocation, 1 to 10000";
    }
    return is_supported() ? NULL : "ktest.fail_nth: this kernel can't make an allocation fail";
}

// Of another kind of test there is nothing to be run again.
static bool is_fit(const struct ktest *test, const struct ktest_outcome *outcome)
{
    return test->record->kind == KTEST_RECORD_CASE && outcome->kind == KTEST_OUTCOME_PASS &&
           test->attr->inject == KTEST_INJECT_NONE;
}

static bool can_be_had(struct ktest *test)
{
    if (!is_fit(test, &test->attr->outcome)) {
        ktest_judge(test, KTEST_VERDICT_ERROR,
                    ".fail_nth is for tests that return: not for a benchmark, nor with .outcome "
                    "or .inject");
        return false;
    }
    if (!is_supported()) {
        ktest_judge(test, KTEST_VERDICT_ERROR,
                    ".fail_nth: this kernel can't make an allocation fail "
                    "(ktest_port_allocations_start)");
        return false;
    }
    return true;
}

bool sweep_prepare(struct ktest *test, struct sweep *sweep_out)
{
    *sweep_out = (struct sweep){0, 0, 0, 0};
    uint64_t declared = test->attr->fail_nth;
    if (declared != 0 && !can_be_had(test)) {
        return false;
    }
    bool is_asked = asked.is_all || asked.nth != 0;
    if (!is_fit(test, test->outcome) || (declared == 0 && !is_asked)) {
        return true;
    }
    test->is_lenient = declared == 0;
    test->is_counted = declared == 0; // without allocations it need not run again
    sweep_out->first = 1;
    sweep_out->last = declared != 0 ? declared + 1 : UNDECLARED_MAX;
    sweep_out->limit = declared;
    if (asked.nth != 0) {
        sweep_out->first = sweep_out->last = asked.nth;
    }
    return true;
}

// What the run that is over shows, besides what its functions did.
static void judge_run(struct ktest *test, const struct sweep *sweep)
{
    bool is_due = test->nth != 0 && test->allocation_count >= test->nth;
    if (test->has_allocation_failed != is_due) {
        ktest_judge(test, KTEST_VERDICT_ERROR,
                    "the kernel was to make allocation %llu of %llu fail, and did %s",
                    (unsigned long long)test->nth, (unsigned long long)test->allocation_count,
                    is_due ? "not" : "so with another");
    } else if (sweep->limit != 0 && test->nth > sweep->limit && is_due) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "more than %llu allocations, which is its .fail_nth",
                    (unsigned long long)sweep->limit);
    } else if (test->distrust != NULL) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "allocations behind this one can't be tried: %s",
                    test->distrust);
    }
}

static bool is_over(const struct ktest *test, const struct sweep *sweep)
{
    if (test->nth == 0) {
        return test->is_counted && test->allocation_count == 0;
    }
    return !test->has_allocation_failed || test->nth == sweep->last;
}

static void begin_run(struct ktest *test, struct sweep *sweep)
{
    test->nth = sweep->first + sweep->runs;
    sweep->runs++;
    test->is_counted = true;
    test->has_allocation_failed = false;
    test->allocation_count = 0;
    test->lenience[0] = 0;
    test->note_count = 0;
    report_rerun(test);
}

bool sweep_goes_on(struct ktest *test, struct sweep *sweep)
{
    if (sweep->first == 0) {
        return false;
    }
    if (test->verdict == KTEST_VERDICT_PASS && test->failure_count == 0) {
        judge_run(test, sweep);
    }
    if (test->verdict != KTEST_VERDICT_PASS || test->failure_count != 0) {
        if (test->lenience[0] != 0) {
            ktest_note(test, "a check had failed before, as it may here: %s", test->lenience);
        }
        return false;
    }
    if (is_over(test, sweep)) {
        report_swept(test, sweep->runs);
        if (sweep->limit != 0 && test->nth == 1 && test->allocation_count == 0) {
            ktest_judge(test, KTEST_VERDICT_ERROR, "it has .fail_nth, and allocates nothing");
        }
        return false;
    }
    begin_run(test, sweep);
    return true;
}

void sweep_body_begin(struct ktest *test)
{
    if (test->is_counted) {
        (void)ktest_port_allocations_start(test->nth);
    }
}

void sweep_body_end(struct ktest *test, enum ktest_ending ending)
{
    if (test->is_counted) {
        test->allocation_count = ktest_port_allocations_stop();
    }
    if (test->nth != 0 && ending == KTEST_ENDING_SKIPPED && !test->is_lenient) {
        ktest_format(test->event, sizeof(test->event), "%s", test->reason);
        ktest_judge(test, KTEST_VERDICT_FAIL, "it skipped itself: %s", test->event);
    }
}

bool sweep_is_lenient(const struct ktest *test)
{
    return test->is_lenient && test->nth != 0;
}

bool ktest_allocation_failed(const struct ktest *test)
{
    return test->has_allocation_failed;
}

void ktest_on_allocation_failed(uint64_t caller)
{
    struct ktest *test = ktest_current();
    if (test == NULL) {
        return;
    }
    test->has_allocation_failed = true;
    report_denied(test, caller);
}
