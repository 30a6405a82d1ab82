// SPDX-License-Identifier: MIT
//
// Where C and C++, gcc and clang differ: the only conditionals in the headers of ktest. Whatever
// stands elsewhere reads the same in all of them, and makes the same records.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// gcc takes each loop variable around KTEST_EXPECT_FAULT for one that may be clobbered. It keeps
// all that lives across a function that returns twice in memory, so none is; and a variable that
// the statement does change, which is undefined, it does not report.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

// An integer of any type, so that comparing -1 with 1u says what it should.
struct ktest_int {
    uint64_t bits; // two's complement
    bool is_negative;
};

// A test refers to attributes that it need not have, and that may stand before or behind it.
#ifndef __cplusplus

#define KTEST_BEGIN_C
#define KTEST_END_C
#define KTEST_STATIC_ASSERT_ _Static_assert

static inline struct ktest_int ktest_int_signed(int64_t value)
{
    struct ktest_int result = {(uint64_t)value, value < 0};
    return result;
}

static inline struct ktest_int ktest_int_unsigned(uint64_t value)
{
    struct ktest_int result = {value, false};
    return result;
}

// A fraction does not compile: it would be compared without what stands behind the point.
#define KTEST_INT_(value_)                                                                         \
    _Generic((value_), float : 0, double : 0, long double : 0, signed char                         \
             : ktest_int_signed, char                                                              \
             : ktest_int_signed, short                                                             \
             : ktest_int_signed, int                                                               \
             : ktest_int_signed, long                                                              \
             : ktest_int_signed, long long                                                         \
             : ktest_int_signed, default                                                           \
             : ktest_int_unsigned)(value_)

// A tentative definition: all zero, unless KTEST_ATTR completes it. Legal, but some warning lists
// call it redundant. An attribute whose name fits no test is an unused variable: a warning.
#define KTEST_DECLARE_ATTR_(suite_, name_)                                                         \
    static const struct ktest_attr KTEST_ID_(attr, suite_, name_);
#define KTEST_DEFINE_ATTR_(suite_, name_, ...)                                                     \
    static const struct ktest_attr KTEST_ID_(attr, suite_, name_) = {__VA_ARGS__}

#define KTEST_DEFINE_OPS_(ops_, ...) static const struct ktest_suite_ops ops_ = {__VA_ARGS__};

#else

#define KTEST_BEGIN_C extern "C" {
#define KTEST_END_C }
#define KTEST_STATIC_ASSERT_ static_assert

#define KTEST_INT_(value_) ktest_int_of(value_)
template <typename T> inline struct ktest_int ktest_int_of(T value)
{
    struct ktest_int result = {static_cast<uint64_t>(value), value < static_cast<T>(0)};
    return result;
}
struct ktest_int ktest_int_of(float) = delete;
struct ktest_int ktest_int_of(double) = delete;
struct ktest_int ktest_int_of(long double) = delete;

// Designated initializers came with C++20; gcc and clang have always taken them.
#define KTEST_DESIGNATED_BEGIN_                                                                    \
    _Pragma("GCC diagnostic push")                                                                 \
    _Pragma("GCC diagnostic ignored \"-Wpragmas\"")                                                \
    _Pragma("GCC diagnostic ignored \"-Wpedantic\"")                                               \
    _Pragma("GCC diagnostic ignored \"-Wc++20-extensions\"")                                       \
    _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")                             \
    _Pragma("GCC diagnostic ignored \"-Wredundant-decls\"")
#define KTEST_DESIGNATED_END_ _Pragma("GCC diagnostic pop")

// A weak declaration: a null pointer, unless KTEST_ATTR defines it. An attribute whose name fits no
// test uses a function that is never defined: a warning, and the link fails.
#define KTEST_DECLARE_ATTR_(suite_, name_)                                                         \
    extern "C" const struct ktest_attr KTEST_ID_(attr, suite_, name_)                              \
        __attribute__((weak, visibility("hidden")));
#define KTEST_DEFINE_ATTR_(suite_, name_, ...)                                                     \
    KTEST_DESIGNATED_BEGIN_                                                                        \
    KTEST_DECLARE_ATTR_(suite_, name_)                                                             \
    static ktest_function_t KTEST_ID_(run, suite_, name_);                                         \
    extern "C" const struct ktest_attr KTEST_ID_(attr, suite_, name_) = {__VA_ARGS__};             \
    KTEST_DESIGNATED_END_                                                                          \
    static ktest_function_t *const KTEST_ID_(attr_of, suite_, name_)                               \
        __attribute__((used)) = KTEST_ID_(run, suite_, name_)

#define KTEST_DEFINE_OPS_(ops_, ...)                                                               \
    KTEST_DESIGNATED_BEGIN_                                                                        \
    static const struct ktest_suite_ops ops_ = {__VA_ARGS__};                                      \
    KTEST_DESIGNATED_END_

#endif
