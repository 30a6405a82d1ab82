#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Writes the failure cards of docs/failures.md anew: docs/make_cards.py BUILD
# BUILD is a folder with -Dktest=true. Each block that follows a line `<!-- harness/run.py … -->`
# is replaced by what this command prints; in it `build` stands for BUILD. One that differs in
# nothing but addresses and times stays as it is, so that not every change of the kernel changes it.

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Match

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/failures.md"
BLOCK = re.compile(r"(<!-- (harness/run\.py [^\n]*) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
# What no two builds, no two machines and no two runs have in common.
VARYING = ((re.compile(r"0x[0-9a-f]+"), "0x…"), (re.compile(r" in \d+\.\d\d s"), " in … s"),
           (re.compile(r"\d+ bytes below"), "… bytes below"), (re.compile(r"\d+ KiB"), "… KiB"),
           (re.compile(r"CDROM \(code \d+\)"), "CDROM (code …)"))  # the file decides
FOLDER = re.compile(r"(?<=artifacts  )\S+")


def output_of(command: str, build: Path) -> str:
    """What the command prints, as somebody in the project's own folder would see it."""
    words = [word.replace("build/", f"{build}/") for word in shlex.split(command)]
    done = subprocess.run([sys.executable, *words, "--no-build", "--build-dir", str(build)],
                          cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    text = FOLDER.sub("/tmp/faultline-…", done.stdout)
    text = text.replace(f" --build-dir {build}", "").replace(str(build), "build")
    lines = [line.rstrip() for line in text.splitlines()]
    if lines and lines[0].startswith("Running"):
        lines = lines[3:]  # what runs, and a letter for each test
    return "\n".join(lines) + "\n"


def settled(text: str) -> str:
    for pattern, stands_for in VARYING:
        text = pattern.sub(stands_for, text)
    return text


def dead_image(build: Path) -> Path:
    """A kernel whose first 64-bit instruction is none: there is no handler for that as yet."""
    sys.path.insert(0, str(ROOT / "harness"))
    from judge.elf import Image
    data = bytearray((build / "faultline.elf").read_bytes())
    image = Image(build / "faultline.elf")
    address = next(each.address for each in image.symbols.all if each.name == "kernel_entry")
    code = image.memory(address, 64)
    start = data.index(code)
    data[start:start + 2] = b"\x0f\x0b"
    path = build / "dead.elf"
    path.write_bytes(data)
    return path


def new_page(build: Path) -> str:
    dead_image(build)

    def renewed(block: Match[str]) -> str:
        new = output_of(block[2], build)
        return block[1] + (block[3] if settled(new) == settled(block[3]) else new) + block[4]

    return BLOCK.sub(renewed, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(new_page(Path(sys.argv[1]).resolve()), encoding="utf-8")
