// SPDX-License-Identifier: MIT
//
// The CPU itself never executes `hlt` or `sti` meanwhile: the step handler does what they do.
#include "arch/x86_64/interrupt_sweep_fixture.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/step_counter.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/assert.h"

#define OPCODE_HLT 0xf4
#define OPCODE_STI 0xfb
#define EACH_MAX 1000      // instructions before each of which it comes; of longer code it samples
#define LOST_HALTS_MAX 100 // of one run: far more, and what is run will never end

// One run.
static struct {
    const struct interrupt_scenario *scenario;
    unsigned place; // the interrupt is pending from this step on
    unsigned step;
    bool has_come;
    bool was_due; // when it came: nothing has brought it before its place
    uint64_t came_at;
    unsigned lost_halts;
} turn;

static bool is_opcode(uint64_t address, uint8_t opcode)
{
    return *(const uint8_t *)address == opcode;
}

static bool interrupts_are_on(const struct trap_frame *frame)
{
    return (frame->rflags & RFLAGS_IF) != 0;
}

static void interrupt(uint64_t rip)
{
    if (!turn.has_come) {
        turn.has_come = true;
        turn.was_due = turn.step >= turn.place;
        turn.came_at = rip;
    }
    turn.scenario->interrupt();
}

// Does what `sti` does, as there may be no step trap behind it: QEMU 7.2 has none. Returns whether
// the next instruction is in its shadow.
static bool pass_sti(struct trap_frame *frame)
{
    if (!is_opcode(frame->rip, OPCODE_STI)) {
        return false;
    }
    bool were_on = interrupts_are_on(frame);
    frame->rflags |= RFLAGS_IF;
    frame->rip++;
    return !were_on;
}

// The CPU would sleep until the interrupt.
static void pass_hlt(struct trap_frame *frame)
{
    turn.lost_halts += turn.has_come || !interrupts_are_on(frame);
    assert(turn.lost_halts < LOST_HALTS_MAX);
    interrupt(frame->rip);
    frame->rip++;
}

static void on_step(struct trap_frame *frame)
{
    turn.step++;
    bool is_in_shadow = pass_sti(frame);
    bool is_due = turn.step >= turn.place && !turn.has_come;
    if (is_due && interrupts_are_on(frame) && !is_in_shadow) {
        interrupt(frame->rip);
    }
    if (is_opcode(frame->rip, OPCODE_HLT)) {
        pass_hlt(frame);
    }
}

static void run(const struct interrupt_scenario *scenario, unsigned place)
{
    turn = (typeof(turn)){.scenario = scenario, .place = place};
    cpu_write_rflags(cpu_read_rflags() | RFLAGS_SINGLE_STEP | RFLAGS_IF);
    scenario->run();
    cpu_write_rflags(cpu_read_rflags() & ~(RFLAGS_SINGLE_STEP | RFLAGS_IF));
    if (!turn.has_come) {
        interrupt(0);
        turn.was_due = false;
    }
}

struct interrupt_sweep interrupt_sweep(const struct interrupt_scenario *scenario)
{
    struct interrupt_sweep sweep = {};
    unsigned place = 1;
    trap_handler_t *handler_before = trap_set_handler(VECTOR_DEBUG, on_step);
    do {
        scenario->set_up();
        run(scenario, place);
        place += 1 + turn.step / EACH_MAX;
        sweep.places++;
        if (!scenario->is_sound() || turn.lost_halts != 0) {
            sweep.first_loss = sweep.losses++ == 0 ? turn.came_at : sweep.first_loss;
        }
    } while (turn.was_due);
    trap_set_handler(VECTOR_DEBUG, handler_before);
    return sweep;
}

void interrupt_sweep_expect_sound(struct ktest *test, const struct interrupt_scenario *scenario)
{
    struct interrupt_sweep sweep = interrupt_sweep(scenario);
    KTEST_EXPECT_GT(test, sweep.places, 3);
    KTEST_EXPECT_EQ_MSG(test, sweep.losses, 0, "of %u places, the first before 0x%lx", sweep.places,
                        sweep.first_loss);
}
