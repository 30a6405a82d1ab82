# SPDX-License-Identifier: MIT
"""Brings the build folder up to date: meson once, then ninja, which takes 15 ms when it is."""
from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import List

from .model import Refusal
from .terminal import complain

CROSS_FILE = "cross/x86_64-elf.ini"
LOCK = ".harness-lock"
WARNING = " warning: "
DEFAULT = "build"  # the only folder that is made: another name may be a slip


def how_to_get_tests(folder: Path) -> str:
    """The command for a build folder whose kernel has no tests."""
    if folder.exists() and not (folder / "build.ninja").exists():
        folder = Path(DEFAULT)  # that of some other program
    if (folder / "build.ninja").exists():
        return f"meson configure {folder} -Dktest=true && ninja -C {folder}"
    return f"meson setup {folder} --cross-file {CROSS_FILE} -Dktest=true && ninja -C {folder}"


def bring_up_to_date(root: Path, folder: Path) -> None:
    """`root` is the project; builds what is missing or older than its sources. One at a time:
    ninja takes no lock, and a half-linked kernel must not be booted."""
    known = {LOCK, "build.ninja"}
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"{folder} is no folder: name a build folder with --build-dir.")
    if not folder.exists() and folder.resolve() != root / DEFAULT:
        raise Refusal(f"There is no build folder {folder}: name another with --build-dir, or make "
                      f"it: {how_to_get_tests(folder)}.")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if names and not names & known:
        raise Refusal(f"{folder} is not a build folder: name one with --build-dir.")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "build.ninja").exists():
            _run(["meson", "setup", str(folder), str(root), "--cross-file",
                  str(root / CROSS_FILE), "-Dktest=true"], "meson")
        _run(["ninja", "-C", str(folder)], "ninja-build")


def _run(command: List[str], package: str) -> None:
    if shutil.which(command[0]) is None:
        raise Refusal(f"The kernel has to be built, but there is no {command[0]}: "
                      f"apt install {package} (or --no-build).")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="backslashreplace", check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise Refusal(f"The build failed: {' '.join(command)}", tail)
    warnings = [line for line in done.stdout.splitlines() if WARNING in line]
    if warnings:
        complain("the build has warnings:", "\n".join(warnings))
