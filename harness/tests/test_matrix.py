# SPDX-License-Identifier: MIT
"""The command that runs one image on many machines: by a harness that only plays, and once by the
real one."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from judge import kvm, matrix
from judge.grid import Cell, all_cells, pairwise
from judge.model import Accel, Outcome, OutcomeKind, Quirk, Test
from judge.table import UNCHECKED, Ran, page
from tests.conftest import HERE
from tests.test_process import PATIENCE_SECONDS, is_alive, wait_until

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

# In place of harness/run.py. What it plays hangs on the suite of the QEMU that it is given.
PLAYER = """
import json, os, pathlib, signal, sys, time
words = sys.argv
option = "--bochs" if "--bochs" in words else "--qemu"
suite = pathlib.Path(words[words.index(option) + 1]).parent.name
report = pathlib.Path(words[words.index("--json") + 1])
folder = pathlib.Path(__file__).parent
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), sys.exit(130)))
play = json.loads((folder / "plays").read_text()).get(suite, "passes")
with open(folder / "log", "a") as log:
    print(suite, os.getpid(), *words[1:], file=log)
if play == "waits":
    time.sleep(100)  # and takes its time to end, as one does that has a QEMU
if play == "is slow":
    time.sleep(0.5)
if play == "dies":
    os.kill(os.getpid(), 9)
print("the harness plays:", play)
if play == "refuses":
    sys.exit(99)
if play == "writes nonsense":
    report.write_text("{")
    sys.exit(0)
counts = {"fails": {"fail": 1}, "is in error": {"error": 2}, "skips all": {"skip": 3}}
report.write_text(json.dumps({
    "complete": play != "is incomplete", "not_run": 3 if play == "leaves some" else 0, "tests": [],
    "counts": counts.get(play, {"pass": 4, "skip": 1}), "seconds": 1.25,
    "unchecked": ["exit status and process state"] if (suite == "bochs") is (
        play != "sees another end") else []}))
sys.exit({"fails": 1, "is in error": 1, "skips all": 77, "breaks": 99}.get(play, 0))
"""
VERSIONS = {"bullseye": "5.2.0", "bookworm": "7.2.22", "trixie": "10.0.13", "sid": "11.1.3"}
BOCHS = ("--only", "qemu=bochs")
FEW = ("--only", "machine=pc", "--only", "boot=direct", "--only", "irq=apic", "--only", "cpu=max",
       "--only", "memory=128M", "--only", "clock=plain")  # one of each version
Plays = Callable[..., None]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """With all that is to be fetched."""
    for suite, version in VERSIONS.items():
        program = tmp_path / "cache" / suite / "qemu-system-x86_64"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho QEMU emulator version {version}\n")
        program.chmod(0o755)
    bochs = tmp_path / "cache/bochs/bochs"
    bochs.parent.mkdir()
    bochs.write_text("#!/bin/sh\n[ $1 = --help ] && echo && echo '  Bochs x86 Emulator 3.0'\n")
    bochs.chmod(0o755)
    return tmp_path / "cache"


@pytest.fixture
def plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plays:
    player = tmp_path / "player.py"
    player.write_text(PLAYER)
    monkeypatch.setattr(matrix, "RUN", player)

    def write(**by_suite: str) -> None:
        (tmp_path / "plays").write_text(json.dumps(by_suite))
    write()
    return write


@pytest.fixture
def words(kernel: Path, cache: Path, plays: Plays) -> List[str]:
    return ["--build-dir", str(kernel.parent), "--cache", str(cache)]


def log(tmp_path: Path) -> List[List[str]]:
    path = tmp_path / "log"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


# --- What comes of the machines -------------------------------------------------------------------


def test_all_machines_pass(words: List[str], kernel: Path, cache: Path, tmp_path: Path,
                           capsys: Capture) -> None:
    assert matrix.main([*words, *FEW, "alpha.*"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        *(f"pass: QEMU {VERSIONS[suite]} {suite} pc direct apic max 128M plain: 4 passed, "
          "1 skipped, 1.2 s" for suite in VERSIONS), "4 of 4 machines passed"]
    bullseye = log(tmp_path)[0][2:]
    assert bullseye[:-1] == [
        "--no-build", "--build-dir", str(kernel.parent), "--timeout", "60", "--qemu",
        str(cache / "bullseye/qemu-system-x86_64"), "--machine", "pc", "--boot", "direct", "--cpu",
        "max", "--memory", "128M", "--argument=irq=apic", "alpha.*", "--json"]


def test_a_machine_that_counts_instructions() -> None:
    cell = Cell("sid", "q35", "grub", "pic", "qemu64", "32M", "icount")
    assert matrix.command_of(cell, Path("/q"), Path("/b"))[-3:] == [
        "--argument=irq=pic", "--qemu-arg=-icount", "--qemu-arg=shift=1,sleep=off"]


@pytest.mark.parametrize("play, verdict, status", [
    ("fails", "1 failed", 1), ("is in error", "2 failed", 1), ("dies", "did not run", 99),
    ("refuses", "did not run", 99), ("writes nonsense", "did not run", 99),
    ("breaks", "did not run", 99), ("is incomplete", "did not run", 99),
    ("leaves some", "did not run", 99), ("skips all", "nothing passed", 99),
    ("sees another end", "too little evidence", 99)])
def test_a_machine_that_does_not_pass(play: str, verdict: str, status: int, words: List[str],
                                      plays: Plays, tmp_path: Path, capsys: Capture) -> None:
    plays(trixie=play)
    path = tmp_path / "page.md"
    assert matrix.main([*words, *FEW, "--write", str(path)]) == status
    output = capsys.readouterr().out
    assert f"\n{verdict}: QEMU 10.0.13 trixie pc" in output
    assert f"\n  repeat  {tmp_path}/player.py --no-build " in output
    assert play == "dies" or f"\nthe harness plays: {play}\n" in output
    assert output.endswith("\n3 of 4 machines passed\n")
    evidence = "stream" if play == "sees another end" else "stream, exit status, QMP"
    row = (f"| QEMU 10.0.13 | pc | direct | apic | max | 128M | plain | {evidence} | "
           f"**{verdict}** |")
    assert row in path.read_text()


def test_a_failure_weighs_more_than_a_machine_that_did_not_run(words: List[str], plays: Plays
                                                              ) -> None:
    plays(bullseye="fails", sid="refuses")
    assert matrix.main([*words, *FEW]) == 1


def test_bochs_is_one_of_the_machines(words: List[str], plays: Plays, tmp_path: Path,
                                      capsys: Capture) -> None:
    path = tmp_path / "page.md"
    assert matrix.main([*words, *BOCHS, "--write", str(path), "alpha.*"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pass: Bochs 3.0 bochs pc grub apic max 128M plain: 4 passed, 1 skipped, 1.2 s",
        "pass: Bochs 3.0 bochs pc grub pic core2_penryn_t9600 32M plain: 4 passed, 1 skipped, "
        "1.2 s",
        "2 of 2 machines passed"]
    assert log(tmp_path)[0][2:-1] == [
        "--no-build", "--build-dir", words[1], "--timeout", "60", "--bochs",
        f"{words[3]}/bochs/bochs", "--cpu", "max", "--memory", "128M", "--argument=irq=apic",
        "alpha.*", "--json"]
    text = path.read_text()
    assert "2 of 2 machines passed, by Bochs 3.0; " in text
    assert "\n| Bochs 3.0 | pc | grub | apic | max | 128M | plain | stream | pass | 4 | 1 |" in text


def test_bochs_has_to_say_what_nobody_saw(words: List[str], plays: Plays, capsys: Capture) -> None:
    plays(bochs="sees another end")
    assert matrix.main([*words, *BOCHS]) == 99
    assert capsys.readouterr().out.startswith("too little evidence: Bochs 3.0 ")


# --- KVM ------------------------------------------------------------------------------------------


def test_machines_under_kvm_where_it_works(words: List[str], tmp_path: Path, capsys: Capture,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    asked: List[Tuple[Path, ...]] = []

    def works(*given: Path) -> str:
        asked.append(given)
        return ""
    monkeypatch.setattr(kvm, "why_not", works)
    few = [word for word in FEW if word != "clock=plain"][:-1]
    assert matrix.main([*words, *few, "--only", "clock=kvm", "--only", "qemu=sid"]) == 0
    assert capsys.readouterr().out.startswith("pass: QEMU 11.1.3 sid pc direct apic max 128M kvm: ")
    assert asked == [(matrix.RUN, Path(words[3]) / "sid/qemu-system-x86_64", Path(words[1]))]
    assert " --accel kvm " in " ".join(log(tmp_path)[0])


def test_without_kvm_its_machines_are_left_out_and_the_page_says_why(
        words: List[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "why_not", lambda *_: "it stops at int3")
    path = tmp_path / "page.md"
    only = ["--only", "qemu=sid", "--only", "machine=pc", "--only", "boot=direct"]
    assert matrix.main([*words, *only, "--write", str(path)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("no machines under KVM: it stops at int3\n") and " kvm:" not in output
    assert "\nThere are none under KVM, which can't be used here: it stops at int3.\n" in (
        path.read_text())
    assert matrix.main([*words, "--only", "clock=kvm"]) == 99
    assert capsys.readouterr().err == "faultline: KVM can't be used here: it stops at int3.\n"


def test_side_by_side_the_page_is_the_same(words: List[str], plays: Plays, tmp_path: Path,
                                           capsys: Capture) -> None:
    plays(bullseye="is slow")
    one, two = tmp_path / "one.md", tmp_path / "two.md"
    assert matrix.main([*words, *FEW, "--write", str(one)]) == 0
    assert capsys.readouterr().out.startswith("pass: QEMU 5.2.0")
    assert matrix.main([*words, *FEW, "--write", str(two), "-j", "4"]) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[3].startswith("pass: QEMU 5.2.0") and one.read_text() == two.read_text()


def test_a_real_run(kernel: Path, fake_qemu: FakeQemu, cache: Path, tmp_path: Path,
                    monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    qemu = cache / "sid/qemu-system-x86_64"
    qemu.unlink()
    qemu.symlink_to(fake_qemu("a_check_fails"))
    arguments = ["--build-dir", str(kernel.parent), "--cache", str(cache), *FEW, "--only",
                 "qemu=sid"]
    assert matrix.main([*arguments, "alpha.one"]) == 1
    output = capsys.readouterr().out
    assert output.startswith("1 failed: QEMU ") and "\nFAIL alpha.one: " in output
    qemu.unlink()
    qemu.symlink_to(fake_qemu("honest"))
    assert matrix.main([*arguments, "alpha.one"]) == 0
    assert re.match(r"pass: QEMU .*: 1 passed, 0 skipped, ", capsys.readouterr().out)


@pytest.mark.parametrize("number, status", [
    (signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGHUP, 130),
    (signal.SIGKILL, -signal.SIGKILL)])
def test_no_run_is_left_behind(number: signal.Signals, status: int, words: List[str], plays: Plays,
                               tmp_path: Path) -> None:
    plays(bullseye="waits", bookworm="waits", trixie="waits", sid="waits")
    path = tmp_path / "page.md"
    text = (f"import sys; from pathlib import Path; from judge import matrix; "
            f"matrix.RUN = Path({str(matrix.RUN)!r}); sys.exit(matrix.main())")
    command = subprocess.Popen(
        [sys.executable, "-c", text, *words, *FEW, "-j", "3", "--write", str(path)],
        cwd=HERE.parent, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE,
        text=True)
    wait_until(lambda: len(log(tmp_path)) == 3)
    command.send_signal(number)
    _, errors = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == status
    pids = [int(line[1]) for line in log(tmp_path)]
    assert len(pids) == 3 and not path.exists()
    if number is signal.SIGKILL:
        wait_until(lambda: not any(map(is_alive, pids)))
    else:
        assert not any(map(is_alive, pids))
        assert errors == "faultline: interrupted\n"
        assert not list(tmp_path.glob("faultline-matrix-*"))


# --- Which machines -------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, sentence", [
    (["--nosuch"], "Unrecognized arguments: --nosuch"),
    (["--onl", "qemu=sid"], "Unrecognized arguments: --onl"),
    (["-j", "0"], "-j has to be 1 or more"), (["-j", "two"], "invalid int value: 'two'"),
    (["--only", "qemu"], "--only qemu: there is no such property; there are qemu=bullseye|"),
    (["--only", "qemu=woody"], "--only qemu=woody: there is no such"),
    (["--only", "colour=red"], "--only colour=red: there is no such"),
    (["--only="], "--only has an empty value"), (["--write", ""], "--write has an empty value"),
    (["--only", "machine=microvm", "--only", "boot=grub"],
     "There is no machine with all of these properties."),
    (["--only", "qemu=sid", "--only", "qemu=trixie"], "There is no machine with all of these")])
def test_wrong_usage(arguments: List[str], sentence: str, words: List[str], tmp_path: Path,
                     capsys: Capture) -> None:
    assert matrix.main([*words, *arguments]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("faultline: ") and sentence in errors and errors.count("\n") == 1
    assert "harness/run.py" not in errors and log(tmp_path) == []


def test_machines_are_named(words: List[str], tmp_path: Path, capsys: Capture) -> None:
    def listed(*arguments: str) -> List[str]:
        assert matrix.main([*words, "--list", *arguments]) == 0
        return capsys.readouterr().out.splitlines()
    titles = {matrix.title(cell): cell for cell in all_cells()}
    assert [titles[line] for line in listed()] == pairwise(all_cells())
    assert [titles[line] for line in listed("--all")] == all_cells()
    some = [titles[line] for line in listed("--only", "qemu=sid", "--only", "clock=icount")]
    assert {(cell.qemu, cell.clock) for cell in some} == {("sid", "icount")}
    assert {cell.machine for cell in some} == {"pc", "q35", "microvm"}
    assert log(tmp_path) == []


def test_versions_are_fetched_and_nothing_run(words: List[str], cache: Path, tmp_path: Path,
                                              capsys: Capture) -> None:
    assert matrix.main([*words[2:], "--fetch", "--only", "qemu=trixie"]) == 0
    assert capsys.readouterr().out == (
        f"trixie: QEMU 10.0.13 {cache}/trixie/qemu-system-x86_64\n")
    assert matrix.main([*words[2:], "--fetch", *BOCHS]) == 0
    assert capsys.readouterr().out == f"bochs: Bochs 3.0 {cache}/bochs/bochs\n"
    assert log(tmp_path) == []


@pytest.mark.parametrize("script, status, sentence", [
    ("#!/bin/sh\necho a door\n", 99, "does not tell its version"),
    ("#!/nonexistent/sh\n", 99, "No such file or directory")])
def test_a_qemu_in_the_cache_that_is_none(script: str, status: int, sentence: str, cache: Path,
                                          words: List[str], capsys: Capture) -> None:
    (cache / "sid/qemu-system-x86_64").write_text(script)
    assert matrix.main([*words, *FEW]) == status
    errors = capsys.readouterr().err
    assert errors.startswith("faultline: ") and sentence in errors and "Traceback" not in errors


def test_before_anything_is_run(words: List[str], tmp_path: Path, capsys: Capture) -> None:
    """What would be of no use after an hour is said at once."""
    assert matrix.main([*words, "nosuch.*"]) == 5
    assert capsys.readouterr().err == "faultline: No test matches nosuch.*.\n"
    assert matrix.main([*words, "--build-dir", "/nonexistent"]) == 99
    assert "/nonexistent/faultline.elf" in capsys.readouterr().err
    path = tmp_path / "page.md"
    for text in ("# A page\n", matrix.END + matrix.BEGIN):
        path.write_text(text)
        assert matrix.main([*words, "--write", str(path)]) == 99
        assert "has no place for the tables: a line <!--" in capsys.readouterr().err
        assert path.read_text() == text
    assert matrix.main([*words, "--write", "/nonexistent/page.md"]) == 99
    assert "/nonexistent is no folder" in capsys.readouterr().err
    assert log(tmp_path) == []


# --- The page -------------------------------------------------------------------------------------


def test_tables_stand_between_the_marks(words: List[str], tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"# Before\n{matrix.BEGIN}stale rows\n{matrix.END}Behind.\n")
    assert matrix.main([*words, *FEW, "--write", str(path)]) == 0
    text = path.read_text()
    assert text.startswith(f"# Before\n{matrix.BEGIN}On 2") and "stale" not in text
    assert text.endswith(f"|\n{matrix.END}Behind.\n")
    assert matrix.main([*words, *FEW, "--write", str(path)]) == 0
    assert path.read_text() == text


def fault(error: int) -> Outcome:
    return Outcome(OutcomeKind.FAULT, vector=14, error=error)


def ran(suite: str, clock: str, **tests: str) -> Ran:
    """With the sentences of those tests that were skipped."""
    data: Tuple[Dict[str, Any], ...] = tuple(
        {"name": f"s.{name}", "verdict": "skip" if why else "pass", "sentence": why}
        for name, why in tests.items())
    return Ran(Cell(suite, "pc", "direct", "apic", "max", "128M", clock),
               VERSIONS.get(suite, "3.0"), (), 0, {"pass": 2, "skip": 1}, data,
               unchecked=UNCHECKED.get(suite, ()))


def lines(text: str, head: str) -> List[str]:
    """The rows of the table with this head."""
    table = text.partition(f"| {head} |")[2].partition("\n\n")[0]
    return table.splitlines()[2:]


def test_what_differs_is_merged_by_test() -> None:
    other = Outcome(OutcomeKind.TRIPLE_FAULT)
    tests = [
        Test("s", "code", outcome=fault(9), quirks=(
            Quirk(fault(8), Accel.TCG, since=1000), Quirk(other, Accel.TCG, before=702))),
        Test("s", "counts", quirks=(Quirk(other, Accel.ICOUNT, before=1000),)),
        Test("s", "skipped", quirks=(Quirk(Outcome(), Accel.TCG, skip="not here"),)),
        Test("s", "kvm", quirks=(Quirk(other, Accel.KVM),)),
        Test("s", "bochs", quirks=(Quirk(other, Accel.BOCHS),))]
    text = page([ran("bochs", "plain"), ran("sid", "plain"), ran("trixie", "plain"),
                 ran("bullseye", "icount")], tests, "2026-01-02", 7, "")
    assert text.startswith("On 2026-01-02 4 of 4 machines passed, by QEMU 5.2.0, 10.0.13, 11.1.3 "
                           "and Bochs 3.0; 7 can be told apart.\n")
    assert lines(text, "test | the CPU | QEMU, Bochs") == [
        "| `s.code` | #PF (page fault), error code 0x9 | 5.2: triple fault; "
        "10.0, 11.1: #PF (page fault), error code 0x8 |",
        "| `s.counts` | the test returns | 5.2 with icount: triple fault |",
        "| `s.bochs` | the test returns | 3.0 (Bochs): triple fault |"]


def test_skips_are_counted_by_machine_and_named_by_suite() -> None:
    tests = [Test("s", "a"), Test("s", "b"), Test("t", "c"), Test("s", "d", is_bench=True)]
    text = page([ran("sid", "plain", a="needs vga", b="needs vga"),
                 ran("sid", "icount", a="needs vga", b="not here"),
                 ran("trixie", "plain", a="", b="")], tests, "2026-01-02", 7, "")
    assert lines(text, "why | machines | tests") == [
        "| needs vga | 2 | `s.*` |", "| not here | 1 | `s.b` |"]
