# SPDX-License-Identifier: MIT
"""Reports for other programs are written: files, and TAP on the standard output."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Iterator, Sequence

from .card import Cards
from .evidence import Result
from .github import SUMMARY_BYTES, job_summary
from .model import Refusal, Verdict
from .summary import Summary, clean


# --- Files ----------------------------------------------------------------------------------------


def write_json(data: Any, path: str) -> None:
    import json
    write_report(json.dumps(_sound(data), indent=2, allow_nan=False) + "\n", path)


def _sound(value: Any) -> Any:
    """Python's JSON has half characters, as in the name of a file that is not UTF-8; others are
    right to refuse them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {key: _sound(each) for key, each in value.items()}
    return [_sound(each) for each in value] if isinstance(value, (list, tuple)) else value


def write_report(text: str, path: str) -> None:
    """In UTF-8. Whole or not at all: nobody shall read half a report."""
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
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


def append_job_summary(summary: Summary, cards: Cards) -> str:
    """To GitHub's file for this step. Returns a remark if that does not work: verdicts stand."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return "There is no job summary, as GITHUB_STEP_SUMMARY is not set."
    try:
        with open(path, "ab") as file:
            text = job_summary(summary, cards, SUMMARY_BYTES - file.tell())
            file.write(text.encode("utf-8"))
    except OSError as error:
        return f"The job summary {path} cannot be written: {error.strerror}."
    return "" if text else f"The job summary {path} is full: GitHub takes 1 MiB of a step."


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


def print_tap(summary: Summary, cards: Cards) -> None:
    if not summary.planned:
        print(f"1..0 # SKIP {clean(summary.remark)}")
        return
    if summary.remark:
        print(f"# {clean(summary.remark)}")
    if summary.unchecked:
        print(f"# not checked: {', '.join(summary.unchecked)}")
    for line in tap_lines(summary.results, cards):
        print(line)
    if not summary.is_complete:
        print("Bail out! Interrupted.")
    sys.stdout.flush()
