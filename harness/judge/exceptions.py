# SPDX-License-Identifier: MIT
"""Exceptions of x86 by number, and their error codes in words: Intel SDM vol. 3, 6.13 and 6.15."""
from __future__ import annotations

from typing import Mapping, Tuple

from .model import Trap
from .protocol import Fault

DOUBLE_FAULT = 8
PAGE_FAULT = 14

NAMES: Mapping[int, Tuple[str, str]] = {
    0: ("#DE", "divide error"),
    1: ("#DB", "debug exception"),
    2: ("NMI", "non-maskable interrupt"),
    3: ("#BP", "breakpoint"),
    4: ("#OF", "overflow"),
    5: ("#BR", "bound range exceeded"),
    6: ("#UD", "invalid opcode"),
    7: ("#NM", "device not available"),
    8: ("#DF", "double fault"),
    10: ("#TS", "invalid TSS"),
    11: ("#NP", "segment not present"),
    12: ("#SS", "stack-segment fault"),
    13: ("#GP", "general protection fault"),
    14: ("#PF", "page fault"),
    16: ("#MF", "x87 floating-point error"),
    17: ("#AC", "alignment check"),
    18: ("#MC", "machine check"),
    19: ("#XM", "SIMD floating-point error"),
    20: ("#VE", "virtualization exception"),
    21: ("#CP", "control protection exception"),
}

PRESENT, WRITE, USER, RESERVED, FETCH = 1, 2, 4, 8, 16


def describe_vector(vector: int) -> str:
    mnemonic, words = NAMES.get(vector, (f"vector {vector}", "unknown exception"))
    return f"{mnemonic} ({words})"


def describe_page_fault(error: int) -> str:
    """The error code of a page fault in words."""
    access = "execute" if error & FETCH else "write" if error & WRITE else "read"
    mode = "user mode" if error & USER else "the kernel"
    if error & RESERVED:
        why = "through a page-table entry with a reserved bit set"
    elif error & PRESENT:
        why = "that the page's permissions forbid"
    else:
        why = "of a page that is not present"
    return f"{access} by {mode} {why}"


def describe_error(vector: int, error: int) -> str:
    text = f"0x{error:x}"
    return f"{text}, {describe_page_fault(error)}" if vector == PAGE_FAULT else text


def describe_fault(fault: Fault) -> str:
    return describe_trap(Trap(fault.vector, fault.rip, fault.error, fault.cr2))


def describe_trap(trap: Trap) -> str:
    where = f", address 0x{trap.cr2:x}" if trap.vector == PAGE_FAULT else ""
    return (f"{describe_vector(trap.vector)}, error code "
            f"{describe_error(trap.vector, trap.error)}{where}")


def is_fetch(vector: int, error: int) -> bool:
    """Whether an instruction could not be fetched: then RIP is the faulting address itself."""
    return vector == PAGE_FAULT and bool(error & 0x10)
