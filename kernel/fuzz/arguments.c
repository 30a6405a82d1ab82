// SPDX-License-Identifier: MIT
//
// Arguments from the command line and from fw_cfg, for libFuzzer: the bytes up to the first 0 are
// the one, those behind it the other. Each string lies in a block of exactly its size.
#include "boot/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "boot/fw_cfg.h"
#include "fuzz/fuzz.h"
#include "lib/assert.h"

// arguments_init() is not called.
enum error fw_cfg_read(const char *name, char *buffer, size_t buffer_bytes)
{
    (void)name;
    (void)buffer;
    (void)buffer_bytes;
    return ENODEV;
}

static void check(const struct arguments *arguments)
{
    assert(arguments->count <= ARGUMENTS_COUNT_MAX);
    assert(arguments->used_bytes <= ARGUMENTS_BYTES_MAX);
    const char *end = arguments->text + arguments->used_bytes;
    for (size_t i = 0; i < arguments->count; i++) {
        const char *key = arguments->keys[i];
        const char *value = arguments->values[i];
        assert(key >= arguments->text && key < end && memchr(key, 0, (size_t)(end - key)) != NULL);
        assert(value >= key && value < end && memchr(value, 0, (size_t)(end - value)) != NULL);
        assert(strpbrk(key, "= \t\n\r") == NULL || strchr(key, '"') != NULL);
        assert(strchr(value, '"') == NULL);
        assert(arguments_lookup(arguments, key) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static struct arguments arguments;
    arguments = (struct arguments){};
    while (size_bytes > 0) {
        size_t length = strnlen((const char *)bytes, size_bytes);
        char *words = malloc(length + 1);
        assert(words != NULL);
        memcpy(words, bytes, length);
        words[length] = 0;
        size_t count = arguments.count;
        if (arguments_add(&arguments, words) != OK) {
            assert(arguments.count == count);
        }
        free(words);
        check(&arguments);
        bytes += length;
        size_bytes -= length;
        if (size_bytes > 0) {
            bytes++;
            size_bytes--;
        }
    }
    return 0;
}
