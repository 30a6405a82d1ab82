// SPDX-License-Identifier: MIT
//
// One line and one editor for both sources: all tasks are the executor's, and none is in the middle
// of a key when another one's turn comes.
#include "monitor/monitor.h"

#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "drivers/console.h"
#include "drivers/keyboard.h"
#include "lib/bits.h"
#include "mm/heap/heap.h"
#include "monitor/command.h"
#include "monitor/terminal_input.h"
#include "task/atomic_waker.h"
#include "task/coroutine.h"
#include "task/key_stream.h"
#include "task/serial_stream.h"

#define PROMPT "faultline> "
#define CONTROL_C 0x03

static struct executor executor;
static struct line_editor editor;
static bool shows_keys; // instead of obeying them

// --- What others print --------------------------------------------------------------------------

// A console that shows nothing: it notes what was not printed by the prompt.
static struct {
    bool is_ours;   // what is printed now
    bool is_needed; // the line has to be drawn anew; atomic
    bool is_inside; // of a line: the last byte was no newline
    struct atomic_waker waker;
} redraw;

// With the log's lock held, in any context. A panic is the end of all prompts.
static void overhear(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    if (redraw.is_ours || panic_is_active()) {
        return;
    }
    redraw.is_inside = bytes[size_bytes - 1] != '\n';
    __atomic_store_n(&redraw.is_needed, true, __ATOMIC_SEQ_CST);
    atomic_waker_wake(&redraw.waker);
}

static const struct writer eavesdropper = {.write = overhear};

// --- Keys ---------------------------------------------------------------------------------------

static void redraw_if_needed(void)
{
    if (__atomic_exchange_n(&redraw.is_needed, false, __ATOMIC_SEQ_CST) && !shows_keys) {
        redraw.is_ours = true;
        print("%s", redraw.is_inside ? "\n" : "");
        line_editor_redraw(&editor);
        redraw.is_ours = false;
    }
}

static void press(enum line_key key)
{
    if (line_editor_press(&editor, key)) {
        command_run(editor.text);
        if (!shows_keys) {
            line_editor_begin(&editor);
        }
    }
}

void monitor_show_keys(void)
{
    shows_keys = true;
}

static void stop_showing_keys(void)
{
    shows_keys = false;
    line_editor_begin(&editor);
}

static void show_input(const struct key_input *input)
{
    println("key 0x%02x %s, U+%04x", input->event.key,
            input->event.is_pressed ? "pressed" : "released", input->character);
    if (input->event.key == KEY_ESCAPE && input->event.is_pressed) {
        stop_showing_keys();
    }
}

static void show_byte(uint8_t byte)
{
    println("byte 0x%02x", byte);
    if (byte == CONTROL_C) {
        stop_showing_keys();
    }
}

static void take_input(const struct key_input *input)
{
    redraw_if_needed();
    redraw.is_ours = true;
    if (shows_keys) {
        show_input(input);
    } else {
        press(line_key_of_input(input));
    }
    redraw.is_ours = false;
}

static void take_byte(struct terminal_input *terminal, uint8_t byte)
{
    redraw_if_needed();
    redraw.is_ours = true;
    if (shows_keys) {
        show_byte(byte);
    } else {
        press(terminal_input_decode(terminal, byte));
    }
    redraw.is_ours = false;
}

// --- The tasks ----------------------------------------------------------------------------------

struct keyboard_prompt {
    struct task task;
    struct coroutine coroutine;
    struct key_stream stream;
    struct key_stream_next next;
};

static struct keyboard_prompt keyboard;

static enum coroutine_step read_keyboard(struct coroutine *coroutine)
{
    struct keyboard_prompt *self = container_of(coroutine, struct keyboard_prompt, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        key_stream_next_init(&self->next, &self->stream);
        AWAIT(self, &self->next.future);
        if (!self->next.has_key) {
            return COROUTINE_RETURNS;
        }
        take_input(&self->next.input);
        COROUTINE_YIELD(self);
    }
}

struct serial_prompt {
    struct task task;
    struct coroutine coroutine;
    struct serial_stream stream;
    struct byte_stream_next next;
    struct terminal_input terminal;
};

static struct serial_prompt serial;

static enum coroutine_step read_serial(struct coroutine *coroutine)
{
    struct serial_prompt *self = container_of(coroutine, struct serial_prompt, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        byte_stream_next_init(&self->next, &self->stream.stream);
        AWAIT(self, &self->next.future);
        if (!self->next.has_byte) {
            return COROUTINE_RETURNS;
        }
        take_byte(&self->terminal, self->next.byte);
        COROUTINE_YIELD(self);
    }
}

struct redraw_task {
    struct task task;
    struct future future;
};

static struct redraw_task redrawer;

static bool is_redraw_needed(void *unused)
{
    (void)unused;
    return __atomic_load_n(&redraw.is_needed, __ATOMIC_SEQ_CST);
}

static enum poll poll_redraw(struct future *future, struct poll_context *context)
{
    (void)future;
    while (atomic_waker_poll(&redraw.waker, context, is_redraw_needed, NULL) == POLL_READY) {
        redraw_if_needed();
    }
    return POLL_PENDING;
}

// --- The devices --------------------------------------------------------------------------------

static enum error open_keyboard(void)
{
    enum error error = keyboard_start();
    if (error == OK) {
        error = key_stream_open(&keyboard.stream, keyboard_device());
    }
    return error;
}

static void close_keyboard(void)
{
    key_stream_close(&keyboard.stream);
    keyboard_stop();
}

static enum error open_serial(void)
{
    return console_uart() != NULL ? serial_stream_open(&serial.stream, console_uart()) : ENODEV;
}

void monitor_step_aside(void (*function)(void *argument), void *argument)
{
    bool has_keyboard = keyboard.stream.keyboard != NULL;
    bool has_serial = serial.stream.uart != NULL;
    // Between the two nobody is polled: no task sees the end of its stream.
    if (has_keyboard) {
        close_keyboard();
    }
    serial_stream_close(&serial.stream);
    cpu_disable_interrupts();
    function(argument);
    if (has_keyboard && open_keyboard() != OK) {
        log_error("monitor", "the keyboard is lost");
    }
    if (has_serial && open_serial() != OK) {
        log_error("monitor", "the serial port is lost");
    }
    cpu_enable_interrupts();
}

// --- The prompt ---------------------------------------------------------------------------------

struct executor *monitor_executor(void)
{
    return &executor;
}

bool monitor_has_task(const struct task *task)
{
    return task == &keyboard.task || task == &serial.task || task == &redrawer.task;
}

static void spawn(struct task *task, const char *name, struct future *future)
{
    task_init(task, name, future);
    task->priority = TASK_URGENT;
    executor_spawn(&executor, task);
}

void monitor_run(void)
{
    executor_init(&executor, "main");
    enum error error = open_keyboard();
    if (error == OK) {
        coroutine_init(&keyboard.coroutine, read_keyboard);
        spawn(&keyboard.task, "keyboard prompt", &keyboard.coroutine.future);
    } else {
        log_warn("monitor", "nobody can type at the keyboard: %s", error_name(error));
    }
    error = open_serial();
    if (error == OK) {
        coroutine_init(&serial.coroutine, read_serial);
        spawn(&serial.task, "serial prompt", &serial.coroutine.future);
    } else {
        log_warn("monitor", "nobody can type at the serial port: %s", error_name(error));
    }
    future_init(&redrawer.future, poll_redraw, NULL);
    spawn(&redrawer.task, "redraw", &redrawer.future);

    println("It did not crash!");
    line_editor_init(&editor, &log_text_writer, PROMPT, command_complete, &heap_memory);
    line_editor_begin(&editor);
    log_add_console(&eavesdropper);
    cpu_enable_interrupts();
    executor_run(&executor);
}
