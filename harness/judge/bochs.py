# SPDX-License-Identifier: MIT
"""Runs in Bochs: another implementation of the CPU and of the PC around it, with the same tests.

Bochs has no monitor, no fw_cfg and no exit device. What the kernel is told stands in a copy of the
boot image, where GRUB's command has room for it; COM1 and COM2 are pipes, which nothing can be sent
by; and when the totals have come, the machine is ended from here. So nobody sees how it would have
ended, and the report says so: it is the stream that is judged, with its sums, nonce and build id.
Only a triple fault is seen, for Bochs dies of it.
"""
from __future__ import annotations

import os
import re
import shutil
import tty
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Sequence

from .evidence import Ending, Unseen
from .machine import CONSOLE, PROTOCOL, Machine
from .model import Accel, Needs, Refusal, Test
from .options import MEMORY, UNITS
from .program import first_words, why_not_run
from .protocol import Event, Totals
from .qemu import CHUNK_BYTES, Answer, Channels, Exited, Happening, Qemu, read_tail
from .runner import Boot, Runner
from .sieve import Sieve
from .terms import version_of
from .watch import Watch

NEWEST_CPU = "corei7_icelake_u"  # of those without CET: with it, Bochs 3.0 dies of CR0.WP = 0
ALL_NEEDS = Needs(sum(Needs))
CONFIGURATION, COMMANDS, LOG = "bochsrc", "bochs.commands", "bochs.log"
IMAGE = "boot.iso"

VERSION = re.compile(rb"Bochs x86 Emulator (\d{1,4})\.(\d{1,4})")
VERSION_SECONDS = 10.0
VERSION_BYTES = 4096
ROOM = re.compile(rb"#{4096,}")  # in the boot image, behind GRUB's command

# So many instructions make a second of the machine's time: about as many as it executes in one.
# With more, each byte on a serial line would cost more of them; with fewer, the machine would be
# too slow for tests that measure time.
INSTRUCTIONS_PER_SECOND = 20_000_000
SLOWNESS = 4.0  # of the host, beyond that: the wall's clock is only the backstop
LINGER_SECONDS = 0.2  # behind the totals, for what must not come there

SCREEN = re.compile(r'Bochs connected to screen "(/dev/pts/\d+)"')
TRIPLE_FAULT = re.compile(r"exception\(\): 3rd \(\d+\) exception with no resolution")


@dataclass(frozen=True)
class BochsMachine(Machine):
    """An i440FX PC, which GRUB boots from a CD-ROM. `qemu` is the program, `cpu` Bochs's model."""

    @property
    def accelerator(self) -> Accel:
        return Accel.BOCHS

    @property
    def model_of_cpu(self) -> str:
        return NEWEST_CPU if self.cpu == "max" else self.cpu

    @property
    def memory_mib(self) -> int:
        match = MEMORY.fullmatch(self.memory)
        assert match is not None  # by the options
        return int(float(match[1]) * UNITS[match[2].upper()]) >> 20

    def for_needs(self, needs: Needs) -> Machine:
        return self

    def offers(self, needs: Needs) -> Needs:
        has_all = self.model_of_cpu == NEWEST_CPU
        return ALL_NEEDS if has_all else ALL_NEEDS & ~Needs.FULL_CPU

    def executable(self) -> str:
        path = shutil.which(self.qemu)
        if path is None:
            raise Refusal(f"Bochs did not start: there is no program {self.qemu}. "
                          "harness/matrix.py --fetch --only qemu=bochs gets one.")
        return path

    def version(self) -> int:
        path = self.executable()
        try:
            said = first_words([path, "--help"], VERSION_SECONDS, VERSION_BYTES, b"Built")
        except OSError as error:
            raise Refusal(f"Bochs did not start: {why_not_run(path, error)}") from error
        match = VERSION.search(said)
        if match is None:
            raise Refusal(f"{path} is no Bochs: its --help does not tell Bochs's version.",
                          said.decode("utf-8", "backslashreplace"))
        return version_of((int(match[1]), int(match[2])))

    def why_no_qemu(self) -> str:
        return ""  # there is no monitor by which it could be told

    def command(self, folder: Path, arguments: str, have: Needs, traces_exits: bool = False,
                is_encore: bool = False) -> List[str]:
        """Bochs shows its screen as text on its terminal; nobody looks at it."""
        return ["env", "TERM=xterm", self.executable(), "-q", "-f", str(folder / CONFIGURATION),
                "-rc", str(folder / COMMANDS)]

    def configuration(self, folder: Path) -> str:
        """Time is a count of instructions, so that a busy host changes nothing."""
        return "\n".join([
            "config_interface: textconfig", "display_library: term",
            f"cpu: model={self.model_of_cpu}, count=1, ips={INSTRUCTIONS_PER_SECOND}, "
            "reset_on_triple_fault=0, ignore_bad_msrs=0",
            f"megs: {self.memory_mib}",
            "romimage: file=$BXSHARE/BIOS-bochs-latest",
            "vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest",
            "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
            f"ata0-master: type=cdrom, path={folder / IMAGE}, status=inserted", "boot: cdrom",
            f"com1: enabled=1, mode=file, dev={folder / CONSOLE}.out",
            f"com2: enabled=1, mode=file, dev={folder / PROTOCOL}.out",
            "clock: sync=none, time0=utc, rtc_sync=0", "sound: driver=dummy",
            f"log: {folder / LOG}", "panic: action=fatal", "error: action=report",
            "info: action=ignore", "debug: action=ignore", ""])


def tell_by_image(image: Path, to: Path, arguments: str) -> None:
    """A copy of the boot image in which GRUB gives the kernel these words."""
    data = image.read_bytes()
    places = list(ROOM.finditer(data))
    if len(places) != 1:
        raise Refusal(f"{image} has no room for words to the kernel: it is none of this project's, "
                      "or older than make_iso.sh.")
    words = b"".join(f"'{word}' ".encode() for word in arguments.split())
    start, end = places[0].span()
    if b"'" in arguments.encode() or len(words) >= end - start:
        raise Refusal(f"The kernel can't be told {len(words)} bytes by {image}: there is room for "
                      f"{end - start - 1}, and for no apostrophe.")
    to.write_bytes(data[:start] + words + data[start + len(words):])


class Bochs(Qemu):
    """Both serial ports are pipes. Its screen is a terminal of its own, which somebody has to read:
    else it is full one day, and Bochs waits for ever."""

    _screen = -1

    @property
    def is_connected(self) -> bool:
        return True  # to all that it has

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self._screen >= 0:
            os.close(self._screen)
        self._screen = -1

    def _open_channels(self) -> None:
        self._open_ports()

    def _read_console(self) -> List[Happening]:
        """By the kernel's first word, the screen is there, and has room left."""
        if self._screen < 0:
            self._open_screen()
        return super()._read_console()

    def _open_screen(self) -> None:
        name = SCREEN.search(super().log())
        if name is None:  # a Bochs without debugger shows it on the terminal that it was started on
            return
        self._screen = os.open(name[1], os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._screen)
        self._watch(self._screen, self._read_screen)

    def _read_screen(self) -> List[Happening]:
        try:
            is_over = not os.read(self._screen, CHUNK_BYTES)
        except OSError:
            is_over = True
        if is_over:
            self._selector.unregister(self._screen)
        return []

    def _read_terminal(self) -> List[Happening]:
        super()._read_terminal()
        return []

    def log(self) -> str:
        return read_tail(self.folder / LOG) + super().log()

    def order(self, text: str) -> bool:
        return False

    def ask(self, execute: str, **arguments: object) -> Answer:
        return Answer(refusal="Bochs has no monitor")


class BochsWatch(Watch):
    """The totals are the end."""

    _has_totals = False

    def __init__(self, tests: Sequence[Test], timeout: float, folder: Path) -> None:
        slower = [replace(test, timeout_ms=int(test.timeout_ms * SLOWNESS)) for test in tests]
        super().__init__(slower, timeout * SLOWNESS, False, folder)

    def _keep_time(self, event: Event, qemu: Channels) -> None:
        super()._keep_time(event, qemu)
        if isinstance(event, Totals):
            self._has_totals = True
            self._deadline = 0.0
            self._extend(LINGER_SECONDS)

    def _expire(self, qemu: Channels) -> None:
        if self._has_totals:
            self._exited = Exited(None, None)
        else:
            super()._expire(qemu)

    def _conclude(self) -> Ending:
        ending = replace(super()._conclude(), program="Bochs")
        if TRIPLE_FAULT.search(read_tail(self._folder / LOG)) is None or ending.status != 1:
            return ending
        return replace(ending, status=0, shutdown="guest-reset", has_triple_fault=True)


class BochsRunner(Runner):
    """Boots as always, in another program."""

    unseen = (Unseen.END,)

    def _command(self, boot: Boot, folder: Path, arguments: str, is_encore: bool) -> List[str]:
        machine = boot.machine
        assert isinstance(machine, BochsMachine)
        tell_by_image(machine.iso, folder / IMAGE, arguments)
        (folder / CONFIGURATION).write_text(machine.configuration(folder))
        (folder / COMMANDS).write_text("continue\nquit\n")
        (folder / "arguments").write_text(arguments + "\n")
        return machine.command(folder, arguments, boot.facts.have)

    def _program(self, command: List[str], folder: Path, sieve: Optional[Sieve]) -> Qemu:
        return Bochs(command, folder, sieve)

    def _watch(self, boot: Boot, folder: Path, is_encore: bool) -> Watch:
        watch = BochsWatch(boot.tests, self._settings.timeout, folder)
        watch.wait_for_firmware()
        return watch
