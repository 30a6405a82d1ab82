// SPDX-License-Identifier: MIT
//
// What the kernel does once it is up. The build chooses one: payload_idle.c, or with -Dktest=true
// payload_ktest.c.
#pragma once

#include "boot/boot_info.h"

// `boot` is what the loader said; it stays where it is.
[[gnu::noreturn]] void payload_run(const struct boot_info *boot);
