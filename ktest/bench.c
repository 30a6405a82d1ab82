// SPDX-License-Identifier: MIT
//
// Benchmarks: cycles per turn of a loop. First the number of turns is doubled until a sample is
// long enough for the clock, which warms up caches and the emulator's translations; then samples
// are taken. What the loop itself costs is measured the same way, and subtracted.
#include "format.h"
#include "port.h"
#include "runner.h"
#include "stream.h"

#define SAMPLE_CYCLES_MIN 20000
#define TURNS_MAX (1ULL << 24)
#define SAMPLES_MAX 50
#define OVERHEAD_TURNS 1024

enum phase { PHASE_FRESH, PHASE_OVERHEAD, PHASE_WARM_UP, PHASE_SAMPLE, PHASE_DONE };

static struct {
    enum phase phase;
    bool is_warm;        // the last sample was long enough
    uint64_t turns;      // of one sample
    uint64_t turns_left; // of the running one
    uint64_t start;
    uint64_t overhead;             // of OVERHEAD_TURNS empty turns
    uint64_t samples[SAMPLES_MAX]; // cycles, sorted
    size_t sample_count;
} bench;

void ktest_bench_begin(void)
{
    bench.phase = PHASE_FRESH;
    bench.is_warm = false;
    bench.turns = 0;
    bench.turns_left = 0;
    bench.sample_count = 0;
}

static bool begin_sample(enum phase phase, uint64_t turns)
{
    bench.phase = phase;
    bench.turns = turns;
    bench.turns_left = turns;
    bench.start = ktest_port_cycles();
    return true;
}

// The cheapest of a few empty loops.
static void measure_overhead(struct ktest *test)
{
    bench.overhead = ~0ULL;
    for (unsigned i = 0; i < 8; i++) {
        begin_sample(PHASE_OVERHEAD, OVERHEAD_TURNS);
        while (ktest_bench_next(test)) {
        }
    }
}

static void add_sample(uint64_t cycles)
{
    size_t i = bench.sample_count++;
    for (; i > 0 && bench.samples[i - 1] > cycles; i--) {
        bench.samples[i] = bench.samples[i - 1];
    }
    bench.samples[i] = cycles;
}

static bool end_sample(uint64_t cycles)
{
    uint64_t overhead = bench.overhead * bench.turns / OVERHEAD_TURNS;
    switch (bench.phase) {
    case PHASE_OVERHEAD:
        bench.overhead = cycles < bench.overhead ? cycles : bench.overhead;
        return false;
    case PHASE_WARM_UP:
        if (cycles == 0 && bench.turns > OVERHEAD_TURNS) { // there is no clock
            add_sample(0);
            break;
        }
        if (cycles < SAMPLE_CYCLES_MIN && bench.turns < TURNS_MAX) {
            bench.is_warm = false;
            return begin_sample(PHASE_WARM_UP, bench.turns * 2);
        }
        if (!bench.is_warm) { // it may have been long for being the first
            bench.is_warm = true;
            return begin_sample(PHASE_WARM_UP, bench.turns);
        }
        return begin_sample(PHASE_SAMPLE, bench.turns);
    case PHASE_SAMPLE:
        add_sample(cycles > overhead ? cycles - overhead : 0);
        if (bench.sample_count < SAMPLES_MAX) {
            return begin_sample(PHASE_SAMPLE, bench.turns);
        }
        break;
    case PHASE_FRESH:
    case PHASE_DONE:
        break;
    }
    bench.phase = PHASE_DONE;
    return false;
}

__attribute__((noinline)) bool ktest_bench_next(struct ktest *test)
{
    if (bench.turns_left > 1) {
        bench.turns_left--;
        return true;
    }
    uint64_t now = ktest_port_cycles();
    if (bench.phase == PHASE_FRESH) {
        measure_overhead(test);
        return begin_sample(PHASE_WARM_UP, 1);
    }
    return end_sample(now - bench.start);
}

// Cycles per turn with three decimals.
static void report_per_turn(const char *key, uint64_t cycles)
{
    uint64_t thousandths = cycles * 1000 / bench.turns;
    char text[32];
    ktest_format(text, sizeof(text), "%llu.%u%u%u", (unsigned long long)(thousandths / 1000),
                 (unsigned)(thousandths / 100 % 10), (unsigned)(thousandths / 10 % 10),
                 (unsigned)(thousandths % 10));
    stream_field(key, text);
}

void ktest_bench_report(struct ktest *test)
{
    if (test->record->kind != KTEST_RECORD_BENCH || test->ending != KTEST_ENDING_RETURNED) {
        return;
    }
    if (bench.phase != PHASE_DONE) {
        ktest_judge(test, KTEST_VERDICT_ERROR,
                    "it measured nothing: its loop did not end by itself");
        return;
    }
    if (bench.samples[bench.sample_count - 1] == 0) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "it measured nothing: the clock stands still");
        return;
    }
    test->check_count++;
    stream_begin("    #:ktest_bench");
    stream_field_number("turns", bench.turns);
    stream_field_number("samples", bench.sample_count);
    report_per_turn("min", bench.samples[0]);
    report_per_turn("median", bench.samples[bench.sample_count / 2]);
    report_per_turn("p90", bench.samples[bench.sample_count * 9 / 10]);
    report_per_turn("max", bench.samples[bench.sample_count - 1]);
    stream_end();
}
