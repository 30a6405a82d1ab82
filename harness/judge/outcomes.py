# SPDX-License-Identifier: MIT
"""How a test ended, against how it declares to end: from what the guest reported of it alone.

The guest's verdict is left aside here; verdicts.py weighs it against this.
"""
from __future__ import annotations

from typing import List, Mapping, Optional, Tuple, Type, Union

from . import exceptions as x86
from .evidence import Record, SymbolNames
from .model import Cause, Difference, Finding, Outcome, OutcomeKind
from .protocol import PER_TEST, Armed, CheckFailed, Fault, Hang, Note, Panic
from .selection import compile_glob

Trap = Union[Fault, Panic, Hang]

DECLARED: Mapping[OutcomeKind, Type[object]] = {
    OutcomeKind.FAULT: Fault, OutcomeKind.PANIC: Panic, OutcomeKind.HANG: Hang}
MISSING = {
    OutcomeKind.FAULT: Cause.FAULT_MISSING, OutcomeKind.PANIC: Cause.PANIC_MISSING,
    OutcomeKind.HANG: Cause.HANG_MISSING, OutcomeKind.TRIPLE_FAULT: Cause.TRIPLE_FAULT_MISSING}


def host_opinion(outcome: Outcome, record: Record) -> Optional[Finding]:
    """What is wrong with how the test ended, if anything is."""
    if outcome.kind is OutcomeKind.PASS:
        return (_failed_attempt(record) or _unexpected_trap(record) or _failed_check(record)
                or _armed_twice(record))
    kind = DECLARED.get(outcome.kind)
    traps = [event for event in _traps(record) if kind is not None and isinstance(event, kind)]
    if not traps:
        return _missing(outcome, record)
    return (_differs(outcome, traps[0]) or unarmed(outcome, record, traps[0])
            or _failed_check(record) or _aftermath(record) or _armed_twice(record))


def opinion_of_a_skip(record: Record) -> Optional[Finding]:
    return host_opinion(Outcome(), record)


def opinion_of_a_triple_fault(outcome: Outcome, record: Record) -> Optional[Finding]:
    """It came; what is wrong with how it did."""
    return unarmed(outcome, record) or opinion_of_a_skip(record)


def host_alone(outcome: Outcome, record: Record, names: SymbolNames) -> Optional[Finding]:
    """What the kernel can't know: how its functions are called, and who has ended its test."""
    if outcome.kind is OutcomeKind.HANG and record.was_rescued:
        wanted = describe_outcome(outcome)
        return Finding(Cause.HANG, "hang: it took the harness's NMI to end it: the kernel's own "
                                   "watchdog, which has to, did not act",
                       (Difference("outcome", wanted, "hang, ended from outside"),))
    if outcome.kind is not OutcomeKind.HANG and record.was_rescued:
        return Finding(Cause.HANG, "hang: it went on only when the harness's NMI had come")
    return _wrong_symbol(outcome, record, names)


# --- What is wrong --------------------------------------------------------------------------------


def _missing(outcome: Outcome, record: Record) -> Finding:
    wanted = describe_outcome(outcome)
    came = _unexpected_trap(record)
    what = outcome.kind.name.lower().replace("_", " ")
    return Finding(MISSING[outcome.kind], f"the expected {what} never came: {wanted}",
                   (Difference("outcome", wanted, came.sentence if came else "nothing"),))


def unarmed(outcome: Outcome, record: Record, trap: Optional[Trap] = None) -> Optional[Finding]:
    """The declared end came – `trap`, or the end of the machine – before the test had armed it."""
    for event in record.events:
        if isinstance(event, Armed):
            return None
        if event is trap:
            break
    wanted = describe_outcome(outcome)
    return Finding(Cause.UNARMED, "it was not armed: what looks like the declared end came where "
                                  "nothing had announced it",
                   (Difference("outcome", f"{wanted}, behind KTEST_ARM", "the same, without"),))


def _armed_twice(record: Record) -> Optional[Finding]:
    if len(record.all(Armed)) < 2:
        return None
    return Finding(Cause.UNARMED, "it was armed twice, so that nobody knows which end was meant")


def _unexpected_trap(record: Record) -> Optional[Finding]:
    for trap in _traps(record):
        return Finding(_cause(trap), describe_trap(trap, record))
    return None


def _failed_attempt(record: Record) -> Optional[Finding]:
    """The first trap came of a statement that had to end in another: a failed check says so right
    behind it, and more than the trap alone."""
    events = iter(event for event in record.events if not isinstance(event, Note))
    for event in events:
        if isinstance(event, (Fault, Panic)):
            behind = [next(events, None) for _ in range(3)]  # registers and backtrace first
            if isinstance(behind[2], CheckFailed):
                return _failed(behind[2], record)
            break
    return None


def _traps(record: Record) -> List[Trap]:
    return [event for event in record.events if isinstance(event, (Fault, Panic, Hang))]


def _cause(trap: Trap) -> Cause:
    if isinstance(trap, Panic):
        return Cause.PANIC
    if isinstance(trap, Hang):
        return Cause.HANG
    return Cause.DOUBLE_FAULT if trap.vector == x86.DOUBLE_FAULT else Cause.FAULT


def _failed_check(record: Record) -> Optional[Finding]:
    checks = record.all(CheckFailed)
    return _failed(checks[0], record) if checks else None


def _failed(check: CheckFailed, record: Record) -> Finding:
    """This check, and how many others there are."""
    others = len(record.all(CheckFailed)) - 1
    at_least = "at least " if others + 1 == PER_TEST else ""
    more = f" (and {at_least}{others} more)" if others else ""
    return Finding(Cause.ASSERTION, describe_check(check) + more)


def _aftermath(record: Record) -> Optional[Finding]:
    """A declared end is the end: no second one, of any kind."""
    traps = _traps(record)
    if len(traps) < 2:
        return None
    return Finding(Cause.AFTERMATH, "after the declared end came another: "
                                    + describe_trap(traps[1], record))


def _differs(outcome: Outcome, trap: Trap) -> Optional[Finding]:
    if isinstance(trap, Fault):
        differences = _fault_differences(outcome, trap)
        what = ", ".join(each.what for each in differences)
        return Finding(Cause.WRONG_FAULT, f"another fault came than declared: {what}",
                       differences) if differences else None
    if isinstance(trap, Panic) and not compile_glob(outcome.text).fullmatch(trap.message):
        return Finding(Cause.WRONG_PANIC, "the kernel panicked with another message than declared",
                       (Difference("message", outcome.text, trap.message),))
    return None


def _fault_differences(outcome: Outcome, fault: Fault) -> Tuple[Difference, ...]:
    mask = outcome.mask or (1 << 64) - 1
    found: List[Difference] = []
    if fault.vector != outcome.vector:
        found.append(Difference("vector", x86.describe_vector(outcome.vector),
                                x86.describe_vector(fault.vector)))
    if fault.error & mask != outcome.error:
        found.append(Difference("error code", x86.describe_error(outcome.vector, outcome.error),
                                x86.describe_error(fault.vector, fault.error)))
    if outcome.size_bytes and not 0 <= fault.cr2 - outcome.start < outcome.size_bytes:
        found.append(Difference("address", _range(outcome), f"0x{fault.cr2:x}"))
    if outcome.ist and fault.ist != outcome.ist:
        found.append(Difference("interrupt stack", str(outcome.ist), str(fault.ist or "none")))
    if x86.is_fetch(fault.vector, fault.error) and fault.rip != fault.cr2:
        found.append(Difference("RIP of a fetch", f"0x{fault.cr2:x}, as CR2", f"0x{fault.rip:x}"))
    return tuple(found)


def _wrong_symbol(outcome: Outcome, record: Record, names: SymbolNames) -> Optional[Finding]:
    if outcome.kind is not OutcomeKind.FAULT or not outcome.symbol:
        return None
    fault = record.all(Fault)[0]
    found = names(fault.rip)
    if outcome.symbol in found:
        return None
    shortest = min(found, key=lambda name: len(name), default="no function")
    actual = f"{shortest} (0x{fault.rip:x})"
    return Finding(Cause.WRONG_FAULT, "the fault came in another function than declared",
                   (Difference("function", outcome.symbol, actual),))


# --- In words -------------------------------------------------------------------------------------


def describe_check(check: CheckFailed) -> str:
    kind = check.kind.upper()
    claim = f"{kind} {check.left} {check.relation} {check.right}" if check.relation else kind
    values = f": {check.left_value} against {check.right_value}" if check.relation else ""
    message = f": {check.message}" if check.message else ""
    return f"{claim}{values}{message}"


def describe_trap(trap: Trap, record: Record) -> str:
    if isinstance(trap, Panic):
        return f"panic: {trap.message}"
    if isinstance(trap, Fault):
        return x86.in_words(trap)
    if record.was_rescued:
        return (f"hang: the harness's NMI ended it, for the kernel's watchdog ({trap.timeout_ms} "
                "ms) did not")
    return (f"hang: it was still running when its {trap.timeout_ms} ms were over; the kernel's "
            "watchdog ended it")


def describe_outcome(outcome: Outcome) -> str:
    """What a test declares, in words."""
    if outcome.kind is OutcomeKind.PASS:
        return "the test returns"
    if outcome.kind is OutcomeKind.PANIC:
        return f"panic: {outcome.text}"
    if outcome.kind is OutcomeKind.TRIPLE_FAULT:
        return "triple fault"
    if outcome.kind is OutcomeKind.HANG:
        return "hang, ended by the kernel's watchdog"
    words = x86.describe_vector(outcome.vector)
    if outcome.size_bytes:
        words += f" at {_range(outcome)}"
    if outcome.ist:
        words += f" on interrupt stack {outcome.ist}"
    return f"{words} in {outcome.symbol}" if outcome.symbol else words


def _range(outcome: Outcome) -> str:
    if outcome.size_bytes == 1:
        return f"0x{outcome.start:x}"
    return f"0x{outcome.start:x} to 0x{outcome.start + outcome.size_bytes - 1:x}"
