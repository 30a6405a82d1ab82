// SPDX-License-Identifier: MIT
//
// What a test's verdict is: by how its functions ended, by what it had declared, by its checks, and
// by what it left behind.
#include "verdict.h"

#include "format.h"
#include "port.h"

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

bool verdict_has_died(enum ktest_ending ending)
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

void verdict_of_body(struct ktest *test)
{
    if (!verdict_has_died(test->ending)) {
        judge_missing(test);
    } else if (!test->is_as_declared) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "%s", test->event);
    } else if (!test->is_armed) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "as declared, but before KTEST_ARM: %s", test->event);
    } else {
        test->check_count++;
    }
}

void verdict_of_fixture(struct ktest *test, enum ktest_ending ending, const char *which)
{
    if (verdict_has_died(ending)) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "%s: %s", which, test->event);
    }
}

void verdict_of_checks(struct ktest *test, bool is_skipped)
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

void verdict_of_known_bug(struct ktest *test)
{
    const char *bug = test->attr->known_bug;
    if (bug == NULL) {
        return;
    }
    if (test->verdict == KTEST_VERDICT_PASS) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "the known bug no longer shows: %s", bug);
    } else if (test->verdict == KTEST_VERDICT_FAIL) {
        ktest_note(test, "failed: %s", test->reason);
        test->verdict = KTEST_VERDICT_SKIP;
        ktest_format(test->reason, sizeof(test->reason), "known bug: %s", bug);
    }
}

void verdict_save_invariants(void)
{
    const struct ktest_invariant *const *each = ktest_port_invariants();
    for (; *each != NULL; each++) {
        (*each)->save();
    }
}

void verdict_check_invariants(struct ktest *test)
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
