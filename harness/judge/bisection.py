# SPDX-License-Identifier: MIT
"""Which tests make another one fail that comes behind them.

The first test that fails in an order and not alone is run behind ever fewer of those that ran
before it in its boot: halves first, then what is left without a part (delta debugging, Zeller and
Hildebrandt 2002). Runs are counted, for each of them boots.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from .evidence import Result
from .model import Test, Verdict

MAX_RUNS = 64

Run = Callable[[Sequence[Test]], Sequence[Result]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Conclusion:
    sentence: str
    result: Optional[Result] = None  # of the test that failed
    culprits: Tuple[Test, ...] = ()  # it fails behind these

    @property
    def selecting(self) -> Tuple[str, ...]:
        """Options that select just these tests; none if there is no culprit."""
        if not self.culprits or self.result is None:
            return ()
        tests = (*self.culprits, self.result.test)
        return tuple(word for test in tests for word in ("--test", test.full_name))


class _NoRunsLeft(Exception):
    """The tests that were found until then have to do."""


class Bisection:
    """`run` runs tests in the order that is looked into, however they are given to it."""

    def __init__(self, run: Run, say: Say) -> None:
        self._run = run
        self._say = say
        self._runs = 0
        self._known: Dict[Tuple[Test, Tuple[Test, ...]], bool] = {}

    def find(self, results: Sequence[Result]) -> Conclusion:
        """`results` are those of the whole run, as they came."""
        failures = [each for each in results if each.verdict > Verdict.SKIP]
        if not failures:
            return Conclusion(f"All of {len(results)} tests are well in this order: there is "
                              "nothing to bisect.")
        for failed in failures[:-1]:
            conclusion = self._look_into(failed, results)
            if conclusion.culprits:
                return conclusion
            self._say(conclusion.sentence)
        return self._look_into(failures[-1], results)

    def _look_into(self, failed: Result, results: Sequence[Result]) -> Conclusion:
        try:
            return self._examine(failed, results)
        except _NoRunsLeft:
            return Conclusion(f"{MAX_RUNS} runs are over: {failed.test.full_name} was not looked "
                              "into.", failed)

    def _examine(self, failed: Result, results: Sequence[Result]) -> Conclusion:
        name = failed.test.full_name
        if failed.is_trouble:
            return Conclusion(f"The run as a whole went wrong: it says nothing of {name}.", failed)
        before = _before(failed, results)
        if not before:
            return Conclusion(f"{name} fails as the first test of its boot: the order is not the "
                              "cause.", failed)
        if self._fails((), failed.test):
            return Conclusion(f"{name} fails alone as well: the order is not the cause.", failed)
        if not self._fails(before, failed.test):
            return Conclusion(f"{name} failed, but not when the same tests ran again: it is flaky, "
                              "and the order is not the cause.", failed)
        return self._narrow(before, failed)

    def _narrow(self, before: Sequence[Test], failed: Result) -> Conclusion:
        self._smallest = list(before)
        limit = ""
        try:
            self._halve(failed.test)
        except _NoRunsLeft:
            limit = f" (there may be fewer: {MAX_RUNS} runs are over)"
        names = " and ".join(test.full_name for test in self._smallest)
        together = " together" if len(self._smallest) > 1 else ""
        return Conclusion(f"{failed.test.full_name} passes alone and fails behind "
                          f"{names}{together}{limit}.", failed, tuple(self._smallest))

    def _halve(self, victim: Test) -> None:
        parts = 2
        while len(self._smallest) > 1:
            chunks = _split(self._smallest, parts)
            rests = [[test for test in self._smallest if test not in chunk] for chunk in chunks]
            chunk = next((each for each in chunks if self._fails(each, victim)), None)
            rest = None
            if chunk is None and parts > 2:
                rest = next((each for each in rests if self._fails(each, victim)), None)
            if chunk is None and rest is None and parts >= len(self._smallest):
                return
            if chunk is not None:
                self._smallest, parts = chunk, 2
            elif rest is not None:
                self._smallest, parts = rest, parts - 1
            else:
                parts = min(2 * parts, len(self._smallest))

    def _fails(self, before: Sequence[Test], victim: Test) -> bool:
        key = (victim, tuple(before))
        if key not in self._known:
            if self._runs == MAX_RUNS:
                raise _NoRunsLeft
            self._runs += 1
            self._known[key] = self._does_fail(before, victim)
        return self._known[key]

    def _does_fail(self, before: Sequence[Test], victim: Test) -> bool:
        results = self._run([*before, victim])
        verdict = next((each.verdict for each in results if each.test == victim), Verdict.ERROR)
        self._say(f"run {self._runs}: {victim.full_name} behind {len(before)} "
                  f"test{'s' * (len(before) != 1)}: {verdict.word}")
        return verdict > Verdict.SKIP


def _before(failed: Result, results: Sequence[Result]) -> List[Test]:
    """What ran before it in the same boot."""
    place = list(results).index(failed)
    return [each.test for each in results[:place]
            if each.scene and failed.scene and each.scene.number == failed.scene.number]


def _split(tests: List[Test], parts: int) -> List[List[Test]]:
    edges = [len(tests) * index // parts for index in range(parts + 1)]
    return [tests[start:end] for start, end in zip(edges, edges[1:])]
