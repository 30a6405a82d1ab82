# SPDX-License-Identifier: MIT
"""Nothing outlives the harness, however it ends, and what it knew by then can be read."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest

from judge.machine import Machine
from judge.model import Needs
from judge.qemu import ProtocolData, Qemu
from tests.conftest import HERE
from tests.proves import proves

FakeQemu = Callable[[str], str]

PATIENCE_SECONDS = 20.0


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number, status", [
    (signal.SIGINT, 130), (signal.SIGHUP, 130), (signal.SIGTERM, 130),
    (signal.SIGKILL, -signal.SIGKILL)])
@proves("4.4.1")
def test_no_process_is_left_behind(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                   number: signal.Signals, status: int) -> None:
    report, folder = tmp_path / "report.json", tmp_path / "runs"
    harness = subprocess.Popen(
        [sys.executable, str(HERE.parent / "run.py"), "--kernel", str(kernel), "--allow-skip",
         "skips", "--qemu", fake_qemu("hang_in_test"), "--json", str(report), "panics.*",
         "alpha.*"],
        env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: any(b"panics.as_declared" in log.read_bytes()
                           for log in folder.glob("*/protocol.log")))
    children = Path(f"/proc/{harness.pid}/task/{harness.pid}/children").read_text().split()
    assert len(children) == 1
    harness.send_signal(number)
    assert harness.wait(PATIENCE_SECONDS) == status
    wait_until(lambda: not is_alive(int(children[0])))
    data = json.loads(report.read_text())
    assert data["complete"] is False and data["not_run"] == 4
    if number is not signal.SIGKILL:
        assert harness.stdout is not None
        output = harness.stdout.read()
        assert f"what the machine said until then: {folder}" in output
        assert "Interrupted: 0 passed" in output


def test_parallel_runs_share_nothing(kernel: Path, fake_qemu: FakeQemu) -> None:
    command = [sys.executable, str(HERE.parent / "run.py"), "--kernel", str(kernel),
               "--allow-skip", "skips", "--qemu", fake_qemu("honest")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    assert [each.wait(PATIENCE_SECONDS) for each in runs] == [0] * 4
    for each in runs:
        each.communicate()


def test_what_comes_while_a_question_is_open_is_not_lost(kernel: Path, fake_qemu: FakeQemu,
                                                         tmp_path: Path) -> None:
    """The fake says all that it has to, and then answers."""
    command = Machine(kernel, kernel, fake_qemu("hang_between_tests")).command(
        tmp_path, "ktest.nonce=n ktest.select=alpha.*", Needs(0))
    said = b""
    with Qemu(command, tmp_path) as qemu:
        for _ in range(20):  # until it has come to its monitor
            if qemu.ask("query-status").refusal != "nobody listens":
                break
            said += b"".join(each.data for each in qemu.wait(1.0)
                             if isinstance(each, ProtocolData))
        assert qemu.ask("query-status").value == {"status": "internal-error", "running": False}
        for each in qemu.wait(0.0):
            said += each.data if isinstance(each, ProtocolData) else b""
        assert qemu.cpu_seconds() >= 0.0
    assert said.endswith(b"    ok 1 one\n")
