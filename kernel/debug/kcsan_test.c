// SPDX-License-Identifier: MIT
//
// Races are found, and what is guarded is not called one: in builds with the finder of data races.
// Each access with interrupts on is held up, and a breakpoint stands for the interrupt that comes
// meanwhile. The last tests are of the chance that accesses have otherwise.
#include "debug/kcsan.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/kcsan.h"
#include "lib/string.h"
#include "sync/irq_state.h"

static uint64_t counter;
static volatile uint64_t volatile_counter;
static uint64_t atomic_counter;
static uint8_t bytes[16];
static uint8_t block[4096];

// --- What is interrupted ------------------------------------------------------------------------

static volatile uint64_t other;

// The end of a row: an access that nothing else touches, so that the handler comes once more.
static void end_row(void)
{
    other = 1;
}

#define USE(value_)                                                                                \
    __asm__ volatile("" : : "r"(value_)) // or a function that reads alone is left out

// Nothing of the test's own is to be held up.
#define WITH_INTERRUPTS(...)                                                                       \
    do {                                                                                           \
        cpu_enable_interrupts();                                                                   \
        __VA_ARGS__;                                                                               \
        cpu_disable_interrupts();                                                                  \
    } while (0)

[[gnu::noinline]] static void increment(void)
{
    WITH_INTERRUPTS(counter++, end_row());
}

[[gnu::noinline]] static void read_counter(void)
{
    uint64_t value;
    WITH_INTERRUPTS(value = counter, end_row());
    USE(value);
}

[[gnu::noinline]] static void increment_guarded(void)
{
    cpu_enable_interrupts();
    irq_state_t state = irq_save();
    counter++;
    irq_restore(state);
    end_row();
    cpu_disable_interrupts();
}

[[gnu::noinline]] static void increment_volatile(void)
{
    WITH_INTERRUPTS(volatile_counter = volatile_counter + 1, end_row());
}

[[gnu::noinline]] static void increment_atomic(void)
{
    WITH_INTERRUPTS(__atomic_fetch_add(&atomic_counter, 1, __ATOMIC_RELAXED), end_row());
}

[[gnu::noinline]] static void exchange_atomic(void)
{
    uint64_t expected = 1;
    WITH_INTERRUPTS(__atomic_compare_exchange_n(&atomic_counter, &expected, 2, false,
                                                __ATOMIC_SEQ_CST, __ATOMIC_RELAXED),
                    end_row());
}

[[gnu::noinline]] static void read_atomic(void)
{
    uint64_t value;
    WITH_INTERRUPTS(value = __atomic_load_n(&atomic_counter, __ATOMIC_ACQUIRE), end_row());
    USE(value);
}

[[gnu::noinline]] static void write_bytes(void)
{
    WITH_INTERRUPTS(*(uint64_t *)(void *)&bytes[4] = 7, end_row());
}

[[gnu::noinline]] static void clear_block(void)
{
    WITH_INTERRUPTS(memset(block, 0, sizeof(block)), end_row());
}

[[gnu::noinline]] static uint8_t read_at(const uint8_t *address)
{
    uint8_t value;
    WITH_INTERRUPTS(value = *address, end_row());
    USE(value);
    return value;
}

// --- What comes meanwhile -----------------------------------------------------------------------

static uint64_t visits; // of the handler
static volatile uint64_t seen;

[[gnu::noinline]] static void do_nothing(void)
{
}

[[gnu::noinline]] static void look(void)
{
    seen = counter;
}

[[gnu::noinline]] static void count(void)
{
    counter++;
}

[[gnu::noinline]] static void look_at_volatile(void)
{
    seen = volatile_counter;
}

[[gnu::noinline]] static void set_atomic(void)
{
    __atomic_store_n(&atomic_counter, 1, __ATOMIC_RELAXED);
}

[[gnu::noinline]] static void set_plain(void)
{
    atomic_counter = 1;
}

[[gnu::noinline]] static void count_atomically(void)
{
    __atomic_store_n(&counter, 5, __ATOMIC_RELAXED);
}

[[gnu::noinline]] static void set_byte_3(void)
{
    bytes[3] = 1;
}

[[gnu::noinline]] static void set_byte_11(void)
{
    bytes[11] = 1;
}

[[gnu::noinline]] static void set_byte_12(void)
{
    bytes[12] = 1;
}

[[gnu::noinline]] static void set_in_block(void)
{
    block[3000] = 1;
}

[[gnu::noinline]] static void count_in_assembly(void)
{
    __asm__ volatile("incq %0" : "+m"(counter));
}

[[gnu::noinline]] NO_KCSAN static void count_unwatched(void)
{
    counter++;
}

static void (*visitor)(void);

static void on_breakpoint(struct trap_frame *frame)
{
    (void)frame;
    visits++;
    visitor();
}

// Otherwise its own access would be held up, and not what it does.
[[gnu::noinline]] static void visit_with(void (*new_visitor)(void))
{
    visitor = new_visitor;
    visits = 0;
}

static struct kcsan_mode mode_before;

static void interrupt_each_access(struct ktest *test)
{
    (void)test;
    counter = 0;
    visit_with(do_nothing);
    trap_set_handler(VECTOR_BREAKPOINT, on_breakpoint);
    mode_before = kcsan_set_mode((struct kcsan_mode){1, cpu_breakpoint});
}

static void interrupt_by_chance(struct ktest *test)
{
    (void)test;
    kcsan_set_mode(mode_before);
    trap_set_handler(VECTOR_BREAKPOINT, NULL);
}

KTEST_SUITE(kcsan, .init = interrupt_each_access, .exit = interrupt_by_chance);

// --- Races --------------------------------------------------------------------------------------

KTEST_ATTR(kcsan, panics_with_both_sides,
           .outcome = KTEST_PANIC("KCSAN: plain 8-byte write at 0x* in increment, meanwhile "
                                  "plain 8-byte read at +0 in look"));
KTEST(kcsan, panics_with_both_sides)
{
    visit_with(look);
    KTEST_ARM(test);
    increment();
}

#define EXPECT_RACE(visitor_, first_, second_, statement_)                                         \
    do {                                                                                           \
        visit_with(visitor_);                                                                      \
        KTEST_EXPECT_PANIC(test, "KCSAN: " first_ ", meanwhile " second_, statement_);             \
    } while (0)

KTEST(kcsan, plain_accesses_race)
{
    EXPECT_RACE(count, "plain 8-byte * in increment", "plain 8-byte * in count", increment());
    EXPECT_RACE(count, "plain 8-byte read * in read_counter", "plain 8-byte write * in count",
                read_counter());
    EXPECT_RACE(look, "plain 8-byte write * in increment", "plain 8-byte read * in look",
                increment());
}

// The plain side may be torn or repeated, whatever the other one is.
KTEST(kcsan, plain_access_races_with_an_atomic_one)
{
    EXPECT_RACE(count_atomically, "plain 8-byte read * in read_counter",
                "atomic 8-byte write * in count_atomically", read_counter());
    EXPECT_RACE(set_plain, "atomic 8-byte read * in read_atomic",
                "plain 8-byte write * in set_plain", read_atomic());
    EXPECT_RACE(set_plain, "atomic 8-byte write * in increment_atomic",
                "plain 8-byte write * in set_plain", increment_atomic());
    EXPECT_RACE(set_plain, "atomic 8-byte write * in exchange_atomic",
                "plain 8-byte write * in set_plain", exchange_atomic());
}

KTEST(kcsan, sizes_and_places_differ)
{
    EXPECT_RACE(set_byte_11, "plain 8-byte write * in write_bytes",
                "plain 1-byte write at +7 in set_byte_11", write_bytes());
}

KTEST(kcsan, functions_of_memory_are_watched)
{
    EXPECT_RACE(set_in_block, "plain *-byte write * in memset", "plain 1-byte write * in set_in_*",
                clear_block());
}

KTEST(kcsan, unseen_writer_is_noticed)
{
    EXPECT_RACE(count_in_assembly, "plain 8-byte read * in read_counter", "0x0 became 0x1 unseen",
                read_counter());
    EXPECT_RACE(count_unwatched, "plain 8-byte read * in read_counter", "0x1 became 0x2 unseen",
                read_counter());
}

// --- No races -----------------------------------------------------------------------------------

// The interrupt has come, in each of them, and nobody was called a culprit.
#define EXPECT_SILENCE(visitor_, statement_)                                                       \
    do {                                                                                           \
        visit_with(visitor_);                                                                      \
        statement_;                                                                                \
        KTEST_EXPECT_GT(test, visits, 0);                                                          \
    } while (0)

KTEST(kcsan, with_interrupts_off_nothing_races)
{
    EXPECT_SILENCE(count, increment_guarded());
    KTEST_EXPECT_EQ(test, counter, 1 + visits);
}

KTEST(kcsan, marked_accesses_do_not_race)
{
    EXPECT_SILENCE(set_atomic, increment_atomic());
    EXPECT_SILENCE(set_atomic, read_atomic());
    EXPECT_SILENCE(set_atomic, exchange_atomic());
    EXPECT_SILENCE(look_at_volatile, increment_volatile());
}

KTEST(kcsan, reads_do_not_race)
{
    EXPECT_SILENCE(look, read_counter());
}

KTEST(kcsan, neighbours_do_not_race)
{
    EXPECT_SILENCE(set_byte_3, write_bytes());
    EXPECT_SILENCE(set_byte_12, write_bytes());
}

// --- Where and how often ------------------------------------------------------------------------

// It would fault in the finder, and before its time.
KTEST(kcsan, access_that_faults_is_let_pass)
{
    const uint8_t *unmapped = (const uint8_t *)MMIO_VMA + MMIO_SIZE - PAGE_SIZE;
    uint64_t count_before = kcsan_watched_count();
    KTEST_EXPECT_FAULT(test, PF, 0, (void)read_at(unmapped));
    KTEST_EXPECT_EQ(test, kcsan_watched_count(), count_before);
    KTEST_EXPECT_EQ(test, read_at(bytes), bytes[0]);
    KTEST_EXPECT_GT(test, kcsan_watched_count(), count_before);
}

// Code that was left in the middle, as here by the panic, is not waited for.
KTEST(kcsan, what_was_abandoned_is_not_watched)
{
    EXPECT_RACE(look, "*", "*", increment());
    counter = 1;
    EXPECT_SILENCE(do_nothing, increment());
}

static void do_not_wait(void)
{
}

static uint64_t held_up_of(uint64_t access_count)
{
    uint64_t before = kcsan_watched_count();
    cpu_enable_interrupts();
    for (uint64_t i = 0; i < access_count; i++) {
        __atomic_store_n(&atomic_counter, i, __ATOMIC_RELAXED);
    }
    cpu_disable_interrupts();
    return kcsan_watched_count() - before;
}

KTEST(kcsan, one_of_many_accesses_is_held_up)
{
    kcsan_set_mode((struct kcsan_mode){100, do_not_wait});
    uint64_t count = held_up_of(10000);
    KTEST_EXPECT_GT(test, count, 70);
    KTEST_EXPECT_LT(test, count, 1300); // without optimization there are accesses to variables, too
    kcsan_set_mode((struct kcsan_mode){0, do_not_wait});
    KTEST_EXPECT_EQ(test, held_up_of(10000), 0);
}
