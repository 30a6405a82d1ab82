// SPDX-License-Identifier: MIT
//
// The high precision event timer: a counter that counts for ever, and comparators. Its first one
// takes the place of the interval timer on line 0, which that one gets back when it is stopped: so
// it is for all interrupt controllers alike. Source: IA-PC HPET specification 1.0a.
#pragma once

#include "lib/addr.h"
#include "lib/error.h"
#include "time/calibration.h"
#include "time/clock_event.h"

// Maps it and lets it count. `address` is what the firmware says (ACPI's table HPET). Once, or
// after hpet_release. ENODEV if none answers there; ENOTSUP if it can't take line 0; others as
// mmio_map.
enum error hpet_init(phys_addr_t address);

// Stops it and unmaps it. Its clock event is not in use.
void hpet_release(void);

// Both after hpet_init only.
extern const struct clock_event *const hpet_event;
extern const struct clock_reference *const hpet_reference;
