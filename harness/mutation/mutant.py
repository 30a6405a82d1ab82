# SPDX-License-Identifier: MIT
"""A mutant: the code with one small change; and what came of it. No behaviour."""
from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from typing import Dict, Iterable, List, NamedTuple, Tuple


class Key(NamedTuple):
    """What a mutant is recognized by, wherever its line has moved to."""

    path: str
    function: str
    operator: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """Of a text: what stands between two offsets becomes something else."""

    operator: str
    start: int
    end: int
    new: str
    function: str = ""


@dataclass(frozen=True)
class Mutant:
    change: Change
    key: Key
    line: int
    ordinal: int  # among those with the same key, which is that of twins in one function

    @property
    def path(self) -> str:
        return self.key.path

    @property
    def id(self) -> str:
        words = "\0".join((*self.key, str(self.ordinal)))
        return hashlib.sha1(words.encode()).hexdigest()[:10]


class Fate(enum.Enum):
    """What came of it."""

    KILLED = "killed"  # a test failed
    LATE = "late"  # it took five times as long as the code without a change
    DEAD = "dead"  # no test ran to its end, and none can be blamed
    SURVIVED = "survived"
    SAME = "same"  # the compiler made the same program of it
    UNBUILT = "unbuilt"


CAUGHT = (Fate.KILLED, Fate.LATE, Fate.DEAD)


@dataclass(frozen=True)
class Result:
    fate: Fate
    by: str = ""  # the test
    message: str = ""
    seconds: float = 0.0


def mutants_of(path: str, text: str, changes: Iterable[Change]) -> Tuple[Mutant, ...]:
    """In the order of the lines; no two that make the same text."""
    found: Dict[Tuple[int, int, str], Change] = {}
    for change in changes:
        if text[change.start:change.end] != change.new:
            found.setdefault((change.start, change.end, change.new), change)
    counts: Dict[Key, int] = {}
    mutants: List[Mutant] = []
    for change in sorted(found.values(), key=lambda each: (each.start, each.end, each.new)):
        line, before, after = _lines(text, change)
        key = Key(path, change.function, change.operator, before, after)
        counts[key] = counts.get(key, -1) + 1
        mutants.append(Mutant(change, key, line, counts[key]))
    return tuple(mutants)


def apply(text: str, change: Change) -> str:
    """With as many lines as before: whatever stands below keeps its number."""
    lost = text.count("\n", change.start, change.end) - change.new.count("\n")
    return text[:change.start] + change.new + "\n" * lost + text[change.end:]


def _lines(text: str, change: Change) -> Tuple[int, str, str]:
    """The number of the first line, and all that are changed as one, before and after."""
    start = text.rfind("\n", 0, change.start) + 1
    end = text.find("\n", change.end)
    end = len(text) if end < 0 else end
    changed = text[start:change.start] + change.new + text[change.end:end]
    return (text.count("\n", 0, start) + 1, " ".join(text[start:end].split()),
            " ".join(changed.split()))
