// SPDX-License-Identifier: MIT
//
// A clock that stands until it is told to go on, and a device that only notes what it is set for:
// its interrupt is raised by `int`, and comes late or too often as the test wants it.
#include "time/timer.h"

#include "arch/x86_64/cpu.h"
#include "debug/log.h"
#include "ktest.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/test_random.h"
#include "sync/spinlock.h"
#include "time/sleep.h"

#define LINE IRQ_COM2 // nobody's: the tests' protocol port is polled
#define RAISE() __asm__ volatile("int %0" : : "i"(IRQ_FIRST_VECTOR + LINE) : "memory")

static struct {
    uint64_t now_ns;
    uint64_t set_ns; // 0: it is not set
    unsigned set_count;
    unsigned stop_count;
} world;

static uint64_t fake_now(void)
{
    return world.now_ns;
}

static void fake_set(uint64_t ns)
{
    world.set_ns = ns;
    world.set_count++;
}

static void fake_stop(void)
{
    world.set_ns = 0;
    world.stop_count++;
}

static const struct clock_event fake = {
    .name = "test's device",
    .line = LINE,
    .min_ns = 10,
    .max_ns = 1000,
    .set = fake_set,
    .stop = fake_stop,
};

#define CALLS_MAX 64

static struct {
    const struct timer *timers[CALLS_MAX];
    size_t count;
    bool are_interrupts_on;
    const char *lock;
} calls;

static void note(struct timer *timer)
{
    calls.timers[calls.count++ % CALLS_MAX] = timer;
    calls.are_interrupts_on = cpu_interrupts_enabled();
    calls.lock = spinlock_held(0) != NULL ? spinlock_held(0)->name : "none";
}

static const struct clock_event *event_before;

static void put_back(void *unused)
{
    (void)unused;
    timer_abandon();
    if (timer_use(event_before, IRQ_PLAIN) != OK) {
        log_error("test", "the timers' device can't be had again");
    }
}

static void init(struct ktest *test)
{
    world = (typeof(world)){.now_ns = 5000};
    calls.count = 0;
    event_before = timer_event();
    ktest_add_action(test, put_back, NULL);
    KTEST_ASSERT_EQ(test, timer_statistics_read().queued_count, 0);
    KTEST_STUB(test, clock_monotonic_ns, fake_now);
    KTEST_ASSERT_EQ(test, timer_use(&fake, IRQ_PLAIN), OK);
}

KTEST_SUITE(timer, .init = init);

static void pass(uint64_t ns)
{
    world.now_ns += ns;
    RAISE();
}

KTEST_ATTR(timer, device_is_set_for_the_first_deadline_only, .proves = "7.8.2");
KTEST(timer, device_is_set_for_the_first_deadline_only)
{
    struct timer early = {.function = note};
    struct timer late = {.function = note};
    KTEST_EXPECT_EQ(test, world.set_count, 0);
    timer_add(&late, 5500);
    KTEST_EXPECT_EQ(test, world.set_ns, 500);
    timer_add(&early, 5200);
    KTEST_EXPECT_EQ(test, world.set_ns, 200);
    timer_add(&late, 5600);
    KTEST_EXPECT_EQ(test, world.set_count, 2);
    pass(200);
    KTEST_EXPECT_EQ(test, calls.count, 1);
    KTEST_EXPECT_PTR_EQ(test, calls.timers[0], &early);
    KTEST_EXPECT_EQ(test, world.set_ns, 400);
    pass(400);
    KTEST_EXPECT_EQ(test, calls.count, 2);
    KTEST_EXPECT_EQ(test, world.set_ns, 0); // nobody waits, nothing is set
    KTEST_EXPECT_EQ(test, world.stop_count, 1);
    KTEST_EXPECT_EQ(test, world.set_count, 3);
}

static unsigned masked;

static void note_mask(unsigned line)
{
    masked += line == LINE;
}

KTEST(timer, line_is_open_only_while_somebody_waits)
{
    struct timer timer = {.function = note};
    masked = 0;
    ktest_stub(test, (uintptr_t)irq_chip()->mask, (uintptr_t)note_mask);
    timer_add(&timer, 5100);
    KTEST_EXPECT_EQ(test, masked, 0);
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
    KTEST_EXPECT_EQ(test, masked, 1);
    timer_add(&timer, 5100);
    pass(100);
    KTEST_EXPECT_EQ(test, masked, 2);
}

KTEST(timer, function_runs_as_a_handler)
{
    struct timer timer = {.function = note};
    cpu_enable_interrupts();
    timer_add(&timer, 5001);
    pass(1);
    cpu_disable_interrupts();
    KTEST_EXPECT_EQ(test, calls.count, 1);
    KTEST_EXPECT_FALSE(test, calls.are_interrupts_on);
    KTEST_EXPECT_STREQ(test, calls.lock, "test's device");
}

// The device counts 1,000 ns at most.
KTEST_ATTR(timer, far_deadline_comes_in_steps, .proves = "7.8.2");
KTEST(timer, far_deadline_comes_in_steps)
{
    struct timer timer = {.function = note};
    uint64_t idle = timer_statistics_read().idle;
    timer_add(&timer, 7300);
    KTEST_EXPECT_EQ(test, world.set_ns, 1000);
    pass(1000);
    KTEST_EXPECT_EQ(test, world.set_ns, 1000);
    pass(1000);
    KTEST_EXPECT_EQ(test, world.set_ns, 300);
    KTEST_EXPECT_EQ(test, calls.count, 0);
    pass(300);
    KTEST_EXPECT_EQ(test, calls.count, 1);
    KTEST_EXPECT_EQ(test, timer_statistics_read().idle, idle + 2);
    timer_add(&timer, UINT64_MAX); // never
    KTEST_EXPECT_EQ(test, world.set_ns, 1000);
    pass(1000);
    KTEST_EXPECT_EQ(test, world.set_ns, 1000);
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
}

KTEST(timer, deadline_that_is_over_comes_at_once)
{
    struct timer past = {.function = note};
    struct timer now = {.function = note};
    struct timer very_past = {.function = note};
    timer_add(&past, 4000);
    KTEST_EXPECT_EQ(test, world.set_ns, 10); // no sooner can the device
    timer_add(&now, 5000);
    timer_add(&very_past, 0);
    RAISE();
    KTEST_ASSERT_EQ(test, calls.count, 3);
    KTEST_EXPECT_PTR_EQ(test, calls.timers[0], &past); // over is over: as they were added
    KTEST_EXPECT_PTR_EQ(test, calls.timers[1], &now);
    KTEST_EXPECT_PTR_EQ(test, calls.timers[2], &very_past);
}

KTEST(timer, interrupt_that_comes_too_early_or_too_often_does_no_harm)
{
    struct timer timer = {.function = note};
    timer_add(&timer, 5500);
    pass(1);
    KTEST_EXPECT_EQ(test, calls.count, 0);
    KTEST_EXPECT_EQ(test, world.set_ns, 499); // it may have been the only one
    pass(499);
    RAISE();
    RAISE();
    KTEST_EXPECT_EQ(test, calls.count, 1);
    KTEST_EXPECT_EQ(test, world.set_ns, 0);
}

KTEST(timer, that_is_moved_comes_once)
{
    struct timer timer = {.function = note};
    timer_add(&timer, 5100);
    timer_add(&timer, 5900);
    KTEST_EXPECT_EQ(test, world.set_ns, 900);
    timer_add(&timer, 5300);
    KTEST_EXPECT_EQ(test, world.set_ns, 300);
    KTEST_EXPECT_EQ(test, timer_statistics_read().queued_count, 1);
    pass(900);
    KTEST_EXPECT_EQ(test, calls.count, 1);
}

KTEST(timer, that_is_cancelled_does_not_come)
{
    struct timer first = {.function = note};
    struct timer second = {.function = note};
    timer_add(&first, 5100);
    timer_add(&second, 5200);
    KTEST_EXPECT_TRUE(test, timer_cancel(&first));
    KTEST_EXPECT_FALSE(test, timer_cancel(&first));
    KTEST_EXPECT_EQ(test, world.set_ns, 200);
    KTEST_EXPECT_TRUE(test, timer_cancel(&second));
    KTEST_EXPECT_EQ(test, world.set_ns, 0);
    pass(1000);
    KTEST_EXPECT_EQ(test, calls.count, 0);
}

static void cancel_other(struct timer *timer)
{
    note(timer);
    (void)timer_cancel(timer->context);
}

KTEST(timer, function_may_cancel_what_is_due_together_with_it)
{
    struct timer second = {.function = note};
    struct timer first = {.function = cancel_other, .context = &second};
    timer_add(&first, 5100);
    timer_add(&second, 5100);
    pass(100);
    KTEST_EXPECT_EQ(test, calls.count, 1);
    KTEST_EXPECT_EQ(test, world.set_ns, 0);
}

static void again_after_100(struct timer *timer)
{
    note(timer);
    timer_add(timer, timer->deadline_ns + 100);
}

KTEST(timer, function_may_add_its_own_again)
{
    struct timer timer = {.function = again_after_100};
    timer_add(&timer, 5100);
    for (unsigned i = 1; i <= 10; i++) {
        unsigned set_count = world.set_count;
        pass(100);
        KTEST_EXPECT_EQ(test, calls.count, i);
        KTEST_EXPECT_EQ(test, world.set_ns, 100);
        KTEST_EXPECT_EQ(test, world.set_count, set_count + 1); // no more than it needs
    }
    pass(1050); // late by far: what was missed is not made up for
    KTEST_EXPECT_EQ(test, calls.count, 11);
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
}

static void again_at_once(struct timer *timer)
{
    note(timer);
    timer_add(timer, 0);
}

// One that is always due takes neither the CPU nor the others' turn.
KTEST(timer, function_that_adds_its_own_at_once_lets_others_in)
{
    struct timer greedy = {.function = again_at_once};
    struct timer other = {.function = note};
    timer_add(&greedy, 0);
    timer_add(&other, 5000);
    RAISE();
    KTEST_EXPECT_EQ(test, calls.count, 2);
    KTEST_EXPECT_PTR_EQ(test, calls.timers[1], &other);
    KTEST_EXPECT_EQ(test, world.set_ns, 10);
    timer_add(&other, 0);
    RAISE();
    KTEST_EXPECT_EQ(test, calls.count, 4);
    KTEST_EXPECT_PTR_EQ(test, calls.timers[2], &greedy);
    KTEST_EXPECT_PTR_EQ(test, calls.timers[3], &other);
    KTEST_EXPECT_TRUE(test, timer_cancel(&greedy));
}

static void print_a_dot(struct timer *timer)
{
    note(timer);
    println(".");
}

KTEST(timer, function_that_prints_panics_and_the_next_one_comes)
{
    struct timer timer = {.function = print_a_dot};
    timer_add(&timer, 5100);
    world.now_ns += 100;
    KTEST_EXPECT_PANIC(test, "lock log (rank *) is taken inside of test's device (rank *)",
                       RAISE());
    timer_add(&timer, 5200);
    KTEST_EXPECT_EQ(test, world.set_ns, 100);
    KTEST_ASSERT_EQ(test, timer_use(&fake, IRQ_MAY_LOCK), OK);
    pass(100);
    KTEST_EXPECT_EQ(test, calls.count, 2);
    KTEST_EXPECT_EQ(test, world.set_ns, 0);
}

KTEST(timer, those_that_wait_go_over_to_another_device)
{
    static struct clock_event other = {
        .name = "other",
        .line = IRQ_COM1,
        .min_ns = 1,
        .max_ns = 50,
        .set = fake_set,
        .stop = fake_stop,
    };
    struct timer timer = {.function = note};
    timer_add(&timer, 5100);
    KTEST_ASSERT_EQ(test, timer_use(&other, IRQ_PLAIN), OK);
    KTEST_EXPECT_EQ(test, world.stop_count, 1);
    KTEST_EXPECT_EQ(test, world.set_ns, 50);
    KTEST_EXPECT_PTR_EQ(test, timer_event(), &other);
    KTEST_ASSERT_EQ(test, timer_use(NULL, IRQ_PLAIN), OK);
    KTEST_EXPECT_EQ(test, world.set_ns, 0);
    world.now_ns += 200;
    KTEST_ASSERT_EQ(test, timer_use(&fake, IRQ_PLAIN), OK);
    KTEST_EXPECT_EQ(test, world.set_ns, 10);
    RAISE();
    KTEST_EXPECT_EQ(test, calls.count, 1);
}

KTEST(timer, device_without_a_line_is_refused)
{
    struct clock_event wrong = fake;
    wrong.line = IRQ_LINE_COUNT;
    KTEST_EXPECT_EQ(test, timer_use(&wrong, IRQ_PLAIN), ENODEV);
    KTEST_EXPECT_NULL(test, timer_event());
    struct timer timer = {.function = note};
    timer_add(&timer, 5100); // waits for a device
    KTEST_EXPECT_EQ(test, world.set_count, 0);
    KTEST_EXPECT_PANIC(test, "*timer_event() != NULL*", clock_sleep_ns(1));
    struct timer nothing = {0};
    KTEST_EXPECT_PANIC(test, "*timer->function != NULL*", timer_add(&nothing, 1));
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
}

KTEST(timer, those_of_a_dead_owner_are_forgotten)
{
    struct timer timer = {.function = note};
    timer_add(&timer, 5100);
    timer_abandon();
    KTEST_EXPECT_EQ(test, timer_statistics_read().queued_count, 0);
    KTEST_EXPECT_EQ(test, world.set_ns, 0);
    pass(100);
    KTEST_EXPECT_EQ(test, calls.count, 0);
}

static char text[512];
static struct text_buffer buffer;

static void collect(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    text_append(&buffer, "%.*s", (int)size_bytes, bytes);
}

KTEST(timer, dump_says_what_there_is)
{
    static const struct writer collector = {.write = collect};
    struct timer timer = {.function = note};
    buffer = (struct text_buffer){text, sizeof(text), 0};
    timer_add(&timer, 5100);
    log_add_console(&collector);
    timer_dump();
    log_remove_console(&collector);
    KTEST_EXPECT_EQ(test, strncmp(text, "clock at 5000 ns, by a counter of ", 34), 0);
    char *line = text;
    while (*line != '\n') {
        line++;
    }
    static const char second[] = "\n  1 queued, the first for 5100 ns\n  ";
    KTEST_EXPECT_EQ(test, strncmp(line, second, sizeof(second) - 1), 0);
    KTEST_EXPECT_TRUE(test, timer_cancel(&timer));
}

// --- Against a model ----------------------------------------------------------------------------

#define TIMERS 32
#define ROUNDS 100'000

static struct {
    struct timer timer;
    uint64_t deadline_ns; // 0: it does not wait
} model[TIMERS];
static unsigned wrong_calls;

static void check_call(struct timer *timer)
{
    size_t i = (size_t)(uintptr_t)timer->context;
    wrong_calls += model[i].deadline_ns == 0 || model[i].deadline_ns > world.now_ns;
    model[i].deadline_ns = 0;
}

// The device, when its time has come. Returns whether the queue is as the model has it.
static bool go_on(uint64_t ns)
{
    while (world.set_ns != 0 && world.set_ns <= ns) {
        ns -= world.set_ns;
        pass(world.set_ns);
    }
    world.now_ns += ns;
    world.set_ns -= world.set_ns != 0 ? ns : 0;
    for (size_t i = 0; i < TIMERS; i++) {
        uint64_t deadline_ns = model[i].deadline_ns;
        bool is_overdue = deadline_ns != 0 && deadline_ns + fake.min_ns < world.now_ns;
        if (is_overdue || model[i].timer.is_queued != (deadline_ns != 0)) {
            return false;
        }
    }
    return true;
}

KTEST_ATTR(timer, agrees_with_a_model, .proves = "7.8.1", .speed = KTEST_SPEED_SLOW);
KTEST(timer, agrees_with_a_model)
{
    struct test_random random = {42};
    wrong_calls = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        model[i] = (typeof(model[i])){.timer = {.function = check_call, .context = (void *)i}};
    }
    uint64_t called = timer_statistics_read().called;
    for (unsigned round = 0; round < ROUNDS * test_scale(); round++) {
        size_t i = test_random_below(&random, TIMERS);
        if (test_random_below(&random, 4) == 0) {
            bool was_queued = model[i].deadline_ns != 0;
            KTEST_ASSERT_EQ(test, timer_cancel(&model[i].timer), was_queued);
            model[i].deadline_ns = 0;
        } else {
            uint64_t deadline_ns = world.now_ns - 500 + test_random_below(&random, 4000);
            timer_add(&model[i].timer, deadline_ns);
            model[i].deadline_ns = deadline_ns > world.now_ns ? deadline_ns : world.now_ns;
        }
        KTEST_ASSERT_TRUE(test, go_on(test_random_below(&random, 200)));
        KTEST_ASSERT_EQ(test, world.set_ns != 0, timer_statistics_read().queued_count != 0);
    }
    KTEST_ASSERT_TRUE(test, go_on(10'000));
    KTEST_EXPECT_EQ(test, wrong_calls, 0);
    KTEST_EXPECT_EQ(test, timer_statistics_read().queued_count, 0);
    KTEST_EXPECT_GT(test, timer_statistics_read().called, called + ROUNDS / 4);
}

KTEST_BENCH(timer, add_and_cancel)
{
    struct timer other = {.function = note};
    struct timer timer = {.function = note};
    timer_add(&other, 5100); // the device is set already
    while (ktest_bench_next(test)) {
        timer_add(&timer, 5200);
        (void)timer_cancel(&timer);
    }
    KTEST_EXPECT_TRUE(test, timer_cancel(&other));
}

// From `int` to behind `iret`, with the controller's part, and one function called.
KTEST_BENCH(timer, interrupt_round_trip)
{
    struct timer timer = {.function = note};
    struct timer other = {.function = note};
    timer_add(&other, 1'000'000);
    while (ktest_bench_next(test)) {
        timer_add(&timer, 0);
        RAISE();
    }
    KTEST_EXPECT_TRUE(test, timer_cancel(&other));
}
