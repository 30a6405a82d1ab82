# SPDX-License-Identifier: MIT
"""The stream of docs/protocol.md: bytes in, events out.

The grammar is a tree of generators, one a rule, each of which takes its lines by `yield`. The
first line that does not fit ends the parse with the event Broken, which names the trouble; what
follows is not looked at. The parser knows nothing of the tests that should come: judge.py does.
"""
from __future__ import annotations

import re
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Callable, Generator, List, Mapping, Optional, Tuple, Union

from .model import Trouble, Verdict

PROTOCOL_VERSION = "2"
LINE_BYTES = 1024
PER_TEST = 20  # so many checks, notes and the like a test may report in each run, of each kind
RERUNS = 10_001  # of one test

KTAP = "KTAP version 1"
NAME = r"[A-Za-z0-9_]+"
METADATA = re.compile(r"( *)#:ktest_([a-z]+)((?: [a-z0-9_]+=[!-~]*)*)")
SUBTEST = re.compile(rf"    # Subtest: ({NAME})")
TEST_NAME = re.compile(rf"({NAME})\.({NAME}(?:/[0-9]+)?)")
POINT = re.compile(r"( *)(ok|not ok) ([1-9][0-9]*) ([A-Za-z0-9_/]+)(?: # SKIP(?: (.*))?)?")
PLAN = re.compile(r"( *)1\.\.(0|[1-9][0-9]*)")
NUMBER = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,15})|0|[1-9][0-9]{0,19}")
DECIMAL = re.compile(r"(0|[1-9][0-9]{0,18})\.[0-9]{3}")
NO_UTF8 = re.compile(r"\\x[0-9a-f]{2}")
ESCAPE = re.compile(rb"%([0-9A-F]{2})")

KEYS: Mapping[str, Tuple[str, ...]] = {
    "error": ("reason",),
    "run": ("protocol", "nonce", "build_id", "tests", "selected", "seed"),
    "begin": ("test",),
    "param": ("text",),
    "armed": ("file", "line"),
    "check": ("kind", "file", "line", "left", "right", "relation", "left_value", "right_value",
              "message"),
    "fault": ("vector", "error", "rip", "cs", "rflags", "rsp", "ss", "cr2", "ist", "words"),
    "panic": ("message", "file", "line", "function"),
    "hang": ("timeout_ms", "rip", "rsp", "rflags"),
    "backtrace": ("pcs",),
    "rerun": ("test", "nth"),
    "denied": ("nth", "caller"),
    "swept": ("test", "runs", "asked"),
    "note": ("text",),
    "console": ("text",),
    "bench": ("turns", "samples", "min", "median", "p90", "max"),
    "end": ("test", "verdict", "checks", "cycles", "stack", "recovery", "reason"),
    "order": ("text", "known"),
    "restart": ("reason",),
    "totals": ("tests", "pass", "skip", "fail", "error", "stopped", "lines", "crc32"),
}


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """The kernel could not begin the run."""

    reason: str


@dataclass(frozen=True)
class RunBegan:
    nonce: str
    build_id: str
    registered: int
    selected: int
    seed: Optional[int] = None


@dataclass(frozen=True)
class Planned:
    suites: int


@dataclass(frozen=True)
class SuiteBegan:
    suite: str
    tests: int


@dataclass(frozen=True)
class TestBegan:
    __test__ = False
    name: str


@dataclass(frozen=True)
class Param:
    """What a test's parameter stands for."""

    text: str


@dataclass(frozen=True)
class Armed:
    """What comes next is the end that the test declares."""

    file: str
    line: int


@dataclass(frozen=True)
class CheckFailed:
    kind: str
    file: str
    line: int
    left: str
    right: str
    relation: str
    left_value: str
    right_value: str
    message: str


@dataclass(frozen=True)
class Fault:
    vector: int
    error: int
    rip: int
    cs: int
    rflags: int
    rsp: int
    ss: int
    cr2: int
    ist: int
    words: str


@dataclass(frozen=True)
class Panic:
    message: str
    file: str
    line: int
    function: str


@dataclass(frozen=True)
class Hang:
    """The kernel's own watchdog has ended the test."""

    timeout_ms: int
    rip: int
    rsp: int
    rflags: int


@dataclass(frozen=True)
class Registers:
    values: Mapping[str, int]


@dataclass(frozen=True)
class Backtrace:
    addresses: Tuple[int, ...]


@dataclass(frozen=True)
class Rerun:
    """The test begins once more, and its nth allocation has to fail."""

    name: str
    nth: int


@dataclass(frozen=True)
class Denied:
    """That allocation fails now; the call that asked for it returns to `caller`."""

    nth: int
    caller: int


@dataclass(frozen=True)
class Swept:
    """All of a test's runs went well."""

    name: str
    runs: int
    asked: int  # how many allocations the last run asked for


@dataclass(frozen=True)
class Note:
    text: str


@dataclass(frozen=True)
class Console:
    """A line of what the kernel said on its console while the test ran, its end if it is long."""

    text: str


@dataclass(frozen=True)
class Bench:
    """What a benchmark measured, in cycles per turn."""

    turns: int
    samples: int
    minimum: float
    median: float
    p90: float
    maximum: float


@dataclass(frozen=True)
class TestEnded:
    __test__ = False
    name: str
    verdict: Verdict
    checks: int
    cycles: int
    stack: int  # bytes of it that the test used
    recovery: int  # cycles from a panic, fault or hang until the kernel could go on; 0: none came
    reason: str


@dataclass(frozen=True)
class TestClosed:
    """The KTAP line of a test: from here on nothing belongs to it."""

    __test__ = False
    name: str


@dataclass(frozen=True)
class SuiteEnded:
    suite: str


@dataclass(frozen=True)
class OrderAnswered:
    text: str
    is_known: bool


@dataclass(frozen=True)
class Restart:
    """The kernel doesn't trust itself any more: the tests that are left need another boot."""

    reason: str


@dataclass(frozen=True)
class Totals:
    counts: Mapping[Verdict, int]
    is_stopped: bool


@dataclass(frozen=True)
class Broken:
    trouble: Trouble
    sentence: str
    line: int
    text: str


Event = Union[Refused, RunBegan, Planned, SuiteBegan, TestBegan, Param, Armed, CheckFailed, Fault,
              Panic, Hang, Registers, Backtrace, Rerun, Denied, Swept, Note, Console, Bench,
              TestEnded, TestClosed, SuiteEnded, OrderAnswered, Restart, Totals, Broken]


# --- Words of a line ------------------------------------------------------------------------------


class Violation(Exception):
    """A line that does not fit; Parser.feed() turns it into the event Broken."""

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.trouble = trouble
        self.sentence = sentence


@dataclass(frozen=True)
class Metadata:
    indent: int
    kind: str
    values: Mapping[str, str]

    def number(self, key: str) -> int:
        text = self.values[key]
        if not NUMBER.fullmatch(text) or int(text, 0) >= 1 << 64:
            raise Violation(Trouble.GARBAGE, f"{self.kind}: {key} is not a number")
        return int(text, 0)

    def decimal(self, key: str) -> float:
        if not DECIMAL.fullmatch(self.values[key]):
            raise Violation(Trouble.GARBAGE, f"{self.kind}: {key} has not three decimals")
        return float(self.values[key])

    def one_of(self, key: str, *choices: str) -> str:
        text = self.values[key]
        if text not in choices:
            raise Violation(Trouble.GARBAGE, f"{self.kind}: {key} is none of {', '.join(choices)}")
        return text


def decode_value(text: str) -> str:
    """Undoes %XX. Bytes that are not UTF-8 come out as backslash escapes."""
    if "%" not in text:
        return text
    encoded = text.encode("ascii")
    if b"%" in ESCAPE.sub(b"", encoded):
        raise Violation(Trouble.GARBAGE, "a percent sign does not begin an escape")
    if any(0x21 <= int(byte, 16) <= 0x7E and byte != b"25" for byte in ESCAPE.findall(encoded)):
        raise Violation(Trouble.GARBAGE, "a byte is escaped that needs no escape")
    raw = ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), encoded)
    return raw.decode("utf-8", "backslashreplace")


def parse_metadata(line: str) -> Optional[Metadata]:
    """The line's words, if it is a whole metadata line."""
    match = METADATA.fullmatch(line)
    if match is None:
        return None
    pairs = [word.partition("=") for word in match[3].split()]
    values = {key: decode_value(value) for key, _, value in pairs}
    kind = match[2]
    if kind == "registers":
        is_whole = len(values) == len(pairs)
    else:
        is_whole = tuple(key for key, _, _ in pairs) == KEYS.get(kind)
    return Metadata(len(match[1]), kind, values) if is_whole else None


def _check(words: Metadata) -> CheckFailed:
    values = words.values
    words.one_of("kind", "expect", "assert")
    words.one_of("relation", "==", "!=", "<", "<=", ">", ">=", "")
    return CheckFailed(values["kind"], values["file"], words.number("line"), values["left"],
                       values["right"], values["relation"], values["left_value"],
                       values["right_value"], values["message"])


def _fault(words: Metadata) -> Fault:
    number = words.number
    return Fault(number("vector"), number("error"), number("rip"), number("cs"), number("rflags"),
                 number("rsp"), number("ss"), number("cr2"), number("ist"), words.values["words"])


def _panic(words: Metadata) -> Panic:
    values = words.values
    return Panic(values["message"], values["file"], words.number("line"), values["function"])


def _registers(words: Metadata) -> Registers:
    return Registers({key: words.number(key) for key in words.values})


def _backtrace(words: Metadata) -> Backtrace:
    texts = [text for text in words.values["pcs"].split(",") if text]
    if not all(NUMBER.fullmatch(text) for text in texts):
        raise Violation(Trouble.GARBAGE, "backtrace: pcs are not numbers")
    return Backtrace(tuple(int(text, 0) for text in texts))


def _armed(words: Metadata) -> Armed:
    return Armed(words.values["file"], words.number("line"))


def _hang(words: Metadata) -> Hang:
    number = words.number
    return Hang(number("timeout_ms"), number("rip"), number("rsp"), number("rflags"))


def _note(words: Metadata) -> Note:
    return Note(words.values["text"])


def _console(words: Metadata) -> Console:
    return Console(words.values["text"])


def _bench(words: Metadata) -> Bench:
    bench = Bench(words.number("turns"), words.number("samples"), words.decimal("min"),
                  words.decimal("median"), words.decimal("p90"), words.decimal("max"))
    if not bench.minimum <= bench.median <= bench.p90 <= bench.maximum:
        raise Violation(Trouble.CONTRADICTION, "the figures of a benchmark do not ascend")
    if not bench.turns or not bench.samples:
        raise Violation(Trouble.CONTRADICTION, "a benchmark measured nothing")
    return bench


# What a test may report between its begin and its end.
OBSERVATIONS: Mapping[str, Callable[[Metadata], Event]] = {
    "armed": _armed, "check": _check, "fault": _fault, "panic": _panic, "hang": _hang,
    "note": _note, "console": _console, "bench": _bench}
TRAPS = ("fault", "panic", "hang")  # the CPU's state follows these; they may come outside, too


class Runs:
    """Which runs of one test have begun, and how they may go on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._nth = 0  # of the run that is under way; 0: no allocation has to fail in it
        self._was_denied = True
        self._is_over = False

    def take(self, words: Metadata) -> Union[Rerun, Denied, Swept]:
        if self._is_over:
            raise Violation(Trouble.DISORDER, f"all runs of {self._name} were over")
        if words.kind == "denied":
            return self._denied(words.number("nth"), words.number("caller"))
        if words.values["test"] != self._name:
            raise Violation(Trouble.DISORDER, f"{self._name} began, but this is of another test")
        if words.kind == "swept":
            return self._swept(words.number("runs"), words.number("asked"))
        return self._rerun(words.number("nth"))

    def _rerun(self, nth: int) -> Rerun:
        if not nth or (self._nth and nth != self._nth + 1):
            raise Violation(Trouble.NUMBERING, f"{self._name} runs again with allocation {nth} "
                                               f"failing instead of {self._nth + 1}")
        if not self._was_denied:
            raise Violation(Trouble.DISORDER, f"{self._name} runs again, though no allocation had "
                                              "failed")
        self._count += 1
        if self._count > RERUNS:
            raise Violation(Trouble.FLOOD, f"{self._name} runs more than {RERUNS:,} times")
        self._nth, self._was_denied = nth, False
        return Rerun(self._name, nth)

    def _denied(self, nth: int, caller: int) -> Denied:
        if not self._nth or self._was_denied:
            raise Violation(Trouble.DISORDER, f"an allocation of {self._name} fails that does not "
                                              "have to")
        if nth != self._nth:
            raise Violation(Trouble.NUMBERING, f"allocation {nth} of {self._name} fails instead of "
                                               f"{self._nth}")
        self._was_denied = True
        return Denied(nth, caller)

    def _swept(self, runs: int, asked: int) -> Swept:
        is_enough = asked >= self._nth if self._nth and self._was_denied else asked <= max(
            self._nth - 1, 0)
        if runs != self._count or not is_enough:
            raise Violation(Trouble.CONTRADICTION, f"{self._name} ran again in another way than "
                                                   "its kernel says")
        self._is_over = True
        return Swept(self._name, runs, asked)


SWEEP = ("rerun", "denied", "swept")


# --- The grammar ----------------------------------------------------------------------------------


class Parser:
    """Takes the stream in pieces of any size. `max_bytes` bounds the whole of it."""

    def __init__(self, max_bytes: int = 1 << 24) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lines = 0
        self._crc = 0
        self._partial = b""
        self._pushed_back: Optional[str] = None
        self._is_stopping = False
        self._is_over = False  # nothing but the totals may come
        self._has_run = False
        self._events: List[Event] = []
        self._broken: Optional[Broken] = None
        self._grammar = self._stream()
        next(self._grammar)

    @property
    def is_broken(self) -> bool:
        return self._broken is not None

    @property
    def is_cut(self) -> bool:
        """The stream stands in the middle of a line."""
        return bool(self._partial)

    def feed(self, data: bytes) -> List[Event]:
        """The events that these bytes complete. After Broken there are no more."""
        if self._broken:
            return []
        self._bytes += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._partial) > LINE_BYTES:
            self._break(Trouble.LINE_TOO_LONG, f"a line is longer than {LINE_BYTES} bytes",
                        self._partial)
        if self._bytes > self._max_bytes:
            self._break(Trouble.FLOOD, f"more than {self._max_bytes:,} bytes", b"")
        events = list(self._events)
        self._events.clear()
        return events

    def _take(self, raw: bytes) -> None:
        if self._broken:
            return
        try:
            self._grammar.send(_text(raw))
        except Violation as violation:
            self._break(violation.trouble, violation.sentence, raw)
        self._crc = zlib.crc32(raw + b"\n", self._crc)
        self._lines += 1

    def _break(self, trouble: Trouble, sentence: str, raw: bytes) -> None:
        if self._broken is None:
            text = raw[:200].decode("ascii", "backslashreplace")
            self._broken = Broken(trouble, sentence, self._lines + 1, text)
            self._events.append(self._broken)

    # Each rule is a generator: it is sent lines, and returns what later rules need to know.

    def _stream(self) -> Generator[None, str, None]:
        line = yield from self._line()
        words = parse_metadata(line)
        if words is not None and words.kind == "error":
            self._events.append(Refused(words.values["reason"]))
        else:
            self._pushed_back = line
            yield from self._report()
        while True:
            yield
            raise Violation(Trouble.AFTER_TOTALS, "there is a line behind the end of the stream")

    def _report(self) -> Generator[None, str, None]:
        yield from self._literal(KTAP)
        yield from self._run()
        suites = yield from self._plan(0)
        self._events.append(Planned(suites))
        for number in range(1, suites + 1):
            if (yield from self._is_stopped()):
                break
            yield from self._suite(number)
        yield from self._totals()

    def _run(self) -> Generator[None, str, None]:
        words = yield from self._metadata("run", 0)
        protocol = words.values["protocol"]
        if protocol != PROTOCOL_VERSION:
            raise Violation(Trouble.WRONG_PROTOCOL,
                            f"the kernel speaks protocol {protocol}, not {PROTOCOL_VERSION}")
        seed = None if words.values["seed"] == "none" else words.number("seed")
        self._events.append(RunBegan(words.values["nonce"], words.values["build_id"],
                                     words.number("tests"), words.number("selected"), seed))

    def _suite(self, number: int) -> Generator[None, str, None]:
        yield from self._literal("    " + KTAP, Trouble.PLAN)
        line = yield from self._line()
        match = SUBTEST.fullmatch(line)
        if match is None:
            raise _misplaced(line, "the name of a suite")
        suite = match[1]
        tests = yield from self._plan(4)
        self._events.append(SuiteBegan(suite, tests))
        verdict = yield from self._tests(suite, tests)
        if verdict is not None:
            yield from self._point(0, number, suite, verdict <= Verdict.SKIP, False)
            self._events.append(SuiteEnded(suite))

    def _tests(self, suite: str, count: int) -> Generator[None, str, Optional[Verdict]]:
        """The worst verdict; None if the run ends here, by an order or for another boot."""
        worst = Verdict.PASS
        for number in range(1, count + 1):
            if (yield from self._is_stopped()):
                return None
            worst = max(worst, (yield from self._test(suite, number)))
        return None if (yield from self._is_restarting()) else worst

    def _test(self, suite: str, number: int) -> Generator[None, str, Verdict]:
        words = yield from self._metadata("begin", 4, Trouble.PLAN)
        match = TEST_NAME.fullmatch(words.values["test"])
        if match is None or match[1] != suite:
            raise Violation(Trouble.DISORDER, f"this test is none of the suite {suite}")
        self._events.append(TestBegan(match[0]))
        if "/" in match[2]:
            yield from self._param(match[0])
        end = yield from self._body(match[0])
        line = yield from self._point(4, number, match[2], end.verdict <= Verdict.SKIP,
                                      end.verdict == Verdict.SKIP)
        if end.verdict == Verdict.SKIP and not _says_why(line, end.reason):
            raise Violation(Trouble.CONTRADICTION,
                            f"the KTAP line of {match[0]} has another reason than its end")
        self._events.append(TestClosed(match[0]))
        self._has_run = True
        return end.verdict

    def _param(self, name: str) -> Generator[None, str, None]:
        line = yield
        words = parse_metadata(line)
        if words is None or words.kind != "param" or words.indent != 4:
            raise _misplaced(line, f"the parameter of {name}")
        self._events.append(Param(words.values["text"]))

    def _body(self, name: str) -> Generator[None, str, TestEnded]:
        counts: "Counter[str]" = Counter()
        runs = Runs(name)
        while True:
            line = yield from self._comments()
            words = parse_metadata(line)
            if words is None or words.indent != 4:
                raise _misplaced(line, f"more of {name}, or its end")
            if words.kind == "end":
                return self._end(words, name)
            if words.kind in SWEEP:
                self._events.append(runs.take(words))
                counts.clear()
                continue
            if words.kind not in OBSERVATIONS:
                raise _misplaced(line, f"more of {name}, or its end")
            counts[words.kind] += 1
            if counts[words.kind] > PER_TEST:
                raise Violation(Trouble.FLOOD,
                                f"{name} writes more than {PER_TEST} {words.kind} lines")
            yield from self._observation(words)

    def _observation(self, words: Metadata) -> Generator[None, str, None]:
        self._events.append(OBSERVATIONS[words.kind](words))
        if words.kind in TRAPS:
            registers = yield from self._metadata("registers", words.indent)
            self._events.append(_registers(registers))
            backtrace = yield from self._metadata("backtrace", words.indent)
            self._events.append(_backtrace(backtrace))

    def _end(self, words: Metadata, name: str) -> TestEnded:
        if words.values["test"] != name:
            raise Violation(Trouble.DISORDER, f"{name} began, but another test ends")
        verdict = Verdict[words.one_of("verdict", "pass", "skip", "fail", "error").upper()]
        reason = words.values["reason"]
        if bool(reason) == (verdict == Verdict.PASS):
            raise Violation(Trouble.GARBAGE, "a reason belongs to everything but a pass")
        end = TestEnded(name, verdict, words.number("checks"), words.number("cycles"),
                        words.number("stack"), words.number("recovery"), reason)
        self._events.append(end)
        return end

    def _point(self, indent: int, number: int, name: str, is_ok: bool, is_skip: bool
               ) -> Generator[None, str, str]:
        line = yield from self._line()
        match = POINT.fullmatch(line)
        if match is None or len(match[1]) != indent:
            raise _misplaced(line, f"the KTAP line of {name}",
                             Trouble.DISORDER if indent else Trouble.PLAN)
        if int(match[3]) != number:
            raise Violation(Trouble.NUMBERING, f"the KTAP line of {name} has the number {match[3]}"
                                               f" instead of {number}")
        if match[4] != name:
            raise Violation(Trouble.DISORDER, f"the KTAP line is not that of {name}")
        if (match[2] == "ok") != is_ok or (" # SKIP" in line) != is_skip:
            raise Violation(Trouble.CONTRADICTION,
                            f"the KTAP line of {name} and the verdicts before it disagree")
        return line

    def _plan(self, indent: int) -> Generator[None, str, int]:
        line = yield from self._line()
        match = PLAN.fullmatch(line)
        if match is None or len(match[1]) != indent or len(match[2]) > 9:
            raise _misplaced(line, "a plan")
        return int(match[2])

    def _totals(self) -> Generator[None, str, None]:
        words = yield from self._metadata("totals", 0, Trouble.PLAN)
        counts = {verdict: words.number(verdict.word) for verdict in Verdict}
        is_stopped = words.one_of("stopped", "0", "1") == "1"
        if words.number("lines") != self._lines:
            raise Violation(Trouble.LINE_COUNT, f"the kernel wrote {words.number('lines')} lines, "
                                                f"but {self._lines} arrived")
        if words.number("crc32") != self._crc:
            raise Violation(Trouble.CHECKSUM, "the checksum is not that of what arrived")
        if words.number("tests") != sum(counts.values()):
            raise Violation(Trouble.TOTALS, "the totals do not add up")
        if is_stopped != self._is_stopping:
            raise Violation(Trouble.CONTRADICTION,
                            "the totals disagree with what came before them on whether the run "
                            "was told to stop, or has to restart")
        self._events.append(Totals(counts, is_stopped))

    def _is_stopped(self) -> Generator[None, str, bool]:
        """Looks ahead: with an order to stop, or a restart, the totals may come at once."""
        if (yield from self._is_restarting()):
            return True
        line = yield from self._line()
        self._pushed_back = line
        return self._is_stopping and line.startswith("#:ktest_totals ")

    def _is_restarting(self) -> Generator[None, str, bool]:
        """Looks ahead. Without a test that has run, every boot would only ask for the next."""
        if self._is_over:
            return True
        line = yield from self._line()
        words = parse_metadata(line)
        if words is None or words.kind != "restart" or words.indent:
            self._pushed_back = line
            return False
        if not self._has_run:
            raise Violation(Trouble.DISORDER, "the kernel asks for another boot before any test")
        self._events.append(Restart(words.values["reason"]))
        self._is_stopping = self._is_over = True
        return True

    # --- Terminals --------------------------------------------------------------------------------

    # `otherwise` names the trouble when a line that is well formed stands in this place.

    def _literal(self, text: str, otherwise: Trouble = Trouble.DISORDER
                 ) -> Generator[None, str, None]:
        line = yield from self._line()
        if line != text:
            raise _misplaced(line, f"“{text.strip()}”", otherwise)

    def _metadata(self, kind: str, indent: int, otherwise: Trouble = Trouble.DISORDER
                  ) -> Generator[None, str, Metadata]:
        line = yield from self._line()
        words = parse_metadata(line)
        if words is None or words.kind != kind or words.indent != indent:
            raise _misplaced(line, f"#:ktest_{kind}", otherwise)
        return words

    def _line(self) -> Generator[None, str, str]:
        """The next line outside of a test's body, where orders and a panic may stand as well."""
        while True:
            line = yield from self._comments()
            words = parse_metadata(line)
            if words is None:
                return line
            if words.kind == "order":
                self._order(words)
            elif words.kind in TRAPS:
                yield from self._observation(words)
            else:
                return line

    def _comments(self) -> Generator[None, str, str]:
        """The next line that is no comment. Subtest comments are part of the grammar."""
        if self._pushed_back is not None:
            line, self._pushed_back = self._pushed_back, None
            return line
        while True:
            line = yield
            if not line.lstrip(" ").startswith("# ") or SUBTEST.fullmatch(line):
                return line

    def _order(self, words: Metadata) -> None:
        is_known = words.one_of("known", "yes", "no") == "yes"
        self._is_stopping |= is_known and words.values["text"] == "stop"
        self._events.append(OrderAnswered(words.values["text"], is_known))


def _text(raw: bytes) -> str:
    if len(raw) > LINE_BYTES:
        raise Violation(Trouble.LINE_TOO_LONG, f"a line is longer than {LINE_BYTES} bytes")
    bad = next((byte for byte in raw if not 0x20 <= byte <= 0x7E), None)
    if bad is None:
        return raw.decode("ascii")
    if bad >= 0x80:
        raise Violation(Trouble.NOT_ASCII, f"the byte 0x{bad:02x} is not ASCII")
    raise Violation(Trouble.CONTROL_CHARACTER, f"0x{bad:02x} is a control character")


def _says_why(line: str, reason: str) -> bool:
    """Both may be cut short, which shows. A byte that is no ASCII is a question mark in the line,
    and one that is no UTF-8 four characters in the reason."""
    if reason.endswith("...") or line.endswith("..."):
        return True
    shown = "".join(chr(byte) if 0x20 <= byte <= 0x7E else "?" for byte in reason.encode())
    return line.endswith((f" # SKIP {shown}", f" # SKIP {NO_UTF8.sub('?', shown)}"))


def _misplaced(line: str, wanted: str, otherwise: Trouble = Trouble.DISORDER) -> Violation:
    """The name for a line that stands where `wanted` should; `otherwise` if it is well formed."""
    words = parse_metadata(line)
    if line == KTAP:
        return Violation(Trouble.SECOND_HEADER, "the stream begins a second time")
    structure = line.strip() == KTAP or SUBTEST.fullmatch(line) or POINT.fullmatch(line)
    if words is not None or structure:
        return Violation(otherwise, f"expected {wanted}")
    if PLAN.fullmatch(line):
        return Violation(Trouble.PLAN, f"expected {wanted}, but here is a plan")
    return Violation(Trouble.GARBAGE, f"expected {wanted}")
