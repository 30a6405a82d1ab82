// SPDX-License-Identifier: MIT
//
// The tests of the pure layers as a program of the host, under sanitizers: ktest's port layer for a
// process. The protocol goes to stdout, and the exit status is 0 if nothing failed. A panic is
// caught as in the kernel; faults need one. Its arguments are those of the kernel's tests, as in
// host-test ktest.select='format*.*' test.scale=1
//
// This file is compiled without the renaming of memcpy and its kin, so that the C library and the
// sanitizers keep theirs.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define __asan_handle_no_return() ((void)0)
#endif

#include "lib/panic.h"
#include "lib/test_random.h"
#include "port.h"

static char *const *words; // the program's arguments; the last one is NULL

const char *ktest_port_argument(const char *key)
{
    size_t size_bytes = strlen(key);
    for (char *const *word = words; *word != NULL; word++) {
        if (strncmp(*word, key, size_bytes) == 0 && (*word)[size_bytes] == '=') {
            return *word + size_bytes + 1;
        }
    }
    return NULL;
}

unsigned test_scale(void)
{
    const char *text = ktest_port_argument("test.scale");
    return text == NULL ? TEST_SCALE : (unsigned)strtoul(text, NULL, 10);
}

void ktest_port_write(const char *bytes, size_t size_bytes)
{
    if (fwrite(bytes, 1, size_bytes, stdout) != size_bytes) {
        _exit(KTEST_EXIT_ERROR);
    }
}

KTEST_NORETURN void ktest_port_exit(enum ktest_exit value)
{
    exit(value == KTEST_EXIT_PASS ? EXIT_SUCCESS : EXIT_FAILURE);
}

void panic_at(const struct source_site *site, const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    const struct ktest_panic panic = {
        .message = message,
        .file = site->file,
        .line = site->line,
        .function = site->function,
    };
    __asan_handle_no_return(); // the frames up to the runner are left without a return
    ktest_on_panic(&panic);
}

int main(int argument_count, char *arguments[])
{
    (void)argument_count;
    words = &arguments[1];
    setvbuf(stdout, NULL, _IOLBF, 0); // whatever ends the program, the test that did it is named
    ktest_run();
}
