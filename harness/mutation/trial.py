# SPDX-License-Identifier: MIT
"""What is run to find out whether a test notices a mutant, as a generator: it yields what to run,
and gets what came of it. So it starts no process itself."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Generator, Mapping, Optional, Tuple

from judge.model import Refusal

from .mutant import Fate, Result

BEGUN = re.compile(r"#:ktest_begin test=(\S+)")
BASELINES = 5  # so many times may a run take what it takes with the code as it is
SPARE_CPU_SECONDS = 1  # a limit is in whole seconds
SPARE_SECONDS = 20.0  # a machine that is busy with other things lets a run wait
BUILD_SECONDS = 900.0
MANY_CPU_SECONDS = 3600


@dataclass(frozen=True)
class Step:
    """A program to run."""

    command: Tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = BUILD_SECONDS
    cpu_seconds: int = MANY_CPU_SECONDS


@dataclass(frozen=True)
class Said:
    status: int  # negative: the signal that ended it
    output: str
    seconds: float
    cpu_seconds: float
    is_late: bool


Trial = Generator[Step, Said, Result]
Reader = Callable[[Said], Optional[Result]]  # None: no test has noticed anything


@dataclass(frozen=True)
class Run:
    """Some tests. `read` makes of what the program said what came of the mutant."""

    name: str  # of these tests with this program, for the baseline
    targets: Tuple[str, ...]  # what has to be built for it
    original: Step  # the same on the code as it is
    step: Step
    read: Reader
    spare_cpu_seconds: int = SPARE_CPU_SECONDS  # what it may take beside, to find out what failed


class Baselines:
    """What runs take with the code as it is, which has to pass."""

    def __init__(self) -> None:
        self._known: Dict[str, Said] = {}

    def take(self, run: Run) -> Generator[Step, Said, Said]:
        """A second time, if it fails: there are tests that fail on a machine that is too busy."""
        for is_last in (False, True):
            if run.name in self._known:
                break
            said = yield run.original
            result = run.read(said)
            if result is None:
                self._known[run.name] = said
            elif is_last:
                raise Refusal(f"The code as it is fails: {run.name}: {result.by or 'no test'}: "
                              f"{result.message}. Nothing can be said of mutants.",
                              "\n".join(said.output.splitlines()[-20:]))
        return self._known[run.name]


def noticed(run: Run, baselines: Baselines) -> Generator[Step, Said, Optional[Result]]:
    """What these tests make of a mutant."""
    before = yield from baselines.take(run)
    said = yield Step(run.step.command, run.step.folder, run.step.environment,
                      BASELINES * before.seconds + SPARE_SECONDS,
                      int(BASELINES * before.cpu_seconds) + run.spare_cpu_seconds)
    if said.is_late:
        begun = BEGUN.findall(said.output)
        return Result(Fate.LATE, begun[-1] if begun else "",
                      f"{run.name} took more than {BASELINES} times as long")
    return run.read(said)
