// SPDX-License-Identifier: MIT
//
// The VGA's memory in text mode 3. Only this unit knows where it lies, and nobody gets a pointer to
// it: what is written goes through one volatile accessor that checks its bounds.
// (boot/entry.asm, which refuses a boot before there is any C, has to know it too.)
// Source: IBM VGA, text mode 3.
#pragma once

#include "lib/text_screen.h"

#define VGA_COLUMNS 80
#define VGA_ROWS 25

// For struct text_device. Cells are written four at a time, those beside them with it.
void vga_memory_show(void *context, size_t first, const struct text_cell *cells, size_t count);
