# SPDX-License-Identifier: MIT
"""What took longest: tests by the guest's own clock, boots by the clock on the wall.

A test is measured in cycles of the CPU's counter, as only the guest knows when it began; a boot in
seconds from the start of QEMU to its verdicts. Of several rounds, the reported results count.
"""
from __future__ import annotations

from typing import Dict, Iterator, List, Sequence, Tuple

from .evidence import Result
from .model import Test

Row = Tuple[str, str]  # a figure, and what it belongs to


def duration_lines(results: Sequence[Result], count: int) -> Iterator[str]:
    """Two tables of so many lines; 0 stands for all of them."""
    yield from _table("test", "cycles", _tests(results), count)
    yield from _table("boot", "seconds", _boots(results), count)


def seconds_of(results: Sequence[Result]) -> Dict[Test, float]:
    """What each test took of its boot's seconds, from the start of QEMU on, so that they add up.

    Only cycles tell one test of a boot from another. One that never came to an end has none: the
    whole boot is put down to it, as what the others took is next to nothing beside a hang."""
    seconds = {result.test: 0.0 for result in results}
    for group in _by_boot(results):
        cycles = [result.record.end.cycles if result.record and result.record.end else None
                  for result in group]
        weights = [float(each is None) if None in cycles else float(each or 0) for each in cycles]
        total = sum(weights)
        for result, weight in zip(group, weights):
            assert result.scene is not None
            share = weight / total if total else 1 / len(group)
            seconds[result.test] = share * result.scene.seconds
    return seconds


def _table(what: str, unit: str, rows: List[Row], count: int) -> Iterator[str]:
    shown = rows[:count or None]
    if not shown:
        return
    width = max(len(unit), *(len(figure) for figure, _ in shown))
    number = f"{len(shown)} of {len(rows)} {what}s" if len(rows) > 1 else f"the {what}"
    yield f"{unit:>{width}}  slowest first, {number}"
    for figure, name in shown:
        yield f"{figure:>{width}}  {name}"


def _tests(results: Sequence[Result]) -> List[Row]:
    """Without those that never came to an end of their own."""
    ends = [(result.record.end.cycles, result.test.full_name)
            for result in results if result.record and result.record.end]
    return [(f"{cycles:,}", name) for cycles, name in sorted(ends, key=_slowest_first)]


def _boots(results: Sequence[Result]) -> List[Row]:
    boots = [(group[0].scene.seconds if group[0].scene else 0.0, _of_boot(group))
             for group in _by_boot(results)]
    return [(f"{seconds:.3f}", words) for seconds, words in sorted(boots, key=_slowest_first)]


def _by_boot(results: Sequence[Result]) -> List[List[Result]]:
    members: Dict[int, List[Result]] = {}
    for result in results:
        if result.scene is not None:
            members.setdefault(result.scene.number, []).append(result)
    return list(members.values())


def _slowest_first(row: Tuple[float, str]) -> Tuple[float, str]:
    return -row[0], row[1]


def _of_boot(group: Sequence[Result]) -> str:
    name = group[0].test.full_name
    others = len(group) - 1
    return f"{name} and {others} other{'s' * (others > 1)}" if others else name
