# SPDX-License-Identifier: MIT
"""Everything that the user or another program gets to see: terminal, JSON, JUnit, TAP.

The only module that prints. What comes from the guest is not trusted: control characters are
escaped on the terminal and in every format, so that no kernel can forge or garble a report.
"""
from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, IO, Iterator, List, Optional, Sequence, Tuple

from . import exceptions as x86
from .bisection import Conclusion
from .durations import duration_lines
from .elf import Image
from .evidence import Record, Result
from .outcomes import describe_check, describe_outcome
from .model import (Encore, Finding, Frame, Inject, Isolation, Needs, Refusal, Scene, Speed, Test,
                    Trouble, Verdict)
from .protocol import (Armed, Backtrace, Bench, CheckFailed, Event, Fault, Hang, Note, Panic,
                       Param, Registers)
from .rounds import Round, shuffle_words
from .source import source_lines

WIDTH = 100
COLORS = {Verdict.PASS: "32", Verdict.SKIP: "33", Verdict.FAIL: "31", Verdict.ERROR: "35"}
LETTERS = {Verdict.PASS: ".", Verdict.SKIP: "s", Verdict.FAIL: "F", Verdict.ERROR: "E"}
CONSOLE_LINES = 5
INTERRUPT_FLAG = 0x200  # in RFLAGS
JSON_SCHEMA = 1


def clean(text: str) -> str:
    """Untrusted text, made fit for one line: no control characters, no line or page breaks."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


@dataclass(frozen=True)
class Summary:
    """A whole run."""

    results: Tuple[Result, ...]
    planned: int
    boots: int
    seconds: float
    build_id: str = ""
    kernel: str = ""
    is_complete: bool = True  # False: interrupted, or still running
    rounds: Tuple[Round, ...] = ()
    flaky: Tuple[str, ...] = ()  # names of tests that passed in one round and failed in another
    remark: str = ""  # on how the tests were chosen

    @property
    def not_run(self) -> int:
        return self.planned - len(self.results)

    @property
    def counts(self) -> "Counter[Verdict]":
        return Counter(result.verdict for result in self.results)


# --- The failure card -----------------------------------------------------------------------------


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


# --- The terminal ---------------------------------------------------------------------------------


class Terminal:
    def __init__(self, stream: IO[str], is_verbose: bool = False, is_quiet: bool = False) -> None:
        self._stream = stream
        self._is_verbose = is_verbose
        self._is_quiet = is_quiet
        self._has_color = wants_color(stream)
        self._column = 0

    def say(self, text: str, end: str = "\n") -> None:
        if not self._is_quiet:
            print(text, end=end, file=self._stream, flush=True)

    def remark(self, sentence: str) -> None:
        if sentence:
            self.say(clean(sentence))

    def begin(self, tests: Sequence[Test], kernel: str, how: str, order: Sequence[str] = ()
              ) -> None:
        kind = "benchmark" if tests[0].is_bench else "test"
        self.say(" ".join([f"Running {len(tests)} {kind}{'s' * (len(tests) != 1)} of {kernel} "
                           f"({how})", *order]))

    def begin_round(self, number: int, count: Optional[int], how: Sequence[str],
                    order: Sequence[str]) -> None:
        self._new_line()
        words = [f"({', '.join(how)})"] if how else []
        self.say(" ".join([f"Round {number}{f' of {count}' if count else ''}", *words, *order]))

    def benches(self, results: Sequence[Result]) -> None:
        self._new_line()
        for line in bench_lines(results):
            self.say(line)

    def durations(self, results: Sequence[Result], count: int) -> None:
        self._new_line()
        for line in duration_lines(results, count):
            self.say(clean(line))

    def conclude(self, conclusion: Conclusion, command: Sequence[str]) -> None:
        self.say(f"\n{clean(conclusion.sentence)}")
        if conclusion.culprits and conclusion.result is not None:
            tests = [*conclusion.culprits, conclusion.result.test]
            words = [word for test in tests for word in ("--test", test.full_name)]
            self.say(f"  repeat     {shlex.join([*command, *words])}")

    def progress(self, results: Sequence[Result]) -> None:
        for result in results:
            word = self._paint(result.verdict.word, result.verdict)
            if self._is_verbose:
                reason = sentence_of(result)
                self.say(f"{result.test.full_name}... {word}{' (' * bool(reason)}{reason}"
                         f"{')' * bool(reason)}")
            else:
                self._letter(result.verdict)

    def _letter(self, verdict: Verdict) -> None:
        self.say(self._paint(LETTERS[verdict], verdict), end="")
        self._column += 1
        if self._column == WIDTH:
            self._new_line()

    def _new_line(self) -> None:
        if self._column:
            self.say("")
        self._column = 0

    def cards(self, results: Sequence[Result], cards: Cards) -> None:
        self._new_line()
        bad = [result for result in results if result.verdict > Verdict.SKIP]
        for _, group in groupby(bad, key=_what_happened):
            first, *others = group
            head, *body = map(clean, cards.lines(first))
            title = f"{first.verdict.word.upper()} {first.test.full_name}"
            if others:
                title += f" and {len(others)} other{'s' * (len(others) > 1)}"
            self.say(f"\n{self._paint(title, first.verdict)}: {self._stress(head)}")
            for line in body:
                self.say(line)

    def interrupt(self, folders: Sequence[str]) -> None:
        self._new_line()
        if folders:
            self.say(f"Interrupted; what the machine said until then: {' '.join(folders)}")

    def end(self, summary: Summary) -> None:
        self._new_line()
        counts = summary.counts
        parts = [f"{counts[Verdict.PASS]} passed", f"{counts[Verdict.FAIL]} failed"]
        parts += [f"{counts[Verdict.ERROR]} in error"] if counts[Verdict.ERROR] else []
        parts += [f"{counts[Verdict.SKIP]} skipped"] if counts[Verdict.SKIP] else []
        parts += [f"{summary.not_run} not run"] if summary.not_run else []
        boots = f"{summary.boots} boot{'s' * (summary.boots != 1)}"
        if len(summary.rounds) > 1:
            boots += f", {len(summary.rounds)} rounds"
        seeds = {each.seed for each in summary.rounds}
        order = shuffle_words(seeds.pop()) if len(seeds) == 1 else ()
        for name in summary.flaky:
            self.say(f"flaky: {clean(name)} is well in one round and fails in another")
        worst = max(counts, default=Verdict.ERROR if summary.planned else Verdict.SKIP)
        text = " ".join([f"{', '.join(parts)} in {summary.seconds:.2f} s, {boots}", *order])
        self.say(self._paint(("" if summary.is_complete else "Interrupted: ") + text, worst))

    def _paint(self, text: str, verdict: Verdict) -> str:
        return f"\x1b[{COLORS[verdict]}m{text}\x1b[0m" if self._has_color else text

    def _stress(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._has_color else text


def _what_happened(result: Result) -> object:
    """Equal for the tests of a boot that went wrong as a whole, and for those that got none: one
    card explains them all."""
    is_shared = result.is_trouble or result.scene is None
    return (result.finding, result.scene) if is_shared else result


def wants_color(stream: IO[str]) -> bool:
    """On a terminal only, and only where nobody minds (https://no-color.org), unless it is asked
    for (https://force-color.org). Whoever minds has the last word."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    is_dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("CI"))
    return stream.isatty() and not is_dumb


def sentence_of(result: Result) -> str:
    """What was found; of a pass, the fault or panic that came as declared."""
    if result.finding is not None:
        return clean(result.finding.sentence)
    if result.record is not None and not result.record.is_closed:
        return "triple fault"
    for event in result.record.events if result.record else ():
        if isinstance(event, Hang):
            return f"hang: ended after {event.timeout_ms} ms"
        if isinstance(event, Fault):
            where = f", on interrupt stack {event.ist}" if event.ist else ""
            return clean(event.words) + where
        if isinstance(event, Panic):
            return f"panic: {clean(event.message)}"
    return ""


def complain(sentence: str, log: str = "") -> None:
    with contextlib.suppress(OSError):  # behind SIGHUP there may be nobody to tell
        print(f"faultline: {clean(sentence)}", file=sys.stderr)
        for line in log.splitlines():
            print(f"  | {clean(line)}", file=sys.stderr)


def list_tests(tests: Sequence[Test], is_verbose: bool) -> None:
    for test in tests:
        columns = [test.full_name]
        if is_verbose:
            columns += [test.place, describe_outcome(test.outcome), *_attributes(test)]
        print("\t".join(map(clean, columns)))


def _attributes(test: Test) -> Iterator[str]:
    if test.isolation is not Isolation.NONE:
        yield "a boot of its own"
    if test.timeout_ms:
        yield f"{test.timeout_ms} ms"
    if test.speed is not Speed.NORMAL:
        yield test.speed.word
    if test.needs:
        yield f"needs {' and '.join(_needs(test))}"
    if test.inject is not Inject.NONE:
        yield f"gets {test.inject.name.lower().replace('_', ' ')}"
    if test.quirks:
        yield f"{len(test.quirks)} quirk{'s' * (len(test.quirks) > 1)}"
    if test.known_bug is not None:
        yield f"known bug: {test.known_bug}"


def _needs(test: Test) -> List[str]:
    return [str(need.name).lower() for need in Needs if need in test.needs]


# --- Benchmarks -----------------------------------------------------------------------------------


def bench_lines(results: Sequence[Result]) -> Iterator[str]:
    """A table of what was measured, if anything was."""
    rows = [(result.test.full_name, *(f"{value:.3f}" for value in _figures(bench)))
            for result in results if result.record for bench in result.record.all(Bench)]
    if not rows:
        return
    rows.insert(0, ("cycles per turn", "min", "median", "p90", "max"))
    name_width = max(len(row[0]) for row in rows)
    for name, *values in rows:
        yield f"{clean(name):<{name_width}}" + "".join(f"{value:>14}" for value in values)


def _figures(bench: Bench) -> Tuple[float, float, float, float]:
    return bench.minimum, bench.median, bench.p90, bench.maximum


# --- TAP ------------------------------------------------------------------------------------------


def tap_lines(results: Sequence[Result], cards: Cards) -> Iterator[str]:
    """Flat, for Meson: it reads column 0 only, and every line that begins with `ok` counts."""
    yield f"1..{len(results)}"
    for number, result in enumerate(results, 1):
        is_ok = result.verdict <= Verdict.SKIP
        words = f"{'ok' if is_ok else 'not ok'} {number} - {result.test.full_name}"
        if result.verdict is Verdict.SKIP and result.finding is not None:
            words += f" # SKIP {clean(result.finding.sentence)}"
        yield words
        if not is_ok:
            yield from (f"# {clean(line)}" for line in cards.lines(result))


# --- JSON -----------------------------------------------------------------------------------------


def test_data(test: Test) -> Dict[str, Any]:
    outcome = test.outcome
    data: Dict[str, Any] = {
        "name": test.full_name, "suite": test.suite, "test": test.short_name, "file": test.file,
        "line": test.line, "outcome": outcome.kind.name.lower(),
        "declared": describe_outcome(outcome), "isolation": test.isolation.name.lower(),
        "timeout_ms": test.timeout_ms, "proves": list(test.proves), "needs": _needs(test),
        "speed": test.speed.word, "inject": test.inject.name.lower(), "bench": test.is_bench,
        "known_bug": test.known_bug, "parameter": test.index, "quirks": len(test.quirks),
    }
    return data


def result_data(result: Result) -> Dict[str, Any]:
    finding, record, scene = result.finding, result.record, result.scene
    data = test_data(result.test)
    data.update(verdict=result.verdict.word, cause=finding.reason.value if finding else None,
                sentence=sentence_of(result),
                differences=[vars(each) for each in finding.differences] if finding else [])
    data["restart"] = result.restart or None
    if record is not None:
        data.update(_told(record))
        data.update(
            checks_failed=[vars(each) for each in record.all(CheckFailed)],
            faults=[vars(each) for each in record.all(Fault)],
            panics=[vars(each) for each in record.all(Panic)],
            backtraces=[list(each.addresses) for each in record.all(Backtrace)],
            registers=[dict(each.values) for each in record.all(Registers)],
            checks=record.end.checks if record.end else 0,
            cycles=record.end.cycles if record.end else 0,
            stack=record.end.stack if record.end else 0,
            recovery=record.end.recovery if record.end else 0)
    if scene is not None:
        data.update(boot=scene.number, artifacts=scene.folder or None, seed=scene.seed,
                    boot_seconds=round(scene.seconds, 3))
        if scene.encore is not None:
            data["encore"] = {"died": scene.encore.has_died,
                              "exceptions": [vars(each) for each in scene.encore.traps]}
        if result.verdict > Verdict.SKIP:
            data.update(console=scene.console, qemu=scene.log, command=list(scene.command))
    return data


def _told(record: Record) -> Dict[str, Any]:
    """What few tests have to tell."""
    data: Dict[str, Any] = {
        "armed": [vars(each) for each in record.all(Armed)],
        "hangs": [vars(each) for each in record.all(Hang)],
        "notes": [each.text for each in record.all(Note)],
        "interventions": [each.describe() for each in record.interventions],
    }
    for param in record.all(Param):
        data["description"] = param.text
    for bench in record.all(Bench):
        data["measured"] = {"unit": "cycles", "turns": bench.turns, "samples": bench.samples,
                            **dict(zip(("min", "median", "p90", "max"), _figures(bench)))}
    return data


def run_data(summary: Summary) -> Dict[str, Any]:
    return {
        "schema": JSON_SCHEMA,
        "kernel": summary.kernel,
        "build_id": summary.build_id,
        "complete": summary.is_complete,
        "boots": summary.boots,
        "seconds": round(summary.seconds, 3),
        "counts": {verdict.word: summary.counts[verdict] for verdict in Verdict},
        "not_run": summary.not_run,
        "flaky": list(summary.flaky),
        "remark": summary.remark or None,
        "rounds": [{"number": each.number, "seed": each.seed, "seconds": round(each.seconds, 3),
                    "counts": {verdict.word: each.counts[verdict] for verdict in Verdict}}
                   for each in summary.rounds],
        "tests": [result_data(result) for result in summary.results],
    }


def forget_stdout() -> None:
    """Whoever read it is gone: what is left in its buffer must not fail again at the exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_json(data: Any, path: str) -> None:
    import json
    _write(json.dumps(data, indent=2) + "\n", path)


def _write(text: str, path: str) -> None:
    """Whole or not at all: nobody shall read half a report."""
    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    target = Path(path)
    try:
        if target.exists() and not target.is_file():  # a terminal, a pipe: it must stay what it is
            target.write_text(text, encoding="utf-8")
            return
        partial = Path(f"{path}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise Refusal(f"The report {path} cannot be written: {error.strerror}.") from error


# --- JUnit ----------------------------------------------------------------------------------------


def junit_text(summary: Summary, cards: Cards) -> str:
    from xml.etree import ElementTree as xml
    counts = summary.counts
    root = xml.Element("testsuites", name="faultline", tests=str(len(summary.results)),
                       failures=str(counts[Verdict.FAIL]), errors=str(counts[Verdict.ERROR]),
                       skipped=str(counts[Verdict.SKIP]), time=f"{summary.seconds:.3f}")
    suites: Dict[str, List[Result]] = {}
    for result in summary.results:
        suites.setdefault(result.test.suite, []).append(result)
    for name, results in suites.items():
        verdicts = Counter(result.verdict for result in results)
        suite = xml.SubElement(root, "testsuite", name=clean(name), tests=str(len(results)),
                               failures=str(verdicts[Verdict.FAIL]),
                               errors=str(verdicts[Verdict.ERROR]),
                               skipped=str(verdicts[Verdict.SKIP]))
        for result in results:
            _junit_case(xml, suite, result, cards)
    return str(xml.tostring(root, encoding="unicode", xml_declaration=True)) + "\n"


JUNIT_TAGS = {Verdict.SKIP: "skipped", Verdict.FAIL: "failure", Verdict.ERROR: "error"}


def _junit_case(xml: Any, suite: Any, result: Result, cards: Cards) -> None:
    test = result.test
    case = xml.SubElement(suite, "testcase", classname=clean(test.suite),
                          name=clean(test.short_name), file=clean(test.file), line=str(test.line))
    finding = result.finding
    if finding is None:
        return
    child = xml.SubElement(case, JUNIT_TAGS[result.verdict], message=clean(finding.sentence))
    if result.verdict > Verdict.SKIP:
        child.set("type", finding.reason.value)
        child.text = "\n".join(clean(line) for line in cards.lines(result))


def write_junit(summary: Summary, cards: Cards, path: str) -> None:
    _write(junit_text(summary, cards), path)


def print_tap(summary: Summary, cards: Cards) -> None:
    if not summary.planned:
        print(f"1..0 # SKIP {clean(summary.remark)}")
        return
    if summary.remark:
        print(f"# {clean(summary.remark)}")
    for line in tap_lines(summary.results, cards):
        print(line)
    sys.stdout.flush()
