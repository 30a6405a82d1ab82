// SPDX-License-Identifier: MIT
//
// Debug exceptions: single steps, breakpoints on code, data and ports, and what DR6 says of each.
// Breakpoints on code are faults, the others traps. Source: Intel SDM vol. 3, 17.2 and 17.3.
#include "arch/x86_64/fault_machine.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/trap.h"
#include "ktest.h"

#define DR6_BREAKPOINT_0 BIT(0)
#define DR6_ACCESS BIT(13)
#define DR6_SINGLE_STEP BIT(14)
#define DR6_CAUSES (GENMASK(3, 0) | DR6_ACCESS | DR6_SINGLE_STEP)
#define DR6_NOTHING 0xffff0ff0

#define DR7_LOCAL_0 BIT(0)
#define DR7_GENERAL_DETECT BIT(13)
#define DR7_FIXED BIT(10)

enum breakpoint { ON_EXECUTION = 0, ON_WRITE = 1, ON_PORT = 2, ON_ACCESS = 3 };

#define PORT_POST 0x80 // the BIOS's progress codes; nobody listens

static struct {
    unsigned count;
    uint64_t dr6;
    struct trap_frame frame;
} seen;

// A fault on code comes again for ever unless RF says that it was seen.
static void note_debug(struct trap_frame *frame)
{
    seen.count++;
    seen.frame = *frame;
    __asm__ volatile("mov %%dr6, %0" : "=r"(seen.dr6));
    __asm__ volatile("mov %0, %%dr6" : : "r"((uint64_t)DR6_NOTHING));
    frame->rflags = (frame->rflags & ~RFLAGS_TF) | RFLAGS_RF;
}

static void init(struct ktest *test)
{
    fault_machine_save(test);
    __asm__ volatile("mov %0, %%dr6" : : "r"((uint64_t)DR6_NOTHING)); // its bits stay until cleared
    seen.count = 0;
    seen.dr6 = 0;
    trap_set_handler(VECTOR_DEBUG, note_debug);
}

KTEST_SUITE(fault_debug, .init = init, .exit = fault_machine_restore);

static void break_at(uint64_t address, enum breakpoint condition, uint64_t size_bytes)
{
    __asm__ volatile("mov %0, %%dr0" : : "r"(address));
    cpu_write_dr7(DR7_FIXED | DR7_LOCAL_0 | (uint64_t)condition << 16 | (size_bytes - 1) << 18);
}

static void expect_once(struct ktest *test, uint64_t cause)
{
    KTEST_ASSERT_EQ(test, seen.count, 1);
    KTEST_EXPECT_EQ(test, seen.dr6 & DR6_CAUSES, cause);
}

KTEST_ATTR(fault_debug, single_step, .outcome = KTEST_FAULT(DB), .proves = "5.13");
KTEST(fault_debug, single_step)
{
    trap_set_handler(VECTOR_DEBUG, NULL);
    KTEST_ARM(test);
    __asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop" : : : "memory");
}

// The instruction that sets TF is not stepped, the next one is.
KTEST(fault_debug, single_step_stops_behind_one_instruction)
{
    uint64_t next;
    __asm__ volatile("lea 1f(%%rip), %0\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n1:\tnop"
                     : "=&r"(next)
                     :
                     : "memory", "cc");
    expect_once(test, DR6_SINGLE_STEP);
    KTEST_EXPECT_EQ(test, seen.frame.rip, next);
}

[[gnu::noinline]] static void stop_here(void)
{
    __asm__ volatile("");
}

// A fault: RIP is the instruction that has not run yet; RF in the frame lets it.
KTEST_ATTR(fault_debug, breakpoint_on_execution_comes_before_it, .proves = "5.13");
KTEST(fault_debug, breakpoint_on_execution_comes_before_it)
{
    break_at((uint64_t)stop_here, ON_EXECUTION, 1);
    stop_here();
    expect_once(test, DR6_BREAKPOINT_0);
    KTEST_EXPECT_EQ(test, seen.frame.rip, (uint64_t)stop_here);
}

static volatile uint32_t watched;

// "Raised interrupt while not in I/O function".
#define DIES_BY_ICOUNT                                                                             \
    KTEST_QUIRKS(                                                                                  \
        {.accel = KTEST_ACCEL_ICOUNT,                                                              \
         .before = KTEST_QEMU(7, 2),                                                               \
         .skip = "QEMU before 7.2 aborts at data breakpoints while it counts instructions"})

KTEST_ATTR(fault_debug, breakpoint_on_writes_comes_behind_one, .quirks = DIES_BY_ICOUNT,
           .proves = "5.13");
KTEST(fault_debug, breakpoint_on_writes_comes_behind_one)
{
    uint64_t next;
    watched = 1;
    break_at((uint64_t)&watched, ON_WRITE, 4);
    KTEST_EXPECT_EQ(test, watched, 1);
    KTEST_EXPECT_EQ(test, seen.count, 0);

    __asm__ volatile("lea 1f(%%rip), %0\n\tmovl $2, %1\n1:\tnop" : "=&r"(next), "=m"(watched));

    expect_once(test, DR6_BREAKPOINT_0);
    KTEST_EXPECT_EQ(test, seen.frame.rip, next);
    KTEST_EXPECT_EQ(test, watched, 2);
}

KTEST_ATTR(fault_debug, breakpoint_on_accesses_comes_behind_a_read, .quirks = DIES_BY_ICOUNT,
           .proves = "5.13");
KTEST(fault_debug, breakpoint_on_accesses_comes_behind_a_read)
{
    uint64_t next;
    uint32_t value;
    watched = 3;
    break_at((uint64_t)&watched, ON_ACCESS, 4);

    __asm__ volatile("lea 1f(%%rip), %0\n\tmovl %2, %1\n1:\tnop"
                     : "=&r"(next), "=&r"(value)
                     : "m"(watched));

    expect_once(test, DR6_BREAKPOINT_0);
    KTEST_EXPECT_EQ(test, seen.frame.rip, next);
    KTEST_EXPECT_EQ(test, value, 3);
}

KTEST_ATTR(fault_debug, breakpoint_on_a_port_comes_behind_the_access, .proves = "5.13");
KTEST(fault_debug, breakpoint_on_a_port_comes_behind_the_access)
{
    uint64_t next;
    cpu_write_cr4(cpu_read_cr4() | CR4_DE);
    break_at(PORT_POST, ON_PORT, 1);

    __asm__ volatile("lea 1f(%%rip), %0\n\toutb %%al, %1\n1:\tnop"
                     : "=&r"(next)
                     : "i"(PORT_POST), "a"(0));
    port_write8(PORT_POST + 1, 0);

    expect_once(test, DR6_BREAKPOINT_0);
    KTEST_EXPECT_EQ(test, seen.frame.rip, next);
}

KTEST(fault_debug, breakpoint_that_is_off_does_nothing)
{
    break_at((uint64_t)stop_here, ON_EXECUTION, 1);
    cpu_write_dr7(DR7_FIXED);
    stop_here();
    KTEST_EXPECT_EQ(test, seen.count, 0);
}

// With CR4.DE, DR4 and DR5 are no longer other names of DR6 and DR7.
KTEST(fault_debug, registers_4_and_5_are_undefined_with_debugging_extensions)
{
    cpu_write_cr4(cpu_read_cr4() | CR4_DE);
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("mov %%db4, %%rax" : : : "rax"));
    KTEST_EXPECT_FAULT(test, UD, 0, __asm__ volatile("mov %%db5, %%rax" : : : "rax"));
}

KTEST_ATTR(fault_debug, access_to_a_guarded_debug_register,
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(10, 0),
                                   .skip = "TCG before QEMU 10.0 ignores DR7.GD"}),
           .proves = "5.13");
KTEST(fault_debug, access_to_a_guarded_debug_register)
{
    uint64_t before;
    uint64_t dr0;
    cpu_write_dr7(DR7_FIXED | DR7_GENERAL_DETECT);
    // The handler may use them: the CPU clears DR7.GD for it.
    __asm__ volatile("lea 1f(%%rip), %0\n1:\tmov %%dr0, %1" : "=&r"(before), "=r"(dr0));
    expect_once(test, DR6_ACCESS);
    KTEST_EXPECT_EQ(test, seen.frame.rip, before);
}

// The opcode 0xf1, once ICEBP. TCG before QEMU 10.0 takes it for an undefined one.
KTEST_ATTR(fault_debug, int1_instruction, .outcome = KTEST_FAULT(DB, .symbol = "raise_int1"),
           .quirks = KTEST_QUIRKS({.accel = KTEST_ACCEL_TCG,
                                   .before = KTEST_QEMU(10, 0),
                                   .outcome = KTEST_FAULT(UD, .symbol = "raise_int1")}),
           .proves = "5.13");
[[gnu::noinline]] static void raise_int1(void)
{
    __asm__ volatile(".byte 0xf1");
}

KTEST(fault_debug, int1_instruction)
{
    trap_set_handler(VECTOR_DEBUG, NULL);
    KTEST_ARM(test);
    raise_int1();
}
