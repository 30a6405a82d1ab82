# SPDX-License-Identifier: MIT
"""The slowest tests and boots."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, List

import pytest

from judge import cli
from judge.durations import duration_lines, seconds_of
from judge.evidence import Record, Result
from judge.model import Scene, Test, Verdict
from judge.protocol import TestEnded

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]


def result(name: str, cycles: int, boot: int, seconds: float) -> Result:
    end = TestEnded(f"s.{name}", Verdict.PASS, 1, cycles, 0, 0, "")
    record = Record(f"s.{name}", (end,) if cycles else (), bool(cycles))
    return Result(Test("s", name), Verdict.PASS, None, record, Scene(boot, seconds=seconds))


RESULTS = [result("a", 900, 1, 0.25), result("b", 12_345, 1, 0.25), result("dies", 0, 2, 1.5),
           result("c", 900, 3, 0.125)]


@pytest.mark.parametrize("count, expected", [
    (2, ["cycles  slowest first, 2 of 3 tests", "12,345  s.b", "   900  s.a",
         "seconds  slowest first, 2 of 3 boots", "  1.500  s.dies", "  0.250  s.a and 1 other"]),
    (0, ["cycles  slowest first, 3 of 3 tests", "12,345  s.b", "   900  s.a", "   900  s.c",
         "seconds  slowest first, 3 of 3 boots", "  1.500  s.dies", "  0.250  s.a and 1 other",
         "  0.125  s.c"])])
def test_the_slowest_come_first(count: int, expected: List[str]) -> None:
    assert list(duration_lines(RESULTS, count)) == expected


def test_the_seconds_of_a_boot_are_shared_by_cycles() -> None:
    seconds = {test.name: each for test, each in seconds_of(RESULTS).items()}
    assert seconds["a"] + seconds["b"] == pytest.approx(0.25)
    assert seconds["b"] / seconds["a"] == pytest.approx(12_345 / 900)
    assert (seconds["dies"], seconds["c"]) == (1.5, 0.125)


def test_a_test_without_end_took_all_of_its_boot() -> None:
    dead = [result("a", 900, 1, 35.0), result("hangs", 0, 1, 35.0)]
    assert list(seconds_of(dead).values()) == [0.0, 35.0]
    troubled = [result("a", 0, 1, 3.0), result("b", 0, 1, 3.0)]
    assert list(seconds_of(troubled).values()) == [1.5, 1.5]
    assert list(seconds_of([Result(Test("s", "t"), Verdict.ERROR)]).values()) == [0.0]


def test_nothing_took_any_time() -> None:
    assert not list(duration_lines([], 3))
    assert list(duration_lines(RESULTS[2:3], 3)) == ["seconds  slowest first, the boot",
                                                     "  1.500  s.dies"]


def test_durations_of_a_run(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture
                            ) -> None:
    report = tmp_path / "report.json"
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("honest"), "--durations", "1",
                     "--json", str(report), "write_to_rodata", "stack_overflow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == ["cycles  slowest first, 1 of 2 tests", " 1,200  faults.stack_overflow"]
    assert lines[4] == "seconds  slowest first, the boot"
    seconds = json.loads(report.read_text())["tests"][0]["boot_seconds"]
    assert lines[5] == f"{seconds:7.3f}  faults.stack_overflow and 1 other"
