// SPDX-License-Identifier: MIT
//
// Which tests run: what ktest.select names, and of these what the machine has everything for.
#include "select.h"

#include "format.h"
#include "port.h"

bool ktest_glob_matches(const char *glob, size_t glob_bytes, const char *text)
{
    const char *end = glob + glob_bytes;
    const char *star = NULL; // the last '*' seen, and the text that it began with
    const char *star_text = NULL;
    while (*text != 0) {
        if (glob != end && *glob == '*') {
            star = glob++;
            star_text = text;
        } else if (glob != end && (*glob == '?' || *glob == *text)) {
            glob++;
            text++;
        } else if (star != NULL) {
            glob = star + 1;
            text = ++star_text;
        } else {
            return false;
        }
    }
    while (glob != end && *glob == '*') {
        glob++;
    }
    return glob == end;
}

static bool has_dot(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] == '.') {
            return true;
        }
    }
    return false;
}

// The size of the word at `list`, up to a comma or the end.
static size_t word_size(const char *list)
{
    size_t size_bytes = 0;
    while (list[size_bytes] != 0 && list[size_bytes] != ',') {
        size_bytes++;
    }
    return size_bytes;
}

static bool list_matches(const char *list, const char *full_name, const char *name)
{
    for (;;) {
        size_t size_bytes = word_size(list);
        const char *subject = has_dot(list, size_bytes) ? full_name : name;
        if (size_bytes > 0 && ktest_glob_matches(list, size_bytes, subject)) {
            return true;
        }
        if (list[size_bytes] == 0) {
            return false;
        }
        list += size_bytes + 1;
    }
}

// "name" or "name/3".
static void put_name(char *text, size_t size_bytes, const struct ktest_record *record, size_t index)
{
    if (record->param_count != 0) {
        ktest_format(text, size_bytes, "%s/%zu", record->name, index);
    } else {
        ktest_format(text, size_bytes, "%s", record->name);
    }
}

void select_full_name(char *text_out, const struct ktest_record *record, size_t index)
{
    char name[SELECT_NAME_MAX];
    put_name(name, sizeof(name), record, index);
    ktest_format(text_out, SELECT_NAME_MAX, "%s.%s", record->suite, name);
}

// A name without its index stands for all of a test's parameters.
static bool is_listed(const char *list, const struct ktest_record *record, size_t index)
{
    char full_name[SELECT_NAME_MAX];
    select_full_name(full_name, record, index);
    const char *name = full_name;
    while (*name != '.') {
        name++;
    }
    if (list_matches(list, full_name, name + 1)) {
        return true;
    }
    if (record->param_count == 0) {
        return false;
    }
    ktest_format(full_name, sizeof(full_name), "%s.%s", record->suite, record->name);
    return list_matches(list, full_name, record->name);
}

bool select_includes(const struct ktest_record *record, size_t index)
{
    const char *bench = ktest_port_argument("ktest.bench");
    bool wants_bench = bench != NULL && bench[0] == '1';
    if (record->kind != (wants_bench ? KTEST_RECORD_BENCH : KTEST_RECORD_CASE)) {
        return false;
    }
    const char *list = ktest_port_argument("ktest.select");
    return list == NULL || is_listed(list, record, index);
}

size_t select_test_count(const struct ktest_record *record)
{
    if (record->kind == KTEST_RECORD_SUITE) {
        return 0;
    }
    return record->param_count != 0 ? record->param_count : 1;
}

const struct ktest_attr *select_attr(const struct ktest_record *record)
{
    static const struct ktest_attr nothing;
    return record->attr != NULL ? record->attr : &nothing;
}

static bool machine_has(const char *what)
{
    const char *have = ktest_port_argument("ktest.have");
    while (have != NULL && *have != 0) {
        size_t size_bytes = word_size(have);
        if (ktest_glob_matches(have, size_bytes, what)) {
            return true;
        }
        have += size_bytes + (have[size_bytes] == ',');
    }
    return false;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
    while (*prefix != 0 && *text == *prefix) {
        text++;
        prefix++;
    }
    return *prefix == 0 ? text : NULL;
}

bool select_parse_number(const char **text, uint64_t *value_out)
{
    const char *digit = *text;
    uint64_t value = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value)) {
            return false;
        }
    }
    bool is_number = digit != *text;
    if (is_number) {
        *text = digit;
        *value_out = value;
    }
    return is_number;
}

// By enum ktest_accel.
static const char *const accel_words[] = {NULL, "tcg-", "kvm-", "icount-", "bochs-"};

// "tcg-7.2": false if it is not known what this is.
static bool parse_machine(const char *text, uint32_t *accel_out, uint64_t *version_out)
{
    const char *rest = NULL;
    for (*accel_out = KTEST_ACCEL_TCG; *accel_out <= KTEST_ACCEL_BOCHS; (*accel_out)++) {
        rest = skip_prefix(text, accel_words[*accel_out]);
        if (rest != NULL) {
            break;
        }
    }
    uint64_t major = 0;
    uint64_t minor = 0;
    if (rest == NULL || !select_parse_number(&rest, &major) || *rest++ != '.' ||
        !select_parse_number(&rest, &minor)) {
        return false;
    }
    *version_out = KTEST_QEMU(major, minor);
    return true;
}

const struct ktest_quirk *select_quirk(const struct ktest_record *record)
{
    const struct ktest_attr *attr = select_attr(record);
    const char *machine = ktest_port_argument("ktest.machine");
    uint32_t accel = 0;
    uint64_t version = 0;
    if (attr->quirk_count == 0 || machine == NULL || !parse_machine(machine, &accel, &version)) {
        return NULL;
    }
    for (uint32_t i = 0; i < attr->quirk_count; i++) {
        const struct ktest_quirk *quirk = &attr->quirks[i];
        bool is_meant = quirk->accel == accel ||
                        (quirk->accel == KTEST_ACCEL_TCG && accel == KTEST_ACCEL_ICOUNT);
        if (is_meant && version >= quirk->from && (quirk->before == 0 || version < quirk->before)) {
            return quirk;
        }
    }
    return NULL;
}

// By the bits of enum ktest_needs; the word of ktest.have stands behind the blank.
static const char *const need_words[] = {
    "needs vga", "needs full_cpu", "needs acpi", "needs apic", "needs loader", "needs pc",
};

const char *select_obstacle(const struct ktest_record *record)
{
    uint32_t needs = select_attr(record)->needs;
    for (size_t i = 0; i < sizeof(need_words) / sizeof(need_words[0]); i++) {
        if ((needs & 1U << i) != 0 && !machine_has(need_words[i] + sizeof("needs ") - 1)) {
            return need_words[i];
        }
    }
    const struct ktest_quirk *quirk = select_quirk(record);
    return quirk != NULL ? quirk->skip : NULL;
}
