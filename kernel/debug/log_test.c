// SPDX-License-Identifier: MIT
#include "debug/log.h"

#include "arch/x86_64/layout.h"
#include "boot/vga_memory.h"
#include "debug/log_fixture.h"
#include "ktest.h"
#include "lib/string.h"
#include "sync/irq_state.h"

static void exit(struct ktest *test)
{
    (void)test;
    for (int i = 0; i < LOG_CONSOLES_MAX; i++) {
        log_remove_console(&log_fixture_console);
    }
    log_set_level(LOG_INFO);
}

KTEST_SUITE(log, .init = log_fixture_start, .exit = exit);

KTEST_ATTR(log, line_has_level_and_subsystem, .proves = "4.3.3");
KTEST(log, line_has_level_and_subsystem)
{
    log_info("test", "%d of %s", 3, "four");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "info  test: 3 of four\n");
}

KTEST(log, lines_above_the_threshold_are_dropped)
{
    log_debug("test", "no");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "");
    log_set_level(LOG_ERROR);
    log_warn("test", "no");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "");
    log_error("test", "yes");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "error test: yes\n");
    log_set_level(LOG_DEBUG);
    log_fixture_clear();
    log_debug("test", "yes");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "debug test: yes\n");
}

KTEST(log, levels_are_parsed_by_name)
{
    enum log_level level = LOG_WARN;
    KTEST_EXPECT_TRUE(test, log_level_parse("debug", &level));
    KTEST_EXPECT_EQ(test, level, LOG_DEBUG);
    KTEST_EXPECT_TRUE(test, log_level_parse("error", &level));
    KTEST_EXPECT_EQ(test, level, LOG_ERROR);
    KTEST_EXPECT_FALSE(test, log_level_parse("debu", &level));
    KTEST_EXPECT_FALSE(test, log_level_parse("", &level));
    KTEST_EXPECT_EQ(test, level, LOG_ERROR);
}

KTEST(log, level_can_be_asked_for)
{
    log_set_level(LOG_DEBUG);
    KTEST_EXPECT_STREQ(test, log_level_name(log_get_level()), "debug");
    log_set_level(LOG_ERROR);
    KTEST_EXPECT_STREQ(test, log_level_name(log_get_level()), "error");
}

KTEST_ATTR(log, print_adds_nothing_and_println_a_newline, .proves = "3.18");
KTEST(log, print_adds_nothing_and_println_a_newline)
{
    print("%s", "a");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "a");
    println("%c", 'b');
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "ab\n");
    println("%s", "");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "ab\n\n");
}

KTEST_ATTR(log, arguments_are_evaluated_once, .proves = "3.18");
KTEST(log, arguments_are_evaluated_once)
{
    int count = 0;
    println("%d", ++count);
    log_info("test", "%d", ++count);
    KTEST_EXPECT_EQ(test, count, 2);
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "1\ninfo  test: 2\n");
}

static bool were_interrupts_on;
static bool was_seen;

static void note_interrupts(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    (void)bytes;
    (void)size_bytes;
    were_interrupts_on = was_seen ? were_interrupts_on || cpu_interrupts_enabled()
                                  : cpu_interrupts_enabled();
    was_seen = true;
}

KTEST_ATTR(log, consoles_are_written_with_interrupts_off, .proves = "3.25 7.4.2 7.4.4 4.3.3");
KTEST(log, consoles_are_written_with_interrupts_off)
{
    static const struct writer witness = {.write = note_interrupts};
    were_interrupts_on = true; // until the witness says otherwise
    was_seen = false;
    log_add_console(&witness);
    cpu_enable_interrupts();
    print("x");
    bool is_on_in_print = were_interrupts_on;
    println("x");
    bool is_on_in_println = were_interrupts_on;
    log_error("test", "x");
    bool is_enabled_after = cpu_interrupts_enabled();
    cpu_disable_interrupts();
    log_remove_console(&witness);
    KTEST_EXPECT_FALSE(test, is_on_in_print);
    KTEST_EXPECT_FALSE(test, is_on_in_println);
    KTEST_EXPECT_FALSE(test, were_interrupts_on); // by the end of the log line
    KTEST_EXPECT_TRUE(test, is_enabled_after);
}

KTEST(log, removed_console_is_silent)
{
    log_remove_console(&log_fixture_console);
    print("x");
    KTEST_EXPECT_STREQ(test, log_fixture_text(), "");
}

KTEST_ATTR(log, too_many_consoles_panic, .outcome = KTEST_PANIC("more than 6 consoles"));
KTEST(log, too_many_consoles_panic)
{
    KTEST_ARM(test);
    for (int i = 0; i < LOG_CONSOLES_MAX; i++) {
        log_add_console(&log_fixture_console);
    }
}

static const volatile struct text_cell *video_row(size_t row)
{
    const volatile struct text_cell *cells = phys_to_direct((phys_addr_t){0xb8000});
    return cells + row * VGA_COLUMNS;
}

// Whoever printed before may have left a line unfinished.
static void finish_line(struct ktest *test)
{
    (void)test;
    print("\n");
}

KTEST_SUITE(println, .init = finish_line);

// The three tests that blog_os has of its println, by the same names.
KTEST_ATTR(println, simple, .needs = KTEST_NEEDS_VGA, .proves = "4.7.1 4.8.1");
KTEST(println, simple)
{
    const volatile struct text_cell *row = video_row(VGA_ROWS - 2);
    println("test_println_simple output");
    KTEST_EXPECT_EQ(test, row[0].character, 't');
    KTEST_EXPECT_EQ(test, row[5].character, 'p');
}

KTEST_ATTR(println, many, .needs = KTEST_NEEDS_VGA, .proves = "4.7.2", .speed = KTEST_SPEED_SLOW);
KTEST(println, many)
{
    const volatile struct text_cell *row = video_row(VGA_ROWS - 2);
    for (int i = 0; i < 200; i++) {
        println("test_println_many output %d", i);
    }
    KTEST_EXPECT_EQ(test, row[25].character, '1');
    KTEST_EXPECT_EQ(test, row[26].character, '9');
    KTEST_EXPECT_EQ(test, row[27].character, '9');
    KTEST_EXPECT_EQ(test, (row - 23 * VGA_COLUMNS)[27].character, '6'); // line 176, the topmost
}

KTEST_ATTR(println, output, .needs = KTEST_NEEDS_VGA, .proves = "3.25 4.7.3");
KTEST(println, output)
{
    static const char line[] = "Some test string that fits on a single line";
    const volatile struct text_cell *row = video_row(VGA_ROWS - 2);
    irq_state_t state = irq_save();
    println("\n%s", line);
    for (size_t i = 0; i < sizeof(line) - 1; i++) {
        KTEST_EXPECT_EQ(test, row[i].character, line[i]);
    }
    irq_restore(state);
}
