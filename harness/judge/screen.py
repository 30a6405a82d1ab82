# SPDX-License-Identifier: MIT
"""The VGA's text mode 3 out of its memory: 25 rows of 80 cells, two bytes each (IBM VGA, 1987).

A colour's highest bit is the brightness of the background, as the kernel sets the VGA up. Until
then a real one would blink there; QEMU's never does (hw/display/vga.c, vga_draw_text), so that this
is what is on its screen in either mode.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

ADDRESS = 0xB8000
ROWS, COLUMNS = 25, 80
SIZE_BYTES = ROWS * COLUMNS * 2

COLOURS = ("black", "blue", "green", "cyan", "red", "magenta", "brown", "light gray",
           "dark gray", "light blue", "light green", "light cyan", "light red", "light magenta",
           "yellow", "white")


@dataclass(frozen=True)
class Cell:
    character: str
    foreground: str = "light gray"
    background: str = "black"


@dataclass(frozen=True)
class Screen:
    rows: Tuple[Tuple[Cell, ...], ...]

    @property
    def lines(self) -> Tuple[str, ...]:
        """Without the spaces at their ends."""
        return tuple("".join(cell.character for cell in row).rstrip() for row in self.rows)

    @property
    def text(self) -> str:
        """Without the empty lines at its end."""
        return "\n".join(self.lines).rstrip("\n")

    def find(self, text: str) -> Tuple[Cell, ...]:
        """The cells that show this text for the first time, within a row; () if none do."""
        for line, row in zip(self.lines, self.rows):
            start = line.find(text)
            if start >= 0:
                return row[start:start + len(text)]
        return ()


def decode(memory: bytes) -> Screen:
    cells = [_cell(memory[at], memory[at + 1]) for at in range(0, SIZE_BYTES, 2)]
    return Screen(tuple(tuple(cells[row * COLUMNS:(row + 1) * COLUMNS]) for row in range(ROWS)))


def _cell(code: int, attribute: int) -> Cell:
    character = bytes([code]).decode("cp437")
    if not character.isprintable():  # glyphs that no character set has: a heart, a smile
        character = "?" if code else " "
    return Cell(character, COLOURS[attribute & 15], COLOURS[attribute >> 4])
