# SPDX-License-Identifier: MIT
"""One verdict for one test, of two opinions: the guest's, and the host's own.

The guest is trusted only for the worse. Where the machine did not survive the test, there is only
the host's opinion. What the test has to do depends on the machine (terms.py), and whether it may
fail on its known bug: a failure is then a skip, and a success a failure.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

from .evidence import STATUS_PANIC, Evidence, Record, Result, Stop
from .model import Cause, Difference, Finding, Outcome, OutcomeKind, Test, Verdict
from .outcomes import (describe_outcome, host_alone, host_opinion, opinion_of_a_skip,
                       opinion_of_a_triple_fault)
from .protocol import Bench, Note, TestEnded
from .sweep import last_run, opinion_of_the_sweep
from .terms import Terms, terms

FAILED = "failed: "  # how its note on what became of a known bug begins
KNOWN_BUG = "known bug: "  # how the guest's reason begins for a skip of that kind

Opinion = Tuple[Verdict, Optional[Finding]]


def judge_record(test: Test, record: Record, evidence: Evidence) -> Result:
    found = terms(test, evidence.facts)
    end = record.end if record.is_closed else None
    if end is None:
        verdict, finding = _judge_death(test, found, record, evidence)
    elif found.skip is not None:
        verdict, finding = _judge_due_skip(found.skip, record, end)
    else:
        verdict, finding = _reconcile(test, found.outcome, record, end, evidence)
    run = last_run(record)
    if finding is not None and run is not None:
        finding = replace(finding, sentence=f"{run.describe()}: {finding.sentence}")
    refused = [each.describe() for each in record.interventions if each.refusal]
    if finding is not None and refused:
        finding = replace(finding, sentence="; ".join([finding.sentence, *refused]))
    return Result(test, verdict, finding, record)


# --- The machine ended with the test --------------------------------------------------------------


def _judge_death(test: Test, found: Terms, record: Record, evidence: Evidence) -> Opinion:
    finding: Optional[Finding] = _death(found.outcome, record, evidence)
    ending = evidence.ending
    if found.skip is not None:
        assert finding is not None
        return Verdict.ERROR, _not_skipped(found.skip, finding.sentence)
    # On a busy host the reset may come before QMP is ready to tell of it.
    is_reset = ending.stop is None and ending.status == 0 and ending.shutdown in ("", "guest-reset")
    is_meant = found.outcome.kind is OutcomeKind.TRIPLE_FAULT and not evidence.is_cut
    if is_meant and is_reset and ending.has_triple_fault:
        finding = opinion_of_a_triple_fault(found.outcome, record)
    if test.known_bug is not None:
        return _judge_known_bug(test.known_bug, finding)
    return (Verdict.PASS if finding is None else Verdict.FAIL), finding


def _death(outcome: Outcome, record: Record, evidence: Evidence) -> Finding:
    ending = evidence.ending
    came = ending.describe()
    if ending.stop is Stop.VM_STOPPED:
        cause, came = Cause.VM_STOPPED, ("stopped VM: QEMU could not run what the test made the "
                                         f"CPU do ({ending.vm_status})")
    elif ending.stop is not None:
        cause, came = Cause.HANG, _silent_hang(record, evidence.waited)
    elif ending.has_triple_fault:
        cause = Cause.TRIPLE_FAULT
    elif ending.status == STATUS_PANIC:
        cause, came = Cause.PANIC, "the kernel panicked and could not go on"
    elif ending.status != 0:
        cause, came = Cause.EXITED, f"the kernel left the machine in the middle: {came}"
    elif ending.shutdown == "guest-reset":
        cause = Cause.RESET
    else:
        cause = Cause.POWER_OFF
    return Finding(cause, came, (Difference("outcome", describe_outcome(outcome),
                                            came.partition(":")[0]),))


def _silent_hang(record: Record, waited: float) -> str:
    """The kernel's own watchdog has to end every test: this one it did not."""
    text = (f"hang, seen only by the harness: the test did not end within {waited:.1f} s, and the "
            "kernel's watchdog did not end it")
    count = sum(each.is_rescue for each in record.interventions)
    return f"{text}, nor did {count} NMI{'s' * (count > 1)} from outside" if count else text


# --- The test ended, and both have an opinion -----------------------------------------------------


def _judge_due_skip(why: str, record: Record, end: TestEnded) -> Opinion:
    """On this machine the test must not run."""
    if end.verdict is Verdict.ERROR:
        return end.verdict, Finding(Cause.GUEST_ERROR, end.reason)
    if end.verdict is not Verdict.SKIP or end.reason.startswith(KNOWN_BUG):
        return Verdict.ERROR, _not_skipped(why, f"the kernel says {end.verdict.word}")
    host = opinion_of_a_skip(record)
    if host is not None:
        return Verdict.ERROR, _disagreement("skip", host)
    return end.verdict, Finding(Cause.SKIPPED, end.reason)


def _not_skipped(why: str, came: str) -> Finding:
    return Finding(Cause.NOT_SKIPPED, f"it ran, but has to be skipped here ({why}); {came}")


def _reconcile(test: Test, outcome: Outcome, record: Record, end: TestEnded, evidence: Evidence
               ) -> Opinion:
    guest = end.verdict
    admits_bug = test.known_bug is not None and end.reason.startswith(KNOWN_BUG)
    if guest is Verdict.SKIP and not admits_bug:
        return _judge_skip(test, record, end, evidence)
    host = host_opinion(outcome, record)
    if guest is Verdict.ERROR:
        return _judge_guest_error(end, host)
    alone = host_alone(outcome, record, evidence.symbol_names) if host is None else None
    if test.known_bug is not None:
        return _reconcile_known_bug(test.known_bug, guest, host or _admitted(record), alone)
    if host is not None:
        return (guest, host) if guest is Verdict.FAIL else (
            Verdict.ERROR, _disagreement(guest.word, host))
    if guest is Verdict.PASS and alone is not None:
        return Verdict.FAIL, alone
    verdict, finding = _judge_unopposed(test, outcome, record, end)
    if verdict is Verdict.PASS:
        finding = opinion_of_the_sweep(test, outcome, evidence.fail_nth, record)
        verdict = Verdict.PASS if finding is None else Verdict.ERROR
    return verdict, finding


def _judge_unopposed(test: Test, outcome: Outcome, record: Record, end: TestEnded) -> Opinion:
    """The host saw nothing wrong with a test that passed, or failed."""
    if end.verdict is Verdict.FAIL and outcome.kind is not OutcomeKind.PASS:
        return Verdict.ERROR, Finding(
            Cause.DISAGREEMENT, f"the kernel says fail ({end.reason}), but the harness saw the "
                                "declared outcome and nothing else")
    if end.verdict is Verdict.FAIL:
        return end.verdict, Finding(Cause.REPORTED, end.reason)
    if end.checks == 0:
        return Verdict.ERROR, Finding(Cause.NO_CHECKS, "the test passed without a single check")
    if len(record.all(Bench)) != int(test.is_bench):
        words = "a benchmark passed without its figures" if test.is_bench else (
            "it has the figures of a benchmark, and is none")
        return Verdict.ERROR, Finding(Cause.BENCH, words)
    return end.verdict, None


def _judge_guest_error(end: TestEnded, host: Optional[Finding]) -> Opinion:
    if host is None:
        return end.verdict, Finding(Cause.GUEST_ERROR, end.reason)
    return end.verdict, replace(host, sentence=f"{end.reason}; {host.sentence}")


def _judge_skip(test: Test, record: Record, end: TestEnded, evidence: Evidence) -> Opinion:
    """On this machine the test has to run, but may have found that it can't."""
    host = opinion_of_a_skip(record)
    if host is not None:
        return Verdict.ERROR, _disagreement("skip", host)
    if test.full_name not in evidence.may_skip:
        return Verdict.ERROR, Finding(
            Cause.UNEXPLAINED_SKIP, f"skipped ({end.reason}), though the machine has all it needs")
    return end.verdict, Finding(Cause.SKIPPED, end.reason)


def _disagreement(word: str, host: Finding) -> Finding:
    return replace(host, reason=Cause.DISAGREEMENT,
                   sentence=f"the kernel says {word}, but the harness: {host.sentence}")


# --- Known bugs -----------------------------------------------------------------------------------


def _judge_known_bug(why: str, failure: Optional[Finding]) -> Opinion:
    if failure is None:
        return Verdict.FAIL, Finding(Cause.KNOWN_BUG_GONE, f"its known bug is gone: {why}")
    return Verdict.SKIP, replace(failure, reason=Cause.KNOWN_BUG,
                                 sentence=f"{KNOWN_BUG}{why}; {failure.sentence}")


def _admitted(record: Record) -> Optional[Finding]:
    """A failure that only the kernel can see, such as what a test leaves behind: it says which."""
    for note in record.all(Note):
        if note.text.startswith(FAILED):
            return Finding(Cause.REPORTED, note.text[len(FAILED):])
    return None


def _reconcile_known_bug(why: str, guest: Verdict, host: Optional[Finding],
                         alone: Optional[Finding]) -> Opinion:
    """Both have to say that it failed, or that it did not."""
    if guest is Verdict.PASS:
        return Verdict.ERROR, Finding(
            Cause.DISAGREEMENT, f"the kernel says pass, but a test with a known bug ({why}) is "
                                "skipped or fails")
    if guest is Verdict.SKIP and host is None and alone is None:
        return Verdict.ERROR, Finding(
            Cause.DISAGREEMENT, f"the kernel says that the known bug ({why}) showed, but the "
                                "harness saw nothing fail")
    if guest is Verdict.FAIL and host is not None:
        return Verdict.ERROR, _disagreement("that the known bug is gone", host)
    return _judge_known_bug(why, host or alone)
