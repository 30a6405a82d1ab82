# SPDX-License-Identifier: MIT
"""A run, a list of tests or a bisection as data, for JSON: docs/report.schema.json."""
from __future__ import annotations

import shlex
from typing import Any, Dict, Optional, Sequence

from .bisection import Conclusion
from .durations import seconds_of
from .evidence import Record, Result
from .model import OutcomeKind, Test, Verdict
from .outcomes import describe_outcome
from .protocol import (Armed, Backtrace, Bench, CheckFailed, Console, Denied, Fault, Hang, Note,
                       Panic, Param, Registers, Rerun, Swept)
from .summary import Summary, cut, figures_of, names_of_needs, sentence_of
from .sweep import last_run

JSON_SCHEMA = 2  # the version: docs/report.schema.json says the same


def test_data(test: Test) -> Dict[str, Any]:
    outcome = test.outcome
    is_fault = outcome.kind is OutcomeKind.FAULT
    data: Dict[str, Any] = {
        "name": test.full_name, "suite": test.suite, "test": test.short_name, "file": test.file,
        "line": test.line, "outcome": outcome.kind.name.lower(),
        "declared": describe_outcome(outcome), "error_code": outcome.error if is_fault else None,
        "error_mask": outcome.mask or None, "isolation": test.isolation.name.lower(),
        "timeout_ms": test.timeout_ms, "proves": list(test.proves), "needs": names_of_needs(test),
        "speed": test.speed.word, "inject": test.inject.name.lower(), "bench": test.is_bench,
        "fail_nth": test.fail_nth or None,
        "known_bug": test.known_bug, "parameter": test.index, "quirks": len(test.quirks),
    }
    return data


def result_data(result: Result, seconds: float) -> Dict[str, Any]:
    finding, record, scene = result.finding, result.record, result.scene
    data = test_data(result.test)
    data.update(verdict=result.verdict.word, cause=finding.reason.value if finding else None,
                sentence=sentence_of(result),
                differences=[vars(each) for each in finding.differences] if finding else [])
    data.update(restart=result.restart or None, seconds=round(seconds, 6))
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
            data.update(console=_lines(scene.console), qemu=_lines(scene.log),
                        command=list(scene.command))
    return data


def _lines(text: str) -> str:
    return "\n".join(map(cut, text.splitlines()))


def _told(record: Record) -> Dict[str, Any]:
    """What few tests have to tell."""
    data: Dict[str, Any] = {
        "armed": [vars(each) for each in record.all(Armed)],
        "hangs": [vars(each) for each in record.all(Hang)],
        "notes": [each.text for each in record.all(Note)],
        "printed": [each.text for each in record.all(Console)],
        "interventions": [each.describe() for each in record.interventions],
    }
    if any(isinstance(event, (Rerun, Swept)) for event in record.events):
        data["sweep"] = _sweep(record)
    for param in record.all(Param):
        data["description"] = param.text
    for bench in record.all(Bench):
        data["measured"] = {"unit": "cycles", "turns": bench.turns, "samples": bench.samples,
                            **dict(zip(("min", "median", "p90", "max"), figures_of(bench)))}
    return data


def _sweep(record: Record) -> Dict[str, Any]:
    run = last_run(record)
    return {"runs": len(record.all(Rerun)), "failed": len(record.all(Denied)),
            "complete": bool(record.all(Swept)), "allocation": run.nth if run else None,
            "caller": run.caller if run else None}


def run_data(summary: Summary) -> Dict[str, Any]:
    seconds = seconds_of(summary.results)
    return {
        **_head("run", summary.kernel, summary.build_id),
        "complete": summary.is_complete,
        "boots": summary.boots,
        "seconds": round(summary.seconds, 3),
        "counts": {verdict.word: summary.counts[verdict] for verdict in Verdict},
        "not_run": summary.not_run,
        "flaky": list(summary.flaky),
        "remark": summary.remark or None,
        "unchecked": list(summary.unchecked),
        "rounds": [{"number": each.number, "seed": each.seed, "seconds": round(each.seconds, 3),
                    "counts": {verdict.word: each.counts[verdict] for verdict in Verdict}}
                   for each in summary.rounds],
        "tests": [result_data(result, seconds[result.test]) for result in summary.results],
    }


def list_data(tests: Sequence[Test], kernel: str, build_id: str, remark: str) -> Dict[str, Any]:
    return {**_head("list", kernel, build_id), "remark": remark or None,
            "tests": [test_data(test) for test in tests]}


def bisection_data(conclusion: Optional[Conclusion], kernel: str, build_id: str,
                   seed: Optional[int], command: Sequence[str]) -> Dict[str, Any]:
    """None: it is still at work."""
    known = conclusion or Conclusion("")
    return {
        **_head("bisection", kernel, build_id), "complete": conclusion is not None, "seed": seed,
        "sentence": known.sentence or None,
        "culprits": [test.full_name for test in known.culprits],
        "result": _alone(known.result) if known.result else None,
        "repeat": shlex.join([*command, *known.selecting]) if known.selecting else None}


def _alone(result: Result) -> Dict[str, Any]:
    return result_data(result, seconds_of([result])[result.test])


def _head(kind: str, kernel: str, build_id: str) -> Dict[str, Any]:
    return {"schema": JSON_SCHEMA, "kind": kind, "kernel": kernel, "build_id": build_id}
