// SPDX-License-Identifier: MIT
//
// The local APIC's timer as clock event: the CPU's own, with a line that only the APIC has.
#pragma once

#include "lib/error.h"
#include "time/clock_event.h"

// Measures it. After local_apic_init and clock_init have succeeded; nobody uses it meanwhile. As
// calibrate().
enum error apic_timer_init(void);

// After apic_timer_init only.
extern const struct clock_event *const apic_timer_event;
