# SPDX-License-Identifier: MIT
"""What came of the mutants, for people and for programs. Pure."""
from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .ledger import Equivalent
from .mutant import CAUGHT, Fate, Key, Mutant, Result, apply


@dataclass(frozen=True)
class Outcome:
    """Of a mutant that was to be tried; without a result it was not."""

    mutant: Mutant
    result: Optional[Result]
    reason: str = ""  # why it is equivalent, for one that is listed
    is_pure: bool = False  # its file is tested on the host

    @property
    def folder(self) -> str:
        name = str(PurePosixPath(self.mutant.path).parent)
        return f"{name}, pure" if self.is_pure else name

    @property
    def fate(self) -> Optional[Fate]:
        return self.result.fate if self.result else None

    @property
    def is_survivor(self) -> bool:
        return self.fate is Fate.SURVIVED and not self.reason


@dataclass(frozen=True)
class Sums:
    outcomes: Tuple[Outcome, ...]

    def count(self, *fates: Fate) -> int:
        return sum(each.fate in fates and not each.reason for each in self.outcomes)

    @property
    def tried(self) -> int:
        return sum(each.result is not None or bool(each.reason) for each in self.outcomes)

    @property
    def listed(self) -> int:
        return sum(bool(each.reason) for each in self.outcomes)

    @property
    def caught(self) -> int:
        return self.count(*CAUGHT)

    @property
    def score(self) -> Optional[float]:
        """In percent, of those that a test could notice."""
        judged = self.caught + self.count(Fate.SURVIVED)
        return 100 * self.caught / judged if judged else None


HEAD = ("folder", "mutants", "tried", "no build", "same program", "equivalent", "killed", "late",
        "dead", "survived", "killed %")


def rows(outcomes: Sequence[Outcome]) -> List[List[str]]:
    folders: Dict[str, List[Outcome]] = {}
    for each in outcomes:
        folders.setdefault(each.folder, []).append(each)
    table = [_row(folder, Sums(tuple(folders[folder]))) for folder in sorted(folders)]
    return table + ([_row("all", Sums(tuple(outcomes)))] if len(folders) > 1 else [])


def _row(name: str, sums: Sums) -> List[str]:
    counts = [sums.count(Fate.UNBUILT), sums.count(Fate.SAME), sums.listed,
              sums.count(Fate.KILLED), sums.count(Fate.LATE), sums.count(Fate.DEAD),
              sums.count(Fate.SURVIVED)]
    return [name, str(len(sums.outcomes)), str(sums.tried), *map(str, counts), percent(sums.score)]


def percent(score: Optional[float]) -> str:
    """Rounded down: 100 means all."""
    return "-" if score is None else f"{int(score * 10) / 10:.1f}"


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [list(HEAD), *rows(outcomes)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    return "\n".join("  ".join(
        word.ljust(width) if place == 0 else word.rjust(width)
        for place, (word, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def survivor_lines(outcomes: Sequence[Outcome]) -> List[str]:
    """By file, with the line."""
    lines = []
    for each in outcomes:
        if each.is_survivor:
            mutant = each.mutant
            lines += [f"{mutant.path}:{mutant.line}: {mutant.key.operator} in "
                      f"{mutant.key.function or 'no function'}, {mutant.id}",
                      f"  - {readable(mutant.key.before)}", f"  + {readable(mutant.key.after)}"]
    return lines


def readable(text: str) -> str:
    """Code is read byte by byte."""
    return text.encode("latin-1").decode("utf-8", "replace")


def difference(text: str, mutant: Mutant) -> str:
    before, after = (readable(each).splitlines(keepends=True)
                     for each in (text, apply(text, mutant.change)))
    return "".join(difflib.unified_diff(before, after, f"a/{mutant.path}", f"b/{mutant.path}"))


def stale(equivalents: Sequence[Equivalent], mutants: Sequence[Mutant]) -> List[Equivalent]:
    """Of the files that these mutants are all of: whose line or function is another now."""
    paths = {mutant.path for mutant in mutants}
    keys = {_readable_key(mutant.key) for mutant in mutants}
    return [each for each in equivalents if each.key.path in paths and each.key not in keys]


def reasons(equivalents: Sequence[Equivalent]) -> Mapping[Key, str]:
    return {each.key: each.reason for each in equivalents}


def reason_of(mutant: Mutant, listed: Mapping[Key, str]) -> str:
    return listed.get(_readable_key(mutant.key), "")


def _readable_key(key: Key) -> Key:
    return Key(*(readable(word) for word in key))


def page(outcomes: Sequence[Outcome], date: str) -> str:
    lines = [f"On {date} {sum(each.result is not None for each in outcomes)} mutants were tried.",
             "", f"| {' | '.join(HEAD)} |", "| --- |" + " ---: |" * (len(HEAD) - 1),
             *(f"| {' | '.join(row)} |" for row in rows(outcomes)), "", "## Survivors", ""]
    survivors = survivor_lines(outcomes)
    lines += ["```", *survivors, "```"] if survivors else ["None."]
    return "\n".join(lines) + "\n"


def data(outcomes: Sequence[Outcome], stale_entries: Sequence[Equivalent]) -> Dict[str, Any]:
    sums = Sums(tuple(outcomes))
    return {"schema": 1, "kind": "mutation", "score": sums.score, "tried": sums.tried,
            "stale": [each.line for each in stale_entries],
            "mutants": [_mutant_data(each) for each in outcomes]}


def _mutant_data(each: Outcome) -> Dict[str, Any]:
    key, result = each.mutant.key, each.result
    return {"id": each.mutant.id, "file": key.path, "line": each.mutant.line,
            "function": key.function, "operator": key.operator, "before": readable(key.before),
            "after": readable(key.after), "fate": result.fate.value if result else None,
            "by": result.by if result else "", "message": result.message if result else "",
            "seconds": round(result.seconds, 3) if result else 0, "equivalent": each.reason}
