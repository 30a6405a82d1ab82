// SPDX-License-Identifier: MIT
//
// What has to be written into the PM1 control registers to switch the machine off: the package
// \_S5_ in the AML bytes of the DSDT or of an SSDT. Source: ACPI 6.5, 7.4.2 (\_Sx) and 20.2 (AML).
//
// There is no AML interpreter. The bytes are searched for a definition of this form, which is how
// compilers encode what the specification's \_S5_ is, and nothing else is understood:
//
//     NameOp  [RootChar]  "_S5_"  PackageOp  PkgLength  NumElements  integer  integer ...
//
// with integers as ZeroOp, OneOp, or a byte, word, dword or qword behind its prefix. What looks
// like it but does not decode within its length, or names values above 7, is passed over. The first
// definition counts: neither the scope that it stands in nor an If around it is looked at. A _S5_
// that is a method, an alias, or has other objects as elements is not found.
#pragma once

#include "drivers/acpi/table.h"

struct acpi_sleep_type {
    uint8_t a; // of the PM1a register's field SLP_TYP, or the sleep control register's
    uint8_t b; // of PM1b's
};

// `aml` is what stands behind a table's header. ENOENT if no definition is found.
enum error acpi_sleep_find(const uint8_t *aml, size_t size_bytes,
                           struct acpi_sleep_type *sleep_type_out);

// The same in the DSDT at that address, and if it has none, in the SSDTs one after the other.
enum error acpi_soft_off_find(const struct acpi_root *root, uint64_t dsdt,
                              struct acpi_sleep_type *sleep_type_out);
