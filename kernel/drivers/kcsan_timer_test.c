// SPDX-License-Identifier: MIT
//
// A race that nobody arranged is found by chance, as the kernel's own would be: a real timer, and
// accesses that are held up now and then.
#include "arch/x86_64/cpu.h"
#include "debug/kcsan.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"
#include "time/timer.h"

#define TURNS_MAX 10'000'000 // it takes some hundreds

static uint64_t shared;
static struct timer timer;

static void tick(struct timer *fired)
{
    shared++;
    timer_add(fired, clock_monotonic_ns() + NS_PER_MS);
}

[[gnu::noinline]] static void race_with_tick(void)
{
    cpu_enable_interrupts();
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        shared++;
        __asm__ volatile("" : : : "memory");
    }
    cpu_disable_interrupts();
}

// The panic left the timers' handler in the middle: its device still waits.
static void stop_timers(void *unused)
{
    (void)unused;
    timer_abandon();
}

KTEST(kcsan_timer, race_is_found_by_chance)
{
    uint64_t count_before = kcsan_watched_count();
    timer = (struct timer){.function = tick};
    nmi_timer_stop(); // the timer's device may be the watchdog's
    ktest_add_action(test, stop_timers, NULL);
    timer_add(&timer, clock_monotonic_ns() + NS_PER_MS);

    KTEST_EXPECT_PANIC(test,
                       "KCSAN: plain 8-byte * in race_with_tick, meanwhile plain 8-byte * tick",
                       race_with_tick());

    KTEST_EXPECT_GT(test, kcsan_watched_count(), count_before);
}
