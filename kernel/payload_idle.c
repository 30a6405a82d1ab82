// SPDX-License-Identifier: MIT
//
// The kernel without its tests: a prompt.
#include "payload.h"

#include "monitor/monitor.h"

void payload_run(const struct boot_info *boot)
{
    (void)boot;
    monitor_run();
}
