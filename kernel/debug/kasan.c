// SPDX-License-Identifier: MIT
//
// The run-time half of the sanitizer: what the instructions of gcc 12 and clang 14 call, and the
// shadow that they write. This file itself is compiled without checks, and calls nothing with
// checks but for the report.
//
// The compilers fix the shadow's place, (address >> 3) + KASAN_SHADOW_OFFSET, as functions poison
// the gaps of their stack frames without asking. The checks are calls, so they can look at the
// address first: what has no shadow needs none mapped.
// Source of the interface: LLVM, compiler-rt/lib/asan; gcc/asan.cc; Linux, mm/kasan.
#include "debug/kasan.h"

#include <stdbool.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/pte.h"
#include "arch/x86_64/stack.h"
#include "debug/symbols.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/kasan.h"
#include "lib/panic.h"

_Static_assert(KASAN_SHADOW_OFFSET + DIRECT_MAP_VMA / KASAN_GRANULE == KASAN_SHADOW_VMA);

uint64_t kasan_heap_bytes;

// --- Writing the shadow -------------------------------------------------------------------------

// Not by a string instruction: functions with the direction flag set have stack frames as well.
static void fill(uint8_t *shadow, uint8_t value, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        shadow[i] = value;
    }
}

// As stack_locate, which has checks itself.
static bool is_kernel_stack(uint64_t address)
{
    uint64_t offset = address - STACKS_VMA;
    uint64_t slot = offset / STACK_SLOT_SIZE;
    return offset < STACKS_SIZE && offset % STACK_SLOT_SIZE >= STACK_SLOT_SIZE - STACK_SIZE &&
           (kernel_stack_slots[slot / 64] & BIT(slot % 64)) != 0;
}

// Where the shadow that covers `address` ends; 0 if none does.
static uint64_t shadow_end(uint64_t address)
{
    if (address - KERNEL_VMA < KERNEL_IMAGE_END_MAX) {
        return KERNEL_VMA + KERNEL_IMAGE_END_MAX;
    }
    if (address - HEAP_VMA < kasan_heap_bytes) {
        return HEAP_VMA + kasan_heap_bytes;
    }
    return is_kernel_stack(address) ? ALIGN_UP(address + 1, STACK_SLOT_SIZE) : 0;
}

static bool has_shadow(uint64_t address)
{
    return shadow_end(address) != 0;
}

static void poison(uint64_t address, size_t size_bytes, uint8_t kind)
{
    if (size_bytes != 0 && has_shadow(address)) {
        fill(kasan_shadow(address), kind, ALIGN_UP(size_bytes, KASAN_GRANULE) / KASAN_GRANULE);
    }
}

static void unpoison(uint64_t address, size_t size_bytes)
{
    poison(address, ALIGN_DOWN(size_bytes, KASAN_GRANULE), 0);
    poison(address + ALIGN_DOWN(size_bytes, KASAN_GRANULE), size_bytes % KASAN_GRANULE,
           size_bytes % KASAN_GRANULE);
}

static void require_alignment(const void *address)
{
    if ((uint64_t)address % KASAN_GRANULE != 0) {
        panic("KASAN: memory at %p is not aligned to be poisoned", address);
    }
}

void kasan_poison(const void *address, size_t size_bytes, enum kasan_kind kind)
{
    require_alignment(address);
    poison((uint64_t)address, size_bytes, (uint8_t)kind);
}

void kasan_unpoison(const void *address, size_t size_bytes)
{
    require_alignment(address);
    unpoison((uint64_t)address, size_bytes);
}

// --- Reports ------------------------------------------------------------------------------------

static const char *describe(uint8_t kind)
{
    switch ((enum kasan_kind)kind) {
    case KASAN_ALLOCA_LEFT:
    case KASAN_STACK_LEFT:
        return "below a variable on the stack";
    case KASAN_STACK_BETWEEN:
        return "between variables on the stack";
    case KASAN_ALLOCA_RIGHT:
    case KASAN_STACK_RIGHT:
        return "behind a variable on the stack";
    case KASAN_STACK_AFTER_SCOPE:
        return "a variable on the stack out of its scope";
    case KASAN_GLOBAL_RED_ZONE:
        return "behind a global variable";
    case KASAN_HEAP_RED_ZONE:
        return "red zone of the heap";
    case KASAN_HEAP_FREED:
        return "freed memory of the heap";
    }
    return "poisoned memory";
}

#define SHADOW_SHOWN 4 // bytes on either side of the bad one

// "00 00 04 [f9] f9 f9", as far as there is a shadow.
static void append_shadow(struct text_buffer *text, uint64_t address)
{
    for (int64_t i = -SHADOW_SHOWN; i <= SHADOW_SHOWN; i++) {
        uint64_t neighbour = address + (uint64_t)(i * KASAN_GRANULE);
        if (has_shadow(neighbour)) {
            text_append(text, i == 0 ? " [%02x]" : " %02x", *kasan_shadow(neighbour));
        }
    }
}

// Behind the last byte of an object that ends within a granule, the next one tells what is there.
static uint8_t kind_at(uint64_t address)
{
    uint8_t kind = *kasan_shadow(address);
    bool is_part = kind < KASAN_GRANULE && has_shadow(address + KASAN_GRANULE);
    return is_part ? *kasan_shadow(address + KASAN_GRANULE) : kind;
}

struct access {
    uint64_t address;
    size_t size_bytes;
    enum kasan_access kind;
    uint64_t return_address; // behind the check's call
};

// `bad` is the first byte that must not be touched, 0 if that can't be said.
[[gnu::noreturn, gnu::cold]] static void report(const struct access *access, uint64_t bad)
{
    char shadow[3 * (2 * SHADOW_SHOWN + 1) + sizeof(" shadow []")] = "";
    const char *what = "a wild pointer";
    if (has_shadow(bad)) {
        struct text_buffer text = {shadow, sizeof(shadow), 0};
        text_append(&text, ", shadow");
        append_shadow(&text, bad);
        what = describe(kind_at(bad));
    }
    panic("KASAN: %zu-byte %s at %#lx in %s: %s%s", access->size_bytes,
          access->kind == KASAN_READ ? "read" : "write", access->address,
          symbol_caller(access->return_address), what, shadow);
}

// --- The checks ---------------------------------------------------------------------------------

// Looks at the granules of [address, end), which have a shadow. Returns the first bad byte, or end.
static uint64_t find_bad(uint64_t address, uint64_t end)
{
    for (uint64_t next; address < end; address = next) {
        uint64_t granule = ALIGN_DOWN(address, KASAN_GRANULE);
        next = granule + KASAN_GRANULE;
        uint8_t open_bytes = *kasan_shadow(address);
        if (open_bytes == 0) {
            continue;
        }
        uint64_t bad = open_bytes < KASAN_GRANULE ? granule + open_bytes : granule;
        if (bad < end) {
            return bad > address ? bad : address;
        }
    }
    return end;
}

// What is not mapped passes: the page fault says more. But for an address that nobody can have: in
// the shadow, or with a size that leads around the end of the address space.
static void check(struct access access)
{
    uint64_t end = access.address + access.size_bytes;
    uint64_t limit = shadow_end(access.address);
    if (access.size_bytes == 0) {
        return;
    }
    if (end < access.address || access.address - KASAN_SHADOW_VMA < KASAN_SHADOW_SIZE) {
        report(&access, 0);
    }
    if (limit != 0) {
        end = end < limit ? end : limit;
        uint64_t bad = find_bad(access.address, end);
        if (bad != end) {
            report(&access, bad);
        }
    }
}

// What most accesses are: in the image, within one granule, and all of it is open.
static inline bool is_plain(uint64_t address, size_t size_bytes)
{
    return address - KERNEL_VMA < KERNEL_IMAGE_END_MAX &&
           address % KASAN_GRANULE + size_bytes <= KASAN_GRANULE && *kasan_shadow(address) == 0;
}

#define RETURN_ADDRESS ((uint64_t)__builtin_return_address(0))

void kasan_check(const void *address, size_t size_bytes, enum kasan_access access)
{
    check((struct access){(uint64_t)address, size_bytes, access, RETURN_ADDRESS});
}

// --- What the compilers call --------------------------------------------------------------------

// Only generated code does, so there are no prototypes.
#define DEFINE_CHECK(name_, access_, size_)                                                        \
    void name_(uint64_t address)                                                                   \
    {                                                                                              \
        if (!is_plain(address, size_)) {                                                           \
            check((struct access){address, size_, access_, RETURN_ADDRESS});                       \
        }                                                                                          \
    }
#define DEFINE_CHECKS(size_)                                                                       \
    DEFINE_CHECK(__asan_load##size_##_noabort, KASAN_READ, size_)                                  \
    DEFINE_CHECK(__asan_store##size_##_noabort, KASAN_WRITE, size_)

DEFINE_CHECKS(1)
DEFINE_CHECKS(2)
DEFINE_CHECKS(4)
DEFINE_CHECKS(8)
DEFINE_CHECKS(16)

#define DEFINE_CHECK_N(name_, access_)                                                             \
    void name_(uint64_t address, size_t size_bytes)                                                \
    {                                                                                              \
        check((struct access){address, size_bytes, access_, RETURN_ADDRESS});                      \
    }

DEFINE_CHECK_N(__asan_loadN_noabort, KASAN_READ)
DEFINE_CHECK_N(__asan_storeN_noabort, KASAN_WRITE)

// Large parts of a stack frame; `shadow` is the address in the shadow itself.
#define DEFINE_SET_SHADOW(value_)                                                                  \
    void __asan_set_shadow_##value_(uint8_t *shadow, size_t size_bytes)                            \
    {                                                                                              \
        fill(shadow, 0x##value_, size_bytes);                                                      \
    }

DEFINE_SET_SHADOW(00)
DEFINE_SET_SHADOW(f1)
DEFINE_SET_SHADOW(f2)
DEFINE_SET_SHADOW(f3)
DEFINE_SET_SHADOW(f8)

// A large variable goes out of its scope, and into it.
void __asan_poison_stack_memory(uint64_t address, size_t size_bytes)
{
    poison(address, size_bytes, KASAN_STACK_AFTER_SCOPE);
}

void __asan_unpoison_stack_memory(uint64_t address, size_t size_bytes)
{
    unpoison(address, size_bytes);
}

#define ALLOCA_RED_ZONE 32 // on either side, and the right one is aligned to it

void __asan_alloca_poison(uint64_t address, size_t size_bytes)
{
    size_t block_bytes = ALIGN_UP(size_bytes, ALLOCA_RED_ZONE) + ALLOCA_RED_ZONE;
    poison(address - ALLOCA_RED_ZONE, ALLOCA_RED_ZONE, KASAN_ALLOCA_LEFT);
    poison(address, block_bytes, KASAN_ALLOCA_RIGHT);
    unpoison(address, size_bytes);
}

// When the function ends: `top` is the lowest of its blocks, 0 if there is none.
void __asan_allocas_unpoison(uint64_t top, uint64_t bottom)
{
    if (top != 0 && top < bottom) {
        unpoison(top, bottom - top);
    }
}

// Code is about to be left without a return: the frames of its stack, and if it runs in a handler
// those of the stack before, would stay poisoned for whoever uses the stack next.
void __asan_handle_no_return(void)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    unpoison((uint64_t)boot_stacks_start, (size_t)(boot_stacks_end - boot_stacks_start));
    if (is_kernel_stack(here)) {
        unpoison(ALIGN_UP(here, STACK_SLOT_SIZE) - STACK_SIZE, STACK_SIZE);
    }
}

// What the compilers say of a global variable.
struct asan_global {
    uint64_t start;
    size_t size_bytes;
    size_t block_bytes; // with the red zone behind it
    const char *name;
    const char *module;
    uint64_t has_dynamic_init;
    const void *location;
    const void *odr_indicator;
};

void __asan_register_globals(const struct asan_global *globals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        poison(globals[i].start, globals[i].block_bytes, KASAN_GLOBAL_RED_ZONE);
        unpoison(globals[i].start, globals[i].size_bytes);
    }
}

// Destructors refer to it; nobody runs them.
void __asan_unregister_globals(const struct asan_global *globals, size_t count)
{
    (void)globals, (void)count;
}

// --- Start --------------------------------------------------------------------------------------

static _Alignas(PAGE_SIZE) uint64_t level3[TABLE_ENTRY_COUNT];
static _Alignas(PAGE_SIZE) uint64_t level2[TABLE_ENTRY_COUNT];
static _Alignas(PAGE_SIZE) uint64_t level1[TABLE_ENTRY_COUNT];
static _Alignas(PAGE_SIZE) uint8_t image_shadow[KERNEL_IMAGE_END_MAX / KASAN_GRANULE];

_Static_assert(sizeof(image_shadow) <= LARGE_PAGE_SIZE, "one table of level 1 maps it");

// An entry for something in the image.
static uint64_t entry_of(const void *pointer)
{
    return ((uint64_t)pointer - KERNEL_VMA) | PTE_PRESENT | PTE_WRITABLE;
}

static void map_image_shadow(void)
{
    virt_addr_t start = {(uint64_t)kasan_shadow(KERNEL_VMA)};
    uint64_t *level4 = phys_to_direct((phys_addr_t){cpu_read_cr3() & PTE_ADDRESS});
    level4[virt_addr_p4_index(start)] = entry_of(level3);
    level3[virt_addr_p3_index(start)] = entry_of(level2);
    level2[virt_addr_p2_index(start)] = entry_of(level1);
    for (size_t offset = 0; offset < sizeof(image_shadow); offset += PAGE_SIZE) {
        unsigned i = virt_addr_p1_index((virt_addr_t){start.value + offset});
        level1[i] = entry_of(&image_shadow[offset]) | PTE_NO_EXECUTE;
    }
}

void kasan_init(void)
{
    map_image_shadow();
    for (constructor_t *const *run = init_array_start; run < init_array_end; run++) {
        (*run)();
    }
}
