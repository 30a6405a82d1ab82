# SPDX-License-Identifier: MIT
"""Verdicts of single tests: what the guest says, what the machine did, and what was declared.

No process is started: a stream with one test is bent, and judged together with an ending.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest

from judge.evidence import (STATUS_ERROR, STATUS_FAIL, STATUS_OK, STATUS_PANIC, Ending, Evidence,
                            Intervention, Judgement, Stop)
from judge.judge import judge
from judge.model import Accel, Needs, Outcome, OutcomeKind, Quirk, Test, Trouble, Verdict
from judge.protocol import Parser
from judge.terms import Facts, terms
from tests import stream

TEST = Test("s", "t")
ROW: Dict[str, Any] = {"suite": "s", "test": "t", "name": "s.t", "outcome": "pass"}
HANGS = replace(TEST, outcome=Outcome(OutcomeKind.HANG))
PANICS = replace(TEST, outcome=Outcome(OutcomeKind.PANIC, text="no *"))
DIES = replace(TEST, outcome=Outcome(OutcomeKind.TRIPLE_FAULT))
BUG = replace(TEST, known_bug="why")
TRIPLE_FAULT = Ending(0, shutdown="guest-reset", has_triple_fault=True)
NMI = Intervention("s.t", "an NMI", is_rescue=True)

ARMED = stream.armed_line()
HANG = stream.hang_lines()
PANIC = stream.panic_lines("no frames")
CHECK = stream.CHECK
STATUS = {"pass": STATUS_OK, "skip": STATUS_OK, "fail": STATUS_FAIL, "error": STATUS_ERROR}


def judged(test: Test, lines: Sequence[str], ending: Ending, **more: Any) -> Judgement:
    parser = Parser()
    evidence = Evidence((test,), 1, "b", "n", tuple(parser.feed(stream.to_bytes(lines))), ending,
                        lambda _: frozenset(), has_spoken=True)
    return judge(replace(evidence, **more))


def told(test: Test, verdict: str, inside: Sequence[str] = (), reason: str = "", **more: Any
         ) -> Judgement:
    """The guest comes to an end with this verdict."""
    lines = stream.good_lines([ROW], 1, "n", "b")
    begin = next(index for index, line in enumerate(lines) if "#:ktest_begin" in line)
    lines[begin:-1] = stream.test_lines(1, ROW, verdict, inside or ["    # nothing"], reason)
    lines[-1] = ("ok" if verdict in ("pass", "skip") else "not ok") + " 1 s"
    return judged(test, stream.sealed(lines), Ending(STATUS[verdict]), **more)


def died(test: Test, ending: Ending, inside: Sequence[str] = (), **more: Any) -> Judgement:
    """The guest comes to no end."""
    lines = stream.good_lines([ROW], 1, "n", "b")
    begin = next(index for index, line in enumerate(lines) if "#:ktest_begin" in line)
    return judged(test, [*lines[:begin + 1], *inside], ending, **more)


def opinion(judgement: Judgement) -> Tuple[str, Optional[str]]:
    result = judgement.results[0]
    return result.verdict.word, result.finding.reason.value if result.finding else None


@pytest.mark.parametrize("test, verdict, inside, expected", [
    (HANGS, "pass", [ARMED, *HANG], ("pass", None)),
    (HANGS, "pass", HANG, ("error", "disagreement")),
    (HANGS, "fail", HANG, ("fail", "unarmed")),
    (HANGS, "fail", [*HANG, ARMED], ("fail", "unarmed")),
    (HANGS, "fail", [ARMED], ("fail", "hang-missing")),
    (HANGS, "fail", [ARMED, *HANG, *PANIC], ("fail", "aftermath")),
    (HANGS, "fail", [ARMED, *PANIC], ("fail", "hang-missing")),
    (HANGS, "fail", [ARMED, *HANG], ("error", "disagreement")),
    (TEST, "fail", HANG, ("fail", "hang")),
    (TEST, "pass", HANG, ("error", "disagreement")),
    (TEST, "pass", [ARMED], ("pass", None)),
    (PANICS, "pass", [ARMED, *PANIC], ("pass", None)),
    (PANICS, "fail", PANIC, ("fail", "unarmed")),
    (PANICS, "fail", [ARMED, *HANG], ("fail", "panic-missing")),
    (DIES, "fail", [ARMED], ("fail", "triple-fault-missing")),
    (DIES, "pass", [ARMED], ("error", "disagreement")),
    (TEST, "pass", [stream.bench_line()], ("error", "bench")),
    (replace(TEST, is_bench=True), "pass", [stream.bench_line()], ("pass", None)),
    (replace(TEST, is_bench=True), "pass", [], ("error", "bench")),
    (replace(TEST, is_bench=True), "fail", [CHECK], ("fail", "assertion"))])
def test_declared_ends(test: Test, verdict: str, inside: List[str],
                       expected: Tuple[str, Optional[str]]) -> None:
    assert opinion(told(test, verdict, inside)) == expected


@pytest.mark.parametrize("inside, ending, expected", [
    ([ARMED], TRIPLE_FAULT, ("pass", None)),
    ([ARMED], replace(TRIPLE_FAULT, shutdown=""), ("pass", None)),  # before QMP could say so
    ([], TRIPLE_FAULT, ("fail", "unarmed")),
    ([ARMED, CHECK], TRIPLE_FAULT, ("fail", "assertion")),
    ([ARMED, *PANIC], TRIPLE_FAULT, ("fail", "panic")),
    ([ARMED], replace(TRIPLE_FAULT, has_triple_fault=False), ("fail", "reset")),
    ([ARMED], replace(TRIPLE_FAULT, status=33), ("fail", "triple-fault")),
    ([ARMED], replace(TRIPLE_FAULT, shutdown="guest-shutdown"), ("fail", "triple-fault")),
    ([ARMED], replace(TRIPLE_FAULT, stop=Stop.HANG), ("fail", "hang"))])
def test_a_declared_triple_fault(inside: List[str], ending: Ending,
                                 expected: Tuple[str, Optional[str]]) -> None:
    judgement = died(DIES, ending, inside)
    assert opinion(judgement) == expected
    assert judgement.is_orderly == (expected[0] == "pass")


def test_who_needs_an_nmi_to_go_on_does_not_pass() -> None:
    """It waited for ever; the NMI that should have ended it fell into its own hands instead."""
    assert opinion(told(TEST, "pass", interventions=(NMI,))) == ("fail", "hang")
    asked = replace(NMI, is_rescue=False)
    assert opinion(told(TEST, "pass", interventions=(asked,))) == ("pass", None)


def test_a_hang_that_only_the_harness_saw_fails_also_where_it_is_declared() -> None:
    for test in (TEST, HANGS):
        judgement = died(test, Ending(stop=Stop.HANG), [ARMED], waited=38.0,
                         interventions=(NMI, NMI, NMI))
        finding = judgement.results[0].finding
        assert opinion(judgement) == ("fail", "hang") and finding is not None
        assert "seen only by the harness" in finding.sentence
        assert finding.sentence.endswith("did not end it, nor did 3 NMIs from outside")
    judgement = told(HANGS, "pass", [ARMED, *HANG], interventions=(NMI,))
    assert opinion(judgement) == ("fail", "hang")
    judgement = told(TEST, "fail", HANG, interventions=(NMI,))
    finding = judgement.results[0].finding
    assert finding is not None and "the harness's NMI ended it" in finding.sentence


def test_a_refused_injection_is_told() -> None:
    asked = Intervention("s.t", "an NMI", False, "no such command")
    finding = told(PANICS, "fail", [ARMED], interventions=(asked,)).results[0].finding
    assert finding is not None and finding.sentence.endswith(
        "an NMI could not be injected (no such command), as it asks for")


@pytest.mark.parametrize("verdict, inside, reason, expected", [
    ("skip", [CHECK], "known bug: why", ("skip", "known-bug")),
    ("skip", HANG, "known bug: why", ("skip", "known-bug")),
    ("skip", [], "known bug: why", ("error", "disagreement")),
    ("skip", [], "no card", ("error", "unexplained-skip")),
    ("skip", [CHECK], "no card", ("error", "disagreement")),
    ("fail", [], "passes", ("fail", "known-bug-gone")),
    ("fail", [CHECK], "passes", ("error", "disagreement")),
    ("pass", [], "", ("error", "disagreement")),
    ("pass", [CHECK], "", ("error", "disagreement")),
    ("error", [CHECK], "out of memory", ("error", "assertion"))])
def test_known_bugs(verdict: str, inside: List[str], reason: str,
                    expected: Tuple[str, Optional[str]]) -> None:
    assert opinion(told(BUG, verdict, inside, reason)) == expected


def test_a_known_bug_may_take_the_machine_down() -> None:
    judgement = died(BUG, TRIPLE_FAULT)
    assert opinion(judgement) == ("skip", "known-bug") and judgement.is_orderly
    gone = died(replace(DIES, known_bug="why"), TRIPLE_FAULT, [ARMED])
    assert opinion(gone) == ("fail", "known-bug-gone")
    assert opinion(told(TEST, "skip", [CHECK], "known bug: why")) == ("error", "disagreement")


QUIRKY = replace(TEST, quirks=(
    Quirk(Outcome(), Accel.KVM, skip="kvm"),
    Quirk(Outcome(OutcomeKind.HANG), Accel.TCG, before=600),
    Quirk(Outcome(), Accel.TCG, since=702, before=800, skip="broken"),
    Quirk(Outcome(OutcomeKind.HANG), Accel.TCG, since=702)))


@pytest.mark.parametrize("accel, version, skip, kind", [
    (Accel.KVM, 101, "kvm", OutcomeKind.PASS), (Accel.KVM, None, None, OutcomeKind.PASS),
    (Accel.TCG, 599, None, OutcomeKind.HANG), (Accel.TCG, 600, None, OutcomeKind.PASS),
    (Accel.TCG, 701, None, OutcomeKind.PASS), (Accel.TCG, 702, "broken", OutcomeKind.PASS),
    (Accel.TCG, 799, "broken", OutcomeKind.PASS), (Accel.TCG, 800, None, OutcomeKind.HANG)])
def test_the_first_quirk_that_fits_counts(accel: Accel, version: Optional[int],
                                          skip: Optional[str], kind: OutcomeKind) -> None:
    found = terms(QUIRKY, Facts(accel, version))
    assert (found.skip, found.outcome.kind) == (skip, kind)


SCREEN = replace(TEST, needs=Needs.VGA)
OLD, NEW = Facts(Accel.TCG, 702), Facts(Accel.TCG, 900)


@pytest.mark.parametrize("test, facts, verdict, inside, expected", [
    (QUIRKY, OLD, "skip", [], ("skip", "skipped")),
    (QUIRKY, OLD, "pass", [], ("error", "not-skipped")),
    (QUIRKY, OLD, "fail", [CHECK], ("error", "not-skipped")),
    (QUIRKY, OLD, "skip", [CHECK], ("error", "disagreement")),
    (QUIRKY, NEW, "pass", [ARMED, *HANG], ("pass", None)),
    (QUIRKY, NEW, "skip", [], ("error", "unexplained-skip")),
    (SCREEN, Facts(), "skip", [], ("skip", "skipped")),
    (SCREEN, Facts(), "pass", [], ("error", "not-skipped")),
    (SCREEN, Facts(have=Needs.VGA), "skip", [], ("error", "unexplained-skip")),
    (replace(SCREEN, known_bug="b"), Facts(), "skip", [], ("skip", "skipped"))])
def test_who_has_to_be_skipped_is_known_before(test: Test, facts: Facts, verdict: str,
                                               inside: List[str],
                                               expected: Tuple[str, Optional[str]]) -> None:
    assert opinion(told(test, verdict, inside, facts=facts)) == expected


def test_what_had_to_be_skipped_and_ran_anyway() -> None:
    assert opinion(died(SCREEN, TRIPLE_FAULT)) == ("error", "not-skipped")
    bug = replace(SCREEN, known_bug="b")
    assert opinion(told(bug, "skip", [], "known bug: b")) == ("error", "not-skipped")


def test_a_hang_outside_of_every_test() -> None:
    lines = stream.good_lines([ROW], 1, "n", "b")
    outside = [*lines, *stream.hang_lines()]
    judgement = judged(TEST, stream.sealed(outside), Ending(STATUS_OK))
    assert judgement.trouble is Trouble.OUTSIDE_PANIC


@pytest.mark.parametrize("good, bad, trouble", [
    ("turns=1000", "turns=0", Trouble.CONTRADICTION), ("samples=50", "samples=0",
                                                       Trouble.CONTRADICTION),
    ("p90=13.125", "p90=13", Trouble.GARBAGE), ("p90=13.125", "p90=13.1250", Trouble.GARBAGE),
    ("max=20.000", "max=12.999", Trouble.CONTRADICTION)])
def test_the_figures_of_a_benchmark(good: str, bad: str, trouble: Trouble) -> None:
    line = stream.bench_line().replace(good, bad)
    assert told(replace(TEST, is_bench=True), "pass", [line]).trouble is trouble


def test_a_stopped_vm_is_the_guest_s_fault_or_the_host_s() -> None:
    """What the guest made the CPU do is the test's; a full disk is nobody's."""
    stopped = Ending(stop=Stop.VM_STOPPED, vm_status="internal-error")
    assert opinion(died(TEST, stopped)) == ("fail", "vm-stopped-in-test")
    assert died(TEST, replace(stopped, vm_status="io-error")).trouble is Trouble.VM_STOPPED


def test_the_version_that_runs_has_to_be_the_one_that_was_asked_for() -> None:
    judgement = told(QUIRKY, "skip", facts=OLD, greeted_version=900)
    assert judgement.trouble is Trouble.WRONG_MACHINE
    assert told(TEST, "pass", greeted_version=900).results[0].verdict is Verdict.PASS


# --- The runner dies between two tests ------------------------------------------------------------


TWO = (Test("s", "t"), Test("s", "u"))


def between(inside: Sequence[str], ending: Ending, ended: int = 1) -> Judgement:
    """Of two tests, so many have ended when this comes."""
    rows = [ROW, {**ROW, "test": "u", "name": "s.u"}]
    lines = stream.good_lines(rows, 2, "n", "b")
    ends = [index for index, line in enumerate(lines) if line.startswith("    ok ")]
    parser = Parser()
    evidence = Evidence(TWO, 2, "b", "n", tuple(parser.feed(stream.to_bytes(
        [*lines[:ends[ended - 1] + 1], *inside]))), ending, lambda _: frozenset(), has_spoken=True)
    return judge(evidence)


@pytest.mark.parametrize("inside, ending, trouble", [
    (PANIC, Ending(STATUS_PANIC), Trouble.OUTSIDE_PANIC),
    ([], Ending(STATUS_PANIC), Trouble.OUTSIDE_PANIC),
    ([], TRIPLE_FAULT, Trouble.DIED_BETWEEN),
    ([], Ending(0, stop=Stop.HANG), Trouble.HUNG_BETWEEN)])
def test_a_dead_runner_is_blamed_on_the_test_before(inside: Sequence[str], ending: Ending,
                                                    trouble: Trouble) -> None:
    found = between(inside, ending)
    assert [result.verdict for result in found.results] == [Verdict.ERROR]
    finding = found.results[0].finding
    assert finding is not None and finding.reason is trouble
    assert "the runner died behind it" in finding.sentence
    assert found.unfinished == TWO[1:], "they get another boot"


def test_without_totals_nothing_is_believed_behind_the_last_test() -> None:
    found = between([], TRIPLE_FAULT, ended=2)
    assert [result.verdict for result in found.results] == [Verdict.ERROR] * 2
    assert found.trouble is Trouble.DIED_BETWEEN
