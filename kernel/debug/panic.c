// SPDX-License-Identifier: MIT
//
// A panic prints message, place, registers and a backtrace, without taking any lock, on the
// consoles as they are. A panic within it prints one line; one within that prints nothing more.
#include "debug/panic.h"

#include <stddef.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/exception.h"
#include "debug/backtrace.h"
#include "debug/log.h"
#include "sync/spinlock.h"

// A hook that panics itself is not called for ever.
#define PANIC_DEPTH_MAX 3

static panic_hook_t *hook;
static unsigned depth; // atomic

panic_hook_t *panic_set_hook(panic_hook_t *new_hook)
{
    panic_hook_t *previous = hook;
    hook = new_hook;
    return previous;
}

void panic_recovered(void)
{
    __atomic_store_n(&depth, 0, __ATOMIC_RELEASE);
}

static void write_registers(const struct writer *writer, const struct trap_frame *f, uint64_t cr2)
{
    format_write(writer, "rip %016lx  rsp %016lx  rflags %08lx  cs %02lx  ss %02lx\n", f->rip,
                 f->rsp, f->rflags, f->cs, f->ss);
    format_write(writer, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", f->rax, f->rbx, f->rcx,
                 f->rdx);
    format_write(writer, "rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", f->rsi, f->rdi, f->rbp,
                 f->r8);
    format_write(writer, "r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", f->r9, f->r10, f->r11,
                 f->r12);
    format_write(writer, "r13 %016lx  r14 %016lx  r15 %016lx\n", f->r13, f->r14, f->r15);
    format_write(writer, "cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx\n", cpu_read_cr0(), cr2,
                 cpu_read_cr3(), cpu_read_cr4());
}

static void write_report(const struct writer *writer, const struct panic_report *report)
{
    if (report->site != NULL) {
        format_write(writer, "\npanicked at %s, %s:%u in %s\n", report->message, report->site->file,
                     report->site->line, report->site->function);
    } else {
        format_write(writer, "\nEXCEPTION: %s, error code %#lx\n", report->message,
                     report->frame->error);
    }
    for (unsigned i = 0; spinlock_held(i) != NULL; i++) {
        format_write(writer, "holding lock %s\n", spinlock_held(i)->name);
    }
    write_registers(writer, report->frame, report->cr2);
    backtrace_write(writer, report->frame);
}

[[gnu::noreturn]] static void die(const struct panic_report *report)
{
    cpu_disable_interrupts();
    unsigned level = __atomic_fetch_add(&depth, 1, __ATOMIC_ACQ_REL);
    if (level == 0) {
        write_report(log_emergency_writer(), report);
    } else if (level == 1) {
        format_write(log_emergency_writer(), "\npanicked again within a panic: %s\n",
                     report->message);
    }
    if (hook != NULL && level < PANIC_DEPTH_MAX) {
        hook(report);
    }
    cpu_halt_forever();
}

void panic_at(const struct source_site *site, const char *format, ...)
{
    struct trap_frame frame;
    trap_capture(&frame);

    char message[PANIC_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    format_vbuffer(message, sizeof(message), format, arguments);
    va_end(arguments);

    struct panic_report report = {
        .message = message,
        .site = site,
        .frame = &frame,
        .cr2 = cpu_read_cr2(),
    };
    die(&report);
}

// `message` has room for PANIC_MESSAGE_MAX bytes.
static struct panic_report trap_report(const struct trap_frame *frame, char *message)
{
    uint64_t cr2 = cpu_read_cr2();
    exception_describe(message, PANIC_MESSAGE_MAX, (uint8_t)frame->vector, frame->error, cr2);
    return (struct panic_report){.message = message, .frame = frame, .cr2 = cr2};
}

void panic_report_trap(const struct writer *writer, const struct trap_frame *frame)
{
    char message[PANIC_MESSAGE_MAX];
    struct panic_report report = trap_report(frame, message);
    write_report(writer, &report);
}

static void on_unhandled_trap(struct trap_frame *frame)
{
    char message[PANIC_MESSAGE_MAX];
    struct panic_report report = trap_report(frame, message);
    die(&report);
}

void panic_init(void)
{
    trap_set_unhandled(on_unhandled_trap);
}

bool panic_is_active(void)
{
    return __atomic_load_n(&depth, __ATOMIC_ACQUIRE) != 0;
}
