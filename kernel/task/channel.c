// SPDX-License-Identifier: MIT
#include "task/channel.h"

#include "lib/assert.h"
#include "lib/container_of.h"
#include "lib/string.h"
#include "sync/irq_state.h"

void channel_init(struct channel *channel, void *elements, size_t element_bytes, uint32_t capacity)
{
    assert(capacity > 0);
    *channel = (struct channel){
        .elements = elements,
        .element_bytes = element_bytes,
        .capacity = capacity,
    };
    semaphore_init(&channel->room, capacity);
    semaphore_init(&channel->filled, 0);
}

static uint8_t *element_at(const struct channel *channel, uint64_t index)
{
    return channel->elements + index % channel->capacity * channel->element_bytes;
}

// With a permit for room. Then others can take it.
static enum error put(struct channel *channel, const void *element)
{
    irq_state_t state = irq_save();
    enum error error = channel->is_closed ? EPIPE : OK;
    if (error == OK) {
        uint64_t end = (uint64_t)channel->first + channel->count;
        memcpy(element_at(channel, end), element, channel->element_bytes);
        channel->count++;
        semaphore_release(&channel->filled);
    }
    irq_restore(state);
    return error;
}

// Receivers may wait for what others have been granted, and would wait for ever.
static void close_if_at_end(struct channel *channel) REQUIRES(interrupts_off)
{
    if (channel->is_closed && channel->count == 0) {
        semaphore_close(&channel->filled);
    }
}

// With a permit for what is filled.
static void take(struct channel *channel, void *element_out)
{
    irq_state_t state = irq_save();
    memcpy(element_out, element_at(channel, channel->first), channel->element_bytes);
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
    semaphore_release(&channel->room);
    close_if_at_end(channel);
    irq_restore(state);
}

void channel_close(struct channel *channel)
{
    irq_state_t state = irq_save();
    channel->is_closed = true;
    semaphore_close(&channel->room);
    close_if_at_end(channel);
    irq_restore(state);
}

enum error channel_try_send(struct channel *channel, const void *element)
{
    if (semaphore_try_acquire(&channel->room)) {
        return put(channel, element);
    }
    return semaphore_is_closed(&channel->room) ? EPIPE : EAGAIN;
}

enum error channel_try_receive(struct channel *channel, void *element_out)
{
    if (semaphore_try_acquire(&channel->filled)) {
        take(channel, element_out);
        return OK;
    }
    return semaphore_is_closed(&channel->filled) ? EPIPE : EAGAIN;
}

// --- Send ---------------------------------------------------------------------------------------

static enum poll send_poll(struct future *future, struct poll_context *context)
{
    struct channel_send *send = container_of(future, struct channel_send, future);
    if (future_poll(&send->acquire.future, context) == POLL_PENDING) {
        return POLL_PENDING;
    }
    send->result = send->acquire.result == OK ? put(send->channel, send->element) : EPIPE;
    return POLL_READY;
}

static void send_drop(struct future *future)
{
    future_drop(&container_of(future, struct channel_send, future)->acquire.future);
}

void channel_send_init(struct channel_send *send, struct channel *channel, const void *element)
{
    *send = (struct channel_send){.channel = channel, .element = element};
    semaphore_acquire_init(&send->acquire, &channel->room);
    future_init(&send->future, send_poll, send_drop);
}

// --- Receive ------------------------------------------------------------------------------------

static enum poll receive_poll(struct future *future, struct poll_context *context)
{
    struct channel_receive *receive = container_of(future, struct channel_receive, future);
    if (future_poll(&receive->acquire.future, context) == POLL_PENDING) {
        return POLL_PENDING;
    }
    receive->result = receive->acquire.result;
    if (receive->result == OK) {
        take(receive->channel, receive->element_out);
    }
    return POLL_READY;
}

static void receive_drop(struct future *future)
{
    future_drop(&container_of(future, struct channel_receive, future)->acquire.future);
}

void channel_receive_init(struct channel_receive *receive, struct channel *channel,
                          void *element_out)
{
    *receive = (struct channel_receive){.channel = channel, .element_out = element_out};
    semaphore_acquire_init(&receive->acquire, &channel->filled);
    future_init(&receive->future, receive_poll, receive_drop);
}
