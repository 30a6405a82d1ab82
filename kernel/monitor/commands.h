// SPDX-License-Identifier: MIT
//
// What the prompt's commands do; commands.c is their table. For the monitor's task.
#pragma once

#include "monitor/command.h"

typedef void command_function_t(size_t argument_count, char *const *arguments);
typedef enum error command_completer_t(struct completion *completion);

// command.c
command_function_t command_help;
command_completer_t command_complete_names;

// memory_commands.c
command_function_t command_memory;
command_function_t command_frames;
command_function_t command_heap;
command_function_t command_pages;
command_function_t command_page;

// machine_commands.c
command_function_t command_irqs;
command_function_t command_timers;
command_function_t command_acpi;
command_function_t command_date;
command_function_t command_keys;
command_function_t command_reboot;
command_function_t command_off;

// task_commands.c
command_function_t command_tasks;
command_function_t command_spawn;
command_function_t command_kill;

// every_command.c
command_function_t command_every;

// debug_commands.c
command_function_t command_log;
command_completer_t command_complete_levels;
command_function_t command_backtrace;
command_function_t command_symbol;

// fault_command.c
command_function_t command_fault;
command_completer_t command_complete_faults;
