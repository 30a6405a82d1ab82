// SPDX-License-Identifier: MIT
#include "task/future.h"

#include "lib/panic.h"

const char future_ready_;
const char future_dropped_;

[[gnu::noreturn]] static void reject(const struct future *future, const char *what)
{
    panic("future %p of poll function %p %s", (const void *)future,
          (const void *)(uintptr_t)future->poll, what);
}

static void check_place(const struct future *future)
{
    if (future->place != NULL && future->place != future) {
        reject(future, "was moved after its first poll");
    }
}

void future_pin_(struct future *future)
{
    if (future_is_ready(future)) {
        reject(future, "is polled after it was ready");
    }
    if (future->place == &future_dropped_) {
        reject(future, "is polled after it was dropped");
    }
    check_place(future);
    future->place = future;
}

void future_drop(struct future *future)
{
    if (future_is_ready(future) || future->place == &future_dropped_) {
        return;
    }
    check_place(future);
    future->place = &future_dropped_;
    if (future->drop != NULL) {
        future->drop(future);
    }
}
