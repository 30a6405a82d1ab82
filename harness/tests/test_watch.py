# SPDX-License-Identifier: MIT
"""The clock of a boot: what restarts it and what does not, with a machine and a time of our own."""
from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping, Tuple

import pytest

from judge.evidence import Stop
from judge.machine import HIDE_THE_TPM
from judge.model import Inject, Test
from judge.qemu import Answer, Exited, Happening, MonitorMessage, ProtocolData, Wish
from judge.watch import FIRMWARE_SECONDS, Watch
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
        self.requested: List[str] = []  # and not waited for
        self.cpu_share = 1.0  # of the time that passes
        self.is_halted = False
        self.refusal = ""
        self.is_connected = True
        self._script = script

    def monotonic(self) -> float:
        return self.now

    def wish(self, deadline: float) -> Wish:
        return Wish(-1, deadline)

    def fulfil(self, wish: Wish) -> None:
        coming = self._script[0][0] if self._script else wish.deadline
        self.now = max(self.now, min(coming, wish.deadline))

    def wait(self, seconds: float) -> List[Happening]:
        if self._script and self._script[0][0] <= self.now:
            return [self._script.pop(0)[1]]
        return []

    def request(self, execute: str, arguments: Mapping[str, object]) -> int:
        self.requested.append(str(arguments.get("command-line", execute)))
        return len(self.requested)

    def ask(self, execute: str, **arguments: object) -> Answer:
        self.asked.append(str(arguments.get("command_line", execute)))
        if execute == "query-status":
            return Answer({"status": "internal-error"})
        if execute == "human-monitor-command":
            return Answer(f"RIP=1234 HLT={int(self.is_halted)}" if "info" in self.asked[-1] else "")
        return Answer({}, self.refusal)

    def cpu_seconds(self) -> float:
        return self.now * self.cpu_share

    def kill(self) -> None:
        pass


def said(*lines: str) -> ProtocolData:
    return ProtocolData(stream.to_bytes(lines))


def follow(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout_ms: int = 0,
           cpu_share: float = 1.0, is_halted: bool = False, refusal: str = "",
           inject: Inject = Inject.NONE, timeout: float = 10.0, has_firmware: bool = False
           ) -> Tuple[Watch, Clock]:
    clock = Clock(script)
    clock.cpu_share, clock.is_halted, clock.refusal = cpu_share, is_halted, refusal
    monkeypatch.setattr("time.monotonic", clock.monotonic)
    watch = Watch([Test("s", "t", timeout_ms=timeout_ms, inject=inject)], timeout, False, tmp_path)
    if has_firmware:
        watch.wait_for_firmware()
    for wish in watch.follow(clock):  # type: ignore[arg-type]
        clock.fulfil(wish)
    return watch, clock


def test_steps_restart_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(9.0, said(*LINES[:BEGIN])), (18.0, said(*LINES[BEGIN:])),
                           (27.0, Exited(33, None))], tmp_path, monkeypatch)
    assert (watch.ending.stop, watch.ending.status) == (None, 33)


def test_silence_between_tests_is_not_helped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                             ) -> None:
    watch, clock = follow([(9.0, said(*LINES[:BEGIN]))], tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 19.0)
    assert clock.asked == LAST_LOOK and watch.registers == "RIP=1234 HLT=0"
    assert (tmp_path / "registers.txt").read_text() == "RIP=1234 HLT=0"


LAST_LOOK = ["info registers", "screendump"]
RESCUE = ["inject-nmi"] * 3 + LAST_LOOK


def test_a_test_that_hangs_gets_three_nmis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its watchdog has 10 s for each function, so that it is waited for three of them."""
    watch, clock = follow([(5.0, said(*LINES[:BEGIN + 1]))], tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 5.0 + 35.0 + 3.0)
    assert clock.asked == RESCUE and watch.waited == 38.0
    assert [each.describe() for each in watch.interventions] == [
        "an NMI was injected, for it did not end"] * 3


def test_after_an_nmi_the_test_may_clean_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                            ) -> None:
    script: Script = [(0.0, said(*LINES[:BEGIN + 1])), (35.5, said(*stream.hang_lines())),
                      (60.0, said(*LINES[BEGIN + 1:-1])), (61.0, Exited(35, None))]
    watch, clock = follow(script, tmp_path, monkeypatch)
    assert (watch.ending.stop, len(watch.interventions)) == (None, 1)


def test_a_machine_without_cpu_time_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                  ) -> None:
    """0.02 of a CPU: its 10 s would last 500 s on the wall; ten times the limit is the end."""
    watch, clock = follow([(1.0, said(*LINES[:BEGIN + 1]))], tmp_path, monkeypatch,
                          cpu_share=0.02)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 1.0 + 350.0 + 3.0)
    script: Script = [(1.0, said(*LINES[:BEGIN + 1])), (300.0, said(*LINES[BEGIN + 1:])),
                      (301.0, Exited(33, None))]
    watch, clock = follow(script, tmp_path, monkeypatch, cpu_share=0.02)
    assert watch.ending.stop is None and watch.interventions == []


def test_a_halted_cpu_needs_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(1.0, said(*LINES[:BEGIN + 1]))], tmp_path, monkeypatch,
                          cpu_share=0.02, is_halted=True)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 39.0)


def test_what_a_test_reports_does_not_restart_the_clock(tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    script: Script = [(1.0, said(*LINES[:BEGIN + 1]))]
    script += [(float(second), said("    # still here")) for second in range(2, 60)]
    watch, clock = follow(script, tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 39.0)


def test_a_test_may_have_a_time_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(1.0, said(*LINES[:BEGIN + 1]))], tmp_path, monkeypatch, 2500)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 1.0 + 12.5 + 3.0)


def test_each_run_of_a_test_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boot as a whole gets as much more."""
    script: Script = [(1.0, said(*LINES[:BEGIN + 1]))]
    rerun = "    #:ktest_rerun test=s.t nth=%d"
    denied = "    #:ktest_denied nth=%d caller=0x0"
    script += [(30.0 * nth, said(rerun % nth, denied % nth)) for nth in range(1, 6)]
    watch, clock = follow(script, tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.HANG, 150.0 + 35.0 + 3.0)


def test_the_boot_as_a_whole_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script: Script = [(9.0, said(*LINES[:BEGIN])), (18.0, said(*LINES[BEGIN:BEGIN + 1])),
                      (45.0, said(*LINES[BEGIN + 1:-2])), (54.0, said(*LINES[-2:-1])),
                      (63.0, said(LINES[-1])), (66.0, Exited(33, None))]
    watch, clock = follow(script, tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.TOO_LONG, 65.0)


@pytest.mark.parametrize("timeout", [10.0, 100.0])
def test_a_slow_firmware_has_its_own_time(timeout: float, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """Before that of the kernel's first word. Then there is no more of it between two steps, but
    the boot as a whole is longer."""
    silent, clock = follow([], tmp_path, monkeypatch, timeout=timeout, has_firmware=True)
    assert (silent.ending.stop, clock.now) == (Stop.HANG, FIRMWARE_SECONDS + timeout)

    late = clock.now - 1.0
    begun, clock = follow([(late, said(*LINES[:BEGIN]))], tmp_path, monkeypatch, timeout=timeout,
                          has_firmware=True)
    assert (begun.ending.stop, clock.now) == (Stop.HANG, late + timeout)
    whole, _ = follow([(late, said(*LINES[:BEGIN])), (late + timeout - 1.0, said(*LINES[BEGIN:])),
                       (late + timeout, Exited(33, None))], tmp_path, monkeypatch,
                      timeout=timeout, has_firmware=True)
    assert (whole.ending.stop, whole.ending.status) == (None, 33)


@pytest.mark.parametrize("inject, command", [
    (Inject.NMI, "inject-nmi"), (Inject.MACHINE_CHECK, "mce 0 0 0xb200000000000000 0 0 0")])
def test_an_armed_test_gets_what_it_declares(inject: Inject, command: str, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    armed = said(*LINES[:BEGIN + 1], stream.armed_line(), stream.armed_line())
    script: Script = [(1.0, armed), (2.0, said(*LINES[BEGIN + 1:])), (3.0, Exited(33, None))]
    watch, clock = follow(script, tmp_path, monkeypatch, inject=inject, refusal="no such command")
    assert clock.asked == [command]
    refusal = "no such command" if inject is Inject.NMI else ""
    assert [(each.test, each.refusal) for each in watch.interventions] == [("s.t", refusal)]


def test_a_stopped_machine_is_not_waited_for(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clock = follow([(2.0, MonitorMessage({"event": "STOP"}))], tmp_path, monkeypatch)
    assert (watch.ending.stop, clock.now) == (Stop.VM_STOPPED, 2.0)
    assert watch.ending.vm_status == "internal-error"


def test_a_greeting_names_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greeting: Any = {"QMP": {"version": {"qemu": {"major": 9, "minor": 12}}, "capabilities": []}}
    nameless: Any = {"QMP": {"version": {}}}
    for message, version in ((greeting, 912), (nameless, None)):
        script: Script = [(1.0, MonitorMessage(message)), (2.0, Exited(33, None))]
        watch, _ = follow(script, tmp_path, monkeypatch)
        assert watch.greeted_version == version


def test_the_dead_are_looked_at_where_they_are_kept(tmp_path: Path) -> None:
    """QEMU stops then, and would never end by itself; the first reason is that of the death."""
    deaths = [MonitorMessage({"event": "SHUTDOWN", "data": {"reason": reason}})
              for reason in ("guest-reset", "host-qmp-quit")]
    greeting, stop = MonitorMessage({"QMP": {}}), MonitorMessage({"event": "STOP"})
    happenings: List[Happening] = [greeting, deaths[0], stop, deaths[1], Exited(0, None)]
    script: Script = [(0.0, each) for each in happenings]
    clock = Clock(script)
    watch = Watch([Test("s", "t")], 10.0, False, tmp_path, keeps_the_dead=True)
    for _ in watch.follow(clock):  # type: ignore[arg-type]
        pass
    assert clock.asked == [*LAST_LOOK, "quit"] and watch.registers == "RIP=1234 HLT=0"
    assert (watch.ending.stop, watch.ending.shutdown) == (None, "guest-reset")


def test_a_shutdown_stops_the_machine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutdown = MonitorMessage({"event": "SHUTDOWN", "data": {"reason": "guest-reset"}})
    watch, clock = follow([(1.0, shutdown), (1.0, MonitorMessage({"event": "STOP"})),
                           (2.0, Exited(0, None))], tmp_path, monkeypatch)
    assert (watch.ending.stop, watch.ending.shutdown) == (None, "guest-reset")


@pytest.mark.parametrize("greets, requested", [(True, ["query-kvm", "cont"]), (False, [])])
def test_the_machine_starts_when_it_is_watched(greets: bool, requested: List[str], tmp_path: Path
                                               ) -> None:
    """And not before all is asked for that is asked at the start: a QEMU that has to end while it
    answers may wait for itself."""
    happenings: List[Happening] = [MonitorMessage({"QMP": {}})] if greets else []
    clock = Clock([(0.0, each) for each in [*happenings, Exited(0, None)]])
    watch = Watch([Test("s", "t")], 10.0, False, tmp_path)
    for _ in watch.follow(clock):  # type: ignore[arg-type]
        pass
    assert clock.requested == requested


def test_uefis_machine_is_prepared_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                    ) -> None:
    _, clock = follow([(0.0, MonitorMessage({"QMP": {}})), (1.0, Exited(0, None))], tmp_path,
                      monkeypatch, has_firmware=True)
    assert clock.requested == ["query-kvm", *HIDE_THE_TPM, "cont"]
