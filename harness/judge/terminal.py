# SPDX-License-Identifier: MIT
"""What people get to see: progress, cards, tables, the last line."""
from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
from typing import IO, Dict, Iterator, Optional, Sequence

from . import exceptions as x86, github
from .bisection import Conclusion
from .card import Cards
from .durations import duration_lines
from .evidence import Result
from .model import Inject, Isolation, Speed, Test, Verdict
from .outcomes import describe_outcome
from .protocol import Bench
from .rounds import shuffle_words
from .summary import Summary, clean, failures, figures_of, names_of_needs, sentence_of

WIDTH = 100
KEPT_LINES = 10
COLORS = {Verdict.PASS: "32", Verdict.SKIP: "33", Verdict.FAIL: "31", Verdict.ERROR: "35"}
LETTERS = {Verdict.PASS: ".", Verdict.SKIP: "s", Verdict.FAIL: "F", Verdict.ERROR: "E"}


class Terminal:
    """`is_github`: the stream becomes a log of GitHub Actions, where lines may be commands."""

    def __init__(self, stream: IO[str], is_verbose: bool = False, is_quiet: bool = False,
                 is_github: bool = False) -> None:
        self._stream = stream
        self._is_verbose = is_verbose
        self._is_quiet = is_quiet
        self._is_github = is_github
        self._has_color = wants_color(stream)
        self._has_count = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._width = WIDTH
        self._column = self._done = self._expected = 0

    def say(self, text: str, end: str = "\n") -> None:
        if not self._is_quiet:
            print(github.defuse(text) if self._is_github else text, end=end, file=self._stream,
                  flush=True)

    @contextlib.contextmanager
    def without_commands(self) -> Iterator[None]:
        """For as long as a kernel may have a say."""
        if not self._is_github:
            yield
            return
        token = github.new_token()
        self._command(github.stop_commands(token))
        try:
            yield
        finally:
            self._new_line()
            self._command(github.resume_commands(token))

    def annotations(self, results: Sequence[Result]) -> None:
        for line in github.annotation_lines(results) if self._is_github else ():
            self._command(line)

    def _command(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

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

    def expect(self, count: int) -> None:
        """So many results will come; only those who look on want to see how far it is."""
        self._done, self._expected = 0, count
        if self._has_count:
            self._width = max(1, min(WIDTH, shutil.get_terminal_size().columns - len(self._count)))

    @property
    def _count(self) -> str:
        return f" [{self._done:>{len(str(self._expected))}}/{self._expected}]"

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
        if conclusion.selecting:
            self.say(f"  repeat     {shlex.join([*command, *conclusion.selecting])}")

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
        self._done += 1
        if self._column == self._width:
            self._new_line()

    def _new_line(self) -> None:
        if self._column:
            self.say(f"{'':{self._width - self._column}}{self._count}" if self._has_count else "")
        self._column = 0

    def cards(self, results: Sequence[Result], cards: Cards) -> None:
        self._new_line()
        for failure in failures(results):
            head, *body = map(clean, cards.lines(failure.result))
            title = self._paint(failure.title, failure.result.verdict)
            self.say(f"\n{title}: {self._stress(head)}")
            for line in body:
                self.say(line)

    def kept(self, results: Sequence[Result]) -> None:
        """The folders of good boots; the others stand on their cards."""
        verdicts: Dict[str, Verdict] = {}
        for result in results:
            if result.scene is not None and result.scene.folder:
                known = verdicts.get(result.scene.folder, Verdict.PASS)
                verdicts[result.scene.folder] = max(known, result.verdict)
        good = [folder for folder, worst in verdicts.items() if worst <= Verdict.SKIP]
        for folder in good[:KEPT_LINES]:
            self.say(f"kept       {clean(folder)}")
        if len(good) > KEPT_LINES:
            self.say(f"           and {len(good) - KEPT_LINES} more beside them")

    def interrupt(self, folders: Sequence[str]) -> None:
        self._new_line()
        if folders:
            self.say(f"Interrupted; what the machine said until then: {' '.join(folders)}")

    def end(self, summary: Summary) -> None:
        self._new_line()
        boots = f"{summary.boots} boot{'s' * (summary.boots != 1)}"
        if len(summary.rounds) > 1:
            boots += f", {len(summary.rounds)} rounds"
        seeds = {each.seed for each in summary.rounds}
        order = shuffle_words(seeds.pop()) if len(seeds) == 1 else ()
        for name in summary.flaky:
            self.say(f"flaky: {clean(name)} is well in one round and fails in another")
        worst = max(summary.counts, default=Verdict.ERROR if summary.planned else Verdict.SKIP)
        text = " ".join([f"{summary.counts_in_words} in {summary.seconds:.2f} s, {boots}", *order])
        text += f"; not checked: {', '.join(summary.unchecked)}" if summary.unchecked else ""
        self.say(self._paint(("" if summary.is_complete else "Interrupted: ") + text, worst))

    def _paint(self, text: str, verdict: Verdict) -> str:
        return f"\x1b[{COLORS[verdict]}m{text}\x1b[0m" if self._has_color else text

    def _stress(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._has_color else text


def open_what_is_closed() -> None:
    """Whoever has closed the standard output, or error, does not want to read it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def wants_color(stream: IO[str]) -> bool:
    """On a terminal only, and only where nobody minds (https://no-color.org), unless it is asked
    for (https://force-color.org). Whoever minds has the last word."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    is_dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("CI"))
    return stream.isatty() and not is_dumb


def say(text: str) -> None:
    print(text, flush=True)


def complain(sentence: str, log: str = "") -> None:
    with contextlib.suppress(OSError):  # behind SIGHUP there may be nobody to tell
        print(f"faultline: {clean(sentence)}", file=sys.stderr)
        for line in log.splitlines():
            print(f"  | {clean(line)}", file=sys.stderr)


def speak_any_encoding() -> None:
    """Characters that the user's encoding lacks come as escapes; a guest may print any."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def forget_stdout() -> None:
    """Whoever read it is gone: what is left in its buffer must not fail again at the exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def list_tests(tests: Sequence[Test], is_verbose: bool) -> None:
    for test in tests:
        columns = [test.full_name]
        if is_verbose:
            columns += [test.place, describe_outcome(test.outcome), *_attributes(test)]
        print("\t".join(map(clean, columns)))


def _attributes(test: Test) -> Iterator[str]:
    outcome = test.outcome
    if outcome.error or outcome.mask:
        bits = f", of which the bits 0x{outcome.mask:x} count" if outcome.mask else ""
        yield f"error code {x86.describe_error(outcome.vector, outcome.error)}{bits}"
    if test.isolation is not Isolation.NONE:
        yield "a boot of its own"
    if test.timeout_ms:
        yield f"{test.timeout_ms} ms"
    if test.speed is not Speed.NORMAL:
        yield test.speed.word
    if test.needs:
        yield f"needs {' and '.join(names_of_needs(test))}"
    if test.inject is not Inject.NONE:
        yield f"gets {test.inject.name.lower().replace('_', ' ')}"
    if test.fail_nth:
        yield f"each of up to {test.fail_nth} allocations fails once"
    if test.quirks:
        yield f"{len(test.quirks)} quirk{'s' * (len(test.quirks) > 1)}"
    if test.known_bug is not None:
        yield f"known bug: {test.known_bug}"
    if test.proves:
        yield f"proves {' '.join(test.proves)}"


def bench_lines(results: Sequence[Result]) -> Iterator[str]:
    """A table of what was measured, if anything was."""
    rows = [(result.test.full_name, *(f"{value:.3f}" for value in figures_of(bench)))
            for result in results if result.record for bench in result.record.all(Bench)]
    if not rows:
        return
    rows.insert(0, ("cycles per turn", "min", "median", "p90", "max"))
    name_width = max(len(row[0]) for row in rows)
    for name, *values in rows:
        yield f"{clean(name):<{name_width}}" + "".join(f"{value:>14}" for value in values)
