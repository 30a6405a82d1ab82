// SPDX-License-Identifier: MIT
//
// What there is to test in this kernel.
#pragma once

#ifdef __cplusplus
#define FROM_C extern "C"
#else
#define FROM_C
#endif

FROM_C int count_bits(unsigned long value);
