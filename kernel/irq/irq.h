// SPDX-License-Identifier: MIT
//
// Interrupts of devices. A line is what a device pulls; which vector that becomes, and who has to
// be told when it is over, is the business of one interrupt controller, the irq_chip.
//
// A handler runs with interrupts off, and fast: it neither prints nor allocates, which is checked,
// for it may take no lock but those above LOCK_RANK_HANDLER. It knows its device, and nothing of
// vectors and controllers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

// The vectors from here on are the lines', in their order. Vectors below are exceptions.
#define IRQ_FIRST_VECTOR 32

// The lines of a PC: ISA's, and the CPU's own timer, which only a local APIC has.
enum irq_line {
    IRQ_TIMER = 0,
    IRQ_KEYBOARD = 1,
    IRQ_CASCADE = 2, // the second 8259's; no device's
    IRQ_COM2 = 3,
    IRQ_COM1 = 4,
    IRQ_PARALLEL = 7,
    IRQ_CLOCK = 8,
    IRQ_MOUSE = 12,
    IRQ_DISK = 15,
    IRQ_ISA_COUNT = 16,
    IRQ_LOCAL_TIMER = 16,
    IRQ_LINE_COUNT,
};

// All are called with interrupts off.
struct irq_chip {
    const char *name;
    bool (*has_line)(unsigned line);
    void (*mask)(unsigned line);
    void (*unmask)(unsigned line);
    // When an interrupt of this line has come: whether it was none. The chip has done by then
    // whatever such a false alarm needs.
    bool (*is_spurious)(unsigned line);
    // It has been handled: the next one may come.
    void (*end)(unsigned line);
};

typedef void irq_handler_t(void *context);

enum irq_kind {
    IRQ_PLAIN,
    IRQ_MAY_LOCK, // for demonstrations: the handler may print, and take any lock
};

// Once, before any line is unmasked. The chip has all its lines masked.
void irq_init(const struct irq_chip *chip);

// The one in use.
const struct irq_chip *irq_chip(void);

// Puts another one in its place, for tests. Returns the one that was there.
const struct irq_chip *irq_replace_chip(const struct irq_chip *chip);

// The line stays masked. `name` has to live as long. ENODEV if the chip has no such line; EBUSY if
// somebody has it. Not in a handler.
enum error irq_register(unsigned line, const char *name, enum irq_kind kind, irq_handler_t *handler,
                        void *context);

// Masks it, and gives it back. Panics, as the next two do, if nobody has it. Not in a handler.
void irq_unregister(unsigned line);

void irq_mask(unsigned line);
void irq_unmask(unsigned line);

struct irq_statistics {
    uint64_t count;          // interrupts
    uint64_t unclaimed;      // of these, without a handler
    uint64_t spurious_count; // false alarms; not counted above
};

// EINVAL if there is no such line.
enum error irq_statistics_read(unsigned line, struct irq_statistics *statistics_out);

// Ends the interrupt whose handler was abandoned, for a test runner; nothing if there is none.
void irq_abandon(void);

// On the console: the chip, and the lines that somebody has or that something came from.
void irq_dump(void);
