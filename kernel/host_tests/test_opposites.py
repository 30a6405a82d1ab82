# SPDX-License-Identifier: MIT
"""Every promise that the good tests rely on, broken on purpose: kernel/selftest.c has a test for
each, in a kernel of its own, and the harness has to say exactly what went wrong."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from tests.proves import proves

from conftest import ROOT
from test_boot import harness

# What is said of each test: the verdict, and words of its sentence.
SENTENCES = {
    "stack_overflow_without_ist": ("fail", "triple fault"),
    "stack_overflow_without_recursion": ("fail", "the expected fault never came: #DF"),
    "double_fault_on_another_stack": ("fail", "another fault came than declared: interrupt stack"),
    "panic_that_never_comes": ("fail", "the expected panic never came: panic: never"),
    "panic_with_another_text": ("fail", "another message than declared"),
    "panic_instead_of_fault": ("fail", "the expected fault never came"),
    "fault_instead_of_panic": ("fail", "the expected panic never came"),
    "fault_with_another_vector": ("fail", "another fault came than declared: vector"),
    "fault_with_another_code": ("fail", "another fault came than declared: error code"),
    "fault_at_another_address": ("fail", "another fault came than declared: address"),
    "fault_in_another_function": ("fail", "in another function than declared"),
    "panic_that_nobody_declared": ("fail", "panic: out of the blue"),
    "fault_that_nobody_declared": ("fail", "a page that is not present"),
    "expectation_that_fails": ("fail", "EXPECT three == 4: 3 against 4: of 7"),
    "assertion_that_fails": ("fail", 'ASSERT "left" == "right"'),
    "test_that_asserts_nothing": ("error", "it asserted nothing"),
    "hang_with_interrupts_off": ("fail", "hang"),
    "reset_by_the_keyboard_controller": ("fail", "the machine reset itself"),
    "triple_fault": ("fail", "triple fault"),
    "nothing_wrong": ("pass", ""),
}


@pytest.fixture(scope="module")
def results(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Any]:
    """One run of all of them: some take the machine down, and the run goes on behind them."""
    report = tmp_path_factory.mktemp("opposites") / "report.json"
    run = selftest(build, "--test", "opposite.*", "--json", str(report))
    assert run.returncode == 1, run.stdout
    tests = json.loads(report.read_text())["tests"]
    return {test["name"].partition(".")[2]: test for test in tests}


def selftest(build: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return harness(build, "--kernel", str(build / "faultline-selftest.elf"), *arguments)


@proves("4.1.6", "4.1.7", "4.4.1", "4.4.2", "4.4.4", "6.3", "6.13", "4.8.2")
@pytest.mark.parametrize("name", SENTENCES)
def test_verdict_says_what_went_wrong(results: Dict[str, Any], name: str) -> None:
    verdict, words = SENTENCES[name]
    assert results[name]["verdict"] == verdict
    assert words in results[name]["sentence"]


def test_every_one_is_known_here(results: Dict[str, Any]) -> None:
    assert sorted(results) == sorted(SENTENCES)


@proves("4.1.5")
def test_card_shows_expected_beside_actual(build: Path) -> None:
    run = selftest(build, "--test", "fault_with_another_code")
    assert "kernel/selftest.c" in run.stdout
    assert "peek" in run.stdout and "kernel_main" in run.stdout, "a backtrace with names"
    assert "expected 0x2" in run.stdout and "actual 0x0" in run.stdout


@proves("4.2.3", "4.4.4")
def test_exit_device_that_is_missing_is_noticed(build: Path, tmp_path: Path) -> None:
    """A QEMU without it: all tests pass, the kernel halts, and that is no pass."""
    qemu = tmp_path / "qemu"
    qemu.write_text(f"""#!{sys.executable}
import os, sys
words = sys.argv[1:]
at = next(i for i, word in enumerate(words) if word.startswith("isa-debug-exit"))
del words[at - 1:at + 1]
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64", *words])
""")
    qemu.chmod(0o755)
    run = selftest(build, "--test", "nothing_wrong", "--qemu", str(qemu), "--timeout", "2")
    assert run.returncode == 99, run.stdout
    assert "0 passed" in run.stdout


@proves("4.4.4", "4.4.5")
def test_image_that_does_not_boot_is_noticed(build: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.iso"
    empty.write_bytes(bytes(1 << 20))
    run = selftest(build, "--test", "nothing_wrong", "--boot", "grub", "--iso", str(empty),
                   "--timeout", "2")
    assert run.returncode == 99, run.stdout
    assert "0 passed" in run.stdout


@proves("6.3")
def test_one_by_one_the_status_is_1(build: Path) -> None:
    for name, words in (("stack_overflow_without_ist", "triple fault"),
                        ("stack_overflow_without_recursion", "never came")):
        run = selftest(build, "--test", name)
        assert run.returncode == 1
        assert words in run.stdout
        assert str(ROOT) not in run.stdout.split("repeat")[0], "places are relative to the project"
