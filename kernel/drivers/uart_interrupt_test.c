// SPDX-License-Identifier: MIT
//
// What a port receives by interrupts: on a fake port, whose interrupt function the tests call
// themselves, and on COM1 in loopback mode, where each byte sent is one received.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/port.h"
#include "drivers/fake_uart_test.h"
#include "drivers/uart_16550.h"
#include "irq/irq.h"
#include "ktest.h"

#define COM1_MODEM_CONTROL (UART_COM1 + 4)
#define LOOPBACK 0x1b // with DTR, RTS, OUT2
#define NO_LOOPBACK 0x0b
#define UNKNOWN_PORT 0x3e8

static struct uart uart;
static char received[256];
static size_t received_count;

static void receive(void *context, uint8_t byte)
{
    (void)context;
    if (received_count + 1 < sizeof(received)) {
        received[received_count] = (char)byte;
    }
    __atomic_store_n(&received_count, received_count + 1, __ATOMIC_RELAXED);
}

static void forget_received(void)
{
    received_count = 0;
    for (size_t i = 0; i < sizeof(received); i++) {
        received[i] = 0;
    }
}

static void stop(void *unused)
{
    (void)unused;
    uart_stop_receiving(&uart);
}

static void install_fake(struct ktest *test)
{
    forget_received();
    fake_uart_install(test);
    uart = (struct uart){.base = UART_COM1, .polls_max = 10, .fifo_bytes = 16};
}

static void start_on_fake(struct ktest *test)
{
    install_fake(test);
    KTEST_ASSERT_EQ(test, uart_start_receiving(&uart, receive, NULL), OK);
    ktest_add_action(test, stop, NULL);
}

// --- On a fake port -----------------------------------------------------------------------------

// As it is where the first words of a boot were sent by somebody else.
KTEST(uart_interrupt, start_waits_for_what_is_on_its_way)
{
    install_fake(test);
    fake_uart.busy_reads = 50;
    KTEST_EXPECT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_EXPECT_EQ(test, fake_uart.busy_reads, 0);
}

// Enabled, emptied, and of interrupts at 8 bytes: at 14 there is hardly time left.
KTEST(uart_interrupt, fifos_are_set_up)
{
    install_fake(test);
    uart.is_stuck = true; // as it was before
    KTEST_EXPECT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_EXPECT_EQ(test, fake_uart.fifo_control, 0x87);
    KTEST_EXPECT_EQ(test, uart.fifo_bytes, 16);
    KTEST_EXPECT_FALSE(test, uart.is_stuck);
}

KTEST(uart_interrupt, fifos_that_do_not_work_hold_one_byte)
{
    install_fake(test);
    fake_uart.has_16550 = true;
    KTEST_EXPECT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_EXPECT_EQ(test, uart.fifo_bytes, 1);
}

KTEST(uart_interrupt, full_transmitter_is_waited_for_once)
{
    install_fake(test);
    fake_uart.is_full = true;
    uart_send(&uart, "a", 1);
    KTEST_EXPECT_EQ(test, fake_uart.status_reads, uart.polls_max);
    uart_send(&uart, "b", 1);
    KTEST_EXPECT_EQ(test, fake_uart.status_reads, uart.polls_max + 1);
}

// An empty FIFO is not enough: the last byte is still being sent.
KTEST(uart_interrupt, flush_waits_for_the_wire)
{
    install_fake(test);
    fake_uart.busy_reads = 5;
    uart_flush(&uart);
    KTEST_EXPECT_EQ(test, fake_uart.busy_reads, 0);
}

static const struct irq_chip *chip_before;
static struct irq_chip chip;
static uint8_t enabled_at_unmask;

static void unmask(unsigned line)
{
    (void)line;
    enabled_at_unmask = fake_uart.interrupt_enable;
}

static void restore_chip(void *unused)
{
    (void)unused;
    (void)irq_replace_chip(chip_before);
}

// An edge that comes to a masked line is lost, and an interrupt in the middle of the start would
// take the port's bytes at the same time.
KTEST(uart_interrupt, starts_behind_the_unmasking_and_uninterrupted)
{
    install_fake(test);
    chip = *irq_chip();
    chip.unmask = unmask;
    enabled_at_unmask = 0xff;
    chip_before = irq_replace_chip(&chip);
    ktest_add_action(test, restore_chip, NULL);
    cpu_enable_interrupts();
    enum error error = uart_start_receiving(&uart, receive, NULL);
    bool was_interruptible = fake_uart.was_interruptible;
    bool is_interruptible = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_ASSERT_EQ(test, error, OK);
    ktest_add_action(test, stop, NULL);
    KTEST_EXPECT_EQ(test, enabled_at_unmask, 0);
    KTEST_EXPECT_FALSE(test, was_interruptible);
    KTEST_EXPECT_TRUE(test, is_interruptible);
}

static void give_up_line(void *unused)
{
    (void)unused;
    irq_unregister(IRQ_COM2);
}

static void ignore(void *unused)
{
    (void)unused;
}

// Seen by who is refused: the port itself is the protocol's.
KTEST(uart_interrupt, second_port_has_a_line_of_its_own)
{
    install_fake(test);
    KTEST_ASSERT_EQ(test, irq_register(IRQ_COM2, "test", IRQ_PLAIN, ignore, NULL), OK);
    ktest_add_action(test, give_up_line, NULL);
    struct uart second = {.base = UART_COM2, .polls_max = 10, .fifo_bytes = 16};
    KTEST_EXPECT_EQ(test, uart_start_receiving(&second, receive, NULL), EBUSY);
}

KTEST(uart_interrupt, bytes_are_given_to_the_receiver)
{
    start_on_fake(test);
    for (const char *c = "Hello"; *c != 0; c++) {
        fake_uart_receive((uint8_t)*c, 0);
    }
    uart_on_interrupt(&uart);
    KTEST_EXPECT_STREQ(test, received, "Hello");
    KTEST_EXPECT_EQ(test, fake_uart.taken_count, 5);
}

// An overrun is to be noted even if no byte comes behind it.
KTEST(uart_interrupt, line_rises_for_bytes_and_for_errors_alone)
{
    start_on_fake(test);
    KTEST_EXPECT_EQ(test, fake_uart.interrupt_enable, 0x05);
    KTEST_EXPECT_EQ(test, fake_uart.rises, 0);
    uart_stop_receiving(&uart);
    KTEST_EXPECT_EQ(test, fake_uart.interrupt_enable, 0);
    KTEST_ASSERT_EQ(test, uart_start_receiving(&uart, receive, NULL), OK);
}

// What has come before the start is taken, or the line is up already, and never rises.
KTEST(uart_interrupt, full_port_is_emptied_at_the_start)
{
    install_fake(test);
    for (const char *c = "0123456789abcdef"; *c != 0; c++) {
        fake_uart_receive((uint8_t)*c, 0);
    }
    KTEST_EXPECT_EQ(test, fake_uart.rises, 0);
    KTEST_ASSERT_EQ(test, uart_start_receiving(&uart, receive, NULL), OK);
    ktest_add_action(test, stop, NULL);
    KTEST_EXPECT_STREQ(test, received, "0123456789abcdef");
    unsigned rises = fake_uart.rises;
    fake_uart_receive('g', 0);
    KTEST_EXPECT_EQ(test, fake_uart.rises - rises, 1);
}

// The data register is not read without need.
KTEST(uart_interrupt, spurious_one_does_nothing)
{
    start_on_fake(test);
    size_t status_reads = fake_uart.status_reads;
    uart_on_interrupt(&uart);
    KTEST_EXPECT_EQ(test, received_count, 0);
    KTEST_EXPECT_EQ(test, fake_uart.data_reads, 0);
    KTEST_EXPECT_EQ(test, fake_uart.status_reads - status_reads, 1);
}

KTEST(uart_interrupt, damaged_bytes_are_counted_and_not_given)
{
    start_on_fake(test);
    fake_uart_receive('a', 0);
    fake_uart_receive('b', FAKE_UART_PARITY);
    fake_uart_receive('c', 0);
    fake_uart_receive('d', FAKE_UART_FRAMING);
    fake_uart_receive(0, FAKE_UART_BREAK | FAKE_UART_FRAMING);
    fake_uart_receive('e', 0);
    fake_uart.is_overrun = true;
    uart_on_interrupt(&uart);
    KTEST_EXPECT_STREQ(test, received, "ace");
    KTEST_EXPECT_EQ(test, uart.errors.damaged, 2);
    KTEST_EXPECT_EQ(test, uart.errors.breaks, 1);
    KTEST_EXPECT_EQ(test, uart.errors.overruns, 1);
}

// The line status shows an error once, and it may be the sender who sees it.
KTEST(uart_interrupt, error_that_the_sender_sees_is_not_lost)
{
    start_on_fake(test);
    fake_uart_receive('a', FAKE_UART_PARITY);
    fake_uart_receive('b', 0);
    uart_send(&uart, "x", 1);
    fake_uart.is_overrun = true; // another error does not make it well
    uart_on_interrupt(&uart);
    KTEST_EXPECT_STREQ(test, received, "b");
    KTEST_EXPECT_EQ(test, uart.errors.damaged, 1);
}

// What is left pending has no edge to come, so the line has to rise once more.
KTEST(uart_interrupt, is_bounded_and_comes_again)
{
    start_on_fake(test);
    fake_uart.never_ends = true;
    fake_uart_receive('a', 0);
    unsigned rises = fake_uart.rises;
    uart_on_interrupt(&uart);
    KTEST_EXPECT_EQ(test, received_count, 64);
    KTEST_EXPECT_EQ(test, fake_uart.rises - rises, 1);
    fake_uart.never_ends = false;
    uart_on_interrupt(&uart);
    KTEST_EXPECT_EQ(test, received_count, 65);
}

KTEST(uart_interrupt, port_is_started_once)
{
    start_on_fake(test);
    struct uart other = uart;
    KTEST_EXPECT_EQ(test, uart_start_receiving(&other, receive, NULL), EBUSY);
    fake_uart_receive('a', 0);
    uart_on_interrupt(&uart);
    KTEST_EXPECT_STREQ(test, received, "a");
}

KTEST(uart_interrupt, port_without_a_line_is_no_device)
{
    install_fake(test);
    uart.base = (enum uart_base)UNKNOWN_PORT;
    KTEST_EXPECT_EQ(test, uart_start_receiving(&uart, receive, NULL), ENODEV);
    KTEST_EXPECT_EQ(test, fake_uart.interrupt_enable, 0);
}

KTEST(uart_interrupt, stopped_port_is_silent)
{
    install_fake(test);
    KTEST_ASSERT_EQ(test, uart_start_receiving(&uart, receive, NULL), OK);
    uart_stop_receiving(&uart);
    unsigned rises = fake_uart.rises;
    fake_uart_receive('a', 0);
    KTEST_EXPECT_EQ(test, fake_uart.rises, rises);
    KTEST_ASSERT_EQ(test, uart_start_receiving(&uart, receive, NULL), OK);
    uart_stop_receiving(&uart);
    KTEST_EXPECT_STREQ(test, received, "a");
}

// --- The machine's own --------------------------------------------------------------------------

#define WAIT_MAX 1000000

static void end_loopback(void *unused)
{
    cpu_disable_interrupts();
    port_write8(COM1_MODEM_CONTROL, NO_LOOPBACK);
    stop(unused);
}

static void wait_for_received(size_t count)
{
    for (int i = 0; i < WAIT_MAX; i++) {
        if (__atomic_load_n(&received_count, __ATOMIC_RELAXED) >= count) {
            return;
        }
        cpu_relax();
    }
}

// Five bytes are below the trigger level: they come when the FIFO has waited for long enough.
KTEST(uart_interrupt, real_port_interrupts_for_few_and_for_many_bytes)
{
    static const char many[] = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrst";
    forget_received();
    KTEST_ASSERT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_ASSERT_EQ(test, uart_start_receiving(&uart, receive, NULL), OK);
    ktest_add_action(test, end_loopback, NULL);
    port_write8(COM1_MODEM_CONTROL, LOOPBACK);
    cpu_enable_interrupts();
    uart_send(&uart, "Hello", 5);
    wait_for_received(5);
    bool has_few = received_count == 5;
    uart_send(&uart, many, sizeof(many) - 1);
    wait_for_received(5 + sizeof(many) - 1);
    ktest_release_action(test, end_loopback, NULL);

    KTEST_EXPECT_TRUE(test, has_few);
    KTEST_EXPECT_EQ(test, received_count, 5 + sizeof(many) - 1);
    KTEST_EXPECT_STREQ(test, &received[5], many);
    KTEST_EXPECT_EQ(test, uart.errors.overruns, 0);
}

// The line is up before anybody listens, and does not rise.
KTEST(uart_interrupt, full_real_port_is_emptied_at_the_start)
{
    forget_received();
    KTEST_ASSERT_EQ(test, uart_init(&uart, UART_COM1), OK);
    port_write8(COM1_MODEM_CONTROL, LOOPBACK);
    uart_send(&uart, "0123456789abcdef", 16);
    uart_flush(&uart);
    enum error error = uart_start_receiving(&uart, receive, NULL);
    ktest_add_action(test, end_loopback, NULL);
    cpu_enable_interrupts();
    uart_send(&uart, "gh", 2);
    wait_for_received(18);
    ktest_release_action(test, end_loopback, NULL);

    KTEST_EXPECT_EQ(test, error, OK);
    KTEST_EXPECT_STREQ(test, received, "0123456789abcdefgh");
    KTEST_EXPECT_EQ(test, uart.errors.overruns, 0);
}
