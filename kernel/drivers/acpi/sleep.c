// SPDX-License-Identifier: MIT
//
// A cursor over bytes that never passes its end, and what AML has of packages and integers.
#include "drivers/acpi/sleep.h"

#include <stdbool.h>

#include "lib/bits.h"
#include "lib/string.h"

enum aml_op {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_NAME = 0x08,
    AML_BYTE = 0x0a,
    AML_WORD = 0x0b,
    AML_DWORD = 0x0c,
    AML_QWORD = 0x0e,
    AML_PACKAGE = 0x12,
    AML_ROOT = 0x5c, // the character '\'
};

#define NAME_BYTES 4
#define LENGTH_FOLLOWING GENMASK(7, 6) // in a package length's first byte: how many bytes follow
#define LENGTH_SMALL GENMASK(5, 0)     // the length, if none does
#define LENGTH_UNUSED GENMASK(5, 4)    // 0 if any does
#define LENGTH_LOW GENMASK(3, 0)       // its low four bits then
#define SLEEP_TYPE_MAX 7               // the field SLP_TYP has three bits

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

// A number of so many bytes, the low one first.
static bool take(struct cursor *cursor, size_t size_bytes, uint64_t *value_out)
{
    if ((size_t)(cursor->end - cursor->at) < size_bytes) {
        return false;
    }
    *value_out = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        *value_out |= (uint64_t)cursor->at[i] << 8 * i;
    }
    cursor->at += size_bytes;
    return true;
}

// The package length, with its own bytes, ends the package that the cursor is left in.
static bool enter_package(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;
    uint64_t first = 0;
    uint64_t rest = 0;
    if (!take(cursor, 1, &first)) {
        return false;
    }
    uint64_t following = FIELD_GET(LENGTH_FOLLOWING, first);
    if (!take(cursor, following, &rest) || (following != 0 && (first & LENGTH_UNUSED) != 0)) {
        return false;
    }
    uint64_t length = following == 0 ? first & LENGTH_SMALL : rest << 4 | (first & LENGTH_LOW);
    if (length < (size_t)(cursor->at - start) || length > (size_t)(cursor->end - start)) {
        return false;
    }
    cursor->end = start + length;
    return true;
}

static bool take_integer(struct cursor *cursor, uint64_t *value_out)
{
    uint64_t op;
    if (!take(cursor, 1, &op)) {
        return false;
    }
    switch (op) {
    case AML_ZERO:
    case AML_ONE:
        *value_out = op;
        return true;
    case AML_BYTE:
        return take(cursor, 1, value_out);
    case AML_WORD:
        return take(cursor, 2, value_out);
    case AML_DWORD:
        return take(cursor, 4, value_out);
    case AML_QWORD:
        return take(cursor, 8, value_out);
    default:
        return false;
    }
}

// From behind the name on.
static bool take_sleep_package(struct cursor cursor, struct acpi_sleep_type *sleep_type_out)
{
    uint64_t op;
    uint64_t count;
    uint64_t a;
    uint64_t b;
    if (!take(&cursor, 1, &op) || op != AML_PACKAGE || !enter_package(&cursor) ||
        !take(&cursor, 1, &count) || count < 2 || !take_integer(&cursor, &a) ||
        !take_integer(&cursor, &b) || a > SLEEP_TYPE_MAX || b > SLEEP_TYPE_MAX) {
        return false;
    }
    *sleep_type_out = (struct acpi_sleep_type){(uint8_t)a, (uint8_t)b};
    return true;
}

// Whether these bytes end in NameOp, and perhaps the root character.
static bool ends_in_name_op(const uint8_t *aml, size_t size_bytes)
{
    if (size_bytes > 0 && aml[size_bytes - 1] == AML_ROOT) {
        size_bytes--;
    }
    return size_bytes > 0 && aml[size_bytes - 1] == AML_NAME;
}

enum error acpi_sleep_find(const uint8_t *aml, size_t size_bytes,
                           struct acpi_sleep_type *sleep_type_out)
{
    for (size_t at = 0; size_bytes - at >= NAME_BYTES; at++) {
        struct cursor behind = {aml + at + NAME_BYTES, aml + size_bytes};
        if (memcmp(aml + at, "_S5_", NAME_BYTES) == 0 && ends_in_name_op(aml, at) &&
            take_sleep_package(behind, sleep_type_out)) {
            return OK;
        }
    }
    return ENOENT;
}

static enum error find_in_table(const struct acpi_table *table,
                                struct acpi_sleep_type *sleep_type_out)
{
    return acpi_sleep_find(table->bytes + ACPI_HEADER_BYTES, table->size_bytes - ACPI_HEADER_BYTES,
                           sleep_type_out);
}

enum error acpi_soft_off_find(const struct acpi_root *root, uint64_t dsdt,
                              struct acpi_sleep_type *sleep_type_out)
{
    struct acpi_table table;
    if (acpi_table_read(root->read, dsdt, "DSDT", &table) == OK &&
        find_in_table(&table, sleep_type_out) == OK) {
        return OK;
    }
    size_t cursor = 0;
    while (acpi_table_find(root, "SSDT", &cursor, &table) == OK) {
        if (find_in_table(&table, sleep_type_out) == OK) {
            return OK;
        }
    }
    return ENOENT;
}
