// SPDX-License-Identifier: MIT
//
// The prompt: two tasks that await keys, from the keyboard and from the serial port, and edit one
// line; a third one draws the line anew when somebody else has printed something. Either of the
// first two may be missing. Commands run where their line was entered, and nothing else does
// meanwhile, apart from interrupts.
#pragma once

#include <stdbool.h>

#include "task/executor.h"

// Starts the keyboard, the prompt, and runs tasks for ever. Once, by the boot thread.
[[gnu::noreturn]] void monitor_run(void);

// The rest is for commands.

// Runs the tasks, the prompt's among them.
struct executor *monitor_executor(void);
bool monitor_has_task(const struct task *task);

// From now on keys are shown and not obeyed, until Escape or Control-C.
void monitor_show_keys(void);

// While function(argument) runs, the keyboard, the serial port and the interrupt flag are as before
// monitor_run.
void monitor_step_aside(void (*function)(void *argument), void *argument);
