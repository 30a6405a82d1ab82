# SPDX-License-Identifier: MIT
"""Real QEMUs that are asked for the wrong thing, or have the wrong thing to boot: each ends with
the status of a broken environment, and a sentence that names what is wrong.

It waits for firmware that waits for ever, and kills runs by the dozen, so that .ci/run has it and
`meson test` does not.
"""
from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from tests.test_process import SIGNALS, check_a_kill

from conftest import ROOT

TEST = "gdt.append_refuses_a_duplicate"
SECONDS = "3"  # that firmware may take


def run(build: Path, folder: Path, *arguments: str) -> Tuple[int, Dict[str, Any], str]:
    """The exit status, the only test of the report (if it came so far), and all that was said."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir", str(build),
         "--timeout", SECONDS, "--json", str(folder / "report.json"), *arguments, TEST],
        capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    tests = json.loads((folder / "report.json").read_text())["tests"]
    return done.returncode, tests[0] if tests else {}, done.stdout + done.stderr


def altered(path: Path, kernel: Path, place: int, new: bytes) -> Path:
    data = kernel.read_bytes()
    path.write_bytes(data[:place] + new + data[place + len(new):])
    return path


@pytest.mark.parametrize("arguments, cause, words", [
    (["--machine", "nosuch"], "qemu-not-started", "(--machine or --qemu is the wrong one)"),
    (["--machine", "none"], "qemu-not-started", "(--machine or --qemu is the wrong one)"),
    (["--machine", "q35,foo=bar"], "qemu-not-started", "(--machine asks for what there is not)"),
    (["--machine", "pc,accel=kvm"], "wrong-accelerator", "with --accel only"),
    (["--cpu", "nosuch"], "qemu-not-started", "(--cpu is the wrong one)"),
    (["--memory", "999T"], "qemu-not-started", "(--memory is the wrong size)"),
    (["--qemu-arg=-nosuch"], "qemu-not-started", "-nosuch: invalid option"),
    (["--qemu", "/bin/cat"], "wrong-qemu", "/bin/cat is no QEMU")])
def test_what_qemu_refuses(build: Path, tmp_path: Path, arguments: List[str], cause: str,
                           words: str) -> None:
    status, test, _ = run(build, tmp_path, *arguments)
    assert (status, test["cause"]) == (99, cause)
    assert words in test["sentence"]


def test_a_kernel_that_qemu_refuses(build: Path, kernel: Path, tmp_path: Path) -> None:
    """Without the note of PVH; and, by its header, for another kind of CPU."""
    note = kernel.read_bytes().index(b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0")
    for place, new in ((note + 8, b"\x13"), (18, b"\xb7")):
        path = altered(tmp_path / "kernel.elf", kernel, place, new)
        status, test, _ = run(build, tmp_path, "--kernel", str(path))
        assert (status, test["cause"]) == (99, "nothing-to-boot")
        assert "the kernel is not one that this QEMU can start" in test["sentence"]


@pytest.mark.skipif(shutil.which("qemu-system-i386") is None, reason="there is no such QEMU")
def test_a_qemu_for_another_machine(build: Path, tmp_path: Path) -> None:
    status, test, _ = run(build, tmp_path, "--qemu", "qemu-system-i386")
    assert (status, test["cause"]) == (99, "nothing-to-boot")
    assert "--qemu is one for another kind of machine" in test["sentence"]


def boot_image_without_kernel(build: Path, folder: Path) -> Path:
    """An image made as the kernel's own is, but that its GRUB looks for another file."""
    maker = next(ROOT.rglob("make_iso.sh")).read_text()
    bent = maker.replace("printf 'multiboot2 /boot/faultline.elf '",
                         "printf 'multiboot2 /boot/nosuch.elf '")
    assert bent != maker
    (folder / "make_iso.sh").write_text(bent)
    subprocess.run(["sh", str(folder / "make_iso.sh"), str(build / "faultline.elf"),
                    str(folder / "boot.iso"), str(folder / "image"), "strip"], check=True)
    return folder / "boot.iso"


def test_images_without_anything_to_boot(build: Path, tmp_path: Path) -> None:
    """One with nothing in it, one with something else, and one whose GRUB finds no kernel."""
    image = tmp_path / "boot.iso"
    image.touch()
    assert_nothing_to_boot(build, tmp_path, image, "Boot failed: ")
    image.write_bytes(bytes(1 << 20))
    assert_nothing_to_boot(build, tmp_path, image, "Boot failed: ")
    image = boot_image_without_kernel(build, tmp_path)
    assert_nothing_to_boot(build, tmp_path, image, "grub>")


def assert_nothing_to_boot(build: Path, folder: Path, image: Path, words: str) -> None:
    status, test, _ = run(build, folder, "--boot", "grub", "--iso", str(image))
    assert (status, test["cause"]) == (99, "nothing-to-boot")
    assert words in test["sentence"]


def test_kvm_that_there_is_not(build: Path, tmp_path: Path) -> None:
    """In a namespace of its own, where /dev/kvm is something else."""
    hide = ["unshare", "-rm", "sh", "-c", "mount --bind /dev/null /dev/kvm && exec \"$@\"", "sh"]
    if not Path("/dev/kvm").exists():
        hide = []
    elif subprocess.run([*hide, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("/dev/kvm can't be hidden here")
    done = subprocess.run(
        [*hide, sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir",
         str(build), "--accel", "kvm", TEST], capture_output=True, text=True, check=False)
    assert done.returncode == 99
    assert "(this host has no KVM: take --accel tcg)" in done.stdout


def test_a_run_killed_at_any_moment(build: Path, tmp_path: Path) -> None:
    """At moments of a fixed seed: no QEMU is left, the reports can be read, the folders named."""
    moments = random.Random(4)
    command = [sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir",
               str(build), "--isolate", "boot", "-j", "2", "gdt.*", "format.*"]
    kills = [check_a_kill(command, tmp_path / str(index), SIGNALS[index % len(SIGNALS)],
                          moments.uniform(0.05, 1.5)) for index in range(24)]
    assert any(kills)
