# SPDX-License-Identifier: MIT
"""What the kernel's ELF file says of itself: its tests, its build id and its symbols.

The layouts of .ktests are those of ktest/ktest.h, for 64- and for 32-bit kernels. The file is read
with struct: importing pyelftools takes 45 ms of CPU, more than QEMU needs for a run, so that it is
left to symbolize.py, which only a failure calls.
"""
from __future__ import annotations

import bisect
import struct
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

from .model import (Accel, Inject, Isolation, Needs, Outcome, OutcomeKind, Quirk, Refusal, Speed,
                    Test)
from .order import in_order

PT_LOAD = 1
SHT_SYMTAB, SHT_NOTE, SHT_NOBITS = 2, 7, 8
NT_GNU_BUILD_ID = 3
XEN_PHYS32_ENTRY = 18
STT_SECTION, STT_FILE = 3, 4

RECORD_MAGIC = 0x3353544B  # KTEST_RECORD_MAGIC
RECORD_CASE, RECORD_SUITE, RECORD_BENCH = 1, 2, 3

# More than anyone has: what is above is a broken file.
FILE_BYTES = 1 << 29
STRING_BYTES = 4096
PARAMS_PER_TEST = 10_000
QUIRKS_PER_TEST = 64
ALLOCATIONS_PER_TEST = 10_000  # that have to fail, each in a run of its own
TESTS = 100_000

NOT_ELF = (struct.error, ValueError, IndexError, OverflowError)  # what broken tables lead to


class Section(NamedTuple):
    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int


class Segment(NamedTuple):
    address: int
    offset: int
    file_size: int
    memory_size: int


class Symbol(NamedTuple):
    address: int
    size: int
    name: str


class Layout(NamedTuple):
    """The structures whose fields depend on the size of an address."""

    address: struct.Struct
    header: struct.Struct  # from e_type on
    segment: struct.Struct
    section: struct.Struct
    symbol: struct.Struct
    record: struct.Struct
    outcome: struct.Struct
    attr: struct.Struct  # behind its outcome
    quirk: struct.Struct  # behind its outcome


def _layout(order: str, is_64_bit: bool) -> Layout:
    word = "Q" if is_64_bit else "I"
    formats = (
        word,
        f"HHI{word}{word}{word}IHHHHHH",
        "IIQQQQQQ" if is_64_bit else "IIIIIIII",
        f"II{word}{word}{word}{word}II{word}{word}",
        "IBBHQQ" if is_64_bit else "IIIBBH",
        f"II{word}{word}{word}II{word}{word}{word}{word}",
        f"IIQQQQII{word}{word}",
        f"IIIIIIII{word}{word}{word}",
        f"IIII{word}",
    )
    return Layout(*(struct.Struct(order + text) for text in formats))


class Image:
    """A kernel's ELF file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise Refusal(f"The kernel {path} is no file.")
            with open(path, "rb") as file:
                self._bytes = file.read(FILE_BYTES)
            if len(self._bytes) == FILE_BYTES:
                raise Refusal(f"The kernel {path} has more than {FILE_BYTES:,} bytes.")
        except OSError as error:
            raise Refusal(f"The kernel {path} cannot be read: {error.strerror}.") from error
        try:
            self._read_tables()
            self.build_id = self._build_id()  # in hexadecimal; "" if the linker made none
            self.tests = self._tests()  # all of them, also benchmarks, sorted by name
        except NOT_ELF as error:
            raise Refusal(f"{path} is not a whole ELF file: {error}.") from error

    def _read_tables(self) -> None:
        if self._bytes[:4] != b"\x7fELF":
            raise ValueError("it does not begin with the magic number")
        self._is_64_bit = self._bytes[4] == 2
        self._layout = _layout("<" if self._bytes[5] == 1 else ">", self._is_64_bit)
        fields = self._layout.header.unpack_from(self._bytes, 16)
        self.entry, segments_at, sections_at = fields[3], fields[4], fields[5]
        segment_count, section_count, names_index = fields[9], fields[11], fields[12]
        self._segments = list(self._read_segments(segments_at, segment_count))
        self._sections = self._read_sections(sections_at, section_count, names_index)

    def _read_segments(self, offset: int, count: int) -> Iterator[Segment]:
        for index in range(count):
            fields = self._layout.segment.unpack_from(
                self._bytes, offset + index * self._layout.segment.size)
            if fields[0] == PT_LOAD and self._is_64_bit:
                yield Segment(fields[3], fields[2], fields[5], fields[6])
            elif fields[0] == PT_LOAD:
                yield Segment(fields[2], fields[1], fields[4], fields[5])

    def _read_sections(self, offset: int, count: int, names_index: int) -> List[Section]:
        step = self._layout.section.size
        rows = [self._layout.section.unpack_from(self._bytes, offset + index * step)
                for index in range(count)]
        names = rows[names_index][4] if rows else 0
        return [Section(self._name(names + row[0]), row[1], row[3], row[4], row[5], row[6])
                for row in rows]

    def _name(self, offset: int) -> str:
        end = self._bytes.index(b"\0", offset)
        return self._bytes[offset:end].decode("utf-8", "replace")

    def _section(self, name: str) -> Optional[Section]:
        return next((each for each in self._sections if each.name == name), None)

    # --- Memory as the loader would lay it out ----------------------------------------------------

    def memory(self, address: int, size: int) -> bytes:
        """Up to `size` bytes at a virtual address; what no file byte backs is zero."""
        for segment in self._segments:
            start = address - segment.address
            if 0 <= start < segment.memory_size:
                size = min(size, segment.memory_size - start)
                stored = min(size, max(0, segment.file_size - start))
                offset = segment.offset + start
                return self._bytes[offset:offset + stored].ljust(size, b"\0")
        raise Refusal(f"A record of .ktests in {self.path} points to 0x{address:x}, "
                      "which no segment holds.")

    def _unpack(self, layout: struct.Struct, address: int) -> Tuple[int, ...]:
        data = self.memory(address, layout.size)
        if len(data) < layout.size:
            raise Refusal(f"A record of .ktests in {self.path} at 0x{address:x} is cut short.")
        return layout.unpack(data)

    def _string(self, address: int) -> str:
        if address == 0:
            return ""
        return self.memory(address, STRING_BYTES).partition(b"\0")[0].decode("utf-8", "replace")

    # --- Identity ---------------------------------------------------------------------------------

    def _build_id(self) -> str:
        for section in self._sections:
            if section.kind == SHT_NOTE:
                for name, kind, description in self._notes(section):
                    if name == b"GNU\0" and kind == NT_GNU_BUILD_ID:
                        return description.hex()
        return ""

    @property
    def pvh_entry(self) -> Optional[int]:
        """Where QEMU's -kernel enters, if there is a note that says so."""
        for section in self._sections:
            if section.kind == SHT_NOTE:
                for name, kind, description in self._notes(section):
                    if name == b"Xen\0" and kind == XEN_PHYS32_ENTRY:
                        return int.from_bytes(description, "little")
        return None

    def _notes(self, section: Section) -> Iterator[Tuple[bytes, int, bytes]]:
        header = struct.Struct(self._layout.address.format[0] + "III")
        offset, end = section.offset, section.offset + section.size
        while offset + header.size <= min(end, len(self._bytes)):
            name_size, size, kind = header.unpack_from(self._bytes, offset)
            name_at = offset + header.size
            data_at = name_at + (name_size + 3) // 4 * 4
            yield (self._bytes[name_at:name_at + name_size], kind,
                   self._bytes[data_at:data_at + size])
            offset = data_at + (size + 3) // 4 * 4

    # --- Tests ------------------------------------------------------------------------------------

    def _tests(self) -> Tuple[Test, ...]:
        section = self._section(".ktests")
        if section is None or section.kind == SHT_NOBITS:
            return ()
        data = self._bytes[section.offset:section.offset + section.size]
        if len(data) % self._layout.address.size:
            raise Refusal(f"The section .ktests of {self.path} is not an array of pointers.")
        found: List[Test] = []
        for (pointer,) in self._layout.address.iter_unpack(data):
            found += self._record(pointer)
            if len(found) > TESTS:
                raise Refusal(f"{self.path} announces more than {TESTS} tests: it is broken.")
        return in_order(found)

    def _record(self, pointer: int) -> List[Test]:
        """The tests of a record: one, one for each parameter, or none of a suite's."""
        magic, kind, suite, name, file, line, param_count, _, attr, _, _ = self._unpack(
            self._layout.record, pointer)
        if magic != RECORD_MAGIC or kind not in (RECORD_CASE, RECORD_SUITE, RECORD_BENCH):
            raise Refusal(f"{self.path} has a record in .ktests that this harness does not know: "
                          "it was built with another version of ktest.h.")
        if kind == RECORD_SUITE:
            return []
        test = self._attributed(Test(self._string(suite), self._string(name), self._string(file),
                                     line, is_bench=kind == RECORD_BENCH), attr)
        if param_count > PARAMS_PER_TEST:
            raise Refusal(f"{test.full_name} in {self.path} has {param_count:,} parameters, which "
                          "nobody wrote down: the file is broken.")
        return [replace(test, index=index) for index in range(param_count)] or [test]

    def _attributed(self, test: Test, address: int) -> Test:
        if address == 0:
            return test
        (isolation, timeout_ms, needs, speed, inject, fail_nth, quirk_count, _, quirks, known_bug,
         proves) = self._unpack(self._layout.attr, address + self._layout.outcome.size)
        try:
            return replace(
                test, outcome=self._outcome(address), isolation=Isolation(isolation),
                timeout_ms=timeout_ms, needs=_known_needs(needs), speed=Speed(speed),
                inject=Inject(inject), fail_nth=_known_limit(fail_nth),
                quirks=tuple(self._quirks(quirks, quirk_count)),
                known_bug=self._string(known_bug) if known_bug else None,
                proves=tuple(self._string(proves).split()))
        except ValueError as problem:
            raise Refusal(f"{test.full_name} in {self.path} has an attribute that this harness "
                          f"does not know: {problem}.") from problem

    def _outcome(self, address: int) -> Outcome:
        kind, vector, error, mask, start, size, ist, _, text, symbol = self._unpack(
            self._layout.outcome, address)
        return Outcome(OutcomeKind(kind), vector, error, mask, start, size, ist,
                       self._string(text), self._string(symbol))

    def _quirks(self, address: int, count: int) -> Iterator[Quirk]:
        if count > QUIRKS_PER_TEST:
            raise ValueError(f"{count:,} quirks")
        for _ in range(count):
            behind = address + self._layout.outcome.size
            accel, since, before, _, skip = self._unpack(self._layout.quirk, behind)
            yield Quirk(self._outcome(address), Accel(accel), since, before,
                        self._string(skip) if skip else None)
            address = behind + self._layout.quirk.size

    # --- Symbols ----------------------------------------------------------------------------------

    @cached_property
    def symbols(self) -> "Symbols":
        table = self._section(".symtab")
        try:
            found = list(self._read_symbols(table)) if table else []
        except NOT_ELF:  # costs names, not verdicts
            found = []
        return Symbols(found, [(each.address, each.address + each.memory_size)
                               for each in self._segments])

    def _read_symbols(self, table: Section) -> Iterator[Symbol]:
        names = self._sections[table.link].offset
        data = self._bytes[table.offset:table.offset + table.size]
        for fields in self._layout.symbol.iter_unpack(data):
            if self._is_64_bit:
                name, info, _, section, address, size = fields
            else:
                name, address, size, info, _, section = fields
            if name and section and info & 0xF not in (STT_SECTION, STT_FILE):
                yield Symbol(address, size, self._name(names + name))


def _known_needs(bits: int) -> Needs:
    if bits & ~sum(Needs):
        raise ValueError(f"needs 0x{bits:x}")
    return Needs(bits)


def _known_limit(fail_nth: int) -> int:
    if fail_nth > ALLOCATIONS_PER_TEST:
        raise ValueError(f"fail_nth {fail_nth:,}, more than {ALLOCATIONS_PER_TEST:,}")
    return fail_nth


class Symbols:
    """Names of addresses in memory that is there. Without a size, one reaches up to the next."""

    def __init__(self, symbols: List[Symbol], memory: List[Tuple[int, int]]) -> None:
        self.all = sorted(symbols)
        self._memory = memory
        self._starts = sorted({each.address for each in symbols})
        self._by_start: Dict[int, List[Symbol]] = {}
        for each in self.all:
            self._by_start.setdefault(each.address, []).append(each)

    def find(self, address: int) -> Optional[Symbol]:
        """The symbol that holds the address; the largest, where several begin there."""
        found = self._at(address)
        return max(found, key=lambda each: each.size) if found else None

    def names(self, address: int) -> FrozenSet[str]:
        """Every name of the address, also without the suffixes that compilers add to clones."""
        found = {each.name for each in self._at(address)}
        return frozenset(found | {name.partition(".")[0] for name in found} - {""})

    def _at(self, address: int) -> List[Symbol]:
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0 or not any(start <= address < end for start, end in self._memory):
            return []
        start = self._starts[index]
        return [each for each in self._by_start[start]
                if each.size == 0 or address < start + each.size]
