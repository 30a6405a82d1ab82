// SPDX-License-Identifier: MIT
//
// Statements that do not end as KTEST_EXPECT_FAULT and KTEST_EXPECT_PANIC expect.
#include "arch/x86_64/cpu.h"
#include "ktest.h"
#include "lib/panic.h"
#include "selftest/selftest.h"

KTEST(opposite, attempt_with_another_vector)
{
    KTEST_EXPECT_FAULT(test, GP, 0, __asm__ volatile("ud2"));
    KTEST_EXPECT_TRUE(test, true);
}

KTEST(opposite, attempt_with_another_code)
{
    KTEST_EXPECT_FAULT(test, PF, 2, peek(UNMAPPED));
}

KTEST(opposite, attempt_where_nothing_happens)
{
    KTEST_EXPECT_FAULT(test, PF, 0, cpu_relax());
}

KTEST(opposite, attempt_with_another_panic)
{
    KTEST_EXPECT_PANIC(test, "one thing", panic("another thing"));
}

KTEST(opposite, attempt_with_a_panic_for_a_fault)
{
    KTEST_EXPECT_FAULT(test, UD, 0, panic("no fault"));
}

KTEST(opposite, attempt_that_is_asserted)
{
    KTEST_ASSERT_FAULT(test, UD, 0, cpu_relax());
    panic("an assertion must end the test");
}

KTEST(opposite, fault_behind_an_attempt)
{
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("ud2"));
    __asm__ volatile("ud2");
}

// Vector 0 and error code 0 are also what an expected panic has in these fields.
KTEST(opposite, attempt_with_a_fault_for_a_panic)
{
    KTEST_EXPECT_PANIC(test, "*",
                       __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx"
                                        :
                                        :
                                        : "eax", "ecx", "edx"));
}

// What comes behind the statement, in the test itself and in the framework, is left out.
KTEST(opposite, attempt_that_is_left)
{
    KTEST_EXPECT_TRUE(test, true);
    KTEST_EXPECT_PANIC(test, "never", return );
}
