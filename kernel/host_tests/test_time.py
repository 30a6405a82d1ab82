# SPDX-License-Identifier: MIT
"""Time from outside: what an idle kernel costs, and how right its clock goes. Under -icount the
machine's time is its own, and the same in each run, however busy the host is."""
from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from judge.vm import Machines, VirtualMachine
from tests.proves import proves

from conftest import ONE_TEST
from quick_keys import send, strokes

IDLE_SECONDS = 5.0
IDLE_PERCENT_MAX = 0.5
WAITING_PERCENT_MAX = 2.0  # of that, the interval timer's steps of 55 ms take most
WAKE_NS_MAX = 10_000  # at 1 ns an instruction, without optimization
OWN_TIME = ("-icount", "shift=3,sleep=off", "-rtc", "clock=vm")
STORM_MILLISECONDS = 20  # at scale 1
# An instruction takes 2^shift ns: 8 are too many for a kernel that is not optimized. The long one
# takes most of a minute.
STORM = (3, 10.0) if "FAULTLINE_LONG_STORM" in os.environ else (1, 1.0)


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_percent(pid_file: Path) -> float:
    """Of a CPU, for QEMU."""
    pid = int(pid_file.read_text())
    before = cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    percent = (cpu_seconds(pid) - before) / IDLE_SECONDS * 100
    print(f"idle: {percent:.2f} % of a CPU")
    return percent


def interrupt_counts(vm: VirtualMachine) -> str:
    """Of each line, as QEMU has counted them."""
    return str(vm.ask("human-monitor-command", command_line="info irq"))


@proves("7.3.3", "7.5.1", "7.5.2", "12.4.10")
def test_idle_kernel_costs_next_to_nothing(machine: Machines, has_tests: bool, tmp_path: Path
                                           ) -> None:
    if has_tests:
        pytest.skip("this kernel runs its tests instead")
    vm = machine.boot(vga=False, extra=("-pidfile", str(tmp_path / "pid")))
    vm.expect("It did not crash!\nfaultline> ")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    assert vm.registers()["rflags"] & 0x200, "it waits for interrupts"
    interrupts = interrupt_counts(vm)
    assert idle_percent(tmp_path / "pid") <= IDLE_PERCENT_MAX
    assert interrupt_counts(vm) == interrupts
    assert vm.console.endswith("It did not crash!\nfaultline> ")


@proves("12.4.10")
def test_waiting_task_costs_next_to_nothing(machine: Machines, has_tests: bool, tmp_path: Path
                                            ) -> None:
    if not has_tests:
        pytest.skip("no task waits in this kernel")
    name = "executor_timer.waiting_task_lets_the_cpu_halt"
    scale = round(1.5 * IDLE_SECONDS / 0.02)
    vm = machine.boot(vga=False, arguments=f"ktest.select={name} test.scale={scale}",
                      extra=("-pidfile", str(tmp_path / "pid")))
    vm.expect("a task waits\n")
    assert idle_percent(tmp_path / "pid") <= WAITING_PERCENT_MAX
    assert " ok " not in vm.protocol, "it did not wait so long"
    vm.wait()
    assert re.search(r"^ *ok 1 waiting_task", vm.protocol, re.MULTILINE), vm.protocol


@proves("12.4.9")
def test_no_wakeup_is_lost_wherever_it_comes(machine: Machines, has_tests: bool) -> None:
    """An instruction takes 1 ns, and each round begins one later."""
    if not has_tests:
        pytest.skip("no task waits in this kernel")
    tests = "executor_timer.wakes*,executor_timer.wrong*"
    vm = machine.boot(vga=False, arguments=f"ktest.select={tests}",
                      extra=("-icount", "shift=0,sleep=off"))
    rounds = (r": (\d+) of (\d+) rounds slept, (\d+) lost, (\d+) queued, "
              r"polled after (\d+) ns at most\n")
    match = vm.expect(re.compile("executor" + rounds))
    slept, count, lost, queued, latency_ns = map(int, match.groups())
    assert 0 < slept < count and lost == 0
    assert queued > 0, "it came between the registration and the second look"
    assert latency_ns < WAKE_NS_MAX
    match = vm.expect(re.compile("wrong look" + rounds))
    slept, count, lost = map(int, match.groups()[:3])
    print(f"{lost} of {count} are lost by the wrong look; a wake takes {latency_ns} ns at most")
    assert 0 < slept < count and lost > 0


def test_cpu_without_a_counter_is_told_and_lived_with(machine: Machines) -> None:
    vm = machine.boot(cpu="max,-tsc", vga=False, arguments="ktest.select=gdt.is_loaded",
                      exit_device=False)
    vm.expect("error time: no clock: ENODEV\n")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")


@pytest.mark.parametrize("date", ["1999-12-31", "2085-02-28"])
def test_date_has_its_century_from_the_firmware(machine: Machines, date: str) -> None:
    vm = machine.boot(way="grub", arguments=f"log=debug {ONE_TEST}", exit_device=False,
                      extra=("-rtc", f"base={date}T12:34:50"))
    vm.expect(f"debug time: {date} 12:3")


@pytest.mark.parametrize("words, device", [
    ("", "local APIC timer"), ("irq=pic", "PIT"), ("timer=pit", "PIT"), ("timer=hpet", "HPET"),
    ("irq=pic timer=hpet", "HPET"), ("irq=pic timer=apic", "PIT"), ("timer=sundial", "PIT")])
def test_timers_are_woken_by_the_device_that_is_asked_for(machine: Machines, has_tests: bool,
                                                          words: str, device: str) -> None:
    if not has_tests:
        pytest.skip("nothing in this kernel waits")
    select = "ktest.select=clock_event.of_the_kernel*"
    vm = machine.boot(way="grub", arguments=f"log=debug {words} {select}")
    vm.expect(f", timers by {device}\n")
    vm.wait()
    assert len(re.findall(r"^ *ok ", vm.protocol, re.MULTILINE)) >= 2, vm.protocol
    assert ("warn  boot: timer=" in vm.console) == (words in ("irq=pic timer=apic",
                                                              "timer=sundial"))


@proves("7.3.2", "7.9.3")
def test_clock_goes_as_fast_as_the_real_time_clock(machine: Machines, has_tests: bool) -> None:
    if not has_tests:
        pytest.skip("this kernel is built without tests")
    vm = machine.boot(arguments="ktest.select=rtc.goes_as_fast_as_the_clock test.scale=20",
                      vga=False, extra=OWN_TIME)
    match = vm.expect(re.compile(r"clock: (\d+) ns in (\d+) s of the RTC\n"), timeout=60.0)
    drift_percent = (int(match[1]) / int(match[2]) / 1e9 - 1) * 100
    print(f"drift: {drift_percent:+.4f} %")
    assert int(match[2]) >= 15
    assert abs(drift_percent) < 1


# The second: a CPU that is too slow for the device.
@proves("7.8.5")
@pytest.mark.parametrize("shift, seconds", [STORM, (6, 0.2)], ids=["served", "too_much"])
def test_storm_is_served_and_what_is_dropped_is_counted(machine: Machines, has_tests: bool,
                                                        shift: int, seconds: float) -> None:
    """All the while, keys are typed by the dozen, more than the keyboard's controller keeps."""
    if not has_tests:
        pytest.skip("this kernel is built without tests")
    name = "storm_is_served_and_what_is_dropped_is_counted"
    scale = round(seconds * 1000 / STORM_MILLISECONDS)
    vm = machine.boot(arguments=f"ktest.select=timer_demonstration.{name} ktest.have=pc "
                      f"test.scale={scale} test.typist=1", vga=False, exit_device=False,
                      extra=("-icount", f"shift={shift},sleep=off"))
    typed = 0

    def has_ended() -> bool:
        nonlocal typed
        if "storm: " not in vm.console:
            send(vm, strokes(["1", "2", "3", "4", "5", "6"] * 2))
            typed += 12
        return "keys: " in vm.console

    vm.wait_until(has_ended, "the storm does not end", timeout=120.0)
    keys = vm.expect(re.compile(r"keys: (\d+), 0 bytes lost in the kernel, 0 of no key"))
    print(f"{keys[1]} of {typed} keys came")
    assert typed / 4 < int(keys[1]) < typed if shift < 6 else int(keys[1]) < typed
    match = re.search(r"storm: (\d+) of (\d+) interrupts in (\d+) us, (\d+) dropped", vm.console)
    assert match
    print(match[0])
    served, sent, microseconds, dropped = map(int, match.groups())
    assert microseconds == seconds * 1_000_000
    assert sent > 590_000 * seconds
    assert served + dropped >= sent and served <= sent * 1.01
    assert dropped < sent / 100 if shift < 6 else dropped > sent / 2
    vm.wait_until(lambda: re.search(rf"^ *ok \d+ {name}$", vm.protocol, re.MULTILINE) is not None,
                  "the test does not pass")
