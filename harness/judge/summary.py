# SPDX-License-Identifier: MIT
"""What there is to tell of a whole run, and how it is put into words.

What comes from the guest is not trusted: control characters are escaped on the terminal and in
every format, so that no kernel can forge or garble a report.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import List, Tuple

from .evidence import Result
from .model import Needs, Test, Verdict
from .protocol import Bench, Fault, Hang, Panic
from .rounds import Round


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


def names_of_needs(test: Test) -> List[str]:
    return [str(need.name).lower() for need in Needs if need in test.needs]


def figures_of(bench: Bench) -> Tuple[float, float, float, float]:
    return bench.minimum, bench.median, bench.p90, bench.maximum
