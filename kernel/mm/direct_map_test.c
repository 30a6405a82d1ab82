// SPDX-License-Identifier: MIT
#include "mm/direct_map.h"

#include "arch/x86_64/layout.h"
#include "ktest.h"

// Memory at both ends of what is mapped can be reached; with more than 4 GiB that is the part that
// direct_map_init added.
KTEST_ATTR(direct_map, covers_what_it_says, .proves = "2.3.3 9.1.2");
KTEST(direct_map, covers_what_it_says)
{
    uint64_t end = direct_map_end().value;
    KTEST_ASSERT_GE(test, end, DIRECT_MAP_BOOT_END);
    KTEST_EXPECT_EQ(test, end % (1 << 30), 0);
    const volatile uint8_t *first = phys_to_direct((phys_addr_t){0});
    (void)*first;
    // What lies there may be a hole in the machine; it is the page tables that count.
    volatile uint8_t *last = phys_to_direct((phys_addr_t){end - 1});
    *last = *last;
}

KTEST_ATTR(direct_map, ends_where_it_says,
           .outcome = KTEST_FAULT(PF, .error = 0, .symbol = "read_behind_the_end"));
[[gnu::noinline]] static uint8_t read_behind_the_end(void)
{
    return *(const volatile uint8_t *)phys_to_direct(direct_map_end());
}

KTEST(direct_map, ends_where_it_says)
{
    KTEST_ARM(test);
    read_behind_the_end();
}

// Writing through one view shows in the other: both are the same memory.
KTEST(direct_map, shows_the_same_memory_as_the_kernel)
{
    static volatile uint64_t word = 1;
    volatile uint64_t *view = phys_to_direct((phys_addr_t){(uint64_t)&word - KERNEL_VMA});
    *view = 0x123456789abcdef0;
    KTEST_EXPECT_EQ(test, word, 0x123456789abcdef0);
}
