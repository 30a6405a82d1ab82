# SPDX-License-Identifier: MIT
"""A run as JUnit XML, for the readers of GitHub, GitLab and Jenkins.

Jenkins' xUnit plugin alone insists on its schema, which knows no file and line of a test; the
others want them. There is no time stamp and no host name: nobody reads them, and reports stay
comparable.
"""
from __future__ import annotations

import re
from collections import Counter
from typing import Any, Dict, Iterable, List, Mapping, Sequence
from xml.etree import ElementTree as xml

from .card import Cards
from .durations import seconds_of
from .evidence import Result
from .model import Test, Verdict
from .protocol import Console
from .summary import Summary, clean

TAGS = {Verdict.SKIP: "skipped", Verdict.FAIL: "failure", Verdict.ERROR: "error"}


def junit_text(summary: Summary, cards: Cards) -> str:
    seconds = seconds_of(summary.results)
    root = xml.Element("testsuites", _sums("faultline", summary.results, summary.seconds))
    suites: Dict[str, List[Result]] = {}
    for result in summary.results:
        suites.setdefault(result.test.suite, []).append(result)
    for name, results in suites.items():
        total = sum(seconds[result.test] for result in results)
        suite = xml.SubElement(root, "testsuite", _sums(name, results, total))
        _properties(suite, [("build_id", summary.build_id),
                            ("complete", str(summary.is_complete).lower())])
        for result in results:
            _case(suite, result, cards, seconds)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, "unicode") + "\n"


def _sums(name: str, results: Sequence[Result], seconds: float) -> Dict[str, str]:
    verdicts = Counter(result.verdict for result in results)
    return {"name": clean(name), "tests": str(len(results)),
            "failures": str(verdicts[Verdict.FAIL]), "errors": str(verdicts[Verdict.ERROR]),
            "skipped": str(verdicts[Verdict.SKIP]), "time": f"{seconds:.3f}"}


def _properties(parent: Any, pairs: Sequence[Sequence[str]]) -> None:
    properties = xml.SubElement(parent, "properties")
    for name, value in pairs:
        xml.SubElement(properties, "property", name=name, value=clean(value))


def _case(suite: Any, result: Result, cards: Cards, seconds: Mapping[Test, float]) -> None:
    test = result.test
    case = xml.SubElement(suite, "testcase", classname=clean(test.suite),
                          name=clean(test.short_name), file=clean(test.file), line=str(test.line),
                          time=f"{seconds[test]:.6f}")
    if test.proves:
        _properties(case, [("proves", each) for each in test.proves])
    finding = result.finding
    if finding is None:
        return
    sentence = clean(finding.sentence)
    child = xml.SubElement(case, TAGS[result.verdict], type=finding.reason.value, message=sentence)
    if result.verdict is Verdict.SKIP:
        child.text = sentence  # GitLab looks nowhere else
        return
    child.text = _text(cards.lines(result))
    for tag, lines in _outputs(result).items():
        xml.SubElement(case, tag).text = _text(lines)


def _outputs(result: Result) -> Dict[str, Sequence[str]]:
    """What the test printed, and of the one that ended its boot the last words of all."""
    printed = [each.text for each in result.record.all(Console)] if result.record else []
    if result.scene is None or not result.ended_the_boot:
        return {"system-out": printed} if printed else {}
    return {"system-out": printed or result.scene.console.splitlines(),
            "system-err": result.scene.log.splitlines()}


def _text(lines: Iterable[str]) -> str:
    """GitLab would take a kernel's [[ATTACHMENT|path]] for a file that belongs to the report."""
    return "\n".join(re.sub(r"\[(?=\[)", "[ ", clean(line)) for line in lines)
