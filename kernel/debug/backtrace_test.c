// SPDX-License-Identifier: MIT
#include "debug/backtrace.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/stack.h"
#include "debug/symbols.h"
#include "ktest.h"
#include "lib/string.h"

static uint64_t addresses[BACKTRACE_MAX];

[[gnu::noinline]] static size_t walk_here(void)
{
    struct trap_frame here;
    trap_capture(&here);
    return backtrace_walk(&here, addresses, BACKTRACE_MAX);
}

static size_t walk(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
    struct trap_frame frame = {.rip = rip, .rsp = rsp, .rbp = rbp};
    return backtrace_walk(&frame, addresses, BACKTRACE_MAX);
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
        KTEST_EXPECT_EQ_MSG(test, walk(1234, wild[i], wild[i]), 1, "rbp %lx", wild[i]);
        KTEST_EXPECT_EQ(test, addresses[0], 1234);
    }
    uint64_t guard = (uint64_t)boot_stacks[BOOT_STACK_NMI].guard;
    KTEST_EXPECT_EQ(test, walk(1, guard, guard), 1);
    KTEST_EXPECT_EQ(test, walk(1, 0, stack_top(BOOT_STACK_NMI) - 8), 1);
}

KTEST(backtrace, frames_that_do_not_rise_end_it)
{
    uint64_t frame[4] = {0, 1111, 0, 2222};
    uint64_t rbp = (uint64_t)&frame[0];
    frame[0] = rbp; // points at itself
    KTEST_EXPECT_EQ(test, walk(1, 0, rbp), 1);
    frame[0] = (uint64_t)&frame[2]; // rises once, then ends
    KTEST_EXPECT_EQ(test, walk(1, 0, rbp), 3);
    KTEST_EXPECT_EQ(test, addresses[1], 1111);
    KTEST_EXPECT_EQ(test, addresses[2], 2222);
    frame[2] = rbp; // and back
    KTEST_EXPECT_EQ(test, walk(1, 0, rbp), 2);
}

KTEST(backtrace, is_cut_at_the_given_length)
{
    uint64_t three[4] = {0, 0, 0, 0xabcd};
    struct trap_frame frame = {.rip = 1, .rbp = (uint64_t)__builtin_frame_address(0)};
    size_t count = backtrace_walk(&frame, three, 3);
    KTEST_EXPECT_EQ(test, count, 3);
    KTEST_EXPECT_EQ(test, three[3], 0xabcd);
}

// What the top of the stack and RBP are at a fault in each part of a function; trap_capture, in
// assembly, has no frame, backtrace_walk makes one.
KTEST(backtrace, caller_of_a_function_without_a_frame_is_listed)
{
    uint64_t stack[2] = {(uint64_t)text_start + 5, (uint64_t)text_start + 9};
    uint64_t rsp = (uint64_t)stack;
    uint64_t framed = (uint64_t)backtrace_walk;
    const uint8_t *code = (const uint8_t *)framed;
    KTEST_ASSERT_EQ(test, code[0], 0x55);

    KTEST_EXPECT_EQ(test, walk((uint64_t)trap_capture + 4, rsp, 0), 2); // a leaf without a frame
    KTEST_EXPECT_EQ(test, addresses[1], stack[0]);
    KTEST_EXPECT_EQ(test, walk(framed, rsp, 0), 2); // before it is made
    KTEST_EXPECT_EQ(test, addresses[1], stack[0]);
    KTEST_EXPECT_EQ(test, walk(framed + 1, rsp, 0), 2); // half made
    KTEST_EXPECT_EQ(test, addresses[1], stack[1]);
    KTEST_EXPECT_EQ(test, walk(framed + 4, rsp, 0), 1); // made: RBP counts
    KTEST_EXPECT_EQ(test, walk(0, rsp, 0), 2);          // after a call of NULL
    KTEST_EXPECT_EQ(test, addresses[1], stack[0]);

    while (*code != 0xc3) {
        code++;
    }
    KTEST_EXPECT_EQ(test, walk((uint64_t)code, rsp, 0), 2); // taken down again
    KTEST_EXPECT_EQ(test, addresses[1], stack[0]);
}

KTEST(backtrace, what_is_no_return_address_is_not_listed)
{
    uint64_t stack[1] = {(uint64_t)text_start - 1};
    KTEST_EXPECT_EQ(test, walk(0, (uint64_t)stack, 0), 1);
    stack[0] = (uint64_t)text_end;
    KTEST_EXPECT_EQ(test, walk(0, (uint64_t)stack, 0), 1);
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

    struct trap_frame frame = {.rip = (uint64_t)backtrace_walk + 4};
    backtrace_write(&writer, &frame);
    KTEST_EXPECT_STREQ(test, text, expected);

    text_bytes = 0;
    frame.rip = 0x10;
    backtrace_write(&writer, &frame);
    KTEST_EXPECT_STREQ(test, text, "  #0 0x0000000000000010 ?+0\n");
}

KTEST(backtrace, one_place_is_enough_for_the_innermost)
{
    uint64_t stack[1] = {(uint64_t)text_start + 5};
    uint64_t two[2] = {0, 0xabcd};
    struct trap_frame frame = {.rip = 0x1234, .rsp = (uint64_t)stack};
    KTEST_EXPECT_EQ(test, backtrace_walk(&frame, two, 1), 1);
    KTEST_EXPECT_EQ(test, two[0], 0x1234);
    KTEST_EXPECT_EQ(test, two[1], 0xabcd);
}

KTEST(backtrace, return_address_0_ends_it)
{
    uint64_t frame[4] = {0, 0, 0, 7};
    frame[0] = (uint64_t)&frame[2];
    KTEST_EXPECT_EQ(test, walk(1, 0, (uint64_t)frame), 1);
}

KTEST(backtrace, return_address_keeps_its_own_offset)
{
    const struct writer writer = {.write = collect};
    uint64_t stack[2] = {0, (uint64_t)backtrace_walk + 9};
    struct trap_frame frame = {.rip = 0x10, .rbp = (uint64_t)stack};
    char expected[160];
    text_bytes = 0;
    format_buffer(expected, sizeof(expected),
                  "  #0 0x0000000000000010 ?+0\n  #1 %#018lx backtrace_walk+0x9\n", stack[1]);

    backtrace_write(&writer, &frame);

    KTEST_EXPECT_STREQ(test, text, expected);
}
