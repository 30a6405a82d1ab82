// SPDX-License-Identifier: MIT
//
// What must be reported is, with its kind, and nothing else: in builds with the address sanitizer.
// The accesses go through functions of which the compiler can't know the address.
#include "debug/kasan.h"

#include "arch/x86_64/layout.h"
#include "ktest.h"
#include "lib/bits.h"
#include "lib/kasan.h"
#include "lib/string.h"

#define FORGET(pointer_) __asm__("" : "+r"(pointer_))

[[gnu::noinline]] static uint8_t read_byte(const void *address)
{
    FORGET(address);
    return *(const volatile uint8_t *)address;
}

[[gnu::noinline]] static void write_byte(void *address)
{
    FORGET(address);
    *(volatile uint8_t *)address = 1;
}

[[gnu::noinline]] static uint64_t read_word(const void *address)
{
    FORGET(address);
    return *(const volatile uint64_t *)address;
}

// --- Global variables ---------------------------------------------------------------------------

static char object[13];
static const char constant[5] = "four";

KTEST_ATTR(kasan, panics_with_access_place_and_shadow,
           .outcome = KTEST_PANIC("KASAN: 1-byte write at 0x* in write_byte: behind a global "
                                  "variable, shadow* 00 ?05]*"));
KTEST(kasan, panics_with_access_place_and_shadow)
{
    KTEST_ARM(test);
    write_byte(&object[13]);
}

KTEST(kasan, global_out_of_bounds)
{
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read * in read_byte: behind a global*",
                       read_byte(&object[13]));
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read * behind a global*", read_byte(&constant[5]));
    KTEST_EXPECT_PANIC(test, "KASAN: 8-byte read * in read_word: behind a global*",
                       read_word(&object[8])); // its last three bytes
}

// --- The stack ----------------------------------------------------------------------------------

[[gnu::noinline]] static uint8_t read_around(ptrdiff_t index)
{
    char local[13] = "";
    write_byte(&local[0]);
    return read_byte(local + index);
}

KTEST(kasan, stack_out_of_bounds)
{
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read * below a variable on the stack*",
                       read_around(-1));
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read * behind a variable on the stack*",
                       read_around(13));
    KTEST_EXPECT_EQ(test, read_around(0), 1);
    KTEST_EXPECT_EQ(test, read_around(12), 0);
}

[[gnu::noinline]] static uint8_t read_between(void)
{
    char first[32];
    char second[32];
    write_byte(first);
    write_byte(second);
    char *lower = &first[0] < &second[0] ? first : second;
    return read_byte(lower + 32);
}

KTEST(kasan, stack_between_two_variables)
{
    KTEST_EXPECT_PANIC(test, "KASAN: * between variables on the stack*", read_between());
}

[[gnu::noinline]] static uint8_t read_out_of_scope(size_t size_bytes)
{
    char *escaped;
    if (size_bytes == sizeof(uint64_t)) {
        char local[8];
        write_byte(local);
        escaped = local;
    } else {
        char large[1000];
        write_byte(large);
        escaped = large;
    }
    return read_byte(escaped);
}

KTEST(kasan, stack_out_of_scope)
{
    KTEST_EXPECT_PANIC(test, "KASAN: * a variable on the stack out of its scope*",
                       read_out_of_scope(8));
    KTEST_EXPECT_PANIC(test, "KASAN: * a variable on the stack out of its scope*",
                       read_out_of_scope(1000));
}

[[gnu::noinline]] static uint8_t read_alloca(size_t size_bytes, ptrdiff_t index)
{
    char *block = __builtin_alloca(size_bytes);
    write_byte(block);
    write_byte(block + size_bytes - 1);
    return read_byte(block + index);
}

KTEST(kasan, memory_of_alloca)
{
    KTEST_EXPECT_PANIC(test, "KASAN: * behind a variable on the stack*", read_alloca(21, 21));
    KTEST_EXPECT_PANIC(test, "KASAN: * behind a variable on the stack*", read_alloca(64, 64));
    KTEST_EXPECT_PANIC(test, "KASAN: * below a variable on the stack*", read_alloca(21, -1));
    KTEST_EXPECT_EQ(test, read_alloca(21, 20), 1);
}

// Bytes of the stack below, all of which a function may use that is called now.
[[gnu::noinline]] NO_KASAN static bool is_open_below(void)
{
    const uint8_t *here = __builtin_frame_address(0);
    FORGET(here);
    uint8_t sum = 0;
    for (size_t i = 0; i < 4096; i += KASAN_GRANULE) {
        sum |= *kasan_shadow((uint64_t)(here - 8192 + i));
    }
    return sum == 0;
}

// Nobody takes down the frames of code that was left in a panic.
KTEST(kasan, stack_of_abandoned_code_is_open)
{
    for (int i = 0; i < 3; i++) {
        KTEST_EXPECT_PANIC(test, "KASAN: *", read_out_of_scope(1000));
        KTEST_EXPECT_TRUE(test, is_open_below());
    }
}

// --- Poisoned memory ----------------------------------------------------------------------------

#define BLOCK_BYTES 4096

static _Alignas(KASAN_GRANULE) uint8_t block[BLOCK_BYTES];

static void open_block(struct ktest *test)
{
    (void)test;
    kasan_unpoison(block, BLOCK_BYTES);
}

KTEST_SUITE(kasan_block, .exit = open_block);

// As an allocator would give 1,007 bytes out of the block.
#define OBJECT_BYTES 1007
static uint8_t *const allocated = block + 64;

static void allocate(void)
{
    kasan_poison(block, BLOCK_BYTES, KASAN_HEAP_RED_ZONE);
    kasan_unpoison(allocated, OBJECT_BYTES);
}

KTEST(kasan_block, is_reported_when_read_and_written)
{
    allocate();
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read * red zone of the heap*",
                       read_byte(allocated + OBJECT_BYTES));
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte write * red zone of the heap*",
                       write_byte(allocated - 1));
    kasan_poison(allocated, OBJECT_BYTES, KASAN_HEAP_FREED);
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read * freed memory of the heap*",
                       read_byte(allocated));
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte write * freed memory of the heap*",
                       write_byte(allocated + OBJECT_BYTES - 1));
}

// Every start and every end within a granule, by all sizes that have a check of their own.
KTEST(kasan_block, is_open_to_the_very_edge)
{
    for (size_t size_bytes = 1; size_bytes <= 24; size_bytes++) {
        kasan_poison(block, 128, KASAN_HEAP_RED_ZONE);
        kasan_unpoison(allocated, size_bytes);
        uint8_t *end = allocated + size_bytes;
        memset(allocated, 0, size_bytes);
        KTEST_EXPECT_EQ(test, read_byte(end - 1), 0);
        KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read *", read_byte(end));
        if (size_bytes >= sizeof(uint64_t)) {
            KTEST_EXPECT_EQ(test, read_word(end - sizeof(uint64_t)), 0);
            KTEST_EXPECT_PANIC(test, "KASAN: 8-byte read *", read_word(end - 7));
        }
    }
}

struct triple {
    uint64_t words[3];
};

[[gnu::noinline]] static void copy_triple(void *destination, const void *source)
{
    *(volatile struct triple *)destination = *(const volatile struct triple *)source;
}

KTEST(kasan_block, is_reported_when_a_structure_is_copied)
{
    struct triple good = {{1, 2, 3}};
    allocate();
    copy_triple(allocated, &good);
    KTEST_EXPECT_MEMEQ(test, allocated, &good, sizeof(good));
    uint8_t *end = (uint8_t *)((uint64_t)(allocated + OBJECT_BYTES) & ~7ULL);
    KTEST_EXPECT_PANIC(test, "KASAN: * write *", copy_triple(end - 16, &good));
    KTEST_EXPECT_PANIC(test, "KASAN: * read *", copy_triple(&good, end - 16));
}

static uint8_t other[BLOCK_BYTES];

// By words, by blocks of words, and by string instructions alone: one byte more is 126 words.
KTEST(kasan_block, is_reported_by_the_functions_of_memory)
{
    static const size_t sizes[] = {1, 3, 7, 15, 31, 100, 600, OBJECT_BYTES};
    allocate();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        size_t size_bytes = sizes[i];
        uint8_t *start = allocated + OBJECT_BYTES - size_bytes;
        memset(start, 7, size_bytes);
        memcpy(other, start, size_bytes);
        KTEST_EXPECT_EQ(test, memcmp(start, other, size_bytes), 0);

        KTEST_EXPECT_PANIC(test, "KASAN: *-byte write *", memset(start, 7, size_bytes + 1));
        KTEST_EXPECT_PANIC(test, "KASAN: *-byte read *", memcpy(other, start, size_bytes + 1));
        KTEST_EXPECT_PANIC(test, "KASAN: *-byte write *", memcpy(start, other, size_bytes + 1));
        KTEST_EXPECT_PANIC(test, "KASAN: *-byte write *", memmove(start + 1, start, size_bytes));
        other[size_bytes] = start[size_bytes - 1];
        KTEST_EXPECT_PANIC(test, "KASAN: *-byte read *",
                           (void)memcmp(start, other, size_bytes + 1));
    }
}

KTEST(kasan_block, is_reported_by_the_functions_of_strings)
{
    allocate();
    memset(allocated, 'x', OBJECT_BYTES);
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte read *", (void)strlen((char *)allocated));
    KTEST_EXPECT_EQ(test, strnlen((char *)allocated, OBJECT_BYTES), OBJECT_BYTES);
}

KTEST(kasan_block, poison_needs_alignment)
{
    KTEST_EXPECT_PANIC(test, "KASAN: memory at 0x* is not aligned to be poisoned",
                       kasan_poison(block + 1, 8, KASAN_HEAP_FREED));
    KTEST_EXPECT_PANIC(test, "KASAN: memory at 0x* is not aligned to be poisoned",
                       kasan_unpoison(block + 4, 8));
}

// --- Where there is a shadow --------------------------------------------------------------------

// What nobody has mapped raises a page fault (suite fault); these would not.
KTEST(kasan, wild_pointer)
{
    KTEST_EXPECT_PANIC(test, "KASAN: 1-byte write at 0x* in write_byte: a wild pointer*",
                       write_byte(kasan_shadow((uint64_t)block)));
    KTEST_EXPECT_PANIC(test, "KASAN: * a wild pointer*",
                       kasan_check(block, (size_t)-1, KASAN_WRITE));
    KTEST_EXPECT_PANIC(test, "KASAN: * behind a global variable*",
                       kasan_check(block, (size_t)1 << 30, KASAN_WRITE));
}

// The direct map is open throughout, and poisoning there does nothing.
KTEST(kasan, direct_map_has_no_shadow)
{
    void *memory = phys_to_direct((phys_addr_t){(uint64_t)block - KERNEL_VMA});
    kasan_poison(memory, BLOCK_BYTES, KASAN_HEAP_FREED);
    write_byte(memory);
    KTEST_EXPECT_EQ(test, read_byte(block), 1);
}

[[gnu::noinline]] NO_KASAN static uint8_t read_unchecked(const void *address)
{
    FORGET(address);
    return *(const volatile uint8_t *)address;
}

KTEST(kasan, function_can_be_left_out)
{
    KTEST_EXPECT_EQ(test, read_unchecked(&object[13]), 0);
}
