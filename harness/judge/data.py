# SPDX-License-Identifier: MIT
"""A run as data, for JSON."""
from __future__ import annotations

from typing import Any, Dict

from .evidence import Record, Result
from .model import Test, Verdict
from .outcomes import describe_outcome
from .protocol import (Armed, Backtrace, Bench, CheckFailed, Fault, Hang, Note, Panic, Param,
                       Registers)
from .summary import Summary, figures_of, names_of_needs, sentence_of

JSON_SCHEMA = 1


def test_data(test: Test) -> Dict[str, Any]:
    outcome = test.outcome
    data: Dict[str, Any] = {
        "name": test.full_name, "suite": test.suite, "test": test.short_name, "file": test.file,
        "line": test.line, "outcome": outcome.kind.name.lower(),
        "declared": describe_outcome(outcome), "isolation": test.isolation.name.lower(),
        "timeout_ms": test.timeout_ms, "proves": list(test.proves), "needs": names_of_needs(test),
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
                            **dict(zip(("min", "median", "p90", "max"), figures_of(bench)))}
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
