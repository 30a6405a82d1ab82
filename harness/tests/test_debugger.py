# SPDX-License-Identifier: MIT
"""Runs under gdb, with a QEMU and a gdb that are none: who waits for whom, and what gdb is told.

kernel/host_tests/test_gdb.py has the real ones.
"""
from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable, List, Sequence

import pytest

from judge import cli, gdb_script, options, watch
from judge.elf import Image
from judge.evidence import Record, Result
from judge.gdb_script import Culprit, culprit_of
from judge.machine import BootWay, Machine
from judge.model import Cause, Finding, Outcome, OutcomeKind, Refusal, Test, Verdict
from judge.protocol import CheckFailed, Event, Fault, Hang, Panic
from tests.conftest import HERE

FakeQemu = Callable[..., str]
Capture = pytest.CaptureFixture[str]


# As with -S: nothing is said before gdb is there.
WAITING_QEMU = """#!{python} -S
import os, sys, time
sys.path.insert(0, {harness!r})
from tests import fake_qemu
say = fake_qemu.Play.say
def say_later(play, data):
    while not os.path.exists({commands!r}):
        time.sleep(0.01)
    say(play, data)
is_debugged = "-gdb" in sys.argv
if is_debugged:
    fake_qemu.Play.say = say_later
sys.argv.insert(1, {later!r} if is_debugged else {scenario!r})
fake_qemu.main()
"""


@pytest.fixture
def fake_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeQemu:
    def make(scenario: str, later: str = "") -> str:
        script = tmp_path / "qemu"
        script.write_text(WAITING_QEMU.format(
            python=sys.executable, harness=str(HERE.parent), scenario=scenario,
            commands=str(tmp_path / "commands"), later=later or scenario))
        script.chmod(0o755)
        return str(script)
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "runs"))
    return make


@pytest.fixture
def fake_gdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A gdb that keeps its commands, and then does what this shell script says."""
    def make(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "gdb").write_text(f'#!/bin/sh\ncp "$3" {tmp_path}/commands\n{script}\n')
        (folder / "gdb").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return tmp_path / "commands"
    return make


def main(kernel: Path, qemu: str, *arguments: str) -> int:
    return cli.main(["--kernel", str(kernel), "--qemu", qemu, "--allow-skip", "alpha.skips",
                     *arguments])


# --- --gdb ----------------------------------------------------------------------------------------


def test_a_kernel_that_ends_under_gdb_is_judged(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                                fake_gdb: Callable[[str], Path]) -> None:
    commands = fake_gdb("sleep 0.2")
    report = tmp_path / "report.json"
    assert main(kernel, fake_qemu("honest"), "--gdb", "--json", str(report), "--keep",
                "alpha.*") == 0
    data = json.loads(report.read_text())
    assert data["counts"]["pass"] == 2 and data["unchecked"] == []
    words = (Path(data["tests"][0]["artifacts"]) / "command").read_text()
    assert " -S " in words and "server=on,wait=off -gdb chardev:gdb" in words
    assert "tcp" not in words and "nonce" in words
    assert "ktest.timeout_ms=1000000000" in words, "its watchdog waits as well"
    assert "target remote " in commands.read_text()


@pytest.mark.parametrize("script, words", [
    ("exit 0", "the run was left in gdb"), ("sleep 1; exit 1", "the run was left in gdb")])
def test_a_run_may_be_left_in_gdb(script: str, words: str, kernel: Path, fake_qemu: FakeQemu,
                                  tmp_path: Path, fake_gdb: Callable[[str], Path],
                                  monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """And no deadline runs before: neither of the test nor of the boot."""
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.0)
    fake_gdb(script)
    report = tmp_path / "report.json"
    assert main(kernel, fake_qemu("hang_in_test"), "--gdb", "--json", str(report), "--timeout",
                "0.1", "alpha.*", "panics.*") == cli.INTERRUPTED
    captured = capsys.readouterr()
    assert words in captured.err and "Interrupted; what the machine said" in captured.out
    assert json.loads(report.read_text())["complete"] is False


def test_ctrl_c_belongs_to_gdb(kernel: Path, fake_qemu: FakeQemu,
                               fake_gdb: Callable[[str], Path]) -> None:
    fake_gdb("kill -INT $PPID; sleep 0.2; kill -INT $PPID; sleep 0.2")
    assert main(kernel, fake_qemu("honest"), "--gdb", "alpha.*") == 0


def test_what_a_run_under_gdb_leaves_out_is_no_success(kernel: Path, fake_qemu: FakeQemu,
                                                       tmp_path: Path,
                                                       fake_gdb: Callable[[str], Path]) -> None:
    fake_gdb("sleep 0.1")
    report = tmp_path / "report.json"
    assert main(kernel, fake_qemu("restarts"), "--gdb", "--json", str(report), "alpha.*") == 1
    data = json.loads(report.read_text())
    assert data["boots"] == 1
    assert [test["cause"] for test in data["tests"]] == [None, "not-run", "not-run"]


def test_several_boots_are_too_many(kernel: Path, fake_qemu: FakeQemu,
                                    fake_gdb: Callable[[str], Path], capsys: Capture) -> None:
    fake_gdb("exit 0")
    qemu = fake_qemu("honest")
    assert main(kernel, qemu, "--gdb", "alpha.*", "--isolate", "boot") == options.USAGE
    assert main(kernel, qemu, "--gdb") == options.USAGE
    assert "gdb follows one boot, and these tests need 3" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--gdb", "--gdb-on-failure"])
def test_without_gdb(option: str, kernel: Path, fake_qemu: FakeQemu, capsys: Capture,
                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.debugger.GDB", "no-such-gdb")
    assert main(kernel, fake_qemu("honest"), option, "alpha.*") == 99
    assert capsys.readouterr().err == "faultline: There is no gdb: apt install gdb.\n"


@pytest.mark.parametrize("arguments, other", [
    (["--gdb", "--list"], "--list"), (["--gdb", "--tap"], "--tap"),
    (["--gdb", "--repeat", "2"], "--repeat"), (["--gdb", "-j", "2"], "-j"),
    (["--gdb", "--until-fail"], "--until-fail"), (["--gdb", "--json", "-"], "--json -"),
    (["--gdb", "--bisect-order"], "--bisect-order"), (["--gdb", "--attach", "x"], "--attach"),
    (["--gdb", "--gdb-on-failure"], "--gdb-on-failure"),
    (["--gdb-on-failure", "--tap"], "--tap"), (["parse", "x", "--gdb-on-failure"], "parse")])
def test_gdb_goes_without(arguments: List[str], other: str, capsys: Capture) -> None:
    assert cli.main(arguments) == options.USAGE
    error = capsys.readouterr().err
    assert f"it goes without {other} (see" in error and error.count("\n") == 1


@pytest.mark.parametrize("way, words", [
    (BootWay.DIRECT, "thbreak *0x10005d\n"),
    (BootWay.GRUB, "thbreak *0x100040 if (unsigned int)$rax == 0x36d76289\n")])
def test_gdb_stops_where_the_loader_enters(way: BootWay, words: str, image: Image,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """GRUB has had code of its own there, without the magic number."""
    monkeypatch.setattr(image, "entry", 0x100040)
    monkeypatch.setattr(Image, "pvh_entry", 0x10005D)
    machine = Machine(Path("k"), Path("i"), way=way)
    test = next(test for test in image.tests if test.full_name == "alpha.one")
    script = gdb_script.script_of_entry(image, machine, [test], Path("/tmp/a folder"))
    assert f"target remote /tmp/a folder/gdb\n{words}continue\nthbreak ktest_run_alpha__one\n" in (
        script)
    assert "shell tail -n 25 '/tmp/a folder/console.log'" in script
    assert "ktest_run" not in gdb_script.script_of_entry(image, machine, image.tests, Path("/"))


# --- --gdb-on-failure -----------------------------------------------------------------------------


def test_the_failing_test_runs_once_more_under_gdb(kernel: Path, fake_qemu: FakeQemu,
                                                   tmp_path: Path, capsys: Capture,
                                                   fake_gdb: Callable[[str], Path],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdb_script, "_has", lambda image, name: name != "trap_common")
    monkeypatch.setattr("judge.debugger.EXIT_SECONDS", 0.1)
    monkeypatch.setattr(gdb_script, "_function", lambda image, test: [])
    commands = fake_gdb("exit 0")
    assert main(kernel, fake_qemu("a_check_fails"), "--gdb-on-failure", "alpha.*") == 1
    captured = capsys.readouterr()
    assert "FAIL alpha.one" in captured.out
    assert "alpha.one runs once more, alone, under gdb" in captured.err
    assert "left in gdb" not in captured.err, "that is what it is for"
    assert f"*(unsigned int *)($rdi + 12) == 0x{0x63656863:x}" in commands.read_text()
    assert len(list((tmp_path / "runs").iterdir())) == 1, "of the second run nothing is kept"


def test_nothing_to_show(kernel: Path, fake_qemu: FakeQemu, fake_gdb: Callable[[str], Path],
                         capsys: Capture) -> None:
    fake_gdb("exit 0")
    assert main(kernel, fake_qemu("honest"), "--gdb-on-failure", "alpha.*") == 0
    assert capsys.readouterr().err == ""


def test_a_boot_that_went_wrong_is_nothing_for_gdb(kernel: Path, fake_qemu: FakeQemu,
                                                   fake_gdb: Callable[[str], Path],
                                                   capsys: Capture) -> None:
    commands = fake_gdb("exit 0")
    assert main(kernel, fake_qemu("wrong_nonce"), "--gdb-on-failure", "alpha.*") == 99
    assert "gdb has nothing to show" in capsys.readouterr().err and not commands.exists()


def test_a_failure_that_does_not_show_alone(kernel: Path, fake_qemu: FakeQemu,
                                            fake_gdb: Callable[[str], Path], capsys: Capture,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdb_script, "_has", lambda image, name: True)
    monkeypatch.setattr(gdb_script, "_function", lambda image, test: [])
    fake_gdb("sleep 0.3")
    assert main(kernel, fake_qemu("a_check_fails", "honest"), "--gdb-on-failure",
                "alpha.*") == 1
    assert "passes when it runs alone: what runs before it matters" in capsys.readouterr().err


def test_a_kernel_without_these_functions(image: Image) -> None:
    with pytest.raises(Refusal, match="no function stream_begin"):
        gdb_script.script_of_failure(image, Machine(Path("k"), Path("i")), image.tests[0],
                                     Culprit(), Path("/"))


CHECK: Event = CheckFailed("expect", "f", 1, "", "", "", "", "", "")
FAULT: Event = Fault(14, 0, 0, 8, 0, 0, 0, 0, 0, "")
PANIC: Event = Panic("", "", 0, "")
HANG: Event = Hang(1, 0, 0, 0)
PLAIN, FAULTS = Outcome(), Outcome(OutcomeKind.FAULT)


@pytest.mark.parametrize("outcome, cause, events, expected", [
    (PLAIN, Cause.ASSERTION, [CHECK, CHECK], Culprit(b"chec")),
    (PLAIN, Cause.FAULT, [FAULT], Culprit(b"faul")),
    (PLAIN, Cause.ASSERTION, [FAULT, CHECK], Culprit(b"faul")),
    (PLAIN, Cause.PANIC, [PANIC], Culprit(b"pani")),
    (PLAIN, Cause.HANG, [HANG], Culprit(b"hang")),
    (PLAIN, Cause.HANG, [], Culprit(is_silent=True)),
    (PLAIN, Cause.TRIPLE_FAULT, [], Culprit(is_death=True)),
    (PLAIN, Cause.TRIPLE_FAULT, [CHECK], Culprit(is_death=True)),
    (PLAIN, Cause.NO_CHECKS, [], Culprit()),
    (FAULTS, Cause.WRONG_FAULT, [FAULT], Culprit(b"faul")),
    (FAULTS, Cause.UNARMED, [FAULT], Culprit(b"faul")),
    (FAULTS, Cause.AFTERMATH, [FAULT, FAULT], Culprit(b"faul", 1)),
    (FAULTS, Cause.AFTERMATH, [FAULT, PANIC], Culprit(b"pani")),
    (FAULTS, Cause.ASSERTION, [FAULT, CHECK], Culprit(b"chec")),
    (FAULTS, Cause.FAULT_MISSING, [PANIC], Culprit(b"pani")),
    (FAULTS, Cause.FAULT_MISSING, [], Culprit()),
])
def test_gdb_stops_at_what_failed(outcome: Outcome, cause: Cause, events: Sequence[Event],
                                  expected: Culprit) -> None:
    """And not at the end that was declared."""
    test = replace(Test("s", "t"), outcome=outcome)
    result = Result(test, Verdict.FAIL, Finding(cause, ""), Record("s.t", tuple(events), True))
    assert culprit_of(result) == expected
