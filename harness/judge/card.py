# SPDX-License-Identifier: MIT
"""The failure card: all that explains one result that is not a pass, a line at a time."""
from __future__ import annotations

import re
import shlex
from itertools import groupby
from typing import Any, Iterator, List, Mapping, Optional, Sequence

from . import exceptions as x86
from .elf import Image
from .evidence import Record, Result
from .model import Cause, Encore, Finding, Frame, Refusal, Scene, Trouble
from .outcomes import describe_check
from .protocol import (Armed, Backtrace, CheckFailed, Console, Event, Fault, Hang, Note, Panic,
                       Param, Registers)
from .options import failing_words, is_failing_word
from .rounds import shuffle_words
from .source import source_lines, split_place
from .sweep import LastRun, events_of_interest, last_run

CONSOLE_LINES = 5
INTERRUPT_FLAG = 0x200  # in RFLAGS
ADDRESS = re.compile(r"\b0x[0-9a-f]{16}\b")
HLT = b"\xf4"
RUNNER = "ktest_context_call"  # calls each function of a test, on the test's own stack
RUNNER_FOLDER = "ktest/"
TRAPS = (Cause.FAULT, Cause.DOUBLE_FAULT, Cause.HANG)


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
        yield self._headline(result, finding)
        if not result.is_trouble:
            yield f"  test       {result.test.place}"
        for each in finding.differences:
            yield from _two_sides(each.what, each.expected, each.actual)
        if result.record is not None:
            run = last_run(result.record)
            yield from self._allocation(run) if run else ()
            yield from self._record(result.record)
        if result.restart:
            yield f"  restart    {result.restart}"
        yield from self._scene(result)

    def _headline(self, result: Result, finding: Finding) -> str:
        """With the place of the first fault or hang, if that is what was found."""
        if finding.reason in TRAPS and result.record is not None:
            for trace in result.record.all(Backtrace):
                if trace.addresses:
                    inner, *_, outer = [*self._frames(trace.addresses[:1])] * 2
                    is_hang = finding.reason is Cause.HANG  # what is inlined there is too small
                    return (f"{finding.sentence}, at {_frame(outer)}" if is_hang else
                            f"{finding.sentence}, by {_frame(inner)}")
        return finding.sentence

    def _record(self, record: Record) -> Iterator[str]:
        place = ""  # of the last trap, if it is known without its backtrace
        trap: Optional[Event] = None
        for event in events_of_interest(record):
            if isinstance(event, Registers) and isinstance(trap, Fault):
                yield from _no_addresses(trap, event.values)
            if isinstance(event, Backtrace):
                yield from self._backtrace(event.addresses, place)
            elif isinstance(event, Panic):
                place = f"{event.file}:{event.line}" if event.file else ""
                yield from _panic(event)
            elif isinstance(event, (Fault, Hang)):
                place = ""
                trap = event
                yield from self._fault(event) if isinstance(event, Fault) else self._hang(event)
            else:
                yield from self._event(event)
        for each in record.interventions:
            yield f"  harness    {each.describe()}"

    def _event(self, event: Event) -> Iterator[str]:
        if isinstance(event, CheckFailed):
            yield from _check(event)
            yield from source_lines(event.file, event.line, self._image.path)
        elif isinstance(event, Registers) and self._is_verbose:
            yield from _registers(event.values)
        elif isinstance(event, Note):
            yield f"  note       {event.text}"
            yield from self._mentioned(event.text)
        elif isinstance(event, (Param, Armed, Console)):
            yield from _remark(event)

    def _allocation(self, run: LastRun) -> Iterator[str]:
        """The one that failed in the run that went wrong."""
        if run.caller is None:
            yield f"  allocation {run.nth} had to fail, but was not asked for yet"
            return
        innermost = self._symbols.frames(run.caller, is_return=True)[0]
        yield f"  allocation {run.nth} failed, asked for by {_frame(innermost)}"
        if innermost.place:
            yield from source_lines(*split_place(innermost.place), self._image.path)

    # --- Where it happened ------------------------------------------------------------------------

    def _fault(self, event: Fault) -> Iterator[str]:
        stack = f"interrupt stack {event.ist}" if event.ist else "the stack in use"
        yield f"  fault      {x86.describe_fault(event)}{self._target(event.vector, event.cr2)}"
        if ":" in event.words:  # the kernel knows more than the name
            yield f"             {event.words}"
        elif event.vector in x86.USUAL_CAUSES:
            yield f"             usually {x86.USUAL_CAUSES[event.vector]}"
        yield f"             at 0x{event.rip:x}, rsp 0x{event.rsp:x}, taken on {stack}"

    def _target(self, vector: int, address: int) -> str:
        """The variable that an access was meant for, or fell into."""
        symbol = self._image.symbols.find(address) if vector == x86.PAGE_FAULT else None
        return f" ({symbol.name}+0x{address - symbol.address:x})" if symbol is not None else ""

    def _hang(self, event: Hang) -> Iterator[str]:
        are_on = bool(event.rflags & INTERRUPT_FLAG)
        yield f"  hang       {self._activity(event.rip, are_on)}"
        yield (f"             at 0x{event.rip:x}, rsp 0x{event.rsp:x}, interrupts "
               f"{'on' if are_on else 'off'}")

    def _activity(self, address: int, are_interrupts_on: bool) -> str:
        """What the CPU was doing there: behind a hlt it sleeps."""
        try:
            is_halted = self._image.memory(address - 1, 1) == HLT
        except Refusal:
            is_halted = False
        if not is_halted and are_interrupts_on:
            return "it ran all the time: a loop that does not end"
        if not is_halted:
            return ("it ran all the time, with interrupts off: a loop that does not end, and that "
                    "no interrupt handler can end")
        if are_interrupts_on:
            return "the CPU was halted: it waits for an interrupt, and none has ended the wait"
        return "the CPU was halted with interrupts off: none can ever wake it"

    def _backtrace(self, addresses: Sequence[int], place: str) -> Iterator[str]:
        """With the source lines of `place`, or of the innermost frame that has some."""
        if not addresses:
            return
        frames = self._frames(addresses)
        own = _without_runner(frames)
        yield from self._source([place] if place else [frame.place for frame in own])
        shown = frames if self._is_verbose else own
        yield "  backtrace"
        for line, group in groupby(map(_frame, shown)):
            count = len(list(group))
            yield f"    {line}"
            if count > 1:
                yield f"      and {count - 1} more like it"
        if len(shown) < len(frames):
            yield f"    called by the test runner ({len(frames) - len(shown)} more with -v)"

    def _mentioned(self, text: str) -> Iterator[str]:
        """The lines of the calls that return to addresses in a note."""
        for address in (int(word, 16) for word in ADDRESS.findall(text)):
            innermost = self._symbols.frames(address, is_return=True)[0]
            if innermost.place:
                yield f"             {_frame(innermost)}"
                yield from source_lines(*split_place(innermost.place), self._image.path)

    def _source(self, places: Sequence[str]) -> Iterator[str]:
        """Functions in headers are small and of no interest, as long as there is a caller."""
        for place in sorted(places, key=lambda each: ".h:" in each):
            lines = list(source_lines(*split_place(place), self._image.path))
            if lines:
                yield f"  {place}"
                yield from lines
                return

    # --- What remains of the boot -----------------------------------------------------------------

    def _scene(self, result: Result) -> Iterator[str]:
        scene = result.scene
        if scene is None:
            return
        if result.ended_the_boot and result.finding is not None:
            yield from self._last_words(result.finding, scene)
        if scene.encore is not None:
            yield from self._encore(scene.encore)
        if self._is_verbose and scene.command:
            yield f"  command    {shlex.join(scene.command)}"
        yield f"  repeat     {self._repeat(result)}"
        is_exact = any(word.startswith("--exact=") for word in self._command)
        if (is_exact or scene.seed is not None) and not result.is_trouble:
            name = "exactly" if is_exact else "its order"
            yield f"  {name:9}  {self._whole(scene.seed)}"
        if scene.folder:
            yield f"  artifacts  {scene.folder}"

    def _repeat(self, result: Result) -> str:
        """The test alone; what went wrong with a whole boot needs the same tests again."""
        if result.is_trouble:
            return self._whole(result.scene.seed if result.scene else None)
        run = last_run(result.record) if result.record else None
        words = [word for word in self._command if run is None or not is_failing_word(word)]
        words += ["--test", result.test.full_name]
        return shlex.join(words + failing_words(run.nth) if run else words)

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
            shown = lines if self._is_verbose else lines[-CONSOLE_LINES:]
            yield from _block("console, the last lines of the boot", shown)

    def _encore(self, encore: Encore) -> Iterator[str]:
        """What QEMU saw when it ran once more; that is not the boot the verdict is of."""
        if not encore.has_died:
            yield ("  once more  it did not die so when it ran again, alone: the order may be the "
                   "cause")
        elif encore.traps:
            yield "  exceptions, as QEMU saw them when it ran once more"
        places: List[str] = []
        for trap in encore.traps:
            if trap.is_delivered:
                frames = self._frames([trap.address])
                places += [frame.place for frame in frames]
                words = x86.describe_trap(trap) + self._target(trap.vector, trap.cr2)
                yield f"    {words}, at {_frame(frames[-1])}"
            else:
                yield f"    {x86.describe_vector(trap.vector)}, while that one was to be delivered"
        yield from self._source(places)
        if self._is_verbose and encore.registers:
            yield from _block("registers when it died", _state(encore.registers))

    def _stuck(self, registers: str) -> Iterator[str]:
        """Where the CPU was when its time was up."""
        words = dict(word.split("=", 1) for word in registers.split() if "=" in word)
        try:
            address = int(words.get("RIP") or words.get("EIP") or "", 16)
            are_on = bool(int(words.get("RFL") or words.get("EFL") or "0", 16) & INTERRUPT_FLAG)
        except ValueError:
            return
        frames = self._frames([address])
        yield f"  stuck at   {_frame(frames[0])}"
        yield from (f"             {_frame(frame)}" for frame in frames[1:])
        yield (f"             {self._activity(address, are_on)}; interrupts "
               f"{'on' if are_on else 'off'}")
        yield from self._source([frame.place for frame in frames])
        if self._is_verbose:
            yield from _block("registers", _state(registers))

    def _frames(self, addresses: Sequence[int]) -> List[Frame]:
        frames: List[Frame] = self._symbols.backtrace(addresses)
        return frames

    @property
    def _symbols(self) -> Any:
        if self._symbolizer is None:
            from .symbolize import Symbolizer  # 45 ms that only a failure has to spend
            self._symbolizer = Symbolizer(self._image.path, self._image.symbols)
        return self._symbolizer


def _check(event: CheckFailed) -> Iterator[str]:
    yield f"  {event.file}:{event.line}: {describe_check(event)}"
    if len(event.left_value) + len(event.right_value) > 40:
        yield f"    left     {event.left_value}"
        yield f"    right    {event.right_value}"


def _no_addresses(fault: Fault, registers: Mapping[str, int]) -> Iterator[str]:
    """Most general protection faults come of an address that is none, and it is in a register."""
    if fault.vector != x86.GENERAL_PROTECTION or fault.error:
        return
    found = [f"{name} 0x{value:x}" for name, value in registers.items()
             if not x86.is_canonical(value)]
    if found:
        yield f"             not canonical: {', '.join(found)}"


def _panic(event: Panic) -> Iterator[str]:
    function = f", in {event.function}" if event.function else ""
    place = f" at {event.file}:{event.line}" if event.file else ""
    yield f"  panic      {event.message}{function}{place}"


def _without_runner(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Up to the function of the test; all of them if there is no such border."""
    end = next((index for index, frame in enumerate(frames) if frame.function == RUNNER), 0)
    while end > 0 and frames[end - 1].place.startswith(RUNNER_FOLDER):
        end -= 1
    return frames[:end] or frames


def _remark(event: Event) -> Iterator[str]:
    if isinstance(event, Param) and event.text:
        yield f"  parameter  {event.text}"
    elif isinstance(event, Armed):
        yield f"  armed      {event.file}:{event.line}"
    elif isinstance(event, Console):
        yield f"  console    {event.text}"


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


def _state(registers: str) -> Sequence[str]:
    """Without those of the FPU, which no kernel of this kind dies of."""
    lines = [line.rstrip() for line in registers.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(("FCW", "FPR", "XMM", "YMM", "ZMM"))]


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"  {title}"
    yield from (f"    | {line}" for line in lines)
