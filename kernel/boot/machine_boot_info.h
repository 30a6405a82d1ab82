// SPDX-License-Identifier: MIT
#pragma once

#include "boot/boot_info.h"

// For tests: what the loader said. payload_ktest.c knows it.
extern const struct boot_info *machine_boot_info;
