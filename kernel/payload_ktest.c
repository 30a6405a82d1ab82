// SPDX-License-Identifier: MIT
//
// The kernel under test: ktest's port layer, and then the tests. COM2 is the protocol port. With
// the boot argument `monitor` it is a prompt that comes instead, which can run tests too.
#include "payload.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/exception.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/stack.h"
#include "arch/x86_64/trap.h"
#include "boot/arguments.h"
#include "boot/machine_boot_info.h"
#include "debug/backtrace.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "debug/symbols.h"
#include "drivers/nmi_timer.h"
#include "drivers/uart_16550.h"
#include "irq/irq.h"
#include "ktest_invariants.h"
#include "lib/kcsan.h"
#include "lib/string.h"
#include "mm/allocation_hook.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "mm/kernel_space.h"
#include "monitor/command.h"
#include "monitor/monitor.h"
#include "port.h"
#include "sync/spinlock.h"

// QEMU's isa-debug-exit, as the harness configures it: exit status = value * 2 + 1.
#define DEBUG_EXIT_PORT 0xf4

#define STATE_REGISTERS 18
static const uint8_t cli_hlt[] = {0xfa, 0xf4};
#define CONSOLE_BYTES 512
#define HEAP_BYTES (1U << 20)

static struct uart com2;
static const char *prompt_selection; // the tests that the prompt runs; NULL: it runs none
static trap_handler_t *unhandled_before;

[[gnu::section(".bss.boot_stacks.test")]] static struct guarded_stack test_stack;

void ktest_port_write(const char *bytes, size_t size_bytes)
{
    uart_send(&com2, bytes, size_bytes);
    // The test may take the machine down: what is in the FIFO by then would never be sent.
    if (size_bytes > 0 && bytes[size_bytes - 1] == '\n') {
        uart_flush(&com2);
    }
}

bool ktest_port_try_read(char *byte_out)
{
    uint8_t byte;
    if (!uart_try_receive(&com2, &byte)) {
        return false;
    }
    *byte_out = (char)byte;
    return true;
}

void ktest_port_exit(enum ktest_exit value)
{
    uart_flush(&com2);
    port_write32(DEBUG_EXIT_PORT, value);
    cpu_halt_forever(); // the device may be missing, or take its time
}

const char *ktest_port_argument(const char *key)
{
    bool is_overruled = prompt_selection != NULL && strcmp(key, "ktest.select") == 0;
    return is_overruled ? prompt_selection : argument(key);
}

uint64_t ktest_port_cycles(void)
{
    return cpu_read_tsc();
}

// An ELF note: sizes of name and content, type, "GNU\0", content.
size_t ktest_port_build_id(const uint8_t **bytes_out)
{
    uint32_t header[3];
    if (build_id_end - build_id_start < (ptrdiff_t)sizeof(header)) {
        return 0;
    }
    memcpy(header, build_id_start, sizeof(header));
    *bytes_out = (const uint8_t *)build_id_start + sizeof(header) + ALIGN_UP(header[0], 4);
    return header[1];
}

size_t ktest_port_stack(void **start_out)
{
    *start_out = test_stack.body;
    return sizeof(test_stack.body);
}

void ktest_port_mark(struct ktest_mark *mark_out)
{
    mark_out->words[0] = spinlock_held_count();
    mark_out->words[1] = frame_mark();
    mark_out->words[2] = kernel_space_page_count();
    mark_out->words[3] = heap_mark();
}

static void recover_frames(uint32_t mark, struct text_buffer *released)
{
    struct frame_owner owner;
    uint32_t cursor = 0;
    if (!frame_next(mark, &cursor, &owner)) {
        return;
    }
    text_append(released, "%s", released->used_bytes != 0 ? ", " : "");
    append_frames_since(released, mark);
    frame_reclaim(mark);
}

static void recover_heap(uint64_t mark, struct text_buffer *released)
{
    struct heap_owner owner;
    uint64_t cursor = 0;
    if (heap_next(mark, &cursor, &owner)) {
        text_append(released, "%s", released->used_bytes != 0 ? ", " : "");
        append_blocks_since(released, mark);
        heap_reclaim(mark);
    }
}

void ktest_port_recover(const struct ktest_mark *mark, struct ktest_recovery *recovery_out)
{
    unsigned keep_count = (unsigned)mark->words[0];
    struct text_buffer released = {recovery_out->released, sizeof(recovery_out->released), 0};
    const struct spinlock *lock = NULL;
    for (unsigned i = keep_count; (lock = spinlock_held(i)) != NULL; i++) {
        text_append(&released, "%slock %s, taken in %s at %#lx", i > keep_count ? ", " : "",
                    lock->name, symbol_caller(lock->taken_at), lock->taken_at);
        if (spinlock_guards_state(lock)) {
            recovery_out->distrust = "the holder of a lock died in the middle of a change";
        }
    }
    spinlock_abandon(keep_count);
    irq_abandon();
    kcsan_abandon();
    if (kernel_space_page_count() != mark->words[2]) {
        recovery_out->distrust = "pages that a dead test has mapped are left";
    }
    if (recovery_out->distrust == NULL) { // who was in the allocator may have left it half-changed
        recover_heap(mark->words[3], &released);
        recover_frames((uint32_t)mark->words[1], &released);
    }
    panic_recovered();
}

const struct ktest_invariant *const *ktest_port_invariants(void)
{
    return kernel_invariants;
}

// Code is read-only, and its alias in the direct map too: with WP clear the CPU writes
// nevertheless.
void ktest_port_write_code(void *code, const void *bytes, size_t size_bytes)
{
    irq_state_t state = irq_save();
    uint64_t cr0 = cpu_read_cr0();
    cpu_write_cr0(cr0 & ~CR0_WP);
    memcpy(code, bytes, size_bytes);
    cpu_write_cr0(cr0);
    irq_restore(state);
}

struct state_storage {
    struct ktest_register registers[STATE_REGISTERS];
    uint64_t backtrace[KTEST_BACKTRACE_MAX];
};

struct ktest_machine_state ktest_port_inspect(const void *frame)
{
    static struct state_storage storage; // too large for a small exception stack
    const struct trap_frame *f = frame;
    const struct ktest_register registers[STATE_REGISTERS] = {
        {"rax", f->rax},         {"rbx", f->rbx},         {"rcx", f->rcx}, {"rdx", f->rdx},
        {"rsi", f->rsi},         {"rdi", f->rdi},         {"rbp", f->rbp}, {"r8", f->r8},
        {"r9", f->r9},           {"r10", f->r10},         {"r11", f->r11}, {"r12", f->r12},
        {"r13", f->r13},         {"r14", f->r14},         {"r15", f->r15}, {"cr0", cpu_read_cr0()},
        {"cr3", cpu_read_cr3()}, {"cr4", cpu_read_cr4()},
    };
    memcpy(storage.registers, registers, sizeof(registers));
    return (struct ktest_machine_state){
        .registers = storage.registers,
        .register_count = STATE_REGISTERS,
        .backtrace = storage.backtrace,
        .backtrace_count = backtrace_walk(f, storage.backtrace, KTEST_BACKTRACE_MAX),
    };
}

void ktest_port_describe(const struct ktest_fault *fault, char *text_out, size_t size_bytes)
{
    exception_describe(text_out, size_bytes, (uint8_t)fault->vector, fault->error, fault->address);
}

bool ktest_port_awaits(char *text_out, size_t size_bytes)
{
    const struct spinlock *lock = spinlock_awaited();
    if (lock == NULL) {
        return false;
    }
    format_buffer(text_out, size_bytes, "lock %s, taken in %s at %#lx", lock->name,
                  symbol_caller(lock->taken_at), lock->taken_at);
    return true;
}

// --- The console --------------------------------------------------------------------------------

// The end of what was printed since it was last asked for, in a ring.
static struct {
    char bytes[CONSOLE_BYTES];
    size_t count; // of all that came
} overheard;

static void overhear(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    if (panic_is_active()) { // what it prints is reported in another way
        return;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        overheard.bytes[overheard.count++ % CONSOLE_BYTES] = bytes[i];
    }
}

static const struct writer eavesdropper = {.write = overhear};

size_t ktest_port_console(char *text_out, size_t size_bytes)
{
    size_t count = overheard.count < CONSOLE_BYTES ? overheard.count : CONSOLE_BYTES;
    count = count < size_bytes ? count : size_bytes;
    for (size_t i = 0; i < count; i++) {
        text_out[i] = overheard.bytes[(overheard.count - count + i) % CONSOLE_BYTES];
    }
    overheard.count = 0;
    return count;
}

// --- Allocations that fail ----------------------------------------------------------------------

static uint64_t allocation_count;
static uint64_t failing_allocation; // 0: none

static bool count_allocation(uint64_t site)
{
    // Interrupts allocate, too.
    uint64_t number = __atomic_add_fetch(&allocation_count, 1, __ATOMIC_RELAXED);
    if (number != failing_allocation) {
        return false;
    }
    ktest_on_allocation_failed(site);
    return true;
}

bool ktest_port_allocations_start(uint64_t nth)
{
    allocation_count = 0;
    failing_allocation = nth;
    frame_bypass_stack();
    allocation_hook = count_allocation;
    return true;
}

uint64_t ktest_port_allocations_stop(void)
{
    allocation_hook = NULL;
    frame_use_stack();
    return allocation_count;
}

// --- Traps --------------------------------------------------------------------------------------

static struct ktest_fault fault_of(const struct trap_frame *frame)
{
    return (struct ktest_fault){
        .vector = (uint32_t)frame->vector,
        .ist = trap_ist(frame),
        .error = frame->error,
        .rip = frame->rip,
        .cs = frame->cs,
        .rflags = frame->rflags,
        .rsp = frame->rsp,
        .ss = frame->ss,
        .address = cpu_read_cr2(),
        .frame = frame,
    };
}

static void on_unhandled_trap(struct trap_frame *frame)
{
    struct ktest_fault fault = fault_of(frame);
    ktest_on_fault(&fault);
    unhandled_before(frame);
}

// --- The watchdog -------------------------------------------------------------------------------

static uint64_t watchdog_left_ms;

// In steps, for the timer can't wait longer. Ticks that the machine was too slow to take are not
// made up for: what counts is how long the test had the CPU.
static void watchdog_step(void)
{
    uint64_t step_ms = watchdog_left_ms < NMI_TIMER_MAX_MS ? watchdog_left_ms : NMI_TIMER_MAX_MS;
    watchdog_left_ms -= step_ms;
    nmi_timer_start(step_ms != 0 ? (uint32_t)step_ms : 1);
}

void ktest_port_watchdog_start(uint64_t timeout_ms)
{
    watchdog_left_ms = timeout_ms;
    watchdog_step();
}

void ktest_port_watchdog_stop(void)
{
    nmi_timer_stop();
}

// With interrupts off nothing but our NMI ends a halt, and without it the test would sleep for
// ever: it goes on sleeping until its time is up. Many an instruction ends with the byte of `hlt`,
// and a halt in its place would be a hang of our own making; none here ends with those of both.
static void halt_again(struct trap_frame *frame)
{
    uint64_t start = frame->rip - sizeof(cli_hlt);
    bool is_code = start >= (uint64_t)text_start && frame->rip < (uint64_t)text_end;
    if (is_code && (frame->rflags & RFLAGS_IF) == 0 &&
        memcmp((const void *)start, cli_hlt, sizeof(cli_hlt)) == 0) {
        frame->rip = start;
    }
}

// An NMI that does not come from the timer is the harness's.
static void on_nmi(struct trap_frame *frame)
{
    if (nmi_timer_has_expired() && watchdog_left_ms != 0) {
        watchdog_step();
        halt_again(frame);
        return;
    }
    struct ktest_fault where = fault_of(frame);
    ktest_on_overdue(&where);
    watchdog_step(); // not now: once more a little later
}

static void on_panic(const struct panic_report *report)
{
    struct ktest_panic panic = {
        .message = report->message,
        .file = report->site != NULL ? report->site->file : NULL,
        .line = report->site != NULL ? report->site->line : 0,
        .function = report->site != NULL ? report->site->function : NULL,
        .frame = report->frame,
    };
    ktest_on_panic(&panic);
}

// From now on what goes wrong is a test's.
static void take_over(void)
{
    panic_set_hook(on_panic);
    trap_set_handler(VECTOR_NMI, on_nmi);
    unhandled_before = trap_set_unhandled(on_unhandled_trap);
}

static void hand_back(void)
{
    panic_set_hook(NULL);
    trap_set_handler(VECTOR_NMI, NULL);
    trap_set_unhandled(unhandled_before);
}

// Now, and not in a test, whose leak of frames it would be.
static void make_heap_grow(void)
{
    void *block = kmalloc(HEAP_BYTES);
    if (block == NULL) {
        log_warn("ktest", "the heap does not grow: tests that let it will leak frames");
    }
    kfree(block);
}

// --- The prompt ---------------------------------------------------------------------------------

static struct {
    uint64_t run_count;
    uint64_t bad_count;
    enum ktest_exit value;
} prompt;

void ktest_port_verdict(const char *name, const char *verdict, const char *reason)
{
    if (prompt_selection != NULL) {
        prompt.run_count++;
        prompt.bad_count += strcmp(verdict, "fail") == 0 || strcmp(verdict, "error") == 0;
        println("%-5s %s%s%s", verdict, name, reason[0] != 0 ? ": " : "", reason);
    }
}

static void run_at_prompt(void *glob)
{
    prompt_selection = glob;
    take_over();
    prompt.value = ktest_run_here();
    hand_back();
    prompt_selection = NULL;
}

static void command_test(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    prompt.run_count = 0;
    prompt.bad_count = 0;
    monitor_step_aside(run_at_prompt, arguments[0]);
    println("%lu tests, %lu failed", prompt.run_count, prompt.bad_count);
    if (prompt.value == KTEST_EXIT_RESTART) {
        println("a test has left the kernel so that it can't be relied on: reboot");
    }
}

static const struct command test_command = {
    .name = "test",
    .arguments = "GLOB",
    .help = "runs the tests whose names match, as 'spinlock.*'",
    .argument_min = 1,
    .argument_max = 1,
    .run = command_test,
};

// --- The run ------------------------------------------------------------------------------------

void payload_run(const struct boot_info *boot)
{
    bool is_prompt = argument("monitor") != NULL;
    machine_boot_info = boot;
    if (uart_init(&com2, UART_COM2) != OK && !is_prompt) {
        log_error("ktest", "COM2, which the verdicts go to, fails its loopback test");
        port_write32(DEBUG_EXIT_PORT, KTEST_EXIT_ERROR);
        cpu_halt_forever();
    }
    log_add_console(&eavesdropper);
    make_heap_grow();
    if (is_prompt) {
        command_add(&test_command);
        monitor_run();
    }
    take_over();
    ktest_run();
}
