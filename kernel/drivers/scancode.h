// SPDX-License-Identifier: MIT
//
// What a PS/2 keyboard sends, byte by byte, as keys that are pressed and released. Pure. Sources:
// Microsoft, Keyboard Scan Code Specification 1.3a; IBM PS/2 Technical Reference, Keyboard.
//
//   set 1   [e0] CODE, with bit 7 set for a release
//   set 2   [e0] CODE, with f0 before CODE for a release
//   both    e1 CONTROL NUM-LOCK is Pause: each of the two as above, and both pressed or released
//
// Shifts behind e0 are sent so that old programs understand keys with an e0: they are passed over.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/key.h"
#include "lib/error.h"

enum scancode_set {
    SCANCODE_SET_1,
    SCANCODE_SET_2,
};

// Sent by the keyboard itself, in either set, where its own buffer overflows; so are 0xff.
#define SCANCODE_OVERRUN 0x00

struct scancode_decoder {
    enum scancode_set set;
    uint8_t prefix;           // e0, e1 or 0
    bool is_release;          // set 2: behind f0
    bool has_control;         // behind e1: the first half of Pause has come,
    bool is_control_released; // and this way
};

void scancode_decoder_init(struct scancode_decoder *decoder, enum scancode_set set);

// OK: *event_out is what this byte completes. Otherwise it is untouched, and
//   EAGAIN: there is more to come, or it is nothing that counts
//   EINVAL: no key has this code; the decoder begins anew, with this byte if it is a prefix
//   EIO: the keyboard has lost keys; the decoder begins anew
enum error scancode_decode(struct scancode_decoder *decoder, uint8_t byte,
                           struct key_event *event_out);
