# SPDX-License-Identifier: MIT
"""What failed the last time, for --last-failed: a small file beside the kernel.

It holds the known failures by kernel, as several kernels may lie in one folder. Each run replaces
what is known of the tests that ran, and of no others. Nothing here may fail a run: a folder that
can't be written keeps what it has, and a file that can't be read stands for no failures.
"""
from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, Iterator, Sequence

from .evidence import Result
from .model import Verdict

FILE = ".last-failed.json"
SCHEMA = 1


class Memory:
    """Of the runs of one kernel."""

    def __init__(self, kernel: Path) -> None:
        self._folder = kernel.parent
        self._file = kernel.parent / FILE
        self._name = kernel.name

    def failed(self) -> FrozenSet[str]:
        """The full names of the tests that failed or were in error when they ran last."""
        return frozenset(_texts(self._load().get(self._name)))

    def update(self, results: Sequence[Result], registered: Iterable[str]) -> None:
        """Takes in a run. What is no longer among the kernel's tests is forgotten."""
        with contextlib.suppress(OSError), self._locked():
            kernels = self._load()
            before = self.failed()
            ran = {result.test.full_name for result in results}
            bad = {result.test.full_name for result in results if result.verdict > Verdict.SKIP}
            after = (before - ran | bad) & frozenset(registered)
            if after != before:
                self._save({**kernels, self._name: sorted(after)})

    def _load(self) -> Dict[str, Any]:
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            return {}
        kernels = data.get("kernels")
        return kernels if isinstance(kernels, dict) else {}

    def _save(self, kernels: Dict[str, Any]) -> None:
        """Whole or not at all. Who holds the lock is alone with the partial file."""
        partial = self._folder / f"{FILE}.partial"
        text = json.dumps({"schema": SCHEMA, "kernels": kernels}, indent=2)
        partial.write_text(f"{text}\n", encoding="utf-8")
        partial.replace(self._file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Runs of one kernel may end at the same time: `meson test` has many."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _texts(names: object) -> Sequence[str]:
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
