// SPDX-License-Identifier: MIT
//
// A PS/2 keyboard: an interrupt function that only stores bytes, and a reader that makes keys and
// characters of them and keeps the lights up to date. What is typed ahead waits in a ring.
// Sources: IBM PS/2 Technical Reference, Keyboard; Keyboard and Auxiliary Device Controller.
//
// The interrupt function is the ring's only producer: it runs on one CPU, with interrupts off. All
// else is for one thread at a time, and not for interrupt handlers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/keymap.h"
#include "drivers/ps2_8042.h"
#include "drivers/scancode.h"
#include "lib/byte_ring.h"
#include "lib/error.h"

#define PS2_KEYBOARD_RING_BYTES 1024 // two to eight bytes a key

enum ps2_answer {
    PS2_ANSWER_NONE,      // whatever comes is typed
    PS2_ANSWER_COMMAND,   // to a byte of a command
    PS2_ANSWER_SELF_TEST, // to a reset
};

struct ps2_keyboard {
    struct keymap keymap; // layout and Control's mode may be changed at any time
    struct scancode_decoder decoder;
    struct ps2_controller controller;
    uint8_t lights;           // as they were last asked for
    uint64_t unknown_codes;   // codes that no key has
    uint64_t overruns;        // times that keys were lost, be it here or in the keyboard
    uint64_t failed_commands; // lights that could not be set, and the like
    uint64_t reported_bytes;  // of those that were dropped: what the log says of them

    // The interrupt function's:
    struct byte_ring ring;
    uint8_t bytes[PS2_KEYBOARD_RING_BYTES];
    void (*on_stored)(void *context); // NULL: nobody listens
    void *context;
    uint64_t dropped_bytes;  // atomic; without room in the ring
    uint64_t mouse_bytes;    // nobody has asked for them
    enum ps2_answer awaited; // atomic
    uint8_t answer;          // atomic; 0: has not come
};

// Brings up the controller (see ps2_controller_init) and the keyboard: reset and self-test, set 2,
// lights off, repetition of 30 keys a second after half a second. Sets *keyboard, which must not
// move from then on; what was typed before is lost. ENODEV: there is no controller, or no keyboard.
// EIO: one of them fails its test. ETIMEDOUT: one of them does not answer. At most some seconds.
enum error ps2_keyboard_init(struct ps2_keyboard *keyboard, enum scancode_set set,
                             const struct key_layout *layout);

// From now on, what is typed raises IRQ_KEYBOARD and is stored. EBUSY, ENODEV: as irq_register
// says; ETIMEDOUT: the controller takes nothing. Nothing has been started then.
enum error ps2_keyboard_start(struct ps2_keyboard *keyboard);

// The opposite. What has been stored can still be read; what is typed then stays where it is.
void ps2_keyboard_stop(struct ps2_keyboard *keyboard);

// What the interrupt does; who has not started it may call this instead, with interrupts off. Never
// waits, and takes a bounded number of bytes.
void ps2_keyboard_on_interrupt(void *keyboard);

// From now on, function(context) is called in the interrupt behind what it has stored: there may be
// a key to read. EBUSY: somebody listens. At any time behind ps2_keyboard_init.
enum error ps2_keyboard_listen(struct ps2_keyboard *keyboard, void (*function)(void *context),
                               void *context);
void ps2_keyboard_stop_listening(struct ps2_keyboard *keyboard);

static inline uint64_t ps2_keyboard_dropped_bytes(const struct ps2_keyboard *keyboard)
{
    return __atomic_load_n(&keyboard->dropped_bytes, __ATOMIC_RELAXED);
}

// The next key of those that have come; false, and *input_out untouched, if there is none. Waits
// only where a lock has changed, until the keyboard has its lights: a bounded time.
bool ps2_keyboard_read(struct ps2_keyboard *keyboard, struct key_input *input_out);

// Lights of KEYMAP_..._LOCK. EIO, ETIMEDOUT: they are as they were.
enum error ps2_keyboard_set_lights(struct ps2_keyboard *keyboard, uint8_t locks);

enum ps2_repeat_delay {
    PS2_REPEAT_AFTER_250_MS,
    PS2_REPEAT_AFTER_500_MS,
    PS2_REPEAT_AFTER_750_MS,
    PS2_REPEAT_AFTER_1000_MS,
};

#define PS2_REPEAT_FASTEST 0  // 30 a second
#define PS2_REPEAT_SLOWEST 31 // 2 a second

// How a held key repeats. EINVAL: not a rate. EIO, ETIMEDOUT: it is as it was.
enum error ps2_keyboard_set_repetition(struct ps2_keyboard *keyboard, enum ps2_repeat_delay delay,
                                       unsigned rate);
