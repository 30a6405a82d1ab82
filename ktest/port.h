// SPDX-License-Identifier: MIT
//
// What ktest needs of the kernel that it lives in, and what that kernel calls. Two functions have
// to be written; the others have weak defaults that do without.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktest.h"

// --- To be written -----------------------------------------------------------------------------

// Sends bytes on the protocol port, all of them, without taking a lock: it is called in fault
// handlers and on their stacks.
void ktest_port_write(const char *bytes, size_t size_bytes);

// Leaves the machine with one of these values (docs/protocol.md).
enum ktest_exit {
    KTEST_EXIT_PASS = 0x10,
    KTEST_EXIT_FAIL = 0x11,
    KTEST_EXIT_ERROR = 0x12,
    KTEST_EXIT_PANIC = 0x13,
};
KTEST_NORETURN void ktest_port_exit(enum ktest_exit value);

// --- With weak defaults ------------------------------------------------------------------------

// A received byte of the protocol port, if there is one; must not wait. Default: never.
bool ktest_port_try_read(char *byte_out);

// The value of a run-time argument ("ktest.nonce"), NULL if there is none. Default: none.
const char *ktest_port_argument(const char *key);

// The build id of the running image; returns its size in bytes. Default: 0, none.
size_t ktest_port_build_id(const uint8_t **bytes_out);

// A counter for the tests' durations. Default: 0.
uint64_t ktest_port_cycles(void);

// Called on the runner's stack after a test was abandoned in a panic or a fault: makes the kernel
// fit to run the next one. Default: nothing.
void ktest_port_recover(void);

// --- To be called ------------------------------------------------------------------------------

// Runs the selected tests, reports them and leaves the machine.
KTEST_NORETURN void ktest_run(void);

struct ktest_register {
    const char *name;
    uint64_t value;
};

#define KTEST_BACKTRACE_MAX 32

// The state of the CPU where it happened.
struct ktest_machine_state {
    const struct ktest_register *registers;
    size_t register_count;
    const uint64_t *backtrace; // RIP first; at most KTEST_BACKTRACE_MAX
    size_t backtrace_count;
};

struct ktest_fault {
    uint32_t vector;
    uint32_t ist; // the interrupt stack it arrived on, 0: none
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t address;  // CR2
    const char *words; // the fault in words
    struct ktest_machine_state state;
};

struct ktest_panic {
    const char *message;
    const char *file; // the three may be unknown: NULL, 0, NULL
    uint32_t line;
    const char *function;
    struct ktest_machine_state state;
};

// From the kernel's exception handler, before it panics. Does not return if the running test
// declared a fault; otherwise returns, and the kernel goes on to its panic.
void ktest_on_fault(const struct ktest_fault *fault);

// From the kernel's panic, when it has said what it had to say. Does not return.
KTEST_NORETURN void ktest_on_panic(const struct ktest_panic *panic);
