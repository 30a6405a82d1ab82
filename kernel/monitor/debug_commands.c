// SPDX-License-Identifier: MIT
#include "debug/backtrace.h"
#include "debug/log.h"
#include "debug/symbols.h"
#include "monitor/commands.h"

enum error command_complete_levels(struct completion *completion)
{
    enum error error = OK;
    for (enum log_level level = LOG_ERROR; error == OK && level <= LOG_DEBUG; level++) {
        error = completion_offer(completion, log_level_name(level));
    }
    return error;
}

void command_log(size_t argument_count, char *const *arguments)
{
    enum log_level level;
    if (argument_count == 0) {
        println("%s", log_level_name(log_get_level()));
    } else if (log_level_parse(arguments[0], &level)) {
        log_set_level(level);
    } else {
        println("%s: not one of error, warn, info, debug", arguments[0]);
    }
}

void command_backtrace(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    struct trap_frame frame;
    trap_capture(&frame);
    backtrace_write(&log_text_writer, &frame);
}

void command_symbol(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    uint64_t address;
    uint64_t offset;
    if (!command_number(arguments[0], &address)) {
        return;
    }
    const struct symbol *symbol = symbol_lookup(address, &offset);
    if (symbol != NULL) {
        println("%s+%#lx", symbol->name, offset);
    } else {
        println("no function of the kernel");
    }
}
