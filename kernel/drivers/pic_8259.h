// SPDX-License-Identifier: MIT
//
// The pair of 8259 interrupt controllers, as far as they must be kept quiet: the firmware leaves
// them on the vectors of the CPU's exceptions. Source: Intel 8259A data sheet.
#pragma once

#include <stdint.h>

// Where their lines 0 to 15 arrive from now on.
#define PIC_FIRST_VECTOR 32

// Moves the lines behind the exceptions and masks all of them. Interrupts off; once.
void pic_init(void);

// A bit for each line, set if it is masked.
uint16_t pic_read_masks(void);
void pic_write_masks(uint16_t masks);
