# SPDX-License-Identifier: MIT
"""What came of the machines of the matrix, and where they differ, as tables of a page. Pure."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from .exceptions import WITH_ERROR_CODE
from .grid import AXES, Cell
from .model import Accel, Outcome, OutcomeKind, Test
from .outcomes import describe_outcome
from .selection import selector
from .terms import Facts, describe_version, terms, version_of

PASSED, ALL_SKIPPED = 0, 77  # of a run, by harness/run.py


@dataclass(frozen=True)
class Ran:
    """A run on one of the machines."""

    cell: Cell
    version: str  # QEMU's
    command: Tuple[str, ...]
    status: int
    counts: Mapping[str, int] = field(default_factory=dict)
    tests: Tuple[Mapping[str, Any], ...] = ()  # as in the run's report
    seconds: float = 0.0
    said: str = ""

    @property
    def bad(self) -> int:
        return self.counts.get("fail", 0) + self.counts.get("error", 0)

    @property
    def verdict(self) -> str:
        if self.bad:
            return f"{self.bad} failed"
        if self.status not in (PASSED, ALL_SKIPPED):
            return "did not run"
        return "pass" if self.counts.get("pass", 0) else "nothing passed"

    @property
    def is_good(self) -> bool:
        return self.verdict == "pass"


def page(runs: Sequence[Ran], tests: Sequence[Test], date: str, of: int) -> str:
    good = sum(ran.is_good for ran in runs)
    versions = ", ".join(sorted({ran.version for ran in runs}, key=_numbers))
    return (f"On {date} {good} of {len(runs)} machines passed, by QEMU {versions}; {of} can "
            "be told apart.\n\n"
            + _table(["QEMU", *list(AXES)[1:], "verdict", "passed", "skipped"], map(_row, runs))
            + "\n## Where QEMU does not do what the CPU does\n\n"
            + _table(["test", "the CPU", "QEMU"], _differences(runs, tests))
            + "\n## What was skipped\n\n"
            + _table(["why", "machines", "tests"], _skips(runs, tests)))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(ran: Ran) -> List[str]:
    values = list(vars(ran.cell).values())[1:]
    verdict = ran.verdict if ran.is_good else f"**{ran.verdict}**"
    return [ran.version, *values, verdict,
            str(ran.counts.get("pass", 0)), str(ran.counts.get("skip", 0))]


def _differences(runs: Sequence[Ran], tests: Sequence[Test]) -> List[List[str]]:
    """Ends of tests that are others there; each of them is asserted."""
    versions = sorted({version_of(_numbers(ran.version)) for ran in runs})
    rows = []
    for test in tests:
        found: Dict[str, List[str]] = {}
        for version in versions:
            plain, counting = (terms(test, Facts(accel, version, test.needs)).outcome
                               for accel in (Accel.TCG, Accel.ICOUNT))
            if plain != test.outcome:
                found.setdefault(_words(plain), []).append(describe_version(version))
            if counting not in (plain, test.outcome):
                found.setdefault(_words(counting), []).append(
                    f"{describe_version(version)} with icount")
        if found:
            rows.append([f"`{test.full_name}`", _words(test.outcome),
                         "; ".join(f"{', '.join(where)}: {what}" for what, where in found.items())])
    return rows


def _words(outcome: Outcome) -> str:
    words = describe_outcome(outcome)
    has_code = outcome.kind is OutcomeKind.FAULT and outcome.vector in WITH_ERROR_CODE
    return f"{words}, error code 0x{outcome.error:x}" if has_code else words


def _skips(runs: Sequence[Ran], tests: Sequence[Test]) -> List[List[str]]:
    """Each reason, with the number of machines that had it, and the tests that it held for on one
    of them: suite.* where that are all of the suite."""
    names: Dict[str, List[str]] = {}
    machines: Dict[str, List[Cell]] = {}
    for ran in runs:
        for test in ran.tests:
            if test["verdict"] == "skip":
                names.setdefault(test["sentence"], []).append(test["name"])
                machines.setdefault(test["sentence"], []).append(ran.cell)
    registered = [test for test in tests if not test.is_bench]
    rows = []
    for why in sorted(names):
        chosen = [test for test in registered if test.full_name in names[why]]
        globs = selector(chosen, registered).split(",")
        rows.append([why, str(len(set(machines[why]))), ", ".join(f"`{glob}`" for glob in globs)])
    return rows


def _numbers(version: str) -> Tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
