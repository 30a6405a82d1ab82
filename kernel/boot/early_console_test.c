// SPDX-License-Identifier: MIT
#include "boot/early_console.h"

#include "arch/x86_64/layout.h"
#include "ktest.h"
#include "lib/string.h"

static uint64_t video[VGA_CELLS / VGA_CELLS_PER_WORD];
static struct early_screen screen;

static void init(struct ktest *test)
{
    (void)test;
    memset(&screen, 0x55, sizeof(screen));
    memset(video, 0x55, sizeof(video));
    screen.video = video;
    screen.column = 0;
    screen.colour = 0x1e;
}

KTEST_SUITE(early_screen, .init = init);

static void write(const char *text)
{
    early_screen_write(&screen, text, strlen(text));
}

static struct vga_cell cell(size_t row, size_t column)
{
    return ((const struct vga_cell *)video)[row * VGA_COLUMNS + column];
}

KTEST(early_screen, text_stands_on_the_last_row_in_its_colour)
{
    write("Hi");
    KTEST_EXPECT_EQ(test, cell(24, 0).character, 'H');
    KTEST_EXPECT_EQ(test, cell(24, 0).colour, 0x1e);
    KTEST_EXPECT_EQ(test, cell(24, 1).character, 'i');
    KTEST_EXPECT_EQ(test, cell(24, 2).character, 0x55);
    KTEST_EXPECT_EQ(test, cell(23, 0).character, 0x55);
}

KTEST(early_screen, newline_scrolls_and_blanks_the_last_row)
{
    write("ab\nc");
    KTEST_EXPECT_EQ(test, cell(23, 0).character, 'a');
    KTEST_EXPECT_EQ(test, cell(23, 1).character, 'b');
    KTEST_EXPECT_EQ(test, cell(24, 0).character, 'c');
    for (size_t column = 1; column < VGA_COLUMNS; column++) {
        KTEST_ASSERT_EQ(test, cell(24, column).character, ' ');
        KTEST_ASSERT_EQ(test, cell(24, column).colour, 0x1e);
    }
}

KTEST(early_screen, first_row_is_the_one_that_goes)
{
    screen.cells[0].character = 'x';
    screen.cells[VGA_COLUMNS].character = 'y';
    write("\n");
    KTEST_EXPECT_EQ(test, cell(0, 0).character, 'y');
}

KTEST_ATTR(early_screen, long_lines_wrap, .proves = "4.7.4");
KTEST(early_screen, long_lines_wrap)
{
    for (size_t i = 0; i < VGA_COLUMNS; i++) {
        write("x");
    }
    KTEST_EXPECT_EQ(test, cell(24, 79).character, 'x');
    KTEST_EXPECT_EQ(test, cell(23, 79).character, 0x55);

    write("y"); // the 81st

    KTEST_EXPECT_EQ(test, cell(23, 0).character, 'x');
    KTEST_EXPECT_EQ(test, cell(23, 79).character, 'x');
    KTEST_EXPECT_EQ(test, cell(24, 0).character, 'y');
    KTEST_EXPECT_EQ(test, cell(24, 1).character, ' ');
}

KTEST_ATTR(early_screen, unprintable_bytes_show_as_blocks, .proves = "4.7.4");
KTEST(early_screen, unprintable_bytes_show_as_blocks)
{
    write("W\xc3\xb6r\x1b\x7f~ ");
    const uint8_t expected[] = {'W', 0xfe, 0xfe, 'r', 0xfe, 0xfe, '~', ' '};
    for (size_t i = 0; i < sizeof(expected); i++) {
        KTEST_EXPECT_EQ(test, cell(24, i).character, expected[i]);
    }
}

KTEST(early_screen, clear_blanks_everything)
{
    write("abc");
    early_screen_clear(&screen);
    for (size_t i = 0; i < VGA_CELLS; i++) {
        KTEST_ASSERT_EQ(test, cell(0, i).character, ' ');
        KTEST_ASSERT_EQ(test, cell(0, i).colour, 0x1e);
    }
    write("z");
    KTEST_EXPECT_EQ(test, cell(24, 0).character, 'z');
}

// The first words of the boot are still on the screen, in their colour: printed before any
// initialisation, since early_console_init is kernel_main's first statement. Other tests would
// have scrolled them away.
KTEST_ATTR(early_screen, hello_is_in_video_memory, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT, .proves = "2.3.5 4.8.1");
KTEST(early_screen, hello_is_in_video_memory)
{
    static const char hello[] = "Hello World!";
    const volatile struct vga_cell *shown = (void *)(DIRECT_MAP_VMA + 0xb8000);
    bool is_found = false;
    for (size_t row = 0; row < VGA_ROWS && !is_found; row++) {
        size_t matching = 0;
        while (matching < sizeof(hello) - 1 &&
               shown[row * VGA_COLUMNS + matching].character == (uint8_t)hello[matching] &&
               shown[row * VGA_COLUMNS + matching].colour == 0x0b) {
            matching++;
        }
        is_found = matching == sizeof(hello) - 1;
    }
    KTEST_EXPECT_TRUE(test, is_found);
}
