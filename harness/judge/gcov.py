# SPDX-License-Identifier: MIT
"""gcc's files of coverage, and what follows from them: gcc/gcov-io.h and gcc/gcov.cc of gcc 12.

A .gcno file has the graph of each function: blocks, the arcs between them, and which lines stand in
which block. Arcs that make a tree have no counter, for theirs follow from the others. A .gcda file
has the counters, in the order of the arcs; the kernel's come from its memory instead (counters.py).

Read here and not by gcov, because it takes the graph to tell the branches that only a panic takes,
and because of what differs between notes and counters gcov makes a lower figure and no error.
"""
from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, List, NamedTuple, Set, Tuple

from .model import Refusal

MAGIC_NOTES, MAGIC_DATA = 0x67636E6F, 0x67636461
TAG_FUNCTION, TAG_BLOCKS, TAG_ARCS, TAG_LINES = 0x01000000, 0x01410000, 0x01430000, 0x01450000
TAG_COUNTERS = 0x01A10000  # of arcs
ON_TREE, FAKE = 1, 2
ENTRY, EXIT = 0, 1  # blocks
OLDEST = 12  # gcc; before it, sizes were in words

NOT_GCOV = (struct.error, ValueError, IndexError, UnicodeDecodeError)


class Arc(NamedTuple):
    source: int
    target: int
    flags: int


class Key(NamedTuple):
    """Tells a function in an object; the sums are of its lines and of its graph."""

    ident: int
    lineno_checksum: int
    cfg_checksum: int


class Place(NamedTuple):
    file: str
    line: int


@dataclass(frozen=True)
class Function:
    key: Key
    name: str
    place: Place
    is_artificial: bool
    block_count: int
    arcs: Tuple[Arc, ...]  # in the order of their blocks
    lines: Dict[int, Tuple[Place, ...]]  # by block

    @property
    def counter_count(self) -> int:
        return sum(not arc.flags & ON_TREE for arc in self.arcs)


@dataclass(frozen=True)
class Notes:
    path: Path
    stamp: int  # of the compilation
    functions: Tuple[Function, ...]


class _Reader:
    def __init__(self, path: Path, magic: int) -> None:
        self._bytes = path.read_bytes()
        self.at = 0
        if self.word() != magic:
            raise ValueError("it does not begin with the magic number")
        version = struct.pack(">I", self.word())  # such as B22*: 10 * (B - A) + 2, minor 2
        self.major = (version[0] - ord("A")) * 10 + version[1] - ord("0")
        if self.major < OLDEST:
            raise ValueError(f"it is of gcc {self.major}, and has to be of {OLDEST} or newer")
        self.stamp, _ = self.words(2)  # and a checksum of all functions, which notes lack

    @property
    def is_at_end(self) -> bool:
        return self.at + 8 > len(self._bytes)  # gcc ends a file with a word of zeros, or none

    def word(self) -> int:
        value: int = struct.unpack_from("<I", self._bytes, self.at)[0]
        self.at += 4
        return value

    def words(self, count: int) -> Tuple[int, ...]:
        return tuple(self.word() for _ in range(count))

    def text(self) -> str:
        size = self.word()
        data = self._bytes[self.at:self.at + size]
        self.at += size
        return data.partition(b"\0")[0].decode()

    def counters(self, size: int) -> Tuple[int, ...]:
        """A negative size stands for zeros that were left out."""
        if size >= 1 << 31:
            return (0,) * (((1 << 32) - size) // 8)
        values = struct.unpack_from(f"<{size // 8}q", self._bytes, self.at)
        self.at += size
        return values


def read_notes(path: Path) -> Notes:
    try:
        reader = _Reader(path, MAGIC_NOTES)
        folder = reader.text()
        reader.word()  # whether blocks that are not executed are of interest
        functions: List[Function] = []
        while not reader.is_at_end:
            tag, size = reader.words(2)
            if tag == 0:
                break
            end = reader.at + size
            if tag == TAG_FUNCTION:
                functions.append(_function(reader, folder))
            elif tag in (TAG_BLOCKS, TAG_ARCS, TAG_LINES):
                functions[-1] = _extended(functions[-1], reader, tag, end, folder)
            reader.at = end
    except (OSError, *NOT_GCOV) as error:
        raise Refusal(f"{path} can't be read: {error}.") from error
    return Notes(path, reader.stamp, tuple(functions))


def _function(reader: _Reader, folder: str) -> Function:
    key = Key(*reader.words(3))
    name, is_artificial, file = reader.text(), reader.word(), reader.text()
    place = Place(_path(folder, file), reader.word())
    return Function(key, name, place, bool(is_artificial), 0, (), {})


def _extended(old: Function, reader: _Reader, tag: int, end: int, folder: str) -> Function:
    """With what a record says of its graph."""
    block_count, arcs, lines = old.block_count, old.arcs, old.lines
    if tag == TAG_BLOCKS:
        block_count = reader.word()
    elif tag == TAG_ARCS:
        source = reader.word()
        while reader.at < end:
            arcs += (Arc(source, *reader.words(2)),)
    else:
        lines = {**lines, reader.word(): _places(reader, folder)}
    return Function(old.key, old.name, old.place, old.is_artificial, block_count, arcs, lines)


def _places(reader: _Reader, folder: str) -> Tuple[Place, ...]:
    """Numbers of lines; 0 and a name say of which file the next are, 0 and no name end them."""
    found: List[Place] = []
    file = ""
    while True:
        line = reader.word()
        if line:
            found.append(Place(file, line))
            continue
        name = reader.text()
        if not name:
            return tuple(found)
        file = _path(folder, name)


_paths: Dict[Tuple[str, str], str] = {}


def _path(folder: str, name: str) -> str:
    if (folder, name) not in _paths:
        _paths[folder, name] = os.path.realpath(os.path.join(folder, name))
    return _paths[folder, name]


def read_counters(path: Path, notes: Notes) -> Dict[Key, Tuple[int, ...]]:
    """A program's of one object, as it has written them when it ended."""
    found: Dict[Key, Tuple[int, ...]] = {}
    try:
        reader = _Reader(path, MAGIC_DATA)
        if reader.stamp != notes.stamp:
            raise Refusal(f"{path} is of another build than {notes.path}.")
        key = None
        while not reader.is_at_end:
            tag, size = reader.words(2)
            if tag == TAG_FUNCTION and size:
                key = Key(*reader.words(3))
            elif tag == TAG_COUNTERS and key is not None:
                found[key] = reader.counters(size)
            elif size < 1 << 31:
                reader.at += size
    except (OSError, *NOT_GCOV) as error:
        raise Refusal(f"{path} can't be read: {error}.") from error
    return found


# --- What follows from a function's counters ------------------------------------------------------


def solve(function: Function, counters: Tuple[int, ...]) -> Tuple[int, ...]:
    """How often each arc was taken: as much comes into a block as goes out of it.

    A function that was left in the middle, by a fault or for good, breaks that rule: what would be
    less than nothing is nothing.
    """
    given = iter(counters)
    counts = [None if arc.flags & ON_TREE else next(given) for arc in function.arcs]
    into: List[List[int]] = [[] for _ in range(function.block_count)]
    out_of: List[List[int]] = [[] for _ in range(function.block_count)]
    for index, arc in enumerate(function.arcs):
        out_of[arc.source].append(index)
        into[arc.target].append(index)
    into[ENTRY], out_of[EXIT] = [], []
    work = [(block, side) for block in range(function.block_count) for side in (0, 1)]
    while work:
        block, side = work.pop()
        here, there = (into[block], out_of[block])[::1 if side else -1]
        unknown = [index for index in here if counts[index] is None]
        is_open = not there and block in (ENTRY, EXIT)
        if len(unknown) != 1 or is_open or any(counts[index] is None for index in there):
            continue
        known = sum(counts[index] or 0 for index in here)
        counts[unknown[0]] = sum(counts[index] or 0 for index in there) - known
        arc = function.arcs[unknown[0]]
        work += [(each, side) for each in (arc.source, arc.target) for side in (0, 1)]
    if None in counts:
        raise ValueError(f"the counters of {function.name} do not tell all of its arcs")
    return tuple(max(0, count or 0) for count in counts)


class Branch(NamedTuple):
    place: Place
    block: int
    counts: Tuple[int, ...]  # of its ways


@dataclass(frozen=True)
class Findings:
    """Of a function: how often each of its lines was begun, and its branches."""

    lines: Dict[Place, int]
    branches: Tuple[Branch, ...]


def find(function: Function, counters: Tuple[int, ...], panics: FrozenSet[Place]) -> Findings:
    """`panics` are the lines with a panic or an assertion. A branch all whose ways but one lead
    there, and nowhere else, is none."""
    counts = solve(function, counters)
    entered = [0] * function.block_count
    for arc, count in zip(function.arcs, counts):
        entered[arc.target] += count
    lines: Dict[Place, int] = {}
    for block, places in function.lines.items():
        for place in places:
            lines[place] = max(lines.get(place, 0), entered[block])
    doomed = _doomed(function, panics)
    branches = []
    for block, places in sorted(function.lines.items()):
        ways = [(arc, count) for arc, count in zip(function.arcs, counts)
                if arc.source == block and not arc.flags & FAKE]
        taken = tuple(count for arc, count in ways if arc.target not in doomed)
        if len(taken) > 1 and places:
            branches.append(Branch(places[-1], block, taken))
    return Findings(lines, tuple(branches))


def _doomed(function: Function, panics: FrozenSet[Place]) -> Set[int]:
    """The blocks from which every way leads into a panic: such a call has no way back, which is an
    arc that stands for none."""
    ways: Dict[int, Set[int]] = {block: set() for block in range(function.block_count)}
    for arc in function.arcs:
        if not arc.flags & FAKE:
            ways[arc.source].add(arc.target)
    doomed = {block for block, targets in ways.items() if not targets and block != EXIT
              and not panics.isdisjoint(function.lines.get(block, ()))}
    size = -1
    while size != len(doomed):
        size = len(doomed)
        doomed |= {block for block, targets in ways.items() if targets and targets <= doomed}
    return doomed
