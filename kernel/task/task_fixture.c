// SPDX-License-Identifier: MIT
#include "task/task_fixture.h"

#include "arch/x86_64/layout.h"
#include "mm/frame.h"

static enum poll poll(struct future *future, struct poll_context *context)
{
    struct test_task *self = container_of(future, struct test_task, future);
    if (self->on_poll != NULL) {
        self->on_poll(self);
    }
    if (self->polls_left != TEST_TASK_ENDLESS && --self->polls_left == 0) {
        return POLL_READY;
    }
    if (self->is_always_ready) {
        waker_wake(context->waker);
    }
    return POLL_PENDING;
}

static void drop(struct future *future)
{
    container_of(future, struct test_task, future)->drop_count++;
}

static void release(struct task *task)
{
    container_of(task, struct test_task, task)->release_count++;
}

void test_task_init(struct test_task *task, const char *name, uint64_t polls_left)
{
    *task = (struct test_task){.polls_left = polls_left};
    future_init(&task->future, poll, drop);
    task_init(&task->task, name, &task->future);
    task->task.release = release;
}

#define MANY_ORDER 10

_Static_assert(TEST_TASK_MANY * sizeof(struct test_task) <= PAGE_SIZE << MANY_ORDER);

static phys_addr_t many;

static void free_many(void *unused)
{
    (void)unused;
    frame_free_run(many, MANY_ORDER);
}

struct test_task *test_task_alloc_many(struct ktest *test)
{
    KTEST_ASSERT_EQ(test, frame_alloc_run(MANY_ORDER, FRAME_ZONE_REST, &many), OK);
    ktest_add_action(test, free_many, NULL);
    return phys_to_direct(many);
}
