// SPDX-License-Identifier: MIT
//
// The pair of 8259 interrupt controllers. The firmware leaves them on the vectors of the CPU's
// exceptions. Source: Intel 8259A data sheet.
#pragma once

#include <stdint.h>

#include "irq/irq.h"

// Moves the lines to IRQ_FIRST_VECTOR, behind the exceptions, and masks all of them. Interrupts
// off; once.
void pic_init(void);

// The 16 lines of ISA.
extern const struct irq_chip pic_chip;

// A bit for each line, set if it is masked.
uint16_t pic_read_masks(void);
void pic_write_masks(uint16_t masks);
