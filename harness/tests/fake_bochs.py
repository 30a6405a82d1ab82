# SPDX-License-Identifier: MIT
"""Plays Bochs: fake_bochs.py SCENARIO ARGUMENTS...

The scenarios are those of fake_qemu.py: the kernel is the same. What it is told stands in the boot
image; it speaks on two pipes, shows its screen on a terminal of its own, and when it is done it
halts, for it has no way to leave the machine.
"""
from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import List

from tests.fake_qemu import LIES, NotHere, Play

BANNER = "=====\n   Bochs x86 Emulator 3.0\n  Built from a fake\n"
SCREEN_BYTES = 1 << 18  # more than a terminal holds for somebody who does not read
TRIPLE = "0360p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n"


class BochsPlay(Play):
    """What differs from QEMU."""

    def __init__(self, arguments: List[str], where: str) -> None:
        self.configuration = Path(arguments[arguments.index("-f") + 1]).read_text()
        self.boot_image = Path(self.setting("path")).read_bytes()
        super().__init__(arguments, where)

    def setting(self, name: str, line: str = "") -> str:
        match = re.search(rf"^{line}.*\b{name}=([^,\n]*)", self.configuration, re.M)
        assert match, name
        return match[1]

    def value(self, *options: str) -> str:
        assert "-kernel" in options
        return os.fsdecode(self.boot_image.partition(b"KERNEL=")[2].strip())

    def _fw_cfg(self) -> str:
        command = self.boot_image.partition(b"\n")[0].partition(b"#")[0].decode()
        return " ".join(re.findall(r"'([^']*)'", command))

    def say(self, data: bytes) -> None:
        with open(self.setting("dev", "com2:"), "wb") as pipe:
            pipe.write(data)

    def perform(self) -> None:
        writer = self._show_screen()
        with open(self.setting("dev", "com1:"), "wb") as pipe:
            pipe.write(self.console)
        os.waitpid(writer, 0)
        self.say(self.told())
        if self.has_triple_fault:
            log = re.search(r"^log: (.*)", self.configuration, re.M)
            assert log
            Path(log[1]).write_text(TRIPLE)
            os._exit(1)
        if self.signal:
            os.kill(os.getpid(), self.signal)
        if self.status is not None and not self.hangs:
            os._exit(1)  # whatever the reason
        time.sleep(60)

    def _show_screen(self) -> int:
        """The kernel's first words on its protocol port wait until all of it has been read."""
        master, slave = os.openpty()
        sys.stderr.write(f'Bochs connected to screen "{os.ttyname(slave)}"\n')
        sys.stderr.flush()
        writer = os.fork()
        if writer == 0:
            os.write(master, b"x" * SCREEN_BYTES)
            os._exit(0)
        return writer


def main() -> None:
    if sys.argv[2:] == ["--help"]:
        sys.stdout.write(BANNER)
        return
    if sys.argv[1] == "refuses":
        sys.stderr.write("bochsrc:3: cpu: model is not one\n")
        sys.exit(1)
    scenario, _, where = sys.argv[1].partition("@")
    play = BochsPlay(sys.argv[2:], where)
    try:
        LIES[scenario](play)
    except NotHere:
        play = BochsPlay(sys.argv[2:], where)
    play.perform()
