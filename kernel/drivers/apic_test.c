// SPDX-License-Identifier: MIT
//
// The APICs by themselves, whichever controller the kernel uses: a timer's interrupt on its way
// from the I/O APIC's pin to the CPU.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/trap.h"
#include "drivers/apic.h"
#include "drivers/io_apic.h"
#include "drivers/local_apic.h"
#include "drivers/nmi_timer.h"
#include "drivers/pit_8254.h"
#include "ktest.h"
#include "mm/mmio.h"

#define IO_APIC_ADDRESS 0xfec00000 // where chipsets put the first one
#define TIMER_PIN 2
#define VECTOR ((struct plain_vector){0x70})
#define ENTRY(pin_) (0x10 + 2 * (pin_))
#define PINS 24
#define MASKED BIT(16)
#define WAIT_MAX 50000000

static uint32_t io_apic_word(uint32_t index)
{
    volatile uint32_t *registers = phys_to_direct((phys_addr_t){IO_APIC_ADDRESS});
    registers[0] = index;
    return registers[4];
}

static void set_io_apic_word(uint32_t index, uint32_t value)
{
    volatile uint32_t *registers = phys_to_direct((phys_addr_t){IO_APIC_ADDRESS});
    registers[0] = index;
    registers[4] = value;
}

static struct io_apic io_apic;
static uint32_t entries_before[2 * PINS]; // the kernel's own routes

static void find(struct ktest *test)
{
    for (uint32_t i = 0; i < 2 * PINS; i++) {
        entries_before[i] = io_apic_word(ENTRY(0) + i);
    }
    KTEST_ASSERT_EQ(test, io_apic_init(&io_apic, (phys_addr_t){IO_APIC_ADDRESS}, 0), OK);
}

static void forget(void)
{
    mmio_unmap(io_apic.registers, 0x20);
    for (uint32_t i = 0; i < 2 * PINS; i++) {
        set_io_apic_word(ENTRY(0) + i, entries_before[i]);
    }
}

KTEST_ATTR(apic, local_one_has_the_cpus_number, .needs = KTEST_NEEDS_APIC);
KTEST(apic, local_one_has_the_cpus_number)
{
    KTEST_EXPECT_EQ(test, local_apic_id(), cpuid(1, 0).ebx >> 24);
    const volatile uint32_t *registers = phys_to_direct((phys_addr_t){0xfee00000});
    KTEST_EXPECT_EQ(test, registers[0x3e0 / 4], 3); // the timer's clock is divided by 16
    KTEST_EXPECT_EQ(test, registers[0xf0 / 4] & 0x1ff, 0x1ff);
    KTEST_EXPECT_EQ(test, registers[0x360 / 4], 0x400); // NMIs come in
}

KTEST_ATTR(apic, io_apic_starts_masked_and_is_routed, .needs = KTEST_NEEDS_APIC);
KTEST(apic, io_apic_starts_masked_and_is_routed)
{
    find(test);
    KTEST_EXPECT_EQ(test, io_apic.pin_count, (io_apic_word(1) >> 16 & 0xff) + 1);
    KTEST_EXPECT_EQ(test, io_apic.pin_count, PINS); // QEMU's
    for (uint32_t pin = 0; pin < io_apic.pin_count; pin++) {
        KTEST_EXPECT_EQ_MSG(test, io_apic_word(ENTRY(pin)) & MASKED, MASKED, "pin %u", pin);
    }
    io_apic_route(&io_apic, 9, (struct io_apic_route){0x71, 3, .is_level = true, .is_low = true});
    uint32_t level_low = io_apic_word(ENTRY(9));
    uint32_t destination = io_apic_word(ENTRY(9) + 1);
    io_apic_route(&io_apic, 9, (struct io_apic_route){0x72, 0, .is_level = false, .is_low = false});
    uint32_t edge_high = io_apic_word(ENTRY(9));
    io_apic_unmask(&io_apic, 9);
    uint32_t open = io_apic_word(ENTRY(9));
    io_apic_mask(&io_apic, 9);
    uint32_t shut = io_apic_word(ENTRY(9));
    forget();

    KTEST_EXPECT_EQ(test, level_low, MASKED | BIT(15) | BIT(13) | 0x71);
    KTEST_EXPECT_EQ(test, destination, 3U << 24);
    KTEST_EXPECT_EQ(test, edge_high, MASKED | 0x72);
    KTEST_EXPECT_EQ(test, open, 0x72);
    KTEST_EXPECT_EQ(test, shut, MASKED | 0x72);
}

KTEST_ATTR(apic, nothing_is_no_io_apic, .needs = KTEST_NEEDS_APIC);
KTEST(apic, nothing_is_no_io_apic)
{
    struct io_apic nothing = {.pin_count = 77};
    phys_addr_t hole = {0xfe000000};
    KTEST_EXPECT_EQ(test, io_apic_init(&nothing, hole, 0), ENODEV);
    phys_addr_t memory = {(uint64_t)text_start - KERNEL_VMA};
    KTEST_EXPECT_EQ(test, io_apic_init(&nothing, memory, 0), EINVAL);
}

static volatile unsigned ticks;
static bool ends_them;

static void on_tick(struct trap_frame *frame)
{
    (void)frame;
    ticks++;
    if (ends_them) {
        local_apic_end();
    }
}

static void wait_for_ticks(unsigned count)
{
    cpu_enable_interrupts();
    for (int i = 0; i < WAIT_MAX && ticks < count; i++) {
        cpu_relax();
    }
    cpu_disable_interrupts();
}

// The timer's ticks, through the I/O APIC. Without an end the first one is the last.
KTEST_ATTR(apic, interrupt_comes_again_once_it_is_ended, .speed = KTEST_SPEED_SLOW,
           .needs = KTEST_NEEDS_APIC, .proves = "7.7.1");
KTEST(apic, interrupt_comes_again_once_it_is_ended)
{
    nmi_timer_stop(); // the tests' watchdog has the same timer
    pit_start_rate(1024);
    trap_handler_t *before = trap_set_handler(VECTOR, on_tick);
    find(test);
    io_apic_route(&io_apic, TIMER_PIN,
                  (struct io_apic_route){VECTOR.number, (uint8_t)local_apic_id(), false, false});
    ticks = 0;
    ends_them = false;
    io_apic_unmask(&io_apic, TIMER_PIN);
    wait_for_ticks(1);
    for (int i = 0; i < 20; i++) { // time for others, if they could come
        (void)io_apic_word(ENTRY(TIMER_PIN));
        cpu_enable_interrupts();
        for (int j = 0; j < 10000; j++) {
            cpu_relax();
        }
        cpu_disable_interrupts();
    }
    unsigned without_end = ticks;
    ends_them = true;
    local_apic_end();
    wait_for_ticks(5);
    io_apic_mask(&io_apic, TIMER_PIN);
    cpu_enable_interrupts(); // one more may be on its way
    cpu_relax();
    cpu_disable_interrupts();
    forget();
    trap_set_handler(VECTOR, before);

    KTEST_EXPECT_EQ(test, without_end, 1);
    KTEST_EXPECT_GE(test, ticks, 5);
}

static volatile unsigned local_ticks;

static void on_local_tick(struct trap_frame *frame)
{
    (void)frame;
    local_ticks++;
    local_apic_end();
}

KTEST_ATTR(apic, local_timer_counts_down_and_ticks_once, .needs = KTEST_NEEDS_APIC,
           .proves = "7.7.1");
KTEST(apic, local_timer_counts_down_and_ticks_once)
{
    trap_handler_t *before = trap_set_handler(VECTOR, on_local_tick);
    local_ticks = 0;
    local_apic_timer_unmask(VECTOR.number);
    local_apic_timer_start(UINT32_MAX); // a machine may stand still between any two instructions
    uint32_t at_first = local_apic_timer_count();
    uint32_t later = at_first;
    for (int i = 0; i < WAIT_MAX && later == at_first; i++) {
        later = local_apic_timer_count();
    }
    local_apic_timer_start(100000);
    cpu_enable_interrupts();
    for (int i = 0; i < WAIT_MAX && local_ticks == 0; i++) {
        cpu_relax();
    }
    cpu_disable_interrupts();
    uint32_t at_last = local_apic_timer_count();
    local_apic_timer_mask();
    trap_set_handler(VECTOR, before);

    KTEST_EXPECT_GT(test, at_first, UINT32_MAX / 2);
    KTEST_EXPECT_LT(test, later, at_first);
    KTEST_EXPECT_EQ(test, at_last, 0);
    KTEST_EXPECT_EQ(test, local_ticks, 1);
}
