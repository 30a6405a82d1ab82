# SPDX-License-Identifier: MIT
"""The console from outside: what is on the screen, read back from its pixels."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from judge.vm import Machines
from PIL import Image as Picture
from tests.proves import proves

from conftest import ONE_TEST, ROOT
from pixels import UNPRINTABLE, read_pixels

WITH_VGA = "ktest.have=vga ktest.select="
YELLOW = (0xff, 0xff, 0x55)


def test_framebuffer_is_read_back(machine: Machines, has_tests: bool, tmp_path: Path
                                  ) -> None:
    if not has_tests:
        pytest.skip("no boot of this kernel has a framebuffer")
    vm = machine.boot(arguments=f"{WITH_VGA}console.framebuffer_shows_every_character",
                      exit_device=False, vga=True)
    vm.expect("1024 * 768 pixels")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    vm.screenshot(tmp_path / "screen.png")
    lines = read_pixels(tmp_path / "screen.png")
    assert len(lines) == 48
    start = lines.index("Hello World!")
    assert lines[start + 1].startswith("info  boot: started by PVH")
    end = lines.index("1024 * 768 pixels, 32 bits each")
    assert lines[end - 3:end] == [
        "".join(map(chr, range(0x20, 0x40))), "".join(map(chr, range(0x40, 0x60))),
        "".join(map(chr, range(0x60, 0x7f))) + UNPRINTABLE]
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
