# SPDX-License-Identifier: MIT
"""Which boots there are, and what happens in each.

Tests share a boot unless they ask for their own. When one of them takes the machine down, those
behind it get another boot, so that no planned test is left without a verdict.
"""
from __future__ import annotations

import contextlib
import errno
import math
import os
import shlex
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import FrozenSet, Generator, Iterator, List, Optional, Sequence, Tuple

from . import exact
from .crew import Chain, Crew
from .elf import Image
from .evidence import Ending, Evidence, Judgement, Result, Stop, Unseen
from .judge import judge
from .look import REMAINS
from .machine import QEMU_LOG, BootWay, Machine
from .model import (HOPELESS, Cause, Encore, Finding, Inject, Isolation, Needs, Reason,
                    Scene, Test, Trouble, Verdict)
from .order import in_order
from .qemu import Qemu, QemuError, Wish, private_folder, read_tail
from .reset import read_traps
from .selection import select, selector
from .sieve import Sieve
from .sweep import ALL
from .terms import Facts, takes_the_machine_down
from .watch import Watch

MAX_RESUMED_BOOTS = 16  # behind crashes
MAX_ENCORES = 3  # in a chain of boots: later deaths have much the same cause
MAX_ORDERLY_BOOTS = 256  # behind restarts, and crashes that were declared
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Settings:
    timeout: float = 10.0
    isolates_all: bool = False
    stops_at_failure: bool = False
    keeps_folders: bool = False
    allowed_skips: Tuple[str, ...] = ()  # globs
    jobs: int = 1  # boots at a time
    fail_nth: Optional[int] = None  # the allocation that fails in a second run; ALL: each in turn


@dataclass(frozen=True)
class Boot:
    """Tests that run in one life of the machine."""

    tests: Tuple[Test, ...]
    facts: Facts
    machine: Machine

    @property
    def ends_in_triple_fault(self) -> bool:
        return any(takes_the_machine_down(test, self.facts) for test in self.tests)


def plan(tests: Sequence[Test], machine: Machine, isolates_all: bool,
         version: Optional[int] = None) -> List[Boot]:
    """One boot for all that allow it and do not concern the loader, one for those that do, then
    one each for the others: those that ask for it, and those that take the machine down, so that
    what others say is sealed by totals."""
    alone = [test for test in tests if isolates_all or test.isolation is Isolation.BOOT
             or _disturbs(test, machine)
             or takes_the_machine_down(test, _boot([test], machine, version).facts)]
    apart = frozenset(alone)
    together = [test for test in tests if test not in apart]
    quick = [test for test in together if machine.for_needs(test.needs) is machine]
    slow = [test for test in together if machine.for_needs(test.needs) is not machine]
    groups = [group for group in (quick, slow) if group] + [[test] for test in alone]
    return [_boot(group, machine, version) for group in groups]


def _disturbs(test: Test, machine: Machine) -> bool:
    """What the harness does while it runs would make a boot another one each time."""
    return machine.seed is not None and test.inject is not Inject.NONE


def _boot(tests: Sequence[Test], machine: Machine, version: Optional[int]) -> Boot:
    """With the cheapest machine that these tests can share."""
    needs = Needs(0)
    for test in tests:
        needs |= test.needs
    is_asked = any(test.quirks for test in tests)
    chosen = replace(machine.for_needs(needs),
                     is_disturbed=any(_disturbs(test, machine) for test in tests))
    return Boot(tuple(tests), Facts(chosen.accelerator, version if is_asked else None,
                                    chosen.offers(needs)), chosen)


class Runner:
    """Runs boots until each test has a verdict. `results` holds what is known so far."""

    unseen: Tuple[Unseen, ...] = ()  # nothing that happens in QEMU

    def __init__(self, image: Image, machine: Machine, settings: Settings) -> None:
        self.results: List[Result] = []
        self.boots = 0
        self.folders: List[str] = []  # of the boots that nothing was told of as yet
        self._image = image
        self._machine = machine
        self._settings = settings
        self._has_qboot = True  # until a QEMU comes without
        self._version: Optional[int] = None
        self._seed: Optional[int] = None
        self._crew: Optional[Crew] = None
        self._told = 0  # boots
        self._streams = exact.Streams()

    def run(self, tests: Sequence[Test], seed: Optional[int] = None
            ) -> Generator[Tuple[Result, ...], None, None]:
        """The results of each boot, as soon as it is over and those before it have been told. May
        be called again. Who does not read to the end has to close it."""
        self.results, self._seed = [], seed
        if self._version is None and any(test.quirks for test in tests):
            self._version = self._machine.version()
        boots = plan(in_order(tests, seed), self._machine, self._settings.isolates_all,
                     self._version)
        self._crew = Crew([self._chain(boot) for boot in boots], self._settings.jobs, self._is_last)
        with contextlib.closing(self._crew.judgements()) as judgements:
            for place, judgement in judgements:
                results = self._tell(judgement)
                if judgement.trouble in HOPELESS:
                    results += _abandon(boots[place + 1:], judgement.trouble)
                self.results += results
                yield results
        for folder in self.folders[:]:  # of what came too late to count
            self._clean_up(folder)

    def leftovers(self) -> Tuple[Result, ...]:
        """Behind an interruption: results that were known, but had to wait for others."""
        judgements = self._crew.leftovers() if self._crew else []
        return tuple(result for each in judgements for result in self._tell(each))

    def _tell(self, judgement: Judgement) -> Tuple[Result, ...]:
        """Boots have the numbers of the order in which they are told of."""
        self._told += 1
        results = tuple(result if result.scene is None else replace(
            result, scene=replace(result.scene, number=self._told)) for result in judgement.results)
        told = {result.scene.folder for result in results if result.scene}
        self.folders = [folder for folder in self.folders if folder not in told]
        return results

    def _is_last(self, judgement: Judgement) -> bool:
        is_enough = self._settings.stops_at_failure and any(
            result.verdict > Verdict.SKIP for result in judgement.results)
        return is_enough or judgement.trouble in HOPELESS

    def _chain(self, boot: Boot) -> Chain:
        """The boots that it takes for each of these tests to get its turn."""
        left: Optional[Boot] = boot
        resumed = orderly = encores = 0
        while left is not None:
            judgement = yield from self._boot(left)
            if self._asks_for_encore(judgement) and encores < MAX_ENCORES:
                encores += 1
                judgement = yield from self._encore(left, judgement)
            unfinished = () if judgement.is_stopped else judgement.unfinished
            orderly += judgement.is_orderly
            resumed += not judgement.is_orderly
            if unfinished and (resumed > MAX_RESUMED_BOOTS or orderly > MAX_ORDERLY_BOOTS):
                given_up = give_up(unfinished, Cause.TOO_MANY_BOOTS,
                                    f"not run: {resumed + orderly - 1} boots were resumed already")
                judgement = replace(judgement, results=judgement.results + given_up)
                unfinished = ()
            yield judgement
            left = replace(boot, tests=unfinished) if unfinished else None

    def _boot(self, boot: Boot) -> Generator[Wish, None, Judgement]:
        self.boots += 1
        folder = private_folder(self.folders)
        started = time.monotonic()
        evidence, scene = yield from self._run(boot, folder)
        judgement = judge(evidence)
        if _lacks_qboot(judgement, scene):
            self._clean_up(str(folder))
            self._has_qboot = False
            self.boots -= 1
            return (yield from self._boot(boot))
        scene = replace(scene, seconds=time.monotonic() - started)
        is_good = all(result.verdict <= Verdict.SKIP for result in judgement.results)
        if is_good and not self._settings.keeps_folders:
            self._clean_up(str(folder))
            scene = replace(scene, folder="")
        return replace(judgement, results=tuple(replace(result, scene=scene)
                                                for result in judgement.results))

    def _asks_for_encore(self, judgement: Judgement) -> bool:
        """Of a boot without a test all exceptions can be logged: there are few."""
        *_, last = judgement.results or (None,)
        if last is None or last.finding is None or last.scene is None:
            return False
        is_death = last.finding.reason in (Cause.TRIPLE_FAULT, Trouble.DIED_EARLY)
        return (is_death and last.scene.has_triple_fault and last.verdict > Verdict.SKIP
                and self._machine.accelerator.is_tcg)

    def _encore(self, boot: Boot, judgement: Judgement) -> Generator[Wish, None, Judgement]:
        """Has the test that died run alone, with a log of all exceptions, and looks at the dead
        machine; the verdict stands. A boot that died before any test dies with the first one."""
        dead = judgement.results[-1]
        assert dead.scene is not None and dead.finding is not None
        folder = private_folder(self.folders)
        evidence, seen = yield from self._run(replace(boot, tests=(dead.test,)), folder,
                                              is_encore=True)
        again = judge(evidence).results[0].finding
        encore = Encore(again is not None and again.reason is dead.finding.reason)
        if encore.has_died:
            encore = replace(encore, traps=read_traps(read_tail(folder / QEMU_LOG)),
                             registers=seen.registers)
            _move_remains(folder, Path(dead.scene.folder) / "encore")
        self._clean_up(str(folder))
        scene = replace(dead.scene, encore=encore)
        others = () if dead.is_trouble else judgement.results[:-1]
        explained = [replace(each, scene=scene) for each in judgement.results[len(others):]]
        return replace(judgement, results=(*others, *explained))

    def _clean_up(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folders.remove(folder)

    def _run(self, boot: Boot, folder: Path, is_encore: bool = False
             ) -> Generator[Wish, None, Tuple[Evidence, Scene]]:
        words = self._arguments(boot)
        nonce = _nonce(boot.machine, words)
        command = self._command(boot, folder, f"ktest.nonce={nonce} {words}", is_encore)
        watch = self._watch(boot, folder, is_encore)
        sieve = None
        if boot.machine.way is BootWay.UEFI:
            sieve = Sieve()
            watch.wait_for_firmware()
        no_qemu = ""
        try:
            (folder / "command").write_text(shlex.join(command) + "\n")
            with self._program(command, folder, sieve) as qemu:
                yield from self._follow(watch, qemu)
                log = qemu.log()
        except QemuError as error:
            watch.ending, log = Ending(status=1), error.log
            no_qemu = f"QEMU did not start: {error}"
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            watch.ending, log = Ending(stop=Stop.DISK_FULL), str(error)
        if not watch.is_connected and not no_qemu and watch.ending.stop is not Stop.DISK_FULL:
            no_qemu = self._machine.why_no_qemu()
        evidence = Evidence(
            expected=boot.tests, registered=len(self._image.tests),
            build_id=self._image.build_id or "none", nonce=nonce, events=tuple(watch.events),
            ending=watch.ending,
            fail_nth=self._settings.fail_nth,
            symbol_names=lambda address: self._image.symbols.names(address),
            seed=self._seed, facts=boot.facts, greeted_version=watch.greeted_version,
            is_connected=watch.is_connected, no_qemu=no_qemu, has_kvm=watch.has_kvm,
            screen=watch.screen,
            may_skip=self._may_skip(boot), timeout=self._settings.timeout, waited=watch.waited,
            interventions=tuple(watch.interventions), is_cut=watch.is_cut,
            has_spoken=watch.has_spoken, deviation=self._deviation(boot, words, folder, is_encore),
            orders=tuple(watch.orders), console=watch.console, log=log, unseen=self.unseen)
        scene = Scene(0, tuple(command), str(folder), watch.last_lines, log, watch.registers,
                      watch.ending.has_triple_fault, seed=self._seed)
        return evidence, scene

    def _deviation(self, boot: Boot, words: str, folder: Path, is_encore: bool) -> str:
        if is_encore or not boot.machine.is_exact or not (folder / exact.LOGS[0]).exists():
            return ""
        return self._streams.deviation(words, folder)

    # What a run under a debugger, or in another program, does in another way:

    def _command(self, boot: Boot, folder: Path, arguments: str, is_encore: bool) -> List[str]:
        machine = boot.machine if self._has_qboot else replace(boot.machine, has_qboot=False)
        command = machine.command(folder, arguments, boot.facts.have, boot.ends_in_triple_fault,
                                  is_encore)
        return command + self._more_arguments(folder)

    def _program(self, command: List[str], folder: Path, sieve: Optional[Sieve]) -> Qemu:
        return Qemu(command, folder, sieve)

    def _more_arguments(self, folder: Path) -> List[str]:
        return []

    def _watch(self, boot: Boot, folder: Path, is_encore: bool) -> Watch:
        return Watch(boot.tests, self._settings.timeout, self._settings.stops_at_failure, folder,
                     is_encore)

    def _follow(self, watch: Watch, qemu: Qemu) -> Iterator[Wish]:
        return watch.follow(qemu)

    def _may_skip(self, boot: Boot) -> FrozenSet[str]:
        allowed = self._settings.allowed_skips
        return frozenset(test.full_name for test in select(boot.tests, allowed) if allowed)

    def _arguments(self, boot: Boot) -> str:
        """What the kernel is told, but for the nonce."""
        is_bench = boot.tests[0].is_bench
        registered = [test for test in self._image.tests if test.is_bench == is_bench]
        words = {
            "select": selector(boot.tests, registered),
            "have": ",".join(str(need.name).lower() for need in Needs if need in boot.facts.have),
            "machine": boot.facts.name if boot.facts.version is not None else "",
            "timeout_ms": str(math.ceil(self._settings.timeout * 1000)),
            "seed": "" if self._seed is None else str(self._seed),
            "bench": "1" if is_bench else "",
            "fail_nth": _failing(self._settings.fail_nth),
            "stop": "1" if self._settings.stops_at_failure else "",
        }
        own = [f"ktest.{key}={value}" for key, value in words.items() if value]
        return " ".join([*own, *boot.machine.arguments])


def _nonce(machine: Machine, words: str) -> str:
    return os.urandom(8).hex() if machine.seed is None else exact.nonce(machine.seed, words)


def _failing(nth: Optional[int]) -> str:
    return "" if nth is None else "all" if nth == ALL else str(nth)


def _move_remains(folder: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for name in REMAINS:
        with contextlib.suppress(FileNotFoundError):
            shutil.move(str(folder / name), str(to))


def _lacks_qboot(judgement: Judgement, scene: Scene) -> bool:
    """This QEMU comes without the fast firmware: the slow one will do."""
    return (judgement.trouble is Trouble.NOT_STARTED and "qboot.rom" in scene.command
            and "qboot.rom" in scene.log)


def give_up(tests: Sequence[Test], reason: Reason, sentence: str) -> Tuple[Result, ...]:
    return tuple(Result(test, Verdict.ERROR, Finding(reason, sentence)) for test in tests)


def _abandon(boots: Sequence[Boot], trouble: Optional[Trouble]) -> Tuple[Result, ...]:
    why = trouble.value if trouble else ""
    return give_up([test for boot in boots for test in boot.tests], Trouble.ABANDONED,
                    f"not run, for the same would happen again: {why}")
