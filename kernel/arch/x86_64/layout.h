// SPDX-License-Identifier: MIT
//
// Where things lie in the kernel's address space, for C. boot/layout.inc says the same for the
// assembly code; the symbols are the linker script's.
#pragma once

#include <stdint.h>

#include "lib/addr.h"

#define KERNEL_VMA 0xffffffff80000000
#define DIRECT_MAP_VMA 0xffff800000000000

#define LARGE_PAGE_SIZE (2ULL << 20)

// What boot/entry.asm maps of the direct map; mm/direct_map.c adds what lies above.
#define DIRECT_MAP_BOOT_END (4ULL << 30)
// One entry of the top-level table covers this much.
#define DIRECT_MAP_SIZE_MAX (512ULL << 30)

extern const char text_start[];
extern const char text_end[];
extern const char rodata_end[];
extern const char data_start[];
extern const char boot_stacks_start[];
extern const char boot_stacks_end[];
extern const char kernel_end[];
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
