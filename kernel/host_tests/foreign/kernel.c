// SPDX-License-Identifier: MIT
//
// Somebody else's kernel, as small as one can be: its machine is a process of Linux without any
// library, its devices are two system calls. ktest gets the two functions that have to be written,
// and nothing else.
#include "kernel.h"

#include "ktest/port.h"

enum { SYS_WRITE = 1, SYS_EXIT_GROUP = 231 };

__attribute__((used)) void kernel_main(void);

__asm__(".globl _start\n"
        "_start:\n"
        "    xorl %ebp, %ebp\n"
        "    call kernel_main\n");

static long system_call(long number, long first, long second, long third)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}

int count_bits(unsigned long value)
{
    int count = 0;
    for (; value != 0; value &= value - 1) {
        count++;
    }
    return count;
}

void ktest_port_write(const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        long written = system_call(SYS_WRITE, 1, (long)bytes, (long)size_bytes);
        if (written <= 0) {
            ktest_port_exit(KTEST_EXIT_ERROR);
        }
        bytes += written;
        size_bytes -= (size_t)written;
    }
}

KTEST_NORETURN void ktest_port_exit(enum ktest_exit value)
{
    for (;;) {
        system_call(SYS_EXIT_GROUP, (long)value, 0, 0);
    }
}

void kernel_main(void)
{
    ktest_run();
}
