// SPDX-License-Identifier: MIT
//
// From COM1 to a task. In loopback mode each byte sent is one received, so that the kernel is its
// own interrupt source; host_tests/test_input.py sends from outside. What comes goes through PERIOD
// values, a prime, round and round: one that is missing, doubled or out of order is not the one
// that is expected.
#include "task/serial_stream.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/port.h"
#include "boot/arguments.h"
#include "debug/log.h"
#include "drivers/console.h"
#include "ktest.h"
#include "lib/test_random.h"
#include "task/coroutine.h"
#include "task/executor.h"

#define COM1_MODEM_CONTROL (UART_COM1 + 4)
#define LOOPBACK 0x1b // with DTR, RTS, OUT2
#define NO_LOOPBACK 0x0b
#define PERIOD 251

static struct uart uart;
static struct serial_stream stream;
static struct executor executor;

// --- The reader ---------------------------------------------------------------------------------

struct reader {
    struct coroutine coroutine;
    struct task task;
    struct byte_stream_next next;
    uint64_t byte_count;
    uint64_t wrong_count;
    uint64_t skipped_count; // before the bytes that come now, by the writer's count
    bool has_ended;
};

static struct reader reader;

static enum coroutine_step read(struct coroutine *coroutine)
{
    struct reader *self = container_of(coroutine, struct reader, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        byte_stream_next_init(&self->next, &stream.stream);
        AWAIT(self, &self->next.future);
        if (!self->next.has_byte) {
            self->has_ended = true;
            return COROUTINE_RETURNS;
        }
        self->wrong_count += self->next.byte != (self->byte_count++ + self->skipped_count) % PERIOD;
    }
}

// What the log says would come back, too.
static bool is_in_loopback;

static void set_loopback(bool is_on)
{
    is_in_loopback = is_on;
    port_write8(COM1_MODEM_CONTROL, is_on ? LOOPBACK : NO_LOOPBACK);
    if (console_serial() != NULL) {
        (is_on ? log_remove_console : log_add_console)(console_serial());
    }
}

static void end(void *unused)
{
    (void)unused;
    cpu_disable_interrupts();
    if (is_in_loopback) {
        set_loopback(false);
    }
    serial_stream_close(&stream);
    executor_close(&executor);
}

static void begin(struct ktest *test)
{
    KTEST_ASSERT_EQ(test, uart_init(&uart, UART_COM1), OK);
    stream = (struct serial_stream){};
    KTEST_ASSERT_EQ(test, serial_stream_open(&stream, &uart), OK);
    executor_init(&executor, "test");
    ktest_add_action(test, end, NULL);
    reader = (struct reader){};
    coroutine_init(&reader.coroutine, read);
    task_init(&reader.task, "reader", &reader.coroutine.future);
    task_get(&reader.task);
    executor_spawn(&executor, &reader.task);
    executor_run_ready(&executor);
}

// --- In loopback mode ---------------------------------------------------------------------------

// All that is sent has come when the port is idle and its receiver is empty.
static void wait_until_it_has_come(uint64_t sent_count)
{
    uint32_t put_count = (uint32_t)sent_count;
    for (int i = 0; i < 1000000; i++) {
        uint64_t dropped_bytes = byte_stream_dropped_bytes(&stream.stream);
        if (__atomic_load_n(&stream.stream.ring.ring.put_count, __ATOMIC_ACQUIRE) +
                (uint32_t)dropped_bytes ==
            put_count) {
            return;
        }
        cpu_relax();
    }
}

static void send(uint64_t first, unsigned count)
{
    for (uint64_t number = first; number < first + count; number++) {
        uart_send(&uart, &(char){(char)(number % PERIOD)}, 1);
    }
    wait_until_it_has_come(first + count);
}

// In batches, with the reader's turn between them. Returns how many.
static uint64_t storm(unsigned batch_max)
{
    struct test_random random = {1};
    uint64_t sent_count = 0;
    set_loopback(true);
    cpu_enable_interrupts();
    while (sent_count < 20000UL * test_scale()) {
        reader.skipped_count = byte_stream_dropped_bytes(&stream.stream);
        unsigned batch = 1 + (unsigned)test_random_below(&random, batch_max);
        send(sent_count, batch);
        sent_count += batch;
        executor_run_ready(&executor);
    }
    cpu_disable_interrupts();
    set_loopback(false);
    return sent_count;
}

KTEST_ATTR(serial_stream, no_byte_is_lost_or_doubled, .speed = KTEST_SPEED_SLOW);
KTEST(serial_stream, no_byte_is_lost_or_doubled)
{
    begin(test);
    uint64_t sent_count = storm(SERIAL_STREAM_BYTES / 2);
    KTEST_EXPECT_EQ(test, reader.byte_count, sent_count);
    KTEST_EXPECT_EQ(test, reader.wrong_count, 0);
    KTEST_EXPECT_EQ(test, byte_stream_dropped_bytes(&stream.stream), 0);
    KTEST_EXPECT_EQ(test, uart.errors.overruns, 0);
}

KTEST_ATTR(serial_stream, each_byte_that_is_dropped_is_counted, .speed = KTEST_SPEED_SLOW);
KTEST(serial_stream, each_byte_that_is_dropped_is_counted)
{
    begin(test);
    uint64_t sent_count = storm(3 * SERIAL_STREAM_BYTES);
    uint64_t dropped_bytes = byte_stream_dropped_bytes(&stream.stream);
    KTEST_EXPECT_EQ(test, reader.byte_count + dropped_bytes, sent_count);
    KTEST_EXPECT_GT(test, dropped_bytes, 0);
    KTEST_EXPECT_EQ(test, reader.wrong_count, 0);
    KTEST_EXPECT_EQ(test, uart.errors.overruns, 0);
}

// With the port open only when they have come.
KTEST_ATTR(
    serial_stream, what_the_port_holds_comes_first, .proves = "12.3.2",
    .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                            .skip = "Bochs's serial port shows few bytes only after some time"}));
KTEST(serial_stream, what_the_port_holds_comes_first)
{
    begin(test);
    serial_stream_close(&stream);
    executor_run_ready(&executor);
    set_loopback(true);
    uart_send(&uart, "ab", 2);
    uart_flush(&uart);
    enum error error = serial_stream_open(&stream, &uart);
    set_loopback(false);

    KTEST_ASSERT_EQ(test, error, OK);
    KTEST_EXPECT_EQ(test, byte_ring_free_bytes(&stream.stream.ring), SERIAL_STREAM_BYTES - 2);
}

KTEST_ATTR(serial_stream, close_is_the_end_for_who_waits, .proves = "12.3.7");
KTEST(serial_stream, close_is_the_end_for_who_waits)
{
    begin(test);
    serial_stream_close(&stream);
    executor_run_ready(&executor);
    KTEST_EXPECT_TRUE(test, reader.has_ended);
    serial_stream_close(&stream);
}

KTEST_ATTR(serial_stream, port_has_one_stream, .proves = "12.3.2");
KTEST(serial_stream, port_has_one_stream)
{
    static struct serial_stream second;
    begin(test);
    KTEST_EXPECT_EQ(test, serial_stream_open(&second, &uart), EBUSY);
    KTEST_EXPECT_EQ(test, serial_stream_open(&stream, &uart), EBUSY);
    serial_stream_close(&second);
    serial_stream_close(&stream);
    KTEST_EXPECT_EQ(test, serial_stream_open(&second, &uart), OK);
    serial_stream_close(&second);
}

// --- With somebody outside ----------------------------------------------------------------------

#define END_OF_TRANSMISSION 0x04
#define FIRST_PRINTABLE ' '
#define PRINTABLE_PERIOD 89

struct listener {
    struct coroutine coroutine;
    struct task task;
    struct byte_stream_next next;
    uint64_t byte_count;
    uint64_t wrong_count;
};

static enum coroutine_step listen(struct coroutine *coroutine)
{
    struct listener *self = container_of(coroutine, struct listener, coroutine);
    COROUTINE_BEGIN(self);
    for (;;) {
        byte_stream_next_init(&self->next, &stream.stream);
        AWAIT(self, &self->next.future);
        if (self->next.byte == END_OF_TRANSMISSION) {
            return COROUTINE_RETURNS;
        }
        self->wrong_count += self->next.byte !=
                             FIRST_PRINTABLE + self->byte_count++ % PRINTABLE_PERIOD;
    }
}

static void say_what_came(const struct listener *listener)
{
    const struct uart_errors *errors = &stream.uart->errors;
    println("%lu bytes came, %lu of them wrong; %lu dropped, %lu overruns, %lu damaged",
            listener->byte_count, listener->wrong_count, byte_stream_dropped_bytes(&stream.stream),
            errors->overruns, errors->damaged);
}

// With test.typist set: counts what comes on the console's port, up to an end of transmission.
// Without it there is nobody.
KTEST_ATTR(serial_stream, counts_what_comes, .timeout_ms = 60000);
KTEST(serial_stream, counts_what_comes)
{
    static struct listener listener;
    if (console_uart() == NULL) {
        return;
    }
    stream = (struct serial_stream){};
    executor_init(&executor, "test");
    KTEST_ASSERT_EQ(test, serial_stream_open(&stream, console_uart()), OK);
    ktest_add_action(test, end, NULL);
    listener = (struct listener){};
    coroutine_init(&listener.coroutine, listen);
    task_init(&listener.task, "listener", &listener.coroutine.future);
    task_get(&listener.task);
    executor_spawn(&executor, &listener.task);
    if (argument("test.typist") != NULL) {
        println("send");
        executor_run_until_ended(&executor, &listener.task);
        say_what_came(&listener);
    }
    KTEST_EXPECT_EQ(test, listener.wrong_count, 0);
}
