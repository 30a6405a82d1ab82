// SPDX-License-Identifier: MIT
//
// The checks of ktest.h, which includes this.
//
// KTEST_EXPECT_* notes a failure and goes on; KTEST_ASSERT_* ends the test; KTEST_ASSUME_* skips
// it. They show the values of both sides with file and line, and evaluate each argument once. With
// _MSG, a message in printf's form follows. A test that passes without one check is an error: it
// asserted nothing.
#pragma once

#include "context.h"
#include "ktest.h"

KTEST_BEGIN_C

enum ktest_severity { KTEST_EXPECT, KTEST_ASSERT, KTEST_ASSUME };
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

// An exception, as the kernel's handler saw it.
struct ktest_fault {
    uint32_t vector;
    uint32_t ist; // the interrupt stack it arrived on, 0: none
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t address;  // CR2
    const void *frame; // the kernel's own record of it, while it is being handled
};

// A statement that has to fault or to panic, and where to go on when it has. It lives in the frame
// of the function that tries it.
struct ktest_attempt {
    const struct ktest_site *site;
    uint32_t kind; // enum ktest_outcome_kind: PANIC or FAULT
    uint32_t vector;
    uint64_t error;
    const char *text;
    struct ktest_attempt *outer;
    struct ktest_mark mark;
    struct ktest_context context;
    uint32_t result; // runner.h: how the statement ended
};

void ktest_attempt_begin(struct ktest *test, struct ktest_attempt *attempt);
void ktest_attempt_end(struct ktest *test, struct ktest_attempt *attempt);

// The fault that the last KTEST_EXPECT_FAULT recovered from: for checks of its address, of RIP, of
// the stack it came in on. All zero if there was none.
const struct ktest_fault *ktest_last_fault(const struct ktest *test);

void ktest_arm(struct ktest *test, const struct ktest_site *site);

KTEST_END_C

// The next thing that happens is the end that the test declares.
#define KTEST_ARM(test_)                                                                           \
    do {                                                                                           \
        KTEST_SITE_(KTEST_EXPECT, KTEST_EQ, "", "");                                               \
        ktest_arm(test_, &ktest_site_);                                                            \
    } while (0)

#define KTEST_SITE_(severity_, relation_, ...)                                                     \
    static const struct ktest_site ktest_site_ = {__FILE__, __LINE__, (severity_), (relation_),    \
                                                  __VA_ARGS__}
#define KTEST_TEXTS_(left_, right_) left_, right_

// The texts are those of the source: made of the arguments before anything in them is expanded. The
// variable arguments of these are the message: NULL, or a format and its arguments.
#define KTEST_BOOL_(severity_, test_, value_, expected_, text_, ...)                               \
    do {                                                                                           \
        KTEST_SITE_(severity_, KTEST_EQ, text_, #expected_);                                       \
        ktest_check_bool(test_, &ktest_site_, (value_) ? true : false, expected_, __VA_ARGS__);    \
    } while (0)
#define KTEST_COMPARE_(severity_, relation_, test_, left_, right_, texts_, ...)                    \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, texts_);                                                 \
        ktest_check_int(test_, &ktest_site_, KTEST_INT_(left_), KTEST_INT_(right_), __VA_ARGS__);  \
    } while (0)
#define KTEST_POINTER_(severity_, relation_, test_, left_, right_, texts_, ...)                    \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, texts_);                                                 \
        ktest_check_ptr(test_, &ktest_site_, left_, right_, __VA_ARGS__);                          \
    } while (0)
#define KTEST_STRING_(severity_, relation_, test_, left_, right_, texts_, ...)                     \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, texts_);                                                 \
        ktest_check_str(test_, &ktest_site_, left_, right_, __VA_ARGS__);                          \
    } while (0)
#define KTEST_MEMORY_(severity_, relation_, test_, left_, right_, size_bytes_, texts_, ...)        \
    do {                                                                                           \
        KTEST_SITE_(severity_, relation_, texts_);                                                 \
        ktest_check_mem(test_, &ktest_site_, left_, right_, size_bytes_, __VA_ARGS__);             \
    } while (0)

#define KTEST_FAIL(test_, ...)                                                                     \
    do {                                                                                           \
        KTEST_SITE_(KTEST_EXPECT, KTEST_EQ, "", "");                                               \
        ktest_fail(test_, &ktest_site_, __VA_ARGS__);                                              \
    } while (0)

// KTEST_EXPECT_FAULT(test, PF, 2, statement): the statement raises this exception with this error
// code (0 where there is none). KTEST_EXPECT_PANIC(test, "text", statement): it panics with a
// message that matches the glob. The test goes on behind the statement in any case, with RIP, RSP
// and RFLAGS as they were before it, locks that it took released, and local variables that it
// changed undefined unless they are volatile (as with longjmp). The statement may hold others.
// It must not leave by return, break or goto.
#define KTEST_ATTEMPT_(severity_, test_, kind_, vector_, error_, text_, left_, right_, ...)        \
    do {                                                                                           \
        _Pragma("GCC diagnostic push")                                                             \
        _Pragma("GCC diagnostic ignored \"-Wshadow\"")                                             \
        static const struct ktest_site ktest_attempt_site_ = {__FILE__, __LINE__, (severity_),     \
                                                              KTEST_EQ, (left_),  (right_)};       \
        struct ktest_attempt ktest_attempt_;                                                       \
        _Pragma("GCC diagnostic pop")                                                              \
        ktest_attempt_.site = &ktest_attempt_site_;                                                \
        ktest_attempt_.kind = (kind_);                                                             \
        ktest_attempt_.vector = (vector_);                                                         \
        ktest_attempt_.error = (error_);                                                           \
        ktest_attempt_.text = (text_);                                                             \
        ktest_attempt_begin(test_, &ktest_attempt_);                                               \
        if (ktest_context_save(&ktest_attempt_.context) == 0) {                                    \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        ktest_attempt_end(test_, &ktest_attempt_);                                                 \
    } while (0)
#define KTEST_EXPECT_FAULT(test_, vector_, error_, ...)                                            \
    KTEST_ATTEMPT_(KTEST_EXPECT, test_, KTEST_OUTCOME_FAULT, KTEST_VECTOR_##vector_, error_, NULL, \
                   #__VA_ARGS__, "#" #vector_, __VA_ARGS__)
#define KTEST_ASSERT_FAULT(test_, vector_, error_, ...)                                            \
    KTEST_ATTEMPT_(KTEST_ASSERT, test_, KTEST_OUTCOME_FAULT, KTEST_VECTOR_##vector_, error_, NULL, \
                   #__VA_ARGS__, "#" #vector_, __VA_ARGS__)
#define KTEST_EXPECT_PANIC(test_, text_, ...)                                                      \
    KTEST_ATTEMPT_(KTEST_EXPECT, test_, KTEST_OUTCOME_PANIC, 0, 0, text_, #__VA_ARGS__, #text_,    \
                   __VA_ARGS__)
#define KTEST_ASSERT_PANIC(test_, text_, ...)                                                      \
    KTEST_ATTEMPT_(KTEST_ASSERT, test_, KTEST_OUTCOME_PANIC, 0, 0, text_, #__VA_ARGS__, #text_,    \
                   __VA_ARGS__)

#define KTEST_EXPECT_TRUE(test_, x_) KTEST_BOOL_(KTEST_EXPECT, test_, x_, true, #x_, NULL)
#define KTEST_EXPECT_FALSE(test_, x_) KTEST_BOOL_(KTEST_EXPECT, test_, x_, false, #x_, NULL)
#define KTEST_EXPECT_EQ(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_NE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_NE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_LT(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_LT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_LE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_LE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_GT(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_GT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_GE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_GE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_PTR_EQ(test_, l_, r_)                                                         \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_NULL(test_, p_)                                                               \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), NULL)
#define KTEST_EXPECT_NOT_NULL(test_, p_)                                                           \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_NE, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), NULL)
#define KTEST_EXPECT_STREQ(test_, l_, r_)                                                          \
    KTEST_STRING_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_MEMEQ(test_, l_, r_, size_bytes_)                                             \
    KTEST_MEMORY_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, size_bytes_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_EXPECT_TRUE_MSG(test_, x_, ...)                                                      \
    KTEST_BOOL_(KTEST_EXPECT, test_, x_, true, #x_, __VA_ARGS__)
#define KTEST_EXPECT_FALSE_MSG(test_, x_, ...)                                                     \
    KTEST_BOOL_(KTEST_EXPECT, test_, x_, false, #x_, __VA_ARGS__)
#define KTEST_EXPECT_EQ_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_NE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_NE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_LT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_LT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_LE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_LE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_GT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_GT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_GE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_EXPECT, KTEST_GE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_PTR_EQ_MSG(test_, l_, r_, ...)                                                \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_NULL_MSG(test_, p_, ...)                                                      \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_EQ, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), __VA_ARGS__)
#define KTEST_EXPECT_NOT_NULL_MSG(test_, p_, ...)                                                  \
    KTEST_POINTER_(KTEST_EXPECT, KTEST_NE, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), __VA_ARGS__)
#define KTEST_EXPECT_STREQ_MSG(test_, l_, r_, ...)                                                 \
    KTEST_STRING_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_EXPECT_MEMEQ_MSG(test_, l_, r_, size_bytes_, ...)                                    \
    KTEST_MEMORY_(KTEST_EXPECT, KTEST_EQ, test_, l_, r_, size_bytes_, KTEST_TEXTS_(#l_, #r_),      \
                  __VA_ARGS__)

#define KTEST_ASSERT_TRUE(test_, x_) KTEST_BOOL_(KTEST_ASSERT, test_, x_, true, #x_, NULL)
#define KTEST_ASSERT_FALSE(test_, x_) KTEST_BOOL_(KTEST_ASSERT, test_, x_, false, #x_, NULL)
#define KTEST_ASSERT_EQ(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_NE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_NE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_LT(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_LT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_LE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_LE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_GT(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_GT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_GE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_GE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_PTR_EQ(test_, l_, r_)                                                         \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_NULL(test_, p_)                                                               \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), NULL)
#define KTEST_ASSERT_NOT_NULL(test_, p_)                                                           \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_NE, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), NULL)
#define KTEST_ASSERT_STREQ(test_, l_, r_)                                                          \
    KTEST_STRING_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_MEMEQ(test_, l_, r_, size_bytes_)                                             \
    KTEST_MEMORY_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, size_bytes_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSERT_TRUE_MSG(test_, x_, ...)                                                      \
    KTEST_BOOL_(KTEST_ASSERT, test_, x_, true, #x_, __VA_ARGS__)
#define KTEST_ASSERT_FALSE_MSG(test_, x_, ...)                                                     \
    KTEST_BOOL_(KTEST_ASSERT, test_, x_, false, #x_, __VA_ARGS__)
#define KTEST_ASSERT_EQ_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_NE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_NE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_LT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_LT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_LE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_LE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_GT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_GT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_GE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSERT, KTEST_GE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_PTR_EQ_MSG(test_, l_, r_, ...)                                                \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_NULL_MSG(test_, p_, ...)                                                      \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_EQ, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), __VA_ARGS__)
#define KTEST_ASSERT_NOT_NULL_MSG(test_, p_, ...)                                                  \
    KTEST_POINTER_(KTEST_ASSERT, KTEST_NE, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), __VA_ARGS__)
#define KTEST_ASSERT_STREQ_MSG(test_, l_, r_, ...)                                                 \
    KTEST_STRING_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSERT_MEMEQ_MSG(test_, l_, r_, size_bytes_, ...)                                    \
    KTEST_MEMORY_(KTEST_ASSERT, KTEST_EQ, test_, l_, r_, size_bytes_, KTEST_TEXTS_(#l_, #r_),      \
                  __VA_ARGS__)

#define KTEST_ASSUME_TRUE(test_, x_) KTEST_BOOL_(KTEST_ASSUME, test_, x_, true, #x_, NULL)
#define KTEST_ASSUME_FALSE(test_, x_) KTEST_BOOL_(KTEST_ASSUME, test_, x_, false, #x_, NULL)
#define KTEST_ASSUME_EQ(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_NE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_NE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_LT(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_LT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_LE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_LE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_GT(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_GT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_GE(test_, l_, r_)                                                             \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_GE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_PTR_EQ(test_, l_, r_)                                                         \
    KTEST_POINTER_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_NULL(test_, p_)                                                               \
    KTEST_POINTER_(KTEST_ASSUME, KTEST_EQ, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), NULL)
#define KTEST_ASSUME_NOT_NULL(test_, p_)                                                           \
    KTEST_POINTER_(KTEST_ASSUME, KTEST_NE, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), NULL)
#define KTEST_ASSUME_STREQ(test_, l_, r_)                                                          \
    KTEST_STRING_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_MEMEQ(test_, l_, r_, size_bytes_)                                             \
    KTEST_MEMORY_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, size_bytes_, KTEST_TEXTS_(#l_, #r_), NULL)
#define KTEST_ASSUME_TRUE_MSG(test_, x_, ...)                                                      \
    KTEST_BOOL_(KTEST_ASSUME, test_, x_, true, #x_, __VA_ARGS__)
#define KTEST_ASSUME_FALSE_MSG(test_, x_, ...)                                                     \
    KTEST_BOOL_(KTEST_ASSUME, test_, x_, false, #x_, __VA_ARGS__)
#define KTEST_ASSUME_EQ_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_NE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_NE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_LT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_LT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_LE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_LE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_GT_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_GT, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_GE_MSG(test_, l_, r_, ...)                                                    \
    KTEST_COMPARE_(KTEST_ASSUME, KTEST_GE, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_PTR_EQ_MSG(test_, l_, r_, ...)                                                \
    KTEST_POINTER_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_NULL_MSG(test_, p_, ...)                                                      \
    KTEST_POINTER_(KTEST_ASSUME, KTEST_EQ, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), __VA_ARGS__)
#define KTEST_ASSUME_NOT_NULL_MSG(test_, p_, ...)                                                  \
    KTEST_POINTER_(KTEST_ASSUME, KTEST_NE, test_, p_, NULL, KTEST_TEXTS_(#p_, "NULL"), __VA_ARGS__)
#define KTEST_ASSUME_STREQ_MSG(test_, l_, r_, ...)                                                 \
    KTEST_STRING_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, KTEST_TEXTS_(#l_, #r_), __VA_ARGS__)
#define KTEST_ASSUME_MEMEQ_MSG(test_, l_, r_, size_bytes_, ...)                                    \
    KTEST_MEMORY_(KTEST_ASSUME, KTEST_EQ, test_, l_, r_, size_bytes_, KTEST_TEXTS_(#l_, #r_),      \
                  __VA_ARGS__)
