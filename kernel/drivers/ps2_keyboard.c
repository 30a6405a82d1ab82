// SPDX-License-Identifier: MIT
//
// The keyboard answers each byte that it is sent, and its answers come the way that keys come. So
// the interrupt function picks them out while somebody waits for one, and whoever waits calls the
// interrupt function too: it makes no difference whether interrupts are on. A key that is pressed
// meanwhile is kept.
#include "drivers/ps2_keyboard.h"

#include <stddef.h>

#include "drivers/ps2_port.h"
#include "irq/irq.h"
#include "sync/irq_state.h"

enum keyboard_command {
    SET_LIGHTS = 0xed,
    SET_SCANCODE_SET = 0xf0,
    SET_REPETITION = 0xf3,
    ENABLE_SCANNING = 0xf4,
    DISABLE_SCANNING = 0xf5,
    RESET = 0xff,
};

// The release of the keypad's comma, in Brazil, is 0xfe in set 1 too: just then, it is lost.
enum keyboard_answer {
    SELF_TEST_PASSED = 0xaa,
    ACKNOWLEDGED = 0xfa,
    SELF_TEST_FAILED = 0xfc,
    SEND_AGAIN = 0xfe,
};

#define BYTES_AT_ONCE 16        // that an interrupt takes: as many as a keyboard stores
#define ANSWER_POLLS_MAX 100000 // of a microsecond or more; it has 20 ms
#define RESET_POLLS_MAX 2000000 // it has 750 ms
#define ATTEMPTS_MAX 3

// --- In the interrupt ---------------------------------------------------------------------------

static bool is_answer(enum ps2_answer awaited, uint8_t byte)
{
    if (awaited == PS2_ANSWER_SELF_TEST) {
        return byte == SELF_TEST_PASSED || byte == SELF_TEST_FAILED || byte == SEND_AGAIN;
    }
    return awaited == PS2_ANSWER_COMMAND && (byte == ACKNOWLEDGED || byte == SEND_AGAIN);
}

// The last place is for the news that something is missing behind it.
static void keep(struct ps2_keyboard *keyboard, uint8_t byte)
{
    uint32_t free_bytes = byte_ring_free_bytes(&keyboard->ring);
    bool has_room = free_bytes > 1;
    if (free_bytes != 0) {
        byte_ring_put(&keyboard->ring, has_room ? byte : SCANCODE_OVERRUN);
    }
    uint64_t dropped_bytes = keyboard->dropped_bytes + !has_room;
    __atomic_store_n(&keyboard->dropped_bytes, dropped_bytes, __ATOMIC_RELAXED);
}

static void take(struct ps2_keyboard *keyboard, uint8_t byte)
{
    enum ps2_answer awaited = __atomic_load_n(&keyboard->awaited, __ATOMIC_ACQUIRE);
    if (is_answer(awaited, byte)) {
        __atomic_store_n(&keyboard->awaited, PS2_ANSWER_NONE, __ATOMIC_RELAXED);
        __atomic_store_n(&keyboard->answer, byte, __ATOMIC_RELEASE);
        return;
    }
    bool announces_self_test = awaited == PS2_ANSWER_SELF_TEST && byte == ACKNOWLEDGED;
    if (!announces_self_test) {
        keep(keyboard, byte);
    }
}

// The data port is not read while it is empty: it would give the last byte once more, and a byte
// that comes just then would be lost.
static void take_all(struct ps2_keyboard *keyboard)
{
    for (int i = 0; i < BYTES_AT_ONCE; i++) {
        uint8_t status = ps2_read_status();
        if ((status & PS2_STATUS_OUTPUT_FULL) == 0) {
            return;
        }
        uint8_t byte = ps2_read_data();
        if ((status & PS2_STATUS_MOUSE) != 0) {
            keyboard->mouse_bytes++;
        } else if ((status & PS2_STATUS_DAMAGED) != 0) {
            keep(keyboard, SCANCODE_OVERRUN);
        } else {
            take(keyboard, byte);
        }
    }
}

void ps2_keyboard_on_interrupt(void *context)
{
    struct ps2_keyboard *keyboard = context;
    uint32_t put_count = keyboard->ring.ring.put_count;
    take_all(keyboard);
    if (keyboard->on_stored != NULL && keyboard->ring.ring.put_count != put_count) {
        keyboard->on_stored(keyboard->context);
    }
}

enum error ps2_keyboard_listen(struct ps2_keyboard *keyboard, void (*function)(void *context),
                               void *context)
{
    irq_state_t state = irq_save();
    enum error error = keyboard->on_stored == NULL ? OK : EBUSY;
    if (error == OK) {
        keyboard->context = context;
        keyboard->on_stored = function;
    }
    irq_restore(state);
    return error;
}

void ps2_keyboard_stop_listening(struct ps2_keyboard *keyboard)
{
    irq_state_t state = irq_save();
    keyboard->on_stored = NULL;
    irq_restore(state);
}

// --- Commands -----------------------------------------------------------------------------------

static void poll(struct ps2_keyboard *keyboard)
{
    irq_state_t state = irq_save();
    ps2_keyboard_on_interrupt(keyboard);
    irq_restore(state);
}

static enum error send(struct ps2_keyboard *keyboard, uint8_t byte)
{
    for (uint32_t polls = 0; polls < ANSWER_POLLS_MAX; polls++) {
        poll(keyboard);
        if ((ps2_read_status() & PS2_STATUS_INPUT_FULL) == 0) {
            ps2_write_data(byte);
            return OK;
        }
        ps2_pause();
    }
    return ETIMEDOUT;
}

static enum error wait_for_answer(struct ps2_keyboard *keyboard, uint32_t polls_max,
                                  uint8_t *answer_out)
{
    for (uint32_t polls = 0; polls < polls_max; polls++) {
        poll(keyboard);
        *answer_out = __atomic_load_n(&keyboard->answer, __ATOMIC_ACQUIRE);
        if (*answer_out != 0) {
            return OK;
        }
        ps2_pause();
    }
    return ETIMEDOUT;
}

static enum error ask_once(struct ps2_keyboard *keyboard, uint8_t byte, enum ps2_answer awaited,
                           uint8_t *answer_out)
{
    uint32_t polls_max = awaited == PS2_ANSWER_SELF_TEST ? RESET_POLLS_MAX : ANSWER_POLLS_MAX;
    __atomic_store_n(&keyboard->answer, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&keyboard->awaited, awaited, __ATOMIC_RELEASE);
    enum error error = send(keyboard, byte);
    if (error == OK) {
        error = wait_for_answer(keyboard, polls_max, answer_out);
    }
    __atomic_store_n(&keyboard->awaited, PS2_ANSWER_NONE, __ATOMIC_RELEASE);
    return error;
}

static enum error ask(struct ps2_keyboard *keyboard, uint8_t byte, enum ps2_answer awaited)
{
    uint8_t answer = SEND_AGAIN;
    for (int i = 0; i < ATTEMPTS_MAX && answer == SEND_AGAIN; i++) {
        enum error error = ask_once(keyboard, byte, awaited, &answer);
        if (error != OK) {
            return error;
        }
    }
    return answer == ACKNOWLEDGED || answer == SELF_TEST_PASSED ? OK : EIO;
}

static enum error command(struct ps2_keyboard *keyboard, enum keyboard_command command)
{
    return ask(keyboard, (uint8_t)command, PS2_ANSWER_COMMAND);
}

static enum error command_with(struct ps2_keyboard *keyboard, enum keyboard_command first,
                               uint8_t parameter)
{
    enum error error = command(keyboard, first);
    return error == OK ? ask(keyboard, parameter, PS2_ANSWER_COMMAND) : error;
}

enum error ps2_keyboard_set_lights(struct ps2_keyboard *keyboard, uint8_t locks)
{
    return command_with(keyboard, SET_LIGHTS, locks);
}

enum error ps2_keyboard_set_repetition(struct ps2_keyboard *keyboard, enum ps2_repeat_delay delay,
                                       unsigned rate)
{
    if (rate > PS2_REPEAT_SLOWEST) {
        return EINVAL;
    }
    return command_with(keyboard, SET_REPETITION, (uint8_t)((unsigned)delay << 5 | rate));
}

// --- Bringing up --------------------------------------------------------------------------------

// A keyboard that does not even answer this is none.
static enum error find(struct ps2_keyboard *keyboard)
{
    enum error error = command(keyboard, DISABLE_SCANNING);
    return error == ETIMEDOUT ? ENODEV : error;
}

// The decoder's set is what arrives; the keyboard itself has set 2, as every one knows that.
static enum error configure(struct ps2_keyboard *keyboard)
{
    enum error error = command_with(keyboard, SET_SCANCODE_SET, 2);
    if (error == OK) {
        error = ps2_keyboard_set_repetition(keyboard, PS2_REPEAT_AFTER_500_MS, PS2_REPEAT_FASTEST);
    }
    if (error == OK) {
        error = ps2_keyboard_set_lights(keyboard, keyboard->lights);
    }
    return error == OK ? command(keyboard, ENABLE_SCANNING) : error;
}

enum error ps2_keyboard_init(struct ps2_keyboard *keyboard, enum scancode_set set,
                             const struct key_layout *layout)
{
    *keyboard = (struct ps2_keyboard){};
    keyboard->ring = BYTE_RING(keyboard->bytes, PS2_KEYBOARD_RING_BYTES);
    keymap_init(&keyboard->keymap, layout);
    scancode_decoder_init(&keyboard->decoder, set);
    enum error error = ps2_controller_init(
        &keyboard->controller, set == SCANCODE_SET_1 ? PS2_TRANSLATED : PS2_UNTRANSLATED);
    if (error == OK) {
        error = find(keyboard);
    }
    if (error == OK) {
        error = ask(keyboard, RESET, PS2_ANSWER_SELF_TEST);
    }
    return error == OK ? configure(keyboard) : error;
}

// The line is unmasked before the controller may raise it: an I/O APIC forgets what comes to a
// masked line, and the controller raises it only once for each byte.
enum error ps2_keyboard_start(struct ps2_keyboard *keyboard)
{
    enum error error =
        irq_register(IRQ_KEYBOARD, "keyboard", IRQ_PLAIN, ps2_keyboard_on_interrupt, keyboard);
    if (error != OK) {
        return error;
    }
    irq_unmask(IRQ_KEYBOARD);
    error = ps2_controller_set_interrupt(&keyboard->controller, PS2_INTERRUPT_ON);
    if (error != OK) {
        irq_unregister(IRQ_KEYBOARD);
        return error;
    }
    poll(keyboard); // what has come before
    return OK;
}

void ps2_keyboard_stop(struct ps2_keyboard *keyboard)
{
    irq_unregister(IRQ_KEYBOARD);
    enum error error = ps2_controller_set_interrupt(&keyboard->controller, PS2_INTERRUPT_OFF);
    keyboard->failed_commands += error != OK; // the line is masked in any case
}

// --- Reading ------------------------------------------------------------------------------------

// If that fails, it is not tried again before the next change.
static void update_lights(struct ps2_keyboard *keyboard)
{
    if (keyboard->lights != keyboard->keymap.locks) {
        keyboard->lights = keyboard->keymap.locks;
        enum error error = ps2_keyboard_set_lights(keyboard, keyboard->lights);
        keyboard->failed_commands += error != OK;
    }
}

bool ps2_keyboard_read(struct ps2_keyboard *keyboard, struct key_input *input_out)
{
    uint8_t byte;
    while (byte_ring_take(&keyboard->ring, &byte)) {
        struct key_event event;
        enum error error = scancode_decode(&keyboard->decoder, byte, &event);
        if (error == OK) {
            *input_out = keymap_process(&keyboard->keymap, event);
            update_lights(keyboard);
            return true;
        }
        if (error == EIO) {
            keyboard->overruns++;
            keymap_release_all(&keyboard->keymap);
        }
        keyboard->unknown_codes += error == EINVAL;
    }
    return false;
}
