// SPDX-License-Identifier: MIT
#include "drivers/nmi_timer.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"

#define WAIT_MAX 100000000

static uint64_t nmi_count; // changes under the waiting loops
static bool had_expired;
static bool is_restarting;

// In the place of the tests' watchdog.
static void count_nmi(struct trap_frame *frame)
{
    (void)frame;
    had_expired = nmi_timer_has_expired();
    __atomic_add_fetch(&nmi_count, 1, __ATOMIC_RELAXED);
    if (is_restarting) {
        nmi_timer_start(1);
    }
}

static uint64_t nmis(void)
{
    return __atomic_load_n(&nmi_count, __ATOMIC_RELAXED);
}

static void put_back(void *handler)
{
    nmi_timer_stop();
    trap_set_handler(VECTOR_NMI, *(trap_handler_t **)handler);
}

static void init(struct ktest *test)
{
    static trap_handler_t *before;
    KTEST_ASSERT_TRUE(test, nmi_timer_exists());
    nmi_timer_stop();
    nmi_count = 0;
    had_expired = false;
    is_restarting = false;
    before = trap_set_handler(VECTOR_NMI, count_nmi);
    ktest_add_action(test, put_back, &before);
}

KTEST_SUITE(nmi_timer, .init = init);

static void wait_for(uint64_t count)
{
    for (int i = 0; i < WAIT_MAX && nmis() < count; i++) {
        cpu_relax();
    }
}

KTEST_ATTR(nmi_timer, comes_once_with_interrupts_off, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, comes_once_with_interrupts_off)
{
    cpu_disable_interrupts();
    nmi_timer_start(1);
    wait_for(1);
    KTEST_EXPECT_EQ(test, nmis(), 1);
    KTEST_EXPECT_TRUE(test, had_expired);
    KTEST_EXPECT_TRUE(test, nmi_timer_has_expired()); // until it is set again
}

KTEST_ATTR(nmi_timer, comes_again_when_it_is_set_in_the_handler, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, comes_again_when_it_is_set_in_the_handler)
{
    is_restarting = true;
    nmi_timer_start(1);
    wait_for(3);
    nmi_timer_stop();
    KTEST_EXPECT_GE(test, nmis(), 3);
}

// The NMI of a sleeping CPU wakes it. It comes again and again: the first may come before the halt.
KTEST_ATTR(nmi_timer, ends_a_halt, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, ends_a_halt)
{
    is_restarting = true;
    nmi_timer_start(1);
    __asm__ volatile("cli; hlt");
    KTEST_EXPECT_GE(test, nmis(), 1);
}

KTEST(nmi_timer, does_not_come_when_it_is_stopped)
{
    nmi_timer_start(1);
    nmi_timer_stop();
    uint64_t before = nmis(); // on a machine that is slow enough it has come already
    for (int i = 0; i < WAIT_MAX && !nmi_timer_has_expired(); i++) {
        cpu_relax();
    }
    KTEST_EXPECT_TRUE(test, nmi_timer_has_expired());
    KTEST_EXPECT_EQ(test, nmis(), before);
}

KTEST_ATTR(nmi_timer, waits_as_long_as_it_can, .speed = KTEST_SPEED_SLOW,
           .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, waits_as_long_as_it_can)
{
    nmi_timer_start(NMI_TIMER_MAX_MS);
    wait_for(1);
    KTEST_EXPECT_EQ(test, nmis(), 1);
}

KTEST_ATTR(nmi_timer, begins_anew_when_it_is_set_again, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, begins_anew_when_it_is_set_again)
{
    nmi_timer_start(1);
    wait_for(1);
    nmi_timer_start(1);
    wait_for(2);
    KTEST_EXPECT_EQ(test, nmis(), 2);
}

// Only downwards, as a slow machine may have counted on for long.
KTEST(nmi_timer, counts_from_no_more_than_its_milliseconds)
{
    nmi_timer_start(10);
    port_write8(0x43, 0x00); // latches the count of channel 0
    unsigned count = port_read8(0x40);
    count |= (unsigned)port_read8(0x40) << 8;
    bool is_running = !nmi_timer_has_expired();
    nmi_timer_stop();
    if (is_running) { // else it has passed 0, and goes on from the top
        KTEST_EXPECT_LE(test, count, 1193182 / 100);
    }
    KTEST_EXPECT_LE(test, nmis(), 1);
}

static uint64_t pin_entry(void)
{
    volatile uint32_t *registers = phys_to_direct((phys_addr_t){0xfec00000});
    registers[0] = 0x14;
    uint64_t low = registers[4];
    registers[0] = 0x15;
    return (uint64_t)registers[4] << 32 | low;
}

static void set_pin_entry(uint64_t entry)
{
    volatile uint32_t *registers = phys_to_direct((phys_addr_t){0xfec00000});
    registers[0] = 0x14;
    registers[4] = (uint32_t)entry;
    registers[0] = 0x15;
    registers[4] = (uint32_t)(entry >> 32);
}

// The pin is the kernel's timer line, where it uses the I/O APIC.
KTEST_ATTR(nmi_timer, gives_its_pin_back, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, gives_its_pin_back)
{
    nmi_timer_stop(); // the watchdog: it has been set again since
    uint64_t before = pin_entry();
    set_pin_entry(0x0700000000010020); // masked, vector 32, another CPU
    nmi_timer_start(10);
    nmi_timer_start(10);
    uint64_t taken = pin_entry();
    nmi_timer_stop();
    uint64_t back = pin_entry();
    nmi_timer_stop();
    uint64_t still = pin_entry();
    set_pin_entry(before);
    KTEST_EXPECT_EQ(test, taken & 0xff000000000107ff, 0x400);
    KTEST_EXPECT_EQ(test, back, 0x0700000000010020);
    KTEST_EXPECT_EQ(test, still, back);
}

// While it was the timer's, the line may have been given back: whoever opens it again, opens it.
KTEST_ATTR(nmi_timer, leaves_an_open_pin_masked, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, leaves_an_open_pin_masked)
{
    nmi_timer_stop(); // the watchdog: it has been set again since
    uint64_t before = pin_entry();
    set_pin_entry(0x0700000000000020); // open, vector 32, another CPU
    nmi_timer_start(10);
    nmi_timer_stop();
    uint64_t back = pin_entry();
    set_pin_entry(before);
    KTEST_EXPECT_EQ(test, back, 0x0700000000010020);
}

// It came while somebody was about to reach another of the I/O APIC's registers.
KTEST_ATTR(nmi_timer, leaves_the_selected_register_selected, .needs = KTEST_NEEDS_APIC);
KTEST(nmi_timer, leaves_the_selected_register_selected)
{
    volatile uint32_t *registers = phys_to_direct((phys_addr_t){0xfec00000});
    registers[0] = 0x01;
    nmi_timer_start(10);
    uint32_t when_started = registers[0];
    nmi_timer_stop();
    uint32_t when_stopped = registers[0];
    KTEST_EXPECT_EQ(test, when_started, 1);
    KTEST_EXPECT_EQ(test, when_stopped, 1);
}
