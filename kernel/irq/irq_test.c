// SPDX-License-Identifier: MIT
//
// Interrupts raised by `int`: the controller has nothing in service then, and ends nothing.
#include "irq/irq.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/interrupt_sweep_fixture.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "debug/log_fixture.h"
#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "sync/spinlock.h"

#define LINE IRQ_COM2 // the tests' protocol port is polled: the line is nobody's
#define RAISE_LINE(line) __asm__ volatile("int %0" : : "i"(IRQ_FIRST_VECTOR + (line)) : "memory")
#define RAISE() RAISE_LINE(LINE)

static struct irq_statistics statistics(unsigned line)
{
    struct irq_statistics result = {0};
    (void)!irq_statistics_read(line, &result);
    return result;
}

static void give_back(void *unused)
{
    (void)unused;
    irq_unregister(LINE);
}

static void claim(struct ktest *test, enum irq_kind kind, irq_handler_t *handler, void *context)
{
    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", kind, handler, context), OK);
    ktest_add_action(test, give_back, NULL);
}

struct visit {
    unsigned count;
    bool are_interrupts_on;
    const char *lock;
};

static void note_visit(void *context)
{
    struct visit *visit = context;
    visit->count++;
    visit->are_interrupts_on = cpu_interrupts_enabled();
    visit->lock = spinlock_held(0) != NULL ? spinlock_held(0)->name : "none";
}

KTEST(irq, handler_is_called_with_its_context)
{
    struct visit visit = {.are_interrupts_on = true};
    uint64_t before = statistics(LINE).count;
    claim(test, IRQ_PLAIN, note_visit, &visit);
    cpu_enable_interrupts();
    RAISE();
    RAISE();
    bool are_on_again = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, visit.count, 2);
    KTEST_EXPECT_FALSE(test, visit.are_interrupts_on);
    KTEST_EXPECT_TRUE(test, are_on_again);
    KTEST_EXPECT_STREQ(test, visit.lock, "test");
    KTEST_EXPECT_EQ(test, statistics(LINE).count, before + 2);
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 0);
}

KTEST_ATTR(irq, unclaimed_interrupt_is_counted_and_ended, .proves = "7.1.6");
KTEST(irq, unclaimed_interrupt_is_counted_and_ended)
{
    struct irq_statistics before = statistics(LINE);
    RAISE();
    struct irq_statistics after = statistics(LINE);
    KTEST_EXPECT_EQ(test, after.count, before.count + 1);
    KTEST_EXPECT_EQ(test, after.unclaimed, before.unclaimed + 1);
    KTEST_EXPECT_EQ(test, after.spurious_count, before.spurious_count);
}

static void print_something(void *context)
{
    (void)context;
    println("from a handler");
}

static void take_a_frame(void *context)
{
    (void)!frame_alloc(context);
}

static void take_a_block(void *context)
{
    *(void **)context = kmalloc(16);
}

KTEST_ATTR(irq, handler_that_prints_or_allocates_panics, .proves = "7.4.7 10.11");
KTEST(irq, handler_that_prints_or_allocates_panics)
{
    phys_addr_t frame = {0};
    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", IRQ_PLAIN, print_something, NULL), OK);
    KTEST_EXPECT_PANIC(test, "lock log (rank *) is taken inside of test (rank *)", RAISE());
    irq_unregister(LINE);
    claim(test, IRQ_PLAIN, take_a_frame, &frame);
    KTEST_EXPECT_PANIC(test, "lock frames (rank *) is taken inside of test (rank *)", RAISE());
    KTEST_EXPECT_EQ(test, frame.value, 0);
}

KTEST_ATTR(irq, handler_that_uses_the_heap_panics, .proves = "7.4.7 10.11");
KTEST(irq, handler_that_uses_the_heap_panics)
{
    void *block = NULL;
    claim(test, IRQ_PLAIN, take_a_block, &block);
    KTEST_EXPECT_PANIC(test, "lock heap (rank *) is taken inside of test (rank *)", RAISE());
    KTEST_EXPECT_NULL(test, block);
}

KTEST(irq, demonstration_may_print)
{
    claim(test, IRQ_MAY_LOCK, print_something, NULL);
    RAISE();
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 0);
}

KTEST_ATTR(irq, line_has_one_owner, .needs = KTEST_NEEDS_PC);
KTEST(irq, line_has_one_owner)
{
    struct visit visit = {0};
    KTEST_EXPECT_EQ(test, irq_register(IRQ_LINE_COUNT, "test", IRQ_PLAIN, note_visit, NULL),
                    ENODEV);
    KTEST_EXPECT_EQ(test, irq_register(IRQ_CASCADE, "test", IRQ_PLAIN, note_visit, NULL), ENODEV);
    struct irq_statistics unused;
    KTEST_EXPECT_EQ(test, irq_statistics_read(IRQ_LINE_COUNT, &unused), EINVAL);

    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", IRQ_PLAIN, note_visit, &visit), OK);
    KTEST_EXPECT_EQ(test, irq_register(LINE, "other", IRQ_PLAIN, print_something, NULL), EBUSY);
    RAISE();
    KTEST_EXPECT_EQ(test, visit.count, 1);
    irq_unregister(LINE);
    RAISE();
    KTEST_EXPECT_EQ(test, visit.count, 1);
    KTEST_EXPECT_PANIC(test, "interrupt line 3 is nobody's", irq_unregister(LINE));
    KTEST_EXPECT_PANIC(test, "interrupt line 3 is nobody's", irq_mask(LINE));
    KTEST_EXPECT_PANIC(test, "interrupt line 3 is nobody's", irq_unmask(LINE));
    KTEST_EXPECT_PANIC(test, "interrupt line 17 is nobody's", irq_unmask(IRQ_LINE_COUNT));
}

KTEST(irq, every_line_has_its_vector)
{
    struct visit visit = {0};
    KTEST_ASSERT_EQ(test, irq_register(IRQ_PARALLEL - 2, "five", IRQ_PLAIN, note_visit, &visit),
                    OK);
    __asm__ volatile("int $37");
    irq_unregister(5);
    KTEST_ASSERT_EQ(test, irq_register(IRQ_MOUSE, "twelve", IRQ_PLAIN, note_visit, &visit), OK);
    __asm__ volatile("int $44");
    irq_unregister(IRQ_MOUSE);
    KTEST_EXPECT_EQ(test, visit.count, 2);
    KTEST_EXPECT_STREQ(test, visit.lock, "twelve");
}

// --- What the chip is told ----------------------------------------------------------------------

static char told[64];
static bool is_alarm_false;

static void tell(const char *what, unsigned line)
{
    size_t used = strlen(told);
    format_buffer(told + used, sizeof(told) - used, "%s %u, ", what, line);
}

static bool fake_has_line(unsigned line)
{
    return line != 4;
}

static void fake_mask(unsigned line)
{
    tell(cpu_interrupts_enabled() ? "mask with interrupts on" : "mask", line);
}

static void fake_unmask(unsigned line)
{
    tell(cpu_interrupts_enabled() ? "unmask with interrupts on" : "unmask", line);
}

static bool fake_is_spurious(unsigned line)
{
    (void)line;
    return is_alarm_false;
}

static void fake_end(unsigned line)
{
    tell("end", line);
}

static const struct irq_chip fake_chip = {"fake",      fake_has_line,    fake_mask,
                                          fake_unmask, fake_is_spurious, fake_end};

static void put_chip_back(void *chip)
{
    irq_replace_chip(chip);
}

static void use_fake_chip(struct ktest *test)
{
    told[0] = 0;
    is_alarm_false = false;
    ktest_add_action(test, put_chip_back, (void *)(uintptr_t)irq_replace_chip(&fake_chip));
}

static void tell_visit(void *context)
{
    (void)context;
    tell("handler", LINE);
}

KTEST(irq, interrupt_ends_behind_its_handler)
{
    use_fake_chip(test);
    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", IRQ_PLAIN, tell_visit, NULL), OK);
    KTEST_EXPECT_EQ(test, irq_register(4, "test", IRQ_PLAIN, tell_visit, NULL), ENODEV);
    RAISE();
    cpu_enable_interrupts();
    irq_unmask(LINE);
    irq_mask(LINE);
    irq_unregister(LINE);
    RAISE();
    cpu_disable_interrupts();
    KTEST_EXPECT_STREQ(test, told, "handler 3, end 3, unmask 3, mask 3, mask 3, end 3, ");
}

KTEST_ATTR(irq, false_alarm_has_neither_handler_nor_end, .proves = "7.1.4");
KTEST(irq, false_alarm_has_neither_handler_nor_end)
{
    use_fake_chip(test);
    is_alarm_false = true;
    struct irq_statistics before = statistics(LINE);
    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", IRQ_PLAIN, tell_visit, NULL), OK);
    RAISE();
    struct irq_statistics after = statistics(LINE);
    KTEST_EXPECT_STREQ(test, told, "");
    KTEST_EXPECT_EQ(test, after.spurious_count, before.spurious_count + 1);
    KTEST_EXPECT_EQ(test, after.count, before.count);
    irq_unregister(LINE);
}

// The line would be dead for ever.
KTEST(irq, interrupt_of_an_abandoned_handler_is_ended)
{
    use_fake_chip(test);
    KTEST_ASSERT_EQ(test, irq_register(LINE, "test", IRQ_PLAIN, print_something, NULL), OK);
    KTEST_EXPECT_PANIC(test, "lock log *", RAISE());
    KTEST_EXPECT_STREQ(test, told, "end 3, ");
    irq_abandon();
    KTEST_EXPECT_STREQ(test, told, "end 3, "); // there is none any more
    irq_unregister(LINE);
}

KTEST(irq, registering_leaves_interrupts_as_they_were)
{
    cpu_enable_interrupts();
    enum error error = irq_register(LINE, "test", IRQ_PLAIN, print_something, NULL);
    bool is_on = cpu_interrupts_enabled();
    irq_mask(LINE);
    irq_unmask(LINE);
    bool is_on_behind_the_mask = cpu_interrupts_enabled();
    irq_unregister(LINE);
    bool is_still_on = cpu_interrupts_enabled();
    struct irq_statistics unused;
    (void)!irq_statistics_read(LINE, &unused);
    bool is_on_at_last = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, error, OK);
    KTEST_EXPECT_TRUE(test, is_on);
    KTEST_EXPECT_TRUE(test, is_on_behind_the_mask);
    KTEST_EXPECT_TRUE(test, is_still_on);
    KTEST_EXPECT_TRUE(test, is_on_at_last);
}

KTEST(irq, masking_alone_leaves_interrupts_as_they_were)
{
    struct visit visit = {0};
    claim(test, IRQ_PLAIN, note_visit, &visit);
    cpu_enable_interrupts();
    irq_mask(LINE);
    bool is_on = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    KTEST_EXPECT_TRUE(test, is_on);
}

// A runner that gives up on a test later must not end an interrupt that is over: the controller
// would take it for that of another line.
KTEST(irq, interrupt_that_is_over_is_not_ended_again)
{
    use_fake_chip(test);
    RAISE();
    KTEST_EXPECT_STREQ(test, told, "end 3, ");
    irq_abandon();
    KTEST_EXPECT_STREQ(test, told, "end 3, ");
}

KTEST(irq, controller_is_chosen_once)
{
    use_fake_chip(test);
    KTEST_EXPECT_PANIC(test, "*chip == NULL*", irq_init(&fake_chip));
}

// --- Limits -------------------------------------------------------------------------------------

// The chip here would have it.
KTEST(irq, there_is_no_line_behind_the_last)
{
    use_fake_chip(test);
    KTEST_EXPECT_EQ(test, irq_register(IRQ_LINE_COUNT, "test", IRQ_PLAIN, tell_visit, NULL),
                    ENODEV);
    KTEST_EXPECT_NOT_NULL(test, trap_handlers()->plain[IRQ_FIRST_VECTOR + IRQ_LINE_COUNT - 1]);
    KTEST_EXPECT_NULL(test, trap_handlers()->plain[IRQ_FIRST_VECTOR + IRQ_LINE_COUNT]);
}

static struct irq_statistics as_read;

static void set_nothing_up(void)
{
}

static void read_statistics(void)
{
    (void)!irq_statistics_read(LINE, &as_read);
}

static void raise_unclaimed(void)
{
    RAISE();
}

static bool all_were_unclaimed(void)
{
    return as_read.count - as_read.unclaimed == statistics(LINE).count - statistics(LINE).unclaimed;
}

// All of the numbers are of one moment.
KTEST(irq, statistics_are_not_torn_by_an_interrupt)
{
    interrupt_sweep_expect_sound(test,
                                 &(struct interrupt_scenario){set_nothing_up, read_statistics,
                                                              raise_unclaimed, all_were_unclaimed});
}

// --- In words -----------------------------------------------------------------------------------

static bool dump_has(unsigned line, const char *name)
{
    char expected[128];
    struct irq_statistics now = statistics(line);
    format_buffer(expected, sizeof(expected), "  line %u %s: %lu, unclaimed %lu, spurious %lu\n",
                  line, name, now.count, now.unclaimed, now.spurious_count);
    return log_fixture_has(expected);
}

#define FALSE_ALARM_ONLY 10
#define UNCLAIMED_ONLY 11
#define IDLE 9
#define QUIET IRQ_CASCADE

static void give_idle_back(void *unused)
{
    (void)unused;
    irq_unregister(IDLE);
}

// What anybody has, and from where anything came: an interrupt, or a false alarm alone.
KTEST(irq, dump_names_lines_that_are_owned_or_heard_of)
{
    use_fake_chip(test);
    KTEST_ASSERT_EQ(test, irq_register(IDLE, "idle", IRQ_PLAIN, tell_visit, NULL), OK);
    ktest_add_action(test, give_idle_back, NULL);
    RAISE_LINE(UNCLAIMED_ONLY);
    is_alarm_false = true;
    RAISE_LINE(FALSE_ALARM_ONLY);
    RAISE_LINE(FALSE_ALARM_ONLY);
    KTEST_ASSUME_EQ(test, statistics(FALSE_ALARM_ONLY).count, 0);
    KTEST_ASSUME_EQ(test, statistics(UNCLAIMED_ONLY).spurious_count, 0);
    KTEST_ASSUME_EQ(test, statistics(QUIET).count + statistics(QUIET).spurious_count, 0);
    bool is_timer_free = irq_register(IRQ_TIMER, "first", IRQ_PLAIN, tell_visit, NULL) == OK;

    log_fixture_start(test);
    irq_dump();
    if (is_timer_free) {
        irq_unregister(IRQ_TIMER);
    }

    KTEST_EXPECT_TRUE(test, log_fixture_has("interrupts by fake\n"));
    KTEST_EXPECT_TRUE(test, log_fixture_has("  line 0 "));
    KTEST_EXPECT_TRUE(test, dump_has(IDLE, "idle"));
    KTEST_EXPECT_TRUE(test, dump_has(UNCLAIMED_ONLY, "nobody's"));
    KTEST_EXPECT_TRUE(test, dump_has(FALSE_ALARM_ONLY, "nobody's"));
    KTEST_EXPECT_FALSE(test, log_fixture_has("  line 2 "));
    KTEST_EXPECT_FALSE(test, log_fixture_has("  line 17 "));
}
