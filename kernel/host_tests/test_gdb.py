# SPDX-License-Identifier: MIT
"""gdb on real boots, with commands through a pipe: where it stops, and what it shows there."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Tuple

import pexpect
import pytest

from conftest import ROOT

PATIENCE_SECONDS = 120
PROMPT = r"\(gdb\) "


@pytest.fixture(autouse=True)
def gdb() -> None:
    if shutil.which("gdb"):
        return
    if "FAULTLINE_ALL_COMPILERS" in os.environ:
        pytest.fail("gdb is not installed: ./dev install ci")
    pytest.skip("gdb is not installed")


def command(build: Path, *arguments: str) -> List[str]:
    return [str(ROOT / "harness/run.py"), "--no-build", "--build-dir", str(build), "--kernel",
            str(build / "faultline-selftest.elf"), "--iso", str(build / "faultline-selftest.iso"),
            *arguments]


def debug(build: Path, commands: str, *arguments: str) -> Tuple[int, str]:
    """The exit status and all that was written, on a kernel of which tests fail."""
    done = subprocess.run([sys.executable, *command(build, *arguments)], input=commands,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=PATIENCE_SECONDS, check=False, cwd="/",
                          env={**os.environ, "HOME": "/nonexistent"})
    return done.returncode, done.stdout


@pytest.mark.parametrize("boot, entry", [("direct", "pvh_start"), ("grub", "_start")])
def test_stops_at_the_first_instruction(build: Path, boot: str, entry: str) -> None:
    status, text = debug(build, "info registers rip\ninfo registers cr0\nbreak kernel_main\n"
                                "continue\nbacktrace 1\nlist\n",
                         "--gdb", "--boot", boot, "nothing_wrong")
    assert status == 130 and "the run was left in gdb" in text
    assert re.search(rf"rip +0x[0-9a-f]+ +0x[0-9a-f]+ <{entry}>", text)
    assert not re.search(r"cr0 .*\bPG\b", text), "there is no paging as yet"
    assert re.search(r"#0 +kernel_main ", text), "and yet a breakpoint behind it holds"
    assert re.search(r"\d+\s+.*\bkernel_main\(", text), "its source is found from anywhere"


def test_stops_at_the_test_and_judges_what_comes_then(build: Path) -> None:
    status, text = debug(build, "continue\nbacktrace\ncontinue\nconsole\nquit\n", "--gdb",
                         "assertion_that_fails")
    assert re.search(r"#0 +ktest_run_opposite__assertion_that_fails ", text)
    assert re.search(r"#\d+ .*\bkernel_entry \(\)", text), "the backtrace goes on behind assembly"
    assert "Internal error" not in text
    assert "Hello World!" in text, "the command console"
    assert status == 1 and 'FAIL opposite.assertion_that_fails: ASSERT "left"' in text


def test_no_deadline_runs_while_gdb_is_in_charge(build: Path) -> None:
    status, text = debug(build, "continue\nshell sleep 1\nnext\nshell sleep 1\ndelete\ncontinue\n",
                         "--gdb", "--timeout", "0.5", "nothing_wrong")
    assert status == 0, text


def test_ctrl_c_on_a_terminal_stops_the_kernel(build: Path) -> None:
    """And not the harness; quitting then leaves the run. A Ctrl-C before gdb has let the kernel go
    is for gdb itself, so the packet that does is waited for."""
    user = pexpect.spawn(sys.executable, command(build, "--gdb", "unlimited.*"), timeout=30,
                         encoding="utf-8", env={**os.environ, "HOME": "/nonexistent"})
    for expected, then in (("pvh_start", "continue"),
                           ("halt_without_a_timeout", "set debug remote 1"), ("", "continue")):
        user.expect(expected)
        user.expect(PROMPT)
        user.sendline(then)
    user.expect("vCont;c")
    user.sendintr()
    user.expect("SIGINT")
    user.expect(PROMPT)
    user.sendline("backtrace 3")
    user.expect("halt_without_a_timeout")
    user.sendline("quit")
    user.expect("the run was left in gdb")
    user.expect(pexpect.EOF)
    user.close()
    assert user.exitstatus == 130


@pytest.mark.parametrize("name, shown", [
    ("assertion_that_fails", r'KTEST_ASSERT_STREQ\(test, "left", "right"\)'),
    ("expectation_that_fails", r"KTEST_EXPECT_EQ_MSG\(test, three, 4"),
    ("panic_that_nobody_declared", r'panic\("out of the blue"\)'),
    ("fault_that_nobody_declared", r"#0 .*\bpeek \("),
    ("fault_with_another_code", r"#0 .*\bpeek \("),
    ("double_fault_on_another_stack", r"#0 .*\brecurse \("),
    ("stack_overflow_without_ist", r"#0 .*\brecurse \("),
    ("hang_with_interrupts_off", r"#0 .*(cpu_relax|hang_with_interrupts_off)"),
    ("reset_by_the_keyboard_controller", r"The machine has ended, and is kept as it was then"),
    ("panic_that_never_comes", r'the expected panic "never" never came'),
])
def test_a_failure_is_shown_where_it_happens(build: Path, name: str, shown: str) -> None:
    """The user is asked behind it; before, the test's own function is among the frames."""
    status, text = debug(build, "echo asked\\n\nquit\n", "--gdb-on-failure", f"opposite.{name}")
    assert status == 1
    head, found, tail = text.partition("runs once more, alone, under gdb")
    assert found and f"FAIL opposite.{name}" in head
    before, asked, _ = tail.partition("asked")
    assert asked and re.search(shown, before), before
    if name != "panic_that_never_comes":  # it has returned by then
        assert re.search(rf"#\d+ .*\bktest_run_opposite__{name} \(", before), before


def test_the_faulting_registers_are_those_of_the_fault(build: Path) -> None:
    """And going on from there is to fault again."""
    commands = "info registers rip\nhbreak ktest_on_fault\ncontinue\nbacktrace 1\nquit\n"
    _, text = debug(build, commands, "--gdb-on-failure", "fault_that_nobody_declared")
    assert re.search(r"rip .*<peek", text) and re.search(r"#0 +ktest_on_fault ", text)
