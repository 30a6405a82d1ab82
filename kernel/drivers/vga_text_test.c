// SPDX-License-Identifier: MIT
//
// The driver as the boot has set it up, seen from its registers and from the video memory.
#include "drivers/vga_text.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/step_counter.h"
#include "boot/early_console.h"
#include "boot/vga_memory.h"
#include "debug/log.h"
#include "drivers/console.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

// A scrolling line of 24 characters: a quarter of what blog_os takes, in its dev build without
// optimization.
#ifdef __OPTIMIZE__
#define LINE_MAX (9206 / 4)
#else
#define LINE_MAX (742909 / 4)
#endif

static struct text_colour colour_before;
static bool keeps_screen;

static void init(struct ktest *test)
{
    (void)test;
    colour_before = early_screen()->colour;
    print("\n");
}

static void exit(struct ktest *test)
{
    (void)test;
    early_screen()->colour = colour_before;
    if (!keeps_screen) {
        text_screen_clear(early_screen());
    }
}

KTEST_SUITE(vga_text, .init = init, .exit = exit);

static const volatile struct text_cell *video_row(size_t row)
{
    const volatile struct text_cell *cells = phys_to_direct((phys_addr_t){0xb8000});
    return cells + row * VGA_COLUMNS;
}

static uint8_t crt_read(uint8_t reg)
{
    port_write8(0x3d4, reg);
    return port_read8(0x3d5);
}

static unsigned cursor(void)
{
    return (unsigned)(crt_read(0x0e) << 8 | crt_read(0x0f));
}

static uint8_t attribute_mode(void)
{
    (void)port_read8(0x3da);
    port_write8(0x3c0, 0x30);
    uint8_t mode = port_read8(0x3c1);
    (void)port_read8(0x3da);
    return mode;
}

static void set_attribute_mode(uint8_t mode)
{
    (void)port_read8(0x3da);
    port_write8(0x3c0, 0x30);
    port_write8(0x3c0, mode);
}

KTEST_ATTR(vga_text, cursor_follows_the_text, .needs = KTEST_NEEDS_VGA, .proves = "3.21");
KTEST(vga_text, cursor_follows_the_text)
{
    KTEST_EXPECT_EQ(test, cursor(), 24 * 80);
    print("abc");
    KTEST_EXPECT_EQ(test, cursor(), 24 * 80 + 3);
    print("\b");
    KTEST_EXPECT_EQ(test, cursor(), 24 * 80 + 2);
    KTEST_EXPECT_EQ(test, crt_read(0x0a), 13); // and is not hidden
    KTEST_EXPECT_EQ(test, crt_read(0x0b), 14);
    early_screen()->device->place_cursor(NULL, 3, 5);
    KTEST_EXPECT_EQ(test, cursor(), 3 * 80 + 5); // both bytes
    print("x");
    KTEST_EXPECT_EQ(test, cursor(), 24 * 80 + 3);
}

static void crt_write(uint8_t reg, uint8_t value)
{
    port_write8(0x3d4, reg);
    port_write8(0x3d5, value);
}

KTEST_ATTR(vga_text, cursor_is_set_up, .needs = KTEST_NEEDS_VGA, .proves = "3.21");
KTEST(vga_text, cursor_is_set_up)
{
    crt_write(0x0a, 0x20); // hidden
    crt_write(0x0b, 0x00);
    crt_write(0x0e, 0xff);
    KTEST_ASSERT_EQ(test, vga_text_init(early_screen()), OK);
    KTEST_EXPECT_EQ(test, crt_read(0x0a), 13);
    KTEST_EXPECT_EQ(test, crt_read(0x0b), 14);
    crt_write(0x0e, 0xff);
    KTEST_ASSERT_EQ(test, vga_text_init(early_screen()), OK);
    early_screen()->device->place_cursor(NULL, 0, 5);
    KTEST_EXPECT_EQ(test, cursor(), 5);
}

// What the firmware leaves is on: then these would be 8 dark backgrounds, and would blink.
KTEST_ATTR(vga_text, all_backgrounds_are_colours, .needs = KTEST_NEEDS_VGA, .proves = "3.26");
KTEST(vga_text, all_backgrounds_are_colours)
{
    KTEST_EXPECT_EQ(test, attribute_mode() & 0x09, 0); // text, no blinking
    set_attribute_mode(0x0c);
    KTEST_ASSERT_EQ(test, vga_text_init(early_screen()), OK);
    KTEST_EXPECT_EQ(test, attribute_mode(), 0x04); // and nothing else has changed
    for (unsigned code = 0; code < 256; code++) {
        early_screen()->colour.code = (uint8_t)code;
        print("\rx");
        KTEST_ASSERT_EQ(test, video_row(24)->colour.code, code);
    }
}

// host_tests/test_console.py looks at what this one leaves on the screen.
KTEST_ATTR(vga_text, all_backgrounds_are_colours_on_screen, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT);
KTEST(vga_text, all_backgrounds_are_colours_on_screen)
{
    for (unsigned colour = 0; colour < COLOUR_COUNT; colour++) {
        early_screen()->colour = text_colour(COLOUR_BLACK, (enum colour)colour);
        print("  ");
    }
    early_screen()->colour = colour_before;
    println("sixteen backgrounds");
    KTEST_EXPECT_EQ(test, video_row(23)[31].colour.code, 0xf0);
    keeps_screen = true;
}

KTEST_ATTR(vga_text, graphics_modes_are_left_alone, .needs = KTEST_NEEDS_VGA);
KTEST(vga_text, graphics_modes_are_left_alone)
{
    uint8_t before = attribute_mode();
    set_attribute_mode(before | 0x09);
    enum error error = vga_text_init(early_screen());
    uint8_t after = attribute_mode();
    set_attribute_mode(before);
    KTEST_EXPECT_EQ(test, error, ENODEV);
    KTEST_EXPECT_EQ(test, after, before | 0x09);
}

KTEST_ATTR(vga_text, what_was_there_stays, .needs = KTEST_NEEDS_VGA);
KTEST(vga_text, what_was_there_stays)
{
    println("before");
    KTEST_ASSERT_EQ(test, vga_text_init(early_screen()), OK);
    println("after");
    KTEST_EXPECT_EQ(test, video_row(22)->character, 'b');
    KTEST_EXPECT_EQ(test, video_row(23)->character, 'a');
}

static void expect_last_row(struct ktest *test, const char *text)
{
    for (size_t i = 0; i < strlen(text); i++) {
        KTEST_ASSERT_EQ(test, video_row(24)[i].character, (uint8_t)text[i]);
    }
    KTEST_EXPECT_EQ(test, video_row(24)[strlen(text)].character, ' ');
}

KTEST_ATTR(vga_text, examples_of_the_post, .needs = KTEST_NEEDS_VGA, .proves = "3.7 3.13");
KTEST(vga_text, examples_of_the_post)
{
    print("H");
    print("ello ");
    print("W\xc3\xb6rld!");
    expect_last_row(test, "Hello W\xfe\xferld!");
    print("\nHello! The numbers are %d and %s", 42, format_fraction(1, 3, 9).text);
    expect_last_row(test, "Hello! The numbers are 42 and 0.333333333");
}

// --- Cost ---------------------------------------------------------------------------------------

static const struct writer *serial;

static void hear_serial_again(void *context)
{
    (void)context;
    log_add_console(serial);
}

// Only the screen, as in the peer's println.
static void silence_serial(struct ktest *test)
{
    serial = console_serial();
    KTEST_ASSERT_NOT_NULL(test, serial);
    log_remove_console(serial);
    ktest_add_action(test, hear_serial_again, NULL);
}

static void fill_screen(void)
{
    for (unsigned i = 0; i < VGA_ROWS; i++) {
        println("%s", "abcdefghijklmnopqrstuvwx");
    }
}

KTEST_ATTR(vga_text, scrolling_a_line_is_cheap, .needs = KTEST_NEEDS_VGA, .proves = "3.23");
KTEST(vga_text, scrolling_a_line_is_cheap)
{
    silence_serial(test);
    fill_screen();
    step_counter_start();
    println("%s", "abcdefghijklmnopqrstuvwx");
    unsigned cost = step_counter_stop();
    KTEST_EXPECT_LT(test, cost, LINE_MAX);
}

KTEST_ATTR(vga_text, line_of_24_characters, .needs = KTEST_NEEDS_VGA);
KTEST_BENCH(vga_text, line_of_24_characters)
{
    silence_serial(test);
    fill_screen();
    while (ktest_bench_next(test)) {
        println("%s", "abcdefghijklmnopqrstuvwx");
    }
    KTEST_EXPECT_EQ(test, video_row(23)[23].character, 'x');
}

KTEST_ATTR(vga_text, line_of_79_characters, .needs = KTEST_NEEDS_VGA);
KTEST_BENCH(vga_text, line_of_79_characters)
{
    static char line[VGA_COLUMNS];
    silence_serial(test);
    memset(line, 'x', VGA_COLUMNS - 1);
    for (unsigned i = 0; i < VGA_ROWS; i++) {
        println("%s", line);
    }
    while (ktest_bench_next(test)) {
        println("%s", line);
    }
    KTEST_EXPECT_EQ(test, video_row(23)[78].character, 'x');
}
