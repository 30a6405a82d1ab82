# SPDX-License-Identifier: MIT
"""Evidence in, verdicts out: a pure function.

A test passes only if everything agrees: the set that the ELF file announces, begin, end and KTAP
line of the test, the numbers and sums of the stream, nonce and build id, what QEMU says and how it
ended. The guest's own verdict is one witness among them, and is trusted only for the worse.
"""
from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import groupby
from typing import List, Optional, Sequence, Tuple

from . import exceptions as x86
from .evidence import (STATUS_ERROR, STATUS_FAIL, STATUS_OK, STATUS_PANIC, STATUS_RESTART,
                       Evidence, Judgement, Record, Result, Stop, Unseen, collect, only)
from .model import Accel, Difference, Finding, Trouble, Verdict
from .protocol import (Broken, Event, Fault, Hang, OrderAnswered, Panic, Planned, Refused, Restart,
                       RunBegan, SuiteBegan, TestBegan, TestClosed, Totals)
from .start import nothing_to_boot, wrong_start
from .verdicts import judge_record

BANNER = "Hello World!"  # the kernel's first line on its console

# What the kernel says on its console when it can't go on with the boot, and then halts.
REFUSAL = re.compile(r"(Faultline can't boot: [^\r\n]+)[\r\n]")

# What a kernel lacks that says "none".
UNTOLD = {
    Trouble.WRONG_NONCE: " (the kernel knows no arguments: see ktest_port_argument)",
    Trouble.WRONG_IMAGE: " (the kernel does not know its own: write ktest_port_build_id, or link "
                         "it with --build-id=none)"}

# What the user has to say of a kernel that the harness did not boot.
TO_BE_SAID = (Trouble.WRONG_SELECTION, Trouble.WRONG_SEED)

# What ends a boot between two tests: the kernel's runner died, and what was said before stands.
RUNNER_DIED = (Trouble.DIED_BETWEEN, Trouble.HUNG_BETWEEN, Trouble.OUTSIDE_PANIC)

# Why QEMU stops a machine when what the guest did is to blame, and not the host's disk or user.
GUEST_S_FAULT = ("internal-error", "guest-panicked")


def judge(evidence: Evidence) -> Judgement:
    records = collect(evidence.events, evidence.interventions)
    finding = _discredit(evidence, records)
    if finding is not None and _is_end_of_the_runner(finding, evidence):
        return _judge_dead_runner(finding, evidence, records)
    if finding is not None:
        assert isinstance(finding.reason, Trouble)
        troubled = tuple(Result(test, Verdict.ERROR, finding) for test in evidence.expected)
        return Judgement(troubled, trouble=finding.reason)
    results = [judge_record(test, record, evidence)
               for test, record in zip(evidence.expected, records)]
    restart = only(evidence.events, Restart)
    if restart is not None:
        results[-1] = replace(results[-1], restart=restart.reason)
    is_stopped = any(event.text == "stop" and event.is_known for event in evidence.events
                     if isinstance(event, OrderAnswered))
    return Judgement(tuple(results), evidence.expected[len(results):], is_stopped,
                     restart is not None or _ended_as_foreseen(results))


def _is_end_of_the_runner(finding: Finding, evidence: Evidence) -> bool:
    """A test had ended, nothing went wrong before, and others were to come: none did, nor totals.
    Behind the last test it is the totals that are missing, and nothing is believed without."""
    if finding.reason not in RUNNER_DIED:
        return False
    closed = [index for index, event in enumerate(evidence.events)
              if isinstance(event, TestClosed)]
    if not 0 < len(closed) < len(evidence.expected):
        return False
    before, behind = evidence.events[:closed[-1] + 1], evidence.events[closed[-1] + 1:]
    return _outside_panic(before) is None and not any(
        isinstance(event, (TestBegan, Totals)) for event in behind)


def _judge_dead_runner(finding: Finding, evidence: Evidence, records: List[Record]) -> Judgement:
    """Whatever killed the runner, the test that ended last is the first to be looked at."""
    results = [judge_record(test, record, evidence)
               for test, record in zip(evidence.expected, records)]
    blamed = replace(finding, sentence=f"the runner died behind it: {finding.sentence}")
    results[-1] = Result(results[-1].test, Verdict.ERROR, blamed, records[-1])
    return Judgement(tuple(results), evidence.expected[len(results):])


def _ended_as_foreseen(results: List[Result]) -> bool:
    """The last test took the machine down, as it declares or by its known bug."""
    if not results:
        return False
    last = results[-1]
    return last.ended_the_boot and last.verdict <= Verdict.SKIP


# --- The whole boot -------------------------------------------------------------------------------


def _discredit(evidence: Evidence, records: List[Record]) -> Optional[Finding]:
    """What makes everything that this boot said worthless, if anything does."""
    checks = (_no_room, wrong_start, _broken_stream, _refused, _wrong_header, _wrong_plan,
              _wrong_tests, _unasked_order, _second_boot)
    for check in checks:
        finding = check(evidence)
        if finding is not None:
            return finding
    return (_outside_panic(evidence.events) or _wrong_end(evidence, records)
            or _not_repeated(evidence))


def _not_repeated(evidence: Evidence) -> Optional[Finding]:
    if not evidence.deviation:
        return None
    return Finding(Trouble.NOT_REPEATED, "this boot had to repeat an earlier one to the byte, and "
                                         f"did not: {evidence.deviation}")


def _no_room(evidence: Evidence) -> Optional[Finding]:
    if evidence.ending.stop is Stop.DISK_FULL:
        return Finding(Trouble.DISK_FULL, f"the disk is full: {evidence.log}; make room, or set "
                                          "TMPDIR to a folder on another disk")
    if evidence.ending.is_log_flood:
        return Finding(Trouble.LOG_FLOOD, "QEMU was ended as it wrote more into one of its logs "
                                          "than may be: see stderr.log and qemu.log")
    return None


def _broken_stream(evidence: Evidence) -> Optional[Finding]:
    broken = only(evidence.events, Broken)
    if broken is None:
        return None
    where = f"line {broken.line} of the protocol: {broken.sentence}"
    shown: Tuple[Difference, ...] = ()
    if broken.text:
        shown = (Difference("line", "", broken.text),)
    if broken.text in evidence.orders:
        return Finding(Trouble.ECHO, f"{where}; it is our own order, sent back", shown)
    return Finding(broken.trouble, where, shown)


def _refused(evidence: Evidence) -> Optional[Finding]:
    refused = only(evidence.events, Refused)
    if refused is None:
        return None
    return Finding(Trouble.REFUSED, f"the kernel refused to begin the run: {refused.reason}")


def _wrong_header(evidence: Evidence) -> Optional[Finding]:
    run = only(evidence.events, RunBegan)
    if run is None:
        return None
    facts = (
        (Trouble.WRONG_NONCE, "this is not the run that was started: the nonce differs",
         evidence.nonce, run.nonce),
        (Trouble.WRONG_IMAGE, "this is not the kernel that was to be tested: the build id differs",
         evidence.build_id, run.build_id),
        (Trouble.WRONG_REGISTRY, "the kernel found another number of tests than its ELF file has",
         str(evidence.registered), str(run.registered)),
        (Trouble.WRONG_SELECTION, "the kernel selected another number of tests than it was asked",
         str(len(evidence.expected)), str(run.selected)),
        (Trouble.WRONG_SEED, "the kernel shuffles with another seed than it was given",
         _seed(evidence.seed), _seed(run.seed)),
    )
    for trouble, sentence, expected, actual in facts:
        if trouble is Trouble.WRONG_NONCE and Unseen.NONCE in evidence.unseen:
            continue
        if expected != actual:
            what = trouble.value.partition("-")[2]
            hint = UNTOLD.get(trouble, "") if actual == "none" else ""
            if trouble in TO_BE_SAID and _is_foreign(evidence):
                hint = " (--test and --told say what it was told)"
            return Finding(trouble, sentence + hint, (Difference(what, expected, actual),))
    return None


def _is_foreign(evidence: Evidence) -> bool:
    """The harness has not booted it; Bochs it has, and sees all but its end."""
    return bool(evidence.unseen) and evidence.facts.accel is not Accel.BOCHS


def _seed(seed: Optional[int]) -> str:
    return "none" if seed is None else str(seed)


def _wrong_plan(evidence: Evidence) -> Optional[Finding]:
    """The plans are compared as far as they came."""
    suites = [(suite, len(list(tests)))
              for suite, tests in groupby(evidence.expected, key=lambda test: test.suite)]
    planned = only(evidence.events, Planned)
    if planned is not None and planned.suites != len(suites):
        return Finding(Trouble.PLAN, "the kernel plans another number of suites",
                       (Difference("suites", str(len(suites)), str(planned.suites)),))
    begun = [event for event in evidence.events if isinstance(event, SuiteBegan)]
    for index, ((suite, count), event) in enumerate(zip(suites, begun)):
        if (event.suite, event.tests) == (suite, count):
            continue
        shown = (Difference("suite", f"{suite}, {count} tests",
                            f"{event.suite}, {event.tests} tests"),)
        if event.suite in (each.suite for each in begun[:index]):
            return Finding(Trouble.DUPLICATE, f"the suite {event.suite} comes twice", shown)
        if event.suite != suite and event.suite in dict(suites):
            return Finding(Trouble.DISORDER, f"the suite {event.suite} comes out of order", shown)
        return Finding(Trouble.PLAN, "the kernel plans another suite than the ELF file has", shown)
    return None


def _wrong_tests(evidence: Evidence) -> Optional[Finding]:
    begun = [event.name for event in evidence.events if isinstance(event, TestBegan)]
    expected = [test.full_name for test in evidence.expected]
    for index, (wanted, name) in enumerate(zip(expected, begun)):
        if name == wanted:
            continue
        shown = (Difference("test", wanted, name),)
        if name not in expected:
            return Finding(Trouble.UNPLANNED_TEST, f"the kernel ran {name}, which is not planned",
                           shown)
        if name in begun[:index]:
            return Finding(Trouble.DUPLICATE, f"the test {name} comes twice", shown)
        if wanted in begun:
            return Finding(Trouble.DISORDER, f"the test {name} comes out of order", shown)
        return Finding(Trouble.MISSING_TEST, f"the kernel left out {wanted}", shown)
    return None


def _unasked_order(evidence: Evidence) -> Optional[Finding]:
    if Unseen.ORDERS in evidence.unseen:
        return None
    answered = Counter(event.text for event in evidence.events if isinstance(event, OrderAnswered))
    for text in answered - Counter(evidence.orders):
        return Finding(Trouble.UNASKED_ORDER,
                       f"the kernel answers an order that was not given: {text}")
    return None


def _second_boot(evidence: Evidence) -> Optional[Finding]:
    """The stream shows it as well, unless the first life did not come that far."""
    if evidence.console.splitlines().count(BANNER) < 2:
        return None
    return Finding(Trouble.SECOND_BOOT, "the kernel greets twice on its console: it has started a "
                                        "second time in one life of the machine")


def _outside_panic(events: Sequence[Event]) -> Optional[Finding]:
    inside = False
    for event in events:
        if isinstance(event, (TestBegan, TestClosed)):
            inside = isinstance(event, TestBegan)
        elif isinstance(event, Panic) and not inside:
            place = f" ({event.file}:{event.line})" if event.file else ""
            return Finding(Trouble.OUTSIDE_PANIC, "the kernel panicked outside of every test: "
                                                  f"{event.message}{place}")
        elif isinstance(event, Fault) and not inside:
            return Finding(Trouble.OUTSIDE_PANIC, "an exception came outside of every test: "
                                                  + x86.describe_fault(event))
        elif isinstance(event, Hang) and not inside:
            return Finding(Trouble.OUTSIDE_PANIC, "the kernel's watchdog ended something outside "
                                                  "of every test")
    return None


# --- The end of the boot --------------------------------------------------------------------------


def _wrong_end(evidence: Evidence, records: List[Record]) -> Optional[Finding]:
    ending = evidence.ending
    if ending.is_crash:
        during = f" while {records[-1].name} ran" if records and not records[-1].is_closed else ""
        return Finding(Trouble.QEMU_CRASHED, ending.describe() + during)
    if ending.is_from_outside:
        return Finding(Trouble.KILLED, ending.describe())
    if ending.stop is Stop.MONITOR_FLOOD:
        return Finding(Trouble.MONITOR_FLOOD, "QEMU floods its monitor")
    if ending.stop is Stop.MONITOR_GARBAGE:
        return Finding(Trouble.MONITOR_GARBAGE, "what QEMU's monitor says is no QMP")
    if ending.stop is Stop.CONSOLE_FLOOD:
        return Finding(Trouble.CONSOLE_FLOOD, "the kernel floods its console")
    if ending.stop is Stop.TOO_LONG:
        return Finding(Trouble.TOO_LONG, "the boot as a whole took too long")
    is_open = bool(records) and not records[-1].is_closed
    if ending.stop is Stop.VM_STOPPED and not (is_open and ending.vm_status in GUEST_S_FAULT):
        return Finding(Trouble.VM_STOPPED,
                       f"stopped VM: QEMU gave up running the kernel ({ending.vm_status})")
    totals = only(evidence.events, Totals)
    if totals is not None and evidence.is_cut:
        return Finding(Trouble.AFTER_TOTALS, "something came behind the end of the stream")
    if totals is not None:
        return _wrong_totals(records, totals) or _wrong_exit(evidence, totals)
    if ending.stop is Stop.CUT:
        return _cut(evidence, records)
    if is_open:
        return None  # the open test is to blame
    if ending.stop in (Stop.HANG, Stop.REFUSED):
        return _silence(evidence, records)
    return _early_exit(evidence, records)


def _wrong_totals(records: List[Record], totals: Totals) -> Optional[Finding]:
    counts = Counter(record.end.verdict for record in records if record.end)
    if any(counts[verdict] != totals.counts[verdict] for verdict in Verdict):
        return Finding(Trouble.TOTALS, "the totals are not the sum of the verdicts",
                       (Difference("totals", _counts(counts), _counts(Counter(totals.counts))),))
    return None


def _counts(counts: "Counter[Verdict]") -> str:
    return ", ".join(f"{counts[verdict]} {verdict.word}" for verdict in Verdict)


def _wrong_exit(evidence: Evidence, totals: Totals) -> Optional[Finding]:
    ending = evidence.ending
    if Unseen.END in evidence.unseen:
        return _unfinished_line(evidence)
    if ending.stop is not None:
        return Finding(Trouble.TOTALS_WITHOUT_EXIT,
                       "the kernel wrote its totals, but did not leave the machine")
    expected = STATUS_OK
    if only(evidence.events, Restart) is not None:
        expected = STATUS_RESTART
    elif totals.counts[Verdict.ERROR]:
        expected = STATUS_ERROR
    elif totals.counts[Verdict.FAIL]:
        expected = STATUS_FAIL
    is_exit = ending.shutdown in ("", "guest-shutdown")  # some versions tell of it
    if ending.status == expected and is_exit and not ending.has_triple_fault:
        return None
    return Finding(Trouble.WRONG_STATUS, "the exit status does not fit the totals: "
                   + ending.describe() + ("" if is_exit else f", and tells of {ending.shutdown}"),
                   (Difference("exit status", str(expected), str(ending.status)),))


def _unfinished_line(evidence: Evidence) -> Optional[Finding]:
    if not evidence.is_cut:
        return None
    return Finding(Trouble.AFTER_TOTALS, "there is more behind the totals, without the end of a "
                                         "line")


def _cut(evidence: Evidence, records: List[Record]) -> Finding:
    """Without totals nothing tells whether the run was cut short, or only what is read of it."""
    if not evidence.has_spoken:
        return Finding(Trouble.NEVER_BEGAN, f"{evidence.log}; no run begins in it: there is no "
                                            "line “KTAP version 1”")
    where = "before the first test"
    if records:
        where = f"{'behind' if records[-1].is_closed else 'within'} {records[-1].name}"
    line = " in the middle of a line" if evidence.is_cut else ""
    return Finding(Trouble.TRUNCATED, f"{evidence.log}; the stream ends{line} {where}, without "
                                      "totals, and nothing tells why")


def _silence(evidence: Evidence, records: List[Record]) -> Finding:
    waited = f"for {evidence.timeout:g} s"
    if evidence.is_cut:
        return Finding(Trouble.TRUNCATED, f"the stream stopped in the middle of a line {waited}")
    if records:
        return Finding(Trouble.HUNG_BETWEEN, f"nothing came behind {records[-1].name} {waited}")
    nothing = None if evidence.has_spoken else nothing_to_boot(evidence)
    if nothing is not None:
        return nothing
    refusal = REFUSAL.search(evidence.console)
    if refusal is not None:
        return Finding(Trouble.REFUSED, f"the kernel refused: {refusal[1]}")
    if evidence.has_spoken or BANNER in evidence.console:
        return Finding(Trouble.TESTS_NEVER_BEGAN, f"the kernel began, but no test did {waited}")
    return Finding(Trouble.NEVER_BEGAN, f"the kernel never began: no sign of it {waited}")


def _early_exit(evidence: Evidence, records: List[Record]) -> Finding:
    ending = evidence.ending
    how = ending.describe()
    if ending.status == STATUS_PANIC:
        return Finding(Trouble.OUTSIDE_PANIC, "the kernel panicked outside of every test")
    if not records and ending.status == STATUS_ERROR:
        return Finding(Trouble.REFUSED, "the kernel refused to begin the run")
    nothing = None if evidence.has_spoken else nothing_to_boot(evidence)
    if nothing is not None:
        return nothing
    if not records:
        return Finding(Trouble.DIED_EARLY, f"{how}, before the first test began")
    if ending.status == 0:
        return Finding(Trouble.DIED_BETWEEN, f"{how}, behind {records[-1].name}")
    if evidence.is_cut:
        return Finding(Trouble.TRUNCATED, f"the stream ends in the middle of a line; {how}")
    return Finding(Trouble.EXIT_WITHOUT_TOTALS,
                   f"{how}, but the stream ends behind {records[-1].name} without totals")
