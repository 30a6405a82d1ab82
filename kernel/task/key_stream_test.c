// SPDX-License-Identifier: MIT
//
// On a fake controller, whose interrupt function the tests call themselves.
#include "task/key_stream.h"

#include "debug/log_fixture.h"
#include "drivers/fake_8042_test.h"
#include "ktest.h"
#include "task/test_waker.h"

static struct ps2_keyboard keyboard;
static struct key_stream stream;
static struct test_waker waker;
static struct key_stream_next next;

static void close_stream(void *unused)
{
    (void)unused;
    key_stream_close(&stream);
}

static void open_stream(struct ktest *test)
{
    waker = test_waker_make();
    stream = (struct key_stream){};
    KTEST_ASSERT_EQ(test, key_stream_open(&stream, &keyboard), OK);
    ktest_add_action(test, close_stream, NULL);
    key_stream_next_init(&next, &stream);
}

static void open_on_fake(struct ktest *test)
{
    fake_8042_install(test);
    KTEST_ASSERT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), OK);
    fake_8042.write_count = 0;
    open_stream(test);
}

static void type(uint8_t byte)
{
    fake_8042_type(&byte, 1, 0);
    ps2_keyboard_on_interrupt(&keyboard);
}

static enum poll poll(void)
{
    struct poll_context context = {&waker.waker};
    return future_poll(&next.future, &context);
}

// The next key's character; -1: the end, -2: it has to wait.
static int take(void)
{
    key_stream_next_init(&next, &stream);
    if (poll() == POLL_PENDING) {
        future_drop(&next.future);
        return -2;
    }
    return next.has_key ? (int)next.input.character : -1;
}

// --- One task -----------------------------------------------------------------------------------

KTEST_ATTR(key_stream, key_wakes_who_waits, .proves = "12.3.4 12.3.6");
KTEST(key_stream, key_wakes_who_waits)
{
    open_on_fake(test);
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    type(0x1e);
    type(0x30);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_EQ(test, next.input.character, 'a');
    KTEST_EXPECT_EQ(test, take(), 'b');
    KTEST_EXPECT_EQ(test, take(), -2);
    KTEST_EXPECT_EQ(test, waker.waker.references.count, 1);
}

// Half a key is none: who is woken for it waits on.
KTEST_ATTR(key_stream, half_a_key_is_none, .proves = "12.3.6");
KTEST(key_stream, half_a_key_is_none)
{
    open_on_fake(test);
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    type(0xe0);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    type(0x1c);
    KTEST_EXPECT_EQ(test, waker.wake_count, 2);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_EQ(test, next.input.character, '\n');
}

KTEST_ATTR(key_stream, typed_ahead_comes_first, .proves = "12.3.2");
KTEST(key_stream, typed_ahead_comes_first)
{
    fake_8042_install(test);
    KTEST_ASSERT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), OK);
    type(0x1e); // nobody listens yet
    open_stream(test);
    type(0x30);
    KTEST_EXPECT_EQ(test, take(), 'a');
    KTEST_EXPECT_EQ(test, take(), 'b');
}

KTEST_ATTR(key_stream, keyboard_has_one_stream, .proves = "12.3.2");
KTEST(key_stream, keyboard_has_one_stream)
{
    struct key_stream second = {};
    open_on_fake(test);
    KTEST_EXPECT_EQ(test, key_stream_open(&second, &keyboard), EBUSY);
    KTEST_EXPECT_EQ(test, key_stream_open(&stream, &keyboard), EBUSY);
    key_stream_close(&second);
    type(0x1e);
    KTEST_EXPECT_EQ(test, take(), 'a'); // the first one's still

    key_stream_close(&stream);
    KTEST_EXPECT_EQ(test, key_stream_open(&second, &keyboard), OK);
    key_stream_close(&second);
}

KTEST_ATTR(key_stream, close_is_the_end_for_who_waits, .proves = "12.3.7");
KTEST(key_stream, close_is_the_end_for_who_waits)
{
    open_on_fake(test);
    KTEST_ASSERT_EQ(test, poll(), POLL_PENDING);
    key_stream_close(&stream);
    KTEST_EXPECT_EQ(test, waker.wake_count, 1);
    KTEST_EXPECT_EQ(test, poll(), POLL_READY);
    KTEST_EXPECT_FALSE(test, next.has_key);
    KTEST_EXPECT_EQ(test, take(), -1);
    type(0x1e); // nobody is called
    KTEST_EXPECT_EQ(test, take(), -1);
}

// Keys, modifiers and lights are the task's business: the interrupt only stores bytes.
KTEST_ATTR(key_stream, interrupt_decodes_nothing, .proves = "12.3.9");
KTEST(key_stream, interrupt_decodes_nothing)
{
    open_on_fake(test);
    struct keymap keymap = keyboard.keymap;
    struct scancode_decoder decoder = keyboard.decoder;
    static const uint8_t typed[] = {0x3a, 0xba, 0x2a, 0xe0, 0x55};
    for (size_t i = 0; i < sizeof(typed); i++) {
        type(typed[i]);
    }
    KTEST_EXPECT_MEMEQ(test, &keyboard.keymap, &keymap, sizeof(keymap));
    KTEST_EXPECT_MEMEQ(test, &keyboard.decoder, &decoder, sizeof(decoder));
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 0);
    while (take() != -2) {
    }
    KTEST_EXPECT_EQ(test, keyboard.lights, KEYMAP_CAPS_LOCK);
    KTEST_EXPECT_EQ(test, keyboard.unknown_codes, 1);
}

// --- Too much -----------------------------------------------------------------------------------

KTEST_ATTR(key_stream, task_logs_what_was_dropped, .proves = "12.3.3");
KTEST(key_stream, task_logs_what_was_dropped)
{
    open_on_fake(test);
    log_fixture_start(test);
    for (unsigned i = 0; i < PS2_KEYBOARD_RING_BYTES + 9; i++) {
        type(0x1e);
    }
    unsigned key_count = 0;
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "");
    while (take() != -2) {
        key_count++;
    }
    (void)take();
    KTEST_EXPECT_EQ(test, key_count, PS2_KEYBOARD_RING_BYTES - 1); // and one for the marker
    KTEST_EXPECT_STREQ(test, log_fixture_text(),
                       "warn  keyboard: the queue was full, dropped bytes: 10\n");
}

// By whichever stream; and when the keyboard's count begins anew, so does what was said of it.
KTEST(key_stream, what_was_dropped_is_logged_once)
{
    open_on_fake(test);
    log_fixture_start(test);
    for (unsigned i = 0; i < PS2_KEYBOARD_RING_BYTES + 9; i++) {
        type(0x1e);
    }
    while (take() != -2) {
    }
    key_stream_close(&stream);
    KTEST_ASSERT_EQ(test, key_stream_open(&stream, &keyboard), OK);
    KTEST_EXPECT_EQ(test, take(), -2);
    key_stream_close(&stream);
    KTEST_ASSERT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), OK);
    KTEST_ASSERT_EQ(test, key_stream_open(&stream, &keyboard), OK);
    KTEST_EXPECT_EQ(test, take(), -2);
    KTEST_EXPECT_STREQ(test, log_fixture_text(),
                       "warn  keyboard: the queue was full, dropped bytes: 10\n");
}
