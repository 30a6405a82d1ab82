// SPDX-License-Identifier: MIT
//
// GNU Unifont, as GRUB brings it along; made at build time by make_font.py, which names its
// licence.
#pragma once

#include <stdint.h>

#define FONT_WIDTH 8
#define FONT_HEIGHT 16

// A byte for each line from the top, the leftmost pixel in the highest bit. Empty for what no
// screen has: see struct text_cell.
extern const uint8_t font_glyphs[256][FONT_HEIGHT];
