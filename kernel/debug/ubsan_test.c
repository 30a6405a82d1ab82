// SPDX-License-Identifier: MIT
//
// Each kind of undefined behaviour is reported, with its operands as the compiler describes them,
// and what is just defined is not: in builds with the sanitizer of undefined behaviour.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktest.h"

// The compiler must not know the values, or it reports them itself.
#define FORGET(value_) __asm__("" : "+r"(value_))

typedef __int128 int128_t;

// --- The report ---------------------------------------------------------------------------------

[[gnu::noinline]] static int add(int left, int right)
{
    FORGET(left);
    return left + right;
}

KTEST_ATTR(
    ubsan, panics_with_operands_types_and_column,
    .outcome = KTEST_PANIC("UBSAN: addition overflows: 'int' 2147483647 + 'int' 1, column ??"));
KTEST(ubsan, panics_with_operands_types_and_column)
{
    KTEST_ARM(test);
    KTEST_EXPECT_EQ(test, add(INT32_MAX, 1), 0);
}

// Checks an expression that is undefined, and gives its value away.
#define EXPECT_REPORT(text_, expression_)                                                          \
    KTEST_EXPECT_PANIC(test, "UBSAN: " text_ ", column *", {                                       \
        typeof(expression_) result_ = (expression_);                                               \
        __asm__ volatile("" : : "g"(result_));                                                     \
    })

// --- Arithmetic ---------------------------------------------------------------------------------

#define DEFINE_OPERATION(name_, type_, operator_)                                                  \
    [[gnu::noinline]] static type_ name_(type_ left, type_ right)                                  \
    {                                                                                              \
        __asm__("" : "+g"(left), "+g"(right));                                                     \
        return left operator_ right;                                                               \
    }

DEFINE_OPERATION(add_long, long, +)
DEFINE_OPERATION(subtract, int, -)
DEFINE_OPERATION(multiply, long, *)
DEFINE_OPERATION(divide, int, /)
DEFINE_OPERATION(divide_unsigned, uint32_t, /)
DEFINE_OPERATION(remain, long, %)

KTEST(ubsan, overflow_of_a_sum)
{
    EXPECT_REPORT("addition overflows: 'int' -2147483648 + 'int' -1", add(INT32_MIN, -1));
    EXPECT_REPORT("addition overflows: 'long*' 9223372036854775807 + 'long*' 1",
                  add_long(INT64_MAX, 1));
    KTEST_EXPECT_EQ(test, add(INT32_MAX, -1), INT32_MAX - 1);
}

KTEST(ubsan, overflow_of_a_difference)
{
    EXPECT_REPORT("subtraction overflows: 'int' -2147483648 - 'int' 1", subtract(INT32_MIN, 1));
    KTEST_EXPECT_EQ(test, subtract(INT32_MIN, -1), INT32_MIN + 1);
}

KTEST(ubsan, overflow_of_a_product)
{
    EXPECT_REPORT("multiplication overflows: 'long*' 4611686018427387904 * 'long*' -3",
                  multiply(INT64_MAX / 2 + 1, -3));
    KTEST_EXPECT_EQ(test, multiply(INT64_MAX / 2 + 1, -2), INT64_MIN);
}

KTEST(ubsan, division)
{
    EXPECT_REPORT("division by zero: 'int' 7 by 'int' 0", divide(7, 0));
    EXPECT_REPORT("division by zero: '*' 7 by '*' 0", divide_unsigned(7, 0));
    EXPECT_REPORT("division by zero: 'long*' 7 by 'long*' 0", remain(7, 0));
    EXPECT_REPORT("division overflows: 'int' -2147483648 by 'int' -1", divide(INT32_MIN, -1));
    EXPECT_REPORT("division overflows: 'long*' * by 'long*' -1", remain(INT64_MIN, -1));
    KTEST_EXPECT_EQ(test, divide(INT32_MIN, 1), INT32_MIN);
}

[[gnu::noinline]] static int negate(int value)
{
    FORGET(value);
    return -value;
}

KTEST(ubsan, overflow_of_a_negation)
{
    EXPECT_REPORT("negation overflows: 'int' -2147483648", negate(INT32_MIN));
    KTEST_EXPECT_EQ(test, negate(INT32_MAX), -INT32_MAX);
}

// --- Operands that do not fit into a register ---------------------------------------------------

static int128_t large = (int128_t)1 << 126;

[[gnu::noinline]] static bool add_to_large(int128_t more)
{
    return large + more < 0;
}

KTEST(ubsan, operands_of_128_bits)
{
    EXPECT_REPORT("addition overflows: '__int128' 0x40000000000000000000000000000000 + "
                  "'__int128' 0x40000000000000000000000000000000",
                  add_to_large(large));
    KTEST_EXPECT_FALSE(test, add_to_large(large - 1));
}

// --- Shifts -------------------------------------------------------------------------------------

DEFINE_OPERATION(shift_left, int, <<)
DEFINE_OPERATION(shift_right_long, uint64_t, >>)

[[gnu::noinline]] static unsigned shift_by_a_byte(unsigned value, int8_t count)
{
    FORGET(value);
    return value << count;
}

KTEST(ubsan, shift)
{
    EXPECT_REPORT("shift out of range: 'int' 1 by 'int' 32", shift_left(1, 32));
    EXPECT_REPORT("shift out of range: 'int' 1 by 'int' -1", shift_left(1, -1));
    EXPECT_REPORT("shift out of range: 'int' -5 by 'int' 1", shift_left(-5, 1));
    EXPECT_REPORT("shift out of range: 'int' 3 by 'int' 30", shift_left(3, 30));
    EXPECT_REPORT("shift out of range: 'u* 18446744073709551615 by 'u* 64",
                  shift_right_long(UINT64_MAX, 64));
    EXPECT_REPORT("shift out of range: 'unsigned int' 1 by 'int*' -128",
                  shift_by_a_byte(1, INT8_MIN));
    KTEST_EXPECT_EQ(test, shift_left(1, 30), 1 << 30);
    KTEST_EXPECT_EQ(test, shift_right_long(UINT64_MAX, 63), 1);
}

// --- Memory -------------------------------------------------------------------------------------

static int four[4];

[[gnu::noinline]] static int read_element(int64_t index)
{
    FORGET(index);
    return four[index];
}

KTEST(ubsan, index_out_of_bounds)
{
    EXPECT_REPORT("index out of bounds: * 4 of 'int*4]'", read_element(4));
    EXPECT_REPORT("index out of bounds: * -1 of 'int*4]'", read_element(-1));
    KTEST_EXPECT_EQ(test, read_element(3), 0);
}

struct pair {
    uint64_t first;
    uint64_t second;
};

[[gnu::noinline]] static uint64_t read_second(const struct pair *pair)
{
    FORGET(pair);
    return pair->second;
}

[[gnu::noinline]] static void write_first(struct pair *pair)
{
    FORGET(pair);
    pair->first = 1;
}

static struct pair pairs[2];

KTEST(ubsan, null_pointer)
{
    EXPECT_REPORT("null pointer: access to a member of '*struct pair'", read_second(NULL));
    KTEST_EXPECT_EQ(test, read_second(&pairs[0]), 0);
}

KTEST(ubsan, misaligned_pointer)
{
    struct pair *misaligned = (struct pair *)((uint64_t)pairs + 4);
    EXPECT_REPORT(
        "misaligned pointer: access to a member of '*struct pair' at 0xf*4, which wants 8",
        read_second(misaligned));
    KTEST_EXPECT_PANIC(test, "UBSAN: misaligned pointer: * 'struct pair' at 0x*",
                       write_first(misaligned));
    write_first(&pairs[1]);
    KTEST_EXPECT_EQ(test, pairs[1].first, 1);
}

#ifdef __OPTIMIZE__ // without, no compiler knows the size
static char eight[8];

// clang sees through constant offsets only; gcc through others too, and it warns of constant ones.
static inline uint32_t read_from_eight(size_t offset)
{
#ifndef __clang__
    FORGET(offset);
#endif
    const char *start = eight;
    return *(const uint32_t *)(const void *)(start + offset);
}

KTEST(ubsan, object_too_small)
{
    EXPECT_REPORT("object too small: load '*at 0x*", read_from_eight(8));
    KTEST_EXPECT_EQ(test, read_from_eight(4), 0);
}
#endif

[[gnu::noinline]] static const char *advance(const char *pointer, int64_t offset)
{
    FORGET(offset);
    return pointer + offset;
}

KTEST(ubsan, pointer_overflow)
{
    EXPECT_REPORT("pointer overflows: from 0xfffffffffffffff8 to 0x8",
                  advance((const char *)-8, 16));
    KTEST_EXPECT_PTR_EQ(test, advance((const char *)four, 16), (const char *)&four[4]);
}

[[gnu::noinline]] static bool read_bool(const uint8_t *byte)
{
    FORGET(byte);
    return *(const bool *)byte;
}

KTEST(ubsan, bool_that_is_neither)
{
    static const uint8_t values[] = {0, 1, 2, 255};
    EXPECT_REPORT("not a value of its type: '*ool' 2", read_bool(&values[2]));
    EXPECT_REPORT("not a value of its type: '*ool' 255", read_bool(&values[3]));
    KTEST_EXPECT_FALSE(test, read_bool(&values[0]));
    KTEST_EXPECT_TRUE(test, read_bool(&values[1]));
}

#pragma GCC diagnostic ignored "-Wvla"
[[gnu::noinline]] static size_t take(int count)
{
    FORGET(count);
    char array[count];
    char *start = array;
    FORGET(start);
    return sizeof(array);
}

KTEST(ubsan, array_of_variable_length)
{
    EXPECT_REPORT("array without elements: 'int' -3", take(-3));
    EXPECT_REPORT("array without elements: 'int' 0", take(0));
    KTEST_EXPECT_EQ(test, take(1), 1);
}

// --- Promises to the compiler -------------------------------------------------------------------

[[gnu::noinline]] static int choose(int value)
{
    FORGET(value);
    if (value == 1) {
        return 2;
    }
    __builtin_unreachable();
}

KTEST(ubsan, unreachable_code)
{
    EXPECT_REPORT("unreachable code is reached", choose(2));
    KTEST_EXPECT_EQ(test, choose(1), 2);
}

[[gnu::noinline]] static int leading_zeros(unsigned value)
{
    FORGET(value);
    return __builtin_clz(value);
}

[[gnu::noinline]] static int trailing_zeros(uint64_t value)
{
    FORGET(value);
    return __builtin_ctzll(value);
}

KTEST(ubsan, builtin_of_zero)
{
    EXPECT_REPORT("0 for __builtin_clz", leading_zeros(0));
    EXPECT_REPORT("0 for __builtin_ctz", trailing_zeros(0));
    KTEST_EXPECT_EQ(test, leading_zeros(1), 31);
    KTEST_EXPECT_EQ(test, trailing_zeros(8), 3);
}

[[gnu::noinline, gnu::nonnull(2)]] static void take_pointer(int first, const void *second)
{
    __asm__ volatile("" : : "r"(first), "r"(second));
}

[[gnu::noinline]] static void give(const void *pointer)
{
    FORGET(pointer);
    take_pointer(1, pointer);
}

[[gnu::noinline, gnu::returns_nonnull]] static const void *pass(const void *pointer)
{
    FORGET(pointer);
    return pointer;
}

KTEST(ubsan, null_for_nonnull)
{
    KTEST_EXPECT_PANIC(test, "UBSAN: NULL for argument 2, which is declared nonnull, column *",
                       give(NULL));
    EXPECT_REPORT("NULL returned, which is declared returns_nonnull", pass(NULL));
    give(test);
    KTEST_EXPECT_PTR_EQ(test, pass(test), test);
}

#ifdef __clang__ // gcc has no check of it
[[gnu::noinline]] static const char *assume_aligned(const char *pointer)
{
    FORGET(pointer);
    return __builtin_assume_aligned(pointer, 16);
}

KTEST(ubsan, assumed_alignment)
{
    EXPECT_REPORT("misaligned pointer: 'const char *' at 0x*8, assumed to have 16",
                  assume_aligned((const char *)0x1008));
    KTEST_EXPECT_PTR_EQ(test, assume_aligned((const char *)0x1010), (const char *)0x1010);
}
#endif
