# SPDX-License-Identifier: MIT
"""What is known of one boot, and what is made of it: data between runner, judge and report."""
from __future__ import annotations

import enum
import signal
from dataclasses import dataclass
from typing import Callable, FrozenSet, List, Optional, Sequence, Tuple, Type, TypeVar

from .model import Finding, Scene, Test, Trouble, Verdict
from .protocol import Event, TestBegan, TestClosed, TestEnded
from .terms import Facts

# What the exit device makes of the kernel's values: value * 2 + 1.
STATUS_OK, STATUS_FAIL, STATUS_ERROR, STATUS_PANIC, STATUS_RESTART = 33, 35, 37, 39, 41

# Reasons of the QMP event SHUTDOWN that come from outside of the guest.
OUTSIDE_REASONS = ("host-signal", "host-qmp-quit", "host-ui", "host-error")

SpecificEvent = TypeVar("SpecificEvent")
SymbolNames = Callable[[int], FrozenSet[str]]


class Stop(enum.Enum):
    """Why the harness itself put an end to the machine."""

    HANG = "hang"
    TOO_LONG = "too long"
    BROKEN = "broken stream"
    CONSOLE_FLOOD = "flood on the console"
    VM_STOPPED = "stopped VM"
    REFUSED = "refused"
    MONITOR_FLOOD = "flood of the monitor"
    MONITOR_GARBAGE = "garbage from the monitor"
    DISK_FULL = "disk full"
    CUT = "the end of what can be read"


class Unseen(enum.Enum):
    """What nobody can see of a run that the harness did not start: it is not judged, and the
    report says so. Of a run in QEMU all of it is seen, of one in Bochs all but its end."""

    NONCE = "nonce"
    END = "exit status and process state"
    ORDERS = "orders"
    TIME = "time"
    SEAL = "totals and checksum"


# How a program ends by its own mistakes. QEMU is told to end by others, or by the user.
CRASHES = frozenset((signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE,
                     signal.SIGSYS, signal.SIGTRAP))


@dataclass(frozen=True)
class Ending:
    """How the process ended, and what QEMU said of it."""

    status: Optional[int] = None
    signal: Optional[int] = None
    stop: Optional[Stop] = None
    shutdown: str = ""  # the reason in QMP's event SHUTDOWN
    has_triple_fault: bool = False
    vm_status: str = ""
    program: str = "QEMU"

    @property
    def is_from_outside(self) -> bool:
        if self.stop is not None:
            return False
        return self.signal is not None or self.shutdown in OUTSIDE_REASONS

    @property
    def is_crash(self) -> bool:
        """QEMU itself came to grief."""
        return self.stop is None and self.signal in CRASHES

    @property
    def is_log_flood(self) -> bool:
        """It wrote more into a file than it may."""
        return self.stop is None and self.signal == signal.SIGXFSZ

    def describe(self) -> str:
        if self.signal is not None:
            how = "itself crashed:" if self.is_crash else "was killed by"
            return f"{self.program} {how} signal {self.signal} ({signal.strsignal(self.signal)})"
        if self.is_from_outside:
            return f"{self.program} was told to end from outside ({self.shutdown})"
        if self.has_triple_fault:
            return "triple fault: an exception could not be delivered, and the machine reset itself"
        if self.status == 0 and self.shutdown == "guest-reset":
            return "the machine reset itself"
        if self.status == 0 and self.shutdown == "guest-shutdown":
            return "the machine powered itself off"
        return f"{self.program} ended with status {self.status}"


@dataclass(frozen=True)
class Intervention:
    """Something that the harness did to the machine while a test ran."""

    test: str
    what: str  # such as "an NMI"
    is_rescue: bool  # the test hung; otherwise it had asked for it
    refusal: str = ""  # what QEMU said instead of doing it

    def describe(self) -> str:
        why = "for it did not end" if self.is_rescue else "as it asks for"
        how = f"could not be injected ({self.refusal})" if self.refusal else "was injected"
        return f"{self.what} {how}, {why}"


@dataclass(frozen=True)
class Evidence:
    """All that is known of one boot."""

    expected: Tuple[Test, ...]  # in the order in which they have to run
    registered: int
    build_id: str
    nonce: str
    events: Tuple[Event, ...]
    ending: Ending
    symbol_names: SymbolNames
    seed: Optional[int] = None
    facts: Facts = Facts()
    is_connected: bool = True  # to its monitor, as every QEMU is before it runs anything
    no_qemu: str = ""  # why what ran is no QEMU, if it is none
    greeted_version: Optional[int] = None  # what QEMU said of itself when it ran
    has_kvm: Optional[bool] = None  # and of its accelerator
    screen: str = ""  # its lines, as the harness gave up
    may_skip: FrozenSet[str] = frozenset()  # names of tests that may skip themselves
    timeout: float = 10.0
    waited: float = 0.0  # for the test that was open when the harness gave up
    interventions: Tuple[Intervention, ...] = ()
    deviation: str = ""  # from an earlier boot that this one had to repeat
    is_cut: bool = False  # the stream ends in the middle of a line
    has_spoken: bool = False  # something came on COM2
    orders: Tuple[str, ...] = ()
    console: str = ""
    log: str = ""
    fail_nth: Optional[int] = None  # what the kernel was told of that: 0 for all allocations
    unseen: Tuple[Unseen, ...] = ()  # only a run that QEMU has no part in may have any

    @property
    def says_nothing(self) -> bool:
        """Neither the kernel nor the firmware came to a word."""
        return not self.has_spoken and not self.console.strip()


@dataclass(frozen=True)
class Record:
    """What the guest said between begin and end of a test, and what was done to it."""

    name: str
    events: Tuple[Event, ...]
    is_closed: bool
    interventions: Tuple[Intervention, ...] = ()

    @property
    def end(self) -> Optional[TestEnded]:
        return next(iter(self.all(TestEnded)), None)

    @property
    def was_rescued(self) -> bool:
        return any(each.is_rescue for each in self.interventions)

    def all(self, kind: Type[SpecificEvent]) -> List[SpecificEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass(frozen=True)
class Result:
    test: Test
    verdict: Verdict
    finding: Optional[Finding] = None
    record: Optional[Record] = None
    scene: Optional[Scene] = None
    restart: str = ""  # why the kernel needed another boot behind this test

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
    is_orderly: bool = False  # or because the boot had to end there, and nobody is to blame
    trouble: Optional[Trouble] = None


def collect(events: Sequence[Event], interventions: Sequence[Intervention] = ()) -> List[Record]:
    """The events by test. What came outside of every test is left out."""
    records: List[Record] = []
    inside: Optional[List[Event]] = None
    for event in events:
        if isinstance(event, TestBegan):
            inside = []
            done = tuple(each for each in interventions if each.test == event.name)
            records.append(Record(event.name, (), False, done))
        elif inside is not None:
            inside.append(event)
            is_closed = isinstance(event, TestClosed)
            records[-1] = Record(records[-1].name, tuple(inside), is_closed,
                                 records[-1].interventions)
            inside = None if is_closed else inside
    return records


def only(events: Sequence[Event], kind: Type[SpecificEvent]) -> Optional[SpecificEvent]:
    return next((event for event in events if isinstance(event, kind)), None)
