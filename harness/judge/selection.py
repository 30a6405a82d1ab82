# SPDX-License-Identifier: MIT
"""Which tests: globs of the user's, and the same set as an argument for the kernel.

Only * and ? are wildcards, and case counts. A glob without a dot matches the name in any suite.
"""
from __future__ import annotations

import re
from itertools import groupby
from typing import List, Pattern, Sequence, Set, Tuple

from .model import Test


def compile_glob(glob: str) -> Pattern[str]:
    text = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL)


def select(tests: Sequence[Test], globs: Sequence[str]) -> Tuple[Test, ...]:
    """The tests that one of the globs matches; all of them if there is none."""
    if not globs:
        return tuple(tests)
    return tuple(test for test in tests if any(_matches(glob, test) for glob in globs))


def _matches(glob: str, test: Test) -> bool:
    subject = test.full_name if "." in glob else test.name
    return compile_glob(glob).fullmatch(subject) is not None


def selector(chosen: Sequence[Test], registered: Sequence[Test]) -> str:
    """The value of ktest.select that means just these tests; empty for all of them."""
    if len(chosen) == len(registered):
        return ""
    names: Set[str] = {test.full_name for test in chosen}
    words: List[str] = []
    for suite, members in groupby(registered, key=lambda test: test.suite):
        suite_names = [test.full_name for test in members]
        if names.issuperset(suite_names):
            words.append(f"{suite}.*")
        else:
            words += [name for name in suite_names if name in names]
    return ",".join(words)
