# SPDX-License-Identifier: MIT
"""What is kept: the results, from run to run; and the survivors that are no different from the code
as it is, with the reason.

A result is one line, written at once: whoever is killed loses what was running and no more. It
counts as long as it can be believed: that a test has noticed a mutant, as long as the mutated file
is the same; that none has, as long as no file has changed.
"""
from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, IO, Iterator, List, Optional, Sequence, Tuple

from judge.model import Refusal

from .mutant import Fate, Key, Mutant, Result

RESULTS, LOCK = "results.jsonl", "lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else keeps results there meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(f"Another run keeps its results in {folder}: wait for its end, or name "
                          "another folder with --state.") from None
        yield


def digest(paths: Sequence[Path]) -> str:
    """Of what stands in these files, and of their names."""
    total = hashlib.sha1()
    for path in paths:
        total.update(f"{path.name}\0".encode() + hashlib.sha1(path.read_bytes()).digest())
    return total.hexdigest()[:16]


class Ledger:
    def __init__(self, folder: Path) -> None:
        self._path = folder / RESULTS
        self._rows = {str(row["id"]): row for row in _read(self._path)}

    def known(self, mutant: Mutant, file_digest: str, tree_digest: str) -> Optional[Result]:
        row = self._rows.get(mutant.id)
        if row is None or row["file_digest"] != file_digest:
            return None
        fate = Fate(row["fate"])
        is_other_tree = not str(row["tree_digest"]).startswith(tree_digest)  # it may tell more
        if fate is Fate.SURVIVED and is_other_tree:
            return None
        return Result(fate, row["by"], row["message"], row["seconds"])

    def keep(self, mutant: Mutant, result: Result, file_digest: str, tree_digest: str) -> None:
        row = {"id": mutant.id, "file": mutant.path, "file_digest": file_digest,
               "tree_digest": tree_digest, "fate": result.fate.value, "by": result.by,
               "message": result.message, "seconds": round(result.seconds, 3)}
        with open(self._path, "a", encoding="utf-8") as stream:
            _end_broken_line(self._path, stream)
            stream.write(json.dumps(row) + "\n")
        self._rows[mutant.id] = row


def _end_broken_line(path: Path, stream: IO[str]) -> None:
    with open(path, "rb") as old:
        if old.seek(0, 2) > 0:
            old.seek(-1, 2)
            if old.read(1) != b"\n":
                stream.write("\n")


def _read(path: Path) -> List[Dict[str, Any]]:
    """Without lines that nobody has finished."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    return rows


# --- Equivalents ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Equivalent:
    key: Key
    reason: str
    line: int  # in the list


def read_equivalents(path: Path) -> Tuple[Equivalent, ...]:
    """Entries with an empty line between them; lines with # say something to people.

        kernel/lib/format.c, write_digits, relational
        - while (value > 0) {
        + while (value != 0) {
        = it is unsigned
    """
    found = []
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    number = 1
    for block in text.split("\n\n"):
        lines = [(number + place, line) for place, line in enumerate(block.split("\n"))
                 if line.strip() and not line.startswith("#")]
        number += block.count("\n") + 2
        if lines:
            found.append(_equivalent(path, lines))
    return tuple(found)


def _equivalent(path: Path, lines: Sequence[Tuple[int, str]]) -> Equivalent:
    place = lines[0][0]
    head = lines[0][1].split(", ")
    parts = {sign: " ".join(line[1:].strip() for _, line in lines[1:] if line.startswith(sign))
             for sign in "-+="}
    if len(head) != 3 or not parts["="] or not parts["-"] or not parts["+"] or \
            any(line[:1] not in parts for _, line in lines[1:]):
        raise Refusal(f"{path}:{place}: this is no entry: FILE, FUNCTION, OPERATOR, and below it "
                      "lines with - (before), + (after) and = (the reason).")
    return Equivalent(Key(head[0], head[1], head[2], parts["-"], parts["+"]), parts["="], place)
