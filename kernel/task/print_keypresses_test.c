// SPDX-License-Identifier: MIT
//
// The post's task print_keypresses, which prints what is typed at the machine's own keyboard,
// beside many others. Command 0xd2 of the controller raises IRQ_KEYBOARD for any byte.
#include "boot/arguments.h"
#include "debug/log.h"
#include "debug/log_fixture.h"
#include "drivers/keyboard.h"
#include "drivers/ps2_port.h"
#include "ktest.h"
#include "lib/string.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/key_stream.h"

#define OTHERS 100
#define INJECT 0xd2

static struct key_stream stream;
static struct executor executor;

// Decodes and prints, until Escape is released.
struct printer {
    struct coroutine coroutine;
    struct task task;
    struct key_stream_next next;
};

static void print_character(uint32_t character)
{
    if (character >= ' ' && character <= '~') {
        print("%c", (char)character);
    }
}

static enum coroutine_step print_keys(struct coroutine *coroutine)
{
    struct printer *self = container_of(coroutine, struct printer, coroutine);
    COROUTINE_BEGIN(self);
    do {
        key_stream_next_init(&self->next, &stream);
        AWAIT(self, &self->next.future);
        print_character(self->next.input.character);
    } while (self->next.input.event.key != KEY_ESCAPE || self->next.input.event.is_pressed);
    return COROUTINE_RETURNS;
}

// Always ready; the first one types what it is told to.
struct other {
    struct coroutine coroutine;
    struct task task;
    const uint8_t *typed; // up to a 0
};

static enum coroutine_step run_beside(struct coroutine *coroutine)
{
    struct other *self = container_of(coroutine, struct other, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        if (*self->typed != 0) {
            ps2_write_command(INJECT);
            ps2_write_data(*self->typed++);
        }
        COROUTINE_YIELD(self);
    }
}

static struct printer printer;
static struct other others[OTHERS];

static void spawn(struct task *task, const char *name, struct future *future)
{
    task_init(task, name, future);
    task_get(task);
    executor_spawn(&executor, task);
}

static void end_tasks(void *unused)
{
    (void)unused;
    executor_close(&executor);
    key_stream_close(&stream);
    keyboard_stop();
}

static void spawn_others(const uint8_t *typed)
{
    for (size_t i = 0; i < OTHERS; i++) {
        coroutine_init(&others[i].coroutine, run_beside);
        others[i].typed = i == 0 ? typed : (const uint8_t *)"";
        spawn(&others[i].task, "other", &others[i].coroutine.future);
    }
}

// False on a machine without a keyboard.
static bool begin_printing(struct ktest *test)
{
    enum error error = keyboard_start();
    if (error == ENODEV) {
        KTEST_EXPECT_EQ(test, ps2_read_status(), PS2_STATUS_NO_DEVICE);
        return false;
    }
    KTEST_ASSERT_EQ(test, error, OK);
    executor_init(&executor, "test");
    stream = (struct key_stream){};
    log_fixture_start(test);
    ktest_add_action(test, end_tasks, NULL);
    KTEST_ASSERT_EQ(test, key_stream_open(&stream, keyboard_device()), OK);
    coroutine_init(&printer.coroutine, print_keys);
    spawn(&printer.task, "printer", &printer.coroutine.future);
    return true;
}

// With test.typist set, somebody outside types, up to Escape: host_tests/test_input.py. Without it,
// a task does.
KTEST_ATTR(print_keypresses, decodes_and_prints_while_others_run, .proves = "12.3.8",
           .timeout_ms = 60000);
KTEST(print_keypresses, decodes_and_prints_while_others_run)
{
    static const uint8_t hi[] = {0x2a, 0x23, 0xa3, 0xaa, 0x17, 0x97, 0x01, 0x81, 0};
    static const size_t up_to_escape = 7;
    bool has_typist = argument("test.typist") != NULL;
    if (!begin_printing(test)) {
        return;
    }
    spawn_others(has_typist ? (const uint8_t *)"" : hi);
    if (has_typist) {
        println("It did not crash!");
    }
    executor_run_until_ended(&executor, &printer.task);
    KTEST_EXPECT_GE(test, others[OTHERS - 1].task.poll_count, up_to_escape);
    if (has_typist) {
        println("%lu turns of the others", others[OTHERS - 1].task.poll_count);
    } else {
        KTEST_EXPECT_STREQ(test, log_fixture_text(), "Hi");
    }
}
