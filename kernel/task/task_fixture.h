// SPDX-License-Identifier: MIT
//
// For tests: a task that is ready with so many polls, and counts what is done to it.
#pragma once

#include "ktest.h"
#include "task/executor.h"

#define TEST_TASK_ENDLESS UINT64_MAX

struct test_task {
    struct task task;
    struct future future;
    uint64_t polls_left; // it is ready with the last of them
    bool is_always_ready;
    void (*on_poll)(struct test_task *self); // NULL: nothing
    void *context;                           // for on_poll
    unsigned drop_count;
    unsigned release_count;
};

// Of normal priority.
void test_task_init(struct test_task *task, const char *name, uint64_t polls_left);

#define TEST_TASK_MANY 10'000

// So many, not initialised. Their memory goes when the test is over.
struct test_task *test_task_alloc_many(struct ktest *test);
