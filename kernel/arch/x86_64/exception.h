// SPDX-License-Identifier: MIT
//
// What the manual says of each exception, and an exception in words. Pure.
// Sources: Intel SDM vol. 3, table 6-1 and 6.13 (error codes), 4.7 (page faults); AMD APM vol. 2,
// 8.2 for vectors 28 to 30.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"

#define PF_PROTECTION BIT(0)
#define PF_WRITE BIT(1)
#define PF_USER BIT(2)
#define PF_RESERVED_BIT BIT(3)
#define PF_FETCH BIT(4)
#define PF_PROTECTION_KEY BIT(5)
#define PF_SHADOW_STACK BIT(6)
#define PF_SGX BIT(15)
#define PF_REVERSE_MAP BIT(31) // AMD64 manual vol. 2, 8.4.2

// "page fault"; "reserved exception" for 15, 22 and the like, "interrupt" from 32 on.
const char *exception_name(uint8_t vector);

// "#PF"; "" where the manual has none.
const char *exception_mnemonic(uint8_t vector);

bool exception_has_error_code(uint8_t vector);

// The exception in words: "page fault #PF: write to 0x1000, which is not mapped", the table and
// index that a selector error code names, ... `cr2` counts for page and double faults only.
// Always terminates; what does not fit is cut off.
void exception_describe(char *text_out, size_t size_bytes, uint8_t vector, uint64_t error,
                        uint64_t cr2);
