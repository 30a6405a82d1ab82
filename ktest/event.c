// SPDX-License-Identifier: MIT
//
// Panics, faults and hangs while a test runs: compared with what the test tries or declares,
// reported, and the test abandoned.
#include "format.h"
#include "port.h"
#include "report.h"
#include "runner.h"
#include "select.h"
#include "stream.h"

static void report_state(const struct ktest_machine_state *state)
{
    stream_begin("    #:ktest_registers");
    for (size_t i = 0; i < state->register_count; i++) {
        stream_field_hex(state->registers[i].name, state->registers[i].value);
    }
    stream_end();
    stream_begin("    #:ktest_backtrace pcs=");
    for (size_t i = 0; i < state->backtrace_count; i++) {
        char digits[20];
        ktest_format(digits, sizeof(digits), "%s0x%llx", i > 0 ? "," : "",
                     (unsigned long long)state->backtrace[i]);
        stream_text(digits);
    }
    stream_end();
}

static void report_fault(struct ktest *test, const struct ktest_fault *fault, const char *words)
{
    report_param(test, "");
    struct ktest_machine_state state = ktest_port_inspect(fault->frame);
    stream_hold();
    stream_begin("    #:ktest_fault");
    stream_field_number("vector", fault->vector);
    stream_field_hex("error", fault->error);
    stream_field_hex("rip", fault->rip);
    stream_field_hex("cs", fault->cs);
    stream_field_hex("rflags", fault->rflags);
    stream_field_hex("rsp", fault->rsp);
    stream_field_hex("ss", fault->ss);
    stream_field_hex("cr2", fault->address);
    stream_field_number("ist", fault->ist);
    stream_field("words", words);
    stream_end();
    report_state(&state);
    stream_release();
}

static void report_panic(const struct ktest_panic *panic)
{
    struct ktest_machine_state state = ktest_port_inspect(panic->frame);
    stream_hold();
    stream_begin("    #:ktest_panic");
    stream_field("message", panic->message);
    stream_field("file", panic->file != NULL ? panic->file : "");
    stream_field_number("line", panic->line);
    stream_field("function", panic->function != NULL ? panic->function : "");
    stream_end();
    report_state(&state);
    stream_release();
}

static void report_hang(struct ktest *test, const struct ktest_fault *where)
{
    report_param(test, "");
    struct ktest_machine_state state = ktest_port_inspect(where->frame);
    stream_hold();
    stream_begin("    #:ktest_hang");
    stream_field_number("timeout_ms", test->timeout_ms);
    stream_field_hex("rip", where->rip);
    stream_field_hex("rsp", where->rsp);
    stream_field_hex("rflags", where->rflags);
    stream_end();
    report_state(&state);
    stream_release();
}

// From here on the test is being recovered from. What writing takes is left out.
static void begin_recovery(struct ktest *test)
{
    if (test->died_at == 0) {
        test->died_at = ktest_port_cycles() - stream_cycles();
    }
}

// Whether the fault is the declared one; if not, `difference` says why.
static bool is_declared_fault(const struct ktest_outcome *declared, const struct ktest_fault *fault,
                              char *difference, size_t size_bytes)
{
    uint64_t mask = declared->mask != 0 ? declared->mask : ~0ULL;
    bool is_address_checked = declared->addr.size_bytes != 0;
    if (fault->vector != declared->vector) {
        ktest_format(difference, size_bytes, "vector %u instead of %u", fault->vector,
                     declared->vector);
    } else if ((fault->error & mask) != declared->error) {
        ktest_format(difference, size_bytes, "error code 0x%llx instead of 0x%llx",
                     (unsigned long long)(fault->error & mask),
                     (unsigned long long)declared->error);
    } else if (is_address_checked &&
               fault->address - declared->addr.start >= declared->addr.size_bytes) {
        ktest_format(difference, size_bytes, "address 0x%llx instead of 0x%llx",
                     (unsigned long long)fault->address, (unsigned long long)declared->addr.start);
    } else if (declared->ist != 0 && fault->ist != declared->ist) {
        ktest_format(difference, size_bytes, "interrupt stack %u instead of %u", fault->ist,
                     declared->ist);
    } else {
        return true;
    }
    return false;
}

// What the test declared, if it is of this kind; fixtures declare nothing.
static const struct ktest_outcome *declared_outcome(const struct ktest *test,
                                                    enum ktest_outcome_kind kind)
{
    bool is_declared = test->is_body && test->outcome->kind == (uint32_t)kind;
    return is_declared ? test->outcome : NULL;
}

static bool text_matches(const char *glob, const char *text)
{
    size_t glob_bytes = 0;
    while (glob[glob_bytes] != 0) {
        glob_bytes++;
    }
    return ktest_glob_matches(glob, glob_bytes, text);
}

// Goes on behind the statement that the test tries.
KTEST_NORETURN static void end_attempt(struct ktest *test, enum ktest_ending ending)
{
    struct ktest_attempt *attempt = test->attempt;
    if (attempt->result != KTEST_ENDING_RETURNED) { // the way behind the statement led here again
        ktest_abandon(test, ending);
    }
    attempt->result = ending;
    ktest_context_restore(&attempt->context);
}

static bool is_expected_fault(const struct ktest_attempt *attempt, const struct ktest_fault *fault)
{
    return attempt->kind == KTEST_OUTCOME_FAULT && attempt->vector == fault->vector &&
           attempt->error == fault->error;
}

void ktest_on_fault(const struct ktest_fault *fault)
{
    struct ktest *test = ktest_current();
    if (test == NULL) {
        return;
    }
    begin_recovery(test);
    test->last_fault = *fault;
    if (test->is_armed && test->attr->inject != KTEST_INJECT_NONE) {
        stream_settle(); // the harness answers to the whole line of ktest_arm
    }
    if (test->attempt != NULL && is_expected_fault(test->attempt, fault)) {
        test->is_as_declared = true;
        end_attempt(test, KTEST_ENDING_FAULTED);
    }

    char words[KTEST_TEXT_MAX];
    ktest_port_describe(fault, words, sizeof(words));
    report_fault(test, fault, words);
    if (test->attempt != NULL) {
        ktest_format(test->event, sizeof(test->event), "%s", words);
        end_attempt(test, KTEST_ENDING_FAULTED);
    }
    const struct ktest_outcome *declared = declared_outcome(test, KTEST_OUTCOME_FAULT);
    char difference[KTEST_TEXT_MAX] = "";
    test->is_as_declared = declared != NULL &&
                           is_declared_fault(declared, fault, difference, sizeof(difference));
    ktest_format(test->event, sizeof(test->event), "%s%s%s", words,
                 difference[0] != 0 ? "; declared otherwise: " : "", difference);
    if (test->is_as_declared) {
        ktest_abandon(test, KTEST_ENDING_FAULTED);
    }
    test->is_fault_reported = true;
}

void ktest_on_panic(const struct ktest_panic *panic)
{
    struct ktest *test = ktest_current();
    if (test == NULL) {
        report_panic(panic);
        ktest_port_exit(KTEST_EXIT_PANIC);
    }
    begin_recovery(test);
    if (test->is_fault_reported) {
        ktest_abandon(test, KTEST_ENDING_FAULTED);
    }
    const struct ktest_attempt *attempt = test->attempt;
    if (attempt != NULL && attempt->kind == KTEST_OUTCOME_PANIC &&
        text_matches(attempt->text, panic->message)) {
        test->is_as_declared = true;
        end_attempt(test, KTEST_ENDING_PANICKED);
    }

    report_param(test, "");
    report_panic(panic);
    const struct ktest_outcome *declared = declared_outcome(test, KTEST_OUTCOME_PANIC);
    bool is_other = declared != NULL && !text_matches(declared->text, panic->message);
    ktest_format(test->event, sizeof(test->event), "panic \"%s\"%s%s", panic->message,
                 is_other ? "; declared otherwise: " : "", is_other ? declared->text : "");
    if (attempt != NULL) {
        end_attempt(test, KTEST_ENDING_PANICKED);
    }
    test->is_as_declared = declared != NULL && !is_other;
    ktest_abandon(test, KTEST_ENDING_PANICKED);
}

void ktest_on_overdue(const struct ktest_fault *where)
{
    struct ktest *test = ktest_current();
    if (test == NULL || stream_is_held()) {
        return;
    }
    begin_recovery(test);
    if (test->is_fault_reported) { // it is the kernel's panic that does not end
        ktest_abandon(test, KTEST_ENDING_FAULTED);
    }
    report_hang(test, where);
    char awaited[KTEST_TEXT_MAX];
    if (ktest_port_awaits(awaited, sizeof(awaited))) {
        ktest_note(test, "it waits for %s", awaited);
    }
    test->is_as_declared = declared_outcome(test, KTEST_OUTCOME_HANG) != NULL;
    ktest_format(test->event, sizeof(test->event), "hang: still running after %llu ms, at 0x%llx",
                 (unsigned long long)test->timeout_ms, (unsigned long long)where->rip);
    ktest_abandon(test, KTEST_ENDING_HUNG);
}

void ktest_arm(struct ktest *test, const struct ktest_site *site)
{
    test->is_armed = true; // before the harness hears of it: it may act at once
    stream_begin("    #:ktest_armed");
    stream_field("file", site->file);
    stream_field_number("line", site->line);
    stream_end();
}
