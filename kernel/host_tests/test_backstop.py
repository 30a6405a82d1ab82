# SPDX-License-Identifier: MIT
"""Hangs that the kernel's own watchdog does not end: by the harness's NMI, or by another boot.

What remains of a machine that has to be ended is kept. All this takes a quarter of a minute of
waiting, so that .ci/run has it and `meson test` does not.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from conftest import ROOT, read_report


@pytest.fixture(scope="module")
def report(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Any]:
    path = tmp_path_factory.mktemp("backstop") / "report.json"
    subprocess.run([sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir",
                    str(build), "--kernel", str(build / "faultline-selftest.elf"),
                    "--iso", str(build / "faultline-selftest.iso"), "--boot", "grub",
                    "--suite", "backstop", "--json", str(path)],
                   stdout=subprocess.DEVNULL, timeout=120, check=False,
                   env={**os.environ, "TMPDIR": str(path.parent)})
    return read_report(path)


def sentence(report: Dict[str, Any], name: str) -> str:
    test = next(test for test in report["tests"] if test["name"] == f"backstop.{name}")
    return f"{test['verdict']}: {test['sentence']}"


def test_an_nmi_from_outside_ends_a_test_and_the_run_goes_on(report: Dict[str, Any]) -> None:
    assert sentence(report, "hang_without_the_watchdog").startswith(
        "fail: hang: the harness's NMI ended it")


def test_where_no_nmi_helps_another_boot_does(report: Dict[str, Any]) -> None:
    assert "nor did 3 NMIs from outside" in sentence(report, "hang_within_an_nmi")
    assert sentence(report, "last_of_all").startswith("pass")
    assert report["boots"] == 2


def test_registers_stack_and_screen_are_kept(report: Dict[str, Any]) -> None:
    test = next(test for test in report["tests"] if test["name"] == "backstop.hang_within_an_nmi")
    folder = Path(test["artifacts"])
    assert "HLT=1" in (folder / "registers.txt").read_text()
    assert re.match(r"ffffffff8[0-9a-f]{7}: 0x[0-9a-f]{16} 0x", (folder / "stack.txt").read_text())
    assert "Hello World!" in (folder / "screen.txt").read_text()
    assert (folder / "screen.png").read_bytes().startswith(b"\x89PNG")
