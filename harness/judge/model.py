# SPDX-License-Identifier: MIT
"""What the harness knows: tests as the ELF file declares them, and verdicts with their causes.

A cause belongs to one test; a trouble discredits everything its boot said, so that each of the
boot's tests ends as an error. Both have names of their own, which reports and tests rely on.
"""
from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple, Union

ROOT = Path(__file__).resolve().parents[2]  # the project that the folder harness/ is part of


class Verdict(enum.IntEnum):
    """Ordered: the worst of several wins."""

    PASS = 0
    SKIP = 1
    FAIL = 2  # the code under test
    ERROR = 3  # the test, or what surrounds it

    @property
    def word(self) -> str:
        return self.name.lower()


class Cause(enum.Enum):
    """Why one test did not pass."""

    # The code under test.
    ASSERTION = "assertion"
    REPORTED = "reported"
    FAULT = "fault"
    DOUBLE_FAULT = "double-fault"
    PANIC = "panic"
    FAULT_MISSING = "fault-missing"
    PANIC_MISSING = "panic-missing"
    WRONG_FAULT = "wrong-fault"
    WRONG_PANIC = "wrong-panic"
    TRIPLE_FAULT_MISSING = "triple-fault-missing"
    HANG_MISSING = "hang-missing"
    UNARMED = "unarmed"
    AFTERMATH = "aftermath"
    TRIPLE_FAULT = "triple-fault"
    RESET = "reset"
    POWER_OFF = "power-off"
    EXITED = "exited"
    HANG = "hang"
    VM_STOPPED = "vm-stopped-in-test"
    KNOWN_BUG_GONE = "known-bug-gone"
    # The test itself, or its surroundings.
    GUEST_ERROR = "guest-error"
    DISAGREEMENT = "disagreement"
    NO_CHECKS = "no-checks"
    UNEXPLAINED_SKIP = "unexplained-skip"
    BENCH = "bench"
    NOT_SWEPT = "not-swept"
    NOT_SKIPPED = "not-skipped"
    TOO_MANY_BOOTS = "too-many-boots"
    NOT_RUN = "not-run"
    # Not a failure.
    SKIPPED = "skipped"
    KNOWN_BUG = "known-bug"


class Trouble(enum.Enum):
    """Why nothing that a boot said can be believed."""

    # The machine.
    NOT_STARTED = "qemu-not-started"
    WRONG_QEMU = "wrong-qemu"
    WRONG_ACCELERATOR = "wrong-accelerator"
    NOTHING_TO_BOOT = "nothing-to-boot"
    NEVER_BEGAN = "kernel-never-began"
    TESTS_NEVER_BEGAN = "tests-never-began"
    DIED_EARLY = "died-before-tests"
    REFUSED = "run-refused"
    DIED_BETWEEN = "died-between-tests"
    HUNG_BETWEEN = "hung-between-tests"
    OUTSIDE_PANIC = "panic-outside-test"
    VM_STOPPED = "vm-stopped"
    SECOND_BOOT = "second-boot"
    KILLED = "killed"
    QEMU_CRASHED = "qemu-crashed"
    DISK_FULL = "disk-full"
    CONSOLE_FLOOD = "console-flood"
    MONITOR_FLOOD = "monitor-flood"
    MONITOR_GARBAGE = "monitor-garbage"
    LOG_FLOOD = "log-flood"
    TOO_LONG = "boot-too-long"
    ABANDONED = "abandoned"
    # The stream.
    FLOOD = "flood"
    GARBAGE = "garbage"
    ECHO = "echo"
    CONTROL_CHARACTER = "control-character"
    NOT_ASCII = "not-ascii"
    LINE_TOO_LONG = "line-too-long"
    WRONG_PROTOCOL = "wrong-protocol"
    SECOND_HEADER = "second-header"
    DISORDER = "disorder"
    DUPLICATE = "duplicate"
    NUMBERING = "numbering"
    PLAN = "plan-broken"
    CONTRADICTION = "contradiction"
    TOTALS = "wrong-totals"
    CHECKSUM = "checksum"
    LINE_COUNT = "line-count"
    AFTER_TOTALS = "after-totals"
    TRUNCATED = "truncated"
    # The stream against what the harness knows.
    WRONG_NONCE = "wrong-nonce"
    WRONG_IMAGE = "wrong-image"
    WRONG_REGISTRY = "wrong-registry"
    WRONG_SELECTION = "wrong-selection"
    WRONG_SEED = "wrong-seed"
    WRONG_MACHINE = "wrong-machine"
    UNPLANNED_TEST = "unplanned-test"
    MISSING_TEST = "missing-test"
    UNASKED_ORDER = "unasked-order"
    # The end.
    EXIT_WITHOUT_TOTALS = "exit-without-totals"
    TOTALS_WITHOUT_EXIT = "totals-without-exit"
    WRONG_STATUS = "wrong-exit-status"
    NOT_REPEATED = "not-repeated"


Reason = Union[Cause, Trouble]

# Troubles that the next boot would meet again.
HOPELESS = frozenset(
    {Trouble.NOT_STARTED, Trouble.WRONG_QEMU, Trouble.WRONG_ACCELERATOR, Trouble.NOTHING_TO_BOOT,
     Trouble.NEVER_BEGAN, Trouble.TESTS_NEVER_BEGAN, Trouble.DIED_EARLY, Trouble.REFUSED,
     Trouble.WRONG_IMAGE, Trouble.WRONG_REGISTRY, Trouble.DISK_FULL, Trouble.LOG_FLOOD})


class OutcomeKind(enum.IntEnum):
    PASS = 0
    PANIC = 1
    FAULT = 2
    TRIPLE_FAULT = 3
    HANG = 4


@dataclass(frozen=True)
class Outcome:
    """How a test has to end."""

    kind: OutcomeKind = OutcomeKind.PASS
    vector: int = 0
    error: int = 0
    mask: int = 0  # 0: every bit of the error code counts
    start: int = 0
    size_bytes: int = 0  # 0: the address is not checked
    ist: int = 0  # 0: any
    text: str = ""
    symbol: str = ""  # "": not checked


class Isolation(enum.IntEnum):
    NONE = 0
    BOOT = 1


class Needs(enum.IntFlag):
    VGA = 1
    FULL_CPU = 2
    ACPI = 4
    APIC = 8
    LOADER = 16
    PC = 32


class Speed(enum.IntEnum):
    NORMAL = 0
    SLOW = 1
    VERY_SLOW = 2

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


class Inject(enum.IntEnum):
    """What the harness does to the machine when the test arms itself."""

    NONE = 0
    NMI = 1
    MACHINE_CHECK = 2


class Accel(enum.IntEnum):
    TCG = 1
    KVM = 2
    ICOUNT = 3  # TCG that counts instructions: what holds of TCG holds of it as well
    BOCHS = 4  # no QEMU

    @property
    def is_tcg(self) -> bool:
        return self in (Accel.TCG, Accel.ICOUNT)


@dataclass(frozen=True)
class Quirk:
    """A machine on which a test can't run, or has to end in another way."""

    outcome: Outcome
    accel: Accel
    since: int = 0  # the first version, as 100 * major + minor; 0: any
    before: int = 0  # the first that it no longer holds for; 0: none
    skip: Optional[str] = None  # why the test is skipped there, if it is


@dataclass(frozen=True)
class Test:
    """A record of .ktests, or one parameter of it."""

    __test__ = False  # not a class of tests, whatever pytest thinks

    suite: str
    name: str
    file: str = ""
    line: int = 0
    outcome: Outcome = Outcome()
    isolation: Isolation = Isolation.NONE
    timeout_ms: int = 0
    needs: Needs = Needs(0)
    proves: Tuple[str, ...] = ()
    speed: Speed = Speed.NORMAL
    inject: Inject = Inject.NONE
    fail_nth: int = 0  # so many allocations at most have to fail in turn; 0: none has to
    quirks: Tuple[Quirk, ...] = ()
    known_bug: Optional[str] = None  # why it fails as yet
    index: Optional[int] = None  # which parameter it has
    is_bench: bool = False

    @property
    def record_name(self) -> str:
        """Without the index: what all parameters of a record have in common."""
        return f"{self.suite}.{self.name}"

    @property
    def short_name(self) -> str:
        return self.name if self.index is None else f"{self.name}/{self.index}"

    @property
    def full_name(self) -> str:
        return f"{self.suite}.{self.short_name}"

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Difference:
    """One thing that was expected beside what came."""

    what: str
    expected: str
    actual: str


@dataclass(frozen=True)
class Finding:
    """What a check of the evidence found wrong."""

    reason: Reason
    sentence: str
    differences: Tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A place in the kernel's code, as far as it is known."""

    address: int
    function: str = ""
    offset: int = 0
    place: str = ""
    is_inlined: bool = False


@dataclass(frozen=True)
class Trap:
    """An exception as QEMU saw it."""

    vector: int
    address: int  # of the instruction
    error: int = 0
    cr2: int = 0  # of a page fault
    is_delivered: bool = True  # False: came while the one before it was to be delivered


@dataclass(frozen=True)
class Encore:
    """What died of a triple fault, a test or a whole boot, has run once more to be looked at."""

    has_died: bool  # in the same way
    traps: Tuple[Trap, ...] = ()
    registers: str = ""  # of the CPU when it died


@dataclass(frozen=True)
class Scene:
    """What remains of a boot when it is over: enough to explain and to repeat it."""

    number: int
    command: Tuple[str, ...] = ()
    folder: str = ""
    console: str = ""  # the last lines
    log: str = ""  # what QEMU itself had to say
    registers: str = ""  # of the CPU when it was killed
    has_triple_fault: bool = False
    seconds: float = 0.0
    seed: Optional[int] = None  # of the order in which the tests ran
    encore: Optional[Encore] = None


class Interrupted(BaseException):
    """A signal came, or the user has left the run in gdb."""


class Refusal(Exception):
    """The harness cannot go on: a sentence for the user, a log behind it, the exit status."""

    def __init__(self, sentence: str, log: str = "", status: int = 99) -> None:
        super().__init__(sentence)
        self.log = log
        self.status = status
