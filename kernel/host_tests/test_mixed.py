# SPDX-License-Identifier: MIT
"""Tests that misbehave among tests that don't (kernel/selftest/mixed.c), in shuffled orders.

Every one has to get the verdict that its name says, and only those cost a boot that have to.
FAULTLINE_SEEDS says how many orders (one by default), FAULTLINE_BOOT how the kernel is booted.
"""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from tests.proves import proves

from conftest import ROOT, read_report

SEEDS = range(1, 1 + int(os.environ.get("FAULTLINE_SEEDS", "1")))
BOOT = os.environ.get("FAULTLINE_BOOT", "direct")
COSTS_A_BOOT = ("_costs_a_boot", "_triple_fault")


def expected_verdict(name: str) -> str:
    return {"passes": "pass", "fails": "fail", "skips": "skip"}[name.partition("_")[0]]


def run(build: Path, folder: Path, seed: int) -> Dict[str, Any]:
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir", str(build),
         "--kernel", str(build / "faultline-selftest.elf"),
         "--iso", str(build / "faultline-selftest.iso"), "--boot", BOOT,
         "--test", "mixed_*.*", f"--shuffle={seed}", "--json", str(report)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "TMPDIR": str(folder)})
    assert done.returncode == 1, done.stdout + done.stderr
    return read_report(report)


@proves("4.1.7", "4.8.3")
@pytest.mark.parametrize("seed", SEEDS)
def test_each_gets_the_verdict_that_its_name_says(build: Path, tmp_path: Path, seed: int) -> None:
    report = run(build, tmp_path, seed)
    tests = report["tests"]
    assert len(tests) > 40
    wrong = {test["name"]: (test["verdict"], test["sentence"]) for test in tests
             if test["verdict"] != expected_verdict(test["name"].partition(".")[2])}
    assert wrong == {}
    costly = [test["name"] for test in tests if test["name"].endswith(COSTS_A_BOOT)]
    assert len(costly) == 5
    # The boot behind the last of them is one for nothing only where no test is left behind it.
    assert len(costly) <= report["boots"] <= 1 + len(costly)
