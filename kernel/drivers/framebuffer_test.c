// SPDX-License-Identifier: MIT
//
// A framebuffer in RAM, of every format, with noise around it that has to stay. Pixels are judged
// one by one: from the glyph and the colours, and not by words as they are drawn.
#include "drivers/framebuffer.h"

#include "drivers/font.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/string.h"

#define WIDTH 45  // five columns, and five pixels more
#define HEIGHT 55 // three rows, and seven lines more
#define ROWS 3
#define COLUMNS 5
#define PADDING_BYTES 7 // behind each line: so nothing is aligned
#define NOISE 0x5a

static uint8_t pixels[(WIDTH * 4 + PADDING_BYTES) * HEIGHT];
static struct framebuffer framebuffer;
static struct text_cell shown[ROWS * COLUMNS];
static struct text_cell cells[ROWS * COLUMNS];
static struct text_screen screen;

struct format {
    uint8_t bits_per_pixel;
    struct boot_colour_field red, green, blue;
    uint32_t light_red, brown, white; // pixels
};

static const struct format formats[] = {
    {32, {16, 8}, {8, 8}, {0, 8}, 0xff5555, 0xaa5500, 0xffffff},
    {32, {0, 8}, {8, 8}, {16, 8}, 0x5555ff, 0x0055aa, 0xffffff},
    {24, {16, 8}, {8, 8}, {0, 8}, 0xff5555, 0xaa5500, 0xffffff},
    {16, {11, 5}, {5, 6}, {0, 5}, 0xfaaa, 0xaaa0, 0xffff},
    {15, {10, 5}, {5, 5}, {0, 5}, 0x7d4a, 0x5540, 0x7fff},
};

static struct boot_framebuffer info_of(const struct format *format)
{
    uint32_t row_bytes = WIDTH * ((format->bits_per_pixel + 7u) / 8);
    return (struct boot_framebuffer){
        .pitch_bytes = row_bytes + PADDING_BYTES,
        .width = WIDTH,
        .height = HEIGHT,
        .bits_per_pixel = format->bits_per_pixel,
        .red = format->red,
        .green = format->green,
        .blue = format->blue,
    };
}

static void make_screen(struct ktest *test, const struct format *format)
{
    struct boot_framebuffer info = info_of(format);
    memset(pixels, NOISE, sizeof(pixels));
    KTEST_ASSERT_EQ(test, framebuffer_init(&framebuffer, &info, pixels, shown), OK);
    KTEST_ASSERT_EQ(test, framebuffer.row_count, ROWS);
    KTEST_ASSERT_EQ(test, framebuffer.column_count, COLUMNS);
    screen = (struct text_screen){.cells = cells,
                                  .row_count = ROWS,
                                  .column_count = COLUMNS,
                                  .colour = text_colour(COLOUR_LIGHT_RED, COLOUR_BROWN),
                                  .device = &framebuffer.device};
    text_screen_clear(&screen);
}

static uint32_t pixel_at(size_t x, size_t y)
{
    uint32_t pixel = 0;
    memcpy(&pixel, pixels + y * framebuffer.pitch_bytes + x * framebuffer.bytes_per_pixel,
           framebuffer.bytes_per_pixel);
    return pixel;
}

static bool is_ink(uint8_t character, size_t x, size_t y)
{
    return (font_glyphs[character][y] >> (7 - x) & 1) != 0;
}

static void expect_cell(struct ktest *test, const struct format *format, size_t row, size_t column,
                        char character, bool has_cursor)
{
    for (size_t y = 0; y < FONT_HEIGHT; y++) {
        for (size_t x = 0; x < FONT_WIDTH; x++) {
            bool is_set = is_ink((uint8_t)character, x, y) || (has_cursor && y >= 14);
            KTEST_ASSERT_EQ_MSG(test, pixel_at(column * FONT_WIDTH + x, row * FONT_HEIGHT + y),
                                is_set ? format->light_red : format->brown,
                                "row %zu, column %zu, pixel %zu, %zu", row, column, x, y);
        }
    }
}

static void expect_rows(struct ktest *test, const struct format *format, const char *text)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        expect_cell(test, format, i / COLUMNS, i % COLUMNS, text[i], i == framebuffer.cursor);
    }
}

// What is no cell is black, and what is no pixel has not been touched.
static void expect_margins(struct ktest *test)
{
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = y < ROWS * FONT_HEIGHT ? COLUMNS * FONT_WIDTH : 0; x < WIDTH; x++) {
            KTEST_ASSERT_EQ(test, pixel_at(x, y), 0);
        }
        for (size_t i = 0; i < PADDING_BYTES; i++) {
            KTEST_ASSERT_EQ(test, pixels[(y + 1) * framebuffer.pitch_bytes - PADDING_BYTES + i],
                            NOISE);
        }
    }
}

KTEST_PARAM(framebuffer, text_is_drawn_in_every_format, formats, NULL)
{
    make_screen(test, param);
    text_screen_write(&screen, "Ag|\nW\xfe", 6);
    expect_rows(test, param, "     Ag|  W\xfe   ");
    KTEST_EXPECT_EQ(test, framebuffer.cursor, 12);
    expect_margins(test);
    text_screen_write(&screen, "\nx\ny\nz", 6); // all of the old text has gone
    expect_rows(test, param, "x    y    z    ");
    expect_margins(test);
}

KTEST(framebuffer, colours_are_those_of_the_vga)
{
    static const uint32_t expected[COLOUR_COUNT] = {
        0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
        0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
    };
    make_screen(test, &formats[0]);
    for (unsigned colour = 0; colour < COLOUR_COUNT; colour++) {
        screen.colour = text_colour(COLOUR_BLACK, (enum colour)colour);
        text_screen_write(&screen, "\r ", 2);
        KTEST_EXPECT_EQ(test, pixel_at(0, 2 * FONT_HEIGHT), expected[colour]);
    }
}

KTEST(framebuffer, cursor_leaves_what_it_was_on)
{
    make_screen(test, &formats[2]);
    text_screen_write(&screen, "abc\r", 4);
    expect_cell(test, &formats[2], 2, 0, 'a', true);
    expect_cell(test, &formats[2], 2, 3, ' ', false);
    text_screen_write(&screen, "\t", 1);
    expect_cell(test, &formats[2], 2, 0, 'a', false);
    expect_cell(test, &formats[2], 2, 4, ' ', true);
}

// Drawing is slow, so what is shown already is not drawn again.
KTEST(framebuffer, only_what_differs_is_drawn)
{
    make_screen(test, &formats[0]);
    text_screen_write(&screen, "ab\nac", 5);
    memset(pixels, NOISE, sizeof(pixels));
    text_screen_write(&screen, "\nxy\r", 4); // "a" and blanks are there already
    KTEST_EXPECT_EQ(test, pixel_at(0, FONT_HEIGHT), NOISE * 0x01010101U);
    expect_cell(test, &formats[0], 1, 1, 'c', false);
    KTEST_EXPECT_EQ(test, pixel_at(2 * FONT_WIDTH, FONT_HEIGHT), NOISE * 0x01010101U);
    expect_cell(test, &formats[0], 2, 0, 'x', true);
    expect_cell(test, &formats[0], 2, 1, 'y', false);
}

KTEST(framebuffer, nothing_is_drawn_outside_of_it)
{
    make_screen(test, &formats[0]);
    const struct text_device *device = &framebuffer.device;
    void *context = device->context;
    KTEST_EXPECT_PANIC(test, "assertion failed: first <= *", device->show(context, 14, cells, 2));
    KTEST_EXPECT_PANIC(test, "assertion failed: first <= *", device->show(context, 16, cells, 0));
    KTEST_EXPECT_PANIC(test, "assertion failed: row < *", device->place_cursor(context, 3, 0));
    KTEST_EXPECT_PANIC(test, "assertion failed: row < *", device->place_cursor(context, 0, 5));
}

static void expect_measure(struct ktest *test, struct boot_framebuffer info, enum error expected)
{
    size_t rows = 77;
    size_t columns = 77;
    enum error error = framebuffer_measure(&info, &rows, &columns);
    KTEST_EXPECT_EQ(test, error, expected);
    KTEST_EXPECT_EQ(test, rows, expected == OK ? info.height / 16 : 77);
    KTEST_EXPECT_EQ(test, columns, expected == OK ? info.width / 8 : 77);
}

KTEST(framebuffer, formats_are_checked)
{
    const struct boot_framebuffer good = info_of(&formats[0]);
    struct boot_framebuffer info = good;
    expect_measure(test, info, OK);
    const uint8_t depths[] = {0, 8, 14, 33, 64};
    for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
        info.bits_per_pixel = depths[i];
        expect_measure(test, info, ENOTSUP);
    }
    info.bits_per_pixel = 14; // with fields that fit
    info.red = info.green = info.blue = (struct boot_colour_field){0, 4};
    expect_measure(test, info, ENOTSUP);
    info.bits_per_pixel = 15;
    expect_measure(test, info, OK);
    const struct boot_colour_field fields[] = {{25, 8}, {0, 0}, {0, 9}, {255, 1}, {1, 255}};
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        info = good;
        info.red = fields[i];
        expect_measure(test, info, ENOTSUP);
        info = good;
        info.green = fields[i];
        expect_measure(test, info, ENOTSUP);
        info = good;
        info.blue = fields[i];
        expect_measure(test, info, ENOTSUP);
    }
}

KTEST(framebuffer, sizes_are_checked)
{
    const struct boot_framebuffer good = info_of(&formats[0]);
    struct boot_framebuffer info = good;
    info.pitch_bytes = WIDTH * 4;
    expect_measure(test, info, OK);
    info.pitch_bytes--;
    expect_measure(test, info, EINVAL);
    info = good;
    info.width = 7;
    expect_measure(test, info, EINVAL);
    info.width = 8;
    info.height = 15;
    expect_measure(test, info, EINVAL);
    info.height = 16;
    expect_measure(test, info, OK);
    info.height = 32769;
    expect_measure(test, info, EINVAL);
    info = good;
    info.width = 32769;
    info.pitch_bytes = 32769 * 4;
    expect_measure(test, info, EINVAL);
    info = good;
    info.width = 0x40000000; // times 4 is nothing in 32 bits
    expect_measure(test, info, EINVAL);
    KTEST_EXPECT_EQ(test, framebuffer_init(&framebuffer, &info, pixels, shown), EINVAL);
}

KTEST(framebuffer, font_has_what_a_screen_shows)
{
    for (unsigned code = 0; code < 256; code++) {
        unsigned ink = 0;
        for (unsigned line = 0; line < FONT_HEIGHT; line++) {
            ink |= font_glyphs[code][line];
        }
        bool is_visible = (code > 0x20 && code < 0x7f) || code == TEXT_UNPRINTABLE;
        KTEST_EXPECT_EQ(test, ink != 0, is_visible);
    }
}

// One of 17 bits takes three, one of 25 four: a line that is a byte too short is refused.
KTEST(framebuffer, pixel_takes_whole_bytes)
{
    static const uint8_t bits[] = {15, 16, 17, 24, 25, 32};
    static const uint8_t bytes[] = {2, 2, 3, 3, 4, 4};
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        struct boot_framebuffer info = info_of(&formats[4]);
        size_t rows = 0;
        size_t columns = 0;
        info.bits_per_pixel = bits[i];
        info.pitch_bytes = WIDTH * bytes[i];
        KTEST_EXPECT_EQ_MSG(test, framebuffer_measure(&info, &rows, &columns), OK, "%u bits",
                            bits[i]);
        info.pitch_bytes--;
        KTEST_EXPECT_EQ_MSG(test, framebuffer_measure(&info, &rows, &columns), EINVAL, "%u bits",
                            bits[i]);
    }
}
