# SPDX-License-Identifier: MIT
"""Which tests: globs of the user's, and the same set as an argument for the kernel.

Only * and ? are wildcards, and case counts. A glob without a dot matches the name in any suite;
one that matches the name without the index selects every parameter of the test.
"""
from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Callable, Dict, List, Pattern, Sequence, Set, Tuple

from .model import Test
from .order import hash_text


LIKENESS = 0.7  # of a name to what the user wrote, to be suggested; 1: the same


def compile_glob(glob: str) -> Pattern[str]:
    text = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL)


def select(tests: Sequence[Test], globs: Sequence[str]) -> Tuple[Test, ...]:
    """The tests that one of the globs matches; all of them if there is none."""
    if not globs:
        return tuple(tests)
    return tuple(test for test in tests if any(_matches(glob, test) for glob in globs))


def _matches(glob: str, test: Test) -> bool:
    pattern = compile_glob(glob)
    names = (test.full_name, test.record_name) if "." in glob else (test.short_name, test.name)
    return any(pattern.fullmatch(name) for name in names)


def of_suites(tests: Sequence[Test], globs: Sequence[str]) -> Tuple[Test, ...]:
    """The tests whose suite one of the globs matches; all of them if there is none."""
    patterns = [compile_glob(glob) for glob in globs]
    return tuple(test for test in tests
                 if not globs or any(pattern.fullmatch(test.suite) for pattern in patterns))


def suggestion(glob: str, tests: Sequence[Test]) -> str:
    """What the user may have meant by a glob that matches no test, as options; or nothing."""
    if of_suites(tests, [glob]):
        return f"--suite {glob}"
    names = [name for test in tests for name in (test.full_name, test.record_name, test.name)]
    close = difflib.get_close_matches(glob, names, 1, LIKENESS)
    return close[0] if close else suggested_suite(glob, tests)


def suggested_suite(glob: str, tests: Sequence[Test]) -> str:
    close = difflib.get_close_matches(glob, [test.suite for test in tests], 1, LIKENESS)
    return f"--suite {close[0]}" if close else ""


@dataclass(frozen=True)
class Shard:
    """One of several parts that have each test just once between them. Where a test belongs hangs
    on its name alone, so that it stays there whatever else is selected, added or removed; the
    parameters of a test stay together."""

    number: int  # from 1 on
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, tests: Sequence[Test]) -> Tuple[Test, ...]:
        return tuple(test for test in tests
                     if hash_text(0, test.record_name) % self.count == self.number - 1)


def selector(chosen: Sequence[Test], registered: Sequence[Test]) -> str:
    """The value of ktest.select that means just these tests; empty for all of them. Both lists are
    of one kind, for the kernel looks for either tests or benchmarks."""
    if len(chosen) == len(registered):
        return ""
    names: Set[str] = {test.full_name for test in chosen}
    words: List[str] = []
    for suite, members in _grouped(registered, lambda test: test.suite):
        if names.issuperset(test.full_name for test in members):
            words.append(f"{suite}.*")
            continue
        for record, parameters in _grouped(members, lambda test: test.record_name):
            indexed = [test.full_name for test in parameters]
            words += [record] if names.issuperset(indexed) else [
                name for name in indexed if name in names]
    return ",".join(words)


def _grouped(tests: Sequence[Test], key: Callable[[Test], str]) -> List[Tuple[str, List[Test]]]:
    groups: Dict[str, List[Test]] = {}
    for test in tests:
        groups.setdefault(key(test), []).append(test)
    return list(groups.items())
