// SPDX-License-Identifier: MIT
//
// A function replaced for one test: a jump is written over its first instructions, and what was
// there comes back when the test is over. Sources: Intel SDM vol. 2, JMP; vol. 3, 8.1.3 (code that
// changes itself has to serialize before it runs).
#include "runner.h"

#define STUBS_MAX 16
#define NEAR_JUMP_BYTES 5
#define FAR_JUMP_BYTES 14

struct stub {
    uint8_t *code;
    size_t size_bytes; // 0: this one is free
    uint8_t original[FAR_JUMP_BYTES];
};

static struct stub stubs[STUBS_MAX];

static void serialize(void)
{
    uint32_t a = 0;
    uint32_t b;
    uint32_t c = 0;
    uint32_t d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

static void put_back(void *context)
{
    struct stub *stub = context;
    ktest_port_write_code(stub->code, stub->original, stub->size_bytes);
    stub->size_bytes = 0;
    serialize();
}

static void put_bytes(uint8_t *to, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

// jmp rel32, or where that does not reach jmp [rip], with the address behind it.
static size_t make_jump(uint8_t *jump, uintptr_t from, uintptr_t to)
{
    int64_t distance = (int64_t)(to - from - NEAR_JUMP_BYTES);
    if (distance >= INT32_MIN && distance <= INT32_MAX) {
        jump[0] = 0xe9;
        put_bytes(&jump[1], (uint64_t)distance, 4);
        return NEAR_JUMP_BYTES;
    }
    jump[0] = 0xff;
    jump[1] = 0x25;
    put_bytes(&jump[2], 0, 4);
    put_bytes(&jump[6], to, 8);
    return FAR_JUMP_BYTES;
}

void ktest_stub(struct ktest *test, uintptr_t function, uintptr_t replacement)
{
    struct stub *stub = stubs;
    while (stub < &stubs[STUBS_MAX] && stub->size_bytes != 0) {
        stub++;
    }
    if (stub == &stubs[STUBS_MAX]) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "more than %d stubs", STUBS_MAX);
        return;
    }
    uint8_t jump[FAR_JUMP_BYTES];
    size_t size_bytes = make_jump(jump, function, replacement);
    stub->code = (uint8_t *)function;
    for (size_t i = 0; i < size_bytes; i++) {
        stub->original[i] = stub->code[i];
    }
    stub->size_bytes = size_bytes;
    if (ktest_add_action(test, put_back, stub)) { // without it the stub is gone already
        ktest_port_write_code(stub->code, jump, size_bytes);
        serialize();
    }
}
