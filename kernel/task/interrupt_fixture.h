// SPDX-License-Identifier: MIT
//
// For tests: a future as a task of its own.
#pragma once

#include "ktest.h"
#include "task/future.h"
#include "time/timer_queue.h"

// Runs it until it is ready. It has to wait until, about 1 ms later, an interrupt calls the
// function; what the function wakes has to end it.
void test_run_until_interrupt(struct ktest *test, struct future *future,
                              timer_function_t *function);
