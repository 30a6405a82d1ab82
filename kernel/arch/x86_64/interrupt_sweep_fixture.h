// SPDX-License-Identifier: MIT
//
// For tests: code is run again and again, and an interrupt comes before its first instruction, its
// second, and so on until it has come before all of them. Single-step traps tell the instructions
// apart; their handler calls the interrupt's function when a CPU would take it: with interrupts on,
// and not right behind the `sti` that turned them on (Intel SDM vol. 2, STI).
//
// The CPU does not halt: the interrupt comes there at the latest, and ends the halt. But if it has
// come before, nothing would ever end it: such a place is a loss. It comes once more then.
//
// The time goes with the square of the code's length: of more than 1,000 instructions some are left
// out, evenly. Optimized, what is worth a sweep is shorter.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct interrupt_scenario {
    void (*set_up)(void);
    void (*run)(void);       // begins with interrupts on; leaves the trap flag alone
    void (*interrupt)(void); // what a handler would do
    bool (*is_sound)(void);  // whether all is as it should be after both
};

struct interrupt_sweep {
    unsigned places;     // where it has come
    unsigned losses;     // of these, with a halt for ever or an unsound end
    uint64_t first_loss; // the instruction before which it came
};

// Interrupts have to be off.
struct interrupt_sweep interrupt_sweep(const struct interrupt_scenario *scenario);

struct ktest;

// There are some places, and no losses.
void interrupt_sweep_expect_sound(struct ktest *test, const struct interrupt_scenario *scenario);
