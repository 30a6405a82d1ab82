# SPDX-License-Identifier: MIT
"""--last-failed: what is remembered of a run, and what is made of it in the next."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable, Sequence

import pytest

from judge import cli
from judge.evidence import Result
from judge.memory import FILE, Memory
from judge.model import Test, Verdict

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

NAMES = ["s.a", "s.b", "s.c"]


def results(**verdicts: Verdict) -> Sequence[Result]:
    return [Result(Test("s", name), verdict) for name, verdict in verdicts.items()]


def test_a_run_tells_of_the_tests_that_ran(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "k.elf")
    memory.update(results(a=Verdict.FAIL, b=Verdict.ERROR, c=Verdict.PASS), NAMES)
    assert memory.failed() == {"s.a", "s.b"}
    memory.update(results(a=Verdict.SKIP, c=Verdict.FAIL), NAMES)
    assert memory.failed() == {"s.b", "s.c"}
    memory.update(results(c=Verdict.FAIL), ["s.c"])  # the others are no longer there
    assert memory.failed() == {"s.c"}
    assert os.listdir(tmp_path) == [FILE]


def test_each_kernel_has_its_own(tmp_path: Path) -> None:
    one, other = Memory(tmp_path / "one.elf"), Memory(tmp_path / "other.elf")
    one.update(results(a=Verdict.FAIL), NAMES)
    other.update(results(a=Verdict.PASS, b=Verdict.FAIL), NAMES)
    assert one.failed() == {"s.a"} and other.failed() == {"s.b"}


def test_a_good_run_leaves_no_file(tmp_path: Path) -> None:
    Memory(tmp_path / "k.elf").update(results(a=Verdict.PASS, b=Verdict.SKIP), NAMES)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 2, "kernels": {"k.elf": ["s.a"]}}',
                                  '{"schema": 1, "kernels": {"k.elf": [1]}}', "\udcff"])
def test_what_cannot_be_read_is_no_failure(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    memory = Memory(tmp_path / "k.elf")
    assert memory.failed() == frozenset()
    memory.update(results(a=Verdict.FAIL), NAMES)
    assert memory.failed() == {"s.a"}


def test_what_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    Memory(tmp_path / "gone" / "k.elf").update(results(a=Verdict.FAIL), NAMES)
    (tmp_path / f"{FILE}.partial").mkdir()  # to root, no folder is read-only
    Memory(tmp_path / "k.elf").update(results(a=Verdict.FAIL), NAMES)
    assert Memory(tmp_path / "k.elf").failed() == frozenset()


def test_last_failed(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture) -> None:
    """It runs what failed, then says that nothing is left, and that others are not selected."""
    here = tmp_path / kernel.name
    here.write_bytes(kernel.read_bytes())
    Path(f"{here}.registry").write_bytes(Path(f"{kernel}.registry").read_bytes())

    def run(scenario: str, *arguments: str) -> str:
        cli.main(["--kernel", str(here), "--qemu", fake_qemu(scenario), "-v", *arguments])
        return capsys.readouterr().out

    assert "alpha.one... fail" in run("a_check_fails", "alpha.o*", "alpha.t*")
    output = run("honest", "--last-failed", "faults.*")
    assert output.startswith("--last-failed: 1 known to fail, but none that is selected; all that "
                             "are selected run.\nRunning 2 tests")
    listed = run("honest", "--lf", "--list")
    assert listed.startswith("alpha.one\t") and listed.count("\n") == 1
    output = run("honest", "--lf", "alpha.*")
    assert output.startswith("Running 1 test of ") and "tcg, what failed last)\n" in output
    assert "alpha.one... pass\n" in output
    output = run("honest", "--lf", "alpha.o*", "--tap")
    assert output.startswith("# --last-failed: nothing failed the last time; all that are "
                             "selected run.\n1..1\nok 1 - alpha.one\n")
    assert json.loads((tmp_path / FILE).read_text())["kernels"] == {here.name: []}
