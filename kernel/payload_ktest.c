// SPDX-License-Identifier: MIT
//
// The kernel under test: ktest's port layer, and then the tests. COM2 is the protocol port.
#include "payload.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/exception.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/port.h"
#include "arch/x86_64/trap.h"
#include "boot/arguments.h"
#include "debug/backtrace.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "drivers/uart_16550.h"
#include "lib/string.h"
#include "port.h"
#include "sync/spinlock.h"

// QEMU's isa-debug-exit, as the harness configures it: exit status = value * 2 + 1.
#define DEBUG_EXIT_PORT 0xf4

#define STATE_REGISTERS 18

static struct uart com2;
static trap_handler_t *unhandled_before;

void ktest_port_write(const char *bytes, size_t size_bytes)
{
    uart_send(&com2, bytes, size_bytes);
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
    return argument(key);
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

void ktest_port_recover(void)
{
    spinlock_abandon_all();
    panic_recovered();
}

struct state_storage {
    struct ktest_register registers[STATE_REGISTERS];
    uint64_t backtrace[KTEST_BACKTRACE_MAX];
};

// Fills `storage` and points a ktest_machine_state at it.
static struct ktest_machine_state machine_state(const struct trap_frame *f,
                                                struct state_storage *storage)
{
    const struct ktest_register registers[STATE_REGISTERS] = {
        {"rax", f->rax},         {"rbx", f->rbx},         {"rcx", f->rcx}, {"rdx", f->rdx},
        {"rsi", f->rsi},         {"rdi", f->rdi},         {"rbp", f->rbp}, {"r8", f->r8},
        {"r9", f->r9},           {"r10", f->r10},         {"r11", f->r11}, {"r12", f->r12},
        {"r13", f->r13},         {"r14", f->r14},         {"r15", f->r15}, {"cr0", cpu_read_cr0()},
        {"cr3", cpu_read_cr3()}, {"cr4", cpu_read_cr4()},
    };
    memcpy(storage->registers, registers, sizeof(registers));
    return (struct ktest_machine_state){
        .registers = storage->registers,
        .register_count = STATE_REGISTERS,
        .backtrace = storage->backtrace,
        .backtrace_count = backtrace_walk(f, storage->backtrace, KTEST_BACKTRACE_MAX),
    };
}

static void on_unhandled_trap(struct trap_frame *frame)
{
    static struct state_storage storage; // too large for a small exception stack
    uint64_t cr2 = cpu_read_cr2();
    char words[PANIC_MESSAGE_MAX];
    exception_describe(words, sizeof(words), (uint8_t)frame->vector, frame->error, cr2);
    struct ktest_fault fault = {
        .vector = (uint32_t)frame->vector,
        .ist = trap_ist(frame),
        .error = frame->error,
        .rip = frame->rip,
        .cs = frame->cs,
        .rflags = frame->rflags,
        .rsp = frame->rsp,
        .ss = frame->ss,
        .address = cr2,
        .words = words,
        .state = machine_state(frame, &storage),
    };
    ktest_on_fault(&fault);
    unhandled_before(frame);
}

static void on_panic(const struct panic_report *report)
{
    static struct state_storage storage;
    struct ktest_panic panic = {
        .message = report->message,
        .file = report->site != NULL ? report->site->file : NULL,
        .line = report->site != NULL ? report->site->line : 0,
        .function = report->site != NULL ? report->site->function : NULL,
        .state = machine_state(report->frame, &storage),
    };
    ktest_on_panic(&panic);
}

void payload_run(void)
{
    if (uart_init(&com2, UART_COM2) != OK) {
        log_error("ktest", "COM2, which the verdicts go to, fails its loopback test");
        port_write32(DEBUG_EXIT_PORT, KTEST_EXIT_ERROR);
        cpu_halt_forever();
    }
    panic_set_hook(on_panic);
    unhandled_before = trap_set_unhandled(on_unhandled_trap);
    ktest_run();
}
