// SPDX-License-Identifier: MIT
#include "time/clock.h"

#include "arch/x86_64/cpu.h"
#include "lib/bits.h"

#define CPUID_1_EDX_TSC BIT(4)
#define CPUID_POWER 0x80000007
#define CPUID_POWER_EDX_STEADY BIT(8)

static uint64_t hz;
static struct scale to_ns;
static uint64_t start;

enum error clock_init(const struct clock_reference *reference)
{
    if ((cpuid(1, 0).edx & CPUID_1_EDX_TSC) == 0) {
        return ENODEV;
    }
    enum error error = calibrate(cpu_read_tsc, reference, &hz);
    if (error == OK) {
        start = cpu_read_tsc();
        to_ns = scale_make(hz, NS_PER_SECOND);
    }
    return error;
}

uint64_t clock_monotonic_ns(void)
{
    return scale_apply(to_ns, cpu_read_tsc() - start);
}

uint64_t clock_hz(void)
{
    return hz;
}

bool clock_is_steady(void)
{
    return cpuid(0x80000000, 0).eax >= CPUID_POWER &&
           (cpuid(CPUID_POWER, 0).edx & CPUID_POWER_EDX_STEADY) != 0;
}

static void reference_start(void)
{
}

static bool reference_read(uint64_t *ticks_out)
{
    *ticks_out = clock_monotonic_ns();
    return true;
}

const struct clock_reference clock_reference = {
    .name = "the clock",
    .hz = NS_PER_SECOND,
    .start = reference_start,
    .read = reference_read,
};
