// SPDX-License-Identifier: MIT
//
// Reading two counters takes time, and on an emulator any time: so the one that is measured is read
// before and after the reference, and the distance of the two says how far the sample can be wrong.
#include "time/calibration.h"

#define TRIES_GOOD 3 // that are compared
#define TRIES_MAX 12
#define WINDOWS_PER_SECOND 100
#define SAMPLES 4
#define STANDSTILL_READS 100'000 // a tick of 1 MHz takes 1,000 reads at most, on what we know
#define AGREEMENT 128            // within a 128th

struct sample {
    uint64_t count;
    uint64_t ticks; // of the reference
    uint64_t width; // how far `count` may be off
};

struct measurement {
    uint64_t hz;
    uint64_t count;
    uint64_t width;
};

// The best of some.
static bool take_sample(uint64_t (*count)(void), const struct clock_reference *reference,
                        struct sample *sample_out)
{
    struct sample best = {.width = UINT64_MAX};
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t ticks;
        uint64_t before = count();
        if (!reference->read(&ticks)) {
            return false;
        }
        uint64_t width = count() - before;
        if (width < best.width) {
            best = (struct sample){before + width / 2, ticks, width};
        }
    }
    *sample_out = best;
    return true;
}

// EAGAIN if the reference has run out before.
static enum error wait_until(const struct clock_reference *reference, uint64_t end)
{
    uint64_t last = 0;
    uint64_t ticks = 0;
    for (uint32_t same = 0; ticks < end; same = ticks == last ? same + 1 : 0) {
        last = ticks;
        if (same == STANDSTILL_READS) {
            return EIO;
        }
        if (!reference->read(&ticks)) {
            return EAGAIN;
        }
    }
    return OK;
}

static enum error measure(uint64_t (*count)(void), const struct clock_reference *reference,
                          struct measurement *measurement_out)
{
    struct sample start;
    struct sample end;
    reference->start();
    if (!take_sample(count, reference, &start)) {
        return EAGAIN;
    }
    enum error error = wait_until(reference, start.ticks + reference->hz / WINDOWS_PER_SECOND);
    if (error != OK) {
        return error;
    }
    if (!take_sample(count, reference, &end)) {
        return EAGAIN;
    }
    uint64_t counted = end.count - start.count;
    uint64_t product;
    if (__builtin_mul_overflow(counted, reference->hz, &product)) {
        return EAGAIN; // it has taken minutes, or the counter has gone backwards
    }
    *measurement_out = (struct measurement){
        .hz = product / (end.ticks - start.ticks),
        .count = counted,
        .width = start.width + end.width,
    };
    return counted == 0 ? EIO : OK;
}

static bool is_better(struct measurement left, struct measurement right)
{
    return (unsigned __int128)left.width * right.count <
           (unsigned __int128)right.width * left.count;
}

static bool agree(struct measurement left, struct measurement right)
{
    uint64_t distance = left.hz > right.hz ? left.hz - right.hz : right.hz - left.hz;
    return distance <= left.hz / AGREEMENT;
}

static enum error judge(const struct measurement *tries, uint64_t *hz_out)
{
    int best = 0;
    int agreeing = 0;
    for (int i = 1; i < TRIES_GOOD; i++) {
        best = is_better(tries[i], tries[best]) ? i : best;
    }
    for (int i = 0; i < TRIES_GOOD; i++) {
        agreeing += i != best && agree(tries[best], tries[i]);
    }
    if (agreeing == 0) {
        return EAGAIN;
    }
    uint64_t hz = tries[best].hz;
    if (hz < CALIBRATION_HZ_MIN || hz > CALIBRATION_HZ_MAX) {
        return ERANGE;
    }
    *hz_out = hz;
    return OK;
}

enum error calibrate(uint64_t (*count)(void), const struct clock_reference *reference,
                     uint64_t *hz_out)
{
    struct measurement tries[TRIES_GOOD];
    int good = 0;
    enum error error = EAGAIN;
    for (int i = 0; i < TRIES_MAX && error == EAGAIN; i++) {
        error = measure(count, reference, &tries[good % TRIES_GOOD]);
        good += error == OK;
        if (error == OK) {
            error = good < TRIES_GOOD ? EAGAIN : judge(tries, hz_out);
        }
    }
    return error;
}
