// SPDX-License-Identifier: MIT
//
// The words are copied and cut in place: '=' behind a key and the space behind a value become 0.
#include "boot/arguments.h"

#include <stdbool.h>

#include "boot/fw_cfg.h"
#include "lib/string.h"

static struct arguments kernel_arguments;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The end of the word at `word`: outside of quotes, its first space. NULL if a quote stays open.
static char *find_end(char *word)
{
    bool is_quoted = false;
    while (*word != 0 && (is_quoted || !is_space(*word))) {
        is_quoted ^= *word == '"';
        word++;
    }
    return is_quoted ? NULL : word;
}

static void drop_quotes(char *value)
{
    char *to = value;
    for (const char *from = value; *from != 0; from++) {
        if (*from != '"') {
            *to++ = *from;
        }
    }
    *to = 0;
}

// Cuts the word into key and value; returns the value.
static char *split(char *word)
{
    while (*word != 0 && *word != '=') {
        word++;
    }
    if (*word == '=') {
        *word++ = 0;
    }
    drop_quotes(word);
    return word;
}

enum error arguments_add(struct arguments *arguments, const char *words)
{
    size_t size_bytes = strlen(words) + 1;
    if (size_bytes > sizeof(arguments->text) - arguments->used_bytes) {
        return ENOSPC;
    }
    char *next = arguments->text + arguments->used_bytes;
    memcpy(next, words, size_bytes);

    size_t count = arguments->count;
    for (;;) {
        while (is_space(*next)) {
            next++;
        }
        if (*next == 0) {
            break;
        }
        char *end = find_end(next);
        if (end == NULL) {
            return EINVAL;
        }
        if (count == ARGUMENTS_COUNT_MAX) {
            return ENOSPC;
        }
        bool is_last = *end == 0;
        *end = 0;
        arguments->keys[count] = next;
        arguments->values[count] = split(next);
        count++;
        if (is_last) {
            break;
        }
        next = end + 1;
    }
    arguments->count = count;
    arguments->used_bytes += size_bytes;
    return OK;
}

const char *arguments_lookup(const struct arguments *arguments, const char *key)
{
    for (size_t i = arguments->count; i > 0; i--) {
        if (strcmp(arguments->keys[i - 1], key) == 0) {
            return arguments->values[i - 1];
        }
    }
    return NULL;
}

enum error arguments_init(const char *command_line)
{
    static char from_qemu[ARGUMENTS_BYTES_MAX];

    enum error error = arguments_add(&kernel_arguments, command_line);
    if (error != OK) {
        return error;
    }
    error = fw_cfg_read("opt/faultline/ktest", from_qemu, sizeof(from_qemu));
    if (error == ENODEV || error == ENOENT) {
        return OK;
    }
    return error == OK ? arguments_add(&kernel_arguments, from_qemu) : error;
}

const char *argument(const char *key)
{
    return arguments_lookup(&kernel_arguments, key);
}
