#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a fuzzer from sound inputs on: run_fuzzer.py FUZZER OPTION…

What it finds on its way is forgotten, so that each run is the same; bytes that break something
are kept in the current folder."""
from __future__ import annotations

import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict

BASE = 0x100000  # boot_information.c has the same
REGIONS = ((0, 0x9FC00, 1), (0x9FC00, 0x400, 2), (0x100000, 0x7EE0000, 1), (0x7FE0000, 0x20000, 3))


def regions() -> bytes:
    return b"".join(struct.pack("<QQII", *region, 0) for region in REGIONS)


def multiboot2() -> bytes:
    def tag(kind: int, content: bytes) -> bytes:
        body = struct.pack("<II", kind, 8 + len(content)) + content
        return body + bytes(-len(body) % 8)
    tags = (tag(1, b"log=debug\0") + tag(3, struct.pack("<II", 0x200000, 0x208001) + b"m\0")
            + tag(6, struct.pack("<II", 24, 0) + regions()) + tag(0, b""))
    return struct.pack("<II", 8 + len(tags), 0) + tags


def pvh() -> bytes:
    module, line = BASE + 56, BASE + 88
    return (struct.pack("<IIIIQQQQII", 0x336EC578, 1, 0, 1, module, line, 0, line + 16,
                        len(REGIONS), 0)
            + struct.pack("<QQQQ", 0x200000, 0x8001, 0, 0) + b"log=debug\0".ljust(16, b"\0")
            + regions())


def seeds(fuzzer: str) -> Dict[str, bytes]:
    """By the fuzzer's name. Operations begin with long rows of any."""
    if fuzzer == "boot-information":
        return {"multiboot2": b"\0" + multiboot2(), "pvh": b"\1" + pvh()}
    if fuzzer == "arguments":
        return {"words": b'log=debug name="two words" flag\0a=1 b="" a=3', "many": b"a=1 " * 63}
    chance = random.Random(1)
    return {f"row-{i}": bytes(chance.choices(range(256), k=1024)) for i in range(8)}


def main() -> int:
    fuzzer, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in seeds(Path(fuzzer).name).items():
            (Path(folder) / name).write_bytes(content)
        return subprocess.run([fuzzer, *options, folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
