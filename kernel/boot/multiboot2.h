// SPDX-License-Identifier: MIT
//
// The boot information of a Multiboot2 loader. Source: Multiboot2 Specification 2.0, 3.6.
#pragma once

#include "boot/boot_info.h"

// Pure but for `read`. Fills *info, which the caller has zeroed; errors as boot_info_read.
enum error multiboot2_parse(struct boot_info *info, boot_reader_t *read, uint64_t address);
