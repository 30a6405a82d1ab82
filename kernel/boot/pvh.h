// SPDX-License-Identifier: MIT
//
// The start information of PVH. Source: Xen's public/arch-x86/hvm/start_info.h.
#pragma once

#include "boot/boot_info.h"

// Pure but for `read`. Fills *info, which the caller has zeroed; errors as boot_info_read.
enum error pvh_parse(struct boot_info *info, boot_reader_t *read, uint64_t address);
