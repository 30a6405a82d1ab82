// SPDX-License-Identifier: MIT
//
// The names of the errors. The switch has no default, so that the compiler asks for a new one.
#include "lib/error.h"

const char *error_name(enum error error)
{
    switch (error) {
    case OK:
        return "OK";
    case ENOENT:
        return "ENOENT";
    case EIO:
        return "EIO";
    case EAGAIN:
        return "EAGAIN";
    case ENOMEM:
        return "ENOMEM";
    case EFAULT:
        return "EFAULT";
    case EBUSY:
        return "EBUSY";
    case EEXIST:
        return "EEXIST";
    case ENODEV:
        return "ENODEV";
    case EINVAL:
        return "EINVAL";
    case ENOSPC:
        return "ENOSPC";
    case EPIPE:
        return "EPIPE";
    case ERANGE:
        return "ERANGE";
    case ENOTSUP:
        return "ENOTSUP";
    case ETIMEDOUT:
        return "ETIMEDOUT";
    }
    return "unknown error";
}
