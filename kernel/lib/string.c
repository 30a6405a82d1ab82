// SPDX-License-Identifier: MIT
//
// Memory and string functions without SSE.
//
// Up to 32 bytes: a head that starts at the first byte and a tail that ends at the last one, which
// may overlap, all loaded before any is stored; so the same code serves memcpy and memmove. Up to
// 512: blocks of four words, then the rest. Beyond: `rep movsq` and `rep stosq`, which take some 30
// cycles to start on hardware, but then are four times as fast by the page; emulated by QEMU 7.2
// they take 0.4 of the loop's instructions, 1.4 times its time. (`rep movsb`: ten times.)
//
// These functions may not be compiled into calls of themselves. Compilers recognise the loops of a
// hand-written memset or strlen, so this file needs -fno-builtin, and from gcc also
// -fno-tree-loop-distribute-patterns; nothing here copies a structure. Never `std`: an interrupt
// handler would inherit the direction flag if its entry forgot to clear it.
#include "lib/string.h"

#include <stdint.h>

#include "lib/kasan.h"
#include "lib/kcsan.h"

#define REP_MIN 512

// Words at any address, of memory of any type.
struct [[gnu::packed, gnu::may_alias]] word16
{
    uint16_t value;
};
struct [[gnu::packed, gnu::may_alias]] word32
{
    uint32_t value;
};
struct [[gnu::packed, gnu::may_alias]] word64
{
    uint64_t value;
};

static uint64_t load64(const unsigned char *address)
{
    return ((const struct word64 *)address)->value;
}

static void store64(unsigned char *address, uint64_t value)
{
    ((struct word64 *)address)->value = value;
}

static uint32_t load32(const unsigned char *address)
{
    return ((const struct word32 *)address)->value;
}

static void store32(unsigned char *address, uint32_t value)
{
    ((struct word32 *)address)->value = value;
}

static uint16_t load16(const unsigned char *address)
{
    return ((const struct word16 *)address)->value;
}

static void store16(unsigned char *address, uint16_t value)
{
    ((struct word16 *)address)->value = value;
}

// Up to 32 bytes, whichever way the areas overlap.
static void move_small(unsigned char *destination, const unsigned char *source, size_t size_bytes)
{
    if (size_bytes > 16) {
        uint64_t first = load64(source);
        uint64_t second = load64(source + 8);
        uint64_t last_but_one = load64(source + size_bytes - 16);
        uint64_t last = load64(source + size_bytes - 8);
        store64(destination, first);
        store64(destination + 8, second);
        store64(destination + size_bytes - 16, last_but_one);
        store64(destination + size_bytes - 8, last);
    } else if (size_bytes >= 8) {
        uint64_t first = load64(source);
        uint64_t last = load64(source + size_bytes - 8);
        store64(destination, first);
        store64(destination + size_bytes - 8, last);
    } else if (size_bytes >= 4) {
        uint32_t first = load32(source);
        uint32_t last = load32(source + size_bytes - 4);
        store32(destination, first);
        store32(destination + size_bytes - 4, last);
    } else if (size_bytes >= 2) {
        uint16_t first = load16(source);
        uint16_t last = load16(source + size_bytes - 2);
        store16(destination, first);
        store16(destination + size_bytes - 2, last);
    } else if (size_bytes == 1) {
        *destination = *source;
    }
}

// Loads all four words before it stores the first.
static void move_block(unsigned char *destination, const unsigned char *source)
{
    uint64_t first = load64(source);
    uint64_t second = load64(source + 8);
    uint64_t third = load64(source + 16);
    uint64_t fourth = load64(source + 24);

    store64(destination, first);
    store64(destination + 8, second);
    store64(destination + 16, third);
    store64(destination + 24, fourth);
}

// For areas that do not overlap, or with the destination below the source.
static void move_up(unsigned char *destination, const unsigned char *source, size_t size_bytes)
{
    if (size_bytes >= REP_MIN) {
        size_t word_count = size_bytes / 8;

        kasan_check(source, word_count * 8, KASAN_READ);
        kasan_check(destination, word_count * 8, KASAN_WRITE);
        kcsan_check(source, word_count * 8, false);
        kcsan_check(destination, word_count * 8, true);
        __asm__ volatile("rep movsq"
                         : "+D"(destination), "+S"(source), "+c"(word_count)
                         :
                         : "memory");
        size_bytes %= 8;
    }
    for (; size_bytes > 32; size_bytes -= 32) {
        move_block(destination, source);
        destination += 32;
        source += 32;
    }
    move_small(destination, source, size_bytes);
}

// For areas that overlap, with the destination above the source: from the end.
static void move_down(unsigned char *destination, const unsigned char *source, size_t size_bytes)
{
    for (; size_bytes > 32; size_bytes -= 32) {
        move_block(destination + size_bytes - 32, source + size_bytes - 32);
    }
    move_small(destination, source, size_bytes);
}

void *memcpy(void *restrict destination, const void *restrict source, size_t size_bytes)
{
    move_up(destination, source, size_bytes);
    return destination;
}

void *memmove(void *destination, const void *source, size_t size_bytes)
{
    // Wraps to a large number if the destination is below the source.
    if ((uintptr_t)destination - (uintptr_t)source >= size_bytes) {
        move_up(destination, source, size_bytes);
    } else {
        move_down(destination, source, size_bytes);
    }
    return destination;
}

static void set_small(unsigned char *destination, uint64_t pattern, size_t size_bytes)
{
    if (size_bytes > 16) {
        store64(destination, pattern);
        store64(destination + 8, pattern);
        store64(destination + size_bytes - 16, pattern);
        store64(destination + size_bytes - 8, pattern);
    } else if (size_bytes >= 8) {
        store64(destination, pattern);
        store64(destination + size_bytes - 8, pattern);
    } else if (size_bytes >= 4) {
        store32(destination, (uint32_t)pattern);
        store32(destination + size_bytes - 4, (uint32_t)pattern);
    } else if (size_bytes >= 2) {
        store16(destination, (uint16_t)pattern);
        store16(destination + size_bytes - 2, (uint16_t)pattern);
    } else if (size_bytes == 1) {
        *destination = (unsigned char)pattern;
    }
}

void *memset(void *destination, int value, size_t size_bytes)
{
    unsigned char *next = destination;
    uint64_t pattern = (uint64_t)(unsigned char)value * 0x0101010101010101;

    if (size_bytes >= REP_MIN) {
        size_t word_count = size_bytes / 8;

        kasan_check(next, word_count * 8, KASAN_WRITE);
        kcsan_check(next, word_count * 8, true);
        __asm__ volatile("rep stosq" : "+D"(next), "+c"(word_count) : "a"(pattern) : "memory");
        size_bytes %= 8;
    }
    for (; size_bytes > 32; size_bytes -= 32, next += 32) {
        store64(next, pattern);
        store64(next + 8, pattern);
        store64(next + 16, pattern);
        store64(next + 24, pattern);
    }
    set_small(next, pattern, size_bytes);
    return destination;
}

int memcmp(const void *left, const void *right, size_t size_bytes)
{
    const unsigned char *left_bytes = left;
    const unsigned char *right_bytes = right;

    for (; size_bytes >= 8; size_bytes -= 8, left_bytes += 8, right_bytes += 8) {
        // The first byte in memory decides: make it the most significant one.
        uint64_t left_word = __builtin_bswap64(load64(left_bytes));
        uint64_t right_word = __builtin_bswap64(load64(right_bytes));

        if (left_word != right_word) {
            return left_word < right_word ? -1 : 1;
        }
    }
    for (; size_bytes != 0; size_bytes--, left_bytes++, right_bytes++) {
        if (*left_bytes != *right_bytes) {
            return *left_bytes - *right_bytes;
        }
    }
    return 0;
}

int bcmp(const void *left, const void *right, size_t size_bytes)
{
    return memcmp(left, right, size_bytes);
}

size_t strlen(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0') {
        length++;
    }
    return length;
}

size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length] != '\0') {
        length++;
    }
    return length;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        if (left[i] != right[i]) {
            return (unsigned char)left[i] - (unsigned char)right[i];
        }
        if (left[i] == '\0') {
            return 0;
        }
    }
    return 0;
}
