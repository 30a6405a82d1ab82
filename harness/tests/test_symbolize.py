# SPDX-License-Identifier: MIT
"""Addresses become functions, files and lines, through inlined calls, and without DWARF too."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from judge.elf import Image
from judge.symbolize import Symbolizer
from tests.conftest import HERE, address_of, compile_sample

SOURCE = (HERE / "sample.c").read_text().splitlines()


def line_of(text: str) -> str:
    number = next(index for index, line in enumerate(SOURCE, 1) if text in line)
    return f"harness/tests/sample.c:{number}"


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_an_inlined_call(version: str, tmp_path: Path) -> None:
    image = Image(compile_sample(tmp_path, version))
    symbolizer = Symbolizer(image.path, image.symbols)
    poke = address_of(image, "poke")
    stacks = [symbolizer.frames(address) for address in range(poke, poke + 32)]
    inner, outer = next(frames for frames in stacks if len(frames) == 2)
    assert (inner.function, inner.is_inlined, inner.place) == (
        "poke_byte", True, line_of("line of the poke"))
    assert (outer.function, outer.place) == ("poke", line_of("poke_byte(at);"))


def test_a_call_is_found_behind_its_return_address(image: Image) -> None:
    """A call may be the last instruction of its function."""
    symbolizer = Symbolizer(image.path, image.symbols)
    end = address_of(image, "poke")
    before = next(each for each in image.symbols.all if each.name == "recurse")
    last = before.address + before.size
    frame = symbolizer.frames(last, is_return=True)[-1]
    assert (frame.function, frame.offset, frame.address) == ("recurse", before.size, last)
    assert symbolizer.backtrace([end, last])[-1].function == "recurse"


def test_without_debug_information(image: Image, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped.elf"
    subprocess.run(["objcopy", "--strip-debug", str(image.path), str(stripped)], check=True)
    frames = Symbolizer(stripped, image.symbols).frames(address_of(image, "poke") + 1)
    assert [(frame.function, frame.offset, frame.place) for frame in frames] == [("poke", 1, "")]


def test_broken_debug_information(image: Image, tmp_path: Path) -> None:
    """Each section in turn is filled with nonsense: lines may go, functions stay."""
    for section in (".debug_info", ".debug_line", ".debug_abbrev", ".debug_aranges"):
        nonsense = tmp_path / "nonsense"
        nonsense.write_bytes(b"\xa5" * 4096)
        broken = tmp_path / f"broken{section}"
        subprocess.run(["objcopy", "--update-section", f"{section}={nonsense}", str(image.path),
                        str(broken)], check=True)
        frame = Symbolizer(broken, image.symbols).frames(address_of(image, "poke"))[-1]
        assert frame.function == "poke"


def test_no_function(image: Image) -> None:
    frame, = Symbolizer(image.path, image.symbols).frames(0xDEAD0000)
    assert (frame.function, frame.place) == ("", "")
