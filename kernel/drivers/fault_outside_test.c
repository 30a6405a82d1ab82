// SPDX-License-Identifier: MIT
//
// What comes from outside of the program: non-maskable interrupts, from the local APIC and from the
// harness, and machine checks. The watchdog of the tests is an NMI too, and is stopped here, so
// that every NMI is the test's own. Source: Intel SDM vol. 3, 6.7 (NMI), 11.6 (local APIC), 16.3
// (MCA).
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "drivers/nmi_timer.h"
#include "ktest.h"

#define LAPIC_PHYS 0xfee00000

enum lapic_register {
    LAPIC_SPURIOUS = 0xf0,
    LAPIC_ICR_LOW = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_LINT1 = 0x360,
};

#define SPURIOUS_ENABLE BIT(8)
#define DELIVERY_NMI FIELD_PREP(GENMASK(10, 8), 4)
#define ICR_ASSERT BIT(14)
#define ICR_DESTINATION GENMASK(31, 24)
#define CPUID_1_EBX_APIC_ID GENMASK(31, 24)

#define MSR_MCG_STATUS ((enum msr)0x17a)
#define MSR_MC0_STATUS ((enum msr)0x401)
#define INJECTED_STATUS 0xb200000000000000 // valid, uncorrected, enabled, context corrupt

#define WAIT_CYCLES (1ULL << 34) // some seconds: the harness may be slow, or may have forgotten

static struct {
    volatile unsigned count;
    enum ist ist;
    struct trap_frame frame;
} seen;

static void note_nmi(struct trap_frame *frame)
{
    seen.ist = trap_ist(frame);
    seen.frame = *frame;
    seen.count++;
}

KTEST_SUITE(fault_outside, .init = fault_machine_save, .exit = fault_machine_restore);

// For the test's body alone: the watchdog starts anew with each function.
static void take_nmis(trap_handler_t *handler)
{
    nmi_timer_stop();
    seen.count = 0;
    seen.ist = IST_NONE;
    trap_set_handler(VECTOR_NMI, handler);
}

static volatile uint32_t *lapic(enum lapic_register offset)
{
    return phys_to_direct((phys_addr_t){LAPIC_PHYS + offset});
}

static void send_nmi_to_self(void)
{
    uint64_t id = FIELD_GET(CPUID_1_EBX_APIC_ID, cpuid(1, 0).ebx);
    *lapic(LAPIC_ICR_HIGH) = (uint32_t)FIELD_PREP(ICR_DESTINATION, id);
    *lapic(LAPIC_ICR_LOW) = (uint32_t)(DELIVERY_NMI | ICR_ASSERT);
}

// An NMI that was sent is there within a few instructions, though not at once.
static void wait_for(unsigned count)
{
    for (unsigned i = 0; i < 1000 && seen.count < count; i++) {
        cpu_relax();
    }
}

KTEST_ATTR(fault_outside, nmi_arrives_on_its_stack_with_interrupts_off, .needs = KTEST_NEEDS_APIC,
           .proves = "5.13 6.15");
KTEST(fault_outside, nmi_arrives_on_its_stack_with_interrupts_off)
{
    take_nmis(note_nmi);
    send_nmi_to_self();
    wait_for(1);
    KTEST_ASSERT_EQ(test, seen.count, 1);
    KTEST_EXPECT_EQ(test, seen.ist, IST_NMI);
    KTEST_EXPECT_EQ(test, seen.frame.vector, 2);
    KTEST_EXPECT_EQ(test, seen.frame.error, 0);
    KTEST_EXPECT_EQ(test, seen.frame.rflags & RFLAGS_IF, 0);
}

// The second one finds the stack as the first one did.
KTEST_ATTR(fault_outside, nmi_comes_again_after_its_end, .needs = KTEST_NEEDS_APIC,
           .proves = "6.15");
KTEST(fault_outside, nmi_comes_again_after_its_end)
{
    take_nmis(note_nmi);
    for (unsigned i = 1; i <= 3; i++) {
        send_nmi_to_self();
        wait_for(i);
        KTEST_ASSERT_EQ(test, seen.count, i);
        KTEST_EXPECT_EQ(test, seen.ist, IST_NMI);
    }
}

static volatile unsigned count_at_end_of_first;

static void send_three_within(struct trap_frame *frame)
{
    note_nmi(frame);
    if (seen.count == 1) {
        for (unsigned i = 0; i < 3; i++) {
            send_nmi_to_self();
        }
        wait_for(2);
        count_at_end_of_first = seen.count;
    }
}

// The CPU keeps one NMI back until the handler's iretq, and forgets the others.
KTEST_ATTR(fault_outside, nmi_within_its_handler_waits_for_iretq, .needs = KTEST_NEEDS_APIC);
KTEST(fault_outside, nmi_within_its_handler_waits_for_iretq)
{
    take_nmis(send_three_within);
    send_nmi_to_self();
    wait_for(3);
    KTEST_EXPECT_EQ(test, count_at_end_of_first, 1);
    KTEST_EXPECT_EQ(test, seen.count, 2);
    KTEST_EXPECT_EQ(test, seen.ist, IST_NMI);
}

// A double fault whose handler is interrupted finds its own frame as it was: the stacks are two.
static struct ktest_context before_double_fault;
static struct trap_frame frame_before_nmi;
static struct trap_frame frame_after_nmi;

static void send_nmi_within_double_fault(struct trap_frame *frame, uint64_t error)
{
    (void)error;
    frame_before_nmi = *frame;
    send_nmi_to_self();
    wait_for(1);
    frame_after_nmi = *frame;
    ktest_context_restore(&before_double_fault);
}

KTEST_ATTR(fault_outside, nmi_within_a_double_fault_leaves_its_frame_alone,
           .needs = KTEST_NEEDS_APIC, .proves = "6.10 6.15");
KTEST(fault_outside, nmi_within_a_double_fault_leaves_its_frame_alone)
{
    take_nmis(note_nmi);
    trap_set_coded_handler(VECTOR_DOUBLE_FAULT, send_nmi_within_double_fault);
    fault_machine_take_gate_away(VECTOR_PAGE_FAULT.number);
    if (ktest_context_save(&before_double_fault) == 0) {
        *(volatile uint8_t *)UNMAPPED = 0;
    }
    KTEST_ASSERT_EQ(test, seen.count, 1);
    KTEST_EXPECT_EQ(test, seen.ist, IST_NMI);
    KTEST_EXPECT_GE(test, seen.frame.rsp, stack_top(BOOT_STACK_DOUBLE_FAULT) - STACK_SIZE);
    KTEST_EXPECT_LT(test, seen.frame.rsp, stack_top(BOOT_STACK_DOUBLE_FAULT));
    KTEST_EXPECT_MEMEQ(test, &frame_after_nmi, &frame_before_nmi, sizeof(frame_before_nmi));
}

static struct {
    uint32_t spurious;
    uint32_t lint1;
} lapic_before;

static void put_nmi_line_back(void *context)
{
    (void)context;
    *lapic(LAPIC_LVT_LINT1) = lapic_before.lint1;
    *lapic(LAPIC_SPURIOUS) = lapic_before.spurious;
}

// The machine's NMI line ends at the local APIC, which not every firmware lets it pass.
static void connect_nmi_line(struct ktest *test)
{
    lapic_before.spurious = *lapic(LAPIC_SPURIOUS);
    lapic_before.lint1 = *lapic(LAPIC_LVT_LINT1);
    if (ktest_add_action(test, put_nmi_line_back, NULL)) {
        *lapic(LAPIC_SPURIOUS) |= SPURIOUS_ENABLE;
        *lapic(LAPIC_LVT_LINT1) = (uint32_t)DELIVERY_NMI;
    }
}

KTEST_ATTR(fault_outside, injected_nmi_arrives, .inject = KTEST_INJECT_NMI, .proves = "5.13 6.15",
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                                   .skip = "Bochs has no monitor to inject it"}));
KTEST(fault_outside, injected_nmi_arrives)
{
    take_nmis(note_nmi);
    connect_nmi_line(test);
    KTEST_ARM(test);
    for (uint64_t start = cpu_read_tsc();
         seen.count == 0 && cpu_read_tsc() - start < WAIT_CYCLES;) {
        cpu_relax();
    }
    KTEST_ASSERT_EQ(test, seen.count, 1);
    KTEST_EXPECT_EQ(test, seen.ist, IST_NMI);
}

static void wait_for_machine_check(void)
{
    for (uint64_t start = cpu_read_tsc(); cpu_read_tsc() - start < WAIT_CYCLES;) {
        cpu_relax();
    }
}

// The handler finds in the bank what happened, and clears it: a second machine check on top of one
// that is not done with would shut the CPU down.
KTEST_ATTR(fault_outside, injected_machine_check_is_in_its_bank,
           .inject = KTEST_INJECT_MACHINE_CHECK, .proves = "5.13 6.15",
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_BOCHS,
                                   .skip = "Bochs has no monitor to inject it"}));
KTEST(fault_outside, injected_machine_check_is_in_its_bank)
{
    KTEST_ASSERT_EQ(test, cpu_read_cr4() & CR4_MCE, CR4_MCE);
    KTEST_ASSERT_EQ(test, msr_read(MSR_MC0_STATUS), 0);
    nmi_timer_stop();

    KTEST_EXPECT_FAULT(test, MC, 0, {
        KTEST_ARM(test);
        wait_for_machine_check();
    });

    KTEST_EXPECT_EQ(test, ktest_last_fault(test)->ist, IST_MACHINE_CHECK);
    KTEST_EXPECT_EQ(test, msr_read(MSR_MC0_STATUS), INJECTED_STATUS);
    msr_write(MSR_MC0_STATUS, 0);
    msr_write(MSR_MCG_STATUS, 0);
}
