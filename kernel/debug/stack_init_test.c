// SPDX-License-Identifier: MIT
//
// Variables that nobody initialized hold what the build says, and not what was there before: in
// builds that initialize the stack.
#include <stdint.h>

#include "ktest.h"
#include "lib/bits.h"

#define DIRT 0x55
#define WORDS 32

// The compiler must neither know nor warn of what is read there.
#define FORGET(pointer_) __asm__ volatile("" : "+r"(pointer_) : : "memory")

[[gnu::noinline]] static void leave_dirt(void)
{
    volatile uint8_t dirt[1024];
    for (unsigned i = 0; i < sizeof(dirt); i++) {
        dirt[i] = DIRT;
    }
}

[[gnu::noinline]] static uint64_t read_variable(void)
{
    uint64_t value;
    uint64_t *place = &value;
    FORGET(place);
    return *place;
}

struct record {
    uint64_t words[WORDS];
};

[[gnu::noinline]] static void read_structure(uint64_t *words_out)
{
    struct record record;
    struct record *place = &record;
    FORGET(place);
    for (unsigned i = 0; i < WORDS; i++) {
        words_out[i] = place->words[i];
    }
}

KTEST(stack_init, variable_is_initialized)
{
    leave_dirt();
    KTEST_EXPECT_EQ(test, read_variable(), STACK_INIT_WORD);
}

KTEST(stack_init, structure_is_initialized)
{
    uint64_t words[WORDS];
    leave_dirt();
    read_structure(words);
    for (unsigned i = 0; i < WORDS; i++) {
        KTEST_EXPECT_EQ(test, words[i], STACK_INIT_WORD);
    }
}
