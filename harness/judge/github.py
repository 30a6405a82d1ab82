# SPDX-License-Identifier: MIT
"""A run for GitHub Actions: annotations, a job summary, and a log in which no kernel gives orders.

The runner takes a line for a command that begins with `::`, behind whatever spaces, or that has
`##[` anywhere; so no line of ours may, and while a guest has a say commands are stopped besides.
In Markdown what comes of a guest stands in fences.
Sources: "Workflow commands for GitHub Actions" at docs.github.com, ActionCommand.cs of the runner.
"""
from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from .card import Cards
from .evidence import Result
from .model import ROOT, Cause, Verdict
from .protocol import CheckFailed, Panic
from .summary import Failure, Summary, clean, failures

ANNOTATIONS = 10  # of a kind GitHub shows for a step
SUMMARY_BYTES = 1 << 20  # a step's summary: one that is longer is not shown at all
LEFT_OUT_BYTES = 200  # of them for the sentence that tells of it


# --- The log --------------------------------------------------------------------------------------


def defuse(text: str) -> str:
    """Lines that the runner takes for text."""
    return re.sub(r"((?:^|[\r\n])\s*):(?=:)", r"\1: ", text).replace("##[", "## [")


def new_token() -> str:
    return os.urandom(16).hex()


def stop_commands(token: str) -> str:
    return f"::stop-commands::{token}"


def resume_commands(token: str) -> str:
    return f"::{token}::"


# --- Annotations ----------------------------------------------------------------------------------


def annotation_lines(results: Sequence[Result]) -> Iterator[str]:
    found = failures(results)
    for failure in found[:ANNOTATIONS]:
        yield _annotation(failure)
    left = len(found) - ANNOTATIONS
    if left > 0:
        yield (f"::notice::{left} more failure{'s' * (left > 1)} without an annotation, as GitHub "
               f"shows {ANNOTATIONS} of a step: the job summary and the log tell of all.")


def _annotation(failure: Failure) -> str:
    finding = failure.result.finding
    file, line = place_of(failure.result)
    properties = [("file", file), ("line", str(line))] if file else []
    words = ",".join(f"{name}={_property(value)}"
                     for name, value in [*properties, ("title", failure.title)])
    return f"::error {words}::{_data(clean(finding.sentence if finding else ''))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def place_of(result: Result, root: Path = ROOT) -> Tuple[str, int]:
    """The check that failed or the panic that nobody expected, else the test; from the
    repository's root, and nothing that is not in there. ("", 0) if no place is to blame."""
    cause = result.finding.reason if result.finding else None
    places: List[Tuple[str, int]] = []
    for event in result.record.events if result.record else ():
        if isinstance(event, CheckFailed) or isinstance(event, Panic) and cause is Cause.PANIC:
            places.append((event.file, event.line))
    if not result.is_trouble:
        places.append((result.test.file, result.test.line))
    named = ((_in_repository(file, root), line) for file, line in places)
    return next(((file, line) for file, line in named if file and line), ("", 0))


def _in_repository(file: str, root: Path) -> str:
    """The project may be a folder of the repository; or an action beside it, and the kernel the
    repository's."""
    root = root.resolve()
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or root).resolve()
    top = root if workspace != root and not workspace.is_dir() else workspace
    base = root if top in root.parents else top
    try:
        path = (base / file).resolve()
        return str(path.relative_to(top)) if path.is_file() else ""
    except (OSError, ValueError):  # a zero in the name, or a place elsewhere
        return ""


# --- The job summary ------------------------------------------------------------------------------


def job_summary(summary: Summary, cards: Cards, room: int = SUMMARY_BYTES) -> str:
    """In Markdown, no longer than this in bytes; empty if there is no room for anything."""
    text = _head(summary)
    if len(text.encode("utf-8")) + LEFT_OUT_BYTES > room:
        return ""
    left = room - len(text.encode("utf-8")) - LEFT_OUT_BYTES
    found = failures(summary.results)
    for number, failure in enumerate(found):
        head, *body = map(clean, cards.lines(failure.result))
        card = fenced([f"{failure.title}: {head}", *body])
        left -= len(card.encode("utf-8"))
        if left < 0:
            rest = len(found) - number
            return (f"{text}\n{rest} more failure{'s' * (rest > 1)} left out, as GitHub takes "
                    "1 MiB of a step: the log tells of all.\n")
        text += card
    return text


def _head(summary: Summary) -> str:
    """Nothing but numbers, and what is fenced."""
    counts = summary.counts
    columns = [("passed", counts[Verdict.PASS]), ("failed", counts[Verdict.FAIL]),
               ("in error", counts[Verdict.ERROR]), ("skipped", counts[Verdict.SKIP]),
               ("not run", summary.not_run), ("boots", summary.boots),
               ("seconds", f"{summary.seconds:.2f}")]
    lines = ["", f"### Faultline: {summary.counts_in_words}", ""]
    lines += [f"| {' | '.join(name for name, _ in columns)} |", "|" + " ---: |" * len(columns),
              f"| {' | '.join(str(value) for _, value in columns)} |", ""]
    remarks = [] if summary.is_complete else ["The run was interrupted."]
    remarks += [clean(summary.remark)] if summary.remark else []
    remarks += [f"{clean(name)} is flaky: well in one round, and failing in another"
                for name in summary.flaky]
    return "\n".join(lines) + (fenced(remarks) if remarks else "")


def fenced(lines: Sequence[str]) -> str:
    """A block that none of its lines can end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(["", f"{fence}text", *lines, fence, ""])
