# SPDX-License-Identifier: MIT
"""Rounds and their sum, and the bisection of an order, with runs that are made up."""
from __future__ import annotations

from typing import Callable, List, Sequence, Set

import pytest

from judge import bisection
from judge.bisection import Bisection, Conclusion
from judge.evidence import Result
from judge.model import Cause, Finding, Scene, Test, Trouble, Verdict
from judge.rounds import Plan, Tally

TESTS = [Test("s", f"t{number:02}") for number in range(20)]
VICTIM = TESTS[15]
Fails = Callable[[Set[Test]], bool]


def result(test: Test, verdict: Verdict = Verdict.PASS, boot: int = 1) -> Result:
    return Result(test, verdict, None, None, Scene(boot))


def test_the_seeds_of_rounds() -> None:
    assert list(Plan(2).seeds()) == [None, None]
    assert list(Plan(2, seed=5, is_shuffled=True).seeds()) == [5, 5]
    first, second = Plan(2, is_shuffled=True).seeds()
    assert first is not None and second is not None and first != second
    endless = Plan(None, seed=5).seeds()
    assert [next(endless) for _ in range(3)] == [5, 5, 5]


def test_a_test_that_does_not_end_alike_is_flaky() -> None:
    tally = Tally()
    for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.PASS):
        tally.add([result(TESTS[0], verdict), result(TESTS[1], Verdict.FAIL)])
    assert tally.flaky == ("s.t00",) and tally.has_failed
    assert [each.verdict for each in tally.results] == [Verdict.FAIL, Verdict.FAIL]


def test_a_machine_that_does_not_start_is_not_tried_again() -> None:
    tally = Tally()
    tally.add([Result(TESTS[0], Verdict.ERROR, Finding(Trouble.NOT_STARTED, "no"))])
    assert tally.is_hopeless
    tally = Tally()
    tally.add([Result(TESTS[0], Verdict.ERROR, Finding(Cause.NO_CHECKS, "no"))])
    assert not tally.is_hopeless


def bisect(fails: Fails, runs: List[int]) -> Conclusion:
    """Of a whole run whose boot 1 begins with the fifth test."""
    def run(tests: Sequence[Test]) -> List[Result]:
        runs.append(len(tests))
        before = set(tests) - {VICTIM}
        return [result(test, Verdict.FAIL if test == VICTIM and fails(before) else Verdict.PASS)
                for test in sorted(tests, key=TESTS.index)]

    whole = [result(test, boot=int(place >= 5)) for place, test in enumerate(TESTS[:15])]
    return Bisection(run, lambda _: None).find([*whole, result(VICTIM, Verdict.FAIL)])


@pytest.mark.parametrize("culprits", [{5}, {14}, {9}, {6, 13}, {5, 6, 14}])
def test_the_smallest_set_is_found(culprits: Set[int]) -> None:
    runs: List[int] = []
    wanted = {TESTS[place] for place in culprits}
    conclusion = bisect(wanted.issubset, runs)
    assert set(conclusion.culprits) == wanted and len(runs) < 40
    assert conclusion.sentence.startswith("s.t15 passes alone and fails behind s.t")


def test_only_what_ran_in_the_same_boot_is_looked_at() -> None:
    runs: List[int] = []
    bisect({TESTS[5]}.issubset, runs)
    assert runs[:2] == [1, 11]


@pytest.mark.parametrize("fails, words", [
    (lambda before: True, "fails alone as well"), (lambda before: False, "it is flaky")])
def test_it_says_when_the_order_is_not_the_cause(fails: Fails, words: str) -> None:
    conclusion = bisect(fails, [])
    assert words in conclusion.sentence and not conclusion.culprits


def test_runs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bisection, "MAX_RUNS", 4)
    conclusion = bisect({TESTS[5]}.issubset, [])
    assert conclusion.culprits == (TESTS[5], TESTS[6])
    assert "4 runs are over" in conclusion.sentence


def test_nothing_to_bisect() -> None:
    conclusion = Bisection(lambda tests: [], lambda _: None).find([result(TESTS[0])])
    assert conclusion.result is None and "nothing to bisect" in conclusion.sentence


def test_a_failure_that_is_none_of_the_order_s_does_not_hide_another() -> None:
    """The first one fails alone; the second only behind a third test."""
    broken, culprit = TESTS[2], TESTS[7]

    def run(tests: Sequence[Test]) -> List[Result]:
        bad = {broken} | ({VICTIM} if culprit in tests else set())
        return [result(test, Verdict.FAIL if test in bad else Verdict.PASS)
                for test in sorted(tests, key=TESTS.index)]

    said: List[str] = []
    conclusion = Bisection(run, said.append).find(run([*TESTS[:15], VICTIM]))
    assert conclusion.culprits == (culprit,)
    assert any(words.startswith("s.t02 fails alone as well") for words in said)
