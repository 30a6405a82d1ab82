# SPDX-License-Identifier: MIT
"""The kernel's counters of coverage, read from the machine's memory when its boot is over.

The memory is a file of the host's: it stays when QEMU has ended, whatever ended it, a triple fault
included. So nothing is lost of tests that crash, and the kernel needs no code that sends anything.
"""
from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Dict, Generator, List, NamedTuple, Sequence, Tuple

from .elf import Image
from .evidence import Evidence
from .gcov import Key, Notes
from .machine import Machine
from .model import Refusal, Scene
from .qemu import MEMORIES, Wish
from .runner import Boot, Runner, Settings

PREFIX = "__gcov_."  # of the symbols of struct gcov_fn_info
RECORD = struct.Struct("<QIII4xI4xQ")  # it: the object's table, a Key, how many, and where
TABLE = struct.Struct("<I4xQIIQ")  # the beginning of struct gcov_info: version, stamp, file


class Counted(NamedTuple):
    """A function in the kernel's file."""

    file: str  # of the object's counters, as the compiler would have them written
    stamp: int
    key: Key
    counter_count: int
    address: int  # of its counters
    record: int  # and of what tells that


def functions_of(image: Image) -> List[Counted]:
    found = []
    for symbol in image.symbols.all:
        if symbol.name.startswith(PREFIX) and symbol.size == RECORD.size:
            table, ident, lines, graph, count, address = RECORD.unpack(
                image.memory(symbol.address, RECORD.size))
            _, _, stamp, _, name = TABLE.unpack(image.memory(table, TABLE.size))
            file = image.memory(name, 4096).partition(b"\0")[0].decode()
            found.append(Counted(file, stamp, Key(ident, lines, graph), count, address,
                                 symbol.address))
    if not found:
        raise Refusal(f"{image.path} counts nothing: it was built without -Dcoverage=true.")
    return found


def refuse_differences(found: Sequence[Counted], notes: Sequence[Notes], kernel: Path) -> None:
    """Each function that was compiled counts in the kernel, and no other does."""
    compiled = {(str(each.path.with_suffix(".gcda").resolve()), each.stamp, function.key,
                 function.counter_count): function.name
                for each in notes for function in each.functions}
    linked = {(str(Path(each.file).resolve()), each.stamp, each.key, each.counter_count)
              for each in found}
    for of in compiled.keys() - linked:
        raise Refusal(f"{kernel} does not count what runs of {compiled[of]}, which is in {of[0]}: "
                      "it is of another build.")
    for of in linked - compiled.keys():
        raise Refusal(f"{kernel} counts something that is not in the notes of its compiler, in "
                      f"{of[0]}: it is of another build.")


class Counters:
    """The sums of all boots."""

    def __init__(self, image: Image) -> None:
        symbols = {each.name: each.address for each in image.symbols.all}
        self._image = image
        self._offset = symbols["text_start"] - symbols["text_start_phys"]
        self._functions = functions_of(image)
        self._sums = [[0] * each.counter_count for each in self._functions]
        self.boots = 0

    def holds(self, path: Path) -> bool:
        """Whether this memory is of a machine with this kernel."""
        first = self._functions[0]
        with open(path, "rb") as file:
            file.seek(first.record - self._offset)
            return file.read(RECORD.size) == self._image.memory(first.record, RECORD.size)

    def add(self, path: Path) -> None:
        """What ran in a boot, from its memory."""
        try:
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as ram:
                values = [self._read(ram, each) for each in self._functions]
        except (OSError, ValueError, IndexError, struct.error) as error:
            raise Refusal(f"The counters of a boot are lost: {error}.") from error
        for sums, new in zip(self._sums, values):
            sums[:] = map(int.__add__, sums, new)
        self.boots += 1

    def _read(self, ram: mmap.mmap, function: Counted) -> Tuple[int, ...]:
        record = RECORD.size
        at = function.record - self._offset
        if ram[at:at + record] != self._image.memory(function.record, record):
            raise ValueError(f"the memory at 0x{at:x} is not what the kernel has there")
        values = struct.unpack_from(f"<{function.counter_count}q", ram,
                                    function.address - self._offset)
        if any(value < 0 for value in values):
            raise ValueError(f"the counter at 0x{function.address:x} is less than nothing")
        return values

    def by_file(self) -> Dict[str, Dict[Key, Tuple[int, ...]]]:
        """By the file that the compiler would have them written to."""
        found: Dict[str, Dict[Key, Tuple[int, ...]]] = {}
        for function, sums in zip(self._functions, self._sums):
            file = str(Path(function.file).resolve())
            found.setdefault(file, {})[function.key] = tuple(sums)
        return found


class CountingRunner(Runner):
    """Adds up what ran in each boot. One whose kernel never said a word has no counters: its tests
    are in error."""

    def __init__(self, image: Image, machine: Machine, settings: Settings, counters: Counters
                 ) -> None:
        super().__init__(image, machine, settings)
        self.counters = counters
        self._memories = Path(os.environ[MEMORIES])

    def _run(self, boot: Boot, folder: Path, is_encore: bool = False
             ) -> Generator[Wish, None, Tuple[Evidence, Scene]]:
        evidence, scene = yield from super()._run(boot, folder, is_encore)
        if evidence.has_spoken:
            self.counters.add(self._memories / folder.name)
        (self._memories / folder.name).unlink(missing_ok=True)
        return evidence, scene
