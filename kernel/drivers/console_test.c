// SPDX-License-Identifier: MIT
//
// A framebuffer as a loader would leave it, on a display adapter that is one. Each of these tests
// has the machine to itself: its text mode is lost.
#include "drivers/console.h"

#include "arch/x86_64/step_counter.h"
#include "boot/early_console.h"
#include "debug/log.h"
#include "drivers/bochs_display.h"
#include "drivers/font.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/mmio.h"

#define WIDTH 640
#define HEIGHT 480
#define ROWS (HEIGHT / FONT_HEIGHT)

// Instructions for a line of 79 characters that scrolls, on the VGA and the serial port. Much less
// than blog_os takes for one of 24 on the screen alone.
#ifdef __OPTIMIZE__
#define LINE_MAX 6000
#else
#define LINE_MAX 20000
#endif

static struct boot_framebuffer info;
static volatile uint8_t *pixels;

static void close(void *context)
{
    (void)context;
    console_close_framebuffer();
    mmio_unmap(pixels, (uint64_t)info.pitch_bytes * info.height);
}

// False, and nothing is open, if it fails.
static bool open(struct ktest *test, uint16_t width, uint16_t height, uint16_t bits_per_pixel)
{
    volatile void *mapped = NULL;
    KTEST_ASSERT_EQ(test, bochs_display_set_mode(width, height, bits_per_pixel, &info), OK);
    uint64_t size_bytes = (uint64_t)info.pitch_bytes * info.height;
    KTEST_ASSERT_EQ(test, mmio_map(info.address, size_bytes, &mapped), OK);
    pixels = mapped;
    enum error error = console_init_screen(&info);
    KTEST_EXPECT_EQ(test, error, OK);
    if (error != OK) {
        mmio_unmap(pixels, size_bytes);
        return false;
    }
    ktest_add_action(test, close, NULL);
    return true;
}

static bool is_dark(size_t x, size_t y)
{
    size_t size_bytes = (info.bits_per_pixel + 7u) / 8;
    const volatile uint8_t *at = pixels + y * info.pitch_bytes + x * size_bytes;
    return at[0] == 0 && at[1] == 0; // yellow has green in both
}

static void expect_text(struct ktest *test, size_t row, const char *text)
{
    for (size_t column = 0; column < strlen(text); column++) {
        for (size_t y = 0; y < FONT_HEIGHT; y++) {
            for (size_t x = 0; x < FONT_WIDTH; x++) {
                bool is_ink = (font_glyphs[(uint8_t)text[column]][y] >> (7 - x) & 1) != 0;
                KTEST_ASSERT_EQ_MSG(test, is_dark(column * FONT_WIDTH + x, row * FONT_HEIGHT + y),
                                    !is_ink, "column %zu, pixel %zu, %zu", column, x, y);
            }
        }
    }
}

static const uint16_t depths[] = {16, 24, 32};

KTEST_ATTR(console, framebuffer_takes_over_what_was_shown, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                                   .skip = "Bochs shows no graphics on a terminal"}));
KTEST_PARAM(console, framebuffer_takes_over_what_was_shown, depths, NULL)
{
    println("\nbefore");
    if (!open(test, WIDTH, HEIGHT, *param)) {
        return;
    }
    println("after");
    expect_text(test, ROWS - 3, "before ");
    expect_text(test, ROWS - 2, "after  ");
    expect_text(test, 0, "       ");
    const struct text_screen *early = early_screen(); // nobody writes to it any more
    KTEST_EXPECT_EQ(test, text_screen_cell(early, early->row_count - 2, 0).character, 'b');
}

// host_tests/test_console.py looks at what this one leaves on the screen.
KTEST_ATTR(console, framebuffer_shows_every_character, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                                   .skip = "Bochs shows no graphics on a terminal"}));
KTEST(console, framebuffer_shows_every_character)
{
    char line[2] = "";
    if (!open(test, 1024, 768, 32)) {
        return;
    }
    for (unsigned code = 0x20; code < 0x80; code++) { // 0x7f is not printable
        line[0] = (char)code;
        print("%s%s", line, code % 32 == 31 ? "\n" : "");
    }
    println("1024 * 768 pixels, 32 bits each");
    expect_text(test, 768 / FONT_HEIGHT - 3, "`abcdefghijklmnopqrstuvwxyz{|}~\xfe");
}

KTEST(console, framebuffers_that_cannot_be_are_refused)
{
    struct boot_framebuffer wrong = {
        .address = {1 << 20}, // memory
        .pitch_bytes = WIDTH * 4,
        .width = WIDTH,
        .height = HEIGHT,
        .bits_per_pixel = 32,
        .red = {16, 8},
        .green = {8, 8},
        .blue = {0, 8},
    };
    KTEST_EXPECT_EQ(test, console_init_screen(&wrong), EINVAL);
    wrong.bits_per_pixel = 8;
    KTEST_EXPECT_EQ(test, console_init_screen(&wrong), ENOTSUP);
    wrong.bits_per_pixel = 32;
    wrong.width = 32768; // its cells need more than a run of frames can be
    wrong.height = 32768;
    wrong.pitch_bytes = 4 * 32768;
    KTEST_EXPECT_EQ(test, console_init_screen(&wrong), EINVAL);
}

// --- Cost ---------------------------------------------------------------------------------------

static const struct writer *serial;

static void hear_serial_again(void *context)
{
    (void)context;
    log_add_console(serial);
}

static void silence_serial(struct ktest *test)
{
    serial = console_serial();
    KTEST_ASSERT_NOT_NULL(test, serial);
    log_remove_console(serial);
    ktest_add_action(test, hear_serial_again, NULL);
}

static void fill_screen(void)
{
    for (unsigned i = 0; i < 48; i++) {
        println("abcdefghijklmnop%08u", i);
    }
}

// Lines of a log: from one to the next, a few characters differ.
KTEST_ATTR(console, framebuffer_line_of_24_characters, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT);
KTEST_BENCH(console, framebuffer_line_of_24_characters)
{
    unsigned number = 48;
    if (!open(test, 1024, 768, 32)) {
        return;
    }
    silence_serial(test);
    fill_screen();
    while (ktest_bench_next(test)) {
        println("abcdefghijklmnop%08u", number++);
    }
}

// The worst that there is: every cell of the screen differs from the one below.
KTEST_ATTR(console, framebuffer_full_lines_that_differ, .needs = KTEST_NEEDS_VGA,
           .isolation = KTEST_ISOLATION_BOOT);
KTEST_BENCH(console, framebuffer_full_lines_that_differ)
{
    static char lines[2][129];
    unsigned number = 0;
    memset(lines[0], 'x', 127);
    memset(lines[1], 'y', 127);
    if (!open(test, 1024, 768, 32)) {
        return;
    }
    silence_serial(test);
    for (; number < 48; number++) {
        println("%s", lines[number % 2]);
    }
    while (ktest_bench_next(test)) {
        println("%s", lines[number++ % 2]);
    }
}

// All of this is done with interrupts off, so it bounds how late they can come, apart from what the
// serial line takes: QEMU's does not take its time.
static char full_line[80];

KTEST_ATTR(
    console, line_is_bounded_with_interrupts_off, .needs = KTEST_NEEDS_VGA, .proves = "7.4.5",
    .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                            .skip = "Bochs's serial port takes its time, and polls of it count"}));
KTEST(console, line_is_bounded_with_interrupts_off)
{
    memset(full_line, 'x', sizeof(full_line) - 1);
    step_counter_start();
    println("%s", full_line);
    unsigned cost = step_counter_stop();
    KTEST_EXPECT_LT(test, cost, LINE_MAX);
}

KTEST_ATTR(console, line_of_79_characters_with_serial, .needs = KTEST_NEEDS_VGA);
KTEST_BENCH(console, line_of_79_characters_with_serial)
{
    memset(full_line, 'x', sizeof(full_line) - 1);
    while (ktest_bench_next(test)) {
        println("%s", full_line);
    }
}
