# SPDX-License-Identifier: MIT
"""What there is to tell of a whole run, and how it is put into words.

What comes from the guest is not trusted: control characters are escaped on the terminal and in
every format, so that no kernel can forge or garble a report.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import List, Sequence, Tuple

from .evidence import Result
from .model import Needs, Test, Verdict
from .protocol import Bench, Fault, Hang, Panic
from .rounds import Round
from .sweep import describe_sweep


LINE_CHARACTERS = 4000  # a kernel may fill megabytes without a line break


def clean(text: str) -> str:
    """Untrusted text, made fit for one line: no control characters, no line or page breaks."""
    return cut("".join(each if each.isprintable() else ascii(each)[1:-1]
                       for each in text[:LINE_CHARACTERS + 1]))


def cut(line: str) -> str:
    return line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS - 3]}..."


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
    unchecked: Tuple[str, ...] = ()  # what nobody could see of the run

    @property
    def not_run(self) -> int:
        return self.planned - len(self.results)

    @property
    def counts(self) -> "Counter[Verdict]":
        return Counter(result.verdict for result in self.results)

    @property
    def counts_in_words(self) -> str:
        counts = self.counts
        parts = [f"{counts[Verdict.PASS]} passed", f"{counts[Verdict.FAIL]} failed"]
        parts += [f"{counts[Verdict.ERROR]} in error"] if counts[Verdict.ERROR] else []
        parts += [f"{counts[Verdict.SKIP]} skipped"] if counts[Verdict.SKIP] else []
        parts += [f"{self.not_run} not run"] if self.not_run else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Failure:
    """What one card explains: a test that failed, or all that share its fate."""

    result: Result
    others: int = 0

    @property
    def title(self) -> str:
        more = f" and {self.others} other{'s' * (self.others > 1)}" if self.others else ""
        return clean(f"{self.result.verdict.word.upper()} {self.result.test.full_name}") + more


def failures(results: Sequence[Result]) -> List[Failure]:
    bad = [result for result in results if result.verdict > Verdict.SKIP]
    groups = (list(group) for _, group in groupby(bad, key=_what_happened))
    return [Failure(group[0], len(group) - 1) for group in groups]


def _what_happened(result: Result) -> object:
    """Equal for the tests of a boot that went wrong as a whole, and for those that got none: one
    card explains them all."""
    is_shared = result.is_trouble or result.scene is None
    return (result.finding, result.scene) if is_shared else result


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
    return describe_sweep(result.record) if result.record else ""


def names_of_needs(test: Test) -> List[str]:
    return [str(need.name).lower() for need in Needs if need in test.needs]


def figures_of(bench: Bench) -> Tuple[float, float, float, float]:
    return bench.minimum, bench.median, bench.p90, bench.maximum
