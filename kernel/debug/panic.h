// SPDX-License-Identifier: MIT
//
// The implementation of lib/panic.h: what is printed, and who may take over instead of halting.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/trap.h"
#include "lib/format.h"
#include "lib/panic.h"

#define PANIC_MESSAGE_MAX 256

struct panic_report {
    const char *message;            // without place; at most PANIC_MESSAGE_MAX - 1 bytes
    const struct source_site *site; // NULL for an exception
    const struct trap_frame *frame; // registers where it happened
    uint64_t cr2;
};

// Called after the report is printed, or instead of it for a second panic within the first; it may
// keep the CPU for good. The default does nothing, and the CPU halts.
typedef void panic_hook_t(const struct panic_report *report);
panic_hook_t *panic_set_hook(panic_hook_t *hook);

// Every exception and interrupt that nobody handles: prints it in words, like a panic.
// Registered with trap_set_unhandled by panic_init.
void panic_init(void);

// The report of an unhandled exception, without its consequences.
void panic_report_trap(const struct writer *writer, const struct trap_frame *frame);

// Whether a panic is being reported.
bool panic_is_active(void);

// For a hook that keeps the CPU: the next panic is a first one again.
void panic_recovered(void);
