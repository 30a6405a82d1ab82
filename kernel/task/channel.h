// SPDX-License-Identifier: MIT
//
// A queue of bounded length from any number of senders to any number of receivers. Its elements,
// all of one size, lie in its owner's memory, and are copied in and out with interrupts off: what
// is large is better sent as a pointer.
//
//     static struct packet packets[16];
//     channel_init(&channel, packets, sizeof(packets[0]), ARRAY_SIZE(packets));
//
//     channel_send_init(&self->send, &channel, &self->packet);
//     AWAIT(self, &self->send.future);
//
// Two semaphores count what is free and what is filled, so that waiting is fair on both sides. A
// send that is dropped has sent nothing, and a receive that is dropped has taken nothing.
// Source: E. Dijkstra, Cooperating sequential processes (1965), section 4.3: the bounded buffer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/irq_state.h"
#include "task/semaphore.h"

struct channel {
    uint8_t *elements;
    size_t element_bytes;
    uint32_t capacity;
    struct semaphore room;   // permits to put an element
    struct semaphore filled; // permits to take one; closed when there will be none any more

    uint32_t first GUARDED_BY(interrupts_off); // index of the first element that is filled
    uint32_t count GUARDED_BY(interrupts_off); // of those that are
    bool is_closed GUARDED_BY(interrupts_off);
};

// `elements` is room for `capacity` elements, at least one.
void channel_init(struct channel *channel, void *elements, size_t element_bytes, uint32_t capacity);

// These are for any context but NMI, #DF and #MC.

// EAGAIN: it is full, or others wait to send; EPIPE: it is closed.
enum error channel_try_send(struct channel *channel, const void *element);

// EAGAIN: it is empty, or what is there is for others who have waited; EPIPE: it is closed, and
// empty. Then *element_out is untouched.
enum error channel_try_receive(struct channel *channel, void *element_out);

// Nobody can send any more, and those who wait to get EPIPE; what has been sent can be received,
// and then EPIPE. It may be closed again.
void channel_close(struct channel *channel);

// A future that is ready when the element has been sent, or can't be. It is read only then.
struct channel_send {
    struct future future;
    struct channel *channel;
    const void *element;
    enum error result; // OK, or EPIPE: closed, and nothing was sent
    struct semaphore_acquire acquire;
};

void channel_send_init(struct channel_send *send, struct channel *channel, const void *element);

// A future that is ready when an element has been received, or there will be none.
struct channel_receive {
    struct future future;
    struct channel *channel;
    void *element_out;
    enum error result; // OK, or EPIPE: closed and empty, and *element_out is untouched
    struct semaphore_acquire acquire;
};

void channel_receive_init(struct channel_receive *receive, struct channel *channel,
                          void *element_out);
