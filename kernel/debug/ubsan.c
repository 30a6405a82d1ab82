// SPDX-License-Identifier: MIT
//
// What gcc 12 and clang 14 call where the language leaves open what happens (-fsanitize=undefined).
// They pass a record of the place and of the types, and the operands; each call is a panic, so the
// names are those of -fno-sanitize-recover. This file itself is compiled without checks. Undefined
// behaviour in the panic's own code is a panic within a panic, which is one line.
// Source of the interface: LLVM, compiler-rt/lib/ubsan/ubsan_handlers.h and ubsan_value.h.
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "debug/symbols.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/panic.h"
#include "lib/string.h"

// --- What the compilers write -------------------------------------------------------------------

struct place {
    const char *file;
    uint32_t line;
    uint32_t column; // clang's of a call, gcc's of an operator
};

#define TYPE_INTEGER 0

struct type {
    uint16_t kind;
    uint16_t information; // of an integer: bit 0 is set if signed, above it the width's logarithm
    char name[];          // in quotes already
};

struct typed_record { // of overflows, variable lengths, and values that a type does not have
    struct place place;
    const struct type *type;
};

struct pair_record { // of shifts: both operands; of indices: the array and the index
    struct place place;
    const struct type *first;
    const struct type *second;
};

struct mismatch_record {
    struct place place;
    const struct type *type;
    uint8_t alignment_log2;
    uint8_t access; // an index of access_names
};

struct builtin_record {
    struct place place;
    uint8_t builtin; // an index of builtin_names
};

struct argument_record {
    struct place place;
    struct place attribute;
    int32_t number; // from 1
};

struct assumption_record {
    struct place place;
    struct place assumption;
    const struct type *type;
};

// --- Reports ------------------------------------------------------------------------------------

struct value_text {
    char text[sizeof("-0x") + 32];
};

static unsigned width_of(const struct type *type)
{
    return 1U << (type->information >> 1);
}

static bool is_signed(const struct type *type)
{
    return (type->information & 1) != 0;
}

// `operand` is the value itself if it fits, else where it lies.
static struct value_text describe(const struct type *type, uint64_t operand)
{
    struct value_text value;
    unsigned width = width_of(type);
    if (type->kind != TYPE_INTEGER || width > 128) {
        format_buffer(value.text, sizeof(value.text), "?");
    } else if (width > 64) {
        const uint64_t *words = (const uint64_t *)operand;
        format_buffer(value.text, sizeof(value.text), "0x%016lx%016lx", words[1], words[0]);
    } else if (is_signed(type)) {
        int64_t extended = (int64_t)(operand << (64 - width)) >> (64 - width);
        format_buffer(value.text, sizeof(value.text), "%ld", extended);
    } else {
        format_buffer(value.text, sizeof(value.text), "%lu",
                      operand << (64 - width) >> (64 - width));
    }
    return value;
}

// The compilers know this file by its way from the build folder; panics name it from the root.
static const char *from_root(const char *file)
{
    size_t length = strlen(SOURCE_PREFIX);
    return strncmp(file, SOURCE_PREFIX, length) == 0 ? file + length : file;
}

#define RETURN_ADDRESS ((uint64_t)__builtin_return_address(0))

[[gnu::noreturn, gnu::cold, gnu::format(printf, 3, 4)]] static void
report(const struct place *place, uint64_t return_address, const char *format, ...)
{
    static struct source_site site; // a panic's site is for good
    site = (struct source_site){from_root(place->file), symbol_caller(return_address), place->line};
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    format_vbuffer(what, sizeof(what), format, arguments);
    va_end(arguments);
    panic_at(&site, "UBSAN: %s, column %u", what, place->column);
}

// --- What the compilers call --------------------------------------------------------------------

// Only generated code does, so there are no prototypes.
#define HANDLER(name_, ...) [[gnu::noreturn]] void __ubsan_handle_##name_(__VA_ARGS__)

[[gnu::noreturn]] static void report_pair(const struct typed_record *record, const char *what,
                                          uint64_t left, const char *sign, uint64_t right,
                                          uint64_t return_address)
{
    const char *name = record->type->name;
    report(&record->place, return_address, "%s: %s %s %s %s %s", what, name,
           describe(record->type, left).text, sign, name, describe(record->type, right).text);
}

HANDLER(add_overflow_abort, const struct typed_record *record, uint64_t left, uint64_t right)
{
    report_pair(record, "addition overflows", left, "+", right, RETURN_ADDRESS);
}

HANDLER(sub_overflow_abort, const struct typed_record *record, uint64_t left, uint64_t right)
{
    report_pair(record, "subtraction overflows", left, "-", right, RETURN_ADDRESS);
}

HANDLER(mul_overflow_abort, const struct typed_record *record, uint64_t left, uint64_t right)
{
    report_pair(record, "multiplication overflows", left, "*", right, RETURN_ADDRESS);
}

static bool is_zero(const struct type *type, uint64_t operand)
{
    bool is_wide = width_of(type) > 64;
    const uint64_t *words = is_wide ? (const uint64_t *)operand : &operand;
    return (words[0] | (is_wide ? words[1] : 0)) == 0;
}

HANDLER(divrem_overflow_abort, const struct typed_record *record, uint64_t left, uint64_t right)
{
    const char *what = is_zero(record->type, right) ? "division by zero" : "division overflows";
    report_pair(record, what, left, "by", right, RETURN_ADDRESS);
}

HANDLER(negate_overflow_abort, const struct typed_record *record, uint64_t operand)
{
    report(&record->place, RETURN_ADDRESS, "negation overflows: %s %s", record->type->name,
           describe(record->type, operand).text);
}

HANDLER(shift_out_of_bounds_abort, const struct pair_record *record, uint64_t left, uint64_t right)
{
    report(&record->place, RETURN_ADDRESS, "shift out of range: %s %s by %s %s",
           record->first->name, describe(record->first, left).text, record->second->name,
           describe(record->second, right).text);
}

HANDLER(out_of_bounds_abort, const struct pair_record *record, uint64_t index)
{
    report(&record->place, RETURN_ADDRESS, "index out of bounds: %s %s of %s", record->second->name,
           describe(record->second, index).text, record->first->name);
}

static const char *const access_names[] = {
    "load", "store", "reference to", "access to a member of", "call of a member of",
};

HANDLER(type_mismatch_v1_abort, const struct mismatch_record *record, uint64_t address)
{
    const char *access = record->access < ARRAY_SIZE(access_names) ? access_names[record->access]
                                                                   : "use of";
    uint64_t alignment = BIT(record->alignment_log2);
    if (address == 0) {
        report(&record->place, RETURN_ADDRESS, "null pointer: %s %s", access, record->type->name);
    }
    if (address % alignment != 0) {
        report(&record->place, RETURN_ADDRESS, "misaligned pointer: %s %s at %#lx, which wants %lu",
               access, record->type->name, address, alignment);
    }
    report(&record->place, RETURN_ADDRESS, "object too small: %s %s at %#lx", access,
           record->type->name, address);
}

HANDLER(pointer_overflow_abort, const struct place *place, uint64_t base, uint64_t result)
{
    report(place, RETURN_ADDRESS, "pointer overflows: from %#lx to %#lx", base, result);
}

HANDLER(load_invalid_value_abort, const struct typed_record *record, uint64_t value)
{
    report(&record->place, RETURN_ADDRESS, "not a value of its type: %s %s", record->type->name,
           describe(record->type, value).text);
}

HANDLER(vla_bound_not_positive_abort, const struct typed_record *record, uint64_t bound)
{
    report(&record->place, RETURN_ADDRESS, "array without elements: %s %s", record->type->name,
           describe(record->type, bound).text);
}

HANDLER(builtin_unreachable, const struct place *place)
{
    report(place, RETURN_ADDRESS, "unreachable code is reached");
}

static const char *const builtin_names[] = {"__builtin_ctz", "__builtin_clz"};

HANDLER(invalid_builtin_abort, const struct builtin_record *record)
{
    const char *name = record->builtin < ARRAY_SIZE(builtin_names) ? builtin_names[record->builtin]
                                                                   : "a builtin";
    report(&record->place, RETURN_ADDRESS, "0 for %s", name);
}

HANDLER(nonnull_arg_abort, const struct argument_record *record)
{
    report(&record->place, RETURN_ADDRESS, "NULL for argument %d, which is declared nonnull",
           record->number);
}

// The place is that of the return; what comes first is the attribute's.
HANDLER(nonnull_return_v1_abort, const struct place *attribute, const struct place *place)
{
    (void)attribute;
    report(place, RETURN_ADDRESS, "NULL returned, which is declared returns_nonnull");
}

// clang's alone, for __builtin_assume_aligned.
HANDLER(alignment_assumption_abort, const struct assumption_record *record, uint64_t address,
        uint64_t alignment, uint64_t offset)
{
    report(&record->place, RETURN_ADDRESS, "misaligned pointer: %s at %#lx, assumed to have %lu",
           record->type->name, address - offset, alignment);
}
