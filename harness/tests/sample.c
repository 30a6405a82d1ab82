// SPDX-License-Identifier: MIT
//
// A kernel that is never run: the harness's tests read its records, its symbols and its lines.
// tests/fake_qemu.py plays what it would have said.
#include "ktest.h"

static uint64_t guard_page[512];
const char rodata[16] = "read only";

// A constant initializer can hold an address only in a field of the same size.
#if UINTPTR_MAX == UINT64_MAX
#define GUARD_PAGE KTEST_ADDR_RANGE(guard_page, sizeof(guard_page))
#define RODATA KTEST_ADDR(rodata)
#else
#define GUARD_PAGE {0x1000, sizeof(guard_page)}
#define RODATA {0x2000, 1}
#endif

// Stands for a library function that the compiler inlines.
static inline __attribute__((always_inline)) void poke_byte(volatile uint8_t *at)
{
    *at = 1; // line of the poke
}

__attribute__((noinline)) void poke(volatile uint8_t *at)
{
    poke_byte(at);
    *at = 2;
}

__attribute__((noinline)) uint64_t recurse(uint64_t depth)
{
    volatile uint64_t below = depth;
    return depth == 0 ? below : recurse(depth - 1) + below;
}

void _start(void)
{
    poke((volatile uint8_t *)guard_page);
    recurse(1);
}

KTEST_SUITE(alpha, .init = NULL);
KTEST(alpha, two) { (void)test; }
KTEST(alpha, one) { (void)test; }
KTEST_ATTR(alpha, one, .proves = "4.1.2  5.11", .timeout_ms = 0);
KTEST(alpha, skips) { (void)test; }

KTEST(faults, stack_overflow) { (void)test; }
KTEST_ATTR(faults, stack_overflow,
           .outcome = KTEST_FAULT(DF, .error = 0, .ist = 1, .symbol = "recurse",
                                  .addr = GUARD_PAGE));
KTEST(faults, write_to_rodata) { (void)test; }
KTEST_ATTR(faults, write_to_rodata,
           .outcome = KTEST_FAULT(PF, .error = 3, .mask = 0x1f, .symbol = "poke",
                                  .addr = RODATA));

KTEST(panics, as_declared) { (void)test; }
KTEST_ATTR(panics, as_declared, .outcome = KTEST_PANIC("frame 0x* freed twice?"));

KTEST(screen, shows_hello) { (void)test; }
KTEST_ATTR(screen, shows_hello, .isolation = KTEST_ISOLATION_BOOT, .needs = KTEST_NEEDS_VGA,
           .timeout_ms = 1500);

// What protocol 2 brought. tests/fake_qemu.py plays each of them as it declares.
KTEST(endings, takes_the_machine_down) { (void)test; }
KTEST_ATTR(endings, takes_the_machine_down, .outcome = KTEST_TRIPLE_FAULT);
KTEST(endings, hangs) { (void)test; }
KTEST_ATTR(endings, hangs, .outcome = KTEST_HANG, .timeout_ms = 500);
KTEST(endings, takes_an_nmi) { (void)test; }
KTEST_ATTR(endings, takes_an_nmi, .outcome = KTEST_FAULT(NMI, .symbol = "poke"),
           .inject = KTEST_INJECT_NMI, .speed = KTEST_SPEED_SLOW);

KTEST(known, bug) { (void)test; }
KTEST_ATTR(known, bug, .known_bug = "counts from 1");

KTEST(memory, runs_out) { (void)test; }
KTEST_ATTR(memory, runs_out, .fail_nth = 3);

size_t ktest_param_index(const struct ktest *test) { return test == NULL; }
static const int squares[11] = {0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100};
KTEST_PARAM(params, squares, squares, NULL)
{
    (void)test;
    (void)param;
}

KTEST(quirky, everywhere_else) { (void)test; }
KTEST_ATTR(quirky, everywhere_else, .outcome = KTEST_HANG,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_KVM, .skip = "not with KVM"},
                                  {.accel = KTEST_ACCEL_TCG, .before = KTEST_QEMU(6, 0),
                                   .outcome = KTEST_PANIC("old")},
                                  {.accel = KTEST_ACCEL_TCG, .from = KTEST_QEMU(7, 2),
                                   .before = KTEST_QEMU(8, 0), .skip = "broken in 7.2"}));

KTEST_BENCH(speed, add) { (void)test; }
