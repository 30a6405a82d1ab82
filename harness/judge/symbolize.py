# SPDX-License-Identifier: MIT
"""Addresses to functions, files and lines, inlined calls included: DWARF, read with pyelftools.

Only failures come here, for the import alone takes longer than a boot. Debug information that is
missing or broken costs the lines, never the report.
"""
from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from elftools.elf.elffile import ELFFile

from .elf import Symbols
from .model import ROOT, Frame

# What gcc and clang append to the names of a function's variants and parts.
VARIANT = re.compile(r"(\.(isra|part|constprop|cold|llvm|lto_priv)(\.[0-9]+)?)+")

CODE_TAGS = ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine")


class Symbolizer:
    def __init__(self, path: Path, symbols: Symbols) -> None:
        self._symbols = symbols
        self._dwarf: Any = None
        self._aranges: Any = None
        self._rows: Dict[int, List[Tuple[int, str]]] = {}
        self._known: Dict[Tuple[int, bool], List[Frame]] = {}  # most backtraces end alike
        try:
            self._file = open(path, "rb")
            elf = ELFFile(self._file)
            self._dwarf = elf.get_dwarf_info() if elf.has_dwarf_info() else None
            self._aranges = self._dwarf.get_aranges() if self._dwarf else None
        except Exception:  # pyelftools has no bounds to what it raises
            self._dwarf = None

    def backtrace(self, addresses: Sequence[int]) -> List[Frame]:
        """The first address is where it happened, the others are where calls return to."""
        frames: List[Frame] = []
        for index, address in enumerate(addresses):
            frames += self.frames(address, is_return=index > 0)
        return frames

    def frames(self, address: int, is_return: bool = False) -> List[Frame]:
        """What stands at the address: innermost first, the function itself last."""
        if (address, is_return) not in self._known:
            self._known[address, is_return] = self._find(address, is_return)
        return self._known[address, is_return]

    def _find(self, address: int, is_return: bool) -> List[Frame]:
        inside = address - is_return  # a call may be the last instruction of its function
        symbol = self._symbols.find(inside)
        outermost = Frame(address)
        if symbol is not None:
            outermost = Frame(address, VARIANT.sub("", symbol.name), address - symbol.address)
        if self._dwarf is None:
            return [outermost]
        try:
            return self._describe(outermost, inside)
        except Exception:  # pyelftools has no bounds to what it raises
            return [outermost]

    def _describe(self, outermost: Frame, address: int) -> List[Frame]:
        unit = self._unit(address)
        if unit is None:
            return [outermost]
        place = self._place(unit, address)
        frames: List[Frame] = []
        for die in self._inlined(unit, address):  # innermost first
            frames.append(Frame(outermost.address, _name(die), 0, place, is_inlined=True))
            place = self._call_place(unit, die)
        return [*frames, Frame(outermost.address, outermost.function, outermost.offset, place)]

    # --- Units ------------------------------------------------------------------------------------

    def _unit(self, address: int) -> Any:
        offset = self._aranges.cu_offset_at_addr(address) if self._aranges else None
        if offset is not None:
            return self._dwarf.get_CU_at(offset)
        for unit in self._dwarf.iter_CUs():  # without a table of ranges
            if self._holds(unit, unit.get_top_DIE(), address):
                return unit
        return None

    def _holds(self, unit: Any, die: Any, address: int) -> bool:
        return any(start <= address < end for start, end in self._ranges(unit, die))

    def _ranges(self, unit: Any, die: Any) -> Iterator[Tuple[int, int]]:
        attributes = die.attributes
        if "DW_AT_ranges" in attributes:
            yield from self._listed_ranges(unit, attributes["DW_AT_ranges"].value)
        elif "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
            low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
            is_address = high.form == "DW_FORM_addr"
            yield low, high.value if is_address else low + high.value

    def _listed_ranges(self, unit: Any, offset: int) -> Iterator[Tuple[int, int]]:
        top = unit.get_top_DIE().attributes
        base = top["DW_AT_low_pc"].value if "DW_AT_low_pc" in top else 0
        for entry in self._dwarf.range_lists().get_range_list_at_offset(offset, cu=unit):
            if hasattr(entry, "base_address"):
                base = entry.base_address
            elif getattr(entry, "is_absolute", False):
                yield entry.begin_offset, entry.end_offset
            else:
                yield base + entry.begin_offset, base + entry.end_offset

    # --- Lines ------------------------------------------------------------------------------------

    def _place(self, unit: Any, address: int) -> str:
        previous = ""
        for start, place in self._line_rows(unit):
            if start > address:
                break
            previous = place
        return previous

    def _line_rows(self, unit: Any) -> List[Tuple[int, str]]:
        """Address and place of each row; where a sequence ends, an empty place."""
        if unit.cu_offset not in self._rows:
            program = self._dwarf.line_program_for_CU(unit)
            states = [entry.state for entry in program.get_entries() if entry.state]
            rows = [(state.address, "" if state.end_sequence
                     else f"{_file(unit, program, state.file)}:{state.line}") for state in states]
            # An end and a beginning at the same address: the beginning counts.
            self._rows[unit.cu_offset] = sorted(rows, key=lambda row: (row[0], bool(row[1])))
        return self._rows[unit.cu_offset]

    # --- Inlined calls ----------------------------------------------------------------------------

    def _inlined(self, unit: Any, address: int) -> List[Any]:
        """The inlined calls around the address, innermost first."""
        found: List[Any] = []
        die = unit.get_top_DIE()
        while die is not None:
            if die.tag == "DW_TAG_inlined_subroutine":
                found.insert(0, die)
            die = self._child(unit, die, address)
        return found

    def _child(self, unit: Any, die: Any, address: int) -> Any:
        """The function or inlined call in `die`, through any lexical blocks, at the address."""
        for child in die.iter_children():
            if child.tag in CODE_TAGS and self._holds(unit, child, address):
                return child
            if child.tag == "DW_TAG_lexical_block" and self._holds(unit, child, address):
                return self._child(unit, child, address)
        return None

    def _call_place(self, unit: Any, die: Any) -> str:
        attributes = die.attributes
        if "DW_AT_call_file" not in attributes or "DW_AT_call_line" not in attributes:
            return ""
        program = self._dwarf.line_program_for_CU(unit)
        return (f"{_file(unit, program, attributes['DW_AT_call_file'].value)}:"
                f"{attributes['DW_AT_call_line'].value}")


def _name(die: Any) -> str:
    """The name of a function, which an inlined call has only by reference."""
    for _ in range(4):
        if "DW_AT_name" in die.attributes:
            return _decode(die.attributes["DW_AT_name"].value)
        reference = next((key for key in ("DW_AT_abstract_origin", "DW_AT_specification")
                          if key in die.attributes), None)
        if reference is None:
            break
        die = die.get_DIE_from_attribute(reference)
    return ""


def _file(unit: Any, program: Any, index: int) -> str:
    """The file as seen from the project's root. They count from 1 up to DWARF 4, from 0 in 5."""
    header = program.header
    first = 0 if header["version"] >= 5 else 1
    entry = header["file_entry"][index - first]
    folder = ""
    if entry.dir_index or not first:
        folder = _decode(header["include_directory"][entry.dir_index - first])
    top = unit.get_top_DIE().attributes
    base = _decode(top["DW_AT_comp_dir"].value) if "DW_AT_comp_dir" in top else ""
    path = os.path.normpath(os.path.join(ROOT, base, folder, _decode(entry.name)))
    if not os.path.exists(path):  # NASM gives the source's own folder for that of the compilation
        path = os.path.join(base, os.path.basename(path))
    return os.path.relpath(path, ROOT) if path.startswith(f"{ROOT}{os.sep}") else path


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
