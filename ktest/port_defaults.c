// SPDX-License-Identifier: MIT
//
// The weak half of the port layer: a kernel overrides what it has. (arguments.c has one more.)
#include "port.h"

#include "format.h"

#define WEAK __attribute__((weak))

WEAK bool ktest_port_try_read(char *byte_out)
{
    (void)byte_out;
    return false;
}

WEAK size_t ktest_port_build_id(const uint8_t **bytes_out)
{
    *bytes_out = NULL;
    return 0;
}

WEAK uint64_t ktest_port_cycles(void)
{
    return 0;
}

WEAK size_t ktest_port_stack(void **start_out)
{
    *start_out = NULL;
    return 0;
}

WEAK void ktest_port_mark(struct ktest_mark *mark_out)
{
    (void)mark_out;
}

WEAK void ktest_port_recover(const struct ktest_mark *mark, struct ktest_recovery *recovery_out)
{
    (void)mark;
    (void)recovery_out;
}

WEAK void ktest_port_watchdog_start(uint64_t timeout_ms)
{
    (void)timeout_ms;
}

WEAK void ktest_port_watchdog_stop(void)
{
}

WEAK bool ktest_port_allocations_start(uint64_t nth)
{
    (void)nth;
    return false;
}

WEAK uint64_t ktest_port_allocations_stop(void)
{
    return 0;
}

WEAK const struct ktest_invariant *const *ktest_port_invariants(void)
{
    static const struct ktest_invariant *const none[] = {NULL};
    return none;
}

WEAK void ktest_port_write_code(void *code, const void *bytes, size_t size_bytes)
{
    volatile uint8_t *to = code;
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size_bytes; i++) {
        to[i] = from[i];
    }
}

WEAK size_t ktest_port_console(char *text_out, size_t size_bytes)
{
    (void)text_out;
    (void)size_bytes;
    return 0;
}

WEAK void ktest_port_verdict(const char *name, const char *verdict, const char *reason)
{
    (void)name;
    (void)verdict;
    (void)reason;
}

WEAK bool ktest_port_awaits(char *text_out, size_t size_bytes)
{
    (void)text_out;
    (void)size_bytes;
    return false;
}

WEAK struct ktest_machine_state ktest_port_inspect(const void *frame)
{
    (void)frame;
    struct ktest_machine_state nothing = {NULL, 0, NULL, 0};
    return nothing;
}

WEAK void ktest_port_describe(const struct ktest_fault *fault, char *text_out, size_t size_bytes)
{
    ktest_format(text_out, size_bytes, "exception %u, error code 0x%llx, at 0x%llx", fault->vector,
                 (unsigned long long)fault->error, (unsigned long long)fault->rip);
}
