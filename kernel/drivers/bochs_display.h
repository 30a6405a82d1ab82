// SPDX-License-Identifier: MIT
//
// For tests: graphics modes of the display adapter that QEMU's `-vga std` is, as a loader would
// have set them. Source: QEMU, docs/specs/standard-vga.rst.
#pragma once

#include <stdint.h>

#include "boot/boot_info.h"
#include "lib/error.h"

// Sets a mode of 15, 16, 24 or 32 bits a pixel and says what a loader would say of it. What was in
// the VGA's memory is lost: there is no way back to text. ENODEV without such an adapter.
enum error bochs_display_set_mode(uint16_t width, uint16_t height, uint16_t bits_per_pixel,
                                  struct boot_framebuffer *framebuffer_out);
