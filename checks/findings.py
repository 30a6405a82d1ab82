# SPDX-License-Identifier: MIT
"""What a check has found, and the exceptions: each has a reason, and is needed."""
from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Set, Tuple

TABLE = "checks/exceptions.txt"
UNREASONED = "exception-without-reason"
UNNEEDED = "exception-not-needed"


@dataclass(frozen=True)
class Finding:
    path: str  # from the project's root
    line: int  # 0: the tool does not say
    check: str
    message: str
    unit: str = ""  # what was being compiled, if `path` is a header

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.check}]"


@dataclass(frozen=True)
class Waiver:
    """An exception: which findings are none, and where that is said."""

    where: str
    line: int
    check: str
    reason: str
    path: str  # of what is found, a pattern
    text: str = ""  # that the message holds
    lines: Optional[Tuple[int, int]] = None  # the first and last; None: all

    def covers(self, finding: Finding) -> bool:
        return (self.check == finding.check and self.text in finding.message
                and (fnmatch(finding.path, self.path) or fnmatch(finding.unit, self.path))
                and (self.lines is None or self.lines[0] <= finding.line <= self.lines[1]))


def part_of(check: str) -> str:
    """Whose check this is, by its name."""
    for start, part in (("text-", "text"), ("spelling", "spelling"), ("SC", "shell"),
                        ("analyzer-", "analyzer"), ("clang-format", "format")):
        if check.startswith(start):
            return part
    if re.fullmatch(r"[A-Z]\d+", check):
        return "python"
    return "tidy" if "-" in check else "cppcheck"


C_COMMENT = re.compile(r"NOLINT(NEXTLINE)?\(([^)]*)\)(?:: *(\S.*))?")
PYTHON_COMMENT = re.compile(r"# noqa: (\w+)(?: +\((.+)\))?")
SHELL_COMMENT = re.compile(r"# shellcheck disable=(\w+)(?: # *(\S.*))?")


def in_source(path: str, text: str) -> Iterator[Waiver]:
    """Those that stand in a source, beside what they are for."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if path.endswith((".c", ".h")):
            for match in C_COMMENT.finditer(line):
                at = number + (match[1] is not None)
                for check in match[2].split(","):
                    yield Waiver(path, number, check.strip(), match[3] or "", path, "", (at, at))
        elif path.endswith(".py"):
            for match in PYTHON_COMMENT.finditer(line):
                yield Waiver(path, number, match[1], match[2] or "", path, "", (number, number))
        else:
            for match in SHELL_COMMENT.finditer(line):
                end = next((at for at in range(number, len(lines)) if not lines[at].strip()),
                           len(lines))
                yield Waiver(path, number, match[1], match[2] or "", path, "", (number, end))


def in_table(text: str) -> Iterator[Waiver]:
    """Those for whole files: check | path | text of the message | reason."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = [word.strip() for word in line.split("|", 3)] + ["", "", ""]
        yield Waiver(TABLE, number, words[0], words[3], words[1], words[2])


def without_comments(text: str) -> str:
    """A source whose exceptions the tools don't see: all findings come here, to be counted."""
    return SHELL_COMMENT.sub("#", text.replace("NOLINT", "NO_LINT"))


def waivers(root: Path, sources: Sequence[str]) -> List[Waiver]:
    found = list(in_table((root / TABLE).read_text()))
    for path in sources:
        found += in_source(path, (root / path).read_text())
    return found


def judge(findings: Sequence[Finding], exceptions: Sequence[Waiver], parts: Set[str]
          ) -> Tuple[List[Finding], int]:
    """What is left of the findings, with what is wrong about the exceptions of these parts, and
    how many exceptions were needed."""
    asked = [each for each in exceptions if part_of(each.check) in parts]
    needed = {each for each in asked if any(each.covers(finding) for finding in findings)}
    left = [finding for finding in findings if not any(each.covers(finding) for each in asked)]
    for each in asked:
        if not each.reason:
            left.append(Finding(each.where, each.line, UNREASONED,
                                f"the exception from {each.check} gives no reason"))
        if each not in needed:
            left.append(Finding(each.where, each.line, UNNEEDED,
                                f"{each.check} finds nothing here any more: take it away"))
    return left, len(needed)
