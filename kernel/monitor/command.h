// SPDX-License-Identifier: MIT
//
// Commands of the prompt: a line is looked up, checked against what the command takes, and run. A
// command says on the console what it has to say, also that something in its words is wrong.
#pragma once

#include <stdbool.h>

#include "monitor/command_line.h"
#include "monitor/line_editor.h"

struct command {
    const char *name;
    const char *arguments; // "ADDRESS [COUNT]"; optional ones in brackets
    const char *help;      // one line
    size_t argument_min;
    size_t argument_max;
    void (*run)(size_t argument_count, char *const *arguments);
    enum error (*complete)(struct completion *completion); // what its argument may be; NULL: any
};

// The kernel's own commands.
extern const struct command kernel_commands[];
extern const size_t kernel_command_count;

// Adds one to them, for who knows what the monitor may not know. It has to live as long; there is
// one at most.
void command_add(const struct command *command);

// NULL if there is none.
const struct command *command_lookup(const char *name);

// Runs a line of less than LINE_BYTES_MAX bytes, which is cut into pieces.
void command_run(char *line);

// For the line editor.
line_completer_t command_complete;

// What a command says of a word that is no number that it takes; false then.
bool command_number(const char *word, uint64_t *number_out);
