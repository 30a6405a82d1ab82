// SPDX-License-Identifier: MIT
//
// Characters as pixels: the device of a text screen on a linear framebuffer, in any format of 15
// to 32 bits a pixel. It remembers what it shows, and draws only what differs: pixels are never
// read. Pure but for the memory of the pixels, which the caller has mapped.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot_info.h"
#include "lib/error.h"
#include "lib/text_screen.h"

#define FRAMEBUFFER_BYTES_PER_PIXEL_MAX 4

// The same bytes for eight pixels.
struct eight_pixels {
    uint64_t words[FRAMEBUFFER_BYTES_PER_PIXEL_MAX];
};

struct framebuffer {
    struct text_device device; // for the text screen
    size_t row_count;
    size_t column_count;

    volatile uint8_t *pixels;
    size_t pitch_bytes;
    size_t bytes_per_pixel;
    struct eight_pixels colours[COLOUR_COUNT];
    struct eight_pixels masks[256]; // ones where a byte has them: a line of a glyph
    struct text_cell *shown;        // row_count * column_count
    size_t cursor;                  // the number of the cell that it is in
};

// Cells that fit the screen: what `cells` of framebuffer_init has to have room for. ENOTSUP for a
// format that it does not know, EINVAL for one that contradicts itself.
enum error framebuffer_measure(const struct boot_framebuffer *info, size_t *row_count_out,
                               size_t *column_count_out);

// Blackens the screen. `cells` are the framebuffer's own from then on. Errors as above.
enum error framebuffer_init(struct framebuffer *framebuffer, const struct boot_framebuffer *info,
                            volatile void *pixels, struct text_cell *cells);
