// SPDX-License-Identifier: MIT
//
// The sanitizer's shadow of lib/kasan.h, for those who make and map it: one byte for each eight of
// memory. The image has its shadow from the start, the heap and the kernel stacks have theirs as
// long as they are mapped (mm/kasan_map.h), and what lies elsewhere has none.
#pragma once

#include <stdint.h>

#include "arch/x86_64/layout.h"

#define KASAN_GRANULE 8

// Defined for all addresses of the upper half, mapped for some.
#define KASAN_SHADOW(address_) (KASAN_SHADOW_VMA + ((address_)-DIRECT_MAP_VMA) / KASAN_GRANULE)

// Maps the image's shadow and runs the compiler's constructors, which poison what lies between
// global variables. kernel_entry.asm calls it before any code with checks.
void kasan_init(void);

// How much of the heap's window has a shadow, from its start; whoever maps the heap writes it.
extern uint64_t kasan_heap_bytes;

static inline uint8_t *kasan_shadow(uint64_t address)
{
    return (uint8_t *)KASAN_SHADOW(address);
}
