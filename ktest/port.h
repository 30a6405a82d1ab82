// SPDX-License-Identifier: MIT
//
// What ktest needs of the kernel that it lives in, and what that kernel calls. Two functions have
// to be written; the others have weak defaults that do without.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktest.h"

KTEST_BEGIN_C

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
    KTEST_EXIT_RESTART = 0x14,
};
KTEST_NORETURN void ktest_port_exit(enum ktest_exit value);

// --- With weak defaults ------------------------------------------------------------------------

// A received byte of the protocol port, if there is one; must not wait. Default: never.
bool ktest_port_try_read(char *byte_out);

// The value of a run-time argument ("ktest.nonce"), NULL if there is none. Default: from QEMU's
// fw_cfg, where the harness puts them.
const char *ktest_port_argument(const char *key);

// The build id of the running image; returns its size in bytes. Default: 0, none.
size_t ktest_port_build_id(const uint8_t **bytes_out);

// A counter for durations and benchmarks. Default: 0.
uint64_t ktest_port_cycles(void);

// The stack that the functions of tests run on, best with an unmapped page below: its lowest
// address, and its size in bytes. Default: 0, they run on the runner's own.
size_t ktest_port_stack(void **start_out);

// What the kernel holds for the code that runs now: the locks, for example. Default: nothing.
void ktest_port_mark(struct ktest_mark *mark_out);

#define KTEST_TEXT_MAX 256

struct ktest_recovery {
    char released[KTEST_TEXT_MAX]; // "lock log"; empty: nothing
    const char *distrust; // why the kernel's state can't be relied on any more; NULL: it can
};

// Called on the runner's stack, or on the test's, after code was abandoned in a panic, a fault, a
// hang or a failed assertion: gives back what it took since `mark`, and makes the kernel fit to go
// on. *recovery_out is empty before. Default: nothing.
void ktest_port_recover(const struct ktest_mark *mark, struct ktest_recovery *recovery_out);

// Calls ktest_on_overdue() in an NMI when timeout_ms have passed, in the machine's own time, and
// again every few milliseconds until it is stopped. Default: nothing; then the harness's NMI is
// all there is.
void ktest_port_watchdog_start(uint64_t timeout_ms);
void ktest_port_watchdog_stop(void);

// From now on counts what the kernel's allocators are asked for, memory of all kinds together. The
// nth request fails as if there was no memory left, behind a call of ktest_on_allocation_failed();
// 0: none does. Default: false, this kernel can't.
bool ktest_port_allocations_start(uint64_t nth);

// Ends that; returns how many requests there were, with the one that failed.
uint64_t ktest_port_allocations_stop(void);

// What every test has to leave as it found it.
enum ktest_invariant_state {
    KTEST_INTACT,
    KTEST_RESTORED, // it was changed, and is put back
    KTEST_DAMAGED,  // it was changed, and can't be put back: the run goes on in another boot
};

struct ktest_invariant {
    const char *name; // "IDT"
    void (*save)(void);
    // Says in difference_out what is not as it was saved: "gate 14 is ..., was ...".
    enum ktest_invariant_state (*check)(char *difference_out, size_t size_bytes);
};

// The kernel's invariants, ended by NULL. Default: none.
const struct ktest_invariant *const *ktest_port_invariants(void);

// Overwrites code, whatever its page allows. Default: writes.
void ktest_port_write_code(void *code, const void *bytes, size_t size_bytes);

// Takes the last bytes that the kernel has printed on its console since the call before, without
// the report of a panic; returns how many. Default: none are known.
size_t ktest_port_console(char *text_out, size_t size_bytes);

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

// The state for a report, from the `frame` that the kernel gave with it; may be static. Default:
// nothing is known.
struct ktest_machine_state ktest_port_inspect(const void *frame);

// The fault in words: "page fault #PF: write to 0x1000, which is not mapped". Default: its numbers.
void ktest_port_describe(const struct ktest_fault *fault, char *text_out, size_t size_bytes);

// What a test waits for that the watchdog found running: "lock log, taken in log_write". Default:
// false, nothing is known.
bool ktest_port_awaits(char *text_out, size_t size_bytes);

// A test has ended: "suite.name", "pass", "skip", "fail" or "error", and why. For the console of a
// kernel that runs tests at its prompt. Default: nothing.
void ktest_port_verdict(const char *name, const char *verdict, const char *reason);

// --- To be called ------------------------------------------------------------------------------

// Runs the selected tests, reports them and leaves the machine.
KTEST_NORETURN void ktest_run(void);

// The same for a kernel that goes on behind it, as often as it likes: returns what ktest_run would
// leave the machine with. KTEST_EXIT_RESTART: a test has left the kernel so that it can't be relied
// on, and those behind it have not run. Tests that need somebody outside, as those that get a boot
// of their own do, are skipped.
enum ktest_exit ktest_run_here(void);

struct ktest_panic {
    const char *message;
    const char *file; // the three may be unknown: NULL, 0, NULL
    uint32_t line;
    const char *function;
    const void *frame;
};

// From the kernel's exception handler, before it panics. Does not return if the running test
// declared the fault or tries a statement; otherwise returns, and the kernel goes on to its panic.
void ktest_on_fault(const struct ktest_fault *fault);

// From the kernel's panic, when it has said what it had to say. Does not return.
KTEST_NORETURN void ktest_on_panic(const struct ktest_panic *panic);

// From an allocator, before it refuses the request that has to fail; `caller` is where the call
// that asked returns to. Returns, writes on the protocol port, and takes no lock.
void ktest_on_allocation_failed(uint64_t caller);

// From the kernel's NMI handler, for the watchdog's NMI and for one that came from outside. Does
// not return if a test runs and can be ended now.
void ktest_on_overdue(const struct ktest_fault *where);

KTEST_END_C
