# SPDX-License-Identifier: MIT
"""A machine that the harness has not started: a QEMU of the test's own stands for real hardware,
its COM2 a pty, to which the harness is attached."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Callable, Iterator, List, Tuple

import pytest

from conftest import ROOT

PATIENCE_SECONDS = 60
QEMU = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-cpu", "max", "-m", "128M",
        "-bios", "qboot.rom", "-S", "-monitor", "stdio", "-serial", "pty"]


class Machine:
    """Stands still until it is switched on."""

    def __init__(self, kernel: Path, arguments: str, socket: str = "") -> None:
        line = f"unix:{socket},server=on,wait=off" if socket else "pty"
        command = [*QEMU, "-serial", line, "-kernel", str(kernel), "-append", arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.console = self._pty()
        self.protocol = socket or self._pty()

    def _pty(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            match = re.search(r"char device redirected to (/dev/pts/\d+)", line)
            if match:
                return match[1]
        raise AssertionError("QEMU has made no pty")

    def switch_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("cont\n")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


Make = Callable[..., Machine]


@pytest.fixture
def machine() -> Iterator[Make]:
    made: List[Machine] = []

    def make(kernel: Path, arguments: str, socket: str = "") -> Machine:
        made.append(Machine(kernel, arguments, socket))
        return made[-1]

    yield make
    for each in made:
        each.end()


def attach(machine: Machine, kernel: Path, folder: Path, *arguments: str,
           at_once: Callable[[Machine], None] = Machine.switch_on) -> Tuple[int, str, Any]:
    """Switches it on as soon as the harness says that it waits."""
    report = folder / "report.json"
    harness = subprocess.Popen(
        [sys.executable, str(ROOT / "harness/run.py"), "--kernel", str(kernel), "--attach",
         machine.protocol, "--console", machine.console, "--wait", "30", "--json", str(report),
         *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder)})
    assert harness.stderr is not None
    threading.Thread(target=_when_it_waits, args=(harness.stderr, machine, at_once)).start()
    assert harness.stdout is not None
    text = harness.stdout.read()
    return harness.wait(PATIENCE_SECONDS), text, json.loads(report.read_text())


def _when_it_waits(errors: IO[str], machine: Machine, act: Callable[[Machine], None]) -> None:
    if "waiting for the kernel" in errors.readline():
        act(machine)


def test_a_run_on_another_machine(build: Path, tmp_path: Path, machine: Make) -> None:
    kernel = build / "faultline.elf"
    told = "ktest.nonce=k7 ktest.select=gdt.*,stack_overflow ktest.seed=5"
    status, text, report = attach(machine(kernel, f"quiet {told}"), kernel, tmp_path, "--told",
                                  told)
    assert status == 0, text
    assert report["counts"]["pass"] == 12 and report["boots"] == 1
    assert report["unchecked"] == ["exit status and process state"]
    assert text.rstrip().endswith("not checked: exit status and process state")


def test_without_a_nonce_that_is_said(build: Path, tmp_path: Path, machine: Make) -> None:
    kernel = build / "faultline.elf"
    status, text, report = attach(machine(kernel, "ktest.select=gdt.*"), kernel, tmp_path,
                                  "--suite", "gdt")
    assert status == 0 and report["unchecked"][0] == "nonce", text


def test_another_selection_than_the_kernels(build: Path, tmp_path: Path, machine: Make) -> None:
    kernel = build / "faultline.elf"
    status, _, report = attach(machine(kernel, "ktest.select=gdt.*"), kernel, tmp_path,
                               "--test", "idt.*")
    assert (status, report["tests"][0]["cause"]) == (99, "wrong-selection")


def test_another_kernel(build: Path, tmp_path: Path, machine: Make) -> None:
    status, _, report = attach(machine(build / "faultline-selftest.elf",
                                       "ktest.select=nothing_wrong"),
                               build / "faultline.elf", tmp_path)
    assert (status, report["tests"][0]["cause"]) == (99, "wrong-image")


def test_an_order_to_stop(build: Path, tmp_path: Path, machine: Make) -> None:
    """The kernel reads it between tests. By a socket: it takes seconds until QEMU reads a pty."""
    kernel = build / "faultline-selftest.elf"
    names = ["opposite.assertion_that_fails", "opposite.hang_*", "opposite.panic_*"]
    made = machine(kernel, f"ktest.select={','.join(names)}", str(tmp_path / "line"))
    status, text, report = attach(made, kernel, tmp_path, *names, "-x")
    assert status == 1 and 0 < report["not_run"] and report["tests"][0]["verdict"] == "fail", text


def test_a_machine_that_resets_itself(build: Path, tmp_path: Path, machine: Make) -> None:
    """It boots again, and begins a second time."""
    kernel = build / "faultline-selftest.elf"
    name = "opposite.stack_overflow_without_ist"
    status, _, report = attach(machine(kernel, f"ktest.select={name}"), kernel, tmp_path, name)
    assert (status, report["tests"][0]["cause"]) == (99, "second-header")


def test_a_machine_that_hangs(build: Path, tmp_path: Path, machine: Make) -> None:
    """Nobody helps it, and what comes behind does not run."""
    kernel = build / "faultline-selftest.elf"
    status, text, report = attach(machine(kernel, "ktest.select=backstop.hang*,backstop.last*"),
                                  kernel, tmp_path, "--suite", "backstop", "--timeout", "0.5")
    assert status == 1
    assert [test["cause"] for test in report["tests"]] == ["hang", "not-run", "not-run"]
    assert report["tests"][0]["console"].startswith("Hello World!")


def test_a_line_that_is_unplugged(build: Path, tmp_path: Path, machine: Make) -> None:
    status, _, report = attach(machine(build / "faultline.elf", ""), build / "faultline.elf",
                               tmp_path, at_once=Machine.end)
    assert (status, report["tests"][0]["cause"]) == (99, "kernel-never-began")
    assert "was closed or unplugged" in report["tests"][0]["sentence"]
