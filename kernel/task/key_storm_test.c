// SPDX-License-Identifier: MIT
//
// Very many keys through the machine's own controller and its interrupt to a task: none is lost or
// doubled as long as there is room, and each that is dropped is counted. Command 0xd2 raises
// IRQ_KEYBOARD for any byte, as if it were typed. What is typed goes through PERIOD codes, a prime,
// round and round: a key that is missing, doubled or out of order is not the one that is expected.
#include "arch/x86_64/cpu.h"
#include "drivers/nmi_timer.h"
#include "drivers/ps2_port.h"
#include "ktest.h"
#include "lib/test_random.h"
#include "task/coroutine.h"
#include "task/executor.h"
#include "task/key_stream.h"
#include "time/timer.h"

#define INJECT 0xd2
#define FIRST_CODE 0x02
#define PERIOD 47 // codes of set 1 from there on, all of them keys
#define WAIT_MAX 50000000

static struct ps2_keyboard keyboard;
static struct key_stream stream;
static struct executor executor;
static enum key expected_keys[PERIOD];

static uint8_t code_of(uint64_t number)
{
    return (uint8_t)(FIRST_CODE + number % PERIOD);
}

static bool inject(uint8_t byte)
{
    for (int i = 0; i < WAIT_MAX; i++) {
        if ((ps2_read_status() & PS2_STATUS_OUTPUT_FULL) == 0) {
            ps2_write_command(INJECT);
            ps2_write_data(byte);
            return true;
        }
        cpu_relax();
    }
    return false;
}

// --- The reader ---------------------------------------------------------------------------------

struct reader {
    struct coroutine coroutine;
    struct task task;
    struct key_stream_next next;
    uint64_t keys_max; // then it returns
    uint64_t key_count;
    uint64_t wrong_count;
    uint64_t skipped_count; // before the keys that come now, by the writer's count
};

static struct reader reader;

static void take(struct reader *self)
{
    uint64_t number = self->key_count++ + self->skipped_count;
    self->wrong_count += self->next.input.event.key != expected_keys[number % PERIOD];
}

static enum coroutine_step read(struct coroutine *coroutine)
{
    struct reader *self = container_of(coroutine, struct reader, coroutine);
    COROUTINE_BEGIN(self);
    while (self->key_count < self->keys_max) {
        key_stream_next_init(&self->next, &stream);
        AWAIT(self, &self->next.future);
        take(self);
    }
    return COROUTINE_RETURNS;
}

// --- The writer ---------------------------------------------------------------------------------

// Types a batch, and lets the reader have its turn: then there is room again.
struct writer_task {
    struct coroutine coroutine;
    struct task task;
    struct test_random random;
    unsigned batch_max;
    unsigned batch; // what is left of it
    uint64_t key_count;
    uint64_t sent_count;
    bool is_stuck;
};

static struct writer_task writer;

static enum coroutine_step write(struct coroutine *coroutine)
{
    struct writer_task *self = container_of(coroutine, struct writer_task, coroutine);
    COROUTINE_BEGIN(self);
    while (self->sent_count < self->key_count && !self->is_stuck) {
        reader.skipped_count = ps2_keyboard_dropped_bytes(&keyboard);
        self->batch = 1 + (unsigned)test_random_below(&self->random, self->batch_max);
        while (self->batch-- > 0 && self->sent_count < self->key_count) {
            self->is_stuck |= !inject(code_of(self->sent_count++));
        }
        COROUTINE_YIELD(self);
    }
    return COROUTINE_RETURNS;
}

// --- Around them --------------------------------------------------------------------------------

static void expect_keys(void)
{
    struct scancode_decoder decoder;
    scancode_decoder_init(&decoder, SCANCODE_SET_1);
    for (unsigned i = 0; i < PERIOD; i++) {
        struct key_event event = {};
        enum error error = scancode_decode(&decoder, code_of(i), &event);
        expected_keys[i] = error == OK ? event.key : 0;
    }
}

static void end_storm(void *unused)
{
    (void)unused;
    key_stream_close(&stream);
    executor_close(&executor);
    ps2_keyboard_stop(&keyboard);
}

// False on a machine without a keyboard.
static bool begin_storm(struct ktest *test, uint64_t keys_max)
{
    bool exists = ps2_read_status() != PS2_STATUS_NO_DEVICE;
    enum error error = ps2_keyboard_init(&keyboard, SCANCODE_SET_1, &key_layout_us104);
    KTEST_EXPECT_EQ(test, error, exists ? OK : ENODEV);
    if (error != OK) {
        return false;
    }
    expect_keys();
    stream = (struct key_stream){};
    KTEST_ASSERT_EQ(test, key_stream_open(&stream, &keyboard), OK);
    KTEST_ASSERT_EQ(test, ps2_keyboard_start(&keyboard), OK);
    executor_init(&executor, "test");
    ktest_add_action(test, end_storm, NULL);

    reader = (struct reader){.keys_max = keys_max};
    coroutine_init(&reader.coroutine, read);
    task_init(&reader.task, "reader", &reader.coroutine.future);
    task_get(&reader.task);
    executor_spawn(&executor, &reader.task);
    return true;
}

static void run_writer(unsigned batch_max, uint64_t key_count)
{
    writer = (struct writer_task){
        .random = {1},
        .batch_max = batch_max,
        .key_count = key_count,
    };
    coroutine_init(&writer.coroutine, write);
    task_init(&writer.task, "writer", &writer.coroutine.future);
    task_get(&writer.task);
    executor_spawn(&executor, &writer.task);
    executor_run_until_ended(&executor, &writer.task);
    executor_run_ready(&executor);
}

// test.scale=10: a million.
static uint64_t many(void)
{
    return 100000UL * test_scale();
}

KTEST_ATTR(key_storm, no_key_is_lost_or_doubled, .proves = "12.3.1", .speed = KTEST_SPEED_SLOW,
           .timeout_ms = 60000);
KTEST(key_storm, no_key_is_lost_or_doubled)
{
    if (!begin_storm(test, UINT64_MAX)) {
        return;
    }
    run_writer(PS2_KEYBOARD_RING_BYTES / 2, many());
    KTEST_EXPECT_FALSE(test, writer.is_stuck);
    KTEST_EXPECT_EQ(test, reader.key_count, many());
    KTEST_EXPECT_EQ(test, reader.wrong_count, 0);
    KTEST_EXPECT_EQ(test, keyboard.dropped_bytes + keyboard.overruns + keyboard.unknown_codes, 0);
}

// The reader is late, as the batches are larger than the ring.
KTEST_ATTR(key_storm, each_key_that_is_dropped_is_counted, .proves = "12.3.1 12.3.3",
           .speed = KTEST_SPEED_SLOW, .timeout_ms = 60000,
           .quirks = KTEST_QUIRKS(
               {.accel = KTEST_ACCEL_BOCHS,
                .skip = "Bochs's keyboard controller lets command 0xd2 overwrite a byte"}));
KTEST(key_storm, each_key_that_is_dropped_is_counted)
{
    if (!begin_storm(test, UINT64_MAX)) {
        return;
    }
    run_writer(3 * PS2_KEYBOARD_RING_BYTES, many());
    KTEST_EXPECT_FALSE(test, writer.is_stuck);
    KTEST_EXPECT_EQ(test, reader.key_count + keyboard.dropped_bytes, many());
    KTEST_EXPECT_EQ(test, reader.wrong_count, 0);
    KTEST_EXPECT_GT(test, keyboard.dropped_bytes, many() / 10);
    KTEST_EXPECT_EQ(test, keyboard.reported_bytes, keyboard.dropped_bytes);
}

// --- While the reader sleeps, or is just about to -----------------------------------------------

#define TIMED_KEYS 1000
#define PAUSE_NS_MAX 60000
#define GRACE_NS (1000 * NS_PER_MS)

static struct {
    struct timer timer;
    struct test_random random;
    uint64_t sent_count;
} typist;

static void give_up(struct timer *timer)
{
    (void)timer;
    task_cancel(&reader.task);
}

// In the timer's interrupt, wherever it comes; and the keyboard's comes right behind it.
static void type_one(struct timer *timer)
{
    if ((ps2_read_status() & PS2_STATUS_OUTPUT_FULL) == 0) {
        ps2_write_command(INJECT);
        ps2_write_data(code_of(typist.sent_count++));
    }
    uint64_t pause_ns = test_random_below(&typist.random, PAUSE_NS_MAX);
    if (typist.sent_count == TIMED_KEYS) {
        timer->function = give_up;
        pause_ns = GRACE_NS;
    }
    timer_add(timer, clock_monotonic_ns() + pause_ns);
}

static void cancel_typist(void *unused)
{
    (void)unused;
    timer_cancel(&typist.timer);
}

KTEST_ATTR(key_storm, no_key_is_slept_over, .speed = KTEST_SPEED_SLOW);
KTEST(key_storm, no_key_is_slept_over)
{
    if (!begin_storm(test, TIMED_KEYS)) {
        return;
    }
    nmi_timer_stop(); // the timer's device may be the watchdog's
    typist = (typeof(typist)){.timer.function = type_one, .random = {1}};
    ktest_add_action(test, cancel_typist, NULL);
    timer_add(&typist.timer, 0);
    executor_run_until_ended(&executor, &reader.task);
    KTEST_EXPECT_EQ(test, reader.task.result, TASK_RETURNED);
    KTEST_EXPECT_EQ(test, reader.wrong_count, 0);
    KTEST_EXPECT_GT(test, executor.sleep_count, 100);
}
