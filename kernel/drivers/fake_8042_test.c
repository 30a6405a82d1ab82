// SPDX-License-Identifier: MIT
//
// It takes each byte at once, and has answered before the next look at its status.
#include "drivers/fake_8042_test.h"

#include "drivers/ps2_port.h"

struct fake_8042 fake_8042;

static void push(uint8_t byte, uint8_t status)
{
    if (fake_8042.byte_count < FAKE_BYTES_MAX) {
        fake_8042.bytes[fake_8042.byte_count++] = (uint16_t)(status << 8 | byte);
    }
}

static void note_write(uint16_t word)
{
    if (fake_8042.write_count < FAKE_WRITES_MAX) {
        fake_8042.writes[fake_8042.write_count++] = word;
    }
}

static uint8_t read_status(void)
{
    fake_8042.status_count++;
    uint8_t status = fake_8042.always_status;
    if (fake_8042.taken_count < fake_8042.byte_count) {
        status |= (uint8_t)(fake_8042.bytes[fake_8042.taken_count] >> 8 | PS2_STATUS_OUTPUT_FULL);
        status |= (uint8_t)(fake_8042.is_one_way ? PS2_STATUS_INPUT_FULL : 0);
    }
    return status;
}

static uint8_t read_data(void)
{
    fake_8042.read_count++;
    if (fake_8042.taken_count == fake_8042.byte_count) {
        return 0x1e; // as if somebody had pressed a key: only who reads without need sees it
    }
    return (uint8_t)fake_8042.bytes[fake_8042.taken_count++];
}

static void answer_as_controller(uint8_t byte)
{
    if (fake_8042.moves_mouse) {
        push(0x08, (uint8_t)PS2_STATUS_MOUSE);
    }
    push(byte, 0);
}

static void write_command(uint8_t command)
{
    note_write(FAKE_COMMAND | command);
    if (fake_8042.is_controller_mute) {
        return;
    }
    fake_8042.awaits_configuration = command == 0x60;
    if (command == 0xaa) {
        answer_as_controller(fake_8042.controller_answer);
    } else if (command == 0xab) {
        answer_as_controller(fake_8042.port_answer);
    } else if (command == 0x20) {
        answer_as_controller(fake_8042.configuration);
    }
}

static void answer_as_keyboard(uint8_t byte)
{
    if (fake_8042.typed_meanwhile != 0) {
        push(fake_8042.typed_meanwhile, 0);
        fake_8042.typed_meanwhile = 0;
    }
    if (fake_8042.resend_count > 0) {
        fake_8042.resend_count--;
        push(0xfe, 0);
        return;
    }
    push(0xfa, 0);
    if (byte == 0xff) {
        push(fake_8042.self_test_answer, 0);
    }
}

static void write_data(uint8_t byte)
{
    note_write(byte);
    if (fake_8042.awaits_configuration) {
        fake_8042.awaits_configuration = false;
        fake_8042.configuration = (uint8_t)(byte & ~fake_8042.lost_configuration);
    } else if (!fake_8042.is_mute) {
        answer_as_keyboard(byte);
    }
}

static void do_not_pause(void)
{
}

void fake_8042_install(struct ktest *test)
{
    fake_8042 = (struct fake_8042){.controller_answer = 0x55, .self_test_answer = 0xaa};
    KTEST_STUB(test, ps2_read_status, read_status);
    KTEST_STUB(test, ps2_read_data, read_data);
    KTEST_STUB(test, ps2_write_command, write_command);
    KTEST_STUB(test, ps2_write_data, write_data);
    KTEST_STUB(test, ps2_pause, do_not_pause);
}

void fake_8042_type(const uint8_t *bytes, size_t count, uint8_t status)
{
    for (size_t i = 0; i < count; i++) {
        push(bytes[i], status);
    }
}
