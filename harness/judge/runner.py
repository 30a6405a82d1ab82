# SPDX-License-Identifier: MIT
"""Which boots there are, and what happens in each.

Tests share a boot unless they ask for their own. When one of them takes the machine down, those
behind it get another boot, so that no planned test is left without a verdict.
"""
from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Deque, Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from .elf import Image
from .judge import REFUSAL, Ending, Evidence, Judgement, Result, Stop, judge
from .machine import QEMU_LOG, Machine
from .model import (HOPELESS, Cause, Finding, Isolation, Needs, Reason, Scene, Test, Trouble,
                    Verdict)
from .protocol import (Broken, Event, Parser, SuiteBegan, SuiteEnded, TestBegan, TestClosed,
                       TestEnded, Totals)
from .qemu import (ConsoleData, Exited, Happening, MonitorMessage, ProtocolData, Qemu, QemuError,
                   read_tail)
from .selection import select, selector

CONSOLE_BYTES = 4 << 20
STREAM_BYTES = 1 << 20  # and as much as a test may need, for each of them:
STREAM_BYTES_PER_TEST = 64 << 10
MAX_RESUMED_BOOTS = 16
SCENE_LINES = 12
FOLDER_BYTES = 80  # of the 107 that a socket's whole path may have


@dataclass(frozen=True)
class Settings:
    timeout: float = 10.0
    isolates_all: bool = False
    stops_at_failure: bool = False
    keeps_folders: bool = False
    allowed_skips: Tuple[str, ...] = ()  # globs


@dataclass(frozen=True)
class Boot:
    """Tests that run in one life of the machine."""

    tests: Tuple[Test, ...]
    have: Needs


def plan(tests: Sequence[Test], machine: Machine, isolates_all: bool) -> List[Boot]:
    """One boot for all that allow it, then one each for the others."""
    alone = [test for test in tests if isolates_all or test.isolation is Isolation.BOOT]
    together = tuple(test for test in tests if test not in alone)
    groups = ([together] if together else []) + [(test,) for test in alone]
    return [Boot(group, _have(group, machine)) for group in groups]


def _have(tests: Sequence[Test], machine: Machine) -> Needs:
    needs = Needs(0)
    for test in tests:
        needs |= test.needs
    return machine.offers(needs)


class Runner:
    """Runs boots until each test has a verdict. `results` holds what is known so far."""

    def __init__(self, image: Image, machine: Machine, settings: Settings) -> None:
        self.results: List[Result] = []
        self.boots = 0
        self.folder = ""  # of the boot that runs
        self._image = image
        self._machine = machine
        self._settings = settings
        self._resumed = 0

    def run(self, tests: Sequence[Test]) -> Iterator[Tuple[Result, ...]]:
        """The results of each boot, as soon as it is over."""
        queue = deque(plan(tests, self._machine, self._settings.isolates_all))
        while queue:
            boot = queue.popleft()
            judgement = self._boot(boot)
            results = judgement.results + self._follow_up(boot, judgement, queue)
            self.results += results
            yield results
            if self._settings.stops_at_failure and any(
                    result.verdict > Verdict.SKIP for result in results):
                return

    def _follow_up(self, boot: Boot, judgement: Judgement, queue: Deque[Boot]
                   ) -> Tuple[Result, ...]:
        """Plans what has to come after this boot; returns verdicts for what cannot come."""
        if judgement.trouble in HOPELESS:
            left = [test for each in queue for test in each.tests]
            queue.clear()
            return _give_up(left, Trouble.ABANDONED, "not run, for the same would happen again: "
                            + judgement.trouble.value)
        if not judgement.unfinished or judgement.is_stopped:
            return ()
        self._resumed += 1
        if self._resumed > MAX_RESUMED_BOOTS:
            return _give_up(judgement.unfinished, Cause.TOO_MANY_BOOTS,
                            f"not run: {MAX_RESUMED_BOOTS} boots were resumed already")
        queue.appendleft(replace(boot, tests=judgement.unfinished))
        return ()

    def _boot(self, boot: Boot) -> Judgement:
        self.boots += 1
        folder = _private_folder()
        self.folder = str(folder)
        started = time.monotonic()
        evidence, scene = self._run(boot, folder)
        judgement = judge(evidence)
        if self._lacks_qboot(judgement, evidence):
            self._clean_up()
            self._machine = replace(self._machine, has_qboot=False)
            self.boots -= 1
            return self._boot(boot)
        scene = replace(scene, seconds=time.monotonic() - started)
        is_good = all(result.verdict <= Verdict.SKIP for result in judgement.results)
        if is_good and not self._settings.keeps_folders:
            self._clean_up()
            scene = replace(scene, folder="")
        return replace(judgement, results=tuple(replace(result, scene=scene)
                                                for result in judgement.results))

    def _clean_up(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = ""

    def _lacks_qboot(self, judgement: Judgement, evidence: Evidence) -> bool:
        """This QEMU comes without the fast firmware: the slow one will do."""
        return (judgement.trouble is Trouble.NOT_STARTED and self._machine.has_qboot
                and "qboot.rom" in evidence.log)

    def _run(self, boot: Boot, folder: Path) -> Tuple[Evidence, Scene]:
        nonce = os.urandom(8).hex()
        command = self._machine.command(folder, self._arguments(boot, nonce), boot.have)
        (folder / "command").write_text(shlex.join(command) + "\n")
        watch = Watch(boot.tests, self._settings, folder)
        try:
            with Qemu(command, folder) as qemu:
                watch.follow(qemu)
                log = qemu.log()
        except QemuError as error:
            watch.ending, log = Ending(status=1), f"{error}\n{error.log}"
        evidence = Evidence(
            expected=boot.tests, registered=len(self._image.tests), build_id=self._image.build_id,
            nonce=nonce, events=tuple(watch.events), ending=watch.ending,
            symbol_names=lambda address: self._image.symbols.names(address),
            have=boot.have, may_skip=self._may_skip(boot), timeout=self._settings.timeout,
            is_cut=watch.is_cut, has_spoken=watch.has_spoken, orders=tuple(watch.orders),
            console=watch.console, log=log)
        scene = Scene(self.boots, tuple(command), str(folder), watch.last_lines, log,
                      watch.registers)
        return evidence, scene

    def _may_skip(self, boot: Boot) -> FrozenSet[str]:
        allowed = self._settings.allowed_skips
        return frozenset(test.full_name for test in select(boot.tests, allowed) if allowed)

    def _arguments(self, boot: Boot, nonce: str) -> str:
        words = [f"ktest.nonce={nonce}"]
        chosen = selector(boot.tests, self._image.tests)
        if chosen:
            words.append(f"ktest.select={chosen}")
        have = ",".join(str(need.name).lower() for need in Needs if need in boot.have)
        return " ".join(words + ([f"ktest.have={have}"] if have else []))


def _give_up(tests: Sequence[Test], reason: Reason, sentence: str) -> Tuple[Result, ...]:
    return tuple(Result(test, Verdict.ERROR, Finding(reason, sentence)) for test in tests)


def _private_folder() -> Path:
    parent = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="faultline-",
                                 dir=parent if len(parent) <= FOLDER_BYTES else "/tmp"))


class Watch:
    """Follows one boot: takes what happens, keeps the clock, and says when it is enough."""

    def __init__(self, tests: Sequence[Test], settings: Settings, folder: Path) -> None:
        self.events: List[Event] = []
        self.ending = Ending()
        self.orders: List[str] = []
        self.has_spoken = False
        self.registers = ""
        self._timeout = settings.timeout
        self._stops_at_failure = settings.stops_at_failure
        self._limits = {test.full_name: test.timeout_ms / 1000 or settings.timeout
                        for test in tests}
        self._parser = Parser(STREAM_BYTES + STREAM_BYTES_PER_TEST * len(tests))
        self._console = bytearray()
        self._folder = folder
        self._exited: Optional[Exited] = None
        self._stop: Optional[Stop] = None
        self._shutdown = self._vm_status = ""
        now = time.monotonic()
        # All of them at their slowest, and as long again for start and end.
        self._last_deadline = now + sum(self._limits.values()) + 2 * settings.timeout
        self._deadline = now + settings.timeout

    @property
    def is_cut(self) -> bool:
        return self._parser.is_cut

    @property
    def console(self) -> str:
        text = self._console.decode("utf-8", "backslashreplace")
        return re.sub("\r*\n", "\n", text)  # the pty adds carriage returns

    @property
    def last_lines(self) -> str:
        return "\n".join(self.console.splitlines()[-SCENE_LINES:])

    def follow(self, qemu: Qemu) -> None:
        """Until the process has ended, or has to."""
        with open(self._folder / "protocol.log", "wb", buffering=0) as self._protocol_log, \
                open(self._folder / "console.log", "wb", buffering=0) as self._console_log:
            while self._exited is None and self._stop is None:
                self._step(qemu)
        if self._stop in (Stop.HANG, Stop.TOO_LONG, Stop.VM_STOPPED):
            self.registers = str(
                qemu.ask("human-monitor-command", command_line="info registers") or "")
        qemu.kill()
        self.ending = self._conclude()

    def _step(self, qemu: Qemu) -> None:
        deadline = min(self._deadline, self._last_deadline)
        happenings = qemu.wait(max(0.0, deadline - time.monotonic()))
        for happening in happenings:
            self._take(happening, qemu)
        if self._exited is None and self._stop is None and time.monotonic() >= deadline:
            self._stop = Stop.HANG if deadline == self._deadline else Stop.TOO_LONG

    def _take(self, happening: Happening, qemu: Qemu) -> None:
        if isinstance(happening, ProtocolData):
            self._take_protocol(happening.data, qemu)
        elif isinstance(happening, ConsoleData):
            self._console_log.write(happening.data)
            self._console += happening.data
            if len(self._console) > CONSOLE_BYTES:
                self._stop = Stop.CONSOLE_FLOOD
            elif not self.has_spoken and REFUSAL.search(self.console):
                self._stop = Stop.REFUSED
        elif isinstance(happening, MonitorMessage):
            self._take_message(happening, qemu)
        else:
            self._exited = happening

    def _take_protocol(self, data: bytes, qemu: Qemu) -> None:
        self.has_spoken = True
        self._protocol_log.write(data)
        for event in self._parser.feed(data):
            self.events.append(event)
            self._keep_time(event)
            if isinstance(event, Broken):
                self._stop = Stop.BROKEN
            failed = isinstance(event, TestEnded) and event.verdict > Verdict.SKIP
            if failed and self._stops_at_failure and not self.orders and qemu.order("stop"):
                self.orders.append("stop")

    def _keep_time(self, event: Event) -> None:
        """What moves the run on restarts the clock. What a test reports does not."""
        if isinstance(event, TestBegan):
            self._deadline = time.monotonic() + self._limits.get(event.name, self._timeout)
        elif isinstance(event, (SuiteBegan, TestClosed, SuiteEnded, Totals)):
            self._deadline = time.monotonic() + self._timeout

    def _take_message(self, happening: MonitorMessage, qemu: Qemu) -> None:
        message = happening.message
        if message.get("event") == "SHUTDOWN":
            self._shutdown = str(_dictionary(message.get("data")).get("reason", ""))
        elif message.get("event") == "STOP" and not self._shutdown:
            status = _dictionary(qemu.ask("query-status")).get("status", "")
            self._vm_status = str(status or "for reasons that it keeps to itself")
            self._stop = Stop.VM_STOPPED

    def _conclude(self) -> Ending:
        log = self._folder / QEMU_LOG
        has_triple_fault = "Triple fault" in read_tail(log)
        exited = self._exited or Exited(None, None)
        return Ending(exited.status, exited.signal, self._stop, self._shutdown, has_triple_fault,
                      self._vm_status)


def _dictionary(value: object) -> Dict[str, object]:
    return value if isinstance(value, dict) else {}
