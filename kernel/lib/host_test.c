// SPDX-License-Identifier: MIT
//
// The tests of the pure layers as a program of the host, under sanitizers: ktest's port layer for a
// process. The protocol goes to stdout, and the exit status is 0 if nothing failed. A panic is
// caught as in the kernel; faults need one.
//
// This file is compiled without the renaming of memcpy and its kin, so that the C library and the
// sanitizers keep theirs.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include "lib/panic.h"
#include "lib/test_random.h"
#include "port.h"

unsigned test_scale(void)
{
    return 10;
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

int main(void)
{
    ktest_run();
}
