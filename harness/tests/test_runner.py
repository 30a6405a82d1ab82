# SPDX-License-Identifier: MIT
"""The clock of a boot: what restarts it and what does not, with a machine and a time of our own."""
from __future__ import annotations

from pathlib import Path
from typing import Any, List, Tuple

import pytest

from judge.judge import Stop
from judge.model import Test
from judge.qemu import Exited, Happening, MonitorMessage, ProtocolData
from judge.runner import Settings, Watch
from tests import stream

ROW = {"suite": "s", "test": "t", "name": "s.t", "outcome": "pass"}
LINES = stream.sealed(stream.good_lines([ROW], 1, "n", "b"))
BEGIN = next(index for index, line in enumerate(LINES) if "#:ktest_begin" in line)

Script = List[Tuple[float, Happening]]  # when, and what


class Clock:
    """Stands for QEMU and for time: waiting makes it pass."""

    def __init__(self, script: Script) -> None:
        self.now = 0.0
        self.asked: List[str] = []
        self._script = script

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> List[Happening]:
        if self._script and self._script[0][0] <= self.now + seconds:
            self.now, happening = self._script.pop(0)
            return [happening]
        self.now += seconds
        return []

    def ask(self, execute: str, **arguments: object) -> Any:
        self.asked.append(execute)
        return {"status": "internal-error"} if execute == "query-status" else "RIP=1234"

    def kill(self) -> None:
        pass


def said(*lines: str) -> ProtocolData:
    return ProtocolData(stream.to_bytes(lines))


def follow(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
           timeout_ms: int = 0) -> Tuple[Watch, Clock]:
    clock = Clock(script)
    monkeypatch.setattr("time.monotonic", clock.monotonic)
    watch = Watch([Test("s", "t", timeout_ms=timeout_ms)], Settings(timeout=10.0), tmp_path)
    watch.follow(clock)  # type: ignore[arg-type]
    return watch, clock


def test_steps_restart_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(9.0, said(*LINES[:BEGIN])), (18.0, said(*LINES[BEGIN:])),
                           (27.0, Exited(33, None))], tmp_path, monkeypatch)
    assert (watch.ending.stop, watch.ending.status) == (None, 33)


def test_silence_is_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(9.0, said(*LINES[:BEGIN + 1]))], tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 19.0)
    assert clock.asked == ["human-monitor-command"] and watch.registers == "RIP=1234"


def test_what_a_test_reports_does_not_restart_the_clock(tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    script: Script = [(1.0, said(*LINES[:BEGIN + 1]))]
    script += [(float(second), said("    # still here")) for second in range(2, 40)]
    watch, clock = follow(script, tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 11.0)


def test_a_test_may_have_a_time_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(1.0, said(*LINES[:BEGIN + 1]))], tmp_path, monkeypatch, 2500)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 3.5)


def test_the_boot_as_a_whole_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script: Script = [(9.0, said(*LINES[:BEGIN])), (18.0, said(*LINES[BEGIN:BEGIN + 1])),
                      (27.0, said(*LINES[BEGIN + 1:]))]
    watch, clock = follow(script, tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.TOO_LONG, 30.0)


def test_a_stopped_machine_is_not_waited_for(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(2.0, MonitorMessage({"event": "STOP"}))], tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.VM_STOPPED, 2.0)
    assert watch.ending.vm_status == "internal-error"


def test_a_shutdown_stops_the_machine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutdown = MonitorMessage({"event": "SHUTDOWN", "data": {"reason": "guest-reset"}})
    watch, clock = follow([(1.0, shutdown), (1.0, MonitorMessage({"event": "STOP"})),
                           (2.0, Exited(0, None))], tmp_path, monkeypatch)
    assert (watch.ending.stop, watch.ending.shutdown) == (None, "guest-reset")
