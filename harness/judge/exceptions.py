# SPDX-License-Identifier: MIT
"""Exceptions of x86 by number, and their error codes in words: Intel SDM vol. 3, 6.13 and 6.15."""
from __future__ import annotations

from typing import Mapping, Tuple

from .model import Trap
from .protocol import Fault

DOUBLE_FAULT = 8
GENERAL_PROTECTION = 13
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

# What students usually did, where the vector alone does not tell.
USUAL_CAUSES: Mapping[int, str] = {
    0: "a division by zero, or a quotient that does not fit",
    6: "ud2, bytes that are no code, or an instruction that is switched off, such as SSE",
    8: "an exception whose handler could not be entered: a stack overflow, a gate that is absent",
    10: "a TSS that is too short, or a bad stack selector in it",
    11: "a gate or a segment descriptor without its present bit",
    12: "a stack segment that is absent, or a stack pointer that is not canonical",
    13: "an address that is not canonical, a bad selector, or a privileged instruction or value",
}

PRESENT, WRITE, USER, RESERVED, FETCH = 1, 2, 4, 8, 16
WITH_ERROR_CODE = (8, 10, 11, 12, 13, 14, 17, 21)
WITH_SELECTOR = (10, 11, 12, 13)  # and 0 where no descriptor is to blame
EXTERNAL, IDT, LDT = 1, 2, 4


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


def describe_selector(error: int) -> str:
    """The descriptor that an error code names."""
    event = ", while an event from outside was delivered" if error & EXTERNAL else ""
    if error & IDT:
        gate = error >> 3
        doubled = f" ({gate // 2} where QEMU is older than 10.0)" if gate % 2 == 0 else ""
        return f"for gate {gate} of the IDT{doubled}{event}"
    table = "LDT" if error & LDT else "GDT"
    return f"for the selector 0x{error & ~7:x} of the {table}{event}"


def describe_error(vector: int, error: int) -> str:
    text = f"0x{error:x}"
    if vector == PAGE_FAULT:
        return f"{text}, {describe_page_fault(error)}"
    return f"{text}, {describe_selector(error)}" if vector in WITH_SELECTOR and error else text


def describe_fault(fault: Fault) -> str:
    return describe_trap(Trap(fault.vector, fault.rip, fault.error, fault.cr2))


def describe_trap(trap: Trap) -> str:
    words = describe_vector(trap.vector)
    if trap.vector in WITH_ERROR_CODE:
        words += f", error code {describe_error(trap.vector, trap.error)}"
    return words + (f", address 0x{trap.cr2:x}" if trap.vector == PAGE_FAULT else "")


def in_words(fault: Fault) -> str:
    """What the kernel makes of it, behind the vector's name, which is not its to choose."""
    mnemonic, _ = NAMES.get(fault.vector, ("", ""))
    is_named = mnemonic and mnemonic in fault.words
    return fault.words if is_named else f"{describe_vector(fault.vector)}: {fault.words}"


def is_canonical(address: int) -> bool:
    """With four levels of page tables: bits 63 to 47 are equal."""
    return address >> 47 in (0, (1 << 17) - 1)


def is_fetch(vector: int, error: int) -> bool:
    """Whether an instruction could not be fetched: then RIP is the faulting address itself."""
    return vector == PAGE_FAULT and bool(error & FETCH)
