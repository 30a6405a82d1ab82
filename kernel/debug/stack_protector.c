// SPDX-License-Identifier: MIT
//
// The run-time half of the stack protector: a word between a function's arrays and its return
// address, the same in all of a boot, which the compilers' code compares before each return.
// Its lowest byte is 0, so that no string that is too long can write it. It is written before the
// first function that has one; whoever writes it must not have one, or would find it changed.
// Source: gcc, -fstack-protector-strong and -mstack-protector-guard=global.
#include <stdint.h>

#include "arch/x86_64/cpu.h"
#include "debug/symbols.h"
#include "lib/panic.h"

#define CPUID_RDRAND BIT(30) // leaf 1, ECX
#define RDRAND_TRIES 10 // more than that it fails on broken CPUs only: Intel SDM vol. 1, 7.3.17.1
#define TERMINATOR_MASK 0xff

// Only generated code refers to these two, and kernel_entry.asm to the third.
extern uint64_t __stack_chk_guard;
[[gnu::noreturn]] void __stack_chk_fail(void);
void stack_protector_init(void);

uint64_t __stack_chk_guard;

// 0 if there is none. Without a generator the time since the reset is all there is.
static inline uint64_t hardware_random(void)
{
    uint64_t value = 0;
    bool is_valid = false;
    if ((cpuid(1, 0).ecx & CPUID_RDRAND) != 0) {
        for (unsigned i = 0; i < RDRAND_TRIES && !is_valid; i++) {
            __asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(is_valid));
        }
    }
    return is_valid ? value : 0;
}

// In the older notation: clang 14 has no other.
__attribute__((no_stack_protector)) void stack_protector_init(void)
{
    uint64_t time = cpu_read_tsc() * 0x9e3779b97f4a7c15; // its few bits that vary, spread over all
    __stack_chk_guard = (hardware_random() ^ time) & ~(uint64_t)TERMINATOR_MASK;
}

void __stack_chk_fail(void)
{
    panic("stack smashed in %s", symbol_caller((uint64_t)__builtin_return_address(0)));
}
