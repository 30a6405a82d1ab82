// SPDX-License-Identifier: MIT
//
// Keys from a keyboard to a task that awaits them. The interrupt stores the bytes in the keyboard's
// ring and wakes; it is the task that makes keys of them and sets the lights.
//
//     key_stream_next_init(&self->next, &stream);
//     AWAIT(self, &self->next.future);
//     if (self->next.has_key) { ... self->next.input ... } else { the stream was closed }
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/ps2_keyboard.h"
#include "lib/error.h"
#include "task/atomic_waker.h"
#include "task/future.h"

// Zeroed it is closed.
struct key_stream {
    struct ps2_keyboard *keyboard; // NULL: closed
    struct atomic_waker reader;
};

// What has been typed ahead comes first. EBUSY: the keyboard has a stream, or this one is open. For
// tasks and threads, as is all of this.
enum error key_stream_open(struct key_stream *stream, struct ps2_keyboard *keyboard);

// Wakes who waits, for the end. Nothing if it is closed.
void key_stream_close(struct key_stream *stream);

// The next key, or the end. One task may wait at a time, and nobody else reads the keyboard.
struct key_stream_next {
    struct future future;
    struct key_stream *stream;
    bool has_key; // when it is ready; false: the stream was closed
    struct key_input input;
};

void key_stream_next_init(struct key_stream_next *next, struct key_stream *stream);
