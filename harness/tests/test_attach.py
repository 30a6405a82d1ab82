# SPDX-License-Identifier: MIT
"""A machine behind a serial line, played by whoever holds the other end of it."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from judge import cli, serial_line, watch
from judge.elf import Image
from judge.model import Refusal
from judge.serial_line import Port
from tests import stream
from tests.conftest import HERE

Capture = pytest.CaptureFixture[str]


class Line:
    """A pty: the machine writes to one end, the harness has the other."""

    def __init__(self) -> None:
        self.machine, self._other = os.openpty()
        self.name = os.ttyname(self._other)

    def close(self) -> None:
        for each in (self.machine, self._other):
            if each >= 0:
                os.close(each)
        self.machine = self._other = -1


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.fixture
def good(rows: List[Dict[str, Any]], image: Image) -> List[str]:
    chosen = [row for row in rows if row["suite"] in ("alpha", "panics")]
    return stream.good_lines(chosen, len(image.tests), "none", image.build_id)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(watch, "FUNCTIONS_PER_TEST", 1)
    monkeypatch.setattr(serial_line, "LINGER_SECONDS", 0.1)
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "runs"))


def attach(kernel: Path, device: object, folder: Path, *arguments: str) -> Tuple[int, Any]:
    report = folder / "r.json"
    status = cli.main(["--kernel", str(kernel), "--allow-skip", "alpha.skips", "--attach",
                       str(device), "--json", str(report), "--wait", "20", "--timeout", "0.5",
                       "--test", "alpha.*", "--test", "panics.*", *arguments])
    return status, json.loads(report.read_text()) if report.exists() else None


def when_waited_for(folder: Path, act: Callable[[], object]) -> threading.Thread:
    """Acts as soon as the harness listens: what comes before is not read."""
    def wait() -> None:
        deadline = time.monotonic() + 20
        while not list((folder / "runs").glob("*/protocol.log")):
            if time.monotonic() > deadline:  # it has ended before it listened
                return
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def played(kernel: Path, folder: Path, line: Line, data: bytes, *arguments: str
           ) -> Tuple[int, Any]:
    thread = when_waited_for(folder, lambda: os.write(line.machine, data))
    try:
        return attach(kernel, line.name, folder, *arguments)
    finally:
        thread.join()


def sealed(lines: List[str]) -> bytes:
    return stream.to_bytes(stream.sealed(lines))


def test_a_run_on_another_machine_is_judged(kernel: Path, line: Line, good: List[str],
                                            tmp_path: Path, capsys: Capture) -> None:
    before = termios.tcgetattr(line.machine)
    status, report = played(kernel, tmp_path, line, b"\xff\0POST ok\r\n" + sealed(good),
                            "--timeout", "60")
    assert status == 0 and report["seconds"] < 30, "behind the totals nothing is waited for"
    assert report["unchecked"] == ["nonce", "exit status and process state"]
    captured = capsys.readouterr()
    assert f"waiting for the kernel on {line.name}: reset the machine" in captured.err
    assert f"(on {line.name}, 115200 baud)" in captured.out
    assert captured.out.rstrip().endswith("; not checked: nonce, exit status and process state")
    assert not list((tmp_path / "runs").iterdir()), "nothing is kept of a good run"
    assert termios.tcgetattr(line.machine) == before, "the line is given back as it was"


def test_a_nonce_that_the_kernel_was_given(kernel: Path, line: Line, good: List[str],
                                           tmp_path: Path) -> None:
    status, report = played(kernel, tmp_path, line, sealed(good), "--nonce", "k7")
    assert (status, report["tests"][0]["cause"]) == (99, "wrong-nonce")


def test_whoever_resets_the_machine_may_take_his_time(kernel: Path, line: Line, good: List[str],
                                                      tmp_path: Path) -> None:
    """Longer than a test may take, which is half a second here."""
    def play() -> None:
        time.sleep(0.8)
        os.write(line.machine, sealed(good))

    thread = when_waited_for(tmp_path, play)
    assert attach(kernel, line.name, tmp_path)[0] == 0
    thread.join()


@pytest.mark.parametrize("cause, words, bend", [
    ("kernel-never-began", "no sign of it for 0.3 s", lambda lines: b"POST\r\n"),
    ("tests-never-began", "no test did for 0.5", lambda lines: stream.to_bytes(lines[:3])),
    ("hung-between-tests", "behind alpha.one", lambda lines: stream.to_bytes(lines[:9])),
    ("truncated", "middle of a line", lambda lines: stream.to_bytes(lines[:9]) + b"    #:kt"),
    ("after-totals", "behind the end", lambda lines: sealed(lines) + b"KTAP version 1\n"),
    ("second-header", "a second time", lambda lines: stream.to_bytes(lines[:8]) + sealed(lines)),
    ("disorder", "KTAP version 1", lambda lines: sealed(lines[4:])),
    ("not-ascii", "0xff", lambda lines: sealed(lines).replace(b"one", b"\xff")),
    ("checksum", "checksum", lambda lines: sealed(lines).replace(b"=1200", b"=1201")),
    ("line-count", "arrived", lambda lines: sealed(lines).replace(
        stream.armed_line().encode() + b"\n", b"", 1)),
    ("wrong-image", "build id", lambda lines: sealed(
        [each.replace("build_id=", "build_id=0") for each in lines])),
    ("wrong-registry", "another number", lambda lines: sealed(
        [each.replace(" tests=", " tests=9") for each in lines])),
    ("wrong-selection", "--told", lambda lines: sealed(
        [each.replace("selected=4", "selected=3") for each in lines])),
])
def test_every_lie_of_a_line_has_its_own_name(cause: str, words: str,
                                              bend: Callable[[List[str]], bytes], kernel: Path,
                                              line: Line, good: List[str], tmp_path: Path) -> None:
    wait = ["--wait", "0.3"] if cause == "kernel-never-began" else []
    status, report = played(kernel, tmp_path, line, bend(good), *wait)
    assert report["seconds"] < 10, "what began is not waited for as long as the reset"
    found = {test["cause"]: test["sentence"] for test in report["tests"]}
    assert status == 99 and words in found[cause]
    assert "pass" not in {test["verdict"] for test in report["tests"][-1:]}


def test_a_hang_is_not_helped_and_ends_the_run(kernel: Path, line: Line, good: List[str],
                                               tmp_path: Path) -> None:
    """Nobody can send an NMI, and the rest does not run."""
    end = next(index for index, text in enumerate(good) if "begin test=alpha.two" in text)
    status, report = played(kernel, tmp_path, line, stream.to_bytes(good[:end + 1]))
    causes = {test["name"]: test["cause"] for test in report["tests"]}
    assert (status, causes["alpha.two"], causes["panics.as_declared"]) == (1, "hang", "not-run")
    assert report["tests"][2]["interventions"] == []
    assert report["unchecked"][-1] == "totals and checksum"
    kept = Path(report["tests"][2]["artifacts"]) / "protocol.log"
    assert kept.read_bytes() == stream.to_bytes(good[:end + 1])


def first_fails(good: List[str]) -> List[str]:
    """The lines up to the end of the first test."""
    end = good.index("    ok 1 one")
    failed = good[end - 1].replace("verdict=pass", "verdict=fail") + "1%20failed"
    return [*good[:end - 1], stream.CHECK, failed, "    not ok 1 one"]


def test_an_order_to_stop_reaches_the_machine(kernel: Path, line: Line, good: List[str],
                                              tmp_path: Path) -> None:
    lines = first_fails(good)

    def play() -> None:
        os.write(line.machine, stream.to_bytes(lines))
        assert os.read(line.machine, 100) == b"stop\n"
        more = [*lines, "#:ktest_order text=stop known=yes"]
        os.write(line.machine, stream.to_bytes(stream.sealed(more, stopped=1)[len(lines):]))

    thread = when_waited_for(tmp_path, play)
    status, report = attach(kernel, line.name, tmp_path, "-x")
    thread.join()
    assert (status, report["not_run"]) == (1, 3)
    assert [test["cause"] for test in report["tests"]] == ["assertion"]


def test_an_order_that_nobody_gave(kernel: Path, line: Line, good: List[str], tmp_path: Path
                                   ) -> None:
    status, report = played(kernel, tmp_path, line,
                            sealed([*good, "#:ktest_order text=go known=no"]))
    assert (status, report["tests"][0]["cause"]) == (99, "unasked-order")


def test_a_line_that_is_unplugged(kernel: Path, line: Line, good: List[str], tmp_path: Path
                                  ) -> None:
    def play() -> None:
        os.write(line.machine, stream.to_bytes(good[:9]))
        time.sleep(0.1)
        line.close()

    thread = when_waited_for(tmp_path, play)
    status, report = attach(kernel, line.name, tmp_path)
    thread.join()
    assert (status, report["tests"][0]["cause"]) == (99, "truncated")
    assert "was closed or unplugged" in report["tests"][0]["sentence"]


def test_a_fifo_takes_no_orders(kernel: Path, good: List[str], tmp_path: Path) -> None:
    """We would read them ourselves."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    lines = [*first_fails(good), *good[good.index("    ok 1 one") + 1:]]
    lines[lines.index("ok 1 alpha")] = "not ok 1 alpha"

    def play() -> None:
        whole = sealed(lines)
        with open(fifo, "wb", buffering=0) as pipe:
            pipe.write(whole[:-200])
            time.sleep(0.2)
            pipe.write(whole[-200:])

    thread = when_waited_for(tmp_path, play)
    status, report = attach(kernel, fifo, tmp_path, "-x")
    thread.join()
    assert (status, report["counts"]["pass"], report["counts"]["fail"]) == (1, 2, 1)


def test_a_socket_and_a_console(kernel: Path, line: Line, good: List[str], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(1)

        def play() -> None:
            connection, _ = listener.accept()
            os.write(line.machine, b"Hello World!\r\n")
            with connection:
                connection.sendall(stream.to_bytes(good[:9]))
                time.sleep(0.1)

        thread = when_waited_for(tmp_path, play)
        status, report = attach(kernel, tmp_path / "socket", tmp_path, "--console", line.name)
        thread.join()
    assert (status, report["tests"][0]["cause"]) == (99, "truncated")
    assert report["tests"][0]["console"] == "Hello World!"


# --- Devices --------------------------------------------------------------------------------------


def test_devices_that_are_none(kernel: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").touch()
    for device in ("none", "file", ".", "/dev/null"):
        assert attach(kernel, tmp_path / device, tmp_path)[0] == 99
    error = capsys.readouterr().err
    for words in ("there is no such device", "judges it", "is no serial line",
                  "is not a terminal device"):
        assert words in error
    assert error.count("\n") == 4 and not list((tmp_path / "runs").iterdir())


def test_a_line_that_is_in_use(kernel: Path, line: Line, tmp_path: Path, capsys: Capture) -> None:
    port = Port(line.name, 115200)
    assert attach(kernel, line.name, tmp_path)[0] == 99
    port.close()
    assert "somebody else uses it" in capsys.readouterr().err


def test_permission_denied(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Refusal, match="the group dialout"):
        Port(line.name, 115200)


def test_the_line_is_raw_and_has_its_speed(line: Line) -> None:
    port = Port(line.name, 9600)
    settings = termios.tcgetattr(port.descriptor)
    assert settings[4] == settings[5] == termios.B9600
    assert not settings[3] & (termios.ICANON | termios.ECHO)
    assert not settings[0] & (termios.ICRNL | termios.IXON) and not settings[1] & termios.OPOST
    port.close()


def test_ctrl_c_ends_the_waiting(kernel: Path, line: Line, tmp_path: Path) -> None:
    harness = subprocess.Popen(
        [sys.executable, str(HERE.parent / "run.py"), "--kernel", str(kernel), "--attach",
         line.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert harness.stderr is not None and "waiting" in harness.stderr.readline()
    harness.send_signal(signal.SIGINT)
    output, _ = harness.communicate(timeout=20)
    assert harness.returncode == cli.INTERRUPTED and "Interrupted" in output
