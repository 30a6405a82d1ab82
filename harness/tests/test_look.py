# SPDX-License-Identifier: MIT
"""What is seen of a machine from outside, and what is kept of one that has to be ended."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict, List

import pytest
from PIL import Image as Picture

from judge import look, screen
from judge.look import MachineError
from judge.qemu import Answer

PPM = b"P6\n2 1\n255\n" + bytes([255, 0, 0, 0, 0, 255])

REGISTERS = """\
RAX=0000000000000010 RBX=ffffffff801ed3c0 RCX=0000000000000000 RDX=00000000000002fd
R8 =ffffffff801d57d7 R9 =0000000000000007 R10=0000000000000000 R11=0000000000000001
RSP=ffffffff801a5e94 RIP=ffffffff8011a392 RFL=00200002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1
CS =0008 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]
GDT=     ffffffff801c10a0 0000004f
CR0=80010035 CR2=0000000000000000 CR3=0000000000101000 CR4=00300860
CCS=0000000000000000 CCD=ffffffff801ed3c0 CCO=EFLAGS
EFER=0000000000000d00
FPR0=0000000000000000 0000 FPR1=0000000000000000 0000
"""


# --- The screen -----------------------------------------------------------------------------------

def painted(text: bytes, attribute: int, row: int = 0, column: int = 0) -> bytes:
    memory = bytearray(b" \x07" * (screen.ROWS * screen.COLUMNS))
    at = 2 * (row * screen.COLUMNS + column)
    memory[at:at + 2 * len(text)] = b"".join(bytes([code, attribute]) for code in text)
    return bytes(memory)


def test_screen_has_lines_and_colours() -> None:
    shown = screen.decode(painted(b"Hello", 0x9E, row=2, column=3))
    assert shown.text == "\n\n   Hello" and len(shown.lines) == 25
    assert shown.find("Hello") == tuple(
        screen.Cell(character, "yellow", "light blue") for character in "Hello")
    assert shown.rows[0][0] == screen.Cell(" ") and shown.find("hello") == ()


def test_glyphs_of_the_pc() -> None:
    assert screen.decode(painted(b"\xc9\xfe\x00\x03", 7)).rows[0][:4] == tuple(
        screen.Cell(character) for character in "╔■ ?")


# --- A look inside --------------------------------------------------------------------------------

class Monitor:
    """Answers as a QEMU would that has these registers, or no machine any more."""

    def __init__(self, folder: Path, registers: str = REGISTERS, knows_png: bool = True,
                 has_vga: bool = True) -> None:
        self.folder = folder
        self.asked: List[Dict[str, object]] = []
        self._registers = registers
        self._knows_png = knows_png
        self._has_vga = has_vga

    def ask(self, execute: str, **arguments: object) -> Answer:
        self.asked.append(arguments)
        if execute == "screendump":
            return self._screendump(str(arguments["filename"]), "format" in arguments)
        if execute in ("memsave", "pmemsave"):
            return self._save(**arguments)
        if arguments["command_line"] == "info registers":
            return Answer(self._registers)
        return Answer(f"{arguments['command_line']}\r\n")

    def _screendump(self, filename: str, is_png: bool) -> Answer:
        if is_png and not self._knows_png:
            return Answer(refusal="Parameter 'format' is unexpected")
        if not self._has_vga:
            return Answer(refusal="There is no console to take a screendump from")
        Path(filename).write_bytes(b"\x89PNG" if is_png else PPM)
        return Answer({})

    def _save(self, val: object, size: object, filename: object) -> Answer:
        if val == 0x1000:
            return Answer(refusal="Invalid addr 0x1000/size 4 specified")
        Path(str(filename)).write_bytes(bytes(int(str(size))))
        return Answer({})


def test_registers_by_name() -> None:
    values = look.read_registers(REGISTERS)
    expected = {"rax": 0x10, "rbx": 0xffffffff801ed3c0, "r8": 0xffffffff801d57d7, "r9": 7,
                "rip": 0xffffffff8011a392, "rflags": 0x200002, "hlt": 1, "cpl": 0, "cs": 8,
                "cr0": 0x80010035, "cr3": 0x101000, "efer": 0xd00, "gdt": 0xffffffff801c10a0}
    assert {name: values[name] for name in expected} == expected
    assert look.read_registers("EAX=000a EIP=0000fff0 EFL=00000002") == {
        "eax": 10, "eip": 0xfff0, "eflags": 2}


def test_memory_in_the_upper_half_is_asked_for_in_qemus_numbers(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path)
    assert look.read_memory(monitor, tmp_path, 0xffffffff80000000, 4, is_physical=False) == bytes(4)
    assert monitor.asked[0]["val"] == -0x80000000
    assert list(tmp_path.iterdir()) == []


def test_memory_that_is_not_mapped_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="^the memory at 0x1000 can't be read: Invalid addr"):
        look.read_memory(Monitor(tmp_path), tmp_path, 0x1000, 4, is_physical=False)


def test_an_old_qemu_writes_no_png(tmp_path: Path) -> None:
    look.take_screenshot(Monitor(tmp_path, knows_png=False), tmp_path / "screen.png")
    with Picture.open(tmp_path / "screen.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (2, 1))
        assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (0, 0, 255)]
    assert [path.name for path in tmp_path.iterdir()] == ["screen.png"]


def test_a_picture_that_can_not_be_converted_stays(tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)  # type: ignore[misc]
    with pytest.raises(MachineError, match=r"stays in .*screen\.ppm: .*apt install python3-pil"):
        look.take_screenshot(Monitor(tmp_path, knows_png=False), tmp_path / "screen.png")
    look.keep_remains(Monitor(tmp_path, knows_png=False), tmp_path)
    assert {"screen.ppm", "screen.txt"} < {path.name for path in tmp_path.iterdir()}


def test_a_newer_qemu_needs_no_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)  # type: ignore[misc]
    look.take_screenshot(Monitor(tmp_path), tmp_path / "screen.png")
    assert [path.name for path in tmp_path.iterdir()] == ["screen.png"]


def test_remains(tmp_path: Path) -> None:
    assert look.keep_remains(Monitor(tmp_path), tmp_path) == REGISTERS
    assert {path.name for path in tmp_path.iterdir()} == set(look.REMAINS)
    assert (tmp_path / "stack.txt").read_text() == ("x /16gx 0xffffffff801a5e10\n"
                                                    "x /48gx 0xffffffff801a5e90\n")


def test_no_screen_remains_without_a_vga(tmp_path: Path) -> None:
    look.keep_remains(Monitor(tmp_path, has_vga=False), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"registers.txt", "stack.txt"}


def test_a_disk_that_is_full_is_no_error(tmp_path: Path) -> None:
    assert look.keep_remains(Monitor(tmp_path), tmp_path / "nowhere") == REGISTERS


def test_nothing_remains_of_a_qemu_that_does_not_answer(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path, registers="")
    assert look.keep_remains(monitor, tmp_path) == ""
    assert list(tmp_path.iterdir()) == [] and len(monitor.asked) == 1
