# SPDX-License-Identifier: MIT
"""Runs that can be repeated to the byte."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Callable, List

import pytest

from judge import cli, exact
from judge.machine import BootWay, Machine
from judge.model import Accel, Inject, Needs, Test
from judge.runner import plan

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]
MACHINE = Machine(Path("/k.elf"), Path("/k.iso"), qemu="sh", seed=7, has_loader=True)


def command(machine: Machine, is_encore: bool = False) -> List[str]:
    return machine.command(Path("/run,1"), "a=b", Needs(0), is_encore=is_encore)


def value(words: List[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_the_machine_counts_and_takes_nothing_from_the_host() -> None:
    words = command(MACHINE)
    assert MACHINE.accelerator is Accel.ICOUNT
    assert value(words, "-icount") == ("shift=0,sleep=off,rr=record,"
                                       "rrfile=/run,,1/replay.bin")
    assert value(words, "-rtc").endswith(",clock=vm") and value(words, "-seed") == "7"
    usual = replace(MACHINE, seed=None)
    assert not {"-icount", "-rtc", "-seed"} & set(command(usual))
    assert usual.accelerator is Accel.TCG


@pytest.mark.parametrize("machine", [replace(MACHINE, way=BootWay.GRUB),
                                     replace(MACHINE, is_disturbed=True)])
def test_what_the_host_has_a_part_in_is_counted_only(machine: Machine) -> None:
    assert not machine.is_exact
    assert value(command(machine), "-icount") == "shift=0,sleep=off"


def test_an_encore_has_other_words_and_is_not_recorded() -> None:
    assert "rr=" not in value(command(MACHINE, is_encore=True), "-icount")


def test_what_the_harness_injects_has_a_boot_of_its_own() -> None:
    tests = [Test("s", "a"), Test("s", "b", inject=Inject.NMI), Test("s", "c")]
    assert [[test.name for test in boot.tests] for boot in plan(tests, MACHINE, False)] == [
        ["a", "c"], ["b"]]
    assert [boot.machine.is_exact for boot in plan(tests, MACHINE, False)] == [True, False]
    assert len(plan(tests, replace(MACHINE, seed=None), False)) == 1


def test_a_nonce_is_of_its_seed_and_of_its_boot() -> None:
    assert exact.nonce(7, "ktest.select=*") == exact.nonce(7, "ktest.select=*")
    others = {exact.nonce(7, "ktest.select=*"), exact.nonce(8, "ktest.select=*"),
              exact.nonce(7, "ktest.select=a")}
    assert len(others) == 3 and all(len(each) == 16 and each.isalnum() for each in others)


@pytest.mark.parametrize("name, first, second, words", [
    ("protocol.log", b"a\nb 1\nc", b"a\nb 2\nc",
     "protocol.log, line 2: 'b 1\\n', and now 'b 2\\n'"),
    ("protocol.log", b"a\n", b"a\nmore\n", "protocol.log, line 2: '', and now 'more\\n'"),
    ("protocol.log", b"a\n", b"a", "protocol.log, line 1: 'a\\n', and now 'a'"),
    ("console.log", b"x" * 300 + b"1" + b"y" * 300, b"x" * 300 + b"2" + b"y" * 300,
     f"console.log, line 1: '{'x' * 60}1{'y' * 59}', and now '{'x' * 60}2{'y' * 59}'")])
def test_the_first_byte_that_differs_is_shown(tmp_path: Path, name: str, first: bytes,
                                              second: bytes, words: str) -> None:
    streams = exact.Streams()
    for log in exact.LOGS:
        (tmp_path / log).write_bytes(b"")
    (tmp_path / name).write_bytes(first)
    assert streams.deviation("a boot", tmp_path) == ""
    assert streams.deviation("a boot", tmp_path) == ""
    (tmp_path / name).write_bytes(second)
    assert streams.deviation("another", tmp_path) == ""
    assert streams.deviation("a boot", tmp_path) == words


def run(kernel: Path, qemu: str, *options: str) -> int:
    return cli.main(["--kernel", str(kernel), "--qemu", qemu, *options])


def test_rounds_have_to_repeat_each_other(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                          capsys: Capture, monkeypatch: pytest.MonkeyPatch
                                          ) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    report = tmp_path / "report.json"
    qemu = fake_qemu("speaks_of_the_weather")
    assert run(kernel, qemu, "--exact=7", "alpha.one") == 0
    assert run(kernel, qemu, "--repeat", "2", "alpha.one") == 0  # nobody asked for more
    assert run(kernel, qemu, "--exact=7", "--repeat", "2", "--json", str(report),
               "alpha.one") == 99
    said = "".join(capsys.readouterr())
    assert "(direct boot, icount, exactly, seed 7)" in said
    assert "had to repeat an earlier one to the byte, and did not: console.log, line 2" in said
    assert {test["cause"] for test in json.loads(report.read_text())["tests"]} == {"not-repeated"}


def test_honest_rounds_do(kernel: Path, fake_qemu: FakeQemu) -> None:
    assert run(kernel, fake_qemu("honest"), "--exact", "--repeat", "3", "alpha.one") == 0


def test_a_failure_tells_how_to_repeat_it(kernel: Path, fake_qemu: FakeQemu, capsys: Capture
                                          ) -> None:
    assert run(kernel, fake_qemu("a_check_fails"), "--exact=7", "alpha.one") == 1
    lines = capsys.readouterr().out.splitlines()
    exactly, = (line for line in lines if line.startswith("  exactly "))
    assert "--exact=7" in exactly and exactly.endswith("--test alpha.one")


@pytest.mark.parametrize("others, word", [
    (["--accel", "kvm"], "--accel kvm"), (["--boot", "grub"], "--boot grub"), (["--gdb"], "--gdb"),
    (["--qemu-arg=-icount"], "--qemu-arg=-icount"), (["--list"], "--list"),
    (["--attach", "/dev/null"], "--attach")])
def test_what_it_cannot_count(others: List[str], word: str, capsys: Capture) -> None:
    assert cli.main(["--exact=7", *others]) == 2
    assert f"--exact has all of the machine's time counted: it goes without {word}" in (
        capsys.readouterr().err)
