// SPDX-License-Identifier: MIT
#include "debug/backtrace.h"

#include "arch/x86_64/stack.h"
#include "debug/symbols.h"
#include "ktest.h"
#include "lib/string.h"

static uint64_t addresses[BACKTRACE_MAX];

[[gnu::noinline]] static size_t walk_here(void)
{
    uint64_t here;
    __asm__ volatile("lea 0(%%rip), %0" : "=r"(here));
    return backtrace_walk(here, (uint64_t)__builtin_frame_address(0), addresses, BACKTRACE_MAX);
}

static const char *name_of(uint64_t address)
{
    uint64_t offset;
    const struct symbol *symbol = symbol_lookup(address, &offset);
    return symbol != NULL ? symbol->name : "?";
}

KTEST(backtrace, walks_from_here_to_kernel_main)
{
    size_t count = walk_here();
    KTEST_ASSERT_GE(test, count, 4);
    KTEST_EXPECT_STREQ(test, name_of(addresses[0]), "walk_here");
    KTEST_EXPECT_STREQ(test, name_of(addresses[1]),
                       "ktest_run_backtrace__walks_from_here_to_kernel_main");
    KTEST_EXPECT_STREQ(test, name_of(addresses[count - 1] - 1), "kernel_entry");
    KTEST_EXPECT_STREQ(test, name_of(addresses[count - 2] - 1), "kernel_main");
}

KTEST(backtrace, wild_frame_pointers_end_it)
{
    static const uint64_t wild[] = {0, 1, 0xdeadbeef, 0x800000000000, ~0ULL, 0xffffffffffffff00};
    for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
        KTEST_EXPECT_EQ_MSG(test, backtrace_walk(1234, wild[i], addresses, BACKTRACE_MAX), 1,
                            "rbp %lx", wild[i]);
        KTEST_EXPECT_EQ(test, addresses[0], 1234);
    }
    uint64_t guard = (uint64_t)boot_stacks[BOOT_STACK_NMI].guard;
    KTEST_EXPECT_EQ(test, backtrace_walk(1, guard, addresses, BACKTRACE_MAX), 1);
    KTEST_EXPECT_EQ(test, backtrace_walk(1, stack_top(BOOT_STACK_NMI) - 8, addresses, 4), 1);
}

KTEST(backtrace, frames_that_do_not_rise_end_it)
{
    uint64_t frame[4] = {0, 1111, 0, 2222};
    uint64_t rbp = (uint64_t)&frame[0];
    frame[0] = rbp; // points at itself
    KTEST_EXPECT_EQ(test, backtrace_walk(1, rbp, addresses, BACKTRACE_MAX), 1);
    frame[0] = (uint64_t)&frame[2]; // rises once, then ends
    KTEST_EXPECT_EQ(test, backtrace_walk(1, rbp, addresses, BACKTRACE_MAX), 3);
    KTEST_EXPECT_EQ(test, addresses[1], 1111);
    KTEST_EXPECT_EQ(test, addresses[2], 2222);
    frame[2] = rbp; // and back
    KTEST_EXPECT_EQ(test, backtrace_walk(1, rbp, addresses, BACKTRACE_MAX), 2);
}

KTEST(backtrace, is_cut_at_the_given_length)
{
    uint64_t three[4] = {0, 0, 0, 0xabcd};
    size_t count = backtrace_walk(1, (uint64_t)__builtin_frame_address(0), three, 3);
    KTEST_EXPECT_EQ(test, count, 3);
    KTEST_EXPECT_EQ(test, three[3], 0xabcd);
}

static char text[2048];
static size_t text_bytes;

static void collect(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    if (text_bytes + size_bytes < sizeof(text)) {
        memcpy(text + text_bytes, bytes, size_bytes);
        text_bytes += size_bytes;
        text[text_bytes] = 0;
    }
}

KTEST(backtrace, is_written_with_names)
{
    const struct writer writer = {.write = collect};
    text_bytes = 0;
    char expected[128];
    format_buffer(expected, sizeof(expected), "  #0 %#018lx backtrace_walk+0x4\n",
                  (uint64_t)backtrace_walk + 4);

    backtrace_write(&writer, (uint64_t)backtrace_walk + 4, 0);
    KTEST_EXPECT_STREQ(test, text, expected);

    text_bytes = 0;
    backtrace_write(&writer, 0x10, 0);
    KTEST_EXPECT_STREQ(test, text, "  #0 0x0000000000000010 ?+0\n");
}
