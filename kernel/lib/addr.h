// SPDX-License-Identifier: MIT
//
// Physical and virtual addresses as types of their own: mixing them up does not compile, and at
// -O2 they cost nothing. An address that was made here is valid: physical ones fit into the 52
// bits a page table entry can hold, virtual ones are canonical (bits 63..47 are equal; four levels
// of page tables). Sources: Intel SDM vol. 1, 3.3.7.1 and vol. 3, 4.5.
//
// Three ways in: phys_addr() and virt_addr() panic, for addresses that we vouch for; the _checked
// forms return an error, for numbers from outside; virt_addr_truncate() makes any number canonical.
// All of it is pure and callable in any context.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/error.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE BIT(PAGE_SHIFT) // in bytes; frames have the same size
#define TABLE_ENTRY_COUNT 512     // in a page table of any level

#define PHYS_ADDR_LIMIT BIT(52) // the first number that is no physical address
#define VIRT_ADDR_BITS 48

typedef struct {
    uint64_t value;
} phys_addr_t;

typedef struct {
    uint64_t value;
} virt_addr_t;

// --- Physical addresses ------------------------------------------------------------------------

static inline bool phys_addr_is_valid(uint64_t value)
{
    return value < PHYS_ADDR_LIMIT;
}

static inline phys_addr_t phys_addr(uint64_t value)
{
    assert(phys_addr_is_valid(value));
    return (phys_addr_t){value};
}

// EINVAL if `value` is none.
static inline enum error phys_addr_checked(uint64_t value, phys_addr_t *address_out)
{
    if (!phys_addr_is_valid(value)) {
        return EINVAL;
    }
    *address_out = (phys_addr_t){value};
    return OK;
}

// Panics if the sum is no physical address.
static inline phys_addr_t phys_addr_add(phys_addr_t address, uint64_t size_bytes)
{
    assert(size_bytes < PHYS_ADDR_LIMIT);
    return phys_addr(address.value + size_bytes);
}

// ERANGE if the sum is no physical address.
static inline enum error phys_addr_add_checked(phys_addr_t address, uint64_t size_bytes,
                                               phys_addr_t *sum_out)
{
    if (size_bytes >= PHYS_ADDR_LIMIT || !phys_addr_is_valid(address.value + size_bytes)) {
        return ERANGE;
    }
    *sum_out = (phys_addr_t){address.value + size_bytes};
    return OK;
}

// Negative, 0 or positive, as for qsort().
static inline int phys_addr_compare(phys_addr_t left, phys_addr_t right)
{
    return (left.value > right.value) - (left.value < right.value);
}

// Alignments are powers of two.
static inline phys_addr_t phys_addr_align_down(phys_addr_t address, uint64_t alignment)
{
    assert(is_power_of_two(alignment));
    return phys_addr(align_down(address.value, alignment));
}

// Panics if the result is no physical address.
static inline phys_addr_t phys_addr_align_up(phys_addr_t address, uint64_t alignment)
{
    assert(is_power_of_two(alignment) && alignment < PHYS_ADDR_LIMIT);
    return phys_addr(align_up(address.value, alignment));
}

static inline bool phys_addr_is_aligned(phys_addr_t address, uint64_t alignment)
{
    assert(is_power_of_two(alignment));
    return is_aligned(address.value, alignment);
}

// --- Ranges of physical addresses --------------------------------------------------------------

// Half-open: `end` is the first address behind it and may be PHYS_ADDR_LIMIT; start <= end.
struct phys_range {
    phys_addr_t start;
    phys_addr_t end;
};

// ERANGE if it would go beyond the physical address space.
static inline enum error phys_range_checked(uint64_t start, uint64_t size_bytes,
                                            struct phys_range *range_out)
{
    if (start > PHYS_ADDR_LIMIT || size_bytes > PHYS_ADDR_LIMIT - start) {
        return ERANGE;
    }
    *range_out = (struct phys_range){{start}, {start + size_bytes}};
    return OK;
}

static inline uint64_t phys_range_size_bytes(struct phys_range range)
{
    assert(range.start.value <= range.end.value);
    return range.end.value - range.start.value;
}

static inline bool phys_range_is_empty(struct phys_range range)
{
    return phys_range_size_bytes(range) == 0;
}

static inline bool phys_range_contains(struct phys_range range, phys_addr_t address)
{
    return range.start.value <= address.value && address.value < range.end.value;
}

// Whether they share an address: an empty range shares none.
static inline bool phys_range_overlaps(struct phys_range left, struct phys_range right)
{
    return !phys_range_is_empty(left) && !phys_range_is_empty(right) &&
           left.start.value < right.end.value && right.start.value < left.end.value;
}

// --- Virtual addresses -------------------------------------------------------------------------

// `value` with bit 47 copied into the bits above it, as the hardware wants it.
static inline virt_addr_t virt_addr_truncate(uint64_t value)
{
    uint64_t sign = BIT(VIRT_ADDR_BITS - 1);
    uint64_t low = value & GENMASK(VIRT_ADDR_BITS - 1, 0);

    return (virt_addr_t){(low ^ sign) - sign};
}

static inline bool virt_addr_is_canonical(uint64_t value)
{
    return value + BIT(VIRT_ADDR_BITS - 1) < BIT(VIRT_ADDR_BITS); // the upper half wraps around
}

static inline virt_addr_t virt_addr(uint64_t value)
{
    assert(virt_addr_is_canonical(value));
    return (virt_addr_t){value};
}

// EINVAL if `value` is not canonical.
static inline enum error virt_addr_checked(uint64_t value, virt_addr_t *address_out)
{
    if (!virt_addr_is_canonical(value)) {
        return EINVAL;
    }
    *address_out = (virt_addr_t){value};
    return OK;
}

static inline virt_addr_t virt_addr_of(const volatile void *pointer)
{
    return virt_addr((uintptr_t)pointer);
}

static inline void *virt_addr_pointer(virt_addr_t address)
{
    return (void *)(uintptr_t)address.value;
}

// Stays within a half of the address space: ERANGE if the sum would leave it.
static inline enum error virt_addr_add_checked(virt_addr_t address, uint64_t size_bytes,
                                               virt_addr_t *sum_out)
{
    uint64_t sum = address.value + size_bytes;

    if (sum < address.value || size_bytes >= BIT(VIRT_ADDR_BITS - 1) ||
        !virt_addr_is_canonical(sum)) {
        return ERANGE;
    }
    *sum_out = (virt_addr_t){sum};
    return OK;
}

// Panics where virt_addr_add_checked() fails.
static inline virt_addr_t virt_addr_add(virt_addr_t address, uint64_t size_bytes)
{
    virt_addr_t sum = address;
    enum error error = virt_addr_add_checked(address, size_bytes, &sum);

    assert(error == OK);
    return sum;
}

// Negative, 0 or positive, as for qsort().
static inline int virt_addr_compare(virt_addr_t left, virt_addr_t right)
{
    return (left.value > right.value) - (left.value < right.value);
}

// Alignments are powers of two, up to half of the address space.
static inline virt_addr_t virt_addr_align_down(virt_addr_t address, uint64_t alignment)
{
    assert(is_power_of_two(alignment) && alignment < BIT(VIRT_ADDR_BITS));
    return (virt_addr_t){align_down(address.value, alignment)};
}

// Panics if there is no such address in its half of the address space.
static inline virt_addr_t virt_addr_align_up(virt_addr_t address, uint64_t alignment)
{
    virt_addr_t down = virt_addr_align_down(address, alignment);

    return down.value == address.value ? address : virt_addr_add(down, alignment);
}

static inline bool virt_addr_is_aligned(virt_addr_t address, uint64_t alignment)
{
    assert(is_power_of_two(alignment));
    return is_aligned(address.value, alignment);
}

// Index into the table of each level (0..511), and offset into the page.
static inline unsigned virt_addr_p4_index(virt_addr_t address)
{
    return (unsigned)FIELD_GET(GENMASK(47, 39), address.value);
}

static inline unsigned virt_addr_p3_index(virt_addr_t address)
{
    return (unsigned)FIELD_GET(GENMASK(38, 30), address.value);
}

static inline unsigned virt_addr_p2_index(virt_addr_t address)
{
    return (unsigned)FIELD_GET(GENMASK(29, 21), address.value);
}

static inline unsigned virt_addr_p1_index(virt_addr_t address)
{
    return (unsigned)FIELD_GET(GENMASK(20, 12), address.value);
}

static inline unsigned virt_addr_page_offset(virt_addr_t address)
{
    return (unsigned)FIELD_GET(GENMASK(11, 0), address.value);
}
