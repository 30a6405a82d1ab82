# SPDX-License-Identifier: MIT
"""A look at a machine that lives: its registers, memory and screen, by way of its monitor."""
from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Dict, Protocol

from . import screen
from .qemu import Answer

REGISTER = re.compile(r"\b([A-Z][A-Z0-9]{1,3}) ?= *([0-9a-f]+)")
FULL_NAMES = {"rfl": "rflags", "efl": "eflags"}

# What is shown of the stack: above its end is what was pushed, below it what was popped.
STACK_BYTES_BELOW, STACK_BYTES_ABOVE = 128, 384
WORD_BYTES = 8

REMAINS = ("registers.txt", "stack.txt", "screen.txt", "screen.png")


class Monitor(Protocol):
    """What is needed of judge.qemu.Qemu."""

    def ask(self, execute: str, **arguments: object) -> Answer: ...


class MachineError(AssertionError):
    """The machine is not as it should be: a failure of the test that looks at it."""


def registers_text(qemu: Monitor) -> str:
    """As QEMU shows them, or "" if it does not answer."""
    return _monitor(qemu, "info registers")


def read_registers(text: str) -> Dict[str, int]:
    """By lower-case name: rax, rip, rflags, cs (the selector), cr3, efer, hlt, cpl."""
    values = {name.lower(): int(value, 16) for name, value in REGISTER.findall(text)}
    return {FULL_NAMES.get(name, name): value for name, value in values.items()}


def read_memory(qemu: Monitor, folder: Path, address: int, size_bytes: int, is_physical: bool
                ) -> bytes:
    """By the page tables that are in use, unless the address is a physical one. QEMU writes it into
    the folder for a moment."""
    path = folder / "memory"
    signed = address - (1 << 64) if address >> 63 else address  # QEMU's numbers are
    refusal = qemu.ask("pmemsave" if is_physical else "memsave", val=signed, size=size_bytes,
                       filename=str(path)).refusal
    data = b""
    with contextlib.suppress(FileNotFoundError):
        data = path.read_bytes()
        path.unlink()
    if refusal or len(data) != size_bytes:
        raise MachineError(f"the {'physical ' if is_physical else ''}memory at 0x{address:x} can't "
                           f"be read: {refusal or 'it is too short'}")
    return data


def read_screen(qemu: Monitor, folder: Path) -> screen.Screen:
    return screen.decode(read_memory(qemu, folder, screen.ADDRESS, screen.SIZE_BYTES, True))


def take_screenshot(qemu: Monitor, path: Path) -> None:
    """As PNG. QEMU knows only PPM before 7.1, or where it was built without libpng."""
    if not qemu.ask("screendump", filename=str(path.resolve()), format="png").refusal:
        return
    picture = path.with_suffix(".ppm").resolve()
    refusal = qemu.ask("screendump", filename=str(picture)).refusal
    if refusal:
        raise MachineError(f"there is no screenshot: {refusal}")
    convert_to_png(picture, path)


def convert_to_png(picture: Path, path: Path) -> None:
    try:
        from PIL import Image
    except ImportError:
        raise MachineError(f"the screenshot stays in {picture}: this QEMU writes no PNG, and "
                           "Pillow, which converts it, is missing (apt install python3-pil)."
                           ) from None
    with Image.open(picture) as image:
        image.save(path, "PNG")
    picture.unlink()


def keep_remains(qemu: Monitor, folder: Path) -> str:
    """Writes REMAINS into the folder, as far as there are any; returns the registers' text.

    A machine without a VGA has no screen. Something else has failed already, so that nothing here
    is an error.
    """
    registers = registers_text(qemu)
    if not registers:  # it will not answer the rest either
        return ""
    with contextlib.suppress(OSError):
        (folder / "registers.txt").write_text(registers)
        (folder / "stack.txt").write_text(stack_text(qemu, read_registers(registers)))
    with contextlib.suppress(MachineError, OSError):
        take_screenshot(qemu, folder / "screen.png")
    with contextlib.suppress(MachineError, OSError):
        if any(folder.glob("screen.p*")):
            (folder / "screen.txt").write_text(read_screen(qemu, folder).text + "\n")
    return registers


def stack_text(qemu: Monitor, registers: Dict[str, int]) -> str:
    """Words around the stack pointer, by their addresses; what is not mapped is said so."""
    top = registers.get("rsp", registers.get("esp"))
    if top is None:
        return ""
    top &= -WORD_BYTES
    return (_words(qemu, max(0, top - STACK_BYTES_BELOW), STACK_BYTES_BELOW)
            + _words(qemu, top, STACK_BYTES_ABOVE))


def _words(qemu: Monitor, address: int, size_bytes: int) -> str:
    return _monitor(qemu, f"x /{size_bytes // WORD_BYTES}gx 0x{address:x}")


def _monitor(qemu: Monitor, command: str) -> str:
    answer = qemu.ask("human-monitor-command", command_line=command).value
    return answer.replace("\r", "") if isinstance(answer, str) else ""
