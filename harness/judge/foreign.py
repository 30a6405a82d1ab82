# SPDX-License-Identifier: MIT
"""Runs that the harness did not start: on a machine behind a serial line, or in a log.

They are judged as those in QEMU are, by the same parser and the same rules, except for what nobody
can see of them. There is one boot and no other, so that tests which did not get their turn are in
error: a run that did not come to its end is no success.
"""
from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from typing import FrozenSet, Generator, List, Optional, Sequence, Tuple

from .crew import wait_for
from .elf import Image
from .evidence import Ending, Evidence, Result, Stop, Unseen, only
from .judge import judge
from .model import Cause, Finding, Refusal, Scene, Test, Verdict
from .order import in_order
from .protocol import Event, Parser, Totals
from .qemu import private_folder
from .selection import select
from .serial_line import LineWatch, SerialLine
from .sieve import Sieve
from .terminal import complain
from .told import Told
from .watch import SCENE_LINES, stream_bytes

LOG_BYTES = 64 << 20
LINE_BYTES = 160
STANDARD_INPUT = 0


@dataclass(frozen=True)
class Foreign:
    """What both kinds of them need to know."""

    image: Image
    told: Told
    allowed_skips: Tuple[str, ...] = ()
    timeout: float = 10.0
    stops_at_failure: bool = False
    keeps_folders: bool = False

    def evidence(self, tests: Sequence[Test], events: Sequence[Event], ending: Ending,
                 unseen: Sequence[Unseen]) -> Evidence:
        allowed: FrozenSet[str] = frozenset(
            test.full_name for test in select(tests, self.allowed_skips) if self.allowed_skips)
        return Evidence(
            expected=tuple(tests), registered=len(self.image.tests),
            build_id=self.image.build_id or "none", nonce=self.told.nonce, events=tuple(events),
            ending=ending, symbol_names=self.image.symbols.names, seed=self.told.seed,
            facts=self.told.facts, fail_nth=self.told.fail_nth, may_skip=allowed,
            timeout=self.timeout,
            unseen=(*([] if self.told.nonce else [Unseen.NONCE]), *unseen,
                    *([] if only(events, Totals) else [Unseen.SEAL])))


class ForeignRun:
    """Stands for a Runner: one boot, which is over or will be told of."""

    def __init__(self, foreign: Foreign) -> None:
        self.results: List[Result] = []
        self.boots = 0
        self.folders: List[str] = []
        self.unseen: Tuple[Unseen, ...] = ()
        self._foreign = foreign

    def run(self, tests: Sequence[Test], seed: Optional[int] = None
            ) -> Generator[Tuple[Result, ...], None, None]:
        started = time.monotonic()
        evidence, scene = self._follow(in_order(tests, seed))
        self.unseen, self.boots = evidence.unseen, 1
        judgement = judge(evidence)
        is_good = all(result.verdict <= Verdict.SKIP for result in judgement.results)
        if is_good and not self._foreign.keeps_folders:
            self._clean_up()
            scene = replace(scene, folder="")
        self.folders.clear()
        scene = replace(scene, number=1, seed=seed, seconds=time.monotonic() - started)
        self.results = [replace(result, scene=scene) for result in judgement.results]
        if not judgement.is_stopped or Unseen.ORDERS in evidence.unseen:
            self.results += _left_out(judgement.unfinished)
        yield tuple(self.results)

    def leftovers(self) -> Tuple[Result, ...]:
        return ()

    def _clean_up(self) -> None:
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _follow(self, tests: Tuple[Test, ...]) -> Tuple[Evidence, Scene]:
        raise NotImplementedError


def _left_out(tests: Sequence[Test]) -> List[Result]:
    """Unless a failure has made us order it."""
    why = Finding(Cause.NOT_RUN, "not run: the boot ended before, and this was the only one")
    return [Result(test, Verdict.ERROR, why) for test in tests]


# --- On a serial line -----------------------------------------------------------------------------


class AttachedRun(ForeignRun):
    """Listens to a machine that somebody resets."""

    def __init__(self, foreign: Foreign, device: str, console: str, baud: int, patience: float
                 ) -> None:
        super().__init__(foreign)
        self._device = device
        self._console = console
        self._baud = baud
        self._patience = patience

    def _follow(self, tests: Tuple[Test, ...]) -> Tuple[Evidence, Scene]:
        folder = private_folder(self.folders)
        timeout = self._foreign.timeout
        watch = LineWatch(tests, timeout, self._foreign.stops_at_failure, folder, self._patience)
        try:
            with SerialLine(self._device, self._console, self._baud) as line:
                complain(f"waiting for the kernel on {self._device}: reset the machine. (Until "
                         f"{self._patience:g} s have passed; Ctrl-C gives up at once.)")
                for wish in watch.follow(line):
                    wait_for({wish.descriptor}, wish.deadline)
        except Refusal:
            self._clean_up()
            raise
        evidence = replace(
            self._foreign.evidence(tests, watch.events, watch.ending, [Unseen.END]),
            timeout=timeout if watch.has_spoken else self._patience, waited=watch.waited,
            interventions=tuple(watch.interventions), is_cut=watch.is_cut,
            has_spoken=watch.has_spoken, orders=tuple(watch.orders), console=watch.console,
            log=f"{self._device} was closed or unplugged")
        return evidence, Scene(0, folder=str(folder), console=watch.last_lines)


# --- In a log -------------------------------------------------------------------------------------


class RecordedRun(ForeignRun):
    """Reads what some kernel wrote at some time."""

    def __init__(self, foreign: Foreign, log: str) -> None:
        super().__init__(foreign)
        self._log = log

    def _follow(self, tests: Tuple[Test, ...]) -> Tuple[Evidence, Scene]:
        data = _read(self._log)
        noise, words = Sieve().sift(data)
        parser = Parser(stream_bytes(tests))
        events = parser.feed(words)
        evidence = replace(
            self._foreign.evidence(tests, events, Ending(stop=Stop.CUT),
                                   [Unseen.END, Unseen.ORDERS, Unseen.TIME]),
            is_cut=parser.is_cut, has_spoken=bool(words), log=_describe(self._log, data))
        return evidence, Scene(0, console=_last_lines(noise))


def _read(log: str) -> bytes:
    try:
        with open(STANDARD_INPUT if log == "-" else log, "rb", closefd=log != "-") as file:
            data = file.read(LOG_BYTES + 1)
    except OSError as error:
        raise Refusal(f"The log {log} cannot be read: {error.strerror}.") from error
    if len(data) > LOG_BYTES:
        raise Refusal(f"The log {log} has more than {LOG_BYTES >> 20} MiB, which no run writes.")
    return data


def _last_lines(noise: bytes) -> str:
    lines = noise.decode("utf-8", "backslashreplace").splitlines()
    return "\n".join(line[-LINE_BYTES:] for line in lines[-SCENE_LINES:])


def _describe(log: str, data: bytes) -> str:
    return f"the log {log} {'ends' if data else 'is empty'}"
