// SPDX-License-Identifier: MIT
//
// Tests that misbehave in every way that the framework has to survive, among tests that don't. Each
// is named after what has to be said of it: passes_, fails_, skips_; what costs a boot says so too.
// They run in any order: host_tests/test_mixed.py and .ci/run shuffle them.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/gdt.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "debug/log.h"
#include "drivers/pic_8259.h"
#include "ktest.h"
#include "lib/panic.h"
#include "selftest/selftest.h"
#include "sync/spinlock.h"

TESTS_BYPASS_GUARDS

#define NON_CANONICAL 0x0000800000000000
#define SHORT_MS 100

#define KEYBOARD_CONTROLLER 0x64
#define RESET_PULSE 0xfe

// A test that dies has done nothing wrong before.
#define FINE(test_) KTEST_EXPECT_TRUE(test_, true)

static struct spinlock plain_lock = SPINLOCK("plain", LOCK_RANK_TEST);
static struct spinlock state_lock = SPINLOCK("state", LOCK_RANK_TEST_STATE);

static void note_nothing(struct trap_frame *frame)
{
    (void)frame;
}

static void spin(void)
{
    for (;;) {
        cpu_relax();
    }
}

// --- Good tests: nothing is left of the others --------------------------------------------------

static void expect_clean_machine(struct ktest *test)
{
    struct stack_place place = stack_locate((uint64_t)__builtin_frame_address(0));
    KTEST_EXPECT_EQ(test, place.stack, BOOT_STACK_TEST);
    KTEST_EXPECT_EQ(test, spinlock_held_count(), 0);
    KTEST_EXPECT_FALSE(test, spinlock_is_locked(&plain_lock));
    KTEST_EXPECT_NULL(test, spinlock_awaited());
    KTEST_EXPECT_FALSE(test, cpu_interrupts_enabled());
    KTEST_EXPECT_PTR_EQ(test, idt_loaded(), idt_current());
    KTEST_EXPECT_EQ(test, idt_current()->gates[6].options, 0x8e00);
    KTEST_EXPECT_NULL(test, (void *)trap_handlers()->plain[VECTOR_INVALID_OPCODE.number]);
    KTEST_EXPECT_EQ(test, cpu_read_cr0() & CR0_WP, CR0_WP);
    KTEST_EXPECT_EQ(test, pic_read_masks(), 0xffff);
}

KTEST(mixed_a, passes_a)
{
    expect_clean_machine(test);
}

KTEST(mixed_a, passes_m)
{
    expect_clean_machine(test);
}

KTEST(mixed_b, passes_by_a_recovered_fault)
{
    expect_clean_machine(test);
    KTEST_EXPECT_FAULT(test, PF, 0, peek(UNMAPPED));
}

KTEST(mixed_b, passes_m)
{
    expect_clean_machine(test);
}

KTEST_ATTR(mixed_b, passes_by_the_declared_double_fault,
           .outcome = KTEST_FAULT(DF, .error = 0,
                                  .addr = KTEST_ADDR_RANGE(boot_stacks_start, STACK_GUARD_SIZE),
                                  .ist = IST_DOUBLE_FAULT, .symbol = "recurse"));
KTEST(mixed_b, passes_by_the_declared_double_fault)
{
    KTEST_ARM(test);
    recurse(0);
}

KTEST_ATTR(mixed_c, passes_by_the_declared_panic, .outcome = KTEST_PANIC("declared * 4711"));
KTEST(mixed_c, passes_by_the_declared_panic)
{
    expect_clean_machine(test);
    KTEST_ARM(test);
    panic("declared with %d", 4711);
}

KTEST_ATTR(mixed_c, passes_by_the_declared_hang, .outcome = KTEST_HANG, .timeout_ms = SHORT_MS);
KTEST(mixed_c, passes_by_the_declared_hang)
{
    expect_clean_machine(test);
    KTEST_ARM(test);
    spin();
}

KTEST_ATTR(mixed_c, passes_by_the_declared_triple_fault, .outcome = KTEST_TRIPLE_FAULT);
KTEST(mixed_c, passes_by_the_declared_triple_fault)
{
    static const struct idt empty;
    expect_clean_machine(test);
    KTEST_ARM(test);
    idt_load(&empty);
    __asm__ volatile("ud2");
}

KTEST(mixed_c, passes_z)
{
    expect_clean_machine(test);
}

KTEST_ATTR(mixed_c, skips_for_a_known_bug, .known_bug = "two and two are not five");
KTEST(mixed_c, skips_for_a_known_bug)
{
    int two = 2;
    KTEST_EXPECT_EQ(test, two + two, 5);
}

KTEST_ATTR(mixed_a, skips_for_a_known_leak, .known_bug = "the handler stays");
KTEST(mixed_a, skips_for_a_known_leak)
{
    KTEST_EXPECT_TRUE(test, true);
    trap_set_handler(VECTOR_BREAKPOINT, note_nothing);
}

KTEST_ATTR(mixed_b, skips_for_a_known_hang, .known_bug = "it never ends", .timeout_ms = SHORT_MS);
KTEST(mixed_b, skips_for_a_known_hang)
{
    KTEST_EXPECT_TRUE(test, true);
    spin();
}

// --- Deaths -------------------------------------------------------------------------------------

KTEST(mixed_a, fails_by_expect)
{
    int one = 1;
    KTEST_EXPECT_EQ(test, one, 2);
}

KTEST(mixed_a, fails_by_assert)
{
    KTEST_ASSERT_TRUE(test, false);
    spin();
}

KTEST(mixed_a, fails_by_assert_with_a_lock_held)
{
    (void)spinlock_lock(&plain_lock);
    KTEST_ASSERT_TRUE(test, false);
}

KTEST(mixed_a, fails_by_panic)
{
    FINE(test);
    panic("out of the blue");
}

KTEST(mixed_b, fails_by_panic_with_a_lock_held)
{
    FINE(test);
    (void)spinlock_lock(&plain_lock);
    panic("out of the blue");
}

KTEST(mixed_a, fails_by_page_fault)
{
    FINE(test);
    peek(UNMAPPED);
}

KTEST(mixed_b, fails_by_general_protection_fault)
{
    FINE(test);
    peek(NON_CANONICAL);
}

KTEST(mixed_c, fails_by_invalid_opcode)
{
    FINE(test);
    __asm__ volatile("ud2");
}

KTEST(mixed_a, fails_by_divide_error)
{
    FINE(test);
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx");
}

KTEST(mixed_b, fails_by_double_fault)
{
    FINE(test);
    __asm__ volatile("movq %0, %%rsp\n\tpushq $0" : : "r"(NON_CANONICAL) : "memory");
}

KTEST(mixed_c, fails_by_stack_overflow)
{
    FINE(test);
    recurse(0);
}

KTEST(mixed_a, fails_by_jump_to_null)
{
    FINE(test);
    __asm__ volatile("xorl %%eax, %%eax\n\tcall *%%rax" : : : "rax", "memory");
}

// Overwrites everything from here to the end of the stack, the runner's own frames excluded only by
// the guard page behind it.
KTEST(mixed_b, fails_by_smashed_return_address)
{
    FINE(test);
    uint64_t *word = __builtin_frame_address(0);
    const uint64_t *end = (const uint64_t *)stack_top(BOOT_STACK_TEST);
    while (word < end) {
        *word++ = 0x4141414141414141;
    }
}

// The statement overwrites what lies behind it: going on there faults once more.
KTEST(mixed_a, fails_by_smashing_the_stack_in_an_attempt)
{
    KTEST_EXPECT_FAULT(test, UD, 0, {
        uint64_t *word = __builtin_frame_address(0);
        const uint64_t *end = (const uint64_t *)stack_top(BOOT_STACK_TEST);
        while (word < end) {
            *word++ = 0x4141414141414141;
        }
        __asm__ volatile("movq %0, %%rbp\n\tud2" : : "r"(0x4141414141414141));
    });
}

KTEST(mixed_c, fails_by_smashing_the_stack_beyond_its_end)
{
    FINE(test);
    for (volatile uint64_t *word = __builtin_frame_address(0);; word++) {
        *word = 0x4141414141414141;
    }
}

static void panic_in_writer(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    (void)bytes;
    (void)size_bytes;
    panic("within the panic");
}

static const struct writer panicking = {.write = panic_in_writer, .context = NULL};

static void remove_panicking(void *context)
{
    (void)context;
    log_remove_console(&panicking);
}

KTEST(mixed_c, fails_by_panic_within_panic)
{
    FINE(test);
    ktest_add_action(test, remove_panicking, NULL);
    log_add_console(&panicking);
    panic("the first");
}

static void fault_again(struct trap_frame *frame)
{
    (void)frame;
    __asm__ volatile("ud2");
}

KTEST(mixed_a, fails_by_endless_recursion_in_a_handler)
{
    FINE(test);
    trap_set_handler(VECTOR_INVALID_OPCODE, fault_again);
    __asm__ volatile("ud2");
}

static void recurse_on_double_fault(struct trap_frame *frame, uint64_t error)
{
    (void)frame;
    (void)error;
    recurse(0);
}

// Each overflow of the double fault's own stack is a double fault again, on its top: only the
// watchdog's stack is left.
KTEST_ATTR(mixed_b, fails_by_endless_recursion_in_the_double_fault_handler, .timeout_ms = SHORT_MS);
KTEST(mixed_b, fails_by_endless_recursion_in_the_double_fault_handler)
{
    FINE(test);
    trap_set_coded_handler(VECTOR_DOUBLE_FAULT, recurse_on_double_fault);
    recurse(0);
}

// --- Hangs --------------------------------------------------------------------------------------

KTEST_ATTR(mixed_a, fails_by_hang_with_cli, .timeout_ms = SHORT_MS);
KTEST(mixed_a, fails_by_hang_with_cli)
{
    FINE(test);
    cpu_disable_interrupts();
    spin();
}

KTEST_ATTR(mixed_b, fails_by_hang_with_sti, .timeout_ms = SHORT_MS);
KTEST(mixed_b, fails_by_hang_with_sti)
{
    FINE(test);
    cpu_enable_interrupts();
    spin();
}

KTEST_ATTR(mixed_c, fails_by_halt, .timeout_ms = SHORT_MS);
KTEST(mixed_c, fails_by_halt)
{
    FINE(test);
    cpu_halt_forever();
}

KTEST_ATTR(mixed_c, fails_by_waiting_for_its_own_lock, .timeout_ms = SHORT_MS);
KTEST(mixed_c, fails_by_waiting_for_its_own_lock)
{
    FINE(test);
    static struct spinlock taken = SPINLOCK("taken", LOCK_RANK_TEST);
    taken.is_locked = true; // by nobody who would give it back
    (void)spinlock_lock(&taken);
}

static void hang(struct ktest *test)
{
    (void)test;
    spin();
}

KTEST_SUITE(mixed_exit, .exit = hang);

KTEST_ATTR(mixed_exit, fails_by_hang_in_its_exit_fixture, .timeout_ms = SHORT_MS);
KTEST(mixed_exit, fails_by_hang_in_its_exit_fixture)
{
    FINE(test);
}

static void divide_by_zero(void *context)
{
    (void)context;
    __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" : : : "eax", "ecx", "edx");
}

KTEST(mixed_a, fails_by_fault_in_an_action)
{
    FINE(test);
    ktest_add_action(test, divide_by_zero, NULL);
}

// --- What is left behind ------------------------------------------------------------------------

KTEST(mixed_a, fails_by_leaving_a_lock)
{
    FINE(test);
    (void)spinlock_lock(&plain_lock);
}

KTEST(mixed_b, fails_by_leaving_a_changed_gate)
{
    FINE(test);
    idt_current()->gates[6].options = 0;
}

KTEST(mixed_c, fails_by_leaving_another_idt)
{
    static struct idt copy;
    FINE(test);
    copy = *idt_current();
    idt_load(&copy);
}

KTEST(mixed_a, fails_by_leaving_a_handler)
{
    FINE(test);
    trap_set_handler(VECTOR_INVALID_OPCODE, fault_again);
}

KTEST(mixed_b, fails_by_leaving_cr4_changed)
{
    FINE(test);
    cpu_write_cr4(cpu_read_cr4() ^ CR4_MCE);
}

KTEST(mixed_c, fails_by_leaving_write_protection_off)
{
    FINE(test);
    cpu_write_cr0(cpu_read_cr0() & ~CR0_WP);
}

KTEST(mixed_a, fails_by_leaving_interrupts_on)
{
    FINE(test);
    cpu_enable_interrupts();
}

KTEST(mixed_b, fails_by_leaving_a_line_unmasked)
{
    FINE(test);
    pic_write_masks(0xff7f);
}

KTEST(mixed_c, fails_by_leaving_a_changed_descriptor)
{
    FINE(test);
    gdt_current()->entries[5] ^= 1;
}

KTEST(mixed_a, fails_by_leaving_a_changed_tss)
{
    FINE(test);
    gdt_tss()->ist[6] = 0x1000;
}

KTEST(mixed_b, fails_by_using_nearly_all_of_its_stack)
{
    FINE(test);
    volatile uint8_t *lowest = stack_get(BOOT_STACK_TEST)->body;
    lowest[512] = 1;
}

static void enable_interrupts(struct ktest *test)
{
    (void)test;
    cpu_enable_interrupts();
}

static void disable_interrupts(struct ktest *test)
{
    (void)test;
    cpu_disable_interrupts();
}

// Here a test begins with interrupts on.
KTEST_SUITE(mixed_interrupts, .suite_init = enable_interrupts, .suite_exit = disable_interrupts);

KTEST(mixed_interrupts, fails_by_leaving_interrupts_off)
{
    KTEST_EXPECT_TRUE(test, cpu_interrupts_enabled());
    cpu_disable_interrupts();
}

KTEST(mixed_interrupts, passes_with_interrupts_on)
{
    KTEST_EXPECT_TRUE(test, cpu_interrupts_enabled());
}

// --- What costs a boot --------------------------------------------------------------------------

KTEST(mixed_a, fails_by_triple_fault_and_costs_a_boot)
{
    static const struct idt empty;
    FINE(test);
    idt_load(&empty);
    __asm__ volatile("ud2");
}

KTEST(mixed_b, fails_by_reset_and_costs_a_boot)
{
    FINE(test);
    port_write8(KEYBOARD_CONTROLLER, RESET_PULSE);
    cpu_halt_forever();
}

// The frames that the test would return to lie on the boot stack.
KTEST(mixed_a, fails_by_smashing_the_runner_and_costs_a_boot)
{
    FINE(test);
    for (uint64_t at = stack_top(BOOT_STACK_MAIN) - 4096; at < stack_top(BOOT_STACK_MAIN);
         at += 8) {
        *(volatile uint64_t *)at = 0x4242424242424242;
    }
}

KTEST(mixed_c, fails_by_death_in_a_change_and_costs_a_boot)
{
    FINE(test);
    (void)spinlock_lock(&state_lock);
    panic("half done");
}
