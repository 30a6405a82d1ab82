// SPDX-License-Identifier: MIT
//
// Benchmarks of the framework itself, and the loop that makes a benchmark.
#include "ktest.h"
#include "runner.h"

static uint64_t now;

__attribute__((noinline)) static uint8_t peek(uintptr_t address)
{
    return *(volatile uint8_t *)address;
}

// What it costs to measure nothing: close to 0, as the loop's own cost is subtracted.
KTEST_BENCH(ktest, empty_loop)
{
    while (ktest_bench_next(test)) {
    }
}

KTEST_BENCH(ktest, check_that_holds)
{
    while (ktest_bench_next(test)) {
        KTEST_EXPECT_EQ(test, now, 0);
    }
}

KTEST_BENCH(ktest, recovered_fault)
{
    while (ktest_bench_next(test)) {
        KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("ud2"));
    }
}

KTEST_BENCH(ktest, recovered_page_fault)
{
    while (ktest_bench_next(test)) {
        KTEST_EXPECT_FAULT(test, PF, 0, peek(0xdead0123));
    }
}

KTEST_BENCH(ktest, recovered_double_fault)
{
    while (ktest_bench_next(test)) {
        KTEST_EXPECT_FAULT(test, DF, 0,
                           __asm__ volatile("movabs $0x800000000000, %%rsp\n\tpush $0"
                                            :
                                            :
                                            : "memory"));
    }
}

static uint64_t fake_cycles(void)
{
    return now;
}

// With a clock of its own: each turn takes 10 cycles, and the loop itself none.
KTEST(bench, takes_samples_of_a_warm_loop)
{
    KTEST_STUB(test, ktest_port_cycles, fake_cycles);
    uint64_t turns = 0;
    ktest_bench_begin();
    while (ktest_bench_next(test)) {
        now += 10;
        turns++;
    }
    // 1 + 2 + 4 + ... up to a sample of 20,000 cycles, which has to come twice; then 50 of these.
    KTEST_EXPECT_EQ(test, turns, 4095 + 2048 + 50 * 2048);
    KTEST_EXPECT_FALSE(test, ktest_bench_next(test)); // it stays at its end
}

// The first sample may have been long for being the first; also that of the next benchmark.
KTEST(bench, long_turn_is_measured_twice_before_it_counts)
{
    KTEST_STUB(test, ktest_port_cycles, fake_cycles);
    for (int i = 0; i < 2; i++) {
        uint64_t turns = 0;
        ktest_bench_begin();
        while (ktest_bench_next(test)) {
            now += 30000;
            turns++;
        }
        KTEST_EXPECT_EQ(test, turns, 2 + 50);
    }
}

// A short sample behind a long one: the turns are doubled, and the next long one is the first
// again.
KTEST(bench, samples_have_to_be_long_twice_in_a_row)
{
    KTEST_STUB(test, ktest_port_cycles, fake_cycles);
    uint64_t turns = 0;
    ktest_bench_begin();
    while (ktest_bench_next(test)) {
        now += turns++ == 1 ? 10 : 30000;
    }
    KTEST_EXPECT_EQ(test, turns, 1 + 1 + 2 + 2 + 50 * 2);
}

KTEST(bench, ends_without_a_clock)
{
    KTEST_STUB(test, ktest_port_cycles, fake_cycles);
    uint64_t turns = 0;
    ktest_bench_begin();
    while (ktest_bench_next(test)) {
        turns++;
    }
    KTEST_EXPECT_LT(test, turns, 10000);
}
