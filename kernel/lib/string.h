// SPDX-License-Identifier: MIT
//
// The memory and string functions of the C library, as far as the kernel needs them. Compilers
// emit calls to the first four on their own (clang also to bcmp), so these are global symbols with
// exactly these names. Callable in any context, before any initialisation.
#pragma once

#include <stddef.h>

// The areas may not overlap.
void *memcpy(void *restrict destination, const void *restrict source, size_t size_bytes);
// They may.
void *memmove(void *destination, const void *source, size_t size_bytes);
// Every byte becomes the low byte of `value`.
void *memset(void *destination, int value, size_t size_bytes);
// Bytes are compared as unsigned; negative, 0 or positive.
int memcmp(const void *left, const void *right, size_t size_bytes);
// 0 if equal.
int bcmp(const void *left, const void *right, size_t size_bytes);

size_t strlen(const char *string);
// At most `limit`, and never reads more than that.
size_t strnlen(const char *string, size_t limit);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t limit);
