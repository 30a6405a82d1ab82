// SPDX-License-Identifier: MIT
//
// Numbers and messages as text.
#pragma once

#include <stdarg.h>

#include "ktest.h"

// In decimal (at most 20 digits) and hexadecimal (16, without 0x), terminated; returns the length.
size_t ktest_write_decimal(char *digits_out, uint64_t value);
size_t ktest_write_hex(char *digits_out, uint64_t value);

// printf for messages: %s %d %i %u %x %c %p %% with the lengths h, l, ll, z, without width or
// flags. Anything else is copied as it stands. Always terminates.
void ktest_vformat(char *buffer, size_t size_bytes, const char *format, va_list arguments);
void ktest_format(char *buffer, size_t size_bytes, const char *format, ...) KTEST_PRINTF(3, 4);
