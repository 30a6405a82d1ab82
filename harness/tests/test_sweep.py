# SPDX-License-Identifier: MIT
"""Tests with an allocation that fails: what is told of them. How kernels lie: test_lies.py."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple
from xml.etree import ElementTree as xml

import pytest

from judge import cli
from judge.card import Cards
from judge.elf import Image
from judge.evidence import Record, Result
from judge.model import Cause, Finding, Scene, Test, Verdict
from judge.protocol import (Broken, Denied, Event, Note, Param, Parser, Rerun, Swept,
                            Totals)
from judge.sweep import describe_sweep
from tests import stream
from tests.conftest import address_of

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]


def run(kernel: Path, qemu: str, *arguments: str) -> int:
    return cli.main(["--kernel", str(kernel), "--qemu", qemu, "--allow-skip", "alpha.skips",
                     *arguments])


def report(kernel: Path, qemu: str, folder: Path, *arguments: str) -> Tuple[int, Dict[str, Any]]:
    path = folder / "report.json"
    status = run(kernel, qemu, "--json", str(path), *arguments)
    return status, {test["name"]: test for test in json.loads(path.read_text())["tests"]}


def test_a_pass_says_how_many_allocations_have_failed(kernel: Path, fake_qemu: FakeQemu,
                                                      capsys: Capture, tmp_path: Path) -> None:
    _, tests = report(kernel, fake_qemu("honest"), tmp_path, "memory.*", "alpha.one", "-v")
    words = "well with each of its 2 allocations failing"
    assert f"memory.runs_out... pass ({words})" in capsys.readouterr().out
    assert tests["memory.runs_out"]["sentence"] == words
    assert tests["memory.runs_out"]["sweep"] == {
        "runs": 3, "failed": 2, "complete": True, "allocation": None, "caller": None}
    assert "sweep" not in tests["alpha.one"]


def test_the_option_is_for_all_tests_that_return(kernel: Path, fake_qemu: FakeQemu,
                                                 tmp_path: Path, capsys: Capture) -> None:
    status, tests = report(kernel, fake_qemu("honest"), tmp_path, "--fail-nth")
    assert status == 0 and "each allocation failing once)" in capsys.readouterr().out
    swept = {name for name, test in tests.items() if "sweep" in test}
    assert swept == {name for name, test in tests.items()
                     if test["outcome"] == "pass" and test["known_bug"] is None
                     and name != "alpha.skips"}


@pytest.mark.parametrize("nth, words", [
    (2, "well with allocation 2 failing"), (7, "there is no allocation 7: it makes 2")])
def test_one_allocation_alone(nth: int, words: str, kernel: Path, fake_qemu: FakeQemu,
                              tmp_path: Path, capsys: Capture) -> None:
    status, tests = report(kernel, fake_qemu("honest"), tmp_path, "memory.*", f"--fail-nth={nth}")
    assert status == 0 and f"allocation {nth} failing once)" in capsys.readouterr().out
    assert tests["memory.runs_out"]["sentence"] == words
    assert tests["memory.runs_out"]["sweep"]["runs"] == 1


def test_a_kernel_that_ignores_the_option_does_not_pass(
        kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.runner._failing", lambda nth: "")
    status, tests = report(kernel, fake_qemu("honest"), tmp_path, "alpha.*", "--fail-nth")
    assert status == 1
    assert tests["alpha.one"]["cause"] == "not-swept"


def test_who_names_a_test_that_runs_once_is_told(kernel: Path, fake_qemu: FakeQemu,
                                                 capsys: Capture) -> None:
    words = "panics.as_declared runs once, as always, for it declares another end than to return."
    for glob, is_told in (("panics.as_declared", True), ("as_declared", True), ("panics.*", False)):
        assert run(kernel, fake_qemu("honest"), "--fail-nth", glob) == 0
        assert (words in capsys.readouterr().out) == is_told


def test_the_list_says_which_tests_are_run_so(kernel: Path, capsys: Capture, tmp_path: Path
                                              ) -> None:
    path = tmp_path / "list.json"
    assert cli.main(["--kernel", str(kernel), "--list", "-v", "memory.*", "--json", str(path)]) == 0
    assert "each of up to 3 allocations fails once" in capsys.readouterr().out
    assert json.loads(path.read_text())["tests"][0]["fail_nth"] == 3


def test_a_log_may_be_of_such_a_run(kernel: Path, image: Image, rows: List[Dict[str, Any]],
                                    tmp_path: Path) -> None:
    one = [{**row, "sweeps": True} for row in rows if row["name"] == "alpha.one"]
    log = tmp_path / "a.log"
    log.write_bytes(stream.to_bytes(stream.sealed(
        stream.good_lines(one, len(image.tests), "n", image.build_id))))
    words = ["parse", str(log), "--kernel", str(kernel), "alpha.one"]
    assert cli.main(words) == 1, "nobody had asked for it"
    assert cli.main([*words, "--told", "ktest.fail_nth=all"]) == 0
    assert cli.main([*words, "--fail-nth"]) == 0


# --- Failures -------------------------------------------------------------------------------------


def test_each_report_says_which_allocation_failed(kernel: Path, image: Image, fake_qemu: FakeQemu,
                                                  tmp_path: Path, capsys: Capture) -> None:
    junit = tmp_path / "junit.xml"
    status, tests = report(kernel, fake_qemu("fails_without_memory"), tmp_path, "memory.*",
                           "--junit", str(junit))
    card = capsys.readouterr().out
    words = "with allocation 2 failing: EXPECT n == 5: 4 against 5"
    assert status == 1 and f"FAIL memory.runs_out: {words}" in card
    assert "\n  allocation 2 failed, asked for by _start+0x" in card
    assert card.count("  repeat ") == 1 and "--test memory.runs_out --fail-nth=2\n" in card
    assert tests["memory.runs_out"]["sentence"] == words
    assert tests["memory.runs_out"]["sweep"] == {
        "runs": 2, "failed": 2, "complete": False, "allocation": 2,
        "caller": address_of(image, "_start") + 10}
    failure = xml.parse(junit).getroot().find(".//failure")
    assert failure is not None and failure.get("message") == words
    assert "asked for by _start+0x" in str(failure.text)


def test_tap_has_the_card(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    run(kernel, fake_qemu("fails_without_memory"), "memory.*", "--tap")
    assert "#   allocation 2 failed, asked for by _start+0x" in capsys.readouterr().out


def test_the_command_to_repeat_names_one_allocation(kernel: Path, fake_qemu: FakeQemu,
                                                    capsys: Capture) -> None:
    run(kernel, fake_qemu("fails_without_memory"), "memory.*", "--fail-nth")
    repeat = re.search("\n  repeat (.*)\n", capsys.readouterr().out)
    assert repeat is not None and re.findall(r"--fail-nth\S*", repeat[1]) == ["--fail-nth=2"]


@pytest.mark.parametrize("per_run, is_fine", [(20, True), (21, False)])
def test_each_run_may_write_as_much_as_a_test(per_run: int, is_fine: bool) -> None:
    notes = per_run * ["    #:ktest_note text=well"]
    test: stream.Test = {"name": "s.t", "test": "t", "suite": "s", "outcome": "pass", "caller": 7}
    inside = [*notes, *stream.rerun_lines(test, 1), *notes, *stream.rerun_lines(test, 2, False),
              *notes, stream.swept_line(test, 2, 1)]
    lines = ["KTAP version 1", "#:ktest_run protocol=2 nonce=n build_id= tests=1 selected=1 "
             "seed=none", "1..1", "    KTAP version 1", "    # Subtest: s", "    1..1",
             *stream.test_lines(1, test, inside=inside), "ok 1 s"]
    last = Parser().feed(stream.to_bytes(stream.sealed(lines)))[-1]
    assert isinstance(last, Totals if is_fine else Broken), last


def test_a_machine_that_dies_so_has_said_in_which_run(kernel: Path, fake_qemu: FakeQemu,
                                                      capsys: Capture) -> None:
    run(kernel, fake_qemu("triple_fault_without_memory"), "memory.*")
    card = capsys.readouterr().out
    assert "FAIL memory.runs_out: with allocation 2 failing: triple fault" in card
    assert "allocation 2 failed, asked for by _start+0x" in card


def lines(image: Image, *events: Event) -> List[str]:
    record = Record("s.t", events, True)
    found = Result(Test("s", "t", "a.c", 7), Verdict.FAIL, Finding(Cause.REPORTED, "it leaks"),
                   record, Scene(1))
    return list(Cards(image, False, ["harness/run.py"]).lines(found))


def test_only_the_last_run_is_of_interest(image: Image) -> None:
    shown = lines(image, Param("seven"), Note("first"), Rerun("s.t", 1), Denied(1, 0),
                  Note("second"), Rerun("s.t", 2), Note("third"))
    assert [line for line in shown if "note" in line] == ["  note       third"]
    assert "  parameter  seven" in shown
    assert "  allocation 2 had to fail, but was not asked for yet" in shown


def test_behind_all_runs_none_is_to_blame(image: Image) -> None:
    shown = lines(image, Note("first"), Rerun("s.t", 1), Swept("s.t", 1, 0), Note("last"))
    assert not [line for line in shown if "allocation" in line or "fail-nth" in line]
    assert "  note       first" in shown and "  note       last" in shown


@pytest.mark.parametrize("denied, is_clean, words", [
    (0, False, ""), (1, True, "well with its only allocation failing"),
    (100, False, "well with each of its first 100 allocations failing")])
def test_a_sweep_in_words(denied: int, is_clean: bool, words: str) -> None:
    events: List[Event] = []
    for nth in range(1, denied + 1):
        events += [Rerun("s.t", nth), Denied(nth, 0)]
    events += [Rerun("s.t", denied + 1)] if is_clean else []
    events += [Swept("s.t", denied + is_clean, denied)]
    assert describe_sweep(Record("s.t", tuple(events), True)) == words
