// SPDX-License-Identifier: MIT
#include "lib/error.h"

#include "ktest.h"

#include "lib/bits.h"

static const struct {
    enum error error;
    int number;
    const char *name;
} errors[] = {
    {OK, 0, "OK"},          {ENOENT, 2, "ENOENT"},    {EIO, 5, "EIO"},
    {EAGAIN, 11, "EAGAIN"}, {ENOMEM, 12, "ENOMEM"},   {EFAULT, 14, "EFAULT"},
    {EBUSY, 16, "EBUSY"},   {EEXIST, 17, "EEXIST"},   {ENODEV, 19, "ENODEV"},
    {EINVAL, 22, "EINVAL"}, {ENOSPC, 28, "ENOSPC"},   {EPIPE, 32, "EPIPE"},
    {ERANGE, 34, "ERANGE"}, {ENOTSUP, 95, "ENOTSUP"}, {ETIMEDOUT, 110, "ETIMEDOUT"},
};

KTEST(error, numbers_are_those_of_linux)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        KTEST_EXPECT_EQ(test, (int)errors[i].error, errors[i].number);
    }
}

KTEST(error, every_error_has_its_name)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        KTEST_EXPECT_STREQ(test, error_name(errors[i].error), errors[i].name);
    }
}

KTEST(error, other_numbers_are_unknown)
{
    KTEST_EXPECT_STREQ(test, error_name((enum error)1), "unknown error");
    KTEST_EXPECT_STREQ(test, error_name((enum error)9999), "unknown error");
}
