# SPDX-License-Identifier: MIT
"""One boot as it happens: takes what comes, keeps the clock, and steps in where it has to.

The kernel ends a test that hangs by its own watchdog. The harness is the backstop: it waits much
longer, sends NMIs, which end the test as well, and only then kills the machine. Time on the wall
says little on a busy host: a QEMU that got no CPU time is waited for.
"""
from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .evidence import Ending, Intervention, Stop
from .judge import REFUSAL
from .look import keep_remains, registers_text
from .machine import HIDE_THE_TPM
from .model import Inject, Test, Verdict
from .protocol import (Armed, Broken, Event, Hang, Parser, Rerun, Restart, SuiteBegan, SuiteEnded,
                       TestBegan, TestClosed, TestEnded, Totals)
from .qemu import (Channels, ConsoleData, Exited, Happening, MonitorBroken, MonitorMessage,
                   ProtocolData, Wish, has_triple_fault, read_tail)
from .terms import version_of

CONSOLE_BYTES = 4 << 20
STREAM_BYTES = 1 << 20  # and as much as a test may need, for each of them:
STREAM_BYTES_PER_TEST = 64 << 10
STREAM_BYTES_PER_RUN = 1 << 10  # of those with an allocation that fails
REFUSAL_BYTES = 1024
SCENE_LINES = 12

# The kernel's watchdog gives each function of a test its whole time: with fixtures three, and what
# comes between them. Whatever is longer, the watchdog should have ended.
FUNCTIONS_PER_TEST = 3
GRACE_SECONDS = 5.0
SLOW_FACTOR = 10  # so many times as long for a QEMU that the host gives no CPU time
NMIS = 3  # one may meet the kernel while it handles another
NMI_SECONDS = 1.0
FIRMWARE_SECONDS = 60.0  # UEFI's takes 1 on a quiet host

# QMP commands by what a test asks for, and how it is called.
INJECTIONS: Mapping[Inject, Tuple[str, str, Dict[str, str]]] = {
    Inject.NMI: ("an NMI", "inject-nmi", {}),
    Inject.MACHINE_CHECK: ("a machine check", "human-monitor-command",
                           {"command_line": "mce 0 0 0xb200000000000000 0 0 0"}),
}


class Turn:
    """The test that runs now."""

    def __init__(self, test: Test, timeout: float, cpu_seconds: float) -> None:
        self.name = test.full_name
        self.inject = test.inject
        self.timeout = test.timeout_ms / 1000 or timeout
        self.limit = limit_of(test, timeout)
        self.began = time.monotonic()
        self.cpu_began = cpu_seconds
        self.nmis = 0
        self.is_injected = False

    def run_again(self, cpu_seconds: float) -> None:
        """With the time of a test that begins."""
        self.began = time.monotonic()
        self.cpu_began = cpu_seconds
        self.nmis = 0


def limit_of(test: Test, timeout: float) -> float:
    """How long the wall's clock may show between begin and end before the harness steps in."""
    return FUNCTIONS_PER_TEST * (test.timeout_ms / 1000 or timeout) + GRACE_SECONDS


def stream_bytes(tests: Sequence[Test]) -> int:
    """More than these tests may need."""
    return STREAM_BYTES + sum(STREAM_BYTES_PER_TEST + STREAM_BYTES_PER_RUN * test.fail_nth
                              for test in tests)


class Watch:
    """Follows one boot, and says when it is enough.

    The machine waits (-S) until its monitor has been greeted: a death before that would be seen by
    nobody, and a QEMU that has to end while it answers a first question may wait for itself.
    """

    starts_the_machine = True

    def __init__(self, tests: Sequence[Test], timeout: float, stops_at_failure: bool,
                 folder: Path, keeps_the_dead: bool = False) -> None:
        self.events: List[Event] = []
        self.ending = Ending()
        self.orders: List[str] = []
        self.interventions: List[Intervention] = []
        self.greeted_version: Optional[int] = None
        self.has_kvm: Optional[bool] = None
        self.is_connected = False
        self.screen = ""
        self.has_spoken = False
        self.registers = ""
        self.waited = 0.0
        self._timeout = timeout
        self._stops_at_failure = stops_at_failure
        self._tests = {test.full_name: test for test in tests}
        self._parser = Parser(stream_bytes(tests))
        self._console = bytearray()
        self._folder = folder
        self._keeps_the_dead = keeps_the_dead  # QEMU does: it stops where it would end
        self._turn: Optional[Turn] = None
        self._exited: Optional[Exited] = None
        self._stop: Optional[Stop] = None
        self._shutdown = self._vm_status = ""
        self._kvm_question = 0
        self._preparation: Sequence[str] = ()  # the monitor's, before the machine runs
        now = time.monotonic()
        # All of them at their slowest, one of them longer, and as long again for start and end.
        self._last_deadline = (now + sum(test.timeout_ms / 1000 or timeout for test in tests)
                               + max((limit_of(test, timeout) for test in tests), default=0.0)
                               + 2 * timeout)
        self._deadline = now + timeout

    @property
    def is_cut(self) -> bool:
        return self._parser.is_cut

    @property
    def console(self) -> str:
        text = self._console.decode("utf-8", "backslashreplace")
        return re.sub("\r*\n", "\n", text)  # a terminal's end of a line is both

    @property
    def last_lines(self) -> str:
        return "\n".join(self.console.splitlines()[-SCENE_LINES:])

    def follow(self, qemu: Channels) -> Iterator[Wish]:
        """Until the process has ended, or has to. Yields what it waits for."""
        with open(self._folder / "protocol.log", "wb", buffering=0) as self._protocol_log, \
                open(self._folder / "console.log", "wb", buffering=0) as self._console_log:
            while self._exited is None and self._stop is None:
                yield qemu.wish(self._next_deadline)
                self._step(qemu)
        if self._stop in (Stop.HANG, Stop.TOO_LONG, Stop.VM_STOPPED):
            self.registers = keep_remains(qemu, self._folder)
            self.screen = read_tail(self._folder / "screen.txt")
        if self._turn is not None:
            self.waited = time.monotonic() - self._turn.began
        self.is_connected = qemu.is_connected
        qemu.kill()
        self.ending = self._conclude()

    def _step(self, qemu: Channels) -> None:
        for happening in qemu.wait(0.0):
            self._take(happening, qemu)
        is_over = self._exited is not None or self._stop is not None
        if not is_over and time.monotonic() >= self._next_deadline:
            self._expire(qemu)

    @property
    def _next_deadline(self) -> float:
        return min(self._deadline, self._last_deadline)

    # --- The backstop -----------------------------------------------------------------------------

    def _expire(self, qemu: Channels) -> None:
        turn = self._turn
        if self._last_deadline < self._deadline:
            self._stop = Stop.TOO_LONG
        elif turn is None:
            self._stop = Stop.HANG
        elif turn.nmis == 0 and _is_starved(turn, qemu):
            self._extend(turn.limit)
        elif turn.nmis < NMIS:
            turn.nmis += 1
            refusal = qemu.ask("inject-nmi").refusal
            self.interventions.append(Intervention(turn.name, "an NMI", True, refusal))
            self._extend(NMI_SECONDS)
        else:
            self._stop = Stop.HANG

    def wait_for_firmware(self) -> None:
        """Before the kernel's time to begin, UEFI's has its own."""
        self._extend(FIRMWARE_SECONDS + self._timeout)
        self._preparation = HIDE_THE_TPM

    def _extend(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._last_deadline += seconds

    def _inject(self, turn: Turn, qemu: Channels) -> None:
        """What the test declares to need from outside, at its first word."""
        if turn.is_injected or turn.inject not in INJECTIONS:
            return
        turn.is_injected = True
        what, execute, arguments = INJECTIONS[turn.inject]
        answer = qemu.ask(execute, **arguments)
        words = answer.value if isinstance(answer.value, str) else ""  # HMP speaks up if it fails
        self.interventions.append(Intervention(turn.name, what, False,
                                               answer.refusal or words.strip()))

    # --- What comes -------------------------------------------------------------------------------

    def _take(self, happening: Happening, qemu: Channels) -> None:
        if isinstance(happening, ProtocolData):
            self._take_protocol(happening.data, qemu)
        elif isinstance(happening, ConsoleData):
            self._console_log.write(happening.data)
            self._console += happening.data
            if len(self._console) > CONSOLE_BYTES:
                self._stop = Stop.CONSOLE_FLOOD
            elif not self.has_spoken and self._refuses(len(happening.data)):
                self._stop = Stop.REFUSED
        elif isinstance(happening, MonitorMessage):
            self._take_message(happening, qemu)
        elif isinstance(happening, MonitorBroken):
            self._stop = Stop.MONITOR_FLOOD if happening.is_flood else Stop.MONITOR_GARBAGE
        else:
            self._exited = happening

    def _refuses(self, new_bytes: int) -> bool:
        """Looks at what is new, and at as much before it as a refusal may be long."""
        text = self._console[-new_bytes - REFUSAL_BYTES:].decode("utf-8", "backslashreplace")
        return REFUSAL.search(text) is not None

    def _take_protocol(self, data: bytes, qemu: Channels) -> None:
        self.has_spoken = True
        self._protocol_log.write(data)
        for event in self._parser.feed(data):
            self.events.append(event)
            self._keep_time(event, qemu)
            if isinstance(event, Broken):
                self._stop = Stop.BROKEN
            failed = isinstance(event, TestEnded) and event.verdict > Verdict.SKIP
            if failed and self._stops_at_failure and not self.orders and qemu.order("stop"):
                self.orders.append("stop")

    def _keep_time(self, event: Event, qemu: Channels) -> None:
        """What moves the run on restarts the clock. What a test reports does not, unless it is
        that our NMI has ended it: its fixtures follow."""
        if isinstance(event, TestBegan):
            test = self._tests.get(event.name, Test("", event.name))
            self._turn = Turn(test, self._timeout, qemu.cpu_seconds())
            self._deadline = self._turn.began + self._turn.limit
        elif isinstance(event, Rerun) and self._turn is not None:
            self._turn.run_again(qemu.cpu_seconds())
            self._extend(self._turn.limit)
        elif isinstance(event, (SuiteBegan, TestClosed, SuiteEnded, Restart, Totals)):
            self._turn = None
            self._deadline = time.monotonic() + self._timeout
        elif isinstance(event, Armed) and self._turn is not None:
            self._inject(self._turn, qemu)
        elif isinstance(event, Hang) and self._turn is not None and self._turn.nmis:
            self._extend(self._turn.limit)

    def _take_message(self, happening: MonitorMessage, qemu: Channels) -> None:
        message = happening.message
        if "QMP" in message:
            self.greeted_version = _version(message)
            self._kvm_question = qemu.request("query-kvm", {})
            for line in self._preparation:
                qemu.request("human-monitor-command", {"command-line": line})
            if self.starts_the_machine:
                qemu.request("cont", {})
        elif self._kvm_question and message.get("id") == self._kvm_question:
            is_enabled = _dictionary(message.get("return")).get("enabled")
            self.has_kvm = is_enabled if isinstance(is_enabled, bool) else None
        elif message.get("event") == "SHUTDOWN":
            self._take_shutdown(str(_dictionary(message.get("data")).get("reason", "")), qemu)
        elif message.get("event") == "STOP" and not self._shutdown:
            status = _dictionary(qemu.ask("query-status").value).get("status", "")
            self._vm_status = str(status or "for reasons that it keeps to itself")
            self._stop = Stop.VM_STOPPED

    def _take_shutdown(self, reason: str, qemu: Channels) -> None:
        if self._keeps_the_dead and not self._shutdown:
            self.registers = keep_remains(qemu, self._folder)
            qemu.ask("quit")
        self._shutdown = self._shutdown or reason

    def _conclude(self) -> Ending:
        exited = self._exited or Exited(None, None)
        return Ending(exited.status, exited.signal, self._stop, self._shutdown,
                      has_triple_fault(self._folder), self._vm_status)


def _dictionary(value: object) -> Dict[str, object]:
    return value if isinstance(value, dict) else {}


def _version(greeting: Mapping[str, object]) -> Optional[int]:
    version = _dictionary(_dictionary(greeting.get("QMP")).get("version"))
    numbers = _dictionary(version.get("qemu"))
    major, minor = numbers.get("major"), numbers.get("minor")
    if not isinstance(major, int) or not isinstance(minor, int):
        return None
    return version_of((major, minor))


def _is_starved(turn: Turn, qemu: Channels) -> bool:
    """The host gave QEMU so little time that the test can't have used up its own. A halted CPU
    needs none."""
    if time.monotonic() - turn.began >= SLOW_FACTOR * turn.limit:
        return False
    has_used = qemu.cpu_seconds() - turn.cpu_began
    return has_used < turn.timeout and "HLT=1" not in registers_text(qemu)
