// SPDX-License-Identifier: MIT
#include "monitor/command.h"

#include "debug/log.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "monitor/commands.h"

static const struct command *added; // NULL: none

void command_add(const struct command *command)
{
    assert(added == NULL);
    added = command;
}

// All of them by number; NULL behind the last one.
static const struct command *command_at(size_t index)
{
    if (index < kernel_command_count) {
        return &kernel_commands[index];
    }
    return index == kernel_command_count ? added : NULL;
}

static const struct command *lookup_bytes(const char *name, size_t size_bytes)
{
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        if (strncmp(command->name, name, size_bytes) == 0 && command->name[size_bytes] == 0) {
            return command;
        }
    }
    return NULL;
}

const struct command *command_lookup(const char *name)
{
    return lookup_bytes(name, strlen(name));
}

void command_run(char *line)
{
    static struct command_words words; // of the one prompt there is
    if (command_split(line, &words) != OK) {
        println("a quote is not closed");
        return;
    }
    if (words.count == 0) {
        return;
    }
    const struct command *command = command_lookup(words.words[0]);
    size_t argument_count = words.count - 1;
    if (command == NULL) {
        println("unknown command: %s; try help", words.words[0]);
    } else if (argument_count < command->argument_min || argument_count > command->argument_max) {
        println("usage: %s %s", command->name, command->arguments);
    } else {
        command->run(argument_count, words.words + 1);
    }
}

bool command_number(const char *word, uint64_t *number_out)
{
    enum error error = command_parse_number(word, number_out);
    if (error == ERANGE) {
        println("%s is too large", word);
    } else if (error != OK) {
        println("%s is no number: it is decimal, or hexadecimal behind 0x", word);
    }
    return error == OK;
}

// --- Completion ---------------------------------------------------------------------------------

enum error command_complete_names(struct completion *completion)
{
    const struct command *command;
    enum error error = OK;
    for (size_t i = 0; error == OK && (command = command_at(i)) != NULL; i++) {
        error = completion_offer(completion, command->name);
    }
    return error;
}

// The first word is a command, and what the others are it knows by itself.
enum error command_complete(const char *line, size_t word_start, struct completion *completion)
{
    size_t start = 0;
    while (start < word_start && line[start] == ' ') {
        start++;
    }
    size_t end = start;
    while (end < word_start && line[end] != ' ') {
        end++;
    }
    if (start == word_start) {
        return command_complete_names(completion);
    }
    const struct command *command = lookup_bytes(line + start, end - start);
    bool is_known = command != NULL && command->complete != NULL;
    return is_known ? command->complete(completion) : OK;
}

// --- Help ---------------------------------------------------------------------------------------

void command_help(size_t argument_count, char *const *arguments)
{
    const struct command *command;
    if (argument_count == 0) {
        for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
            println("%-10s %-17s %s", command->name, command->arguments, command->help);
        }
        return;
    }
    command = command_lookup(arguments[0]);
    if (command == NULL) {
        println("unknown command: %s", arguments[0]);
    } else {
        println("%s %s: %s", command->name, command->arguments, command->help);
    }
}
