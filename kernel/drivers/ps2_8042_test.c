// SPDX-License-Identifier: MIT
//
// The machine's own controller, and a fake one for what that does not do.
#include "drivers/ps2_8042.h"

#include "drivers/fake_8042_test.h"
#include "drivers/ps2_port.h"
#include "ktest.h"
#include "lib/bits.h"

// --- The machine's own --------------------------------------------------------------------------

// On a machine without one, that is what there is to see.
static bool is_brought_up(struct ktest *test, struct ps2_controller *controller,
                          enum ps2_translation translation)
{
    bool exists = ps2_read_status() != PS2_STATUS_NO_DEVICE;
    enum error error = ps2_controller_init(controller, translation);
    KTEST_EXPECT_EQ(test, error, exists ? OK : ENODEV);
    return error == OK;
}

static uint8_t read_answer(uint8_t command)
{
    ps2_write_command(command);
    while ((ps2_read_status() & PS2_STATUS_OUTPUT_FULL) == 0) {
        ps2_pause();
    }
    return ps2_read_data();
}

KTEST_ATTR(ps2_8042, keyboard_port_is_open_without_interrupts, .proves = "7.6.10");
KTEST(ps2_8042, keyboard_port_is_open_without_interrupts)
{
    struct ps2_controller controller;
    if (is_brought_up(test, &controller, PS2_TRANSLATED)) {
        KTEST_EXPECT_EQ(test, read_answer(0x20) & 0x73, 0x60); // translation; no mouse
    }
    if (is_brought_up(test, &controller, PS2_UNTRANSLATED)) {
        KTEST_EXPECT_EQ(test, read_answer(0x20) & 0x73, 0x20);
    }
}

KTEST_ATTR(ps2_8042, interrupt_is_enabled_when_asked_for, .proves = "7.6.10");
KTEST(ps2_8042, interrupt_is_enabled_when_asked_for)
{
    struct ps2_controller controller;
    if (is_brought_up(test, &controller, PS2_TRANSLATED)) {
        KTEST_EXPECT_EQ(test, ps2_controller_set_interrupt(&controller, PS2_INTERRUPT_ON), OK);
        ps2_write_command(0xad); // the answer raises the line otherwise
        uint8_t configuration = read_answer(0x20);
        (void)!ps2_controller_init(&controller, PS2_TRANSLATED);
        KTEST_EXPECT_EQ(test, configuration & 0x63, 0x61);
    }
}

// As firmware, or whoever had the machine before, may leave it.
KTEST_ATTR(ps2_8042, leftovers_are_thrown_away, .proves = "7.6.10");
KTEST(ps2_8042, leftovers_are_thrown_away)
{
    struct ps2_controller controller;
    if (is_brought_up(test, &controller, PS2_TRANSLATED)) {
        ps2_write_command(0xd2); // the next byte, as if the keyboard had sent it
        ps2_write_data(0x1e);
        KTEST_EXPECT_EQ(test, ps2_read_status() & PS2_STATUS_OUTPUT_FULL, PS2_STATUS_OUTPUT_FULL);
        KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), OK);
        KTEST_EXPECT_EQ(test, ps2_read_status() & PS2_STATUS_OUTPUT_FULL, 0);
    }
}

// --- One that fails -----------------------------------------------------------------------------

KTEST_ATTR(ps2_8042, is_brought_up_in_this_order, .proves = "7.6.10");
KTEST(ps2_8042, is_brought_up_in_this_order)
{
    static const uint16_t expected[] = {
        0x1ad, 0x1a7,        // both ports shut
        0x1aa, 0x1ab,        // tests
        0x160, 0x64,  0x120, // configuration written and read back
        0x1ae,               // the keyboard's port open
        0x160, 0x65,         // and its interrupt,
        0x160, 0x64,         // and without
    };
    struct ps2_controller controller;
    fake_8042_install(test);
    fake_8042_type((const uint8_t *)"left over", 9, 0);

    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), OK);
    KTEST_EXPECT_EQ(test, ps2_controller_set_interrupt(&controller, PS2_INTERRUPT_ON), OK);
    KTEST_EXPECT_EQ(test, ps2_controller_set_interrupt(&controller, PS2_INTERRUPT_OFF), OK);

    KTEST_EXPECT_EQ(test, fake_8042.write_count, ARRAY_SIZE(expected));
    KTEST_EXPECT_MEMEQ(test, fake_8042.writes, expected, sizeof(expected));
    KTEST_EXPECT_EQ(test, fake_8042.taken_count, fake_8042.byte_count);
    KTEST_EXPECT_EQ(test, fake_8042.configuration, 0x64);
}

KTEST_ATTR(ps2_8042, machine_without_one_is_left_alone, .proves = "7.6.10 7.6.11");
KTEST(ps2_8042, machine_without_one_is_left_alone)
{
    struct ps2_controller controller;
    fake_8042_install(test);
    fake_8042.always_status = 0xff;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), ENODEV);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 0);
}

#define POLLS_ENOUGH 400000 // no wait may take more

KTEST_ATTR(ps2_8042, waits_are_bounded, .proves = "7.6.10");
KTEST(ps2_8042, waits_are_bounded)
{
    struct ps2_controller controller;
    fake_8042_install(test);
    fake_8042.always_status = PS2_STATUS_INPUT_FULL;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), ETIMEDOUT);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 0);

    fake_8042_install(test);
    fake_8042.is_controller_mute = true;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), ETIMEDOUT);
    KTEST_EXPECT_LT(test, fake_8042.status_count, POLLS_ENOUGH);

    fake_8042_install(test);
    fake_8042.always_status = (uint8_t)PS2_STATUS_OUTPUT_FULL;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), EIO);
    KTEST_EXPECT_LT(test, fake_8042.status_count, POLLS_ENOUGH);
}

KTEST_ATTR(ps2_8042, failed_tests_are_errors, .proves = "7.6.10");
KTEST(ps2_8042, failed_tests_are_errors)
{
    struct ps2_controller controller;
    fake_8042_install(test);
    fake_8042.controller_answer = 0xfc;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), EIO);

    fake_8042_install(test);
    fake_8042.port_answer = 0x01;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), EIO);

    fake_8042_install(test);
    fake_8042.lost_configuration = (uint8_t)BIT(6);
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), EIO);
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_UNTRANSLATED), OK);
}

KTEST(ps2_8042, mouse_does_not_answer_for_the_controller)
{
    struct ps2_controller controller;
    fake_8042_install(test);
    fake_8042.moves_mouse = true;
    KTEST_EXPECT_EQ(test, ps2_controller_init(&controller, PS2_TRANSLATED), OK);
    KTEST_EXPECT_EQ(test, fake_8042.taken_count, 6); // three answers, and a byte before each
}
