# SPDX-License-Identifier: MIT
"""The console from outside: what is on the screen, read back from its pixels."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from judge.vm import Machines
from PIL import Image as Picture
from tests.proves import proves

from conftest import ONE_TEST, ROOT

MAKE_FONT = ROOT / "kernel/drivers/make_font.py"
FONT = Path("/usr/share/grub/unicode.pf2")
SMALL_SQUARE = "\N{BLACK SQUARE}"
WITH_VGA = "ktest.have=vga ktest.select="
YELLOW = (0xff, 0xff, 0x55)
Glyph = Tuple[int, ...]


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory: pytest.TempPathFactory) -> Dict[Glyph, str]:
    """The characters by the lines of their glyphs, as the build makes them."""
    source = tmp_path_factory.mktemp("font") / "font.c"
    subprocess.run([sys.executable, str(MAKE_FONT), str(FONT), str(source)], check=True)
    found = re.findall(r"\[0x(..)\] = \{(.*)\}", source.read_text())
    return {tuple(int(line, 16) for line in lines.split(", ")):
            SMALL_SQUARE if code == "fe" else chr(int(code, 16)) for code, lines in found}


def read_screen(path: Path, glyphs: Dict[Glyph, str]) -> List[str]:
    """The text of a screenshot; what is no glyph reads as a question mark that is upside down."""
    with Picture.open(path) as picture:
        pixels = picture.convert("RGB").load()
        width, height = picture.size

    def character(column: int, row: int) -> str:
        glyph = tuple(sum(0x80 >> x for x in range(8)
                          if pixels[column * 8 + x, row * 16 + line] != (0, 0, 0))
                      for line in range(16))
        return glyphs.get(glyph, "\N{INVERTED QUESTION MARK}")

    return ["".join(character(column, row) for column in range(width // 8)).rstrip()
            for row in range(height // 16)]


def test_framebuffer_is_read_back(machine: Machines, has_tests: bool, tmp_path: Path,
                                  glyphs: Dict[Glyph, str]) -> None:
    if not has_tests:
        pytest.skip("no boot of this kernel has a framebuffer")
    vm = machine.boot(arguments=f"{WITH_VGA}console.framebuffer_shows_every_character",
                      exit_device=False, vga=True)
    vm.expect("1024 * 768 pixels")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    vm.screenshot(tmp_path / "screen.png")
    lines = read_screen(tmp_path / "screen.png", glyphs)
    assert len(lines) == 48
    start = lines.index("Hello World!")
    assert lines[start + 1].startswith("info  boot: started by PVH")
    end = lines.index("1024 * 768 pixels, 32 bits each")
    assert lines[end - 3:end] == [
        "".join(map(chr, range(0x20, 0x40))), "".join(map(chr, range(0x40, 0x60))),
        "".join(map(chr, range(0x60, 0x7f))) + SMALL_SQUARE]
    assert not any(lines[:start])
    with Picture.open(tmp_path / "screen.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors()}
    assert colours == {(0, 0, 0), YELLOW, (0x55, 0xff, 0xff)}  # the first words are light cyan


@proves("3.24")
def test_what_the_firmware_has_shown_is_gone(machine: Machines) -> None:
    vm = machine.boot(arguments=ONE_TEST, exit_device=False, vga=True)
    screen = vm.expect_screen("usable up to")
    assert "SeaBIOS" not in screen.text and "Booting" not in screen.text
    assert screen.text.lstrip("\n").startswith("Hello World!")


# On the screen, the firmware's mode would show a dark background and blink.
@proves("3.26")
def test_bright_backgrounds_are_bright(machine: Machines, has_tests: bool, tmp_path: Path) -> None:
    if not has_tests:
        pytest.skip("only a test shows other backgrounds")
    vm = machine.boot(arguments=f"{WITH_VGA}vga_text.all_backgrounds_are_colours_on_screen",
                      exit_device=False, vga=True)
    vm.expect("sixteen backgrounds")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    vm.screenshot(tmp_path / "screen.png")
    with Picture.open(tmp_path / "screen.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors()}
    assert len(colours) == 16


@proves("3.11")
def test_one_unit_knows_where_the_video_memory_is() -> None:
    """Beside the assembly code that refuses a boot before there is any C."""
    sources = (ROOT / "kernel").rglob("*.[ch]")
    found = {path.name for path in sources if "host_tests" not in path.parts
             and not path.stem.endswith("_test")
             and re.search(r"b8000", path.read_text(), re.IGNORECASE)}
    assert found == {"vga_memory.c"}
