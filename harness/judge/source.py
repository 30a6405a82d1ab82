# SPDX-License-Identifier: MIT
"""The source line where something went wrong, with one before and one behind it.

The place is the guest's word, which must not make the harness show any other file: it has to be a
source of this project. One that is newer than the kernel may have other lines by now.
"""
from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Tuple

from .model import ROOT

SUFFIXES = (".c", ".h", ".cc", ".cpp", ".hpp", ".asm", ".S")
SOURCE_BYTES = 1 << 20


def source_lines(file: str, line: int, kernel: Path, root: Path = ROOT) -> Iterator[str]:
    lines = _lines(file, kernel, root)
    if not 0 < line <= len(lines):
        return
    for number in range(max(1, line - 1), min(len(lines), line + 1) + 1):
        mark = ">" if number == line else " "
        text = lines[number - 1].expandtabs(4)
        yield f"    {mark} {number:>{len(str(line + 1))}} | {text}".rstrip()


def split_place(place: str) -> Tuple[str, int]:
    """The file and the line of "file:line"; line 0 if it is no such thing."""
    file, _, line = place.rpartition(":")
    return (file, int(line)) if file and line.isascii() and line.isdigit() else (place, 0)


def _lines(file: str, kernel: Path, root: Path) -> List[str]:
    try:
        path = (root / file).resolve()
        path.relative_to(root.resolve())
        facts = path.stat()
        is_usable = (path.suffix in SUFFIXES and path.is_file() and facts.st_size < SOURCE_BYTES
                     and facts.st_mtime <= kernel.stat().st_mtime)
        return path.read_text("utf-8", "replace").splitlines() if is_usable else []
    except (OSError, ValueError):  # relative_to raises the latter, as does a zero in the name
        return []
