// SPDX-License-Identifier: MIT
#include "mm/kernel_space.h"

#include "arch/x86_64/layout.h"
#include "lib/panic.h"
#include "mm/address_space.h"

struct address_space kernel_space;

void kernel_space_init(const struct frame_source *frames)
{
    if (kernel_space.top.value != 0) {
        panic("the kernel's address space is taken over already");
    }
    address_space_adopt(&kernel_space, paging_root_read().table, paging_features_read(),
                        DIRECT_MAP_VMA, frames);
}
