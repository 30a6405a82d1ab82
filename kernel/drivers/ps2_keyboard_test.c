// SPDX-License-Identifier: MIT
//
// The driver on a fake controller, which can do anything, and on the machine's own, where bytes
// come as if they were typed: command 0xd2 puts the next one where the keyboard's arrive, 0xd3
// where the mouse's do. The line stays masked, and the tests call the interrupt function
// themselves.
#include "drivers/ps2_keyboard.h"

#include "arch/x86_64/cpu.h"
#include "boot/arguments.h"
#include "debug/log.h"
#include "drivers/fake_8042_test.h"
#include "drivers/ps2_port.h"
#include "irq/irq.h"
#include "ktest.h"
#include "lib/string.h"

static struct ps2_keyboard keyboard;

static void init_on_fake(struct ktest *test)
{
    fake_8042_install(test);
    KTEST_ASSERT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), OK);
    fake_8042.write_count = 0;
}

static void interrupt(void)
{
    ps2_keyboard_on_interrupt(&keyboard);
}

static void type(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fake_8042_type(&bytes[i], 1, 0);
        interrupt();
    }
}

#define TYPE(...)                                                                                  \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        type(bytes_, sizeof(bytes_));                                                              \
    } while (0)

// The characters of all that has come.
static const char *read_text(void)
{
    static char text[512];
    size_t count = 0;
    struct key_input input;
    while (ps2_keyboard_read(&keyboard, &input)) {
        if (input.character != 0 && count < sizeof(text) - 1) {
            text[count++] = (char)input.character;
        }
    }
    text[count] = 0;
    return text;
}

// --- Bringing up --------------------------------------------------------------------------------

static const uint16_t bring_up_writes[] = {
    0x1ad, 0x1a7, 0x1aa, 0x1ab, 0x160, 0x64, 0x120, 0x1ae, // the controller
    0xf5,                                                  // is there a keyboard?
    0xff,                                                  // reset and self-test
    0xf0,  0x02,                                           // scan codes of set 2
    0xf3,  0x20,                                           // repetition
    0xed,  0x00,                                           // lights
    0xf4,                                                  // go
};

KTEST_ATTR(ps2_keyboard, is_brought_up_in_this_order, .proves = "7.6.10");
KTEST(ps2_keyboard, is_brought_up_in_this_order)
{
    fake_8042_install(test);
    KTEST_EXPECT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), OK);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, ARRAY_SIZE(bring_up_writes));
    KTEST_EXPECT_MEMEQ(test, fake_8042.writes, bring_up_writes, sizeof(bring_up_writes));
    KTEST_EXPECT_EQ(test, fake_8042.taken_count, fake_8042.byte_count);
    KTEST_EXPECT_STREQ(test, read_text(), "");
}

KTEST_ATTR(ps2_keyboard, missing_keyboard_is_no_device, .proves = "7.6.10");
KTEST(ps2_keyboard, missing_keyboard_is_no_device)
{
    fake_8042_install(test);
    fake_8042.is_mute = true;
    KTEST_EXPECT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), ENODEV);
    KTEST_EXPECT_EQ(test, keyboard.awaited, PS2_ANSWER_NONE);
}

KTEST_ATTR(ps2_keyboard, failed_self_test_is_an_error, .proves = "7.6.10");
KTEST(ps2_keyboard, failed_self_test_is_an_error)
{
    fake_8042_install(test);
    fake_8042.self_test_answer = 0xfc;
    KTEST_EXPECT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), EIO);
    fake_8042_install(test);
    fake_8042.controller_answer = 0;
    KTEST_EXPECT_EQ(test, ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104), EIO);
}

// --- Commands -----------------------------------------------------------------------------------

KTEST_ATTR(ps2_keyboard, byte_is_sent_again_when_asked_for, .proves = "7.6.10");
KTEST(ps2_keyboard, byte_is_sent_again_when_asked_for)
{
    static const uint16_t expected[] = {0xed, 0xed, 0xed, 0x05};
    init_on_fake(test);
    fake_8042.resend_count = 2;
    KTEST_EXPECT_EQ(test, ps2_keyboard_set_lights(&keyboard, 5), OK);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, ARRAY_SIZE(expected));
    KTEST_EXPECT_MEMEQ(test, fake_8042.writes, expected, sizeof(expected));
}

KTEST_ATTR(ps2_keyboard, byte_is_not_sent_for_ever, .proves = "7.6.10");
KTEST(ps2_keyboard, byte_is_not_sent_for_ever)
{
    init_on_fake(test);
    fake_8042.resend_count = 1000;
    KTEST_EXPECT_EQ(test, ps2_keyboard_set_lights(&keyboard, 5), EIO);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 3);
}

KTEST_ATTR(ps2_keyboard, unanswered_command_ends, .speed = KTEST_SPEED_SLOW, .proves = "7.6.10");
KTEST(ps2_keyboard, unanswered_command_ends)
{
    init_on_fake(test);
    fake_8042.is_mute = true;
    KTEST_EXPECT_EQ(test, ps2_keyboard_set_lights(&keyboard, 5), ETIMEDOUT);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 1);
    fake_8042.always_status = (uint8_t)PS2_STATUS_INPUT_FULL;
    KTEST_EXPECT_EQ(test, ps2_keyboard_set_lights(&keyboard, 5), ETIMEDOUT);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 1);
    TYPE(0xfa, 0x1e); // too late, and nobody takes it for an answer
    KTEST_EXPECT_EQ(test, keyboard.answer, 0);
    fake_8042.always_status = 0;
    KTEST_EXPECT_STREQ(test, read_text(), "a");
}

KTEST_ATTR(ps2_keyboard, key_that_comes_before_the_answer_is_kept, .proves = "7.6.10");
KTEST(ps2_keyboard, key_that_comes_before_the_answer_is_kept)
{
    init_on_fake(test);
    fake_8042.typed_meanwhile = 0x30;
    KTEST_EXPECT_EQ(test, ps2_keyboard_set_lights(&keyboard, 5), OK);
    KTEST_EXPECT_STREQ(test, read_text(), "b");
}

// Some controllers take nothing while they have something to give.
KTEST(ps2_keyboard, key_does_not_stand_in_a_commands_way)
{
    init_on_fake(test);
    fake_8042.is_one_way = true;
    fake_8042_type((const uint8_t[]){0x1e}, 1, 0);
    KTEST_EXPECT_EQ(test, ps2_keyboard_set_lights(&keyboard, 5), OK);
    KTEST_EXPECT_STREQ(test, read_text(), "a");
}

KTEST_ATTR(ps2_keyboard, repetition_is_two_fields, .proves = "7.6.10");
KTEST(ps2_keyboard, repetition_is_two_fields)
{
    static const uint16_t expected[] = {0xf3, 0x7f};
    init_on_fake(test);
    KTEST_EXPECT_EQ(
        test, ps2_keyboard_set_repetition(&keyboard, PS2_REPEAT_AFTER_1000_MS, PS2_REPEAT_SLOWEST),
        OK);
    KTEST_EXPECT_MEMEQ(test, fake_8042.writes, expected, sizeof(expected));
    KTEST_EXPECT_EQ(
        test,
        ps2_keyboard_set_repetition(&keyboard, PS2_REPEAT_AFTER_250_MS, PS2_REPEAT_SLOWEST + 1),
        EINVAL);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 2);
}

// The interrupt function has no time for it: the reader sets the lights, once for each change.
KTEST_ATTR(ps2_keyboard, reader_sets_the_lights, .proves = "7.6.10");
KTEST(ps2_keyboard, reader_sets_the_lights)
{
    static const uint16_t expected[] = {0xed, 0x04, 0xed, 0x06, 0xed, 0x02};
    init_on_fake(test);
    TYPE(0x3a, 0x3a, 0xba, 0x1e, 0x9e, 0x45, 0xc5, 0x3a, 0xba);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 0);
    KTEST_EXPECT_STREQ(test, read_text(), "A");
    KTEST_EXPECT_EQ(test, fake_8042.write_count, ARRAY_SIZE(expected));
    KTEST_EXPECT_MEMEQ(test, fake_8042.writes, expected, sizeof(expected));
    KTEST_EXPECT_EQ(test, keyboard.failed_commands, 0);
}

KTEST(ps2_keyboard, broken_lights_cost_no_key)
{
    init_on_fake(test);
    fake_8042.resend_count = 3;
    TYPE(0x3a, 0xba, 0x1e, 0x9e, 0x30);
    KTEST_EXPECT_STREQ(test, read_text(), "AB");
    KTEST_EXPECT_EQ(test, keyboard.failed_commands, 1);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 3);
}

// --- The interrupt ------------------------------------------------------------------------------

KTEST_ATTR(ps2_keyboard, shift_a_a_is_typed, .proves = "7.6.1 7.6.6");
KTEST(ps2_keyboard, shift_a_a_is_typed)
{
    init_on_fake(test);
    TYPE(0x2a, 0x1e, 0x9e, 0xaa, 0x1e, 0x9e);
    KTEST_EXPECT_STREQ(test, read_text(), "Aa");
    KTEST_EXPECT_EQ(test, fake_8042.taken_count, fake_8042.byte_count);
}

// A byte that nobody takes would be the last one: the line rises once for it, and no more.
KTEST_ATTR(ps2_keyboard, interrupt_leaves_no_byte_behind, .proves = "7.6.1");
KTEST(ps2_keyboard, interrupt_leaves_no_byte_behind)
{
    init_on_fake(test);
    fake_8042_type((const uint8_t[]){0x1e, 0x9e, 0x30, 0xb0}, 4, 0);
    interrupt();
    KTEST_EXPECT_EQ(test, fake_8042.taken_count, fake_8042.byte_count);
    KTEST_EXPECT_STREQ(test, read_text(), "ab");
}

KTEST_ATTR(ps2_keyboard, interrupt_without_a_byte_types_nothing, .proves = "7.6.1");
KTEST(ps2_keyboard, interrupt_without_a_byte_types_nothing)
{
    init_on_fake(test);
    size_t read_count = fake_8042.read_count;
    interrupt();
    KTEST_EXPECT_EQ(test, fake_8042.read_count, read_count);
    KTEST_EXPECT_STREQ(test, read_text(), "");
}

KTEST_ATTR(ps2_keyboard, interrupt_is_bounded, .proves = "7.6.1");
KTEST(ps2_keyboard, interrupt_is_bounded)
{
    init_on_fake(test);
    fake_8042.always_status = (uint8_t)PS2_STATUS_OUTPUT_FULL;
    size_t read_count = fake_8042.read_count;
    interrupt();
    KTEST_EXPECT_EQ(test, fake_8042.read_count - read_count, 16);
}

KTEST_ATTR(ps2_keyboard, mouse_types_nothing, .proves = "7.6.1");
KTEST(ps2_keyboard, mouse_types_nothing)
{
    init_on_fake(test);
    fake_8042_type((const uint8_t[]){0x1e, 0x9e}, 2, (uint8_t)PS2_STATUS_MOUSE);
    fake_8042_type((const uint8_t[]){0x30}, 1, 0);
    interrupt();
    KTEST_EXPECT_STREQ(test, read_text(), "b");
    KTEST_EXPECT_EQ(test, keyboard.mouse_bytes, 2);
}

KTEST_ATTR(ps2_keyboard, typed_ahead_is_kept, .proves = "7.6.1");
KTEST(ps2_keyboard, typed_ahead_is_kept)
{
    char expected[PS2_KEYBOARD_RING_BYTES / 4 + 1];
    init_on_fake(test);
    for (size_t i = 0; i < sizeof(expected) - 1; i++) {
        uint8_t code = (uint8_t)(0x02 + i % 9); // 1 to 9
        type((const uint8_t[]){code, code | 0x80}, 2);
        expected[i] = (char)('1' + i % 9);
    }
    expected[sizeof(expected) - 1] = 0;
    KTEST_EXPECT_STREQ(test, read_text(), expected);
    KTEST_EXPECT_EQ(test, keyboard.dropped_bytes, 0);
}

// What is too much is dropped and counted; a Shift whose release was dropped is not held for ever.
KTEST_ATTR(ps2_keyboard, what_is_too_much_is_counted, .proves = "7.6.1");
KTEST(ps2_keyboard, what_is_too_much_is_counted)
{
    init_on_fake(test);
    TYPE(0x2a);
    for (size_t i = 1; i < PS2_KEYBOARD_RING_BYTES + 10; i++) {
        type((const uint8_t[]){i % 2 != 0 ? 0x1e : 0x9e}, 1);
    }
    TYPE(0xaa);
    KTEST_EXPECT_EQ(test, keyboard.dropped_bytes, 12); // the marker has taken a place, too
    const char *text = read_text();
    KTEST_EXPECT_EQ(test, strlen(text), PS2_KEYBOARD_RING_BYTES / 2 - 1);
    KTEST_EXPECT_EQ(test, text[0], 'A');
    KTEST_EXPECT_EQ(test, keyboard.overruns, 1);
    TYPE(0x30);
    KTEST_EXPECT_STREQ(test, read_text(), "b");
}

KTEST(ps2_keyboard, overrun_in_the_keyboard_releases_all)
{
    init_on_fake(test);
    TYPE(0x2a, 0x1e, 0x9e, 0xff, 0x1e);
    KTEST_EXPECT_STREQ(test, read_text(), "Aa");
    KTEST_EXPECT_EQ(test, keyboard.overruns, 1);
}

KTEST(ps2_keyboard, damaged_byte_is_as_good_as_none)
{
    init_on_fake(test);
    TYPE(0x2a, 0x1e);
    fake_8042_type((const uint8_t[]){0x9e}, 1, 0x80);
    interrupt();
    TYPE(0x1e);
    KTEST_EXPECT_STREQ(test, read_text(), "Aa");
    KTEST_EXPECT_EQ(test, keyboard.overruns, 1);
}

KTEST(ps2_keyboard, code_of_no_key_is_counted)
{
    init_on_fake(test);
    TYPE(0x55, 0xe0, 0x55, 0x1e);
    KTEST_EXPECT_STREQ(test, read_text(), "a");
    KTEST_EXPECT_EQ(test, keyboard.unknown_codes, 2);
}

// --- Starting and stopping ----------------------------------------------------------------------

KTEST(ps2_keyboard, byte_that_waits_is_taken_at_the_start)
{
    init_on_fake(test);
    fake_8042_type((const uint8_t[]){0x1e}, 1, 0); // came while the line was masked
    KTEST_ASSERT_EQ(test, ps2_keyboard_start(&keyboard), OK);
    uint8_t configuration = fake_8042.configuration;
    ps2_keyboard_stop(&keyboard);
    KTEST_EXPECT_EQ(test, fake_8042.taken_count, fake_8042.byte_count);
    KTEST_EXPECT_EQ(test, configuration & 1, 1);
    KTEST_EXPECT_EQ(test, fake_8042.configuration & 1, 0);
    KTEST_EXPECT_STREQ(test, read_text(), "a");
}

static void handle_nothing(void *context)
{
    (void)context;
}

KTEST(ps2_keyboard, start_that_fails_starts_nothing)
{
    init_on_fake(test);
    fake_8042.always_status = (uint8_t)PS2_STATUS_INPUT_FULL;
    KTEST_EXPECT_EQ(test, ps2_keyboard_start(&keyboard), ETIMEDOUT);
    KTEST_ASSERT_EQ(test, irq_register(IRQ_KEYBOARD, "test", IRQ_PLAIN, handle_nothing, NULL), OK);
    fake_8042.always_status = 0;
    KTEST_EXPECT_EQ(test, ps2_keyboard_start(&keyboard), EBUSY);
    KTEST_EXPECT_EQ(test, fake_8042.write_count, 0);
    irq_unregister(IRQ_KEYBOARD);
}

// --- The machine's own --------------------------------------------------------------------------

// On a machine without one, that is what there is to see.
static bool is_brought_up(struct ktest *test, enum scancode_set set)
{
    bool exists = ps2_read_status() != PS2_STATUS_NO_DEVICE;
    enum error error = ps2_keyboard_init(&keyboard, set, &key_layout_us104);
    KTEST_EXPECT_EQ(test, error, exists ? OK : ENODEV);
    return error == OK;
}

#define INJECT_KEYBOARD 0xd2
#define INJECT_MOUSE 0xd3
#define WAIT_MAX 50000000

static void inject(uint8_t command, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ps2_write_command(command);
        ps2_write_data(bytes[i]);
        interrupt();
    }
}

KTEST_ATTR(ps2_keyboard, real_one_types_in_set_1, .proves = "7.6.1 7.6.10");
KTEST(ps2_keyboard, real_one_types_in_set_1)
{
    static const uint8_t typed[] = {0x2a, 0x23, 0xa3, 0xaa, 0x17, 0x97, 0xe0, 0x1c, 0xe0, 0x9c};
    if (is_brought_up(test, SCANCODE_SET_1)) {
        inject(INJECT_KEYBOARD, typed, sizeof(typed));
        KTEST_EXPECT_EQ(test, ps2_read_status() & PS2_STATUS_OUTPUT_FULL, 0);
        KTEST_EXPECT_STREQ(test, read_text(), "Hi\n");
    }
}

KTEST_ATTR(ps2_keyboard, real_one_types_in_set_2, .proves = "7.6.1 7.6.10");
KTEST(ps2_keyboard, real_one_types_in_set_2)
{
    static const uint8_t typed[] = {0x12, 0x33, 0xf0, 0x33, 0xf0, 0x12, 0x43, 0xf0, 0x43};
    if (is_brought_up(test, SCANCODE_SET_2)) {
        inject(INJECT_KEYBOARD, typed, sizeof(typed));
        KTEST_EXPECT_STREQ(test, read_text(), "Hi");
    }
}

KTEST_ATTR(ps2_keyboard, real_mouse_types_nothing, .proves = "7.6.1");
KTEST(ps2_keyboard, real_mouse_types_nothing)
{
    static const uint8_t moved[] = {0x08, 0x1e, 0x30};
    if (is_brought_up(test, SCANCODE_SET_1)) {
        inject(INJECT_MOUSE, moved, sizeof(moved));
        KTEST_EXPECT_EQ(test, keyboard.mouse_bytes, 3);
        KTEST_EXPECT_STREQ(test, read_text(), "");
    }
}

KTEST_ATTR(ps2_keyboard, real_one_takes_commands, .proves = "7.6.10");
KTEST(ps2_keyboard, real_one_takes_commands)
{
    static const uint8_t locks[] = {0x3a, 0xba, 0x45, 0xc5, 0x1e};
    if (is_brought_up(test, SCANCODE_SET_1)) {
        inject(INJECT_KEYBOARD, locks, sizeof(locks));
        KTEST_EXPECT_STREQ(test, read_text(), "A");
        KTEST_EXPECT_EQ(test, keyboard.lights, KEYMAP_CAPS_LOCK | KEYMAP_NUM_LOCK);
        KTEST_EXPECT_EQ(test, keyboard.failed_commands, 0);
        KTEST_EXPECT_EQ(
            test,
            ps2_keyboard_set_repetition(&keyboard, PS2_REPEAT_AFTER_250_MS, PS2_REPEAT_FASTEST),
            OK);
    }
}

// Asked behind the driver's back, the keyboard says that it has set 2; translated, as all it sends.
static const enum scancode_set sets[] = {SCANCODE_SET_1, SCANCODE_SET_2};

static void describe_set(const enum scancode_set *set, char *text_out, size_t size_bytes)
{
    if (size_bytes > 0) {
        text_out[0] = *set == SCANCODE_SET_1 ? '1' : '2';
    }
}

static uint8_t exchange(uint8_t byte)
{
    ps2_write_data(byte);
    return ps2_read_data();
}

KTEST_ATTR(ps2_keyboard, real_one_has_set_2, .proves = "7.6.10",
           .quirks = KTEST_QUIRKS(
               {.accel = KTEST_ACCEL_BOCHS,
                .skip = "Bochs's keyboard acknowledges twice before it tells its set"}));
KTEST_PARAM(ps2_keyboard, real_one_has_set_2, sets, describe_set)
{
    if (is_brought_up(test, *param)) {
        KTEST_EXPECT_EQ(test, exchange(0xf0), 0xfa);
        KTEST_EXPECT_EQ(test, exchange(0x00), 0xfa);
        KTEST_EXPECT_EQ(test, ps2_read_data(), *param == SCANCODE_SET_1 ? 0x41 : 0x02);
    }
}

// Types one byte with interrupts on, and waits until the handler has stored it.
static void type_and_wait(uint8_t byte)
{
    uint32_t put_count = keyboard.ring.ring.put_count;
    ps2_write_command(INJECT_KEYBOARD);
    ps2_write_data(byte);
    for (int i = 0; i < WAIT_MAX; i++) {
        if (__atomic_load_n(&keyboard.ring.ring.put_count, __ATOMIC_ACQUIRE) != put_count) {
            return;
        }
        cpu_relax();
    }
}

// The line, the handler and the ring: with interrupts on, what is typed only has to be read.
KTEST_ATTR(ps2_keyboard, real_one_interrupts, .proves = "7.6.1");
KTEST(ps2_keyboard, real_one_interrupts)
{
    static const uint8_t typed[] = {0x2a, 0x23, 0xa3, 0xaa, 0x17, 0x97};
    if (!is_brought_up(test, SCANCODE_SET_1)) {
        return;
    }
    KTEST_ASSERT_EQ(test, ps2_keyboard_start(&keyboard), OK);
    cpu_enable_interrupts();
    for (size_t i = 0; i < sizeof(typed); i++) {
        type_and_wait(typed[i]);
    }
    cpu_disable_interrupts();
    ps2_keyboard_stop(&keyboard);
    KTEST_EXPECT_STREQ(test, read_text(), "Hi");
}

#define KEYS_TYPED 10000

// The next key, which must be a press of this one, and its release; nothing else.
static bool has_typed(enum key key)
{
    struct key_input down = {};
    struct key_input up = {};
    struct key_input more;
    return ps2_keyboard_read(&keyboard, &down) && ps2_keyboard_read(&keyboard, &up) &&
           !ps2_keyboard_read(&keyboard, &more) && down.event.key == key && up.event.key == key &&
           down.event.is_pressed && !up.event.is_pressed;
}

// None is lost, and none is doubled.
KTEST_ATTR(ps2_keyboard, ten_thousand_keys_come_once, .speed = KTEST_SPEED_SLOW,
           .proves = "7.6.1 7.6.4");
KTEST(ps2_keyboard, ten_thousand_keys_come_once)
{
    if (!is_brought_up(test, SCANCODE_SET_1)) {
        return;
    }
    unsigned wrong_count = 0;
    KTEST_ASSERT_EQ(test, ps2_keyboard_start(&keyboard), OK);
    cpu_enable_interrupts();
    for (unsigned i = 0; i < KEYS_TYPED && wrong_count == 0; i++) {
        uint8_t code = (uint8_t)(0x02 + i % 10);
        type_and_wait(code);
        type_and_wait(code | 0x80);
        wrong_count += !has_typed((enum key)(KEY_1 + i % 10));
    }
    cpu_disable_interrupts();
    ps2_keyboard_stop(&keyboard);
    KTEST_EXPECT_EQ(test, wrong_count, 0);
    KTEST_EXPECT_EQ(test, keyboard.dropped_bytes + keyboard.unknown_codes, 0);
}

KTEST_BENCH(ps2_keyboard, interrupt_and_read)
{
    struct key_input input;
    uint64_t keys = 0;
    if (!is_brought_up(test, SCANCODE_SET_1)) {
        return;
    }
    while (ktest_bench_next(test)) {
        inject(INJECT_KEYBOARD, (const uint8_t[]){0x1e}, 1);
        keys += ps2_keyboard_read(&keyboard, &input);
    }
    KTEST_EXPECT_NE(test, keys, 0);
}

// --- With somebody outside ----------------------------------------------------------------------

static void say_what_is_typed(void)
{
    struct key_input input = {};
    println("type");
    while (input.event.key != KEY_ESCAPE || input.event.is_pressed) {
        while (!ps2_keyboard_read(&keyboard, &input)) {
            cpu_relax();
        }
        println("key %#x %s, U+%04x", input.event.key,
                input.event.is_pressed ? "pressed" : "released", input.character);
    }
    println("%lu unknown codes, %lu overruns, %lu dropped bytes", keyboard.unknown_codes,
            keyboard.overruns, keyboard.dropped_bytes);
}

// With test.typist=1 or 2, for the set: says each key until Escape is released. Without it there is
// nobody, and nothing is typed. host_tests/test_keyboard.py is the typist.
KTEST_ATTR(ps2_keyboard, says_what_is_typed, .timeout_ms = 60000);
KTEST(ps2_keyboard, says_what_is_typed)
{
    const char *set = argument("test.typist");
    bool has_set_2 = set != NULL && strcmp(set, "2") == 0;
    if (!is_brought_up(test, has_set_2 ? SCANCODE_SET_2 : SCANCODE_SET_1)) {
        return;
    }
    KTEST_ASSERT_EQ(test, ps2_keyboard_start(&keyboard), OK);
    cpu_enable_interrupts();
    if (set != NULL) {
        say_what_is_typed();
    }
    cpu_disable_interrupts();
    ps2_keyboard_stop(&keyboard);
    KTEST_EXPECT_STREQ(test, read_text(), "");
}
