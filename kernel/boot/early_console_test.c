// SPDX-License-Identifier: MIT
#include "boot/early_console.h"

#include <stdbool.h>

#include "arch/x86_64/layout.h"
#include "boot/vga_memory.h"
#include "ktest.h"

// The first words of the boot are still on the screen, in their colour: printed before any
// initialisation, since early_console_init is kernel_main's first statement. Other tests would
// have scrolled them away.
KTEST_ATTR(early_screen, hello_is_in_video_memory, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT, .proves = "2.3.5 4.8.1");
KTEST(early_screen, hello_is_in_video_memory)
{
    static const char hello[] = "Hello World!";
    const volatile struct text_cell *shown = (void *)(DIRECT_MAP_VMA + 0xb8000);
    bool is_found = false;
    for (size_t row = 0; row < VGA_ROWS && !is_found; row++) {
        size_t matching = 0;
        while (matching < sizeof(hello) - 1 &&
               shown[row * VGA_COLUMNS + matching].character == (uint8_t)hello[matching] &&
               shown[row * VGA_COLUMNS + matching].colour.code == 0x0b) {
            matching++;
        }
        is_found = matching == sizeof(hello) - 1;
    }
    KTEST_EXPECT_TRUE(test, is_found);
}

// It needs no initialiser, so there is no first use: whoever prints, prints.
KTEST_ATTR(early_screen, is_ready_from_the_start, .proves = "3.14 3.15");
KTEST(early_screen, is_ready_from_the_start)
{
    const struct text_screen *screen = early_screen();
    KTEST_EXPECT_EQ(test, screen->row_count, VGA_ROWS);
    KTEST_EXPECT_EQ(test, screen->column_count, VGA_COLUMNS);
    KTEST_EXPECT_EQ(test, text_foreground(screen->colour), COLOUR_YELLOW);
    KTEST_EXPECT_EQ(test, text_background(screen->colour), COLOUR_BLACK);
}
