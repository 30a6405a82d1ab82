// SPDX-License-Identifier: MIT
#include "arch/x86_64/exception.h"

#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"

static const char *describe(uint8_t vector, uint64_t error, uint64_t cr2)
{
    static char text[160];
    exception_describe(text, sizeof(text), vector, error, cr2);
    return text;
}

KTEST_ATTR(exception, every_one_of_the_manual_has_name_and_mnemonic, .proves = "5.3");
KTEST(exception, every_one_of_the_manual_has_name_and_mnemonic)
{
    static const char *const mnemonics[EXCEPTION_COUNT] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
        "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
        "",    "",    "",    "",    "",    "",    "#HV", "#VC", "#SX", "",
    };
    for (uint8_t vector = 0; vector < EXCEPTION_COUNT; vector++) {
        KTEST_EXPECT_STREQ_MSG(test, exception_mnemonic(vector), mnemonics[vector], "vector %u",
                               vector);
        bool is_reserved = mnemonics[vector][0] == 0 && vector != 9;
        KTEST_EXPECT_EQ_MSG(test, strcmp(exception_name(vector), "reserved exception") == 0,
                            is_reserved, "vector %u", vector);
    }
    KTEST_EXPECT_STREQ(test, exception_name(0), "divide error");
    KTEST_EXPECT_STREQ(test, exception_name(8), "double fault");
    KTEST_EXPECT_STREQ(test, exception_name(14), "page fault");
    KTEST_EXPECT_STREQ(test, exception_name(32), "interrupt");
    KTEST_EXPECT_STREQ(test, exception_mnemonic(255), "");
}

KTEST_ATTR(exception, page_fault_error_code_in_words, .proves = "5.3 8.7");
KTEST(exception, page_fault_error_code_in_words)
{
    static const struct {
        uint64_t error;
        const char *words;
    } cases[] = {
        {0x00, "read of 0x5000, which is not mapped"},
        {0x02, "write to 0x5000, which is not mapped"},
        {0x10, "execution of 0x5000, which is not mapped"},
        {0x01, "read of 0x5000, against its permissions"},
        {0x03, "write to 0x5000, which is read-only"},
        {0x11, "execution of 0x5000, which is not executable"},
        {0x13, "execution of 0x5000, which is not executable"},
        {0x04, "user mode's read of 0x5000, which is not mapped"},
        {0x07, "user mode's write to 0x5000, which is read-only"},
        {0x15, "user mode's execution of 0x5000, which is not executable"},
        {0x09, "read of 0x5000, a reserved bit is set in its entry"},
        {0x08, "read of 0x5000, a reserved bit is set in its entry"},
        {0x25, "user mode's read of 0x5000, against its protection key"},
        {0x43, "write to 0x5000, by or on a shadow stack"},
        {0x8001, "read of 0x5000, against the rules of SGX"},
        {0x80000003, "write to 0x5000, against the reverse map table"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *text = describe(14, cases[i].error, 0x5000);
        KTEST_ASSERT_EQ(test, strncmp(text, "page fault #PF: ", 16), 0);
        KTEST_EXPECT_STREQ_MSG(test, text + 16, cases[i].words, "error %lx", cases[i].error);
    }
}

KTEST(exception, page_fault_names_the_null_page_and_stack_guards)
{
    uint64_t guard = (uint64_t)boot_stacks[BOOT_STACK_NMI].body - 24;
    char expected[160];
    format_buffer(expected, sizeof(expected),
                  "page fault #PF: write to the guard page 24 bytes below the NMI stack (%#lx), "
                  "which is not mapped",
                  guard);

    KTEST_EXPECT_STREQ(test, describe(14, 2, 16),
                       "page fault #PF: write to the null page (0x10), which is not mapped");
    KTEST_EXPECT_STREQ(test, describe(14, 2, guard), expected);
}

KTEST_ATTR(exception, double_fault_in_a_guard_page_is_a_stack_overflow, .proves = "6.2");
KTEST(exception, double_fault_in_a_guard_page_is_a_stack_overflow)
{
    uint64_t guard = (uint64_t)boot_stacks[BOOT_STACK_MAIN].body - 8;
    char expected[160];
    format_buffer(expected, sizeof(expected),
                  "double fault #DF: stack overflow into the guard page 8 bytes below the boot "
                  "stack (%#lx)",
                  guard);

    KTEST_EXPECT_STREQ(test, describe(8, 0, guard), expected);
    KTEST_EXPECT_STREQ(test, describe(8, 0, 0), "double fault #DF");
}

KTEST(exception, selector_error_code_in_words)
{
    KTEST_EXPECT_STREQ(test, describe(13, 0, 0), "general protection fault #GP");
    KTEST_EXPECT_STREQ(test, describe(13, 0x30, 0), "general protection fault #GP: GDT entry 6");
    KTEST_EXPECT_STREQ(test, describe(11, 0x2c, 0), "segment not present #NP: LDT entry 5");
    KTEST_EXPECT_STREQ(test, describe(13, 0x08, 0), "general protection fault #GP: GDT entry 1");
    KTEST_EXPECT_STREQ(test, describe(13, 0x402, 0),
                       "general protection fault #GP: IDT vector 128");
    KTEST_EXPECT_STREQ(test, describe(10, 0x31, 0),
                       "invalid TSS #TS: GDT entry 6, from outside the program");
}

KTEST(exception, others_are_their_names)
{
    KTEST_EXPECT_STREQ(test, describe(6, 0, 0), "invalid opcode #UD");
    KTEST_EXPECT_STREQ(test, describe(21, 3, 0),
                       "control protection exception #CP: error code 0x3");
    KTEST_EXPECT_STREQ(test, describe(15, 0, 0), "reserved exception");
    KTEST_EXPECT_STREQ(test, describe(200, 0, 0), "interrupt 200");
}

KTEST(exception, text_is_cut_off_where_the_buffer_ends)
{
    char text[8] = "xxxxxxx";

    exception_describe(text, 6, 14, 2, 0x1000);

    KTEST_EXPECT_STREQ(test, text, "page ");
    KTEST_EXPECT_EQ(test, text[6], 'x');
}

KTEST(exception, text_that_fills_its_buffer_exactly_ends_there)
{
    char text[8] = "xxxxxxx";
    exception_describe(text, 5, 14, 2, 0x1000);
    KTEST_EXPECT_STREQ(test, text, "page");
    KTEST_EXPECT_EQ(test, text[5], 'x');
}
