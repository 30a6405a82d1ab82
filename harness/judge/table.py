# SPDX-License-Identifier: MIT
"""What came of the machines of the matrix, and where they differ, as tables of a page. Pure."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from .evidence import Unseen
from .exceptions import WITH_ERROR_CODE
from .grid import AXES, KVM, Cell
from .model import Accel, Outcome, OutcomeKind, Test
from .outcomes import describe_outcome
from .qemus import BOCHS
from .selection import selector
from .terms import Facts, describe_version, terms, version_of

PASSED, ALL_SKIPPED = 0, 77  # of a run, by harness/run.py

# What may be unseen of a machine; of all others, nothing.
UNCHECKED = {BOCHS: (Unseen.END.value,)}
WITH = {Accel.ICOUNT: " with icount", Accel.KVM: " under KVM", Accel.BOCHS: " (Bochs)"}
EVIDENCE = {False: "stream, exit status, QMP", True: "stream"}


@dataclass(frozen=True)
class Ran:
    """A run on one of the machines."""

    cell: Cell
    version: str  # QEMU's, or Bochs's
    command: Tuple[str, ...]
    status: int
    counts: Mapping[str, int] = field(default_factory=dict)
    tests: Tuple[Mapping[str, Any], ...] = ()  # as in the run's report
    seconds: float = 0.0
    said: str = ""
    unchecked: Tuple[str, ...] = ()  # what of it nobody saw

    @property
    def program(self) -> str:
        return f"{name_of(self.cell.qemu)} {self.version}"

    @property
    def bad(self) -> int:
        return self.counts.get("fail", 0) + self.counts.get("error", 0)

    @property
    def verdict(self) -> str:
        if self.bad:
            return f"{self.bad} failed"
        if self.status not in (PASSED, ALL_SKIPPED):
            return "did not run"
        if self.unchecked != UNCHECKED.get(self.cell.qemu, ()):
            return "too little evidence"
        return "pass" if self.counts.get("pass", 0) else "nothing passed"

    @property
    def is_good(self) -> bool:
        return self.verdict == "pass"


def name_of(qemu: str) -> str:
    """Of the program that a value of this axis stands for."""
    return "Bochs" if qemu == BOCHS else "QEMU"


def page(runs: Sequence[Ran], tests: Sequence[Test], date: str, of: int, why_no_kvm: str) -> str:
    good = sum(ran.is_good for ran in runs)
    programs = " and ".join(filter(None, (_versions(runs, name) for name in ("QEMU", "Bochs"))))
    no_kvm = f"There are none under KVM, which can't be used here: {why_no_kvm}.\n\n"
    return (f"On {date} {good} of {len(runs)} machines passed, by {programs}; {of} can "
            f"be told apart.\n\n{no_kvm if why_no_kvm else ''}"
            + _table(["program", *list(AXES)[1:], "evidence", "verdict", "passed", "skipped"],
                     map(_row, runs))
            + "\n## Where a machine does not do what the CPU does\n\n"
            + _table(["test", "the CPU", "QEMU, Bochs"], _differences(runs, tests))
            + "\n## What was skipped\n\n"
            + _table(["why", "machines", "tests"], _skips(runs, tests)))


def _versions(runs: Sequence[Ran], name: str) -> str:
    versions = {ran.version for ran in runs if name_of(ran.cell.qemu) == name}
    return f"{name} {', '.join(sorted(versions, key=_numbers))}" if versions else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(ran: Ran) -> List[str]:
    values = list(vars(ran.cell).values())[1:]
    verdict = ran.verdict if ran.is_good else f"**{ran.verdict}**"
    return [ran.program, *values, EVIDENCE[bool(ran.unchecked)], verdict,
            str(ran.counts.get("pass", 0)), str(ran.counts.get("skip", 0))]


def _differences(runs: Sequence[Ran], tests: Sequence[Test]) -> List[List[str]]:
    """Ends of tests that are others there; each of them is asserted."""
    machines = dict.fromkeys(facts for ran in sorted(runs, key=_by_program)
                             for facts in _facts(ran))
    rows = []
    for test in tests:
        found: Dict[str, List[str]] = {}
        for accel, version in machines:
            outcome = terms(test, Facts(accel, version, test.needs)).outcome
            as_plain = accel is Accel.ICOUNT and outcome == terms(
                test, Facts(Accel.TCG, version, test.needs)).outcome
            if outcome != test.outcome and not as_plain:
                found.setdefault(_words(outcome), []).append(
                    describe_version(version) + WITH.get(accel, ""))
        if found:
            rows.append([f"`{test.full_name}`", _words(test.outcome),
                         "; ".join(f"{', '.join(where)}: {what}" for what, where in found.items())])
    return rows


def _by_program(ran: Ran) -> Tuple[bool, Tuple[int, int]]:
    return name_of(ran.cell.qemu) == "Bochs", _numbers(ran.version)


def _facts(ran: Ran) -> List[Tuple[Accel, int]]:
    """What the terms of its tests may depend on; with icount, QEMU's whole version is meant."""
    version = version_of(_numbers(ran.version))
    if ran.cell.qemu == BOCHS:
        return [(Accel.BOCHS, version)]
    own = [(Accel.KVM, version)] if ran.cell.clock == KVM else []
    return [(Accel.TCG, version), (Accel.ICOUNT, version), *own]


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
