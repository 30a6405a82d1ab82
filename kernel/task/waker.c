// SPDX-License-Identifier: MIT
#include "task/waker.h"

static void wake_nobody(struct waker *waker)
{
    (void)waker;
}

static void release_nothing(struct reference_count *references)
{
    (void)references;
}

struct waker waker_dummy = {.references = {1, release_nothing}, .wake = wake_nobody};
