# SPDX-License-Identifier: MIT
"""What gdb is told before the user is asked: where to stop, and what to show there.

Breakpoints are hardware ones, for they hold before there is a page table, and with KVM too. Those
for failures stand at first instructions of functions in other files than their callers, which no
compiler inlines: arguments are in the registers of the ABI there, optimized or not.
"""
from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence

from .elf import Image, Symbols
from .evidence import Result
from .machine import Machine
from .model import ROOT, Cause, Refusal, Test
from .outcomes import DECLARED
from .protocol import CheckFailed, Fault, Hang, Panic

COMMANDS = "commands.gdb"
SOCKET = "gdb"

MULTIBOOT2_MAGIC = 0x36D76289  # in EAX; GRUB has had code of its own at the same address before
SHOWN_FRAMES = 16
GENERAL_REGISTERS = "rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()

# A report's line begins with "    #:ktest_", and four letters more tell what it is of.
KINDS = {CheckFailed: b"chec", Fault: b"faul", Panic: b"pani", Hang: b"hang"}
KIND_AT = 12

DEATHS = (Cause.TRIPLE_FAULT, Cause.RESET, Cause.POWER_OFF)
BEHIND_A_DECLARED_END = (Cause.ASSERTION, Cause.AFTERMATH, Cause.DISAGREEMENT)


@dataclass(frozen=True)
class Culprit:
    """The report of a test that gdb has to stop at."""

    kind: bytes = b""  # of KINDS; none: nothing was reported, and only the verdict says it
    skip: int = 0  # so many of this kind come before, as they have to
    is_death: bool = False  # the machine ended; it stays as it is for gdb
    is_silent: bool = False  # nobody ended it


def culprit_of(result: Result) -> Culprit:
    """By what the run without gdb has seen."""
    reason = result.finding.reason if result.finding else None
    if reason in DEATHS:
        return Culprit(is_death=True)
    events = [event for event in (result.record.events if result.record else ())
              if isinstance(event, tuple(KINDS))]
    if not events:
        return Culprit(is_silent=reason is Cause.HANG)
    declared = DECLARED.get(result.test.outcome.kind)
    is_due = declared is not None and isinstance(events[0], declared)
    place = int(is_due and len(events) > 1 and reason in BEHIND_A_DECLARED_END)
    kind = type(events[place])
    return Culprit(KINDS[kind], sum(isinstance(event, kind) for event in events[:place]))


# --- Scripts --------------------------------------------------------------------------------------


def script_of_entry(image: Image, machine: Machine, tests: Sequence[Test], folder: Path) -> str:
    """Stops at the kernel's first instruction; then, of a single test, where it begins."""
    lines = [*_preamble(folder), *_stop_at_entry(image, machine)]
    if len(tests) == 1:
        lines += [f"thbreak {name}" for name in _function(image, tests[0])]
    lines += [f"echo \\nThe kernel's first instruction. Its console goes to {folder}/console.log; "
              "the command `console' shows the end of it.\\n"]
    return _text(lines)


def script_of_failure(image: Image, machine: Machine, test: Test, culprit: Culprit, folder: Path
                      ) -> str:
    needed = ("stream_begin", "report_end", "ktest_on_fault", "ktest_on_overdue")
    missing = [name for name in needed if not _has(image, name)]
    if missing:
        raise Refusal(f"{image.path} has no function {missing[0]}, where gdb had to stop for a "
                      "failure: use --gdb.")
    return _text([*_preamble(folder), *_run_to(culprit), *_show(image, test, culprit)])


def _preamble(folder: Path) -> Iterator[str]:
    """Without disconnect, gdb has the machine run on when it ends."""
    yield from ("set pagination off", "set confirm off", f"directory {shlex.quote(str(ROOT))}",
                "define hook-quit", "if $_thread", "disconnect", "end", "end",
                "define console",
                f"shell tail -n 25 {shlex.quote(str(folder / 'console.log'))}", "end",
                "document console", "The end of what the kernel wrote on COM1.", "end",
                f"target remote {folder / SOCKET}")


def _stop_at_entry(image: Image, machine: Machine) -> Iterator[str]:
    if not machine.way.uses_image and image.pvh_entry is not None:
        yield f"thbreak *0x{image.pvh_entry:x}"
    else:
        yield f"thbreak *0x{image.entry:x} if (unsigned int)$rax == 0x{MULTIBOOT2_MAGIC:x}"
    yield "continue"


def _run_to(culprit: Culprit) -> Iterator[str]:
    """The kernel's frame of each trap is kept on the way: the last one is that of the failure."""
    if culprit.is_death or culprit.is_silent:
        yield "continue"
        return
    for name in ("ktest_on_fault", "ktest_on_overdue"):
        yield from (f"hbreak *{name}", "commands", "silent",
                    "set $trap = ((struct ktest_fault *)$rdi)->frame", "continue", "end")
    if culprit.kind:
        word = int.from_bytes(culprit.kind, "little")
        yield f"hbreak *stream_begin if *(unsigned int *)($rdi + {KIND_AT}) == 0x{word:x}"
        yield f"ignore $bpnum {culprit.skip}"
    else:
        yield "hbreak *report_end"
    yield "continue"


def _show(image: Image, test: Test, culprit: Culprit) -> Iterator[str]:
    is_trap = culprit.kind in (KINDS[Fault], KINDS[Hang])
    yield "delete"
    if culprit.is_death:
        yield "echo \\nThe machine has ended, and is kept as it was then:\\n"
    elif culprit.is_silent:
        yield "echo \\nIt hangs, and no watchdog ends it; it was stopped from outside:\\n"
    if is_trap and _has(image, "trap_common"):
        yield from _go_back()
    if not culprit.kind and not culprit.is_death and not culprit.is_silent:
        yield 'printf "\\n%s\\n", ((struct ktest *)$rdi)->reason'
    yield f"backtrace {SHOWN_FRAMES}"
    for name in _function(image, test):
        yield from _select_frame(image.symbols, name)
    if is_trap:
        yield "frame 0"


def _select_frame(symbols: Symbols, name: str) -> Iterator[str]:
    """As `frame function` does, which misses a function that ends in a call."""
    symbol = next(each for each in symbols.all if each.name == name)
    yield from ("define note_frame",
                f"if $pc > {symbol.address} && $pc <= {symbol.address + symbol.size}",
                "set $found = $level", "end", "set $level = $level + 1", "end",
                "set $found = -1", "set $level = 0", "frame apply all -q -s note_frame",
                "if $found >= 0", "frame $found", "end")


def _go_back() -> Iterator[str]:
    """From the handler to the instruction that faulted, with all registers as they were: gdb finds
    no way through the assembly between the two. Whoever goes on from there faults again."""
    yield from ("set $trap = (struct trap_frame *)$trap", "if ($trap->cs & 3) == 0")
    for name in GENERAL_REGISTERS:
        yield f"set ${name} = $trap->{name}"
    yield from ("set $eflags = (unsigned int)$trap->rflags", "set $rsp = $trap->rsp",
                "set $rip = $trap->rip",
                "echo \\nBack at the instruction that was interrupted:\\n",
                "else", "echo \\nIt came in user mode; this is the handler:\\n", "end")


def _function(image: Image, test: Test) -> List[str]:
    """The name of its function, if the file has one; tests in C++ have other names."""
    name = f"ktest_run_{test.suite}__{test.name}"
    return [name] if _has(image, name) else []


def _has(image: Image, name: str) -> bool:
    return any(symbol.name == name for symbol in image.symbols.all)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
