// SPDX-License-Identifier: MIT
//
// Commands go to one port, their parameters and answers through the other, and before each byte the
// status has to say that the port is free, or full.
#include "drivers/ps2_8042.h"

#include <stdbool.h>

#include "drivers/ps2_port.h"

enum ps2_command {
    READ_CONFIGURATION = 0x20,
    WRITE_CONFIGURATION = 0x60,
    DISABLE_MOUSE = 0xa7,
    TEST_CONTROLLER = 0xaa,
    TEST_KEYBOARD_PORT = 0xab,
    DISABLE_KEYBOARD = 0xad,
    ENABLE_KEYBOARD = 0xae,
};

#define CONTROLLER_PASSED 0x55
#define PORT_PASSED 0x00

#define CONFIGURATION_KEYBOARD_INTERRUPT BIT(0)
#define CONFIGURATION_MOUSE_INTERRUPT BIT(1)
#define CONFIGURATION_SYSTEM_FLAG BIT(2) // "the firmware has run"
#define CONFIGURATION_MOUSE_DISABLED BIT(5)
#define CONFIGURATION_TRANSLATION BIT(6)
#define CONFIGURATION_CHECKED                                                                      \
    (CONFIGURATION_KEYBOARD_INTERRUPT | CONFIGURATION_MOUSE_INTERRUPT | CONFIGURATION_TRANSLATION)

#define POLLS_MAX 100000  // of a microsecond or more
#define LEFTOVERS_MAX 256 // bytes that firmware may have left

static enum error wait_for_input(void)
{
    for (uint32_t polls = 0; polls < POLLS_MAX; polls++) {
        if ((ps2_read_status() & PS2_STATUS_INPUT_FULL) == 0) {
            return OK;
        }
        ps2_pause();
    }
    return ETIMEDOUT;
}

static enum error command(enum ps2_command command)
{
    enum error error = wait_for_input();
    if (error == OK) {
        ps2_write_command((uint8_t)command);
    }
    return error;
}

// The mouse may have been about to say something.
static enum error read_answer(uint8_t *byte_out)
{
    for (uint32_t polls = 0; polls < POLLS_MAX; polls++) {
        uint8_t status = ps2_read_status();
        if ((status & PS2_STATUS_OUTPUT_FULL) == 0) {
            ps2_pause();
            continue;
        }
        uint8_t byte = ps2_read_data();
        if ((status & PS2_STATUS_MOUSE) == 0) {
            *byte_out = byte;
            return OK;
        }
    }
    return ETIMEDOUT;
}

static enum error ask(enum ps2_command question, uint8_t *answer_out)
{
    enum error error = command(question);
    return error == OK ? read_answer(answer_out) : error;
}

static enum error require_answer(enum ps2_command question, uint8_t expected)
{
    uint8_t answer = 0;
    enum error error = ask(question, &answer);
    if (error == OK && answer != expected) {
        error = EIO;
    }
    return error;
}

static enum error discard_leftovers(void)
{
    for (int i = 0; i < LEFTOVERS_MAX; i++) {
        if ((ps2_read_status() & PS2_STATUS_OUTPUT_FULL) == 0) {
            return OK;
        }
        (void)ps2_read_data();
        ps2_pause();
    }
    return EIO;
}

static enum error write_configuration(struct ps2_controller *controller, uint64_t configuration)
{
    enum error error = command(WRITE_CONFIGURATION);
    if (error == OK) {
        error = wait_for_input();
    }
    if (error == OK) {
        ps2_write_data((uint8_t)configuration);
        controller->configuration = (uint8_t)configuration;
    }
    return error;
}

static enum error configure(struct ps2_controller *controller, enum ps2_translation translation)
{
    uint64_t configuration = CONFIGURATION_SYSTEM_FLAG | CONFIGURATION_MOUSE_DISABLED;
    if (translation == PS2_TRANSLATED) {
        configuration |= CONFIGURATION_TRANSLATION;
    }
    enum error error = write_configuration(controller, configuration);
    uint8_t kept = 0;
    if (error == OK) {
        error = ask(READ_CONFIGURATION, &kept);
    }
    if (error == OK && ((kept ^ configuration) & CONFIGURATION_CHECKED) != 0) {
        error = EIO;
    }
    return error;
}

static enum error close_and_empty(void)
{
    enum error error = command(DISABLE_KEYBOARD);
    if (error == OK) {
        error = command(DISABLE_MOUSE);
    }
    return error == OK ? discard_leftovers() : error;
}

static enum error test_hardware(void)
{
    enum error error = require_answer(TEST_CONTROLLER, CONTROLLER_PASSED);
    return error == OK ? require_answer(TEST_KEYBOARD_PORT, PORT_PASSED) : error;
}

// The test of the controller may reset it, so it is configured behind that.
enum error ps2_controller_init(struct ps2_controller *controller, enum ps2_translation translation)
{
    if (ps2_read_status() == PS2_STATUS_NO_DEVICE) {
        return ENODEV;
    }
    enum error error = close_and_empty();
    if (error == OK) {
        error = test_hardware();
    }
    if (error == OK) {
        error = configure(controller, translation);
    }
    return error == OK ? command(ENABLE_KEYBOARD) : error;
}

enum error ps2_controller_set_interrupt(struct ps2_controller *controller,
                                        enum ps2_interrupt interrupt)
{
    uint64_t others = controller->configuration & ~CONFIGURATION_KEYBOARD_INTERRUPT;
    uint64_t bit = interrupt == PS2_INTERRUPT_ON ? CONFIGURATION_KEYBOARD_INTERRUPT : 0;
    return write_configuration(controller, others | bit);
}
