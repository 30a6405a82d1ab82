// SPDX-License-Identifier: MIT
#include "debug/log.h"
#include "drivers/acpi/acpi.h"
#include "drivers/power.h"
#include "drivers/rtc_cmos.h"
#include "irq/irq.h"
#include "monitor/commands.h"
#include "monitor/monitor.h"
#include "time/clock.h"
#include "time/timer.h"

#define MS_PER_S 1000

void command_irqs(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    irq_dump();
}

void command_timers(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    timer_dump();
}

void command_acpi(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    acpi_dump();
}

void command_date(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    struct date_time date;
    const struct acpi_fadt *fadt = acpi_fadt();
    enum error error = rtc_read(fadt != NULL ? fadt->century_index : 0, &date);
    if (error == OK) {
        println("%u-%02u-%02u %02u:%02u:%02u", date.year, date.month, date.day, date.hour,
                date.minute, date.second);
    } else {
        println("the machine does not know the date: %s", error_name(error));
    }
    println("up for %s s",
            format_fraction((int64_t)(clock_monotonic_ns() / NS_PER_MS), MS_PER_S, 3).text);
}

void command_keys(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    println("Escape on the keyboard, or Control-C on the serial port, ends this");
    monitor_show_keys();
}

void command_reboot(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    reboot();
}

void command_off(size_t argument_count, char *const *arguments)
{
    (void)argument_count;
    (void)arguments;
    power_off();
}
