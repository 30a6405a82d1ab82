// SPDX-License-Identifier: MIT
//
// Ways to end the kernel, each done by the CPU: what comes is the panic's card. In assembly where a
// compiler, or a sanitizer, would have its own opinion of such an access.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "debug/log.h"
#include "lib/assert.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "monitor/commands.h"

#define NON_CANONICAL 0x0000800000000000

static void write_to(uint64_t address)
{
    __asm__ volatile("movq $0, (%0)" : : "r"(address) : "memory");
}

static void jump_to(uint64_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "memory");
}

static void write_null(void)
{
    write_to(0);
}

static void write_code(void)
{
    write_to((uint64_t)text_start);
}

static void jump_to_null(void)
{
    jump_to(0);
}

static void jump_to_data(void)
{
    jump_to((uint64_t)data_start);
}

static void write_non_canonical(void)
{
    write_to(NON_CANONICAL);
}

static void run_invalid_opcode(void)
{
    __asm__ volatile("ud2");
}

static void divide_by_zero(void)
{
    __asm__ volatile("divl %0" : : "r"(0), "a"(1), "d"(0) : "cc");
}

static void break_here(void)
{
    cpu_breakpoint();
}

// Something is left to do behind the call: so no compiler makes it a loop.
[[gnu::noinline]] static uint64_t recurse(uint64_t depth)
{
    volatile uint64_t local = depth;
    if (depth == UINT64_MAX) {
        return 0;
    }
    return recurse(depth + 1) + local;
}

static void overflow_stack(void)
{
    recurse(0);
}

// The page fault of the push can't be pushed either.
static void lose_stack(void)
{
    __asm__ volatile("xorl %%esp, %%esp\n\t"
                     "pushq %%rax"
                     :
                     :
                     : "memory");
}

static void end_in_panic(void)
{
    panic("as you wished");
}

static void fail_assertion(void)
{
    bool is_well = false;
    __asm__("" : "+r"(is_well)); // the compiler shall not know
    assert(is_well);
}

// Only an NMI gets through to it.
static void hang(void)
{
    cpu_disable_interrupts();
    for (;;) {
        cpu_relax();
    }
}

static const struct {
    const char *kind;
    const char *what;
    void (*make)(void);
} faults[] = {
    {"page", "writes to the null page: #PF", write_null},
    {"code", "writes to the kernel's code: #PF", write_code},
    {"jump", "jumps to address 0: #PF", jump_to_null},
    {"data", "jumps into the kernel's data: #PF", jump_to_data},
    {"protection", "writes to an address that is not canonical: #GP", write_non_canonical},
    {"opcode", "runs an instruction that there is not: #UD", run_invalid_opcode},
    {"divide", "divides by 0: #DE", divide_by_zero},
    {"breakpoint", "runs int3 without a debugger: #BP", break_here},
    {"stack", "recursion without an end, into the stack's guard: #DF", overflow_stack},
    {"double", "pushes with a stack pointer of 0: #DF", lose_stack},
    {"panic", "calls panic()", end_in_panic},
    {"assert", "asserts what is not so", fail_assertion},
    {"hang", "loops with interrupts off; an NMI shows where (in QEMU's monitor: nmi)", hang},
};

enum error command_complete_faults(struct completion *completion)
{
    enum error error = OK;
    for (size_t i = 0; error == OK && i < ARRAY_SIZE(faults); i++) {
        error = completion_offer(completion, faults[i].kind);
    }
    return error;
}

void command_fault(size_t argument_count, char *const *arguments)
{
    if (argument_count == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
            println("%-10s %s", faults[i].kind, faults[i].what);
        }
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        if (strcmp(arguments[0], faults[i].kind) == 0) {
            faults[i].make();
            return;
        }
    }
    println("there is no fault %s; `fault` names those that there are", arguments[0]);
}
