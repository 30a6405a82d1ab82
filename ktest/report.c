// SPDX-License-Identifier: MIT
//
// The lines of the protocol that tell of the run and of its tests: docs/protocol.md.
#include "report.h"

#include "format.h"
#include "port.h"
#include "stream.h"

#define NOTES_MAX 20
#define CONSOLE_BYTES 512
#define CONSOLE_LINES 8

static const char *const verdict_names[] = {
    [KTEST_VERDICT_PASS] = "pass",
    [KTEST_VERDICT_SKIP] = "skip",
    [KTEST_VERDICT_FAIL] = "fail",
    [KTEST_VERDICT_ERROR] = "error",
};

const char *report_verdict_name(enum ktest_verdict verdict)
{
    return verdict_names[verdict];
}

void report_header(uint64_t test_count, uint64_t selected_count, const uint64_t *seed)
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

void report_plan(uint64_t suite_count)
{
    stream_begin("1..");
    stream_number(suite_count);
    stream_end();
}

void report_suite_begin(const char *suite, uint64_t selected)
{
    stream_begin("    KTAP version 1");
    stream_end();
    stream_begin("    # Subtest: ");
    stream_text(suite);
    stream_end();
    stream_begin("    1..");
    stream_number(selected);
    stream_end();
}

void report_suite_end(const char *suite, uint64_t suite_number, bool is_ok)
{
    stream_begin(is_ok ? "ok " : "not ok ");
    stream_number(suite_number);
    stream_text(" ");
    stream_text(suite);
    stream_end();
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

// Where the last CONSOLE_LINES lines of a text begin.
static size_t last_lines(const char *text, size_t size_bytes)
{
    size_t line_count = 0;
    for (size_t at = size_bytes; at > 0; at--) {
        bool ends_line = at < size_bytes && text[at - 1] == '\n';
        line_count += ends_line;
        if (line_count == CONSOLE_LINES) {
            return at;
        }
    }
    return 0;
}

// What the test has printed, for whoever looks into its failure.
static void report_console(void)
{
    static char text[CONSOLE_BYTES + 1];
    size_t size_bytes = ktest_port_console(text, CONSOLE_BYTES);
    text[size_bytes] = 0;
    for (size_t at = last_lines(text, size_bytes); at < size_bytes;) {
        size_t end = at;
        while (end < size_bytes && text[end] != '\n') {
            end++;
        }
        text[end] = 0;
        stream_begin("    #:ktest_console");
        stream_field("text", &text[at]);
        stream_end();
        at = end + 1;
    }
}

void report_begin(const struct ktest *test)
{
    char nothing;
    (void)ktest_port_console(&nothing, 0); // what came before is not the test's
    stream_begin("    #:ktest_begin test=");
    stream_full_name(test);
    stream_end();
}

void report_rerun(const struct ktest *test)
{
    char nothing;
    (void)ktest_port_console(&nothing, 0); // what came before is another run's
    stream_begin("    #:ktest_rerun test=");
    stream_full_name(test);
    stream_field_number("nth", test->nth);
    stream_end();
}

void report_denied(const struct ktest *test, uint64_t caller)
{
    stream_begin("    #:ktest_denied");
    stream_field_number("nth", test->nth);
    stream_field_hex("caller", caller);
    stream_end();
}

void report_swept(const struct ktest *test, uint64_t runs)
{
    stream_begin("    #:ktest_swept test=");
    stream_full_name(test);
    stream_field_number("runs", runs);
    stream_field_number("asked", test->allocation_count);
    stream_end();
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
    stream_field_text("text", text);
    stream_end();
}

void report_end(const struct ktest *test, uint64_t number, uint64_t cycles)
{
    bool is_ok = test->verdict <= KTEST_VERDICT_SKIP;
    const char *reason = test->verdict == KTEST_VERDICT_PASS ? "" : test->reason;
    if (!is_ok) {
        report_console();
    }
    stream_begin("    #:ktest_end test=");
    stream_full_name(test);
    stream_field("verdict", verdict_names[test->verdict]);
    stream_field_number("checks", test->check_count);
    stream_field_number("cycles", cycles);
    stream_field_number("stack", test->stack_bytes);
    stream_field_number("recovery", test->recovery_cycles);
    stream_field_text("reason", reason);
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

void report_param(struct ktest *test, const char *text)
{
    if (!test->is_param_due) {
        return;
    }
    test->is_param_due = false;
    stream_begin("    #:ktest_param");
    stream_field("text", text);
    stream_end();
}

void report_order(const char *text, bool is_known)
{
    stream_begin("#:ktest_order");
    stream_field("text", text);
    stream_field("known", is_known ? "yes" : "no");
    stream_end();
}

void report_restart(const char *reason)
{
    stream_begin("#:ktest_restart");
    stream_field_text("reason", reason);
    stream_end();
}

void report_totals(const struct report_totals *totals)
{
    uint64_t line_count = stream_line_count();
    uint32_t crc = stream_crc32();
    stream_begin("#:ktest_totals");
    stream_field_number("tests", totals->tests);
    for (size_t i = 0; i < 4; i++) {
        stream_field_number(verdict_names[i], totals->by_verdict[i]);
    }
    stream_field_number("stopped", totals->is_stopped);
    stream_field_number("lines", line_count);
    stream_field_hex("crc32", crc);
    stream_end();
}

void report_refusal(const char *reason)
{
    stream_begin("#:ktest_error");
    stream_field_text("reason", reason);
    stream_end();
}
