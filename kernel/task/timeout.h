// SPDX-License-Identifier: MIT
//
// A future, or its deadline, whichever is first; the other one is dropped. What is ready when the
// deadline is seen has been in time.
#pragma once

#include <stdint.h>

#include "lib/error.h"
#include "task/delay.h"
#include "task/future.h"

struct timeout {
    struct future future;
    struct future *inner;
    struct delay delay;
    enum error result; // OK: the inner future is ready; ETIMEDOUT: it has been dropped
};

// `ns` from now on, as delay_init.
void timeout_init(struct timeout *timeout, struct future *inner, uint64_t ns);
