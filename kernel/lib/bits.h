// SPDX-License-Identifier: MIT
//
// Bits, fields and alignment in 64-bit words.
//
// The macros are constant expressions when their arguments are: they may stand in static asserts,
// array sizes and enums. Masks and alignments are evaluated more than once, so give them no side
// effects; for values known at run time only, take the functions in lower case.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Bit `n` (0..63), and the bits `high` down to `low`, both included.
#define BIT(n_) ((uint64_t)1 << (n_))
#define GENMASK(high_, low_) ((~(uint64_t)0 << (low_)) & (~(uint64_t)0 >> (63 - (high_))))

// A field is named by its mask, which is not 0 and has no gaps.
// FIELD_GET(GENMASK(20, 12), address) extracts; FIELD_PREP puts a value in place, ready to be
// or-ed. What does not fit into the field is cut off.
#define FIELD_GET(mask_, word_) (((uint64_t)(word_) & (mask_)) >> __builtin_ctzll(mask_))
#define FIELD_PREP(mask_, value_) (((uint64_t)(value_) << __builtin_ctzll(mask_)) & (mask_))

#define IS_POWER_OF_TWO(value_)                                                                    \
    ((uint64_t)(value_) != 0 && ((uint64_t)(value_) & ((uint64_t)(value_)-1)) == 0)

// Alignments are powers of two. Rounding up beyond the largest 64-bit number wraps to 0.
#define ALIGN_DOWN(value_, alignment_) ((uint64_t)(value_) & ~((uint64_t)(alignment_)-1))
#define ALIGN_UP(value_, alignment_)                                                               \
    ALIGN_DOWN((uint64_t)(value_) + ((uint64_t)(alignment_)-1), alignment_)
#define IS_ALIGNED(value_, alignment_) (((uint64_t)(value_) & ((uint64_t)(alignment_)-1)) == 0)

static inline bool is_power_of_two(uint64_t value)
{
    return IS_POWER_OF_TWO(value);
}

static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
    return ALIGN_DOWN(value, alignment);
}

static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return ALIGN_UP(value, alignment);
}

static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
    return IS_ALIGNED(value, alignment);
}

// Elements of an array; a pointer in its place does not compile.
#define ARRAY_SIZE(array_) (sizeof(array_) / sizeof((array_)[0]) + 0 * MUST_BE_ARRAY_(array_))
#define MUST_BE_ARRAY_(array_)                                                                     \
    sizeof(struct {                                                                                \
        int unused;                                                                                \
        _Static_assert(                                                                            \
            !__builtin_types_compatible_p(__typeof__(array_), __typeof__(&(array_)[0])),           \
            "ARRAY_SIZE of a pointer");                                                            \
    })
