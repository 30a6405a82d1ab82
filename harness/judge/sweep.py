# SPDX-License-Identifier: MIT
"""Tests that run again and again, each time with another of their allocations failing.

A kernel that leaves this out must not pass, nor one that only says it: the runs that it reports
have to be those that the test's attribute, or the option --fail-nth, asks for.
"""
from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

from .evidence import Record
from .model import Cause, Finding, Inject, Outcome, OutcomeKind, Test
from .protocol import Denied, Event, Param, Rerun, Swept

ALL = 0  # in place of one allocation's number
UNDECLARED_RUNS = 100  # of a test that says nothing of its allocations: docs/protocol.md


class LastRun(NamedTuple):
    """The run that a sweep did not get beyond."""

    nth: int
    caller: Optional[int]  # where the call that asked for it returns to; None: it has not come

    def describe(self) -> str:
        if self.caller is None:
            return f"before allocation {self.nth}, which had to fail, was asked for"
        return f"with allocation {self.nth} failing"


def can_be_swept(test: Test, outcome: Outcome) -> bool:
    return (outcome.kind is OutcomeKind.PASS and test.inject is Inject.NONE
            and not test.is_bench)


def last_run(record: Record) -> Optional[LastRun]:
    """None where every run went well, or where there was only one."""
    reruns = record.all(Rerun)
    if not reruns or record.all(Swept):
        return None
    nth = reruns[-1].nth
    callers = [event.caller for event in record.all(Denied) if event.nth == nth]
    return LastRun(nth, callers[0] if callers else None)


def events_of_interest(record: Record) -> Sequence[Event]:
    """Of a sweep that ended in the middle the last run: those before it went well."""
    if last_run(record) is None:
        return record.events
    starts = [index for index, event in enumerate(record.events) if isinstance(event, Rerun)]
    params = [event for event in record.events[:starts[0]] if isinstance(event, Param)]
    return (*params, *record.events[starts[-1]:])


def opinion_of_the_sweep(test: Test, outcome: Outcome, asked: Optional[int], record: Record
                         ) -> Optional[Finding]:
    """What is wrong with the runs of a test that passed, if anything is."""
    numbers = [event.nth for event in record.all(Rerun)]
    swept = record.all(Swept)
    is_due = can_be_swept(test, outcome) and (bool(test.fail_nth) or asked is not None)
    if not is_due:
        return _not_swept("its allocations failed, which nobody had asked for"
                          ) if numbers or swept else None
    if not swept:
        return _not_swept("none of its allocations was made to fail, as it has to be")
    if asked and numbers not in ([], [asked]):
        return _not_swept(f"another allocation than {asked} was made to fail")
    if not asked and numbers[:1] not in ([], [1]):
        return _not_swept("its first allocation was not made to fail")
    return _wrong_end(test, asked, record, numbers, swept[0])


def _wrong_end(test: Test, asked: Optional[int], record: Record, numbers: List[int], swept: Swept
               ) -> Optional[Finding]:
    if not numbers and (test.fail_nth or swept.asked):
        return _not_swept("it did not run again")
    if asked:
        return None
    if test.fail_nth and not swept.asked and len(numbers) == 1:
        return _not_swept("it has .fail_nth, and allocates nothing")
    was_denied = len(record.all(Denied)) == len(numbers)
    if numbers and was_denied and (test.fail_nth or len(numbers) != UNDECLARED_RUNS):
        return _not_swept("its runs ended before one came to its end without a failure")
    if test.fail_nth and len(numbers) > test.fail_nth + 1:
        return _not_swept(f"more than {test.fail_nth} allocations, which is its .fail_nth")
    return None


def _not_swept(sentence: str) -> Finding:
    return Finding(Cause.NOT_SWEPT, sentence)


def describe_sweep(record: Record) -> str:
    """Of a test that passed; nothing if it ran once, as most do."""
    numbers = [event.nth for event in record.all(Rerun)]
    denied = len(record.all(Denied))
    if not numbers:
        return ""
    if not denied:
        asked = record.all(Swept)[0].asked if record.all(Swept) else 0
        return f"there is no allocation {numbers[-1]}: it makes {asked}"
    if numbers[0] > 1:
        return f"well with allocation {numbers[0]} failing"
    if denied == len(numbers):
        return f"well with each of its first {denied} allocations failing"
    return f"well with each of its {denied} allocations failing" if denied > 1 else (
        "well with its only allocation failing")
