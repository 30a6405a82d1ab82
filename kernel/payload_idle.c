// SPDX-License-Identifier: MIT
//
// The kernel without its tests: it sleeps, serves what interrupts it, and shows what is typed.
#include "payload.h"

#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "drivers/keyboard.h"

void payload_run(const struct boot_info *boot)
{
    (void)boot;
    println("It did not crash!");
    enum error error = keyboard_start();
    if (error != OK) {
        log_warn("keyboard", "nobody can type: %s", error_name(error));
        for (;;) {
            cpu_wait_for_interrupt();
        }
    }
    cpu_enable_interrupts();
    for (;;) {
        keyboard_echo(keyboard_wait().character);
    }
}
