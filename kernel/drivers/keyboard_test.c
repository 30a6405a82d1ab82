// SPDX-License-Identifier: MIT
//
// The stages of a first keyboard driver: a letter for each interrupt, raw scan
// codes, digits by a table. Keys come by the controller's command 0xd2. What somebody outside types
// is a matter for host_tests/test_keyboard.py.
#include "drivers/keyboard.h"

#include <stddef.h>

#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "debug/log_fixture.h"
#include "drivers/ps2_8042.h"
#include "drivers/ps2_keyboard.h"
#include "drivers/ps2_port.h"
#include "irq/irq.h"
#include "ktest.h"
#include "lib/string.h"

#define INJECT 0xd2
#define WAIT_MAX 100000

KTEST_SUITE(keyboard, .init = log_fixture_start);

static void inject(uint8_t byte)
{
    ps2_write_command(INJECT);
    ps2_write_data(byte);
}

// --- Start --------------------------------------------------------------------------------------

static unsigned start_count;

static enum error find_none(struct ps2_keyboard *keyboard, enum scancode_set set,
                            const struct key_layout *layout)
{
    (void)keyboard;
    (void)set;
    (void)layout;
    return ENODEV;
}

static enum error count_start(struct ps2_keyboard *keyboard)
{
    (void)keyboard;
    start_count++;
    return OK;
}

KTEST(keyboard, that_is_not_there_is_not_started)
{
    start_count = 0;
    KTEST_STUB(test, ps2_keyboard_init, find_none);
    KTEST_STUB(test, ps2_keyboard_start, count_start);
    KTEST_EXPECT_EQ(test, keyboard_start(), ENODEV);
    KTEST_EXPECT_EQ(test, start_count, 0);
}

// --- The stages ---------------------------------------------------------------------------------

static struct {
    uint64_t interrupts; // changes under the waiting loops
    uint8_t code;
    bool reads;
} stage;

static void on_key(void *context)
{
    (void)context;
    if (stage.reads) {
        stage.code = ps2_read_data();
    }
    __atomic_add_fetch(&stage.interrupts, 1, __ATOMIC_RELEASE);
}

static uint64_t interrupts(void)
{
    return __atomic_load_n(&stage.interrupts, __ATOMIC_ACQUIRE);
}

// Whether an interrupt has come of it.
static bool press(uint8_t byte)
{
    uint64_t before = interrupts();
    inject(byte);
    for (int i = 0; i < WAIT_MAX && interrupts() == before; i++) {
        cpu_relax();
    }
    return interrupts() != before;
}

static struct ps2_controller controller;

static void end_stage(void *unused)
{
    (void)unused;
    cpu_disable_interrupts();
    irq_unregister(IRQ_KEYBOARD);
    (void)ps2_read_data();
    if (ps2_controller_set_interrupt(&controller, PS2_INTERRUPT_OFF) != OK) {
        log_error("test", "the keyboard's interrupt can't be switched off");
    }
}

static bool begin_stage(struct ktest *test, bool reads)
{
    stage = (typeof(stage)){.reads = reads};
    if (ps2_controller_init(&controller, PS2_TRANSLATED) == ENODEV) {
        return false;
    }
    KTEST_ASSERT_EQ(test, irq_register(IRQ_KEYBOARD, "test", IRQ_PLAIN, on_key, NULL), OK);
    ktest_add_action(test, end_stage, NULL);
    irq_unmask(IRQ_KEYBOARD);
    KTEST_ASSERT_EQ(test, ps2_controller_set_interrupt(&controller, PS2_INTERRUPT_ON), OK);
    cpu_enable_interrupts();
    return true;
}

KTEST_ATTR(keyboard, byte_that_is_not_read_is_the_last, .needs = KTEST_NEEDS_PC,
           .proves = "7.6.1 7.6.2",
           .quirks = KTEST_QUIRKS(
               {.accel = KTEST_ACCEL_TCG,
                .before = KTEST_QEMU(6, 0),
                .skip = "this QEMU interrupts for each byte by command 0xd2"},
               {.accel = KTEST_ACCEL_BOCHS,
                .skip = "Bochs's keyboard controller lets command 0xd2 overwrite a byte"}));
KTEST(keyboard, byte_that_is_not_read_is_the_last)
{
    if (begin_stage(test, false)) {
        KTEST_EXPECT_TRUE(test, press(0x1e));
        println("k");
        KTEST_EXPECT_FALSE(test, press(0x9e));
        KTEST_EXPECT_EQ(test, ps2_read_data(), 0x9e);
        KTEST_EXPECT_TRUE(test, press(0x1e));
        println("k");
        KTEST_EXPECT_STREQ(test, log_fixture_text(), "k\nk\n");
    }
}

KTEST_ATTR(keyboard, scan_codes_come_raw, .needs = KTEST_NEEDS_PC, .proves = "7.6.2");
KTEST(keyboard, scan_codes_come_raw)
{
    static const uint8_t typed[] = {0x1e, 0x9e, 0xe0, 0x4b, 0xe0, 0xcb};
    if (!begin_stage(test, true)) {
        return;
    }
    for (size_t i = 0; i < sizeof(typed); i++) {
        KTEST_ASSERT_TRUE(test, press(typed[i]));
        print("%u ", stage.code);
    }
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "30 158 224 75 224 203 ");
}

KTEST_ATTR(keyboard, digits_come_by_a_table, .needs = KTEST_NEEDS_PC, .proves = "7.6.2");
KTEST(keyboard, digits_come_by_a_table)
{
    static const char digits[] = "1234567890";
    if (!begin_stage(test, true)) {
        return;
    }
    for (uint8_t code = 1; code <= 12; code++) {
        KTEST_ASSERT_TRUE(test, press(code));
        if (stage.code >= 0x02 && stage.code <= 0x0b) {
            print("%c", digits[stage.code - 0x02]);
        }
    }
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "1234567890");
}
