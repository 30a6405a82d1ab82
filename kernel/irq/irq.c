// SPDX-License-Identifier: MIT
//
// The only place that ends an interrupt. All lines have their vectors from the start, so that one
// that comes unasked is counted and ended, and never taken for an exception.
#include "irq/irq.h"

#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "lib/assert.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

struct line {
    irq_handler_t *handler; // NULL: nobody has it
    void *context;
    enum irq_kind kind;
    struct spinlock running; // held by its handler, so that the order of locks forbids others
    struct irq_statistics statistics;
};

#define NONE IRQ_LINE_COUNT

// Changed with interrupts off.
static struct line lines[IRQ_LINE_COUNT];
static const struct irq_chip *chip;
static unsigned in_service = NONE; // whose handler runs

static void run_handler(struct line *line)
{
    if (line->kind == IRQ_MAY_LOCK) {
        line->handler(line->context);
        return;
    }
    irq_state_t state = spinlock_lock(&line->running);
    line->handler(line->context);
    spinlock_unlock(&line->running, state);
}

static void on_interrupt(struct trap_frame *frame)
{
    unsigned number = (unsigned)frame->vector - IRQ_FIRST_VECTOR;
    struct line *line = &lines[number];
    if (chip->is_spurious(number)) {
        line->statistics.spurious_count++;
        return;
    }
    line->statistics.count++;
    in_service = number;
    if (line->handler != NULL) {
        run_handler(line);
    } else {
        line->statistics.unclaimed++;
    }
    in_service = NONE;
    chip->end(number);
}

void irq_abandon(void)
{
    if (in_service != NONE) {
        chip->end(in_service);
        in_service = NONE;
    }
}

void irq_init(const struct irq_chip *new_chip)
{
    assert(chip == NULL);
    chip = new_chip;
    for (unsigned number = 0; number < IRQ_LINE_COUNT; number++) {
        struct plain_vector vector = {(uint8_t)(IRQ_FIRST_VECTOR + number)};
        lines[number].running.rank = LOCK_RANK_HANDLER;
        trap_set_handler(vector, on_interrupt);
    }
}

const struct irq_chip *irq_chip(void)
{
    return chip;
}

const struct irq_chip *irq_replace_chip(const struct irq_chip *new_chip)
{
    const struct irq_chip *before = chip;
    chip = new_chip;
    return before;
}

enum error irq_register(unsigned number, const char *name, enum irq_kind kind,
                        irq_handler_t *handler, void *context)
{
    if (number >= IRQ_LINE_COUNT || !chip->has_line(number)) {
        return ENODEV;
    }
    struct line *line = &lines[number];
    irq_state_t state = irq_save();
    enum error error = line->handler == NULL ? OK : EBUSY;
    if (error == OK) {
        line->running.name = name;
        line->kind = kind;
        line->context = context;
        line->handler = handler;
    }
    irq_restore(state);
    return error;
}

static struct line *claimed(unsigned number)
{
    if (number >= IRQ_LINE_COUNT || lines[number].handler == NULL) {
        panic("interrupt line %u is nobody's", number);
    }
    return &lines[number];
}

void irq_unregister(unsigned number)
{
    struct line *line = claimed(number);
    irq_state_t state = irq_save();
    chip->mask(number);
    line->handler = NULL;
    irq_restore(state);
}

void irq_mask(unsigned number)
{
    (void)claimed(number);
    irq_state_t state = irq_save();
    chip->mask(number);
    irq_restore(state);
}

void irq_unmask(unsigned number)
{
    (void)claimed(number);
    irq_state_t state = irq_save();
    chip->unmask(number);
    irq_restore(state);
}

enum error irq_statistics_read(unsigned number, struct irq_statistics *statistics_out)
{
    if (number >= IRQ_LINE_COUNT) {
        return EINVAL;
    }
    irq_state_t state = irq_save();
    *statistics_out = lines[number].statistics;
    irq_restore(state);
    return OK;
}

void irq_dump(void)
{
    println("interrupts by %s", chip->name);
    for (unsigned number = 0; number < IRQ_LINE_COUNT; number++) {
        const struct line *line = &lines[number];
        struct irq_statistics statistics = line->statistics;
        if (line->handler != NULL || statistics.count != 0 || statistics.spurious_count != 0) {
            println("  line %u %s: %lu, unclaimed %lu, spurious %lu", number,
                    line->handler != NULL ? line->running.name : "nobody's", statistics.count,
                    statistics.unclaimed, statistics.spurious_count);
        }
    }
}
