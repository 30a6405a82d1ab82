// SPDX-License-Identifier: MIT
//
// The boot order. entry.asm calls kernel_main on the boot stack, in long mode, with the kernel's
// final page permissions, interrupts off, and neither the identity map nor the null page mapped.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/gdt.h"
#include "arch/x86_64/idt.h"
#include "arch/x86_64/layout.h"
#include "boot/arguments.h"
#include "boot/boot_info.h"
#include "boot/early_console.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "drivers/acpi/acpi.h"
#include "drivers/apic.h"
#include "drivers/apic_timer.h"
#include "drivers/console.h"
#include "drivers/hpet.h"
#include "drivers/local_apic.h"
#include "drivers/pic_8259.h"
#include "drivers/pit_8254.h"
#include "drivers/power.h"
#include "drivers/rtc_cmos.h"
#include "irq/irq.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/frame.h"
#include "mm/heap/heap.h"
#include "mm/kernel_space.h"
#include "mm/memory_map.h"
#include "payload.h"
#include "time/clock.h"
#include "time/timer.h"

// entry.asm's only call.
[[gnu::noreturn]] void kernel_main(uint32_t protocol, phys_addr_t information);

// Video memory, the firmware's tables and its scratch memory, which few maps tell of in full.
#define FIRST_MIB_SIZE_BYTES (1 << 20)

static struct boot_info boot_info;
static struct memory_map memory_map;

// The loader is an outsider: what it got wrong is reported, not asserted.
static void require(enum error error, const char *what)
{
    if (error != OK) {
        log_error("boot", "%s: %s", what, error_name(error));
        cpu_halt_forever();
    }
}

static void boot_info_init(uint32_t protocol, phys_addr_t information)
{
    require(boot_info_read(&boot_info, protocol, information), "the loader's information");
}

static void boot_arguments_init(void)
{
    require(arguments_init(boot_info.command_line), "the boot arguments");
}

static void memory_map_init(void)
{
    uint64_t start = (uint64_t)boot_start_phys;
    uint64_t size_bytes = (uint64_t)kernel_end_phys - start;
    require(boot_info_reserve(&boot_info, 0, FIRST_MIB_SIZE_BYTES, MEMORY_RESERVED),
            "the first MiB");
    require(boot_info_reserve(&boot_info, start, size_bytes, MEMORY_KERNEL), "the kernel's image");
    require(memory_map_make(&memory_map, boot_info.regions, boot_info.region_count),
            "the memory map");
    for (size_t i = 0; i < memory_map.area_count; i++) {
        const struct memory_region *area = &memory_map.areas[i];
        log_debug("mm", "area 0x%013lx to 0x%013lx %s", area->range.start.value,
                  area->range.end.value, memory_type_name(area->type));
    }
}

static void memory_init(void)
{
    require(direct_map_init(&memory_map), "the direct map");
}

static void frames_init(void)
{
    require(frame_init(&memory_map), "the frame allocator");
}

static void page_tables_init(void)
{
    require(kernel_space_init(&kernel_frames), "the kernel's address space");
}

static void heap_start(void)
{
    require(heap_init(), "the heap");
}

// The APICs, if the machine has them, the firmware tells where, and nobody wants the 8259s.
static bool uses_apic(void)
{
    const char *wish = argument("irq");
    if (wish != NULL && strcmp(wish, "pic") != 0 && strcmp(wish, "apic") != 0) {
        log_warn("boot", "irq=%s: neither pic nor apic", wish);
        wish = NULL;
    }
    enum error error = local_apic_init();
    if (error == OK && (wish == NULL || strcmp(wish, "apic") == 0)) {
        error = acpi_madt() != NULL ? apic_init(acpi_madt()) : ENODEV;
        if (error == OK) {
            return true;
        }
    }
    if (error != OK && wish != NULL) {
        log_warn("boot", "irq=%s: %s", wish, error_name(error));
    }
    return false;
}

static void interrupts_init(void)
{
    irq_init(uses_apic() ? &apic_chip : &pic_chip);
    log_info("irq", "lines by the %s", irq_chip()->name);
}

// Without a screen there is still the serial port.
static void screen_init(void)
{
    enum error error = console_init_screen(&boot_info.framebuffer);
    if (error != OK) {
        log_debug("boot", "no screen: %s", error_name(error));
    }
}

static bool is_wished(const char *wish, const char *name)
{
    return wish == NULL || strcmp(wish, name) == 0;
}

// The device that wakes timers: the CPU's own if it has one, or what the boot argument says. The
// HPET takes the interval timer's line while it is set, so it is for those who ask for it.
static const struct clock_event *clock_event_init(void)
{
    const char *wish = argument("timer");
    if (is_wished(wish, "apic") && irq_chip()->has_line(IRQ_LOCAL_TIMER) &&
        apic_timer_init() == OK) {
        return apic_timer_event;
    }
    if (wish != NULL && strcmp(wish, "hpet") == 0 && acpi_hpet() != NULL &&
        hpet_init(*acpi_hpet()) == OK) {
        return hpet_event;
    }
    if (!is_wished(wish, "pit")) {
        log_warn("boot", "timer=%s: not one of apic, hpet and pit, or not in this machine", wish);
    }
    return &pit_event;
}

// Without a clock the kernel goes on, but nothing in it can wait. What differs from boot to boot is
// for those who ask for it: log=debug.
static void time_init(void)
{
    pit_init();
    enum error error = clock_init(&pit_reference);
    if (error != OK) {
        log_error("time", "no clock: %s", error_name(error));
        return;
    }
    const struct clock_event *event = clock_event_init();
    require(timer_use(event, IRQ_PLAIN), "the timers");
    log_debug("time", "clock of %lu Hz%s, timers by %s", clock_hz(),
              clock_is_steady() ? "" : " (the CPU does not call it steady)", event->name);
}

static void log_date(void)
{
    struct date_time date;
    const struct acpi_fadt *fadt = acpi_fadt();
    enum error error = rtc_read(fadt != NULL ? fadt->century_index : 0, &date);
    if (error != OK) {
        log_warn("time", "no date: %s", error_name(error));
        return;
    }
    log_debug("time", "%u-%02u-%02u %02u:%02u:%02u", date.year, date.month, date.day, date.hour,
              date.minute, date.second);
}

static void log_level_init(void)
{
    enum log_level level = LOG_INFO;
    const char *text = argument("log");
    if (text != NULL && !log_level_parse(text, &level)) {
        log_warn("boot", "log=%s: not one of error, warn, info, debug", text);
    }
    log_set_level(level);
}

static void log_boot_info(void)
{
    log_info("boot", "started by %s, %zu memory regions, usable up to %#lx", boot_info.loader_name,
             boot_info.region_count, boot_info_usable_end(&boot_info).value);
    for (size_t i = 0; i < boot_info.region_count; i++) {
        const struct memory_region *region = &boot_info.regions[i];
        log_debug("boot", "memory 0x%013lx to 0x%013lx %s", region->range.start.value,
                  region->range.end.value, memory_type_name(region->type));
    }
}

void kernel_main(uint32_t protocol, phys_addr_t information)
{
    assert((uint64_t)__builtin_frame_address(0) % 16 == 0);

    early_console_init();                  // something to be heard with, before all else
    gdt_init();                            // segments, and the stacks for the worst faults
    idt_init();                            // a gate for every vector
    panic_init();                          // unhandled exceptions are reported
    cpu_init();                            // SMEP, SMAP, UMIP, machine checks; no x87, no SSE
    pic_init();                            // away from the exceptions' vectors, and masked
    console_init_serial();                 // COM1 by its driver
    boot_info_init(protocol, information); // what the loader said, copied
    boot_arguments_init();                 // from its command line and from QEMU
    log_level_init();                      // log=debug and the like
    log_boot_info();                       // who started us, and with which memory
    memory_map_init();                     // its areas, without what is in use already
    memory_init();                         // the direct map above 4 GiB
    frames_init();                         // all that is usable, to be taken and given back
    page_tables_init();                    // those that there are, and more from here on
    heap_start();                          // blocks of any size
    screen_init();                         // the framebuffer or the VGA, by its driver
    acpi_init(&boot_info);                 // the firmware's tables, copied
    power_init();                          // the way to switch off and to restart
    interrupts_init();                     // a handler for each line; none is open yet
    time_init();                           // the clock, and the device that wakes timers
    log_date();                            // by the clock that runs without us
    assert(!cpu_interrupts_enabled());
    payload_run(&boot_info); // the tests, or the idle kernel
}
