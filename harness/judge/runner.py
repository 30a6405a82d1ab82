# SPDX-License-Identifier: MIT
"""Which boots there are, and what happens in each.

Tests share a boot unless they ask for their own. When one of them takes the machine down, those
behind it get another boot, so that no planned test is left without a verdict.
"""
from __future__ import annotations

import math
import os
import shlex
import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Deque, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from .elf import Image
from .evidence import Ending, Evidence, Judgement, Result
from .judge import judge
from .machine import Machine
from .model import HOPELESS, Cause, Finding, Isolation, Needs, Reason, Scene, Test, Trouble, Verdict
from .order import in_order
from .qemu import Qemu, QemuError
from .selection import select, selector
from .terms import Facts, takes_the_machine_down
from .watch import Watch

MAX_RESUMED_BOOTS = 16  # behind crashes
MAX_ORDERLY_BOOTS = 256  # behind restarts, and crashes that were declared
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
    facts: Facts

    @property
    def ends_in_triple_fault(self) -> bool:
        return any(takes_the_machine_down(test, self.facts) for test in self.tests)


def plan(tests: Sequence[Test], machine: Machine, isolates_all: bool,
         version: Optional[int] = None) -> List[Boot]:
    """One boot for all that allow it, then one each for the others: those that ask for it, and
    those that take the machine down, so that what others say is sealed by totals."""
    alone = [test for test in tests if isolates_all or test.isolation is Isolation.BOOT
             or takes_the_machine_down(test, _facts([test], machine, version))]
    apart = frozenset(alone)
    together = [test for test in tests if test not in apart]
    groups = ([together] if together else []) + [[test] for test in alone]
    return [Boot(tuple(group), _facts(group, machine, version)) for group in groups]


def _facts(tests: Sequence[Test], machine: Machine, version: Optional[int]) -> Facts:
    needs = Needs(0)
    for test in tests:
        needs |= test.needs
    is_asked = any(test.quirks for test in tests)
    return Facts(machine.accelerator, version if is_asked else None, machine.offers(needs))


class Runner:
    """Runs boots until each test has a verdict. `results` holds what is known so far."""

    def __init__(self, image: Image, machine: Machine, settings: Settings) -> None:
        self.results: List[Result] = []
        self.boots = 0
        self.folder = ""  # of the boot that runs
        self._image = image
        self._machine = machine
        self._settings = settings
        self._version: Optional[int] = None
        self._seed: Optional[int] = None
        self._resumed = self._orderly = 0

    def run(self, tests: Sequence[Test], seed: Optional[int] = None
            ) -> Iterator[Tuple[Result, ...]]:
        """The results of each boot, as soon as it is over. May be called again."""
        self.results, self._seed = [], seed
        self._resumed = self._orderly = 0
        if self._version is None and any(test.quirks for test in tests):
            self._version = self._machine.version()
        queue = deque(plan(in_order(tests, seed), self._machine, self._settings.isolates_all,
                           self._version))
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
        self._orderly += judgement.is_orderly
        self._resumed += not judgement.is_orderly
        if self._resumed > MAX_RESUMED_BOOTS or self._orderly > MAX_ORDERLY_BOOTS:
            return _give_up(judgement.unfinished, Cause.TOO_MANY_BOOTS,
                            f"not run: {self._resumed + self._orderly - 1} boots were resumed "
                            "already")
        queue.appendleft(Boot(judgement.unfinished, boot.facts))
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
        command = self._machine.command(folder, self._arguments(boot, nonce), boot.facts.have,
                                        traces_exits=boot.ends_in_triple_fault)
        (folder / "command").write_text(shlex.join(command) + "\n")
        watch = Watch(boot.tests, self._settings.timeout, self._settings.stops_at_failure, folder)
        try:
            with Qemu(command, folder) as qemu:
                watch.follow(qemu)
                log = qemu.log()
        except QemuError as error:
            watch.ending, log = Ending(status=1), f"{error}\n{error.log}"
        evidence = Evidence(
            expected=boot.tests, registered=len(self._image.tests), build_id=self._image.build_id or "none",
            nonce=nonce, events=tuple(watch.events), ending=watch.ending,
            symbol_names=lambda address: self._image.symbols.names(address),
            seed=self._seed, facts=boot.facts, greeted_version=watch.greeted_version,
            may_skip=self._may_skip(boot), timeout=self._settings.timeout, waited=watch.waited,
            interventions=tuple(watch.interventions), is_cut=watch.is_cut,
            has_spoken=watch.has_spoken, orders=tuple(watch.orders), console=watch.console, log=log)
        scene = Scene(self.boots, tuple(command), str(folder), watch.last_lines, log,
                      watch.registers, seed=self._seed)
        return evidence, scene

    def _may_skip(self, boot: Boot) -> FrozenSet[str]:
        allowed = self._settings.allowed_skips
        return frozenset(test.full_name for test in select(boot.tests, allowed) if allowed)

    def _arguments(self, boot: Boot, nonce: str) -> str:
        is_bench = boot.tests[0].is_bench
        registered = [test for test in self._image.tests if test.is_bench == is_bench]
        words = {
            "nonce": nonce,
            "select": selector(boot.tests, registered),
            "have": ",".join(str(need.name).lower() for need in Needs if need in boot.facts.have),
            "machine": boot.facts.name if boot.facts.version is not None else "",
            "timeout_ms": str(math.ceil(self._settings.timeout * 1000)),
            "seed": "" if self._seed is None else str(self._seed),
            "bench": "1" if is_bench else "",
        }
        return " ".join(f"ktest.{key}={value}" for key, value in words.items() if value)


def _give_up(tests: Sequence[Test], reason: Reason, sentence: str) -> Tuple[Result, ...]:
    return tuple(Result(test, Verdict.ERROR, Finding(reason, sentence)) for test in tests)


def _private_folder() -> Path:
    parent = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="faultline-",
                                 dir=parent if len(parent) <= FOLDER_BYTES else "/tmp"))
