#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Writes the table of docs/heap.md anew: docs/make_heap_table.py BUILD
# BUILD is a folder with -Dktest=true, gcc and -O2. The kernel itself counts the instructions, by
# single steps, and says what the churn has left.

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "harness"))

from judge.vm import Machines, default_machine  # noqa: E402  (the path is known only now)

PAGE = ROOT / "docs/heap.md"
BEGIN, END = "<!-- docs/make_heap_table.py -->\n", "<!-- the end of the table -->\n"
TESTS = "heap_cost.allocating_and_freeing_is_cheap*,heap_cost.churn_is_cheap*"
PAIRS = re.compile(r"^heap table: (.*): pairs ([\d ]+)$", re.MULTILINE)
CHURN = re.compile(r"^heap table: (.*): churn (\d+), (\d+) failed, (\d+) of (\d+) in one piece$",
                   re.MULTILINE)
HEAD = ["design", "8", "64", "1024", "2048", "4096 bytes", "churn", "failed", "in one piece"]
BLOG_OS = [["*blog_os: bump*", "44", "44", "44", "44", "44", "", "", ""],
           ["*its list*", "99", "99", "99", "99", "99", "17763", "11203", "50"],
           ["*`linked_list_allocator`*", "219", "219", "219", "219", "219", "654", "0", "102350"],
           ["*its fixed-size blocks*", "56", "72", "96", "102", "347", "46", "0", "37850"]]


def console_of(build: Path) -> str:
    with Machines(default_machine(build)) as machines:
        vm = machines.boot(arguments=f"ktest.select={TESTS}", vga=False)
        vm.wait(timeout=60.0)
        return vm.console


def rows(console: str) -> List[List[str]]:
    pairs = {name: figures.split() for name, figures in PAIRS.findall(console)}
    churns = {name: figures for name, *figures in CHURN.findall(console)}
    if not pairs or pairs.keys() != churns.keys():
        sys.exit(f"the kernel did not say its figures:\n{console}")
    return [[name, *pairs[name], *churns[name][:3]] for name in pairs]


def table(console: str) -> str:
    lines = [HEAD, ["---"] * len(HEAD), *rows(console), *BLOG_OS]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: docs/make_heap_table.py BUILD")
    text = PAGE.read_text(encoding="utf-8")
    before, old, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not old or not end:
        sys.exit(f"{PAGE} has no place for the table")
    PAGE.write_text(before + BEGIN + table(console_of(Path(sys.argv[1]).resolve())) + END + after,
                    encoding="utf-8")
