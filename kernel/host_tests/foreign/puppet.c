// SPDX-License-Identifier: MIT
//
// A guest for scripted machines, on a PC that SeaBIOS has set up. It says on COM1 which scan codes
// the keyboard sends, does what a letter on COM1 asks for, and powers off by its button:
//   e  from now on, show letters instead of scan codes, on the screen too, and read slowly
//   h  halt for ever
//   x  leave through the exit device
// It polls and has no IDT, so that an NMI resets the machine.
// Sources: 8042 and scan code set 1; 16550; ACPI 6.4, 4.8.3, at the ports of QEMU's PIIX4.
#include <stdbool.h>
#include <stdint.h>

__attribute__((used)) void kernel_main(void);

enum port {
    KEYBOARD_DATA = 0x60,
    KEYBOARD_STATUS = 0x64,
    DEBUG_EXIT = 0xf4,
    COM1_DATA = 0x3f8,
    COM1_LINE_STATUS = 0x3fd,
    PM1_STATUS = 0x600,
    PM1_ENABLE = 0x602,
    PM1_CONTROL = 0x604,
    PM_TIMER = 0x608,
};

#define KEYBOARD_HAS_DATA 0x01
#define COM1_HAS_DATA 0x01
#define COM1_CAN_SEND 0x20
#define PM1_POWER_BUTTON 0x100
#define PM1_SLEEP_ENABLE 0x2000 // with sleep type 0, which is off here
#define PM_TIMER_MASK 0xffffff
#define SLOW_TICKS 107386 // 30 ms of 3.579545 MHz

static const char letters[0x40] = "?\0331234567890-=\b\tqwertyuiop[]\n?asdfghjkl;'`?\\zxcvbnm,./";
static volatile uint16_t *cell = (volatile uint16_t *)0xb8000;

static uint8_t read8(enum port port)
{
    uint8_t value;
    __asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint16_t read16(enum port port)
{
    uint16_t value;
    __asm__ volatile("inw %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint32_t read32(enum port port)
{
    uint32_t value;
    __asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void write8(enum port port, uint8_t value)
{
    __asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static void write16(enum port port, uint16_t value)
{
    __asm__ volatile("outw %0, %w1" : : "a"(value), "Nd"(port));
}

static void say(const char *text)
{
    for (; *text != '\0'; text++) {
        while ((read8(COM1_LINE_STATUS) & COM1_CAN_SEND) == 0) {
        }
        write8(COM1_DATA, (uint8_t)*text);
    }
}

static void say_code(uint8_t code)
{
    static const char digits[] = "0123456789abcdef";
    char text[] = {digits[code >> 4], digits[code & 15], ' ', '\0'};
    say(text);
}

static void show_letter(uint8_t code)
{
    if (code < sizeof(letters) && letters[code] != '\0') {
        char text[] = {letters[code], '\0'};
        say(text);
        *cell++ = (uint16_t)(0x0e00 | (uint8_t)letters[code]);
    }
    uint32_t start = read32(PM_TIMER);
    while (((read32(PM_TIMER) - start) & PM_TIMER_MASK) < SLOW_TICKS) {
    }
}

void kernel_main(void)
{
    bool echoes = false;
    write16(PM1_ENABLE, PM1_POWER_BUTTON);
    say("ready\n");
    for (;;) {
        if ((read8(KEYBOARD_STATUS) & KEYBOARD_HAS_DATA) != 0) {
            (echoes ? show_letter : say_code)(read8(KEYBOARD_DATA));
        }
        if ((read16(PM1_STATUS) & PM1_POWER_BUTTON) != 0) {
            write16(PM1_CONTROL, PM1_SLEEP_ENABLE);
        }
        char order = (read8(COM1_LINE_STATUS) & COM1_HAS_DATA) != 0 ? (char)read8(COM1_DATA) : '\0';
        switch (order) {
        case 'e':
            echoes = true;
            say("echo\n");
            break;
        case 'h':
            say("halt\n");
            __asm__ volatile("cli; hlt");
            break;
        case 'x':
            write8(DEBUG_EXIT, 0x10);
            break;
        default:
            break;
        }
    }
}
