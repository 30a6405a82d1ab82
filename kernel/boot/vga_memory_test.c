// SPDX-License-Identifier: MIT
#include "boot/vga_memory.h"

#include "arch/x86_64/layout.h"
#include "boot/early_console.h"
#include "ktest.h"

static _Alignas(8) struct text_cell row[VGA_COLUMNS];

static const volatile struct text_cell *video(size_t at)
{
    return (const volatile struct text_cell *)phys_to_direct((phys_addr_t){0xb8000}) + at;
}

static void init(struct ktest *test)
{
    (void)test;
    for (size_t i = 0; i < VGA_COLUMNS; i++) {
        row[i] = (struct text_cell){(uint8_t)('0' + i), {(uint8_t)(i + 1)}};
    }
    text_screen_clear(early_screen());
}

static void exit(struct ktest *test)
{
    (void)test;
    text_screen_clear(early_screen());
}

KTEST_SUITE(vga_memory, .init = init, .exit = exit);

KTEST_ATTR(vga_memory, cells_arrive_where_they_belong, .needs = KTEST_NEEDS_VGA,
           .proves = "3.3 3.4 3.10");
KTEST(vga_memory, cells_arrive_where_they_belong)
{
    vga_memory_show(NULL, 3 * 80, row, VGA_COLUMNS);
    for (size_t i = 0; i < VGA_COLUMNS; i++) {
        KTEST_ASSERT_EQ(test, video(3 * 80 + i)->character, '0' + i);
        KTEST_ASSERT_EQ(test, video(3 * 80 + i)->colour.code, i + 1);
    }
    KTEST_EXPECT_EQ(test, video(3 * 80 - 1)->character, ' ');
    KTEST_EXPECT_EQ(test, video(4 * 80)->character, ' ');
}

KTEST_ATTR(vga_memory, only_the_words_around_are_written, .needs = KTEST_NEEDS_VGA);
KTEST(vga_memory, only_the_words_around_are_written)
{
    vga_memory_show(NULL, 24 * 80 + 5, row + 5, 4);
    KTEST_EXPECT_EQ(test, video(24 * 80 + 3)->character, ' ');
    KTEST_EXPECT_EQ(test, video(24 * 80 + 4)->character, '4');
    KTEST_EXPECT_EQ(test, video(24 * 80 + 11)->character, ';');
    KTEST_EXPECT_EQ(test, video(24 * 80 + 12)->character, ' ');
    vga_memory_show(NULL, 24 * 80 + 16, row + 16, 0);
    KTEST_EXPECT_EQ(test, video(24 * 80 + 16)->character, ' ');
}

KTEST_ATTR(vga_memory, nothing_is_written_outside_of_it, .proves = "3.11");
KTEST(vga_memory, nothing_is_written_outside_of_it)
{
    KTEST_EXPECT_PANIC(test, "assertion failed: first <= CELLS*",
                       vga_memory_show(NULL, 2001, row, 0));
    KTEST_EXPECT_PANIC(test, "assertion failed: first <= CELLS*",
                       vga_memory_show(NULL, 1999, row, 2));
    KTEST_EXPECT_PANIC(test, "assertion failed: first <= CELLS*",
                       vga_memory_show(NULL, ~0ULL, row, 2));
}
