// SPDX-License-Identifier: MIT
//
// The run-time half of the finder of data races: what gcc 12 and clang 14 call for each access
// (-fsanitize=thread). Now and then an access is held up before it happens: a watchpoint says what
// it is going to be, and interrupts may come. Another access to the same memory that comes
// meanwhile is a race, if one of the two writes and one of them is plain, neither atomic nor
// volatile. And if the memory has changed although nobody was seen, assembly or a device did it.
//
// One watchpoint for each CPU: whoever is held up announces nothing else meanwhile. There is one
// CPU as yet, so nobody can come in between with interrupts off, and accesses are let pass then.
//
// This file itself is compiled without instructions of its own, and calls none with them but for
// the report. Source of the interface: LLVM, compiler-rt/lib/tsan/rtl/tsan_interface.h; of the
// method: Linux, kernel/kcsan.
#include "debug/kcsan.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch/x86_64/layout.h"
#include "arch/x86_64/pte.h"
#include "debug/symbols.h"
#include "lib/kcsan.h"
#include "lib/panic.h"
#include "sync/irq_state.h"

#define CPU_COUNT 1
#define INTERVAL 20    // accesses with interrupts on are few
#define STALL_TURNS 50 // each of some ten cycles

enum mark {
    PLAIN, // the compiler may cut it into pieces, or do it at another time
    VOLATILE,
    ATOMIC,
};

struct access {
    uint64_t address;
    size_t size_bytes;
    bool is_write;
    enum mark mark;
    uint64_t return_address; // behind the announcement's call
};

struct watchpoint {
    struct access access;
    bool is_set; // written last
};

static struct watchpoint watchpoints[CPU_COUNT];
static unsigned set_count; // of them; for those who look whether there are any
static uint64_t watched_count;

static struct watchpoint *own_watchpoint(void)
{
    return &watchpoints[0];
}

// --- How often, and how long --------------------------------------------------------------------

// Where each instruction traps, those around the stall are enough.
static void stall_a_little(void)
{
    bool is_stepped = (cpu_read_rflags() & RFLAGS_TF) != 0;
    for (unsigned i = 0; i < STALL_TURNS && !is_stepped; i++) {
        cpu_relax();
    }
}

static struct kcsan_mode mode = {INTERVAL, stall_a_little};
static uint32_t accesses_left = INTERVAL; // until the next one is held up
static uint32_t random = 1;

struct kcsan_mode kcsan_set_mode(struct kcsan_mode new_mode)
{
    struct kcsan_mode before = mode;
    mode = new_mode;
    accesses_left = 1;
    return before;
}

uint64_t kcsan_watched_count(void)
{
    return watched_count;
}

// From 1 to twice the interval, so that loops don't meet the same access again and again. Always
// the same numbers (Numerical Recipes' generator): a run can be repeated.
static uint32_t next_distance(void)
{
    random = random * 1664525 + 1013904223;
    return mode.interval == 1 ? 1 : 1 + (random >> 16) % (2 * mode.interval);
}

static bool is_turn(void)
{
    if (mode.interval == 0 || --accesses_left != 0) {
        return false;
    }
    accesses_left = next_distance();
    return true;
}

// --- Reports ------------------------------------------------------------------------------------

static const char *const marks[] = {
    [PLAIN] = "plain", [VOLATILE] = "volatile", [ATOMIC] = "atomic"};

static const char *kind_of(const struct access *access)
{
    return access->is_write ? "write" : "read";
}

// `second` comes while `first` is held up.
[[gnu::noreturn, gnu::cold]] static void report(const struct access *first,
                                                const struct access *second)
{
    struct access before = *first; // its watchpoint goes: the report is not to be reported
    kcsan_abandon();
    panic("KCSAN: %s %zu-byte %s at %#lx in %s, meanwhile %s %zu-byte %s at %+ld in %s",
          marks[before.mark], before.size_bytes, kind_of(&before), before.address,
          symbol_caller(before.return_address), marks[second->mark], second->size_bytes,
          kind_of(second), (int64_t)(second->address - before.address),
          symbol_caller(second->return_address));
}

[[gnu::noreturn, gnu::cold]] static void report_change(const struct access *access, uint64_t before,
                                                       uint64_t after)
{
    cpu_disable_interrupts(); // or the panic's own accesses are held up
    panic("KCSAN: %s %zu-byte %s at %#lx in %s, meanwhile 0x%lx became 0x%lx unseen",
          marks[access->mark], access->size_bytes, kind_of(access), access->address,
          symbol_caller(access->return_address), before, after);
}

// --- The watchpoints ----------------------------------------------------------------------------

static bool is_race(const struct access *one, const struct access *other)
{
    return one->address < other->address + other->size_bytes &&
           other->address < one->address + one->size_bytes && (one->is_write || other->is_write) &&
           (one->mark == PLAIN || other->mark == PLAIN);
}

static void compare_with_watchpoints(const struct access *access)
{
    for (unsigned cpu = 0; cpu < CPU_COUNT; cpu++) {
        struct watchpoint *watchpoint = &watchpoints[cpu];
        if (__atomic_load_n(&watchpoint->is_set, __ATOMIC_ACQUIRE) &&
            is_race(&watchpoint->access, access)) {
            report(&watchpoint->access, access);
        }
    }
}

// What is not mapped is let pass: the fault is to be the access's own.
static bool is_mapped(uint64_t address)
{
    phys_addr_t table = {cpu_read_cr3() & PTE_ADDRESS};
    for (unsigned level = PTE_LEVEL_MAX;; level--) {
        const pte_t *entries = phys_to_direct(table);
        pte_t entry = entries[address >> pte_shift(level) & (TABLE_ENTRY_COUNT - 1)];
        if (!pte_is_table(entry, level)) {
            return pte_is_present(entry);
        }
        table = pte_table(entry);
    }
}

// Of plain accesses to memory: to look at a device's register can do things.
static uint64_t value_of(const struct access *access)
{
    const void *place = (const void *)access->address;
    if (access->mark != PLAIN) {
        return 0;
    }
    switch (access->size_bytes) {
    case 1:
        return *(const volatile uint8_t *)place;
    case 2:
        return *(const volatile uint16_t *)place;
    case 4:
        return *(const volatile uint32_t *)place;
    case 8:
        return *(const volatile uint64_t *)place;
    default:
        return 0;
    }
}

static void set(struct watchpoint *watchpoint, const struct access *access)
{
    watched_count++;
    watchpoint->access = *access;
    __atomic_store_n(&watchpoint->is_set, true, __ATOMIC_RELEASE);
    __atomic_fetch_add(&set_count, 1, __ATOMIC_SEQ_CST);
}

static void clear(struct watchpoint *watchpoint)
{
    if (watchpoint->is_set) {
        __atomic_store_n(&watchpoint->is_set, false, __ATOMIC_RELEASE);
        __atomic_fetch_sub(&set_count, 1, __ATOMIC_SEQ_CST);
    }
}

void kcsan_abandon(void)
{
    irq_state_t state = irq_save();
    clear(own_watchpoint());
    irq_restore(state);
}

// Interrupts are on.
static void hold_up(const struct access *access)
{
    struct watchpoint *own = own_watchpoint();
    irq_state_t state = irq_save();
    if (own->is_set || !is_mapped(access->address) ||
        !is_mapped(access->address + access->size_bytes - 1)) {
        irq_restore(state);
        return;
    }
    uint64_t before = value_of(access);
    set(own, access);
    irq_restore(state);

    mode.stall();

    state = irq_save();
    uint64_t after = value_of(access);
    clear(own);
    irq_restore(state);
    if (after != before) {
        report_change(access, before, after);
    }
}

static inline void announce(uint64_t address, size_t size_bytes, bool is_write, enum mark mark,
                            uint64_t return_address)
{
    bool is_quiet = __atomic_load_n(&set_count, __ATOMIC_RELAXED) == 0;
    bool is_watchable = cpu_interrupts_enabled();
    if (size_bytes == 0 || (is_quiet && !is_watchable)) {
        return;
    }
    struct access access = {address, size_bytes, is_write, mark, return_address};
    if (!is_quiet) {
        compare_with_watchpoints(&access);
    }
    if (is_watchable && is_turn()) {
        hold_up(&access);
    }
}

#define RETURN_ADDRESS ((uint64_t)__builtin_return_address(0))

void kcsan_check(const void *address, size_t size_bytes, bool is_write)
{
    announce((uint64_t)address, size_bytes, is_write, PLAIN, RETURN_ADDRESS);
}

// --- What the compilers call --------------------------------------------------------------------

// Only generated code does, so there are no prototypes.
#define DEFINE_ACCESS(name_, size_, is_write_, mark_)                                              \
    void __tsan_##name_##size_(uint64_t address)                                                   \
    {                                                                                              \
        announce(address, size_, is_write_, mark_, RETURN_ADDRESS);                                \
    }
#define DEFINE_ACCESSES(size_)                                                                     \
    DEFINE_ACCESS(read, size_, false, PLAIN)                                                       \
    DEFINE_ACCESS(write, size_, true, PLAIN)                                                       \
    DEFINE_ACCESS(read_write, size_, true, PLAIN)                                                  \
    DEFINE_ACCESS(unaligned_read, size_, false, PLAIN)                                             \
    DEFINE_ACCESS(unaligned_write, size_, true, PLAIN)                                             \
    DEFINE_ACCESS(unaligned_read_write, size_, true, PLAIN)                                        \
    DEFINE_ACCESS(volatile_read, size_, false, VOLATILE)                                           \
    DEFINE_ACCESS(volatile_write, size_, true, VOLATILE)                                           \
    DEFINE_ACCESS(unaligned_volatile_read, size_, false, VOLATILE)                                 \
    DEFINE_ACCESS(unaligned_volatile_write, size_, true, VOLATILE)

DEFINE_ACCESSES(1)
DEFINE_ACCESSES(2)
DEFINE_ACCESSES(4)
DEFINE_ACCESSES(8)
DEFINE_ACCESSES(16)

void __tsan_read_range(uint64_t address, size_t size_bytes)
{
    announce(address, size_bytes, false, PLAIN, RETURN_ADDRESS);
}

void __tsan_write_range(uint64_t address, size_t size_bytes)
{
    announce(address, size_bytes, true, PLAIN, RETURN_ADDRESS);
}

// Constructors refer to it; nobody runs them.
void __tsan_init(void)
{
}

// The compilers leave atomic operations to us. All are of the strongest order: what x86 gives
// anyway, but for a store.
#define ANNOUNCE_ATOMIC(is_write_)                                                                 \
    announce((uint64_t)object, sizeof(*object), is_write_, ATOMIC, RETURN_ADDRESS)

#define DEFINE_EXCHANGE(bits_, type_, name_, builtin_)                                             \
    type_ __tsan_atomic##bits_##_##name_(type_ *object, type_ value, int order)                    \
    {                                                                                              \
        (void)order;                                                                               \
        ANNOUNCE_ATOMIC(true);                                                                     \
        return builtin_(object, value, __ATOMIC_SEQ_CST);                                          \
    }

#define DEFINE_COMPARE(bits_, type_, name_)                                                        \
    int __tsan_atomic##bits_##_##name_(type_ *object, type_ *expected, type_ value, int order,     \
                                       int order_if_different)                                     \
    {                                                                                              \
        (void)order, (void)order_if_different;                                                     \
        ANNOUNCE_ATOMIC(true);                                                                     \
        return __atomic_compare_exchange_n(object, expected, value, false, __ATOMIC_SEQ_CST,       \
                                           __ATOMIC_SEQ_CST);                                      \
    }

#define DEFINE_ATOMICS(bits_, type_)                                                               \
    type_ __tsan_atomic##bits_##_load(const type_ *object, int order)                              \
    {                                                                                              \
        (void)order;                                                                               \
        ANNOUNCE_ATOMIC(false);                                                                    \
        return __atomic_load_n(object, __ATOMIC_SEQ_CST);                                          \
    }                                                                                              \
    void __tsan_atomic##bits_##_store(type_ *object, type_ value, int order)                       \
    {                                                                                              \
        (void)order;                                                                               \
        ANNOUNCE_ATOMIC(true);                                                                     \
        __atomic_store_n(object, value, __ATOMIC_SEQ_CST);                                         \
    }                                                                                              \
    DEFINE_EXCHANGE(bits_, type_, exchange, __atomic_exchange_n)                                   \
    DEFINE_EXCHANGE(bits_, type_, fetch_add, __atomic_fetch_add)                                   \
    DEFINE_EXCHANGE(bits_, type_, fetch_sub, __atomic_fetch_sub)                                   \
    DEFINE_EXCHANGE(bits_, type_, fetch_and, __atomic_fetch_and)                                   \
    DEFINE_EXCHANGE(bits_, type_, fetch_or, __atomic_fetch_or)                                     \
    DEFINE_EXCHANGE(bits_, type_, fetch_xor, __atomic_fetch_xor)                                   \
    DEFINE_EXCHANGE(bits_, type_, fetch_nand, __atomic_fetch_nand)                                 \
    DEFINE_COMPARE(bits_, type_, compare_exchange_strong)                                          \
    DEFINE_COMPARE(bits_, type_, compare_exchange_weak)                                            \
    type_ __tsan_atomic##bits_##_compare_exchange_val(type_ *object, type_ expected, type_ value,  \
                                                      int order, int order_if_different)           \
    {                                                                                              \
        (void)order, (void)order_if_different;                                                     \
        ANNOUNCE_ATOMIC(true);                                                                     \
        __atomic_compare_exchange_n(object, &expected, value, false, __ATOMIC_SEQ_CST,             \
                                    __ATOMIC_SEQ_CST);                                             \
        return expected;                                                                           \
    }

DEFINE_ATOMICS(8, uint8_t)
DEFINE_ATOMICS(16, uint16_t)
DEFINE_ATOMICS(32, uint32_t)
DEFINE_ATOMICS(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
