// SPDX-License-Identifier: MIT
//
// ktest: tests that live in a kernel and are judged from outside.
//
// A test is a function that registers itself: KTEST() leaves a pointer to a constant record in the
// section .ktests. ktest_run() sorts the records, runs the selected ones and reports each on the
// protocol port (docs/protocol.md); the harness reads the same records from the ELF file and
// believes nothing that does not agree with them. The words and the order of arguments are those
// of KUnit and ztest. The header is C11; it needs nothing but the compiler's own headers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KTEST_NORETURN __attribute__((noreturn))
#define KTEST_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))

// The running test: handed to every test function as `test`.
struct ktest;

typedef void ktest_function_t(struct ktest *test);

// --- What a test declares ----------------------------------------------------------------------

// How a test has to end. Anything else is a failure.
enum ktest_outcome_kind {
    KTEST_OUTCOME_PASS,  // it returns, and every check held
    KTEST_OUTCOME_PANIC, // it panics with a message that matches `text`
    KTEST_OUTCOME_FAULT, // it raises the exception `vector`
};

// Half-open range of addresses; a size of 0 means that the address is not checked.
struct ktest_range {
    uint64_t start;
    uint64_t size_bytes;
};

// The harness reads this layout from the ELF file: keep it in step with harness/judge/elf.py.
struct ktest_outcome {
    uint64_t error;          // FAULT: the error code that is expected in the bits of `mask`
    uint64_t mask;           // FAULT: bits of the error code that are compared; 0 stands for all
    struct ktest_range addr; // FAULT: where the faulting address has to lie
    uint32_t kind;           // enum ktest_outcome_kind
    uint32_t vector;         // FAULT: 0..31
    uint32_t ist;            // FAULT: the interrupt stack it has to arrive on, 1..7; 0: any
    uint32_t reserved;
    const char *text;   // PANIC: the whole message; '*' and '?' are wildcards
    const char *symbol; // FAULT: the function that RIP has to lie in (the harness checks it)
};

#define KTEST_PANIC(text_)                                                                         \
    {                                                                                              \
        .kind = KTEST_OUTCOME_PANIC, .text = (text_)                                               \
    }
// KTEST_FAULT(PF, .error = 2, .addr = KTEST_ADDR(&x), .ist = 1, .symbol = "poke"): the first
// argument is the exception's mnemonic, the others are fields of struct ktest_outcome.
#define KTEST_FAULT(...)                                                                           \
    {                                                                                              \
        .kind = KTEST_OUTCOME_FAULT, .vector = KTEST_VECTOR_##__VA_ARGS__                          \
    }
#define KTEST_ADDR(address_)                                                                       \
    {                                                                                              \
        (uintptr_t)(address_), 1                                                                   \
    }
#define KTEST_ADDR_RANGE(address_, size_bytes_)                                                    \
    {                                                                                              \
        (uintptr_t)(address_), (size_bytes_)                                                       \
    }

// Exceptions by their mnemonics: Intel SDM vol. 3, 6.15.
enum ktest_vector {
    KTEST_VECTOR_DE = 0,
    KTEST_VECTOR_DB = 1,
    KTEST_VECTOR_NMI = 2,
    KTEST_VECTOR_BP = 3,
    KTEST_VECTOR_OF = 4,
    KTEST_VECTOR_BR = 5,
    KTEST_VECTOR_UD = 6,
    KTEST_VECTOR_NM = 7,
    KTEST_VECTOR_DF = 8,
    KTEST_VECTOR_TS = 10,
    KTEST_VECTOR_NP = 11,
    KTEST_VECTOR_SS = 12,
    KTEST_VECTOR_GP = 13,
    KTEST_VECTOR_PF = 14,
    KTEST_VECTOR_MF = 16,
    KTEST_VECTOR_AC = 17,
    KTEST_VECTOR_MC = 18,
    KTEST_VECTOR_XM = 19,
};

enum ktest_isolation {
    KTEST_ISOLATION_NONE, // shares its boot with other tests
    KTEST_ISOLATION_BOOT, // gets a boot of its own
};

// What a test needs of the machine; the harness chooses one that has it and says so in the
// argument ktest.have. A test whose need is not met is skipped with that reason.
enum ktest_needs {
    KTEST_NEEDS_VGA = 1 << 0, // a VGA in text mode
};

struct ktest_attr {
    struct ktest_outcome outcome;
    uint32_t isolation;  // enum ktest_isolation
    uint32_t timeout_ms; // 0: the harness's default
    uint32_t needs;      // enum ktest_needs, or-ed
    uint32_t reserved;
    const char *proves; // ids of docs/checklist.md, separated by spaces; NULL: none
};

// Fixtures. suite_init and suite_exit run once around the suite's selected tests, init and exit
// around every test; exit runs also after a failed assertion, a panic or a fault.
// A failing suite_init is an error of each of its tests.
struct ktest_suite_ops {
    ktest_function_t *suite_init;
    ktest_function_t *suite_exit;
    ktest_function_t *init;
    ktest_function_t *exit;
};

#define KTEST_RECORD_MAGIC 0x3153544bU // "KTS1" in memory: the layout's version
enum ktest_record_kind { KTEST_RECORD_CASE = 1, KTEST_RECORD_SUITE = 2 };

// What .ktests points to. The harness reads this layout from the ELF file as well.
struct ktest_record {
    uint32_t magic;
    uint32_t kind; // enum ktest_record_kind
    const char *suite;
    const char *name; // NULL for a suite
    const char *file;
    uint32_t line;
    uint32_t reserved;
    ktest_function_t *run;             // NULL for a suite
    const struct ktest_attr *attr;     // NULL for a suite
    const struct ktest_suite_ops *ops; // NULL for a case
};

#define KTEST_ID_(prefix_, suite_, name_) ktest_##prefix_##_##suite_##__##name_

// The section holds pointers, not records: compilers align larger objects, which would leave holes.
#define KTEST_REGISTER_(id_, ...)                                                                  \
    static const struct ktest_record id_##_record = {                                              \
        .magic = KTEST_RECORD_MAGIC, .file = __FILE__, .line = __LINE__, __VA_ARGS__};             \
    static const struct ktest_record *id_##_pointer                                                \
        __attribute__((section(".ktests"), used)) = &id_##_record

// KTEST(suite, name) { ... }: a test. Its attributes, if any, stand before or behind it.
// The attributes are a tentative definition here, which KTEST_ATTR completes: legal C, but some
// warning lists call it redundant.
#define KTEST(suite_, name_) KTEST_CASE_(KTEST_ID_(case, suite_, name_), suite_, name_)
#define KTEST_CASE_(id_, suite_, name_)                                                            \
    static ktest_function_t KTEST_ID_(run, suite_, name_);                                         \
    _Pragma("GCC diagnostic push")                                                                 \
    _Pragma("GCC diagnostic ignored \"-Wredundant-decls\"")                                        \
    static const struct ktest_attr KTEST_ID_(attr, suite_, name_);                                 \
    _Pragma("GCC diagnostic pop")                                                                  \
    KTEST_REGISTER_2_(id_, .kind = KTEST_RECORD_CASE, .suite = #suite_, .name = #name_,            \
                      .run = KTEST_ID_(run, suite_, name_),                                        \
                      .attr = &KTEST_ID_(attr, suite_, name_));                                    \
    static void KTEST_ID_(run, suite_, name_)(struct ktest * test)
#define KTEST_REGISTER_2_(id_, ...) KTEST_REGISTER_(id_, __VA_ARGS__)

// KTEST_ATTR(suite, name, .outcome = ..., .proves = "5.11"): attributes of a test of this file.
#define KTEST_ATTR(suite_, name_, ...)                                                             \
    static const struct ktest_attr KTEST_ID_(attr, suite_, name_) = {__VA_ARGS__}

// KTEST_SUITE(suite, .init = ..., .exit = ...): fixtures for every test named suite.*.
#define KTEST_SUITE(suite_, ...)                                                                   \
    static const struct ktest_suite_ops ktest_ops_##suite_ = {__VA_ARGS__};                        \
    KTEST_REGISTER_(ktest_suite_##suite_, .kind = KTEST_RECORD_SUITE, .suite = #suite_,            \
                    .ops = &ktest_ops_##suite_)

// --- Checks ------------------------------------------------------------------------------------
// KTEST_EXPECT_* notes a failure and goes on; KTEST_ASSERT_* ends the test. Both show the values
// of both sides with file and line, and evaluate each argument once. With _MSG, a message in
// printf's form follows. A test that passes without one check is an error: it asserted nothing.

enum ktest_severity { KTEST_EXPECT, KTEST_ASSERT };
enum ktest_relation { KTEST_EQ, KTEST_NE, KTEST_LT, KTEST_LE, KTEST_GT, KTEST_GE };

// Where a check stands and what it says in the source.
struct ktest_site {
    const char *file;
    uint32_t line;
    uint32_t severity; // enum ktest_severity
    uint32_t relation; // enum ktest_relation, for comparisons
    const char *left;
    const char *right;
};

// An integer of any type, so that comparing -1 with 1u says what it should.
struct ktest_int {
    uint64_t bits; // two's complement
    bool is_negative;
};

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

#define KTEST_INT_(value_)                                                                         \
    _Generic((value_), signed char                                                                 \
             : ktest_int_signed, char                                                              \
             : ktest_int_signed, short                                                             \
             : ktest_int_signed, int                                                               \
             : ktest_int_signed, long                                                              \
             : ktest_int_signed, long long                                                         \
             : ktest_int_signed, default                                                           \
             : ktest_int_unsigned)(value_)

void ktest_check_bool(struct ktest *test, const struct ktest_site *site, bool value, bool expected,
                      const char *format, ...) KTEST_PRINTF(5, 6);
void ktest_check_int(struct ktest *test, const struct ktest_site *site, struct ktest_int left,
                     struct ktest_int right, const char *format, ...) KTEST_PRINTF(5, 6);
void ktest_check_ptr(struct ktest *test, const struct ktest_site *site, const volatile void *left,
                     const volatile void *right, const char *format, ...) KTEST_PRINTF(5, 6);
void ktest_check_str(struct ktest *test, const struct ktest_site *site, const char *left,
                     const char *right, const char *format, ...) KTEST_PRINTF(5, 6);
void ktest_check_mem(struct ktest *test, const struct ktest_site *site, const void *left,
                     const void *right, size_t size_bytes, const char *format, ...)
    KTEST_PRINTF(6, 7);
void ktest_fail(struct ktest *test, const struct ktest_site *site, const char *format, ...)
    KTEST_PRINTF(3, 4);

// Ends the test as skipped, with a reason in printf's form. Not an excuse: the harness takes it for
// an error unless it was told that the test may skip itself (--allow-skip).
KTEST_NORETURN void ktest_skip(struct ktest *test, const char *format, ...) KTEST_PRINTF(2, 3);

// What the test is called, without its suite.
const char *ktest_name(const struct ktest *test);

#define KTEST_SITE_(severity_, relation_, left_, right_)                                           \
    static const struct ktest_site ktest_site_ = {__FILE__,    __LINE__, (severity_),              \
                                                  (relation_), (left_),  (right_)}

// The variable arguments of these are the message: NULL, or a format and its arguments.
#define KTEST_BOOL_(severity_, test_, value_, expected_, ...)                                      \
    do {                                                                                           \
        KTEST_SITE_(severity_, KTEST_EQ, #value_, #expected_);                                     \
        ktest_check_bool(test_, &ktest_site_, (value_) ? true : false, expected_, __VA_ARGS__);    \
    } while (0)
#define KTEST_COMPARE_(severity_, relation_, test_, left_, right_, ...)                            \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, #left_, #right_);                                        \
        ktest_check_int(test_, &ktest_site_, KTEST_INT_(left_), KTEST_INT_(right_), __VA_ARGS__);  \
    } while (0)
#define KTEST_POINTER_(severity_, relation_, test_, left_, right_, ...)                            \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, #left_, #right_);                                        \
        ktest_check_ptr(test_, &ktest_site_, left_, right_, __VA_ARGS__);                          \
    } while (0)
#define KTEST_STRING_(severity_, relation_, test_, left_, right_, ...)                             \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, #left_, #right_);                                        \
        ktest_check_str(test_, &ktest_site_, left_, right_, __VA_ARGS__);                          \
    } while (0)
#define KTEST_MEMORY_(severity_, relation_, test_, left_, right_, size_bytes_, ...)                \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, #left_, #right_);                                        \
        ktest_check_mem(test_, &ktest_site_, left_, right_, size_bytes_, __VA_ARGS__);             \
    } while (0)

#define KTEST_FAIL(test_, ...)                                                                     \
    do {                                                                                           \
        KTEST_SITE_(KTEST_EXPECT, KTEST_EQ, "", "");                                               \
        ktest_fail(test_, &ktest_site_, __VA_ARGS__);                                              \
    } while (0)

#define KTEST_EXPECT_TRUE(test_, x_) KTEST_BOOL_(KTEST_EXPECT, test_, x_, true, NULL)
#define KTEST_EXPECT_FALSE(test_, x_) KTEST_BOOL_(KTEST_EXPECT, test_, x_, false, NULL)
#define KTEST_EXPECT_EQ(test_, l_, r_) KTEST_COMPARE_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, NULL)
#define KTEST_EXPECT_NE(test_, l_, r_) KTEST_COMPARE_(KTEST_EXPECT, KTEST_NE, test_, l_, r_, NULL)
#define KTEST_EXPECT_LT(test_, l_, r_) KTEST_COMPARE_(KTEST_EXPECT, KTEST_LT, test_, l_, r_, NULL)
#define KTEST_EXPECT_LE(test_, l_, r_) KTEST_COMPARE_(KTEST_EXPECT, KTEST_LE, test_, l_, r_, NULL)
#define KTEST_EXPECT_GT(test_, l_, r_) KTEST_COMPARE_(KTEST_EXPECT, KTEST_GT, test_, l_, r_, NULL)
#define KTEST_EXPECT_GE(test_, l_, r_) KTEST_COMPARE_(KTEST_EXPECT, KTEST_GE, test_, l_, r_, NULL)
#define KTEST_EXPECT_PTR_EQ(test_, l_, r_)                                                         \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, NULL)
#define KTEST_EXPECT_NULL(test_, p_) KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, p_, NULL, NULL)
#define KTEST_EXPECT_NOT_NULL(test_, p_)                                                           \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_NE, test_, p_, NULL, NULL)
#define KTEST_EXPECT_STREQ(test_, l_, r_) KTEST_STRING_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, NULL)
#define KTEST_EXPECT_MEMEQ(test_, l_, r_, size_bytes_)                                             \
    KTEST_MEMORY_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, size_bytes_, NULL)
#define KTEST_EXPECT_TRUE_MSG(test_, x_, ...)                                                      \
    KTEST_BOOL_(KTEST_EXPECT, test_, x_, true, __VA_ARGS__)
#define KTEST_EXPECT_FALSE_MSG(test_, x_, ...)                                                     \
    KTEST_BOOL_(KTEST_EXPECT, test_, x_, false, __VA_ARGS__)
#define KTEST_EXPECT_EQ_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_NE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_NE, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_LT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_LT, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_LE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_LE, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_GT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_GT, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_GE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_GE, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_PTR_EQ_MSG(test_, l_, r_, ...)                                                \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_NULL_MSG(test_, p_, ...)                                                      \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, p_, NULL, __VA_ARGS__)
#define KTEST_EXPECT_NOT_NULL_MSG(test_, p_, ...)                                                  \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_NE, test_, p_, NULL, __VA_ARGS__)
#define KTEST_EXPECT_STREQ_MSG(test_, l_, r_, ...)                                                 \
    KTEST_STRING_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, __VA_ARGS__)
#define KTEST_EXPECT_MEMEQ_MSG(test_, l_, r_, size_bytes_, ...)                                    \
    KTEST_MEMORY_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, size_bytes_, __VA_ARGS__)

#define KTEST_ASSERT_TRUE(test_, x_) KTEST_BOOL_(KTEST_ASSERT, test_, x_, true, NULL)
#define KTEST_ASSERT_FALSE(test_, x_) KTEST_BOOL_(KTEST_ASSERT, test_, x_, false, NULL)
#define KTEST_ASSERT_EQ(test_, l_, r_) KTEST_COMPARE_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, NULL)
#define KTEST_ASSERT_NE(test_, l_, r_) KTEST_COMPARE_(KTEST_ASSERT, KTEST_NE, test_, l_, r_, NULL)
#define KTEST_ASSERT_LT(test_, l_, r_) KTEST_COMPARE_(KTEST_ASSERT, KTEST_LT, test_, l_, r_, NULL)
#define KTEST_ASSERT_LE(test_, l_, r_) KTEST_COMPARE_(KTEST_ASSERT, KTEST_LE, test_, l_, r_, NULL)
#define KTEST_ASSERT_GT(test_, l_, r_) KTEST_COMPARE_(KTEST_ASSERT, KTEST_GT, test_, l_, r_, NULL)
#define KTEST_ASSERT_GE(test_, l_, r_) KTEST_COMPARE_(KTEST_ASSERT, KTEST_GE, test_, l_, r_, NULL)
#define KTEST_ASSERT_PTR_EQ(test_, l_, r_)                                                         \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, NULL)
#define KTEST_ASSERT_NULL(test_, p_) KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, p_, NULL, NULL)
#define KTEST_ASSERT_NOT_NULL(test_, p_)                                                           \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_NE, test_, p_, NULL, NULL)
#define KTEST_ASSERT_STREQ(test_, l_, r_) KTEST_STRING_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, NULL)
#define KTEST_ASSERT_MEMEQ(test_, l_, r_, size_bytes_)                                             \
    KTEST_MEMORY_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, size_bytes_, NULL)
#define KTEST_ASSERT_TRUE_MSG(test_, x_, ...)                                                      \
    KTEST_BOOL_(KTEST_ASSERT, test_, x_, true, __VA_ARGS__)
#define KTEST_ASSERT_FALSE_MSG(test_, x_, ...)                                                     \
    KTEST_BOOL_(KTEST_ASSERT, test_, x_, false, __VA_ARGS__)
#define KTEST_ASSERT_EQ_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_NE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_NE, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_LT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_LT, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_LE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_LE, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_GT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_GT, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_GE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_GE, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_PTR_EQ_MSG(test_, l_, r_, ...)                                                \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_NULL_MSG(test_, p_, ...)                                                      \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, p_, NULL, __VA_ARGS__)
#define KTEST_ASSERT_NOT_NULL_MSG(test_, p_, ...)                                                  \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_NE, test_, p_, NULL, __VA_ARGS__)
#define KTEST_ASSERT_STREQ_MSG(test_, l_, r_, ...)                                                 \
    KTEST_STRING_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, __VA_ARGS__)
#define KTEST_ASSERT_MEMEQ_MSG(test_, l_, r_, size_bytes_, ...)                                    \
    KTEST_MEMORY_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, size_bytes_, __VA_ARGS__)
