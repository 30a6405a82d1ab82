# SPDX-License-Identifier: MIT
"""Nothing outlives the harness, however it ends, and what it knew by then can be read."""
from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, List
from xml.etree import ElementTree

import pytest

from judge import cli
from judge.machine import Machine
from judge.model import Needs
from judge.program import first_words
from judge.qemu import ProtocolData, Qemu
from tests.conftest import HERE
from tests.proves import proves

FakeQemu = Callable[[str], str]

PATIENCE_SECONDS = 20.0
# Runs the command, and tells how much memory it had at most. Who waits for it learns something
# else: that counts what the child had of us before it became another program.
MEASURED = ("import sys; from judge.cli import main; status = main(); "
            "sys.stderr.write(open('/proc/self/status').read()); sys.exit(status)")
MOST_KIB = 128 << 10


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


def test_parallel_runs_share_nothing(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    """Eight at once, on one build folder with its memory of failures, half of which fail; with
    reports of the same names, each in a folder of its own."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for path, scenario in ((bad, "a_check_fails"), (good, "honest")):
        Path(fake_qemu(scenario)).rename(path)
    runs = []
    for index, qemu in enumerate([good, bad] * 4):
        folder = tmp_path / str(index)
        folder.mkdir()
        runs.append(subprocess.Popen(
            [sys.executable, str(HERE.parent / "run.py"), "--kernel", str(kernel), "--allow-skip",
             "skips", "--qemu", str(qemu), "--last-failed", "--json", "report.json", "--junit",
             "report.xml", "alpha.*"], cwd=folder, stdout=subprocess.PIPE, text=True))
    outputs = [each.communicate(timeout=PATIENCE_SECONDS)[0] for each in runs]
    assert [each.returncode for each in runs] == [0, 1] * 4
    for index, output in enumerate(outputs):
        report = json.loads((tmp_path / str(index) / "report.json").read_text())
        suites = ElementTree.parse(tmp_path / str(index) / "report.xml").getroot()
        assert report["complete"] and f"{report['counts']['pass']} passed" in output
        assert report["counts"]["fail"] == int(suites.get("failures", "")) == index % 2
        commands = [test["command"][0] for test in report["tests"] if "command" in test]
        assert commands == [str(bad)] * (index % 2)
    (kernel.parent / ".last-failed.json").unlink()


# --- At any moment --------------------------------------------------------------------------------


def processes_of(folder: Path) -> List[int]:
    """Whose command line has a file of this folder: each QEMU, and what it was started by."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if bytes(folder) in path.read_bytes() and is_alive(int(path.parent.name)):
                found.append(int(path.parent.name))
    return found


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


def check_a_kill(command: List[str], folder: Path, number: signal.Signals, seconds: float
                 ) -> bool:
    """Kills a run in the middle. Whether it was in the middle."""
    folder.mkdir()
    harness = subprocess.Popen(
        [*command, "--json", str(folder / "r.json"), "--junit", str(folder / "r.xml")],
        env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    time.sleep(seconds)
    harness.send_signal(number)
    output, _ = harness.communicate(timeout=PATIENCE_SECONDS)
    wait_until(lambda: not processes_of(folder))
    if (folder / "r.json").exists():  # before, the interpreter may still be on its way
        assert "Traceback" not in output and "bug of the harness" not in output
    assert harness.returncode in (0, 130, -number), output
    is_complete = False
    if (folder / "r.json").exists():
        data = json.loads((folder / "r.json").read_text())
        is_complete = data["complete"]  # also of a run that was killed when it had said all
        assert data["not_run"] == 0 if is_complete else harness.returncode != 0
    if (folder / "r.xml").exists():
        ElementTree.parse(folder / "r.xml")
    if number is not signal.SIGKILL:
        left = [path for path in folder.glob("faultline-*") if str(path) not in output]
        assert not left, output
    return not is_complete and (folder / "r.json").exists()


@proves("4.4.1")
def test_killed_at_any_moment(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    """At moments of a fixed seed, over a run of some twenty boots; it may be so fast that it is
    over, or so slow that it has not begun, but not every time."""
    moments = random.Random(4)
    command = [sys.executable, str(HERE.parent / "run.py"), "--kernel", str(kernel),
               "--allow-skip", "skips", "--qemu", fake_qemu("honest"), "--isolate", "boot", "-j",
               "2"]
    kills = [check_a_kill(command, tmp_path / str(index), SIGNALS[index % len(SIGNALS)],
                          moments.uniform(0.02, 1.0)) for index in range(8)]
    assert any(kills)


# --- Bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario, status", [
    ("honest", 0), ("console_floods@start", 99), ("monitor_floods@middle", 99),
    ("endless_comments", 99), ("endless_line@start", 99), ("debug_log_flood", 99)])
def test_memory_is_bounded(scenario: str, status: int, kernel: Path, fake_qemu: FakeQemu,
                           tmp_path: Path) -> None:
    """Whatever a QEMU writes, as fast as it can: the harness takes little more than in peace."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "--kernel", str(kernel), "--allow-skip", "skips",
         "--qemu", fake_qemu(scenario), "alpha.*"], cwd=HERE.parent,
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False)
    most = re.search(r"VmHWM:\s*(\d+) kB", done.stderr)
    assert done.returncode == status and most is not None
    assert int(most[1]) < MOST_KIB


def test_a_program_that_is_no_qemu_is_not_listened_to_for_long(tmp_path: Path) -> None:
    script = tmp_path / "qemu"
    script.write_text("#!/bin/sh\nexec yes a line without end | tr -d '\\n'\n")
    script.chmod(0o755)
    before = time.monotonic()
    said = first_words([str(script)], 30.0, 4096)
    assert 4096 <= len(said) <= 8192 and time.monotonic() - before < 20
    child = tmp_path / "child"
    script.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {child}\nsleep 1000\n")
    assert first_words([str(script)], 0.5, 4096) == b""
    wait_until(lambda: not processes_of(script) and not is_alive(int(child.read_text())))


def test_a_full_disk(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    """A real one, of a few pages: some for the command, fewer than the stream takes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    inside = (f"mount -t tmpfs -o size=12k none {disk} && exec env TMPDIR={disk} {sys.executable} "
              f"{HERE.parent}/run.py --kernel {kernel} --allow-skip skips --qemu "
              f"{fake_qemu('honest')}")
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(disk)], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("nothing can be mounted here")
    done = subprocess.run(["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 99 and "the disk is full: [Errno 28]" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


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


def test_an_interruption_that_ends_as_an_error_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the middle of a call, and what that call leaves behind fails."""
    def be_interrupted(_: object) -> int:
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(1)
        except BaseException:
            raise OSError(9, "Bad file descriptor") from None
        return 0

    monkeypatch.setattr(cli, "_main", be_interrupted)
    assert cli.main([]) == cli.INTERRUPTED
