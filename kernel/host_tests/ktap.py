# SPDX-License-Identifier: MIT
"""A reader of KTAP that knows nothing of ours: https://docs.kernel.org/dev-tools/ktap.html alone.

What a line is follows from its form, and what it belongs to from its indentation. Lines of no known
form, such as our metadata, are diagnostics.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Optional, Sequence

VERSION = re.compile(r"( *)KTAP version 1")
PLAN = re.compile(r"( *)1\.\.(\d+)")
SUBTEST = re.compile(r"( *)# Subtest: (.+)")
RESULT = re.compile(r"( *)(ok|not ok) (\d+)(?: (?:- )?([^#]*?))?(?: # ?(\w+)?(?: (.*))?)?")


@dataclass
class Node:
    """A test, or a group of them."""

    name: str
    status: str = ""  # ok, not ok or skip; empty: its result never came
    reason: str = ""
    planned: Optional[int] = None
    children: List["Node"] = field(default_factory=list)


class Reader:
    def __init__(self) -> None:
        self.complaints: List[str] = []

    def read(self, lines: Sequence[str]) -> Node:
        root = Node("")
        open_groups: List[Node] = []  # from the outermost on
        indents: List[int] = []
        for number, line in enumerate(lines, 1):
            version = VERSION.fullmatch(line)
            plan, subtest = PLAN.fullmatch(line), SUBTEST.fullmatch(line)
            result = RESULT.fullmatch(line)
            if version and (not indents or len(version[1]) > indents[-1]):
                open_groups.append(Node("") if indents else root)
                indents.append(len(version[1]))
            elif not indents:
                self.complaints.append(f"line {number} stands before any version")
            elif plan and len(plan[1]) == indents[-1]:
                open_groups[-1].planned = int(plan[2])
            elif subtest and len(subtest[1]) == indents[-1]:
                open_groups[-1].name = subtest[2]
            elif result:
                while len(indents) > 1 and len(result[1]) < indents[-1]:
                    indents.pop()
                    self._close(open_groups.pop(), open_groups[-1])
                self._take(result, open_groups[-1], len(result[1]) == indents[-1])
        for group, parent in zip(open_groups[:0:-1], open_groups[-2::-1]):
            self._close(group, parent)
            self.complaints.append(f"{group.name} has no result")
        if root.planned != len(root.children):
            self.complaints.append(f"{root.planned} are planned, and there are "
                                   f"{len(root.children)}")
        return root

    def _close(self, group: Node, parent: Node) -> None:
        """Its result is the next line of the parent's."""
        if group.planned != len(group.children):
            self.complaints.append(f"{group.name}: {group.planned} are planned, and there are "
                                   f"{len(group.children)}")
        parent.children.append(group)

    def _take(self, result: "re.Match[str]", group: Node, is_level: bool) -> None:
        name, status = result[4] or "", result[2]
        status = "skip" if status == "ok" and result[5] == "SKIP" else status
        last = group.children[-1] if group.children else None
        if last is not None and last.planned is not None and not last.status:
            last.status = status  # a group that has just been closed
            if name != last.name:
                self.complaints.append(f"{last.name} ends as {name}")
        else:
            group.children.append(Node(name, status, result[6] or ""))
        if int(result[3]) != len(group.children) or not is_level:
            self.complaints.append(f"{name} has number {result[3]}, or is indented in another way")
