# SPDX-License-Identifier: MIT
"""Boots: every way in, every machine that matters, and every refusal, seen on the wire and on the
screen."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from judge.vm import Machines
from tests.proves import proves

from conftest import ONE_TEST, ROOT
from test_elf import symbols


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
def test_refusal_is_clear_on_serial_and_screen(machine: Machines, kernel: Path, tmp_path: Path,
                                               why: str) -> None:
    cpu, prepare, sentence = REFUSALS[why]
    vm = machine.boot(kernel=prepare(kernel, tmp_path), cpu=cpu)
    vm.expect(f"Faultline can't boot: {sentence}\n")
    vm.expect_screen(f"Faultline can't boot: {sentence}")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    assert vm.console.endswith(f"{sentence}\n")


@proves("2.3.1", "2.3.5", "2.3.8", "4.8.1")
def test_grub_boots_the_image_from_cd(machine: Machines) -> None:
    vm = machine.boot(way="grub", arguments=ONE_TEST, exit_device=False)
    vm.expect("Hello World!\n")
    vm.expect("started by GRUB")
    vm.expect_screen("Hello World!")


@proves("2.3.6", "2.3.10")
def test_the_same_image_boots_as_a_disk(machine: Machines, build: Path, tmp_path: Path
                                            ) -> None:
    iso = build / "faultline.iso"
    sector = iso.read_bytes()[:512]
    assert sector[510:] == b"\x55\xaa"
    kinds = [sector[446 + 16 * entry + 4] for entry in range(4)]
    assert any(kinds), "the partition table has an entry"
    no_disc = tmp_path / "empty"
    no_disc.touch()
    drive = f"format=raw,file={iso},snapshot=on"
    machine.boot(iso=no_disc, extra=("-drive", drive, "-boot", "c")).expect("started by GRUB")


@proves("4.4.5")
def test_console_names_the_kernel_before_anything_can_go_wrong(machine: Machines) -> None:
    machine.boot(vga=False).expect(re.compile(
        r"Hello World!\ninfo  boot: started by PVH, \d+ memory regions"))


def test_image_is_small(build: Path) -> None:
    assert (build / "faultline.iso").stat().st_size < 4_000_000


def test_kernel_without_tests_comes_up_and_sleeps(machine: Machines, has_tests: bool) -> None:
    if has_tests:
        pytest.skip("this kernel runs its tests instead")
    vm = machine.boot(vga=False)
    vm.expect("It did not crash!\nfaultline> ")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    assert vm.console.endswith("It did not crash!\nfaultline> ")


# What lies there is mapped by direct_map_init, not by entry.asm; a small machine has none of it.
@proves("9.1.2")
def test_memory_above_4_gib_has_the_same_rights(build: Path, has_tests: bool) -> None:
    if not has_tests:
        pytest.skip("a kernel without tests")
    done = subprocess.run(
        [sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir", str(build),
         "--memory", "5G", "direct_map.*", "kernel_space.nothing_is_both_writable_and_executable"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
