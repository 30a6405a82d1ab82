# SPDX-License-Identifier: MIT
"""A copy of the project whose harness may be broken, and the trials in it: the tests that import
the mutated module, and then those that import anything of its package."""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path, PurePosixPath
from typing import Generator, List, Optional, Sequence

from .mutant import Fate, Mutant, Result, apply
from .python_code import importers
from .said import read_pytest
from .trial import Baselines, Run, Said, Step, Trial, noticed
from .workshop import PYTEST, mirror

TESTS = "harness/tests"
CHANCES = 5
YEAR_SECONDS = 365 * 24 * 3600


class PythonShop:
    """One mutant at a time."""

    def __init__(self, root: Path, folder: Path, baselines: Baselines) -> None:
        self._origin = root
        self._folder = folder
        self._root = folder / "python"
        self._baselines = baselines
        self._broken: Optional[str] = None
        self._clock = time.time() - YEAR_SECONDS

    def open(self) -> None:
        mirror(self._origin, self._root)

    def trial(self, mutant: Mutant) -> Trial:
        if not self._break(mutant):
            return Result(Fate.UNBUILT, "", "no Python")
        module = _module(mutant.path)
        for names in (importers(self._origin / TESTS, name)
                      for name in (module, module.partition(".")[0])):
            if not names:
                continue
            result = yield from self._noticed(names)
            if result is not None:
                return result
        return Result(Fate.SURVIVED)

    def _noticed(self, names: Sequence[str]) -> Generator[Step, Said, Optional[Result]]:
        """Some tests wait for others, and fail on a busy machine: who has noticed a mutant notices
        it again, and alone."""
        chance: List[str] = []
        while len(chance) < CHANCES:
            result = yield from noticed(self._run(names, chance), self._baselines)
            if result is None or not result.by:
                return result
            again = yield self._run([result.by]).step
            if read_pytest(again) is not None:
                return result
            chance.append(result.by)
        return result

    def _break(self, mutant: Mutant) -> bool:
        """False if it is no Python any more."""
        if self._broken is not None and self._broken != mutant.path:
            self._write(self._broken, (self._origin / self._broken).read_bytes())
        text = (self._origin / mutant.path).read_bytes().decode("latin-1")
        code = apply(text, mutant.change).encode("latin-1")
        self._broken = mutant.path
        self._write(mutant.path, code)
        try:
            compile(code, mutant.path, "exec")
        except SyntaxError:
            return False
        return True

    def _write(self, path: str, code: bytes) -> None:
        """With a time of its own: Python takes what it has compiled for the same file's if its
        size and its second are."""
        (self._root / path).write_bytes(code)
        self._clock += 1
        os.utime(self._root / path, (self._clock, self._clock))

    def _run(self, names: Sequence[str], left_out: Sequence[str] = ()) -> Run:
        words = [f"{TESTS}/{name}" for name in names]
        less = [f"--deselect={TESTS}/{name}" for name in left_out]
        original, step = (
            Step((sys.executable, *PYTEST, *words, *less), root,
                 {"PYTHONPYCACHEPREFIX": str(self._folder / "pycache"),
                  "PYTHONDONTWRITEBYTECODE": "", "NO_COLOR": "1", "COLUMNS": "400"})
            for root in (self._origin, self._root))
        return Run(f"pytest {' '.join(words)}", (), original, step, read_pytest)


def _module(path: str) -> str:
    """harness/judge/order.py is judge.order."""
    return ".".join(PurePosixPath(path).with_suffix("").parts[1:])
