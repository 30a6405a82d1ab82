// SPDX-License-Identifier: MIT
#include "debug/symbols.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/trap.h"
#include "debug/panic.h"
#include "ktest.h"

KTEST(symbols, function_is_found_from_start_to_end)
{
    uint64_t address = (uint64_t)trap_capture;
    uint64_t offset = 99;
    const struct symbol *symbol = symbol_lookup(address, &offset);
    KTEST_ASSERT_NOT_NULL(test, symbol);
    KTEST_EXPECT_STREQ(test, symbol->name, "trap_capture");
    KTEST_EXPECT_EQ(test, offset, 0);

    uint64_t size_bytes = symbol->size_bytes;
    KTEST_ASSERT_GT(test, size_bytes, 1);
    KTEST_EXPECT_PTR_EQ(test, symbol_lookup(address + size_bytes - 1, &offset), symbol);
    KTEST_EXPECT_EQ(test, offset, size_bytes - 1);
    KTEST_EXPECT_TRUE(test, symbol_lookup(address + size_bytes, &offset) != symbol);
}

KTEST(symbols, addresses_outside_of_the_code_have_none)
{
    uint64_t offset = 77;
    KTEST_EXPECT_NULL(test, symbol_lookup(0, &offset));
    KTEST_EXPECT_NULL(test, symbol_lookup((uint64_t)text_start - 1, &offset));
    KTEST_EXPECT_NULL(test, symbol_lookup((uint64_t)text_end, &offset));
    KTEST_EXPECT_NULL(test, symbol_lookup((uint64_t)&offset, &offset));
    KTEST_EXPECT_EQ(test, offset, 77);
}

// A call may be the last thing that a function does.
KTEST(symbols, caller_is_found_behind_its_call)
{
    uint64_t address = (uint64_t)trap_capture;
    uint64_t offset = 0;
    const struct symbol *symbol = symbol_lookup(address, &offset);
    KTEST_ASSERT_NOT_NULL(test, symbol);
    KTEST_EXPECT_STREQ(test, symbol_caller(address + symbol->size_bytes), "trap_capture");
    KTEST_EXPECT_STREQ(test, symbol_caller(address + 1), "trap_capture");
    KTEST_EXPECT_STREQ(test, symbol_caller((uint64_t)text_start), "?");
    KTEST_EXPECT_STREQ(test, symbol_caller(0), "?");
}

KTEST(symbols, table_is_sorted_and_whole)
{
    KTEST_ASSERT_GT(test, symbol_count, 50);
    for (size_t i = 1; i < symbol_count; i++) {
        KTEST_ASSERT_LT_MSG(test, symbol_table[i - 1].offset, symbol_table[i].offset, "%s",
                            symbol_table[i].name);
    }
}

KTEST(symbols, c_function_is_found_too)
{
    uint64_t offset;
    const struct symbol *symbol = symbol_lookup((uint64_t)panic_recovered, &offset);
    KTEST_ASSERT_NOT_NULL(test, symbol);
    KTEST_EXPECT_STREQ(test, symbol->name, "panic_recovered");
}
