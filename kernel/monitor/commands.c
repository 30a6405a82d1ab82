// SPDX-License-Identifier: MIT
#include "monitor/commands.h"

#include "lib/bits.h"

const struct command kernel_commands[] = {
    {"help", "[COMMAND]", "what there is", 0, 1, command_help, command_complete_names},
    {"memory", "", "the memory map", 0, 0, command_memory, NULL},
    {"frames", "", "physical memory, free and taken", 0, 0, command_frames, NULL},
    {"heap", "", "the heap's design and blocks", 0, 0, command_heap, NULL},
    {"pages", "", "all that is mapped", 0, 0, command_pages, NULL},
    {"page", "ADDRESS", "the way through the page tables, and what is there", 1, 1, command_page,
     NULL},
    {"tasks", "", "the tasks, what they wait for, how often they ran", 0, 0, command_tasks, NULL},
    {"spawn", "COUNT", "starts tasks that are always ready", 1, 1, command_spawn, NULL},
    {"kill", "FIRST [LAST]", "cancels tasks by their numbers", 1, 2, command_kill, NULL},
    {"every", "SECONDS COMMAND", "runs a command now and again, until its task is killed", 2,
     COMMAND_WORDS_MAX, command_every, command_complete_names},
    {"irqs", "", "interrupt lines: whose, and how often", 0, 0, command_irqs, NULL},
    {"timers", "", "the clock, its device, and the timers", 0, 0, command_timers, NULL},
    {"acpi", "", "what the firmware says of the machine", 0, 0, command_acpi, NULL},
    {"date", "", "the time of the day, and since the boot", 0, 0, command_date, NULL},
    {"keys", "", "shows what comes from the keyboard and the serial port", 0, 0, command_keys,
     NULL},
    {"log", "[LEVEL]", "how much is said: error, warn, info, debug", 0, 1, command_log,
     command_complete_levels},
    {"backtrace", "", "the calls that have led here", 0, 0, command_backtrace, NULL},
    {"symbol", "ADDRESS", "the function there", 1, 1, command_symbol, NULL},
    {"fault", "[KIND]", "the kinds of faults, or one of them done: the end", 0, 1, command_fault,
     command_complete_faults},
    {"reboot", "", "resets the machine", 0, 0, command_reboot, NULL},
    {"off", "", "switches it off", 0, 0, command_off, NULL},
};

const size_t kernel_command_count = ARRAY_SIZE(kernel_commands);
