// SPDX-License-Identifier: MIT
//
// The weak half of the port layer: a kernel overrides what it has.
#include "port.h"

#define WEAK __attribute__((weak))

WEAK bool ktest_port_try_read(char *byte_out)
{
    (void)byte_out;
    return false;
}

WEAK const char *ktest_port_argument(const char *key)
{
    (void)key;
    return NULL;
}

WEAK size_t ktest_port_build_id(const uint8_t **bytes_out)
{
    *bytes_out = NULL;
    return 0;
}

WEAK uint64_t ktest_port_cycles(void)
{
    return 0;
}

WEAK void ktest_port_recover(void)
{
}
