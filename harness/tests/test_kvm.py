# SPDX-License-Identifier: MIT
"""Whether KVM can be used: by a device and a harness that only play."""
from __future__ import annotations

from pathlib import Path

import pytest

from judge import kvm

HARNESS = """
import json, pathlib, sys, time
words = sys.argv
assert words[words.index("--accel") + 1] == "kvm" and words[-1] == "trap.breakpoint_returns"
assert words[words.index("--qemu") + 1] == "/q" and words[words.index("--build-dir") + 1] == "/b"
%s
report = pathlib.Path(words[words.index("--json") + 1])
report.write_text(json.dumps({"tests": [{"verdict": "error", "sentence": "stopped VM"}]}))
sys.exit(99)
"""


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    monkeypatch.setattr(kvm, "DEVICE", str(path))
    return path


def why_not(tmp_path: Path, does: str) -> str:
    run = tmp_path / "run.py"
    run.write_text(HARNESS % does)
    return kvm.why_not(run, Path("/q"), Path("/b"))


def test_it_runs_the_image(tmp_path: Path) -> None:
    assert why_not(tmp_path, "sys.exit(0)") == ""


def test_it_is_not_there(tmp_path: Path, device: Path) -> None:
    device.unlink()
    assert why_not(tmp_path, "sys.exit(0)") == (
        f"{device} can't be opened (No such file or directory)")


def test_it_can_not_run_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not(tmp_path, "") == "trap.breakpoint_returns ends in error: stopped VM"
    assert why_not(tmp_path, "sys.exit(1)") == (
        "trap.breakpoint_returns could not be run (exit status 1)")
    monkeypatch.setattr(kvm, "SECONDS", 0.2)
    assert why_not(tmp_path, "time.sleep(60)") == (
        "trap.breakpoint_returns did not end within 0.2 s")


def test_the_test_is_one_of_the_kernel_s() -> None:
    source = Path(__file__).parents[2] / "kernel/arch/x86_64/trap_test.c"
    assert "KTEST(trap, breakpoint_returns)" in source.read_text()
