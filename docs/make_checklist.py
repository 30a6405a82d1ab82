#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes docs/checklist.md of the statements in docs/checklist.txt and of what proves them.

A proof is a test that claims the statement: a test of the kernel (`.proves` in its record, read
from the ELF file), a host test (`@proves(...)`, read from its source), or a fact of the source
that checklist.txt names and that is looked for here. Nothing else counts.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs/checklist.txt"
PAGE = ROOT / "docs/checklist.md"
HOST_TESTS = ("harness/tests/**/*.py", "kernel/**/test_*.py")
REMEDY = "make it anew: ninja -C build && docs/make_checklist.py"

sys.path.insert(0, str(ROOT / "harness"))

from judge.elf import Image  # noqa: E402  (the path is known only now)
from judge.model import Refusal  # noqa: E402  (the path is known only now)


class ChecklistError(Exception):
    """A source of the page contradicts itself or another one."""


@dataclass(frozen=True)
class Statement:
    section: str
    id: str
    text: str
    facts: tuple[str, ...]  # files whose text shows that it holds
    reason: str  # why it is open, or ""


@dataclass(frozen=True)
class Claim:
    test: str
    ids: tuple[str, ...]


def statements(source: str) -> Iterator[Statement]:
    """Reads checklist.txt, and looks for the facts that it names."""
    section = ""
    for block in re.split(r"\n(?! +\S)", source):
        head, *notes = block.split("\n")
        if not head or head.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(\d+)\] (.+)", head):
            section = f"{match[1]}. {match[2]}"
        elif (match := re.fullmatch(r"(\d+(?:\.\d+)+) (.+)", head)) and section:
            yield Statement(section, match[1], match[2], *read_notes(match[1], notes))
        else:
            raise ChecklistError(f"{SOURCE.name}: neither section nor statement: {head}")


def read_notes(key: str, notes: list[str]) -> tuple[tuple[str, ...], str]:
    facts: list[str] = []
    reason = ""
    for note in notes:
        if match := re.fullmatch(r"\s+by (\S+): (.+)", note):
            if match[2] not in (ROOT / match[1]).read_text(encoding="utf-8"):
                raise ChecklistError(f"{key}: {match[1]} does not say: {match[2]}")
            facts.append(match[1])
        elif match := re.fullmatch(r"\s+open: (.+)", note):
            reason = match[1]
        else:
            raise ChecklistError(f"{key}: neither 'by FILE: TEXT' nor 'open: REASON': {note}")
    return tuple(facts), reason


def kernel_claims(elf: Path) -> Iterator[Claim]:
    tests = Image(elf).tests
    if not tests:
        raise ChecklistError(f"{elf} holds no test: it was built without -Dktest=true")
    for test in tests:
        yield Claim(test.full_name, test.proves)


def host_claims() -> Iterator[Claim]:
    for path in sorted(path for pattern in HOST_TESTS for path in ROOT.glob(pattern)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.FunctionDef):
                name = f"{path.relative_to(ROOT)}::{node.name}"
                yield Claim(name, tuple(claimed_ids(name, node)))


def claimed_ids(name: str, function: ast.FunctionDef) -> Iterator[str]:
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    if any(re.search(r"\bmark\.(skip|xfail)\b", decorator) for decorator in decorators):
        return  # not a live test
    for decorator in decorators:
        if match := re.fullmatch(r"(?:\w+\.)?proves\((.*)\)", decorator):
            if not function.name.startswith("test"):
                raise ChecklistError(f"{name} is no test, and can't prove anything")
            yield from ast.literal_eval(f"[{match[1]}]")


def proofs(known: list[Statement], claims: Iterator[Claim]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {statement.id: [] for statement in known}
    if len(result) < len(known):
        raise ChecklistError(f"{SOURCE.name} has two statements of one number")
    unknown: list[str] = []
    for claim in claims:
        for key in claim.ids:
            if key in result:
                result[key].append(claim.test)
            else:
                unknown.append(f"{claim.test} proves {key}, which {SOURCE.name} has not")
    if unknown:
        raise ChecklistError("\n".join(unknown))
    return result


def render(known: list[Statement], proven: dict[str, list[str]]) -> str:
    closed = [s for s in known if not s.reason and (proven[s.id] or s.facts)]
    lines = [
        "# What is proven, and by what",
        "",
        "Made by `docs/make_checklist.py` from `docs/checklist.txt` and the tests' own claims: do",
        "not edit. *suite.name* is a test of the kernel, *file::function* a host test, and a file",
        f"alone a fact of the source. {len(closed)} of {len(known)} statements are proven.",
    ]
    section = ""
    for statement in known:
        if statement.section != section:
            section = statement.section
            lines += ["", f"## {section}", "", "| | statement | proven by |", "|---|---|---|"]
        cells = (statement.id, statement.text, verdict(statement, sorted(proven[statement.id])))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def verdict(statement: Statement, tests: list[str]) -> str:
    witnesses = ", ".join(f"`{name}`" for name in (*tests, *statement.facts))
    if not statement.reason:
        return witnesses or "**open**"
    return f"**open**: {statement.reason}" + (f"; so far {witnesses}" if witnesses else "")


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes docs/checklist.md.")
    parser.add_argument("elf", type=Path, nargs="?", default=ROOT / "build/faultline.elf",
                        help="a kernel built with -Dktest=true (%(default)s)")
    parser.add_argument("--check", action="store_true", help="compare, and exit 1 if it differs")
    options = parser.parse_args()
    try:
        known = list(statements(SOURCE.read_text(encoding="utf-8")))
        claims = [*kernel_claims(options.elf), *host_claims()]
        page = render(known, proofs(known, iter(claims)))
    except (ChecklistError, Refusal, OSError) as error:
        print(f"make_checklist: {error}", file=sys.stderr)
        return 1
    if not options.check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if not PAGE.exists():
        print(f"There is no docs/checklist.md; {REMEDY}", file=sys.stderr)
        return 1
    old = PAGE.read_text(encoding="utf-8")
    if old == page:
        return 0
    print("docs/checklist.md is not what the tests prove:", file=sys.stderr)
    for line in difflib.unified_diff(old.splitlines(), page.splitlines(), n=0, lineterm=""):
        print(line, file=sys.stderr)
    print(REMEDY, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
