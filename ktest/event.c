// SPDX-License-Identifier: MIT
//
// Panics and faults while a test runs: reported, compared with what the test declared, and the
// test abandoned.
#include "port.h"
#include "runner.h"
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

static void report_fault(const struct ktest_fault *fault)
{
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
    stream_field("words", fault->words);
    stream_end();
    report_state(&fault->state);
}

static void report_panic(const struct ktest_panic *panic)
{
    stream_begin("    #:ktest_panic");
    stream_field("message", panic->message);
    stream_field("file", panic->file != NULL ? panic->file : "");
    stream_field_number("line", panic->line);
    stream_field("function", panic->function != NULL ? panic->function : "");
    stream_end();
    report_state(&panic->state);
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
    const struct ktest_outcome *outcome = test->is_body ? &test->record->attr->outcome : NULL;
    return outcome != NULL && outcome->kind == (uint32_t)kind ? outcome : NULL;
}

static bool text_matches(const char *glob, const char *text)
{
    size_t glob_bytes = 0;
    while (glob[glob_bytes] != 0) {
        glob_bytes++;
    }
    return ktest_glob_matches(glob, glob_bytes, text);
}

void ktest_on_fault(const struct ktest_fault *fault)
{
    struct ktest *test = ktest_current();
    if (test == NULL) {
        return;
    }
    report_fault(fault);
    const struct ktest_outcome *declared = declared_outcome(test, KTEST_OUTCOME_FAULT);
    char difference[KTEST_REASON_MAX] = "";
    test->is_as_declared = declared != NULL &&
                           is_declared_fault(declared, fault, difference, sizeof(difference));
    ktest_format(test->event, sizeof(test->event), "%s%s%s", fault->words,
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
    if (test->is_fault_reported) {
        ktest_abandon(test, KTEST_ENDING_FAULTED);
    }
    report_panic(panic);
    const struct ktest_outcome *declared = declared_outcome(test, KTEST_OUTCOME_PANIC);
    test->is_as_declared = declared != NULL && text_matches(declared->text, panic->message);
    bool is_other = declared != NULL && !test->is_as_declared;
    ktest_format(test->event, sizeof(test->event), "panic \"%s\"%s%s", panic->message,
                 is_other ? "; declared otherwise: " : "", is_other ? declared->text : "");
    ktest_abandon(test, KTEST_ENDING_PANICKED);
}
