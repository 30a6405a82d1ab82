// SPDX-License-Identifier: MIT
//
// The memory functions against an oracle for every byte: an area starts as a known pattern, so each
// byte afterwards has to be the one that stood at its source, or its own where nothing was to be
// written. Whole areas are compared, so that a write on either side shows.
//
// Covered are sizes 0..257, of which 0..32 and those above take different ways through the code,
// and some around and above 512, which take another. All 256 pairs of alignments are tried with
// every size up to 34; above, all 16 destinations with a source that moves on with the size, which
// meets every pair 13 times or more. Comparing words, and only as much of the area as a size needs,
// keeps the suite near 15 million instructions.
#include "lib/string.h"

#include "ktest.h"

#include "lib/bits.h"

#define SIZE_MAX_TRIED 257
#define ALIGNMENTS 16
#define MARGIN 32 // on both sides of what is written
#define LARGE_MAX 4103
#define AREA_SIZE ALIGN_UP(2 * MARGIN + ALIGNMENTS + LARGE_MAX + ALIGNMENTS, 8)

// No two words of it are equal, and the top bit of half of its bytes is set.
static unsigned char pattern[2 * AREA_SIZE] __attribute__((aligned(16)));
static unsigned char area[AREA_SIZE] __attribute__((aligned(16)));
static size_t area_size; // the part of it in use

static const size_t large_sizes[] = {511, 512, 513, 519, 520, 1000, LARGE_MAX};

// The compiler knows nothing about the functions that these point to.
static void *(*volatile copy)(void *restrict, const void *restrict, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile set)(void *, int, size_t) = memset;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

struct [[gnu::packed, gnu::may_alias]] word
{
    uint64_t value;
};

static bool is_same(const unsigned char *left, const unsigned char *right, size_t size_bytes)
{
    uint64_t difference = 0;

    for (; size_bytes >= 8; size_bytes -= 8, left += 8, right += 8) {
        difference |= ((const struct word *)left)->value ^ ((const struct word *)right)->value;
    }
    for (; size_bytes != 0; size_bytes--, left++, right++) {
        difference |= *left ^ *right;
    }
    return difference == 0;
}

// With room for `size_bytes` at any alignment.
static void fill_area(size_t size_bytes)
{
    struct word *words = (struct word *)area;

    area_size = align_up(2 * MARGIN + ALIGNMENTS + size_bytes, 8);
    for (size_t i = 0; i < area_size / 8; i++) {
        words[i].value = ((const struct word *)pattern)[i].value;
    }
}

static void make_pattern(struct ktest *test)
{
    struct word *words = (struct word *)pattern;
    uint64_t state = 1;

    (void)test;
    for (size_t i = 0; i < sizeof(pattern) / 8; i++) {
        state = state * 6364136223846793005 + 1442695040888963407;
        words[i].value = state ^ (state >> 32);
    }
    fill_area(SIZE_MAX_TRIED);
}
KTEST_SUITE(string, .init = make_pattern);

// Whether the area is the pattern, apart from `size_bytes` at `start`, which are those at `source`.
static bool is_pattern_but_for(size_t start, size_t size_bytes, const unsigned char *source)
{
    size_t end = start + size_bytes;

    return is_same(area, pattern, start) && is_same(area + start, source, size_bytes) &&
           is_same(area + end, pattern + end, area_size - end);
}

static void check_copy(struct ktest *test, size_t size_bytes, size_t to, size_t from)
{
    const unsigned char *source = pattern + AREA_SIZE + from;
    unsigned char *destination = area + MARGIN + to;

    fill_area(size_bytes);
    KTEST_ASSERT_TRUE_MSG(test,
                          copy(destination, source, size_bytes) == destination &&
                              is_pattern_but_for(MARGIN + to, size_bytes, source),
                          "%zu bytes from alignment %zu to %zu", size_bytes, from, to);
}

KTEST(string, memcpy_copies_between_all_alignments)
{
    for (size_t size_bytes = 0; size_bytes <= 34; size_bytes++) {
        for (size_t pair = 0; pair < ALIGNMENTS * ALIGNMENTS; pair++) {
            check_copy(test, size_bytes, pair % ALIGNMENTS, pair / ALIGNMENTS);
        }
    }
}
KTEST_ATTR(string, memcpy_copies_between_all_alignments, .proves = "2.2.1");

KTEST(string, memcpy_copies_all_sizes)
{
    for (size_t size_bytes = 0; size_bytes <= SIZE_MAX_TRIED; size_bytes++) {
        for (size_t to = 0; to < ALIGNMENTS; to++) {
            check_copy(test, size_bytes, to, (to + size_bytes) % ALIGNMENTS);
        }
    }
}
KTEST_ATTR(string, memcpy_copies_all_sizes, .proves = "2.2.1");

static void check_move(struct ktest *test, size_t size_bytes, size_t to, size_t from)
{
    fill_area(size_bytes + (to < from ? from - to : to - from));
    KTEST_ASSERT_TRUE_MSG(test,
                          move(area + to, area + from, size_bytes) == area + to &&
                              is_pattern_but_for(to, size_bytes, pattern + from),
                          "%zu bytes from %zu to %zu", size_bytes, from, to);
}

// By every distance up to a word's and more; and by one that moves on with the size, up to beyond
// the block of words that is held in registers.
KTEST(string, memmove_moves_up_over_itself)
{
    for (size_t size_bytes = 0; size_bytes <= SIZE_MAX_TRIED; size_bytes++) {
        for (size_t distance = 0; distance < ALIGNMENTS; distance++) {
            size_t from = MARGIN + (size_bytes + 3 * distance) % ALIGNMENTS;

            check_move(test, size_bytes, from + distance, from);
        }
        check_move(test, size_bytes, MARGIN + 16 + size_bytes % 31, MARGIN);
    }
}
KTEST_ATTR(string, memmove_moves_up_over_itself, .proves = "2.2.1");

KTEST(string, memmove_moves_down_over_itself)
{
    for (size_t size_bytes = 0; size_bytes <= SIZE_MAX_TRIED; size_bytes++) {
        for (size_t distance = 1; distance <= ALIGNMENTS; distance++) {
            size_t from = MARGIN + (size_bytes + 3 * distance) % ALIGNMENTS;

            check_move(test, size_bytes, from - distance, from);
        }
        check_move(test, size_bytes, MARGIN, MARGIN + 16 + size_bytes % 31);
    }
}
KTEST_ATTR(string, memmove_moves_down_over_itself, .proves = "2.2.1");

// Around the distance from which on the areas no longer overlap.
KTEST(string, memmove_moves_past_itself)
{
    for (size_t size_bytes = 1; size_bytes <= 128; size_bytes++) {
        for (size_t distance = size_bytes - 1; distance <= size_bytes + 1; distance++) {
            check_move(test, size_bytes, MARGIN + distance, MARGIN);
            check_move(test, size_bytes, MARGIN, MARGIN + distance);
        }
    }
}
KTEST_ATTR(string, memmove_moves_past_itself, .proves = "2.2.1");

KTEST(string, memcpy_and_memmove_take_large_areas)
{
    for (size_t i = 0; i < ARRAY_SIZE(large_sizes); i++) {
        for (size_t to = 0; to < ALIGNMENTS; to++) {
            check_copy(test, large_sizes[i], to, (3 * to + i) % ALIGNMENTS);
            check_move(test, large_sizes[i], MARGIN + to, MARGIN);
            check_move(test, large_sizes[i], MARGIN, MARGIN + to);
        }
    }
}
KTEST_ATTR(string, memcpy_and_memmove_take_large_areas, .proves = "2.2.1");

static unsigned char filled[LARGE_MAX];

static void check_set(struct ktest *test, size_t size_bytes, size_t to)
{
    fill_area(size_bytes);
    KTEST_ASSERT_TRUE_MSG(test,
                          set(area + to, 0xa5, size_bytes) == area + to &&
                              is_pattern_but_for(to, size_bytes, filled),
                          "%zu bytes at %zu", size_bytes, to);
}

KTEST(string, memset_fills_all_sizes_at_all_alignments)
{
    for (size_t i = 0; i < sizeof(filled); i++) {
        filled[i] = 0xa5;
    }
    for (size_t to = MARGIN; to < MARGIN + ALIGNMENTS; to++) {
        for (size_t size_bytes = 0; size_bytes <= SIZE_MAX_TRIED; size_bytes++) {
            check_set(test, size_bytes, to);
        }
        for (size_t i = 0; i < ARRAY_SIZE(large_sizes); i++) {
            check_set(test, large_sizes[i], to);
        }
    }
}
KTEST_ATTR(string, memset_fills_all_sizes_at_all_alignments, .proves = "2.2.1");

KTEST(string, memset_takes_the_low_byte)
{
    for (size_t size_bytes = 1; size_bytes <= 64; size_bytes++) {
        set(area, 0x0, size_bytes);
        set(area, 0x1234'567f, size_bytes);
        KTEST_ASSERT_EQ(test, area[0], 0x7f);
        KTEST_ASSERT_EQ(test, area[size_bytes - 1], 0x7f);
        set(area, -1, size_bytes);
        KTEST_ASSERT_EQ(test, area[size_bytes / 2], 0xff);
    }
}
KTEST_ATTR(string, memset_takes_the_low_byte, .proves = "2.2.1");

KTEST(string, memcmp_finds_equal_areas_equal)
{
    for (size_t size_bytes = 0; size_bytes <= SIZE_MAX_TRIED; size_bytes++) {
        for (size_t left = 0; left < ALIGNMENTS; left++) {
            // Both neighbours of the right area differ from those of the left one.
            size_t right = MARGIN + (left + size_bytes) % ALIGNMENTS;

            copy(area + right, pattern + left + 1, size_bytes);
            area[right - 1] = (unsigned char)~pattern[left];
            area[right + size_bytes] = (unsigned char)~pattern[left + 1 + size_bytes];
            KTEST_ASSERT_EQ(test, compare(pattern + left + 1, area + right, size_bytes), 0);
            KTEST_ASSERT_EQ(test, bcmp(pattern + left + 1, area + right, size_bytes), 0);
        }
    }
}
KTEST_ATTR(string, memcmp_finds_equal_areas_equal, .proves = "2.2.1");

// The sign follows the first difference, as unsigned bytes, whatever comes behind it.
KTEST(string, memcmp_orders_by_the_first_difference)
{
    for (size_t size_bytes = 1; size_bytes <= 40; size_bytes++) {
        for (size_t i = 0; i < size_bytes; i++) {
            unsigned char *byte = area + MARGIN + i % 8 + i;
            const unsigned char *start = byte - i;
            unsigned char other[40];

            copy(other, start, size_bytes);
            other[i] = 0x7f;
            other[size_bytes - 1] = i == size_bytes - 1 ? 0x7f : 0xff;
            *byte = 0x80;
            KTEST_ASSERT_GT(test, compare(start, other, size_bytes), 0);
            KTEST_ASSERT_LT(test, compare(other, start, size_bytes), 0);
            KTEST_ASSERT_NE(test, bcmp(other, start, size_bytes), 0);
        }
    }
}
KTEST_ATTR(string, memcmp_orders_by_the_first_difference, .proves = "2.2.1");

KTEST(string, strlen_stops_at_the_terminator)
{
    KTEST_EXPECT_EQ(test, strlen(""), 0);
    KTEST_EXPECT_EQ(test, strlen("port\0 0x3f8"), 4);
}

KTEST(string, strnlen_stops_at_the_limit)
{
    const char letters[3] = {'a', 'b', 'c'};

    KTEST_EXPECT_EQ(test, strnlen("abc", 2), 2);
    KTEST_EXPECT_EQ(test, strnlen("abc", 9), 3);
    KTEST_EXPECT_EQ(test, strnlen("", 9), 0);
    KTEST_EXPECT_EQ(test, strnlen(letters, sizeof(letters)), 3);
    KTEST_EXPECT_EQ(test, strnlen(NULL, 0), 0);
}

KTEST(string, strcmp_orders_as_unsigned_bytes)
{
    KTEST_EXPECT_EQ(test, strcmp("abc", "abc"), 0);
    KTEST_EXPECT_EQ(test, strcmp("", ""), 0);
    KTEST_EXPECT_LT(test, strcmp("abc", "abd"), 0);
    KTEST_EXPECT_GT(test, strcmp("abcd", "abc"), 0);
    KTEST_EXPECT_LT(test, strcmp("abc", "abcd"), 0);
    KTEST_EXPECT_GT(test, strcmp("\x80", "\x7f"), 0);
    KTEST_EXPECT_EQ(test, strcmp("ab\0c", "ab\0d"), 0);
}

KTEST(string, strncmp_stops_at_the_limit)
{
    KTEST_EXPECT_EQ(test, strncmp("ktest.filter", "ktest.have", 6), 0);
    KTEST_EXPECT_LT(test, strncmp("ktest.filter", "ktest.have", 7), 0);
    KTEST_EXPECT_EQ(test, strncmp("abc", "xyz", 0), 0);
    KTEST_EXPECT_EQ(test, strncmp("ab\0c", "ab\0d", 4), 0);
    KTEST_EXPECT_GT(test, strncmp("abc", "ab", 3), 0);
}
