// SPDX-License-Identifier: MIT
//
// The kernel without its tests: nothing to do yet but to sleep, and to serve what
// interrupts it.
#include "payload.h"

#include "arch/x86_64/cpu.h"
#include "debug/log.h"

void payload_run(const struct boot_info *boot)
{
    (void)boot;
    println("It did not crash!");
    for (;;) {
        cpu_wait_for_interrupt();
    }
}
