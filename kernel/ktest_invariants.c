// SPDX-License-Identifier: MIT
//
// The state of the CPU and of the kernel's tables before a test, and the same after it. Everything
// is put back, so that one test's leftovers are not the next one's trouble.
#include "ktest_invariants.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/gdt.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/trap.h"
#include "debug/symbols.h"
#include "drivers/pic_8259.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "mm/kernel_space.h"
#include "sync/spinlock.h"
#include "time/timer.h"

// --- Registers ----------------------------------------------------------------------------------

#define RFLAGS_IOPL GENMASK(13, 12)
#define RFLAGS_NT BIT(14)
#define RFLAGS_KEPT (RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC)

#define SEGMENT_ACCESSORS(name_)                                                                   \
    static uint64_t read_##name_(void)                                                             \
    {                                                                                              \
        uint16_t value;                                                                            \
        __asm__ volatile("mov %%" #name_ ", %0" : "=r"(value));                                    \
        return value;                                                                              \
    }                                                                                              \
    static void write_##name_(uint64_t value)                                                      \
    {                                                                                              \
        __asm__ volatile("movl %k0, %%" #name_ : : "r"(value));                                    \
    }

SEGMENT_ACCESSORS(ss)
SEGMENT_ACCESSORS(ds)
SEGMENT_ACCESSORS(es)
SEGMENT_ACCESSORS(fs)
SEGMENT_ACCESSORS(gs)

static uint64_t read_task(void)
{
    uint16_t value;
    __asm__ volatile("str %0" : "=r"(value));
    return value;
}

static uint64_t read_rflags(void)
{
    return cpu_read_rflags() & RFLAGS_KEPT;
}

static void write_rflags(uint64_t value)
{
    cpu_write_rflags((cpu_read_rflags() & ~RFLAGS_KEPT) | value);
}

static uint64_t read_efer(void)
{
    return msr_read(MSR_EFER);
}

static void write_efer(uint64_t value)
{
    msr_write(MSR_EFER, value);
}

static uint64_t read_fs_base(void)
{
    return msr_read(MSR_FS_BASE);
}

static void write_fs_base(uint64_t value)
{
    msr_write(MSR_FS_BASE, value);
}

static uint64_t read_gs_base(void)
{
    return msr_read(MSR_GS_BASE);
}

static void write_gs_base(uint64_t value)
{
    msr_write(MSR_GS_BASE, value);
}

struct watched_register {
    const char *name;
    uint64_t (*read)(void);
    void (*write)(uint64_t value); // NULL: it can't be put back
};

// Selectors before the bases that loading them changes.
static const struct watched_register registers[] = {
    {"RFLAGS", read_rflags, write_rflags},
    {"CR4", cpu_read_cr4, cpu_write_cr4},
    {"CR0", cpu_read_cr0, cpu_write_cr0},
    {"CR3", cpu_read_cr3, cpu_write_cr3},
    {"EFER", read_efer, write_efer},
    {"DR7", cpu_read_dr7, cpu_write_dr7},
    {"TR", read_task, NULL},
    {"SS", read_ss, write_ss},
    {"DS", read_ds, write_ds},
    {"ES", read_es, write_es},
    {"FS", read_fs, write_fs},
    {"GS", read_gs, write_gs},
    {"FS base", read_fs_base, write_fs_base},
    {"GS base", read_gs_base, write_gs_base},
};

static uint64_t register_values[ARRAY_SIZE(registers)];

static void save_registers(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        register_values[i] = registers[i].read();
    }
}

static enum ktest_invariant_state check_registers(char *difference_out, size_t size_bytes)
{
    enum ktest_invariant_state state = KTEST_INTACT;
    struct text_buffer difference = {difference_out, size_bytes, 0};
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        uint64_t value = registers[i].read();
        if (value == register_values[i]) {
            continue;
        }
        text_append(&difference, "%s%s is %#lx, was %#lx", state != KTEST_INTACT ? ", " : "",
                    registers[i].name, value, register_values[i]);
        if (registers[i].read == read_rflags && ((value ^ register_values[i]) & RFLAGS_IF) != 0) {
            text_append(&difference, ": interrupts are %s",
                        (value & RFLAGS_IF) != 0 ? "on" : "off");
        }
        if (registers[i].write == NULL) {
            state = KTEST_DAMAGED;
            continue;
        }
        registers[i].write(register_values[i]);
        state = state == KTEST_DAMAGED ? state : KTEST_RESTORED;
    }
    return state;
}

static const struct ktest_invariant cpu_registers = {
    .name = "registers",
    .save = save_registers,
    .check = check_registers,
};

// --- Tables -------------------------------------------------------------------------------------

// A copy of `live`, and which of its elements are no longer like it.
struct watched_table {
    const char *element; // "gate"
    void *live;
    void *saved;
    size_t size_bytes;
    size_t element_bytes;
};

static void save_table(const struct watched_table *table)
{
    memcpy(table->saved, table->live, table->size_bytes);
}

static enum ktest_invariant_state check_table(const struct watched_table *table,
                                              char *difference_out, size_t size_bytes)
{
    if (memcmp(table->live, table->saved, table->size_bytes) == 0) {
        return KTEST_INTACT;
    }
    const uint8_t *live = table->live;
    const uint8_t *saved = table->saved;
    struct text_buffer difference = {difference_out, size_bytes, 0};
    for (size_t at = 0; at < table->size_bytes; at += table->element_bytes) {
        if (memcmp(&live[at], &saved[at], table->element_bytes) != 0) {
            text_append(&difference, "%s%s %zu", difference.used_bytes != 0 ? ", " : "",
                        table->element, at / table->element_bytes);
        }
    }
    text_append(&difference, " changed");
    memcpy(table->live, table->saved, table->size_bytes);
    return KTEST_RESTORED;
}

static struct idt saved_gates;
static const struct idt *saved_idt;

static struct watched_table idt_table(void)
{
    return (struct watched_table){"gate", idt_current(), &saved_gates, sizeof(saved_gates),
                                  sizeof(saved_gates.gates[0])};
}

static void save_idt(void)
{
    struct watched_table table = idt_table();
    save_table(&table);
    saved_idt = idt_loaded();
}

static enum ktest_invariant_state check_idt(char *difference_out, size_t size_bytes)
{
    const struct idt *loaded = idt_loaded();
    if (loaded != saved_idt) {
        format_buffer(difference_out, size_bytes, "another table is loaded, at %#lx",
                      (uint64_t)loaded);
        idt_load(saved_idt);
        return KTEST_RESTORED;
    }
    struct watched_table table = idt_table();
    return check_table(&table, difference_out, size_bytes);
}

static const struct ktest_invariant idt_gates = {
    .name = "IDT",
    .save = save_idt,
    .check = check_idt,
};

static struct gdt saved_descriptors;
static struct table_pointer saved_gdt;

static struct watched_table gdt_table(void)
{
    return (struct watched_table){"descriptor", gdt_current(), &saved_descriptors,
                                  sizeof(saved_descriptors), sizeof(uint64_t)};
}

static void save_gdt(void)
{
    struct watched_table table = gdt_table();
    save_table(&table);
    saved_gdt = gdt_loaded();
}

static enum ktest_invariant_state check_gdt(char *difference_out, size_t size_bytes)
{
    struct table_pointer loaded = gdt_loaded();
    if (loaded.base != saved_gdt.base || loaded.limit != saved_gdt.limit) {
        format_buffer(difference_out, size_bytes, "another table is loaded, at %#lx limit %#x",
                      loaded.base, loaded.limit);
        gdt_load(saved_gdt);
        return KTEST_RESTORED;
    }
    struct watched_table table = gdt_table();
    return check_table(&table, difference_out, size_bytes);
}

static const struct ktest_invariant gdt_descriptors = {
    .name = "GDT",
    .save = save_gdt,
    .check = check_gdt,
};

static struct tss saved_tss;

static struct watched_table tss_table(void)
{
    return (struct watched_table){"32-bit word", gdt_tss(), &saved_tss, sizeof(saved_tss),
                                  sizeof(uint32_t)};
}

static void save_tss(void)
{
    struct watched_table table = tss_table();
    save_table(&table);
}

static enum ktest_invariant_state check_tss(char *difference_out, size_t size_bytes)
{
    struct watched_table table = tss_table();
    return check_table(&table, difference_out, size_bytes);
}

static const struct ktest_invariant tss_fields = {
    .name = "TSS",
    .save = save_tss,
    .check = check_tss,
};

static struct trap_handlers saved_handlers;

static struct watched_table handler_table(void)
{
    return (struct watched_table){"handler", trap_handlers(), &saved_handlers,
                                  sizeof(saved_handlers), sizeof(trap_handler_t *)};
}

static void save_handlers(void)
{
    struct watched_table table = handler_table();
    save_table(&table);
}

static enum ktest_invariant_state check_handlers(char *difference_out, size_t size_bytes)
{
    struct watched_table table = handler_table();
    return check_table(&table, difference_out, size_bytes);
}

static const struct ktest_invariant trap_handler_table = {
    .name = "trap handlers",
    .save = save_handlers,
    .check = check_handlers,
};

// --- Interrupt lines and locks ------------------------------------------------------------------

static uint16_t saved_masks;

// What an earlier test has left on its way to the CPU comes now, and is not the next one's.
static void take_pending_interrupts(void)
{
    bool are_on = cpu_interrupts_enabled();
    cpu_enable_interrupts();
    for (int i = 0; i < 4; i++) {
        cpu_relax();
    }
    if (!are_on) {
        cpu_disable_interrupts();
    }
}

static void save_masks(void)
{
    take_pending_interrupts();
    saved_masks = pic_read_masks();
}

static enum ktest_invariant_state check_masks(char *difference_out, size_t size_bytes)
{
    uint16_t masks = pic_read_masks();
    if (masks == saved_masks) {
        return KTEST_INTACT;
    }
    format_buffer(difference_out, size_bytes, "masks are %#x, were %#x", masks, saved_masks);
    pic_write_masks(saved_masks);
    return KTEST_RESTORED;
}

static const struct ktest_invariant irq_masks = {
    .name = "interrupt lines",
    .save = save_masks,
    .check = check_masks,
};

static unsigned saved_held_count;

static void save_locks(void)
{
    saved_held_count = spinlock_held_count();
}

static enum ktest_invariant_state check_locks(char *difference_out, size_t size_bytes)
{
    unsigned held_count = spinlock_held_count();
    if (held_count == saved_held_count) {
        return KTEST_INTACT;
    }
    struct text_buffer difference = {difference_out, size_bytes, 0};
    text_append(&difference, "%u held, were %u:", held_count, saved_held_count);
    for (unsigned i = saved_held_count; i < held_count; i++) {
        const struct spinlock *lock = spinlock_held(i);
        text_append(&difference, "%s %s, taken in %s at %#lx", i > saved_held_count ? "," : "",
                    lock->name, symbol_caller(lock->taken_at), lock->taken_at);
    }
    spinlock_abandon(saved_held_count);
    return held_count > saved_held_count ? KTEST_RESTORED : KTEST_DAMAGED;
}

static const struct ktest_invariant held_locks = {
    .name = "locks",
    .save = save_locks,
    .check = check_locks,
};

// --- Timers -------------------------------------------------------------------------------------

static size_t saved_timer_count;

static void save_timers(void)
{
    saved_timer_count = timer_statistics_read().queued_count;
}

// A test's timers are gone with its stack: whether those that are left are the kernel's nobody
// knows.
static enum ktest_invariant_state check_timers(char *difference_out, size_t size_bytes)
{
    size_t count = timer_statistics_read().queued_count;
    if (count == saved_timer_count) {
        return KTEST_INTACT;
    }
    format_buffer(difference_out, size_bytes, "%zu queued, were %zu", count, saved_timer_count);
    timer_abandon();
    return saved_timer_count == 0 ? KTEST_RESTORED : KTEST_DAMAGED;
}

static const struct ktest_invariant queued_timers = {
    .name = "timers",
    .save = save_timers,
    .check = check_timers,
};

// --- Who has taken what --------------------------------------------------------------------------

// What was taken at the same place in the code.
struct site {
    uint64_t site;
    uint64_t count;
    uint64_t first; // its address
    uint64_t size;  // of that
};

#define SITES_MAX 4 // as many as a text has room for

// The next that was taken since `mark`, as one; false if there is none left.
typedef bool next_t(uint64_t mark, uint64_t *cursor, struct site *one_out);

static size_t collect_sites(next_t *next, uint64_t mark, struct site *sites_out)
{
    struct site one;
    uint64_t cursor = 0;
    size_t count = 0;
    while (next(mark, &cursor, &one)) {
        size_t i = 0;
        while (i < count && sites_out[i].site != one.site) {
            i++;
        }
        if (i == SITES_MAX) {
            continue;
        }
        if (i == count) {
            sites_out[count++] = one;
        } else {
            sites_out[i].count++;
        }
    }
    return count;
}

typedef void append_t(struct text_buffer *text, const struct site *site);

// Whoever has taken most comes first.
static void append_sites(struct text_buffer *text, next_t *next, uint64_t mark, append_t *append)
{
    struct site sites[SITES_MAX];
    size_t count = collect_sites(next, mark, sites);
    for (size_t done = 0; done < count; done++) {
        struct site *most = sites;
        for (size_t i = 1; i < count; i++) {
            most = sites[i].count > most->count ? &sites[i] : most;
        }
        text_append(text, "%s", done > 0 ? ", " : "");
        if (most->count > 1) {
            text_append(text, "%lu times ", most->count);
        }
        append(text, most);
        text_append(text, ", taken in %s at %#lx", symbol_caller(most->site), most->site);
        most->count = 0;
    }
}

// --- The heap ------------------------------------------------------------------------------------

static uint64_t heap_mark_before;

static void save_heap(void)
{
    heap_mark_before = heap_mark();
}

static bool next_block(uint64_t mark, uint64_t *cursor, struct site *one_out)
{
    struct heap_owner owner;
    bool is_there = heap_next(mark, cursor, &owner);
    *one_out = is_there ? (struct site){owner.site, 1, (uint64_t)owner.block, owner.size_bytes}
                        : (struct site){};
    return is_there;
}

static void append_block(struct text_buffer *text, const struct site *site)
{
    text_append(text, "a block of %lu bytes at %#lx", site->size, site->first);
}

void append_blocks_since(struct text_buffer *text, uint64_t mark)
{
    append_sites(text, next_block, mark, append_block);
}

// What has been written beside the test's blocks, or to those that it has freed, is its fault; whom
// else it has hurt nobody knows.
static enum ktest_invariant_state check_heap(char *difference_out, size_t size_bytes)
{
    if (!heap_is_sound(difference_out, size_bytes)) {
        return KTEST_DAMAGED;
    }
    struct text_buffer difference = {difference_out, size_bytes, 0};
    append_blocks_since(&difference, heap_mark_before);
    return heap_reclaim(heap_mark_before) != 0 ? KTEST_RESTORED : KTEST_INTACT;
}

static const struct ktest_invariant heap_blocks = {
    .name = "heap",
    .save = save_heap,
    .check = check_heap,
};

// --- Frames, and what is mapped -----------------------------------------------------------------

static uint32_t frames_mark;
static uint64_t frames_taken_before;
static uint64_t pages_mapped_before;

static void save_frames(void)
{
    frames_mark = frame_mark();
    frames_taken_before = frame_taken_count();
    pages_mapped_before = kernel_space_page_count();
}

static bool append_mappings(struct text_buffer *text)
{
    uint64_t page_count = kernel_space_page_count();
    bool is_more = page_count > pages_mapped_before;
    if (page_count != pages_mapped_before) {
        text_append(text, "%lu pages %s mapped",
                    is_more ? page_count - pages_mapped_before : pages_mapped_before - page_count,
                    is_more ? "more" : "fewer");
    }
    return page_count != pages_mapped_before;
}

static bool next_frame(uint64_t mark, uint64_t *cursor, struct site *one_out)
{
    struct frame_owner owner;
    uint32_t next = (uint32_t)*cursor;
    bool is_there = frame_next((uint32_t)mark, &next, &owner);
    *cursor = next;
    *one_out = is_there ? (struct site){owner.site, 1, owner.frame.value, owner.order}
                        : (struct site){};
    return is_there;
}

static void append_frame(struct text_buffer *text, const struct site *site)
{
    text_append(text, "frame %#lx (order %lu)", site->first, site->size);
}

void append_frames_since(struct text_buffer *text, uint32_t mark)
{
    append_sites(text, next_frame, mark, append_frame);
}

// What the test has taken goes back, but not what it has mapped: it is in use, and nobody knows any
// more where. What it has given back without having taken it may be in use as well.
static enum ktest_invariant_state check_frames(char *difference_out, size_t size_bytes)
{
    struct text_buffer difference = {difference_out, size_bytes, 0};
    bool is_mapped = append_mappings(&difference);
    text_append(&difference, "%s", is_mapped ? ": " : "");
    append_frames_since(&difference, frames_mark);
    if (is_mapped) {
        return KTEST_DAMAGED;
    }
    uint64_t leaked = frame_reclaim(frames_mark);
    uint64_t missing = frames_taken_before - frame_taken_count();
    if (missing != 0) {
        text_append(&difference, "%s%lu frames were freed that the test had not taken",
                    leaked != 0 ? ", " : "", missing);
        return KTEST_DAMAGED;
    }
    return leaked != 0 ? KTEST_RESTORED : KTEST_INTACT;
}

static const struct ktest_invariant taken_frames = {
    .name = "frames",
    .save = save_frames,
    .check = check_frames,
};

const struct ktest_invariant *const kernel_invariants[] = {
    &gdt_descriptors,    &tss_fields,    &cpu_registers, &idt_gates,
    &trap_handler_table, &queued_timers, &irq_masks,     &held_locks,
    &heap_blocks,        &taken_frames,  NULL,
};
