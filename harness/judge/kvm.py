# SPDX-License-Identifier: MIT
"""Whether KVM runs this kernel here: found by trying.

That /dev/kvm exists says little. It may be closed to the user; where it is itself emulated, it may
be a thousand times slower than TCG, or stop at instructions as common as int3. So the image's own
test of int3 is run.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .program import die_with_parent

DEVICE = "/dev/kvm"
TEST = "trap.breakpoint_returns"
TEST_SECONDS = "2"  # its own; TCG takes less than a hundredth of one
SECONDS = 60.0


def why_not(run: Path, qemu: Path, build: Path) -> str:
    """Why it can't be used, if it can't; as a part of a sentence."""
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{DEVICE} can't be opened ({error.strerror})"
    with tempfile.TemporaryDirectory(prefix="faultline-kvm-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, str(run), "--no-build", "--build-dir", str(build), "--qemu",
                   str(qemu), "--accel", "kvm", "--timeout", TEST_SECONDS, "--json", str(report),
                   TEST]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=SECONDS, check=False,
                                  preexec_fn=die_with_parent())
        except subprocess.TimeoutExpired:
            return f"{TEST} did not end within {SECONDS:g} s"
        return "" if done.returncode == 0 else f"{TEST} {_what_came(report, done.returncode)}"


def _what_came(report: Path, status: int) -> str:
    try:
        data: Any = json.loads(report.read_text(encoding="utf-8"))
        result = data["tests"][0]
        return f"ends in {result['verdict']}: {result['sentence']}"
    except (OSError, ValueError, LookupError):
        return f"could not be run (exit status {status})"
