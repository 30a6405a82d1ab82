# SPDX-License-Identifier: MIT
"""TAP as Meson reads it: by what Meson itself makes of it, and line by line."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import cli, report
from judge.card import Cards
from judge.elf import Image
from judge.evidence import Result
from judge.model import Cause, Finding, Scene, Test, Verdict
from judge.summary import Summary

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]
RUN = Path(__file__).resolve().parents[1] / "run.py"
TAP_LINE = re.compile(r"1\.\.\d+|(not )?ok \d+ - [^\n#]+( # SKIP .*)?|# .*")

# What the fake QEMU plays, the options, and what Meson has to show.
CASES: Dict[str, Tuple[str, str, str]] = {
    "pass and a skip that is expected": ("honest", "--allow-skip alpha.skips alpha.*", "OK"),
    "a skip that nobody expected": ("honest", "alpha.*", "FAIL"),
    "a failure": ("a_check_fails", "alpha.one alpha.two", "FAIL"),
    "an error": ("wrong_nonce", "alpha.one", "FAIL"),
    "a crash": ("triple_fault", "faults.*", "FAIL"),
    "all skipped": ("honest", "--allow-skip alpha.skips alpha.skips", "SKIP"),
    "a shard without tests": ("honest", "--shard 2/1000 alpha.one", "SKIP"),
    "nothing matches": ("honest", "nosuch", "FAIL"),
    "no QEMU": ("", "alpha.one", "FAIL"),
    "a known bug": ("honest", "known.bug", "SKIP"),
}


def result(verdict: Verdict, sentence: str) -> Result:
    finding = Finding(Cause.REPORTED, sentence) if verdict is not Verdict.PASS else None
    return Result(Test("suite", "name", "a.c", 7), verdict, finding, None,
                  Scene(1, ("qemu",), "/tmp/run", sentence))


def cards(image: Image) -> Cards:
    return Cards(image, True, ["harness/run.py"], [])


def test_nothing_planned_is_a_skip(image: Image, capsys: Capture) -> None:
    report.print_tap(Summary((), 0, 0, 0.5, remark="Shard 2/3 has none."), cards(image))
    assert capsys.readouterr().out == "1..0 # SKIP Shard 2/3 has none.\n"


@given(sentence=st.text())
def test_it_is_flat_whatever_the_guest_says(image: Image, sentence: str) -> None:
    results = [result(verdict, sentence) for verdict in Verdict]
    lines = list(report.tap_lines(results, cards(image)))
    assert lines[0] == "1..4"
    assert all(TAP_LINE.fullmatch(line) for line in lines)
    points = [line for line in lines if line.startswith(("ok", "not ok"))]
    assert [point.split(" - ")[0] for point in points] == ["ok 1", "ok 2", "not ok 3", "not ok 4"]


def test_the_card_is_a_comment(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    status = cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("triple_fault"), "--tap",
                       "faults.*"])
    text = capsys.readouterr().out
    assert status == 1 and text.startswith("1..2\nnot ok 1 - faults.stack_overflow\n# triple fault")


def test_an_interrupted_run_bails_out(image: Image, capsys: Capture) -> None:
    report.print_tap(Summary((result(Verdict.PASS, ""),), 2, 1, 0.5, is_complete=False),
                     cards(image))
    assert capsys.readouterr().out == "1..1\nok 1 - suite.name\nBail out! Interrupted.\n"


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def test_meson_shows_what_happened(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    """None of these is green that should not be, and 77 never comes."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    lines = ["project('scratch')", f"python = find_program({quoted(sys.executable)})"]
    for name, (scenario, options, _) in CASES.items():
        qemu = scratch / (scenario or "none")
        if scenario:
            shutil.copy(fake_qemu(scenario), qemu)
        words = [str(RUN), "--tap", "--kernel", str(kernel), "--qemu", str(qemu), *options.split()]
        lines.append(f"test({quoted(name)}, python, args: [{', '.join(map(quoted, words))}], "
                     "protocol: 'tap')")
    (scratch / "meson.build").write_text("\n".join(lines) + "\n")
    build = scratch / "build"
    subprocess.run(["meson", "setup", build, scratch], check=True, stdout=subprocess.DEVNULL)
    environment = {**os.environ, "TMPDIR": str(scratch), "MALLOC_PERTURB_": "0"}
    subprocess.run(["meson", "test", "-C", build, "--num-processes", "4"], check=False,
                   stdout=subprocess.DEVNULL, env=environment)
    log = [json.loads(line) for line in (build / "meson-logs/testlog.json").read_text().split("\n")
           if line]
    shown = {each["name"].rpartition(" / ")[2]: each["result"] for each in log}
    assert {name: "FAIL" if word == "ERROR" else word for name, word in shown.items()} == {
        name: wanted for name, (_, _, wanted) in CASES.items()}
    assert 77 not in [each["returncode"] for each in log]
