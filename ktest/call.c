// SPDX-License-Identifier: MIT
//
// One function of a test: called on a stack of its own, from a saved context to which an assertion,
// a panic, a fault or the watchdog returns. What the runner needs afterwards is static: it survives
// whatever the function does to a stack.
#include "port.h"
#include "runner.h"
#include "stream.h"

// What the stack is filled with, to see how far it was used.
#define UNUSED 0x6b7473746b747374ULL // "tstktstk"

#define STACK_RESERVE_BYTES 1024

#define RFLAGS_DIRECTION (1U << 10)

static struct ktest *current;

struct ktest *ktest_current(void)
{
    return current;
}

void ktest_abandon(struct ktest *test, enum ktest_ending ending)
{
    current = NULL; // whatever happens on the way back is no longer the test's: its stack is broken
    test->ending = ending;
    ktest_context_restore(&test->context);
}

void ktest_recover(struct ktest *test, const struct ktest_mark *mark)
{
    struct ktest_recovery recovery = {"", NULL};
    ktest_port_recover(mark, &recovery);
    if (recovery.released[0] != 0) {
        ktest_note(test, "released, as its holder had been abandoned: %s", recovery.released);
    }
    if (recovery.distrust != NULL) {
        test->distrust = recovery.distrust;
    }
}

// The first word from the low end that is in use. Eight at a time: it is called after each
// function.
static uint64_t *first_used(uint64_t *word, uint64_t *end)
{
    for (; end - word >= 8; word += 8) {
        if (((word[0] ^ UNUSED) | (word[1] ^ UNUSED) | (word[2] ^ UNUSED) | (word[3] ^ UNUSED) |
             (word[4] ^ UNUSED) | (word[5] ^ UNUSED) | (word[6] ^ UNUSED) | (word[7] ^ UNUSED)) !=
            0) {
            break;
        }
    }
    while (word < end && *word == UNUSED) {
        word++;
    }
    return word;
}

// How much of the stack is used, which is made unused again.
static size_t wipe(uint64_t *start, uint64_t *end)
{
    uint64_t *used = first_used(start, end);
    for (uint64_t *word = used; word < end; word++) {
        *word = UNUSED;
    }
    return (size_t)(end - used) * sizeof(*end);
}

static size_t stack(uint64_t **start_out, uint64_t **end_out)
{
    static bool is_wiped;
    void *start = NULL;
    size_t size_bytes = ktest_port_stack(&start);
    *start_out = start;
    *end_out = size_bytes != 0 ? *start_out + size_bytes / sizeof(uint64_t) : NULL;
    if (!is_wiped && size_bytes != 0) {
        wipe(*start_out, *end_out);
        is_wiped = true;
    }
    return size_bytes;
}

// A function that returns, but has come close to the end of its stack, was lucky.
static void check_stack(struct ktest *test, size_t used_bytes, size_t size_bytes)
{
    test->stack_bytes = used_bytes > test->stack_bytes ? used_bytes : test->stack_bytes;
    if (test->ending == KTEST_ENDING_RETURNED && used_bytes > size_bytes - STACK_RESERVE_BYTES) {
        ktest_judge(test, KTEST_VERDICT_FAIL, "left behind: %zu of the %zu bytes of its stack used",
                    used_bytes, size_bytes);
    }
}

// Comes back when the function has returned or is abandoned. Apart from what follows, as the second
// return of ktest_context_save leaves local variables undefined. No stack: the runner's own.
__attribute__((noinline)) static void run(struct ktest *test, void *stack_top,
                                          void (*function)(void *), void *argument)
{
    if (ktest_context_save(&test->context) != 0) {
        return;
    }
    current = test;
    ktest_port_watchdog_start(test->timeout_ms);
    if (stack_top != NULL) {
        uint64_t rflags = ktest_context_call(stack_top, function, argument);
        if ((rflags & RFLAGS_DIRECTION) != 0) {
            ktest_judge(test, KTEST_VERDICT_FAIL, "left behind: the direction flag is set");
        }
    } else {
        function(argument);
    }
}

enum ktest_ending ktest_call(struct ktest *test, void (*function)(void *), void *argument)
{
    uint64_t *start = NULL;
    uint64_t *end = NULL;
    size_t size_bytes = stack(&start, &end);
    struct ktest_mark mark = {{0, 0, 0, 0}};

    test->attempt = NULL;
    test->is_fault_reported = false;
    test->is_as_declared = false;
    test->died_at = 0;
    test->ending = KTEST_ENDING_RETURNED;
    ktest_port_mark(&mark);
    run(test, end, function, argument);
    current = NULL;
    ktest_port_watchdog_stop();
    stream_release();
    if (test->ending != KTEST_ENDING_RETURNED) {
        ktest_recover(test, &mark);
    } else if (test->attempt != NULL) {
        ktest_judge(test, KTEST_VERDICT_ERROR,
                    "it left the statement of a KTEST_EXPECT_FAULT or _PANIC by return or goto");
    }
    if (size_bytes != 0) {
        check_stack(test, wipe(start, end), size_bytes);
    }
    if (test->died_at != 0) {
        test->recovery_cycles = ktest_port_cycles() - stream_cycles() - test->died_at;
    }
    return test->ending;
}
