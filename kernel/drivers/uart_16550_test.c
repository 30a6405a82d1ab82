// SPDX-License-Identifier: MIT
#include "drivers/uart_16550.h"

#include "arch/x86_64/port.h"
#include "ktest.h"

#define COM3 0x3e8 // no machine of the harness has one
#define COM1_LINE_CONTROL (UART_COM1 + 3)
#define COM1_MODEM_CONTROL (UART_COM1 + 4)

// Interrupts of QEMU's devices don't change the result: COM1 is only polled.
KTEST_ATTR(uart, self_test_passes_on_a_real_port, .proves = "4.3.1");
KTEST(uart, self_test_passes_on_a_real_port)
{
    struct uart uart;
    KTEST_EXPECT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_EXPECT_EQ(test, uart.dropped_bytes, 0);
}

KTEST_ATTR(uart, self_test_fails_without_a_device, .proves = "4.3.1");
KTEST(uart, self_test_fails_without_a_device)
{
    struct uart uart;
    KTEST_EXPECT_EQ(test, uart_init(&uart, (enum uart_base)COM3), ENODEV);
}

KTEST_ATTR(uart, line_is_8n1_at_115200_baud, .proves = "4.3.1");
KTEST(uart, line_is_8n1_at_115200_baud)
{
    struct uart uart;
    port_write8(UART_COM1 + 1, 0x02); // as whoever was here before may have left it
    KTEST_ASSERT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_EXPECT_EQ(test, port_read8(COM1_LINE_CONTROL), 0x03);
    KTEST_EXPECT_EQ(test, port_read8(COM1_MODEM_CONTROL), 0x0b); // DTR, RTS, OUT2; loopback off
    port_write8(COM1_LINE_CONTROL, 0x83);
    uint8_t divisor_low = port_read8(UART_COM1);
    uint8_t divisor_high = port_read8(UART_COM1 + 1);
    port_write8(COM1_LINE_CONTROL, 0x03);
    KTEST_EXPECT_EQ(test, divisor_low, 1);
    KTEST_EXPECT_EQ(test, divisor_high, 0);
    KTEST_EXPECT_EQ(test, port_read8(UART_COM1 + 1), 0);           // no interrupts
    KTEST_EXPECT_EQ(test, port_read8(UART_COM1 + 2) & 0xc0, 0xc0); // FIFOs on
}

// In loopback mode what is sent is received, in order.
KTEST_ATTR(
    uart, sent_bytes_come_back_in_loopback, .proves = "4.3.1 4.3.2 4.3.4",
    .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                            .skip = "Bochs's serial port shows few bytes only after some time"}));
KTEST(uart, sent_bytes_come_back_in_loopback)
{
    struct uart uart;
    uint8_t received[4] = {0};
    uint8_t nothing = 0x77;
    KTEST_ASSERT_EQ(test, uart_init(&uart, UART_COM1), OK);
    port_write8(COM1_MODEM_CONTROL, 0x13);

    uart_write_text(&uart, "a\n\xff", 3);
    uart_flush(&uart);
    size_t count = 0;
    while (count < sizeof(received) && uart_try_receive(&uart, &received[count])) {
        count++;
    }
    bool is_more = uart_try_receive(&uart, &nothing);
    port_write8(COM1_MODEM_CONTROL, 0x0b);

    KTEST_EXPECT_EQ(test, count, 4);
    KTEST_EXPECT_MEMEQ(test, received, "a\r\n\xff", 4);
    KTEST_EXPECT_FALSE(test, is_more);
    KTEST_EXPECT_EQ(test, nothing, 0x77);
}

// COM1's scratch register plays the line status of a port that lies there. Its data register would
// be COM1's FIFO control, where the bytes 0x07 and 0x87 only enable and clear the FIFOs.
#define SCRATCH (UART_COM1 + 7)

// A port that never becomes ready costs the bytes, and they are counted; it does not hang, and is
// waited for only once.
KTEST_ATTR(uart, waiting_for_the_transmitter_is_bounded, .proves = "4.3.1");
KTEST(uart, waiting_for_the_transmitter_is_bounded)
{
    struct uart uart = {.base = (enum uart_base)(SCRATCH - 5), .polls_max = 1000, .fifo_bytes = 2};
    port_write8(SCRATCH, 0);
    uart_send(&uart, "\0", 2); // would disable the FIFOs
    KTEST_EXPECT_EQ(test, uart.dropped_bytes, 2);
    KTEST_EXPECT_TRUE(test, uart.is_stuck);
    KTEST_EXPECT_EQ(test, port_read8(UART_COM1 + 2) & 0xc0, 0xc0);
}

KTEST(uart, port_that_becomes_ready_again_sends_again)
{
    struct uart uart = {.base = (enum uart_base)(SCRATCH - 5),
                        .polls_max = 1000,
                        .fifo_bytes = 1,
                        .is_stuck = true};
    port_write8(SCRATCH, 0x20);
    uart_send(&uart, "\x07", 1);
    KTEST_EXPECT_EQ(test, uart.dropped_bytes, 0);
    KTEST_EXPECT_FALSE(test, uart.is_stuck);
}

// The FIFO takes 16 bytes at once and no more: then the transmitter has to be empty again.
KTEST(uart, longer_text_comes_back_in_loopback_byte_by_byte)
{
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct uart uart;
    char received[sizeof(text)] = "";
    KTEST_ASSERT_EQ(test, uart_init(&uart, UART_COM1), OK);
    KTEST_EXPECT_EQ(test, uart.fifo_bytes, 16);
    port_write8(COM1_MODEM_CONTROL, 0x13);

    for (size_t sent = 0; sent < sizeof(text) - 1; sent += 12) { // the receiver holds 16
        uart_send(&uart, &text[sent], 12);
        for (size_t i = 0; i < 12; i++) {
            uart_try_receive(&uart, (uint8_t *)&received[sent + i]);
        }
    }
    port_write8(COM1_MODEM_CONTROL, 0x0b);

    KTEST_EXPECT_STREQ(test, received, text);
    KTEST_EXPECT_EQ(test, uart.dropped_bytes, 0);
}

KTEST(uart, pieces_are_as_large_as_the_fifo)
{
    struct uart uart = {.base = (enum uart_base)(SCRATCH - 5), .polls_max = 1000, .fifo_bytes = 16};
    port_write8(SCRATCH, 0);
    uart_send(&uart, "0123456789abcdefghijklmnopqrstuvwxyz",
              36); // each piece is given up as a whole
    KTEST_EXPECT_EQ(test, uart.dropped_bytes, 36);
    uart_send(&uart, "", 0);
    KTEST_EXPECT_EQ(test, uart.dropped_bytes, 36);
}
