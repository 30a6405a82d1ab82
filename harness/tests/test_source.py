# SPDX-License-Identifier: MIT
"""The lines around a failed check."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from judge.source import source_lines


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.c").write_text("".join(f"line {number}\n" for number in range(1, 11)) + "\tend")
    (root / "secret.txt").write_text("x\n")
    (tmp_path / "outside.c").write_text("x\n")
    (root / "link.c").symlink_to(tmp_path / "outside.c")
    (tmp_path / "kernel").touch()
    return root


def shown(root: Path, file: str, line: int) -> str:
    return "\n".join(source_lines(file, line, root.parent / "kernel", root))


def test_one_line_before_and_one_behind(tree: Path) -> None:
    assert shown(tree, "a.c", 9) == "       8 | line 8\n    >  9 | line 9\n      10 | line 10"
    assert shown(tree, "a.c", 1) == "    > 1 | line 1\n      2 | line 2"
    assert shown(tree, "a.c", 11) == "      10 | line 10\n    > 11 |     end"


@pytest.mark.parametrize("file, line", [
    ("a.c", 12), ("a.c", 0), ("none.c", 1), ("secret.txt", 1), ("../outside.c", 1), ("link.c", 1),
    ("/etc/passwd", 1), ("", 1), ("a.c\\0", 1), (".", 1)])
def test_only_what_is_there_and_meant(file: str, line: int, tree: Path) -> None:
    assert shown(tree, file.replace("\\0", "\0"), line) == ""


def test_a_newer_file_has_other_lines(tree: Path) -> None:
    later = (tree.parent / "kernel").stat().st_mtime + 10
    os.utime(tree / "a.c", (later, later))
    assert shown(tree, "a.c", 3) == ""
