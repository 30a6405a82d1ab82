// SPDX-License-Identifier: MIT
//
// QEMU's firmware configuration device, by ports. Source: QEMU docs/specs/fw_cfg.rst.
#pragma once

#include <stddef.h>

#include "lib/error.h"

// Reads the file `name` to buffer, with a terminating 0 behind it. ENODEV: not under QEMU;
// ENOENT: no such file; ENOSPC: it and the 0 don't fit into buffer_bytes.
enum error fw_cfg_read(const char *name, char *buffer, size_t buffer_bytes);
