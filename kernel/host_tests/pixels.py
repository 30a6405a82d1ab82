# SPDX-License-Identifier: MIT
"""Text out of a screenshot of the framebuffer's console."""
from __future__ import annotations

import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Tuple

from PIL import Image as Picture

from conftest import ROOT

MAKE_FONT = ROOT / "kernel/drivers/make_font.py"
FONT = Path("/usr/share/grub/unicode.pf2")
UNPRINTABLE = "\N{BLACK SQUARE}"
NO_GLYPH = "\N{INVERTED QUESTION MARK}"


@functools.lru_cache(maxsize=None)
def _glyphs() -> Dict[Tuple[int, ...], str]:
    """The characters by the lines of their glyphs, as the build makes them."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "font.c"
        subprocess.run([sys.executable, str(MAKE_FONT), str(FONT), str(source)], check=True)
        found = re.findall(r"\[0x(..)\] = \{(.*)\}", source.read_text())
    return {tuple(int(line, 16) for line in lines.split(", ")):
            UNPRINTABLE if code == "fe" else chr(int(code, 16)) for code, lines in found}


def read_pixels(path: Path) -> List[str]:
    """The lines of a screenshot."""
    with Picture.open(path) as picture:
        pixels = picture.convert("RGB").load()
        width, height = picture.size

    def character(column: int, row: int) -> str:
        glyph = tuple(sum(0x80 >> x for x in range(8)
                          if pixels[column * 8 + x, row * 16 + line] != (0, 0, 0))
                      for line in range(16))
        return _glyphs().get(glyph, NO_GLYPH)

    return ["".join(character(column, row) for column in range(width // 8)).rstrip()
            for row in range(height // 16)]
