# SPDX-License-Identifier: MIT
"""Runs that can be repeated to the byte (--exact): the machine counts instructions, and all that it
gets from outside comes from a seed.

Counting alone does not do. While the CPU halts, QEMU (seen with 7.2 and 11.1) moves the clock on
from its main loop, and if that comes before the last instructions have been counted, the clock
moves too far: at one of some ten thousand halts, at more on a busy host. A recording takes turns
with the CPU, so that this cannot happen.

What comes from the host's own time makes a boot another one each time: a disk, and so all ways with
GRUB, and what the harness injects. Such boots are run, but not compared.
"""
from __future__ import annotations

import hashlib
from itertools import zip_longest
from os.path import commonprefix
from pathlib import Path
from typing import Dict, List

RECORDING = "replay.bin"
LOGS = ("protocol.log", "console.log")
COUNTS = "shift=0,sleep=off"  # a nanosecond for each instruction; to halt takes no time
CLOCK = "base=2026-01-01T00:00:00,clock=vm"
SHOWN_CHARACTERS = 120


def arguments(seed: int, recording: str = "") -> List[str]:
    """For QEMU: that it counts, where it keeps the recording if there is one, its clock, and its
    random numbers."""
    kept = f",rr=record,rrfile={recording}" if recording else ""
    return ["-icount", COUNTS + kept, "-rtc", CLOCK, "-seed", str(seed)]


def nonce(seed: int, words: str) -> str:
    """Of the boot that is told these words."""
    return hashlib.blake2b(f"{seed} {words}".encode(), digest_size=8).hexdigest()


class Streams:
    """What each boot said when it ran first."""

    def __init__(self) -> None:
        self._first: Dict[str, Dict[str, bytes]] = {}

    def deviation(self, words: str, folder: Path) -> str:
        """How this boot, of which the logs lie in this folder, differs from the first one that was
        told these words; empty if it does not, or is the first."""
        logs = {name: (folder / name).read_bytes() for name in LOGS}
        first = self._first.setdefault(words, logs)
        for name in LOGS:
            if logs[name] != first[name]:
                return f"{name}, {_first_difference(first[name], logs[name])}"
        return ""


def _first_difference(first: bytes, other: bytes) -> str:
    lines = zip_longest(*(log.splitlines(keepends=True) for log in (first, other)), fillvalue=b"")
    number, (left, right) = next((number, pair) for number, pair in enumerate(lines, 1)
                                 if pair[0] != pair[1])
    return f"line {number}: {_around(left, right)!r}, and now {_around(right, left)!r}"


def _around(line: bytes, other: bytes) -> str:
    """Lines are long: from a little before the first byte that differs."""
    same = len(commonprefix([line, other]))
    start = max(0, same - SHOWN_CHARACTERS // 2)
    return line[start:start + SHOWN_CHARACTERS].decode("ascii", "backslashreplace")
