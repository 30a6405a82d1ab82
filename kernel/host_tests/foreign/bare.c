// SPDX-License-Identifier: MIT
//
// The two functions that a kernel has to write, on the serial port and the exit device that the
// harness gives it; and tests, one of which fails.
#include "ktest/port.h"

__attribute__((used)) void kernel_main(void);

void ktest_port_write(const char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        uint8_t status;
        do {
            __asm__ volatile("inb %1, %0" : "=a"(status) : "d"((uint16_t)0x2fd));
        } while ((status & 0x20) == 0);
        __asm__ volatile("outb %0, %1" : : "a"(bytes[i]), "d"((uint16_t)0x2f8));
    }
}

KTEST_NORETURN void ktest_port_exit(enum ktest_exit value)
{
    for (;;) {
        __asm__ volatile("outl %0, %1" : : "a"((uint32_t)value), "d"((uint16_t)0xf4));
    }
}

KTEST(bare, one_and_one_are_two)
{
    KTEST_EXPECT_EQ(test, 1 + 1, 2);
}

KTEST(bare, one_is_two)
{
    int one = 1;
    KTEST_EXPECT_EQ(test, one, 2);
}

static void give_up(struct ktest *test)
{
    (void)test;
    struct ktest_fault fault = {.vector = KTEST_VECTOR_UD};
    ktest_on_fault(&fault);
    struct ktest_panic panic = {.message = "out of the blue"};
    ktest_on_panic(&panic);
}

KTEST(bare, panics_without_a_frame)
{
    KTEST_EXPECT_EQ(test, 1, 1);
    give_up(test);
}

void kernel_main(void)
{
    ktest_run();
}

// It can't: there is nothing that allocates.
KTEST_ATTR(bare, wants_allocations_to_fail, .fail_nth = 1);
KTEST(bare, wants_allocations_to_fail)
{
    KTEST_EXPECT_FALSE(test, ktest_allocation_failed(test));
}
