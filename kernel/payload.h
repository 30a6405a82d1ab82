// SPDX-License-Identifier: MIT
//
// What the kernel does once it is up. The build chooses one: payload_idle.c, or with -Dktest=true
// payload_ktest.c.
#pragma once

[[gnu::noreturn]] void payload_run(void);
