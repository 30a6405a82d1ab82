# SPDX-License-Identifier: MIT
"""Evidence in, verdicts out: a pure function.

A test passes only if everything agrees: the set that the ELF file announces, begin, end and KTAP
line of the test, the numbers and sums of the stream, nonce and build id, what QEMU says and how it
ended. The guest's own verdict is one witness among them, and is trusted only for the worse.
"""
from __future__ import annotations

import enum
import re
import signal
from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Callable, FrozenSet, List, Optional, Sequence, Tuple, Type, TypeVar

from . import exceptions as x86
from .model import (Cause, Difference, Finding, Needs, Outcome, OutcomeKind, Scene, Test, Trouble,
                    Verdict)
from .protocol import (Broken, CheckFailed, Event, Fault, OrderAnswered, Panic, Planned, Refused,
                       RunBegan, SuiteBegan, TestBegan, TestClosed, TestEnded, Totals)
from .selection import compile_glob

# What the exit device makes of the kernel's values: value * 2 + 1.
STATUS_OK, STATUS_FAIL, STATUS_ERROR, STATUS_PANIC = 33, 35, 37, 39

# Reasons of the QMP event SHUTDOWN that come from outside of the guest.
OUTSIDE_REASONS = ("host-signal", "host-qmp-quit", "host-ui", "host-error")

SpecificEvent = TypeVar("SpecificEvent")
SymbolNames = Callable[[int], FrozenSet[str]]


# What the kernel says on its console when it can't go on with the boot, and then halts.
REFUSAL = re.compile(r"(Faultline can't boot: [^\r\n]+)[\r\n]")


class Stop(enum.Enum):
    """Why the harness itself put an end to the machine."""

    HANG = "hang"
    TOO_LONG = "too long"
    BROKEN = "broken stream"
    CONSOLE_FLOOD = "flood on the console"
    VM_STOPPED = "stopped VM"
    REFUSED = "refused"


@dataclass(frozen=True)
class Ending:
    """How the process ended, and what QEMU said of it."""

    status: Optional[int] = None
    signal: Optional[int] = None
    stop: Optional[Stop] = None
    shutdown: str = ""  # the reason in QMP's event SHUTDOWN
    has_triple_fault: bool = False
    vm_status: str = ""

    @property
    def is_from_outside(self) -> bool:
        if self.stop is not None:
            return False
        return self.signal is not None or (self.status == 0 and self.shutdown in OUTSIDE_REASONS)

    def describe(self) -> str:
        if self.signal is not None:
            return f"QEMU was killed by signal {self.signal} ({signal.strsignal(self.signal)})"
        if self.is_from_outside:
            return f"QEMU was told to end from outside ({self.shutdown})"
        if self.has_triple_fault:
            return "triple fault: an exception could not be delivered, and the machine reset itself"
        if self.status == 0 and self.shutdown == "guest-reset":
            return "the machine reset itself"
        if self.status == 0 and self.shutdown == "guest-shutdown":
            return "the machine powered itself off"
        return f"QEMU ended with status {self.status}"


@dataclass(frozen=True)
class Evidence:
    """All that is known of one boot."""

    expected: Tuple[Test, ...]
    registered: int
    build_id: str
    nonce: str
    events: Tuple[Event, ...]
    ending: Ending
    symbol_names: SymbolNames
    have: Needs = Needs(0)  # what the machine had of what tests may need
    may_skip: FrozenSet[str] = frozenset()  # names of tests that may skip themselves
    timeout: float = 10.0
    is_cut: bool = False  # the stream ends in the middle of a line
    has_spoken: bool = False  # something came on COM2
    orders: Tuple[str, ...] = ()
    console: str = ""
    log: str = ""


@dataclass(frozen=True)
class Record:
    """What the guest said between begin and end of a test."""

    name: str
    events: Tuple[Event, ...]
    is_closed: bool

    @property
    def end(self) -> Optional[TestEnded]:
        return next(iter(self.all(TestEnded)), None)

    def all(self, kind: Type[SpecificEvent]) -> List[SpecificEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass(frozen=True)
class Result:
    test: Test
    verdict: Verdict
    finding: Optional[Finding] = None
    record: Optional[Record] = None
    scene: Optional[Scene] = None

    @property
    def is_trouble(self) -> bool:
        return self.finding is not None and isinstance(self.finding.reason, Trouble)

    @property
    def ended_the_boot(self) -> bool:
        """What was seen last belongs to this test."""
        return self.is_trouble or (self.record is not None and not self.record.is_closed)


@dataclass(frozen=True)
class Judgement:
    results: Tuple[Result, ...]
    unfinished: Tuple[Test, ...] = ()  # never got their turn
    is_stopped: bool = False  # they did not, because we said so
    trouble: Optional[Trouble] = None


def judge(evidence: Evidence) -> Judgement:
    records = collect(evidence.events)
    finding = _discredit(evidence, records)
    if finding is not None:
        assert isinstance(finding.reason, Trouble)
        results = tuple(Result(test, Verdict.ERROR, finding) for test in evidence.expected)
        return Judgement(results, trouble=finding.reason)
    results = tuple(_judge_record(test, record, evidence)
                    for test, record in zip(evidence.expected, records))
    totals = _only(evidence.events, Totals)
    return Judgement(results, evidence.expected[len(results):],
                     is_stopped=totals is not None and totals.is_stopped)


def collect(events: Sequence[Event]) -> List[Record]:
    """The events by test. What came outside of every test is left out."""
    records: List[Record] = []
    inside: Optional[List[Event]] = None
    for event in events:
        if isinstance(event, TestBegan):
            inside = []
            records.append(Record(event.name, (), False))
        elif inside is not None:
            inside.append(event)
            is_closed = isinstance(event, TestClosed)
            records[-1] = Record(records[-1].name, tuple(inside), is_closed)
            inside = None if is_closed else inside
    return records


def _only(events: Sequence[Event], kind: Type[SpecificEvent]) -> Optional[SpecificEvent]:
    return next((event for event in events if isinstance(event, kind)), None)


# --- The whole boot -------------------------------------------------------------------------------


def _discredit(evidence: Evidence, records: List[Record]) -> Optional[Finding]:
    """What makes everything that this boot said worthless, if anything does."""
    checks = (_not_started, _broken_stream, _refused, _wrong_header, _wrong_plan,
              _wrong_tests, _unasked_order, _outside_panic)
    for check in checks:
        finding = check(evidence)
        if finding is not None:
            return finding
    return _wrong_end(evidence, records)


def _not_started(evidence: Evidence) -> Optional[Finding]:
    if evidence.ending.status != 1 or evidence.has_spoken or evidence.console.strip():
        return None
    words = " ".join(evidence.log.split()) or "it ended with status 1 without a word"
    return Finding(Trouble.NOT_STARTED, f"QEMU did not start: {words}")


def _broken_stream(evidence: Evidence) -> Optional[Finding]:
    broken = _only(evidence.events, Broken)
    if broken is None:
        return None
    where = f"line {broken.line} of the protocol: {broken.sentence}"
    shown: Tuple[Difference, ...] = ()
    if broken.text:
        shown = (Difference("line", "", broken.text),)
    if broken.text in evidence.orders:
        return Finding(Trouble.ECHO, f"{where}; it is our own order, sent back", shown)
    return Finding(broken.trouble, where, shown)


def _refused(evidence: Evidence) -> Optional[Finding]:
    refused = _only(evidence.events, Refused)
    if refused is None:
        return None
    return Finding(Trouble.REFUSED, f"the kernel refused to begin the run: {refused.reason}")


def _wrong_header(evidence: Evidence) -> Optional[Finding]:
    run = _only(evidence.events, RunBegan)
    if run is None:
        return None
    facts = (
        (Trouble.WRONG_NONCE, "this is not the run that was started: the nonce differs",
         evidence.nonce, run.nonce),
        (Trouble.WRONG_IMAGE, "this is not the kernel that was to be tested: the build id differs",
         evidence.build_id, run.build_id),
        (Trouble.WRONG_REGISTRY, "the kernel found another number of tests than its ELF file has",
         str(evidence.registered), str(run.registered)),
        (Trouble.WRONG_SELECTION, "the kernel selected another number of tests than it was asked",
         str(len(evidence.expected)), str(run.selected)),
    )
    for trouble, sentence, expected, actual in facts:
        if expected != actual:
            what = trouble.value.partition("-")[2]
            return Finding(trouble, sentence, (Difference(what, expected, actual),))
    return None


def _wrong_plan(evidence: Evidence) -> Optional[Finding]:
    """The plans are compared as far as they came."""
    suites = [(suite, len(list(tests)))
              for suite, tests in groupby(evidence.expected, key=lambda test: test.suite)]
    planned = _only(evidence.events, Planned)
    if planned is not None and planned.suites != len(suites):
        return Finding(Trouble.PLAN, "the kernel plans another number of suites",
                       (Difference("suites", str(len(suites)), str(planned.suites)),))
    begun = [event for event in evidence.events if isinstance(event, SuiteBegan)]
    for (suite, count), event in zip(suites, begun):
        if (event.suite, event.tests) != (suite, count):
            return Finding(Trouble.PLAN, "the kernel plans another suite than the ELF file has",
                           (Difference("suite", f"{suite}, {count} tests",
                                       f"{event.suite}, {event.tests} tests"),))
    return None


def _wrong_tests(evidence: Evidence) -> Optional[Finding]:
    begun = [event.name for event in evidence.events if isinstance(event, TestBegan)]
    expected = [test.full_name for test in evidence.expected]
    for wanted, name in zip(expected, begun):
        if name == wanted:
            continue
        shown = (Difference("test", wanted, name),)
        if name in expected:
            return Finding(Trouble.MISSING_TEST, f"the kernel left out {wanted}", shown)
        return Finding(Trouble.UNPLANNED_TEST, f"the kernel ran {name}, which is not planned",
                       shown)
    return None


def _unasked_order(evidence: Evidence) -> Optional[Finding]:
    answered = Counter(event.text for event in evidence.events if isinstance(event, OrderAnswered))
    for text in answered - Counter(evidence.orders):
        return Finding(Trouble.UNASKED_ORDER,
                       f"the kernel answers an order that was not given: {text}")
    return None


def _outside_panic(evidence: Evidence) -> Optional[Finding]:
    inside = False
    for event in evidence.events:
        if isinstance(event, (TestBegan, TestClosed)):
            inside = isinstance(event, TestBegan)
        elif isinstance(event, Panic) and not inside:
            return Finding(Trouble.OUTSIDE_PANIC,
                           f"the kernel panicked outside of every test: {event.message} "
                           f"({event.file}:{event.line})")
        elif isinstance(event, Fault) and not inside:
            return Finding(Trouble.OUTSIDE_PANIC, "an exception came outside of every test: "
                                                  + x86.describe_fault(event))
    return None


# --- The end of the boot --------------------------------------------------------------------------


def _wrong_end(evidence: Evidence, records: List[Record]) -> Optional[Finding]:
    ending = evidence.ending
    if ending.is_from_outside:
        return Finding(Trouble.KILLED, ending.describe())
    if ending.stop is Stop.CONSOLE_FLOOD:
        return Finding(Trouble.CONSOLE_FLOOD, "the kernel floods its console")
    if ending.stop is Stop.TOO_LONG:
        return Finding(Trouble.TOO_LONG, "the boot as a whole took too long")
    if ending.stop is Stop.VM_STOPPED:
        return Finding(Trouble.VM_STOPPED,
                       f"stopped VM: QEMU gave up running the kernel ({ending.vm_status})")
    totals = _only(evidence.events, Totals)
    if totals is not None:
        return _wrong_totals(records, totals) or _wrong_exit(ending, totals)
    if records and not records[-1].is_closed:
        return None  # the open test is to blame
    if ending.stop in (Stop.HANG, Stop.REFUSED):
        return _silence(evidence, records)
    return _early_exit(evidence, records)


def _wrong_totals(records: List[Record], totals: Totals) -> Optional[Finding]:
    counts = Counter(record.end.verdict for record in records if record.end)
    if any(counts[verdict] != totals.counts[verdict] for verdict in Verdict):
        return Finding(Trouble.TOTALS, "the totals are not the sum of the verdicts",
                       (Difference("totals", _counts(counts), _counts(Counter(totals.counts))),))
    return None


def _counts(counts: "Counter[Verdict]") -> str:
    return ", ".join(f"{counts[verdict]} {verdict.word}" for verdict in Verdict)


def _wrong_exit(ending: Ending, totals: Totals) -> Optional[Finding]:
    if ending.stop is not None:
        return Finding(Trouble.TOTALS_WITHOUT_EXIT,
                       "the kernel wrote its totals, but did not leave the machine")
    expected = STATUS_OK
    if totals.counts[Verdict.ERROR]:
        expected = STATUS_ERROR
    elif totals.counts[Verdict.FAIL]:
        expected = STATUS_FAIL
    if ending.status == expected and not ending.has_triple_fault:
        return None
    return Finding(Trouble.WRONG_STATUS, "the exit status does not fit the totals: "
                   + ending.describe(),
                   (Difference("exit status", str(expected), str(ending.status)),))


def _silence(evidence: Evidence, records: List[Record]) -> Finding:
    waited = f"for {evidence.timeout:g} s"
    if evidence.is_cut:
        return Finding(Trouble.TRUNCATED, f"the stream stopped in the middle of a line {waited}")
    if records:
        return Finding(Trouble.HUNG_BETWEEN, f"nothing came behind {records[-1].name} {waited}")
    refusal = REFUSAL.search(evidence.console)
    if refusal is not None:
        return Finding(Trouble.REFUSED, f"the kernel refused: {refusal[1]}")
    if evidence.has_spoken or "Hello World!" in evidence.console:
        return Finding(Trouble.TESTS_NEVER_BEGAN, f"the kernel began, but no test did {waited}")
    return Finding(Trouble.NEVER_BEGAN, f"the kernel never began: no sign of it {waited}")


def _early_exit(evidence: Evidence, records: List[Record]) -> Finding:
    ending = evidence.ending
    how = ending.describe()
    if ending.status == STATUS_PANIC:
        return Finding(Trouble.OUTSIDE_PANIC, "the kernel panicked outside of every test")
    if not records and ending.status == STATUS_ERROR:
        return Finding(Trouble.REFUSED, "the kernel refused to begin the run")
    if not records:
        return Finding(Trouble.DIED_EARLY, f"{how}, before the first test began")
    if ending.status == 0:
        return Finding(Trouble.DIED_BETWEEN, f"{how}, behind {records[-1].name}")
    if evidence.is_cut:
        return Finding(Trouble.TRUNCATED, f"the stream ends in the middle of a line; {how}")
    return Finding(Trouble.EXIT_WITHOUT_TOTALS,
                   f"{how}, but the stream ends behind {records[-1].name} without totals")


# --- One test -------------------------------------------------------------------------------------


def _judge_record(test: Test, record: Record, evidence: Evidence) -> Result:
    end = record.end
    if not record.is_closed or end is None:
        return Result(test, Verdict.FAIL, _death(test, evidence), record)
    host = _host_opinion(test.outcome, record)
    if host is None and end.verdict is Verdict.PASS:
        # The kernel does not know the names of its functions: this is for the host alone.
        wrong = _wrong_symbol(test.outcome, record, evidence.symbol_names)
        if wrong is not None:
            return Result(test, Verdict.FAIL, wrong, record)
    verdict, finding = _reconcile(test, end, host, evidence)
    return Result(test, verdict, finding, record)


def _death(test: Test, evidence: Evidence) -> Finding:
    """The machine ended while the test ran."""
    ending = evidence.ending
    came = ending.describe()
    if ending.stop is not None:
        seconds = test.timeout_ms / 1000 or evidence.timeout
        cause, came = Cause.HANG, f"hang: the test did not end within {seconds:g} s"
    elif ending.has_triple_fault:
        cause = Cause.TRIPLE_FAULT
    elif ending.status == STATUS_PANIC:
        cause, came = Cause.PANIC, "the kernel panicked and could not go on"
    elif ending.status != 0:
        cause, came = Cause.EXITED, f"the kernel left the machine in the middle: {came}"
    elif ending.shutdown == "guest-reset":
        cause = Cause.RESET
    else:
        cause = Cause.POWER_OFF
    expected = describe_outcome(test.outcome)
    return Finding(cause, came, (Difference("outcome", expected, came.partition(":")[0]),))


def _reconcile(test: Test, end: TestEnded, host: Optional[Finding], evidence: Evidence
               ) -> Tuple[Verdict, Optional[Finding]]:
    """One verdict of two: the guest's, and the host's own from what the guest reported."""
    guest = end.verdict
    if guest is Verdict.ERROR and host is not None:
        return guest, replace(host, sentence=f"{end.reason}; {host.sentence}")
    if guest is Verdict.ERROR:
        return guest, Finding(Cause.GUEST_ERROR, end.reason)
    if host is not None and guest is Verdict.FAIL:
        return guest, host
    if host is not None:
        return Verdict.ERROR, replace(
            host, reason=Cause.DISAGREEMENT,
            sentence=f"the kernel says {guest.word}, but the harness: {host.sentence}")
    if guest is Verdict.FAIL and test.outcome.kind is not OutcomeKind.PASS:
        return Verdict.ERROR, Finding(
            Cause.DISAGREEMENT, f"the kernel says fail ({end.reason}), but the harness saw the "
                                "declared outcome and nothing else")
    if guest is Verdict.FAIL:
        return guest, Finding(Cause.REPORTED, end.reason)
    is_explained = bool(test.needs & ~evidence.have) or test.full_name in evidence.may_skip
    if guest is Verdict.SKIP and not is_explained:
        return Verdict.ERROR, Finding(
            Cause.UNEXPLAINED_SKIP, f"skipped ({end.reason}), though the machine has all it needs")
    if guest is Verdict.SKIP:
        return guest, Finding(Cause.SKIPPED, end.reason)
    if end.checks == 0:
        return Verdict.ERROR, Finding(Cause.NO_CHECKS, "the test passed without a single check")
    return guest, None


def _host_opinion(outcome: Outcome, record: Record) -> Optional[Finding]:
    """What the host finds wrong with what the guest reported, its verdict left aside."""
    is_skip = record.end is not None and record.end.verdict is Verdict.SKIP
    if outcome.kind is OutcomeKind.PASS or is_skip:
        return _unexpected_trap(record) or _failed_check(record)
    if outcome.kind is OutcomeKind.FAULT:
        return _expected_fault(outcome, record)
    return _expected_panic(outcome, record)


def _unexpected_trap(record: Record) -> Optional[Finding]:
    for event in record.events:
        if isinstance(event, Panic):
            return Finding(Cause.PANIC, f"panic: {event.message}")
        if isinstance(event, Fault):
            cause = Cause.DOUBLE_FAULT if event.vector == x86.DOUBLE_FAULT else Cause.FAULT
            return Finding(cause, x86.describe_fault(event))
    return None


def _failed_check(record: Record) -> Optional[Finding]:
    checks = record.all(CheckFailed)
    if not checks:
        return None
    more = f" (and {len(checks) - 1} more)" if len(checks) > 1 else ""
    return Finding(Cause.ASSERTION, describe_check(checks[0]) + more)


def describe_check(check: CheckFailed) -> str:
    kind = check.kind.upper()
    claim = f"{kind} {check.left} {check.relation} {check.right}" if check.relation else kind
    values = f": {check.left_value} against {check.right_value}" if check.relation else ""
    message = f": {check.message}" if check.message else ""
    return f"{claim}{values}{message}"


def _expected_fault(outcome: Outcome, record: Record) -> Optional[Finding]:
    faults = record.all(Fault)
    wanted = describe_outcome(outcome)
    if not faults:
        came = _unexpected_trap(record)
        return Finding(Cause.FAULT_MISSING, f"the expected fault never came: {wanted}",
                       (Difference("outcome", wanted, came.sentence if came else "nothing"),))
    differences = _fault_differences(outcome, faults[0])
    if differences:
        what = ", ".join(each.what for each in differences)
        return Finding(Cause.WRONG_FAULT, f"another fault came than declared: {what}", differences)
    return _failed_check(record) or _aftermath(record)


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


def _range(outcome: Outcome) -> str:
    if outcome.size_bytes == 1:
        return f"0x{outcome.start:x}"
    return f"0x{outcome.start:x} to 0x{outcome.start + outcome.size_bytes - 1:x}"


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


def _expected_panic(outcome: Outcome, record: Record) -> Optional[Finding]:
    panics = record.all(Panic)
    wanted = describe_outcome(outcome)
    if not panics:
        came = _unexpected_trap(record)
        return Finding(Cause.PANIC_MISSING, f"the expected panic never came: {wanted}",
                       (Difference("outcome", wanted, came.sentence if came else "nothing"),))
    if not compile_glob(outcome.text).fullmatch(panics[0].message):
        return Finding(Cause.WRONG_PANIC, "the kernel panicked with another message than declared",
                       (Difference("message", outcome.text, panics[0].message),))
    return _failed_check(record) or _aftermath(record)


def _aftermath(record: Record) -> Optional[Finding]:
    """A declared end is the end: no second one, of either kind."""
    traps = [event for event in record.events if isinstance(event, (Fault, Panic))]
    if len(traps) < 2:
        return None
    second = traps[1]
    words = f"panic: {second.message}" if isinstance(second, Panic) else x86.describe_fault(second)
    return Finding(Cause.AFTERMATH, f"after the declared end came another: {words}")


def describe_outcome(outcome: Outcome) -> str:
    """What a test declares, in words."""
    if outcome.kind is OutcomeKind.PASS:
        return "the test returns"
    if outcome.kind is OutcomeKind.PANIC:
        return f"panic: {outcome.text}"
    words = x86.describe_vector(outcome.vector)
    if outcome.size_bytes:
        words += f" at {_range(outcome)}"
    if outcome.ist:
        words += f" on interrupt stack {outcome.ist}"
    return f"{words} in {outcome.symbol}" if outcome.symbol else words
