// SPDX-License-Identifier: MIT
//
// For tests: a controller and a keyboard in the place of ps2_port.c's, which can be told to fail.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktest.h"

#define FAKE_COMMAND 0x100 // or-ed to what is written to the command port
#define FAKE_WRITES_MAX 64
#define FAKE_BYTES_MAX 4096

struct fake_8042 {
    // What it does
    uint8_t always_status;      // or-ed to the status
    uint8_t controller_answer;  // to its self-test
    uint8_t port_answer;        // to the test of the keyboard's port
    uint8_t lost_configuration; // bits of the configuration that it does not keep
    uint8_t self_test_answer;   // of the keyboard
    unsigned resend_count;      // the next bytes that the keyboard wants again
    uint8_t typed_meanwhile;    // comes before the keyboard's next answer, if not 0
    bool is_mute;               // the keyboard does not answer
    bool is_controller_mute;    // nor does the controller
    bool is_one_way;            // takes nothing while it has something to give
    bool moves_mouse; // a byte of the mouse's comes before each answer of the controller's

    // What has been done to it
    uint16_t writes[FAKE_WRITES_MAX];
    size_t write_count;
    size_t status_count;
    size_t read_count;
    uint8_t configuration;
    bool awaits_configuration;

    // What is to be read, each with the bits of its status
    uint16_t bytes[FAKE_BYTES_MAX];
    size_t byte_count;
    size_t taken_count;
};

extern struct fake_8042 fake_8042;

// A controller and a keyboard that work, until the test ends.
void fake_8042_install(struct ktest *test);

// Bytes that the keyboard sends; `status` has further bits of the status: PS2_STATUS_MOUSE.
void fake_8042_type(const uint8_t *bytes, size_t count, uint8_t status);
