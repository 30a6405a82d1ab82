// SPDX-License-Identifier: MIT
//
// Where things lie in the kernel's address space, for C; docs/memory.md tells why. boot/layout.inc
// says the same for the assembly code, as far as it needs it; the symbols are the linker script's.
#pragma once

#include <stdint.h>

#include "lib/addr.h"

#define LARGE_PAGE_SIZE (2ULL << 20)

// All physical memory. boot/entry.asm maps the first part, mm/direct_map.c what lies above; one
// entry of the top-level table covers the largest.
#define DIRECT_MAP_VMA 0xffff800000000000
#define DIRECT_MAP_BOOT_END (4ULL << 30)
#define DIRECT_MAP_SIZE_MAX (512ULL << 30)

// The heap's memory: mm/heap_window.h. It grows upwards.
#define HEAP_VMA 0xffff900000000000
#define HEAP_SIZE_MAX (512ULL << 30)

// Stacks of the kernel: mm/kernel_stack.h. Slots of one size, each with a stack at its upper end.
#define STACKS_VMA 0xffffa00000000000
#define STACK_SLOT_SIZE (64ULL << 10)
#define STACK_SLOT_COUNT 16384
#define STACKS_SIZE (STACK_SLOT_COUNT * STACK_SLOT_SIZE)

// Registers of devices: mm/mmio.h.
#define MMIO_VMA 0xffffb00000000000
#define MMIO_SIZE (512ULL << 30)

// The shadow of the upper half, in builds with -Dkasan=true: debug/kasan.h.
#define KASAN_SHADOW_VMA 0xffffec0000000000
#define KASAN_SHADOW_SIZE (16ULL << 40)

// The kernel's image, at its physical address from here.
#define KERNEL_VMA 0xffffffff80000000
#define KERNEL_IMAGE_END_MAX (16ULL << 20) // most of it is for the red zones of sanitizer builds

extern const char text_start[];
extern const char text_end[];
extern const char rodata_end[];
extern const char data_start[];
extern const char boot_stacks_start[];
extern const char boot_stacks_end[];
extern const char kernel_end[];
typedef void constructor_t(void);
extern constructor_t *const init_array_start[];
extern constructor_t *const init_array_end[];
extern const char build_id_start[];
extern const char build_id_end[];

// Physical addresses as absolute symbols: take their address, don't read them.
extern const char boot_start_phys[];
extern const char boot_end_phys[];
extern const char kernel_end_phys[];

// The direct map's view of physical memory. The caller knows that it is mapped.
static inline void *phys_to_direct(phys_addr_t address)
{
    return (void *)(DIRECT_MAP_VMA + address.value);
}
