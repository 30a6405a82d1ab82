// SPDX-License-Identifier: MIT
//
// ktest: tests that live in a kernel and are judged from outside.
//
// A test is a function that registers itself: KTEST() leaves a pointer to a constant record in the
// section .ktests. ktest_run() sorts the records, runs the selected ones and reports each on the
// protocol port (docs/protocol.md); the harness reads the same records from the ELF file and
// believes nothing that does not agree with them. The words and the order of arguments are those
// of KUnit and ztest. The header is C11 and C++17; it needs only the compiler's own headers.
// docs/ktest.md teaches it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dialect.h"

KTEST_BEGIN_C

#define KTEST_NORETURN __attribute__((noreturn))
#define KTEST_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))

// The running test: handed to every test function as `test`.
struct ktest;

typedef void ktest_function_t(struct ktest *test);

// --- What a test declares ----------------------------------------------------------------------

// How a test has to end. Anything else is a failure. A test that declares another end than PASS
// says KTEST_ARM(test) right before what has to bring it about: what comes earlier is something
// else, whatever it looks like.
enum ktest_outcome_kind {
    KTEST_OUTCOME_PASS,         // it returns, and every check held
    KTEST_OUTCOME_PANIC,        // it panics with a message that matches `text`
    KTEST_OUTCOME_FAULT,        // it raises the exception `vector`
    KTEST_OUTCOME_TRIPLE_FAULT, // it takes the machine down; gets a boot of its own
    KTEST_OUTCOME_HANG,         // it is still running when its timeout_ms are over
};

// Half-open range of addresses; a size of 0 means that the address is not checked.
struct ktest_range {
    uint64_t start;
    uint64_t size_bytes;
};

// The harness reads this layout from the ELF file: keep it in step with harness/judge/elf.py.
struct ktest_outcome {
    uint32_t kind;           // enum ktest_outcome_kind
    uint32_t vector;         // FAULT: 0..31
    uint64_t error;          // FAULT: the error code that is expected in the bits of `mask`
    uint64_t mask;           // FAULT: bits of the error code that are compared; 0 stands for all
    struct ktest_range addr; // FAULT: where the faulting address (CR2) has to lie
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
#define KTEST_TRIPLE_FAULT                                                                         \
    {                                                                                              \
        .kind = KTEST_OUTCOME_TRIPLE_FAULT                                                         \
    }
#define KTEST_HANG                                                                                 \
    {                                                                                              \
        .kind = KTEST_OUTCOME_HANG                                                                 \
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
    KTEST_VECTOR_VE = 20,
    KTEST_VECTOR_CP = 21,
};

enum ktest_isolation {
    KTEST_ISOLATION_NONE, // shares its boot with other tests
    KTEST_ISOLATION_BOOT, // gets a boot of its own
};

// What a test needs of the machine; the harness chooses one that has it and says so in the
// argument ktest.have. A test whose need is not met is skipped with that reason.
enum ktest_needs {
    KTEST_NEEDS_VGA = 1 << 0,      // a VGA in text mode
    KTEST_NEEDS_FULL_CPU = 1 << 1, // a CPU with all features that QEMU has: -cpu max
    KTEST_NEEDS_ACPI = 1 << 2,     // the firmware's ACPI tables
    KTEST_NEEDS_APIC = 1 << 3,     // a local APIC, and an I/O APIC
    KTEST_NEEDS_LOADER = 1 << 4,   // GRUB, instead of QEMU's own -kernel
    KTEST_NEEDS_PC = 1 << 5, // keyboard, interval timer and lines as a PC has them: no microvm
};

// How long a test takes, for `harness/run.py --speed`.
enum ktest_speed {
    KTEST_SPEED_NORMAL,
    KTEST_SPEED_SLOW,      // above about 10 ms under TCG, or 10 million instructions
    KTEST_SPEED_VERY_SLOW, // seconds
};

// What the harness does to the machine from outside when the test says KTEST_ARM().
enum ktest_inject {
    KTEST_INJECT_NONE,
    KTEST_INJECT_NMI,
    KTEST_INJECT_MACHINE_CHECK, // uncorrected, bank 0, status 0xb200000000000000
};

enum ktest_accel {
    KTEST_ACCEL_TCG = 1,
    KTEST_ACCEL_KVM = 2,
    KTEST_ACCEL_ICOUNT = 3, // TCG that counts instructions: what holds of TCG holds of it as well
    KTEST_ACCEL_BOCHS = 4,  // no QEMU: another implementation of the CPU and the PC
};

// A version; Bochs has them too.
#define KTEST_QEMU(major_, minor_) ((major_)*100 + (minor_))

// Machines on which the test can't run or has to end in another way than the manual says. The
// first one that fits counts.
struct ktest_quirk {
    struct ktest_outcome outcome; // instead of the attribute's, unless `skip` is set
    uint32_t accel;               // enum ktest_accel
    uint32_t from;                // first version that it holds for, by KTEST_QEMU(); 0: any
    uint32_t before;              // first one that it no longer holds for; 0: none
    uint32_t reserved;
    const char *skip; // why the test is skipped there; NULL: it is not
};

// .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG, .skip = "..."}, {...})
#define KTEST_QUIRKS(...)                                                                          \
    (const struct ktest_quirk[]){__VA_ARGS__},                                                     \
        .quirk_count = sizeof((const struct ktest_quirk[]){__VA_ARGS__}) /                         \
                       sizeof(struct ktest_quirk)

struct ktest_attr {
    struct ktest_outcome outcome;
    uint32_t isolation;  // enum ktest_isolation
    uint32_t timeout_ms; // of each of its functions; 0: the run's default (ktest.timeout_ms)
    uint32_t needs;      // enum ktest_needs, or-ed
    uint32_t speed;      // enum ktest_speed
    uint32_t inject;     // enum ktest_inject
    uint32_t fail_nth;   // how many allocations it may make, each of which fails in a run of its
                         // own (docs/ktest.md); 0: none has to
    uint32_t quirk_count;
    uint32_t reserved;
    const struct ktest_quirk *quirks; // by KTEST_QUIRKS()
    const char *known_bug; // why it fails as yet: its failure is a skip, and its success a failure
    const char *proves;    // ids of docs/checklist.md, separated by spaces; NULL: none
};

// Fixtures. suite_init and suite_exit run once around the suite's selected tests, init and exit
// around every test; exit runs also after a failed assertion, a panic, a fault or a hang.
// A failing suite_init is an error of each of its tests.
struct ktest_suite_ops {
    ktest_function_t *suite_init;
    ktest_function_t *suite_exit;
    ktest_function_t *init;
    ktest_function_t *exit;
};

// Writes what the parameter `index` stands for; need not terminate a text that is full.
typedef void ktest_describe_t(size_t index, char *text_out, size_t size_bytes);

#define KTEST_RECORD_MAGIC 0x3353544bU // "KTS3" in memory: the layout's version
enum ktest_record_kind { KTEST_RECORD_CASE = 1, KTEST_RECORD_SUITE = 2, KTEST_RECORD_BENCH = 3 };

// What .ktests points to. The harness reads this layout from the ELF file as well.
struct ktest_record {
    uint32_t magic;
    uint32_t kind; // enum ktest_record_kind
    const char *suite;
    const char *name; // NULL for a suite
    const char *file;
    uint32_t line;
    uint32_t param_count;              // 0: one test of this name; N: the tests name/0 to name/N-1
    ktest_function_t *run;             // NULL for a suite
    const struct ktest_attr *attr;     // NULL for a suite
    const struct ktest_suite_ops *ops; // NULL for a case
    ktest_describe_t *describe;        // NULL: nothing to say of its parameters
};

#define KTEST_ID_(prefix_, suite_, name_) ktest_##prefix_##_##suite_##__##name_

// The section holds pointers, not records: compilers align larger objects, which would leave holes.
#define KTEST_REGISTER_(id_, kind_, suite_, name_, param_count_, run_, attr_, ops_, describe_)     \
    static const struct ktest_record id_##_record = {                                              \
        KTEST_RECORD_MAGIC, kind_, suite_, name_, __FILE__, __LINE__,                              \
        param_count_,       run_,  attr_,  ops_,  describe_};                                      \
    static const struct ktest_record *id_##_pointer                                                \
        __attribute__((section(".ktests"), used)) = &id_##_record

// KTEST(suite, name) { ... }: a test. Its attributes, if any, stand before or behind it.
#define KTEST(suite_, name_)                                                                       \
    KTEST_CASE_(KTEST_RECORD_CASE, suite_, name_, 0, NULL)                                         \
    static void KTEST_ID_(run, suite_, name_)(struct ktest * test)

// KTEST_BENCH(suite, name) { set up; while (ktest_bench_next(test)) { ... } check }: a benchmark.
// Runs only when benchmarks are asked for (harness/run.py --bench); reports cycles per turn.
#define KTEST_BENCH(suite_, name_)                                                                 \
    KTEST_CASE_(KTEST_RECORD_BENCH, suite_, name_, 0, NULL)                                        \
    static void KTEST_ID_(run, suite_, name_)(struct ktest * test)

// KTEST_PARAM(suite, name, params, describe) { ... }: a test for each element of the array
// `params`, suite.name/0 to suite.name/N-1; `param` points to the element. `describe` is
// void describe(const T *param, char *text_out, size_t size_bytes), or NULL.
#define KTEST_PARAM(suite_, name_, params_, describe_)                                             \
    KTEST_STATIC_ASSERT_(sizeof(params_) > 0, "KTEST_PARAM: an array without elements");           \
    static void KTEST_ID_(body, suite_, name_)(struct ktest * test,                                \
                                               const __typeof__((params_)[0]) *param);             \
    static void KTEST_ID_(describe, suite_, name_)(size_t ktest_index_, char *ktest_text_,         \
                                                   size_t ktest_size_)                             \
    {                                                                                              \
        void (*ktest_describe_)(const __typeof__((params_)[0]) *, char *, size_t) = (describe_);   \
        if (ktest_describe_ != NULL) {                                                             \
            ktest_describe_(&(params_)[ktest_index_], ktest_text_, ktest_size_);                   \
        }                                                                                          \
    }                                                                                              \
    KTEST_CASE_(KTEST_RECORD_CASE, suite_, name_, sizeof(params_) / sizeof((params_)[0]),          \
                KTEST_ID_(describe, suite_, name_))                                                \
    static void KTEST_ID_(run, suite_, name_)(struct ktest * test)                                 \
    {                                                                                              \
        KTEST_ID_(body, suite_, name_)(test, &(params_)[ktest_param_index(test)]);                 \
    }                                                                                              \
    static void KTEST_ID_(body, suite_, name_)(struct ktest * test,                                \
                                               const __typeof__((params_)[0]) *param)

#define KTEST_CASE_(kind_, suite_, name_, param_count_, describe_)                                 \
    _Pragma("GCC diagnostic push")                                                                 \
    _Pragma("GCC diagnostic ignored \"-Wredundant-decls\"")                                        \
    static ktest_function_t KTEST_ID_(run, suite_, name_);                                         \
    KTEST_DECLARE_ATTR_(suite_, name_)                                                             \
    _Pragma("GCC diagnostic pop")                                                                  \
    KTEST_REGISTER_2_(KTEST_ID_(case, suite_, name_), kind_, #suite_, #name_, param_count_,        \
                      KTEST_ID_(run, suite_, name_), &KTEST_ID_(attr, suite_, name_), NULL,        \
                      describe_);
#define KTEST_REGISTER_2_(id_, ...) KTEST_REGISTER_(id_, __VA_ARGS__)

// KTEST_ATTR(suite, name, .outcome = ..., .proves = "5.11"): attributes of a test of this file.
// In C++, fields come in the order of their declaration, and in place of KTEST_QUIRKS stands
// .quirk_count = N, .quirks = an array.
#define KTEST_ATTR(suite_, name_, ...) KTEST_DEFINE_ATTR_(suite_, name_, __VA_ARGS__)

// KTEST_SUITE(suite, .init = ..., .exit = ...): fixtures for every test named suite.*.
#define KTEST_SUITE(suite_, ...)                                                                   \
    KTEST_DEFINE_OPS_(ktest_ops_##suite_, __VA_ARGS__)                                             \
    KTEST_REGISTER_(ktest_suite_##suite_, KTEST_RECORD_SUITE, #suite_, NULL, 0, NULL, NULL,        \
                    &ktest_ops_##suite_, NULL)

// --- While a test runs -------------------------------------------------------------------------

// Ends the test as skipped, with a reason in printf's form. Not an excuse: the harness takes it for
// an error unless it was told that the test may skip itself (--allow-skip).
KTEST_NORETURN void ktest_skip(struct ktest *test, const char *format, ...) KTEST_PRINTF(2, 3);

// What the test is called, without its suite, and which of its parameters it has (0 without).
const char *ktest_name(const struct ktest *test);
size_t ktest_param_index(const struct ktest *test);

// Whether the allocation that has to fail in this run has done so by now: code that needs all of
// its memory returns ENOMEM if so, and only then. Always false in a test without .fail_nth.
bool ktest_allocation_failed(const struct ktest *test);

// Calls action(context) when the test is over, also when it died; the last one added comes first,
// after the exit fixture. What suite_init adds is called after suite_exit. False, and the action
// is called at once, if there is no room for it: that is an error of the test.
typedef void ktest_action_t(void *context);
bool ktest_add_action(struct ktest *test, ktest_action_t *action, void *context);

// Takes an action that was added back, without or with calling it; nothing if it is not there.
void ktest_remove_action(struct ktest *test, ktest_action_t *action, void *context);
void ktest_release_action(struct ktest *test, ktest_action_t *action, void *context);

// KTEST_STUB(test, function, replacement): until the test is over, calls of `function` land in
// `replacement`, which has the same type. The function's first instructions are overwritten with a
// jump, so that nothing in its source has to provide for it; calls that the compiler has inlined
// stay: it is for functions of other files. The replacement can't call the original.
#define KTEST_STUB(test_, function_, replacement_)                                                 \
    do {                                                                                           \
        __typeof__(&(function_)) ktest_replacement_ = (replacement_);                              \
        ktest_stub(test_, (uintptr_t)(function_), (uintptr_t)ktest_replacement_);                  \
    } while (0)
void ktest_stub(struct ktest *test, uintptr_t function, uintptr_t replacement);

// One more turn of a benchmark's loop: warms up, finds out how many turns make a sample, measures
// the samples, and is false when it has them.
bool ktest_bench_next(struct ktest *test);

KTEST_END_C

#include "ktest_check.h"
