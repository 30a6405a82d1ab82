# SPDX-License-Identifier: MIT
"""Boots side by side: the same judgements in the same order, and nothing left behind."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from judge import cli, crew
from judge.crew import Chain, Crew
from judge.evidence import Judgement, Result
from judge.model import Test, Verdict
from judge.qemu import Wish
from tests.conftest import HERE
from tests.proves import proves
from tests.test_process import PATIENCE_SECONDS, is_alive, wait_until

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]


class Stage:
    """Chains that end when they are told to, and what became of them."""

    def __init__(self) -> None:
        self.log: List[str] = []

    def chain(self, name: str, *seconds: float) -> Chain:
        """A judgement behind each wait."""
        self.log.append(f"{name} starts")
        try:
            for number, each in enumerate(seconds):
                yield Wish(-1, time.monotonic() + each)
                yield judgement(f"{name}{number}")
            self.log.append(f"{name} ends")
        except GeneratorExit:
            self.log.append(f"{name} is closed")
            raise


def judgement(name: str) -> Judgement:
    return Judgement((Result(Test("s", name), Verdict.PASS),))


def names(crew: Crew) -> List[Tuple[int, str]]:
    return [(place, each.results[0].test.name) for place, each in crew.judgements()]


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_judgements_come_in_the_order_of_the_chains(size: int) -> None:
    stage = Stage()
    chains = [stage.chain("a", 0.02, 0.01), stage.chain("b", 0.0), stage.chain("c", 0.01, 0.0)]
    assert names(Crew(chains, size, lambda _: False)) == [
        (0, "a0"), (0, "a1"), (1, "b0"), (2, "c0"), (2, "c1")]
    starts = [index for index, line in enumerate(stage.log) if line.endswith("starts")]
    assert starts == ([0, 2, 4] if size == 1 else [0, 1, 3] if size == 2 else [0, 1, 2])


@pytest.mark.parametrize("size", [1, 3])
def test_behind_the_last_one_nothing_is_told(size: int) -> None:
    """b is the last, and has it told long before a is over; c was on its way."""
    stage = Stage()
    chains = [stage.chain("a", 0.03), stage.chain("b", 0.0, 0.0), stage.chain("c", 9.0),
              stage.chain("d", 9.0)]
    crew = Crew(chains, size, lambda each: each.results[0].test.name == "b0")
    assert names(crew) == [(0, "a0"), (1, "b0")]
    assert "b is closed" in stage.log and "d starts" not in stage.log
    assert ("c is closed" in stage.log) is (size == 3)


def test_a_crew_is_dismissed() -> None:
    stage = Stage()
    crew = Crew([stage.chain("a", 0.01, 9.0), stage.chain("b", 0.0), stage.chain("c", 9.0)], 3,
                lambda _: False)
    judgements = crew.judgements()
    assert next(judgements)[0] == 0
    judgements.close()
    assert stage.log[3:] == ["b ends", "a is closed", "c is closed"]
    assert [each.results[0].test.name for each in crew.leftovers()] == ["b0"]


def test_what_can_be_read_is_not_waited_for() -> None:
    reader, writer = os.pipe()

    def patient() -> Chain:
        os.write(writer, b"x")
        yield Wish(reader, time.monotonic() + 60.0)
        yield judgement("a")
    began = time.monotonic()
    assert names(Crew([patient()], 1, lambda _: False)) == [(0, "a")]
    assert time.monotonic() - began < 30.0
    os.close(reader)
    os.close(writer)


def test_signal_that_wakes_nobody_is_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes between the look for signals and the call of the system."""
    asked: List[int] = []

    class Sleeper:
        """Time passes only here, as much as is asked for."""

        def register(self, *_: int) -> None:
            pass

        def poll(self, milliseconds: int) -> List[Tuple[int, int]]:
            asked.append(milliseconds)
            return []

    monkeypatch.setattr("select.poll", Sleeper)
    monkeypatch.setattr("time.monotonic", lambda: sum(asked) / 1000)
    assert crew.wait_for({0}, 10.5) == set()
    assert sum(asked) == 10_500 and max(asked) <= 1000


# --- Runs -----------------------------------------------------------------------------------------


def report_of(kernel: Path, qemu: str, jobs: int, folder: Path, capsys: Capture, *arguments: str
              ) -> Tuple[int, str, Dict[str, Any]]:
    report = folder / "report.json"
    status = cli.main(["--kernel", str(kernel), "--qemu", qemu, "-v", "-j", str(jobs), "--json",
                       str(report), *arguments])
    data = json.loads(report.read_text())
    for each in (data, *data["tests"]):  # what differs from run to run
        for key in ("seconds", "boot_seconds", "artifacts", "command", "rounds"):
            each.pop(key, None)
    lines = [line for line in capsys.readouterr().out.splitlines()
             if not re.match(r"  (command|artifacts) |\d+ passed", line)]
    return status, "\n".join(lines), data


@pytest.mark.parametrize("scenario, arguments, status", [
    ("a_check_fails", ("--isolate", "boot", "alpha.*", "endings.takes_the*"), 1),
    ("every_test_dies", ("alpha.*", "panics.*", "screen.*", "endings.takes_the*"), 1),
    ("wrong_build_id", ("--isolate", "boot", "alpha.*"), 99),
    ("a_check_fails", ("--isolate", "boot", "-x", "alpha.*", "panics.*"), 1)])
def test_side_by_side_the_reports_are_the_same(scenario: str, arguments: Tuple[str, ...],
                                               status: int, kernel: Path, fake_qemu: FakeQemu,
                                               tmp_path: Path, capsys: Capture) -> None:
    qemu = fake_qemu(scenario)
    one = report_of(kernel, qemu, 1, tmp_path, capsys, *arguments)
    four = report_of(kernel, qemu, 4, tmp_path, capsys, *arguments)
    assert one[0] == four[0] == status and one[1] == four[1]
    one[2].pop("boots"), four[2].pop("boots")  # some may have begun that nobody needs any more
    assert one[2] == four[2]
    left = {each["artifacts"] for each in json.loads(
        (tmp_path / "report.json").read_text())["tests"] if each.get("artifacts")}
    assert {str(path) for path in (tmp_path / "runs").iterdir()} >= left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@proves("4.4.1")
def test_none_of_several_is_left_behind(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                        number: signal.Signals) -> None:
    """Three hang, and a fourth is over: what is known of it is in the report of an interruption."""
    report, folder = tmp_path / "report.json", tmp_path / "runs"
    harness = subprocess.Popen(
        [sys.executable, str(HERE.parent / "run.py"), "--kernel", str(kernel), "-j", "4",
         "--isolate", "boot", "--qemu", fake_qemu("dies_or_hangs"), "--json", str(report),
         "alpha.*", "endings.takes_the*"],
        env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True)
    children: List[str] = []
    stats: List[str] = []

    def is_at_rest() -> bool:
        """The harness sleeps, and has used no CPU for ten looks: what it knows is written down."""
        fields = Path(f"/proc/{harness.pid}/stat").read_text().rpartition(")")[2].split()
        stats.append(" ".join([fields[0], *fields[11:13]]))
        return len(stats) > 10 and set(stats[-10:]) == {stats[-1]} and stats[-1][0] == "S"

    def hang() -> bool:
        children[:] = Path(f"/proc/{harness.pid}/task/{harness.pid}/children").read_text().split()
        said = [log.stat().st_size for log in folder.glob("*/protocol.log")]
        has_fourth = (folder / "died").exists() and len(list(folder.glob("faultline-*"))) == 3
        return has_fourth and len(children) == 3 and len(said) == 3 and all(said)

    wait_until(lambda: is_at_rest() and hang())
    harness.send_signal(number)
    assert harness.wait(PATIENCE_SECONDS) in (cli.INTERRUPTED, -signal.SIGKILL)
    wait_until(lambda: not any(is_alive(int(child)) for child in children))
    data = json.loads(report.read_text())
    assert data["complete"] is False
    assert harness.stdout is not None
    output = harness.stdout.read()
    if number is signal.SIGINT:
        assert output.count(str(folder)) == 3 and "Interrupted: 1 passed" in output
        assert [test["name"] for test in data["tests"]] == ["endings.takes_the_machine_down"]
