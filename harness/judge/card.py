# SPDX-License-Identifier: MIT
"""The failure card: all that explains one result that is not a pass, a line at a time."""
from __future__ import annotations

import shlex
from typing import Any, Iterator, List, Optional, Sequence

from . import exceptions as x86
from .elf import Image
from .evidence import Record, Result
from .model import Encore, Finding, Frame, Scene, Trouble
from .outcomes import describe_check
from .protocol import (Armed, Backtrace, CheckFailed, Event, Fault, Hang, Note, Panic, Param,
                       Registers)
from .rounds import shuffle_words
from .source import source_lines

CONSOLE_LINES = 5
INTERRUPT_FLAG = 0x200  # in RFLAGS


class Cards:
    """Explains results that are not a pass. Reads debug information when there is something to."""

    def __init__(self, image: Image, is_verbose: bool, command: Sequence[str],
                 selecting: Sequence[str] = ()) -> None:
        self._image = image
        self._is_verbose = is_verbose
        self._command = tuple(command)
        self._selecting = tuple(selecting)
        self._symbolizer: Any = None

    def lines(self, result: Result) -> Iterator[str]:
        finding = result.finding
        assert finding is not None
        yield finding.sentence
        if not result.is_trouble:
            yield f"  test       {result.test.place}"
        for each in finding.differences:
            yield from _two_sides(each.what, each.expected, each.actual)
        if result.record is not None:
            yield from self._record(result.record)
        if result.restart:
            yield f"  restart    {result.restart}"
        yield from self._scene(result)

    def _record(self, record: Record) -> Iterator[str]:
        for event in record.events:
            yield from self._event(event)
        for each in record.interventions:
            yield f"  harness    {each.describe()}"

    def _event(self, event: Event) -> Iterator[str]:
        if isinstance(event, CheckFailed):
            yield from _check(event)
            yield from source_lines(event.file, event.line, self._image.path)
        elif isinstance(event, Fault):
            yield from _fault(event)
        elif isinstance(event, Panic):
            where = f"{event.file}:{event.line}" if event.file else "an unknown place"
            yield f"  panic      {event.message}, in {event.function or '?'} at {where}"
        elif isinstance(event, Hang):
            yield (f"  hang       at 0x{event.rip:x}, rsp 0x{event.rsp:x}, interrupts "
                   f"{'on' if event.rflags & INTERRUPT_FLAG else 'off'}")
        elif isinstance(event, Backtrace) and event.addresses:
            yield "  backtrace"
            yield from (f"    {_frame(frame)}" for frame in self._frames(event.addresses))
        elif isinstance(event, Registers) and self._is_verbose:
            yield from _registers(event.values)
        elif isinstance(event, (Param, Armed, Note)):
            yield from _remark(event)


    def _scene(self, result: Result) -> Iterator[str]:
        scene = result.scene
        if scene is None:
            return
        if result.ended_the_boot and result.finding is not None:
            yield from self._last_words(result.finding, scene)
        if scene.encore is not None:
            yield from self._encore(scene.encore)
        if self._is_verbose:
            yield f"  command    {shlex.join(scene.command)}"
        yield f"  repeat     {self._repeat(result)}"
        if scene.seed is not None and not result.is_trouble:
            yield f"  its order  {self._whole(scene.seed)}"
        if scene.folder:
            yield f"  artifacts  {scene.folder}"

    def _repeat(self, result: Result) -> str:
        """The test alone; what went wrong with a whole boot needs the same tests again."""
        if result.is_trouble:
            return self._whole(result.scene.seed if result.scene else None)
        return shlex.join([*self._command, "--test", result.test.full_name])

    def _whole(self, seed: Optional[int]) -> str:
        """The command for all of the tests, in the order in which they ran."""
        return shlex.join([*self._command, *shuffle_words(seed), *self._selecting])

    def _last_words(self, finding: Finding, scene: Scene) -> Iterator[str]:
        if scene.registers:
            yield from self._stuck(scene.registers)
        if scene.log.strip() and finding.reason is not Trouble.NOT_STARTED:
            yield from _block("QEMU says", scene.log.splitlines()[-CONSOLE_LINES:])
        lines = scene.console.splitlines()
        if lines:
            yield from _block("console", lines if self._is_verbose else lines[-CONSOLE_LINES:])

    def _encore(self, encore: Encore) -> Iterator[str]:
        """What QEMU saw when the test ran once more; that is not the boot the verdict is of."""
        if not encore.has_died:
            yield "  alone      it did not die so when it ran once more: the order may be the cause"
        elif encore.traps:
            yield "  exceptions, as QEMU saw them when the test ran once more, alone"
        for trap in encore.traps:
            if trap.is_delivered:
                frame = self._frames([trap.address])[-1]
                yield f"    {x86.describe_trap(trap)}, at {_frame(frame)}"
            else:
                yield f"    {x86.describe_vector(trap.vector)}, while that one was to be delivered"

    def _stuck(self, registers: str) -> Iterator[str]:
        """Where the CPU was when its time was up."""
        words = dict(word.split("=", 1) for word in registers.split() if "=" in word)
        address = words.get("RIP") or words.get("EIP") or ""
        try:
            frames = self._frames([int(address, 16)])
        except ValueError:
            return
        yield f"  stuck at   {_frame(frames[0])}"
        yield from (f"             {_frame(frame)}" for frame in frames[1:])
        if self._is_verbose:
            yield from _block("registers", registers.splitlines())

    def _frames(self, addresses: Sequence[int]) -> List[Frame]:
        if self._symbolizer is None:
            from .symbolize import Symbolizer  # 45 ms that only a failure has to spend
            self._symbolizer = Symbolizer(self._image.path, self._image.symbols)
        frames: List[Frame] = self._symbolizer.backtrace(addresses)
        return frames


def _check(event: CheckFailed) -> Iterator[str]:
    yield f"  {event.file}:{event.line}: {describe_check(event)}"
    if len(event.left_value) + len(event.right_value) > 40:
        yield f"    left     {event.left_value}"
        yield f"    right    {event.right_value}"


def _fault(event: Fault) -> Iterator[str]:
    stack = f"interrupt stack {event.ist}" if event.ist else "the stack in use"
    yield f"  fault      {x86.describe_fault(event)}"
    yield f"             {event.words}"
    yield (f"             at 0x{event.rip:x}, rsp 0x{event.rsp:x}, cr2 0x{event.cr2:x},"
           f" taken on {stack}")


def _remark(event: Event) -> Iterator[str]:
    if isinstance(event, Param) and event.text:
        yield f"  parameter  {event.text}"
    elif isinstance(event, Armed):
        yield f"  armed      {event.file}:{event.line}"
    elif isinstance(event, Note):
        yield f"  note       {event.text}"


def _two_sides(what: str, expected: str, actual: str) -> Iterator[str]:
    if not expected:
        yield f"  {what:<10} {actual}"
        return
    yield f"  {what:<10} expected {expected}"
    yield f"  {'':<10}   actual {actual}"


def _frame(frame: Frame) -> str:
    if not frame.function:
        return f"0x{frame.address:x} in no function"
    name = f"{frame.function} (inlined)" if frame.is_inlined else (
        f"{frame.function}+0x{frame.offset:x}")
    return f"{name}, {frame.place}" if frame.place else f"{name}, 0x{frame.address:x}"


def _registers(values: "Any") -> Iterator[str]:
    words = [f"{name}={value:x}" for name, value in values.items()]
    for start in range(0, len(words), 4):
        yield ("  registers  " if start == 0 else "             ") + "  ".join(
            f"{word:<20}" for word in words[start:start + 4]).rstrip()


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"  {title}"
    yield from (f"    | {line}" for line in lines)
