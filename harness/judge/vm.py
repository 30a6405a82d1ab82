# SPDX-License-Identifier: MIT
"""One virtual machine, scripted by a test: boot it, type, expect, look.

What does not come in time, or can't be done, is a MachineError, an AssertionError that explains:
what was waited for, what the machine said and showed instead, how it ended, and where all of it is.
Nothing here waits without a bound, and nothing is left behind: neither a process nor, unless the
test failed, a file.
"""
from __future__ import annotations

import codecs
import os
import re
import shlex
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import (Any, BinaryIO, Callable, Dict, Iterator, List, Match, Optional, Pattern,
                    Sequence, TypeVar, Union)

from . import look
from .evidence import Ending
from .keys import Keys, chord, keys_of
from .look import MachineError
from .machine import BootWay, Machine
from .model import Needs
from .qemu import (Answer, ConsoleData, Exited, Happening, MonitorMessage, ProtocolData, Qemu,
                   QemuError, has_triple_fault, private_folder, read_tail)
from .screen import Screen

SECONDS = 20.0  # that an expectation may take, unless it says otherwise
ANSWER_SECONDS = 10.0  # for QEMU itself
LOOK_SECONDS = 0.05  # between two looks at the screen
KEY_MILLISECONDS = 10  # from one press or release to the next: QEMU keeps this time
OUTPUT_CHARACTERS = 4 << 20
SHOWN_LINES = 12

WAYS = tuple(way.value for way in BootWay)
Text = Union[str, Pattern[str]]
Found = TypeVar("Found")


class VirtualMachine:
    """A QEMU that runs, until it ends or is closed."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.folder = folder
        self.console = ""  # all that came on COM1
        self.protocol = ""  # and on COM2
        self.events: List[Dict[str, Any]] = []  # of QMP, as QEMU sends them
        self.ending: Optional[Ending] = None
        self._expected = 0  # up to here, the console has met expectations
        self._qemu = Qemu(command, folder)
        self._qemu.answer_seconds = ANSWER_SECONDS
        self._console_file = open(folder / "console.log", "wb", buffering=0)
        self._protocol_file = open(folder / "protocol.log", "wb", buffering=0)
        self._console_decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._protocol_decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._is_greeted = False

    def __enter__(self) -> "VirtualMachine":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.keep_remains()
        self.close()

    def start(self) -> None:
        """The command has -S: nothing happens before somebody sees it."""
        try:
            self._qemu.__enter__()
            self._wait_for(lambda: self._is_greeted or None, ANSWER_SECONDS)
            if not self._is_greeted:
                raise MachineError(f"QEMU did not start: {self._how_it_is()}.\n{self.describe()}")
            if self.ending is None:
                self.resume()
            if self.ending is not None and self.ending.status == 1:
                raise MachineError(f"QEMU did not start.\n{self.describe()}")
        except QemuError as error:
            self.close()
            raise MachineError(f"{error}\n{error.log}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the machine, if it has not ended by itself."""
        if self._console_file.closed:
            return
        self._qemu.__exit__()
        self._console_file.close()
        self._protocol_file.close()
        if self.ending is None:
            self.ending = Ending()

    # --- Serial ports -----------------------------------------------------------------------------

    def expect(self, what: Text, timeout: float = SECONDS) -> Match[str]:
        """Waits until the console says this, behind what was expected before; carriage returns
        don't count. A string stands for itself, a compiled pattern is searched for."""
        pattern = re.compile(re.escape(what)) if isinstance(what, str) else what
        match = self._wait_for(lambda: pattern.search(self.console, self._expected), timeout)
        if match is None:
            raise self._failure(f"{pattern_of(what)} did not come on the console", timeout)
        self._expected = match.end()
        return match

    def send(self, text: str, timeout: float = SECONDS) -> None:
        """To the kernel on COM1; waits where it does not read on."""
        data = text.encode()
        deadline = time.monotonic() + timeout
        while data:
            self._require_life("sent to")
            sent = self._qemu.send(data)
            data = data[sent:]
            if not sent and time.monotonic() >= deadline:
                raise self._failure(f"COM1 took all but {len(data)} bytes", timeout)
            self._pump(0.0 if sent else LOOK_SECONDS)

    # --- Keys -------------------------------------------------------------------------------------

    def press(self, keys: str) -> None:
        """A key, or some at once: `a`, `esc`, `ctrl-alt-f1`."""
        self._send_keys(chord(keys))

    def type(self, text: str, echo: str = "", timeout: float = SECONDS) -> None:
        """Types on a US keyboard. The keyboard controller keeps 16 bytes for a guest that does not
        read them, and drops the others, so the keys are paced: by KEY_MILLISECONDS, or by the
        guest's echo. `echo="console"` waits behind each key until its character has come there,
        `echo="screen"` until the screen has changed."""
        for character, keys in [(each, keys_of(each)) for each in text]:
            has_echo = self._echo_of(character, echo)
            self._send_keys(keys)
            if self._wait_for(lambda: has_echo() or None, timeout, LOOK_SECONDS) is None:
                raise self._failure(f"the key for {character!r} had no echo on the {echo}", timeout)

    def _echo_of(self, character: str, echo: str) -> Callable[[], bool]:
        if echo == "console":
            start = len(self.console)
            return lambda: character in self.console[start:]
        if echo == "screen":
            before = self.screen()
            return lambda: self.screen() != before
        if echo:
            raise ValueError(f"there is no echo on the {echo}: it is console or screen")
        return lambda: True

    def _send_keys(self, keys: Keys) -> None:
        """Each is pressed, then each is released; returns when that is done."""
        self._do("send-key", keys=[{"type": "qcode", "data": key} for key in keys],
                 hold_time=KEY_MILLISECONDS)
        self._rest(2 * len(keys) * KEY_MILLISECONDS / 1000)

    # --- The screen -------------------------------------------------------------------------------

    def screen(self) -> Screen:
        """What the VGA shows in text mode."""
        if "-vga" not in self._qemu.command:  # what lies there is memory
            raise MachineError("the machine has no VGA, and so no screen: boot(vga=True)")
        return self._look(lambda: look.read_screen(self._qemu, self.folder))

    def expect_screen(self, what: Text, timeout: float = SECONDS) -> Screen:
        """Waits until the screen shows this; a pattern may go over several lines."""
        pattern = re.compile(re.escape(what)) if isinstance(what, str) else what

        def shown() -> Optional[Screen]:
            screen = self.screen()
            return screen if pattern.search(screen.text) else None

        found = self._wait_for(shown, timeout, LOOK_SECONDS)
        if found is None:
            raise self._failure(f"{pattern_of(what)} did not come on the screen", timeout)
        return found

    def screenshot(self, path: Path) -> None:
        """Writes a PNG."""
        self._look(lambda: look.take_screenshot(self._qemu, path))

    # --- What is done to the machine --------------------------------------------------------------

    def nmi(self) -> None:
        """Sends a non-maskable interrupt to all CPUs."""
        self._do("inject-nmi")

    def reset(self) -> None:
        """Presses the reset button; that is the end, unless the machine was made to reboot."""
        self._do("system_reset")

    def power_button(self) -> None:
        """Presses the power button; a kernel without ACPI takes no notice."""
        self._do("system_powerdown")

    def pause(self) -> None:
        self._do("stop")

    def resume(self) -> None:
        self._do("cont")

    # --- What is inside ---------------------------------------------------------------------------

    def registers(self) -> Dict[str, int]:
        """By name: rax … r15, rip, rflags, cs (the selector) …, cr0 … cr4, efer, cpl, hlt."""
        return look.read_registers(str(self.ask("human-monitor-command",
                                                command_line="info registers")))

    def memory(self, address: int, size_bytes: int, is_physical: bool = False) -> bytes:
        """By the page tables in use, unless the address is a physical one."""
        return self._look(lambda: look.read_memory(self._qemu, self.folder, address, size_bytes,
                                                   is_physical))

    def ask(self, execute: str, **arguments: object) -> Any:
        """What a QMP command returns (with _ for -)."""
        answer = self._do(execute, **arguments)
        if answer.refusal:
            self._require_life(f"asked for {execute}")
        return answer.value

    def _do(self, execute: str, **arguments: object) -> Answer:
        """Refused only if the machine has ended over it: for an order, that is no failure."""
        self._require_life(f"asked for {execute}")
        answer = self._qemu.ask(execute, **arguments)
        if answer.refusal:
            self._pump(0.0)
            if self.ending is None:
                raise MachineError(f"QEMU refuses {execute}: {answer.refusal}")
        return answer

    def _look(self, look_at: Callable[[], Found]) -> Found:
        """The machine may end over this: then that is what there is to say."""
        self._require_life("looked at")
        try:
            return look_at()
        except MachineError:
            self._pump(0.0)
            self._require_life("looked at")
            raise

    # --- The end ----------------------------------------------------------------------------------

    def wait(self, timeout: float = SECONDS) -> Ending:
        """Until the machine ends by itself; describe() of what it returns says how."""
        ending = self._wait_for(lambda: self.ending, timeout)
        if ending is None:
            raise self._failure("the machine did not end", timeout)
        return ending

    def wait_until(self, condition: Callable[[], bool], otherwise: str, timeout: float = SECONDS
                   ) -> None:
        """For whatever a test can see; `otherwise` is the beginning of what is said if it does not
        come: "the CPU did not halt"."""
        if self._wait_for(lambda: condition() or None, timeout, LOOK_SECONDS) is None:
            raise self._failure(otherwise, timeout)

    def keep_remains(self) -> None:
        """Registers, stack and screen into the folder, as far as the machine lives."""
        if self.ending is None:
            look.keep_remains(self._qemu, self.folder)

    def describe(self) -> str:
        """All that explains a failure."""
        return "\n".join(self._description())

    def _description(self) -> Iterator[str]:
        self.keep_remains()
        yield from _block("console", self.console)
        yield from _block("screen", read_tail(self.folder / "screen.txt"))
        yield from _block("QEMU says", self._qemu.log())
        yield f"  machine    {self._how_it_is()}"
        yield f"  command    {shlex.join(self._qemu.command)}"
        yield f"  artifacts  {self.folder}"

    def _how_it_is(self) -> str:
        if self.ending is not None:
            return "the test has ended it" if self.ending == Ending() else self.ending.describe()
        registers = look.read_registers(look.registers_text(self._qemu))
        address = registers.get("rip", registers.get("eip"))
        where = "" if address is None else f", at 0x{address:x}"
        return f"it still runs{where}{', halted' if registers.get('hlt') else ''}"

    def _failure(self, sentence: str, timeout: float) -> MachineError:
        bound = "before the machine ended" if self.ending else f"within {timeout:g} s"
        return MachineError(f"{sentence} {bound}\n{self.describe()}")

    def _require_life(self, what: str) -> None:
        if self.ending is not None:
            raise MachineError(f"the machine can't be {what}: {self._how_it_is()}\n"
                               f"{self.describe()}")

    # --- What comes -------------------------------------------------------------------------------

    def _wait_for(self, look_for: Callable[[], Optional[Found]], timeout: float,
                  step: float = SECONDS) -> Optional[Found]:
        """What look_for finds, as soon as it does; looks again whenever something has come."""
        deadline = time.monotonic() + timeout
        while True:
            found = look_for()
            left = deadline - time.monotonic()
            if found is not None or left <= 0 or self.ending is not None:
                return found
            self._pump(min(left, step))

    def _rest(self, seconds: float) -> None:
        self._wait_for(lambda: None, seconds)

    def _pump(self, seconds: float) -> None:
        for happening in self._qemu.wait(seconds):
            self._take(happening)

    def _take(self, happening: Happening) -> None:
        if isinstance(happening, ConsoleData):
            self.console += _text(happening.data, self._console_file, self._console_decoder)
        elif isinstance(happening, ProtocolData):
            self.protocol += _text(happening.data, self._protocol_file, self._protocol_decoder)
        elif isinstance(happening, MonitorMessage):
            self._is_greeted |= "QMP" in happening.message
            if "event" in happening.message:
                self.events.append(dict(happening.message))
        elif isinstance(happening, Exited):
            self.ending = self._conclude(happening)
        if max(len(self.console), len(self.protocol)) > OUTPUT_CHARACTERS:
            self.close()
            raise MachineError(f"the kernel floods its serial ports\n{self.describe()}")

    def _conclude(self, exited: Exited) -> Ending:
        reasons = [str(event.get("data", {}).get("reason", "")) for event in self.events
                   if event["event"] == "SHUTDOWN"]
        return Ending(exited.status, exited.signal, shutdown=reasons[0] if reasons else "",
                      has_triple_fault=has_triple_fault(self.folder))


class Machines:
    """Boots virtual machines from one description, and cleans up behind them.

    Their folders stay if has_failed is set, or where a `with` is left by an exception.
    """

    def __init__(self, default: Machine) -> None:
        self.booted: List[VirtualMachine] = []
        self.has_failed = False
        self._default = default
        self._folders: List[str] = []

    def __enter__(self) -> "Machines":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for vm in self.booted:
            vm.__exit__(kind)
        for folder in self._folders:
            if not self.has_failed and kind is None:
                shutil.rmtree(folder, ignore_errors=True)

    def boot(self, *, kernel: Optional[Path] = None, iso: Optional[Path] = None, way: str = "",
             memory: str = "", cpu: str = "", model: str = "", arguments: str = "",
             vga: bool = True, reboots: bool = False, exit_device: bool = True,
             extra: Sequence[str] = ()) -> VirtualMachine:
        """Starts a machine. What is not said is as the default has it.

        way          "direct" (QEMU loads the kernel), "grub" or "uefi" (GRUB does, from the iso,
                     on BIOS or UEFI)
        model        of the machine, as QEMU's -M takes it; if not said, a pc, lean without a VGA
        arguments    for the kernel, in the fw_cfg file opt/faultline/ktest
        reboots      whether the machine survives a reset; else it ends
        exit_device  whether the kernel can leave through port 0xf4
        extra        words for QEMU
        """
        way = way or ("grub" if iso and not kernel else "direct")
        if way not in WAYS:
            raise ValueError(f"there is no way to boot called {way!r}: it is "
                             f"{', '.join(WAYS[:-1])} or {WAYS[-1]}")
        given = {"kernel": kernel, "iso": iso, "memory": memory, "cpu": cpu, "model": model}
        machine = replace(self._default, **{name: value for name, value in given.items() if value},
                          way=BootWay(way), reboots=reboots, has_exit_device=exit_device,
                          extra=(*self._default.extra, *extra))
        folder = private_folder(self._folders)
        have = machine.offers(Needs.VGA if vga else Needs(0))
        vm = VirtualMachine(machine.command(folder, arguments, have), folder)
        vm.start()
        self.booted.append(vm)
        return vm


def default_machine(build: Path) -> Machine:
    """The kernel of a build folder; FAULTLINE_QEMU names another QEMU."""
    return Machine(build / "faultline.elf", build / "faultline.iso",
                   qemu=os.environ.get("FAULTLINE_QEMU", Machine.qemu))


def pattern_of(what: Text) -> str:
    return repr(what) if isinstance(what, str) else f"a match of {what.pattern!r}"


def _text(data: bytes, file: BinaryIO, decoder: codecs.IncrementalDecoder) -> str:
    file.write(data)
    return decoder.decode(data).replace("\r", "")


def _block(title: str, text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if line.strip()][-SHOWN_LINES:]
    if lines:
        yield f"  {title}"
    yield from (f"    | {line}" for line in lines)
