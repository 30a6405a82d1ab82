// SPDX-License-Identifier: MIT
//
// Eight pixels, a line of a glyph, are as many words of 64 bits as a pixel has bytes. So drawing is
// the same for all formats: words of background, in which those bits are turned over that the glyph
// has and in which the foreground differs. The tables for this are made once.
#include "drivers/framebuffer.h"

#include "drivers/font.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/string.h"

// The lines of a cell that the cursor fills.
#define CURSOR_FIRST_LINE 14

// A screen has no more: its size stays far from where products overflow.
#define SIZE_MAX_PIXELS 32768

// The VGA's, in the order of enum colour.
static const struct rgb {
    uint8_t red, green, blue;
} palette[COLOUR_COUNT] = {
    {0x00, 0x00, 0x00}, {0x00, 0x00, 0xaa}, {0x00, 0xaa, 0x00}, {0x00, 0xaa, 0xaa},
    {0xaa, 0x00, 0x00}, {0xaa, 0x00, 0xaa}, {0xaa, 0x55, 0x00}, {0xaa, 0xaa, 0xaa},
    {0x55, 0x55, 0x55}, {0x55, 0x55, 0xff}, {0x55, 0xff, 0x55}, {0x55, 0xff, 0xff},
    {0xff, 0x55, 0x55}, {0xff, 0x55, 0xff}, {0xff, 0xff, 0x55}, {0xff, 0xff, 0xff},
};

// At any address: the pitch need not be a multiple of 8. Pixels, or four cells.
struct [[gnu::packed, gnu::may_alias]] word
{
    uint64_t value;
};

static size_t bytes_per_pixel(const struct boot_framebuffer *info)
{
    return (info->bits_per_pixel + 7u) / 8;
}

// --- Formats ------------------------------------------------------------------------------------

static bool is_field_known(struct boot_colour_field field, unsigned bits_per_pixel)
{
    return field.bit_count >= 1 && field.bit_count <= 8 &&
           field.position + field.bit_count <= bits_per_pixel;
}

enum error framebuffer_measure(const struct boot_framebuffer *info, size_t *row_count_out,
                               size_t *column_count_out)
{
    unsigned bits = info->bits_per_pixel;
    if (bits < 15 || bits > 32 || !is_field_known(info->red, bits) ||
        !is_field_known(info->green, bits) || !is_field_known(info->blue, bits)) {
        return ENOTSUP;
    }
    if (info->width < FONT_WIDTH || info->width > SIZE_MAX_PIXELS || info->height < FONT_HEIGHT ||
        info->height > SIZE_MAX_PIXELS || info->pitch_bytes < info->width * bytes_per_pixel(info)) {
        return EINVAL;
    }
    *row_count_out = info->height / FONT_HEIGHT;
    *column_count_out = info->width / FONT_WIDTH;
    return OK;
}

static uint32_t field_of(struct boot_colour_field field, uint8_t value)
{
    return (uint32_t)(value >> (8 - field.bit_count)) << field.position;
}

static uint32_t pixel_of(const struct boot_framebuffer *info, struct rgb colour)
{
    return field_of(info->red, colour.red) | field_of(info->green, colour.green) |
           field_of(info->blue, colour.blue);
}

static void set_pixel(struct eight_pixels *pixels, size_t index, uint32_t value, size_t size_bytes)
{
    uint8_t *bytes = (uint8_t *)pixels->words + index * size_bytes;
    memcpy(bytes, &value, size_bytes);
}

static void make_tables(struct framebuffer *framebuffer, const struct boot_framebuffer *info)
{
    size_t size_bytes = framebuffer->bytes_per_pixel;
    for (size_t pixel = 0; pixel < FONT_WIDTH; pixel++) {
        for (size_t colour = 0; colour < COLOUR_COUNT; colour++) {
            set_pixel(&framebuffer->colours[colour], pixel, pixel_of(info, palette[colour]),
                      size_bytes);
        }
        for (size_t bits = 0; bits < ARRAY_SIZE(framebuffer->masks); bits++) {
            bool is_set = (bits & (0x80u >> pixel)) != 0;
            set_pixel(&framebuffer->masks[bits], pixel, is_set ? UINT32_MAX : 0, size_bytes);
        }
    }
}

// --- Drawing ------------------------------------------------------------------------------------

struct colours {
    struct eight_pixels background;
    struct eight_pixels turned; // the bits in which the foreground differs
};

static inline void draw_word(volatile uint8_t *at, size_t i, const struct colours *colours,
                             const struct eight_pixels *mask)
{
    ((volatile struct word *)at)[i].value = colours->background.words[i] ^
                                            (colours->turned.words[i] & mask->words[i]);
}

// As many words as a pixel has bytes, and no loop: this is where the time goes.
static inline void draw_line(volatile uint8_t *at, size_t word_count, const struct colours *colours,
                             const struct eight_pixels *mask)
{
    switch (word_count) {
    case 4:
        draw_word(at, 3, colours, mask);
        [[fallthrough]];
    case 3:
        draw_word(at, 2, colours, mask);
        [[fallthrough]];
    default:
        draw_word(at, 1, colours, mask);
        draw_word(at, 0, colours, mask);
    }
}

static struct colours colours_of(const struct framebuffer *framebuffer, struct text_colour colour)
{
    struct colours colours = {
        .background = framebuffer->colours[text_background(colour)],
        .turned = framebuffer->colours[text_foreground(colour)],
    };
    for (size_t i = 0; i < FRAMEBUFFER_BYTES_PER_PIXEL_MAX; i++) {
        colours.turned.words[i] ^= colours.background.words[i];
    }
    return colours;
}

// The cell in its colours, with these lines for a glyph.
static void draw_lines(const struct framebuffer *framebuffer, size_t number, const uint8_t *lines)
{
    size_t row = number / framebuffer->column_count;
    size_t column = number % framebuffer->column_count;
    size_t word_count = framebuffer->bytes_per_pixel;
    struct colours colours = colours_of(framebuffer, framebuffer->shown[number].colour);
    volatile uint8_t *at = framebuffer->pixels + row * FONT_HEIGHT * framebuffer->pitch_bytes +
                           column * FONT_WIDTH * word_count;
    for (size_t line = 0; line < FONT_HEIGHT; line++) {
        draw_line(at, word_count, &colours, &framebuffer->masks[lines[line]]);
        at += framebuffer->pitch_bytes;
    }
}

// The cell as it is in `shown`, with the cursor if that is there.
static void draw(const struct framebuffer *framebuffer, size_t number)
{
    const uint8_t *glyph = font_glyphs[framebuffer->shown[number].character];
    if (number != framebuffer->cursor) {
        draw_lines(framebuffer, number, glyph);
        return;
    }
    uint8_t lines[FONT_HEIGHT];
    memcpy(lines, glyph, CURSOR_FIRST_LINE);
    memset(lines + CURSOR_FIRST_LINE, 0xff, FONT_HEIGHT - CURSOR_FIRST_LINE);
    draw_lines(framebuffer, number, lines);
}

static void show_cell(const struct framebuffer *framebuffer, size_t number, struct text_cell cell)
{
    struct text_cell *shown = &framebuffer->shown[number];
    if (shown->character != cell.character || shown->colour.code != cell.colour.code) {
        *shown = cell;
        draw(framebuffer, number);
    }
}

// Mostly nothing has changed, so four are looked at at once.
static void show(void *context, size_t first, const struct text_cell *cells, size_t count)
{
    const struct framebuffer *framebuffer = context;
    size_t cell_count = framebuffer->row_count * framebuffer->column_count;
    assert(first <= cell_count && count <= cell_count - first);
    const struct text_cell *shown = framebuffer->shown + first;
    size_t i = 0;
    while (i < count) {
        bool is_same = count - i >= 4 && ((const struct word *)&shown[i])->value ==
                                             ((const struct word *)&cells[i])->value;
        if (!is_same) {
            show_cell(framebuffer, first + i, cells[i]);
        }
        i += is_same ? 4 : 1;
    }
}

static void place_cursor(void *context, size_t row, size_t column)
{
    struct framebuffer *framebuffer = context;
    assert(row < framebuffer->row_count && column < framebuffer->column_count);
    size_t before = framebuffer->cursor;
    framebuffer->cursor = row * framebuffer->column_count + column;
    if (framebuffer->cursor != before) {
        draw(framebuffer, before);
        draw(framebuffer, framebuffer->cursor);
    }
}

// What is right of the last column and below the last row stays black.
static void blacken(struct framebuffer *framebuffer, const struct boot_framebuffer *info)
{
    size_t row_bytes = info->width * framebuffer->bytes_per_pixel;
    for (size_t row = 0; row < info->height; row++) {
        volatile uint8_t *at = framebuffer->pixels + row * framebuffer->pitch_bytes;
        size_t left = row_bytes;
        for (; left >= sizeof(struct word); left -= sizeof(struct word)) {
            ((volatile struct word *)at)->value = 0;
            at += sizeof(struct word);
        }
        for (; left > 0; left--) {
            *at++ = 0;
        }
    }
}

enum error framebuffer_init(struct framebuffer *framebuffer, const struct boot_framebuffer *info,
                            volatile void *pixels, struct text_cell *cells)
{
    size_t row_count = 0;
    size_t column_count = 0;
    enum error error = framebuffer_measure(info, &row_count, &column_count);
    if (error != OK) {
        return error;
    }
    *framebuffer = (struct framebuffer){
        .device = {.show = show, .place_cursor = place_cursor, .context = framebuffer},
        .row_count = row_count,
        .column_count = column_count,
        .pixels = pixels,
        .pitch_bytes = info->pitch_bytes,
        .bytes_per_pixel = bytes_per_pixel(info),
        .shown = cells,
    };
    memset(cells, 0, row_count * column_count * sizeof(struct text_cell)); // black, all of it
    make_tables(framebuffer, info);
    blacken(framebuffer, info);
    return OK;
}
