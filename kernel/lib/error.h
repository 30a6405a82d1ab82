// SPDX-License-Identifier: MIT
//
// Why a call failed. The numbers are POSIX's as Linux has them, so that they can cross the border
// to user space unchanged. The compiler refuses a call whose error is ignored.
#pragma once

enum [[nodiscard]] error{
    OK = 0,
    ENOENT = 2,     // there is no such thing
    EIO = 5,        // the device failed
    EAGAIN = 11,    // not now; trying again may help
    ENOMEM = 12,    // out of memory
    EFAULT = 14,    // a bad address came from outside
    EBUSY = 16,     // in use by someone else
    EEXIST = 17,    // it is there already
    ENODEV = 19,    // the machine has no such device
    EINVAL = 22,    // an argument makes no sense
    ENOSPC = 28,    // no room left
    EPIPE = 32,     // nobody is at the other end any more
    ERANGE = 34,    // the result does not fit its type
    ENOTSUP = 95,   // this machine or this build cannot do it
    ETIMEDOUT = 110 // it did not happen in time
};

// "ENOMEM"; "OK" for OK; "unknown error" for a number that is none of the above. Never NULL.
const char *error_name(enum error error);
