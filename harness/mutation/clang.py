# SPDX-License-Identifier: MIT
"""A file of C as a tree, by clang's own: exact places, types, and what macros have become.

Places are those where a token is spelled, so that what a macro of the same file stands for is found
in its definition. What comes of one macro that is defined elsewhere stands where that is used. A
node that does not stand in one piece in this file has no extent.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from judge.model import Refusal

from .source import closing

# The warnings are the build's affair.
COMMAND = ("clang", "-fsyntax-only", "-w", "-Xclang", "-ast-dump=json", "-x", "c", "-std=gnu2x",
           "--target=x86_64-unknown-none-elf", "-ffreestanding", "-mgeneral-regs-only")
Data = Dict[str, Any]
MACRO = re.compile(r"\w+\(?")


@dataclass
class Place:
    """Of a token."""

    file: str
    offset: int
    size: int
    expansion: Optional[int]  # where the macro is used that it comes from, None: it is no macro's
    is_argument: bool = False
    used_in: str = ""  # the file where the macro is used


@dataclass
class Node:
    data: Data
    start: int = -1  # -1: it has no extent
    end: int = -1
    is_macro: bool = False  # it is all of one macro, and stands where that is used
    begin: Optional[Place] = None  # its first token
    last: Optional[Place] = None
    children: List["Node"] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))

    @property
    def is_here(self) -> bool:
        return self.start >= 0

    @property
    def type(self) -> str:
        types = self.data.get("type", {})
        return str(types.get("desugaredQualType", types.get("qualType", "")))

    @property
    def written_type(self) -> str:
        return str(self.data.get("type", {}).get("qualType", ""))

    @property
    def reference(self) -> Data:
        return dict(self.data.get("referencedDecl", {}))

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            yield from child.walk()


def tree(root: Path, path: str, options: Sequence[str]) -> Node:
    """Of the file `path` below `root`, with these -I and -D."""
    if shutil.which(COMMAND[0]) is None:
        raise Refusal("The code is read by clang, and there is none: ./dev install ci.")
    # It is included, so that a header that is included again by what it includes is read once.
    done = subprocess.run([*COMMAND, *options, "-"], cwd=root, check=False,
                          input=f'#include "{path}"\n'.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").splitlines()
        raise Refusal(f"clang does not understand {path}.", "\n".join(lines[:20]))
    return _Reader(path).node(json.loads(done.stdout))


class _Reader:
    """clang names a file only where it is another one than that of the place before, so places are
    read in the order in which they stand."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = ""

    def node(self, data: Data) -> Node:
        node = Node(data)
        for key, value in data.items():
            if key == "loc":
                self._place(value)
            elif key == "range":
                node.begin, node.last = self._place(value["begin"]), self._place(value["end"])
            elif key == "inner":
                node.children = [self.node(child) for child in value]
        data.pop("inner", None)
        return node

    def _place(self, data: Data) -> Optional[Place]:
        if "spellingLoc" in data:
            spelled, used = self._bare(data["spellingLoc"]), self._bare(data["expansionLoc"])
            if spelled is not None and used is not None:
                spelled.expansion, spelled.used_in = used.offset, used.file
                spelled.is_argument = bool(data["expansionLoc"].get("isMacroArgExpansion"))
            return spelled
        return self._bare(data)

    def _bare(self, data: Data) -> Optional[Place]:
        self._file = os.path.normpath(data["file"]) if "file" in data else self._file
        if "offset" not in data:
            return None
        return Place(self._file, data["offset"], data.get("tokLen", 0), None)


def locate(root: Node, path: str, code: str) -> None:
    """Gives all nodes their extents, where they have one in this file."""
    for node in root.walk():
        begin, last = node.begin, node.last
        if begin is None or last is None:
            continue
        is_one_use = begin.expansion is not None and begin.expansion == last.expansion
        if begin.is_argument == last.is_argument and (is_one_use or _is_plain(begin, last)) and \
                begin.file == last.file == path:
            start, end = begin.offset, last.offset + last.size
        else:
            start = _use(begin, path, code)[0]
            end = _use(last, path, code)[1]
            node.is_macro = is_one_use
        if 0 <= start < end:
            node.start, node.end = start, end


def _is_plain(begin: Place, last: Place) -> bool:
    return begin.expansion is None and last.expansion is None


def _use(place: Place, path: str, code: str) -> Tuple[int, int]:
    """Of the macro that the token comes from, or of the token itself; -1 in another file."""
    if place.expansion is None:
        return (place.offset, place.offset + place.size) if place.file == path else (-1, -1)
    match = MACRO.match(code, place.expansion) if place.used_in == path else None
    if match is None:
        return -1, -1
    is_call = match[0].endswith("(")
    return match.start(), closing(code, match.end() - 1) if is_call else match.end()


def bare(node: Node) -> Node:
    """Without the casts that nobody wrote."""
    while node.kind in ("ImplicitCastExpr", "ConstantExpr") and node.children:
        node = node.children[0]
    return node


def pairs(nodes: Sequence[Node]) -> List[Tuple[Node, Node]]:
    return list(zip(nodes, nodes[1:]))
