# SPDX-License-Identifier: MIT
"""Boots: every way in, every machine that matters, and every refusal, seen on the wire and on the
screen."""
from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Tuple

import pytest
from judge.qemu import ConsoleData, Qemu
from tests.proves import proves

from test_elf import symbols

QEMU = "qemu-system-x86_64"
SECONDS = 20.0
VGA_TEXT, VGA_BYTES = 0xB8000, 80 * 25 * 2
CHANNELS = ["-chardev", "stdio,id=com1,signal=off", "-serial", "chardev:com1"]


def boot(folder: Path, arguments: Tuple[str, ...], until: str) -> Tuple[str, str]:
    """Boots QEMU until the console says `until`; returns the console and the screen's text."""
    command = [QEMU, "-display", "none", "-no-reboot", *CHANNELS,
               "-chardev", f"socket,id=qmp,path={folder}/qmp", "-mon", "chardev=qmp,mode=control",
               *arguments]
    console = ""
    deadline = time.monotonic() + SECONDS
    with Qemu(command, folder) as qemu:
        while until not in console and time.monotonic() < deadline:
            for happening in qemu.wait(deadline - time.monotonic()):
                if isinstance(happening, ConsoleData):
                    console += happening.data.decode("latin1").replace("\r", "")
        qemu.ask("pmemsave", val=VGA_TEXT, size=VGA_BYTES, filename=str(folder / "screen"))
    screen = folder / "screen"
    return console, screen.read_bytes()[::2].decode("latin1") if screen.exists() else ""


def patched(kernel: Path, folder: Path, old: bytes, new: bytes) -> Path:
    """A copy of the kernel in which one place is changed."""
    data = kernel.read_bytes()
    assert data.count(old) == 1, f"{old.hex()} stands {data.count(old)} times in the kernel"
    copy = folder / "patched.elf"
    copy.write_bytes(data.replace(old, new))
    return copy


def note_to(kernel: Path, folder: Path, entry: str) -> Path:
    names = symbols(kernel)
    note = b"Xen\0" + names["pvh_start"].to_bytes(4, "little")
    return patched(kernel, folder, note, b"Xen\0" + names[entry].to_bytes(4, "little"))


def same(kernel: Path, _: Path) -> Path:
    return kernel


REFUSALS = {
    "no 64-bit mode": ("max,lm=off", same, "this CPU has no 64-bit mode"),
    "no NX": ("max,nx=off", same, "this CPU can't protect memory from execution (NX)"),
    "wrong Multiboot2 magic": ("max", lambda kernel, folder: note_to(kernel, folder, "_start"),
                               "not started by a Multiboot2 loader (wrong magic in EAX)"),
    # cmp dword [ebx], 0x336ec578 and the jump behind it
    "no PVH start information": ("max", lambda kernel, folder: patched(
        kernel, folder, bytes.fromhex("813b78c56e330f85"),
        bytes.fromhex("813b77c56e330f85")),
        "the PVH start information is missing (wrong magic at EBX)"),
    # mov ecx, eax; xor eax, EFLAGS_ID: a CPU on which the flag can't be changed has no CPUID
    "no CPUID": ("max", lambda kernel, folder: patched(
        kernel, folder, bytes.fromhex("89c13500002000"), bytes.fromhex("89c13500000000")),
        "this CPU has no CPUID instruction"),
}


@proves("2.3.3")
@pytest.mark.parametrize("why", REFUSALS)
def test_refusal_is_clear_on_serial_and_screen(kernel: Path, tmp_path: Path, why: str) -> None:
    cpu, prepare, sentence = REFUSALS[why]
    image = prepare(kernel, tmp_path)
    console, screen = boot(tmp_path, ("-cpu", cpu, "-kernel", str(image)), sentence + "\n")
    assert console.endswith(f"Faultline can't boot: {sentence}\n")
    assert f"Faultline can't boot: {sentence}" in screen


@proves("2.3.1", "2.3.5", "2.3.8", "4.8.1")
def test_grub_boots_the_image_from_cd(build: Path, tmp_path: Path) -> None:
    console, screen = boot(tmp_path, ("-nodefaults", "-vga", "std", "-cdrom",
                                          str(build / "faultline.iso")), "usable up to")
    assert "Hello World!\n" in console
    assert "started by GRUB" in console
    assert "Hello World!" in screen


@proves("2.3.6", "2.3.10")
def test_the_same_image_boots_as_a_disk(build: Path, tmp_path: Path) -> None:
    iso = build / "faultline.iso"
    sector = iso.read_bytes()[:512]
    assert sector[510:] == b"\x55\xaa"
    kinds = [sector[446 + 16 * entry + 4] for entry in range(4)]
    assert any(kinds), "the partition table has an entry"
    drive = f"format=raw,file={iso},snapshot=on"
    console, _ = boot(tmp_path, ("-drive", drive), "usable up to")
    assert "started by GRUB" in console


@proves("4.4.5")
def test_console_names_the_kernel_before_anything_can_go_wrong(kernel: Path,
                                                               tmp_path: Path) -> None:
    console, _ = boot(tmp_path, ("-cpu", "max", "-kernel", str(kernel)), "usable up to")
    assert re.search(r"Hello World!\ninfo  boot: started by PVH, \d+ memory regions", console)


def test_image_is_small(build: Path) -> None:
    assert (build / "faultline.iso").stat().st_size < 2_000_000


def test_kernel_without_tests_comes_up_and_sleeps(kernel: Path, has_tests: bool,
                                                  tmp_path: Path) -> None:
    if has_tests:
        pytest.skip("this kernel runs its tests instead")
    console, _ = boot(tmp_path, ("-cpu", "max", "-kernel", str(kernel)), "It did not crash!\n")
    assert console.endswith("It did not crash!\n")
