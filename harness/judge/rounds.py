# SPDX-License-Identifier: MIT
"""The same tests again and again, in whatever order: which rounds there are, and their sum."""
from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from .evidence import Result
from .model import HOPELESS, Test, Verdict


@dataclass(frozen=True)
class Plan:
    """How many rounds, and in which orders."""

    count: Optional[int] = 1  # None: no end
    stops_at_failure: bool = False
    is_shuffled: bool = False
    seed: Optional[int] = None  # None, and shuffled: each round has its own

    def seeds(self) -> Iterator[Optional[int]]:
        """The seed of each round; None stands for the order by name."""
        rounds = count() if self.count is None else iter(range(self.count))
        for _ in rounds:
            is_new = self.is_shuffled and self.seed is None
            yield random_seed() if is_new else self.seed


def random_seed() -> int:
    return int.from_bytes(os.urandom(4), "little")


def shuffle_words(seed: Optional[int]) -> Tuple[str, ...]:
    """What to add to a command for the same order."""
    return () if seed is None else (f"--shuffle={seed}",)


@dataclass(frozen=True)
class Round:
    number: int
    seed: Optional[int]
    seconds: float
    counts: "Counter[Verdict]"


class Tally:
    """The worst result of each test, and which tests did not end alike in all rounds."""

    def __init__(self) -> None:
        self.rounds: List[Round] = []
        self._worst: Dict[Test, Result] = {}
        self._good: Set[Test] = set()
        self._bad: Set[Test] = set()

    @property
    def results(self) -> Tuple[Result, ...]:
        return tuple(self._worst.values())

    @property
    def flaky(self) -> Tuple[str, ...]:
        return tuple(sorted(test.full_name for test in self._good & self._bad))

    @property
    def has_failed(self) -> bool:
        return bool(self._bad)

    @property
    def is_hopeless(self) -> bool:
        """Another round would only meet the same."""
        return any(result.finding is not None and result.finding.reason in HOPELESS
                   for result in self._worst.values())

    def add(self, results: Sequence[Result]) -> None:
        for result in results:
            known = self._worst.get(result.test)
            if known is None or result.verdict > known.verdict:
                self._worst[result.test] = result
            kind = self._bad if result.verdict > Verdict.SKIP else self._good
            kind.add(result.test)

    def close(self, results: Sequence[Result], seed: Optional[int], seconds: float) -> None:
        counts = Counter(result.verdict for result in results)
        self.rounds.append(Round(len(self.rounds) + 1, seed, seconds, counts))
