# SPDX-License-Identifier: MIT
"""Every promise that the good tests rely on, broken on purpose: kernel/selftest/ has a test for
each, in a kernel of its own, and the harness has to say exactly what went wrong."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, NamedTuple

import pytest
from tests.proves import proves

from conftest import ROOT, read_report

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
    "fault_with_more_in_its_code": ("fail", "another fault came than declared: error code"),
    "fault_with_a_mask": ("pass", ""),
    "body_behind_an_init_that_fails": ("fail", "ASSERT"),
    "fault_at_another_address": ("fail", "another fault came than declared: address"),
    "fault_in_another_function": ("fail", "in another function than declared"),
    "panic_that_nobody_declared": ("fail", "panic: out of the blue"),
    "fault_that_nobody_declared": ("fail", "page fault #PF: read of 0x"),
    "expectation_that_fails": ("fail", "EXPECT three == 4: 3 against 4: of 7"),
    "assertion_that_fails": ("fail", 'ASSERT "left" == "right"'),
    "skip_of_a_declared_panic": ("error", "skipped (no device), though the machine has all"),
    "skip_with_a_line_break": ("error", "device), though the machine has all"),
    "skip_with_a_long_reason": ("error", "xxx..."),
    "skip_behind_a_failure": ("fail", "EXPECT one == 2: 1 against 2"),
    "every_kind_of_value": ("fail", "EXPECT five > 6"),
    "strings_that_differ_far_behind": (
        "fail", '"...3456789abcdefghijklmnopqrstuvwxyz and so on" against '
                '"...3456789abcdefghijklmNopqrstuvwxyz and so on"'),
    "registers_are_told_apart": ("fail", "#UD"),
    "fault_in_exit_is_not_the_declared_one": ("fail", "after the declared end came another"),
    "a_suite_init_that_fails": ("error", "checks failed; ASSERT false == true: false against"),
    "b_runs_no_test_behind_it": (
        "error", "suite_init failed, in a_suite_init_that_fails: 1 of 1 checks failed"),
    "a_suite_init_that_faults": ("error", "suite_init failed"),
    "b_does_not_run_either": (
        "error", "suite_init failed, in a_suite_init_that_faults: invalid opcode #UD"),
    "a_suite_init_that_skips": ("error", "suite_init failed"),
    "b_is_not_skipped": (
        "error", "suite_init failed, in a_suite_init_that_skips: it skipped: there is no such"),
    "suite_exit_that_faults": ("fail", "#UD"),
    "test_that_asserts_nothing": ("error", "it asserted nothing"),
    "hang_with_interrupts_off": ("fail", "hang"),
    "reset_by_the_keyboard_controller": ("fail", "the machine reset itself"),
    "triple_fault": ("fail", "triple fault"),
    "strings_left_to_run_backwards": ("fail", "left behind: the direction flag is set"),
    "frame_left_behind": ("fail", "(order 0), taken in take_a_frame at 0xffffffff8"),
    "frame_of_a_dead_test": ("fail", "#UD"),
    "block_left_behind": ("fail", "heap: a block of 24 bytes at 0xffff9000"),
    "block_of_a_dead_test": ("fail", "#UD"),
    "block_written_beyond": ("fail", "heap: something was written behind a block of 24 bytes"),
    "block_written_after_kfree": ("fail", "heap: something was written, after kfree, to a block"),
    "stack_left_behind": ("fail", "8 pages more mapped: 8 times frame 0x"),
    "stack_of_a_dead_test": ("fail", "#UD"),
    "fault_that_was_not_armed": ("fail", "it was not armed"),
    "panic_that_was_not_armed": ("fail", "it was not armed"),
    "triple_fault_that_was_not_armed": ("fail", "it was not armed"),
    "hang_that_was_not_armed": ("fail", "it was not armed"),
    "triple_fault_that_never_comes": ("fail", "the expected triple fault never came"),
    "triple_fault_that_is_a_reset": ("fail", "the machine reset itself"),
    "hang_that_never_comes": ("fail", "the expected hang never came"),
    "hang_instead_of_panic": ("fail", "the expected panic never came"),
    "known_bug_that_is_gone": ("fail", "it was once"),
    "known_bug_that_asserts_nothing": ("error", "it asserted nothing"),
    "attempt_with_another_vector": ("fail", "#GP: vector 6, error code 0x0 (invalid opcode"),
    "attempt_with_another_code": ("fail", "error code 0x2"),
    "attempt_where_nothing_happens": ("fail", "nothing happened"),
    "attempt_with_another_panic": ("fail", "another thing"),
    "attempt_with_a_panic_for_a_fault": ("fail", "no fault"),
    "attempt_with_a_fault_for_a_panic": ("fail", "vector 0, error code 0x0 ("),
    "fault_whose_panic_hangs": ("fail", "page fault #PF: read of 0x"),
    "fault_whose_panic_takes_1000_cycles": ("fail", "page fault #PF: read of 0x"),
    "fault_while_a_line_is_sent": ("fail", "#UD"),
    "skip_in_exit_is_none": ("pass", ""),
    "attempt_that_is_left": ("error", "it left the statement"),
    "attempt_that_is_asserted": ("fail", "nothing happened"),
    "fault_behind_an_attempt": ("fail", "#UD"),
    "more_failures_and_notes_than_are_written": (
        "fail", "EXPECT i == -1: 0 against -1 (and at least 19 more)"),
    "hang_behind_a_failure/0": ("fail", "another thing"),
    "hang_behind_a_failure/1": ("fail", "error code 0x2"),
    "hang_behind_a_failure/2": ("fail", "hang"),
    "a_skipped": ("skip", "not here"),
    "b_runs_between_both": ("fail", "suite_exit, behind 1 suite_init"),
    "c_skipped": ("skip", "not here"),
    "line_longer_than_the_longest": ("pass", ""),
    "panic_of_exit_behind_a_fault": ("fail", "page fault #PF: read of 0x"),
    "assumption_that_fails": ("error", "assumed one == 2: 1 against 2: of 3"),
    "description_that_faults/0": ("fail", "#UD"),
    "description_that_panics/0": ("fail", "1 can't be described"),
    "description_that_hangs/0": ("fail", "hang"),
    "action_that_hangs": ("fail", "hang"),
    "quirk_that_skips": ("skip", "there is no such fault"),
    "quirk_with_another_outcome": ("pass", ""),
    "nothing_wrong": ("pass", ""),
    "halt_that_only_the_watchdog_ends": ("fail", "hang"),
    "many_lines_are_printed": ("fail", "EXPECT false == true"),
    "one_long_line_is_printed": ("fail", "EXPECT false == true"),
    "panic_on_the_error_path": ("fail", "with allocation 2 failing: panic: there is always"),
    "fault_on_the_error_path": ("fail", "with allocation 2 failing: page fault #PF: read of 0x"),
    "hang_on_the_error_path": ("fail", "with allocation 2 failing: hang"),
    "triple_fault_on_the_error_path": ("fail", "with allocation 2 failing: triple fault"),
    "interrupts_left_on_by_the_error_path": (
        "fail", "with allocation 2 failing: left behind: registers: RFLAGS is 0x200"),
    "lock_left_held_by_the_error_path": (
        "fail", "with allocation 2 failing: left behind: locks: 1 held, were 0: state"),
    "leak_on_the_error_path": ("fail", "with allocation 3 failing: left behind: frames: frame 0x"),
    "assertion_when_an_allocation_fails": ("fail", "with allocation 1 failing: ASSERT take_frames"),
    "skip_when_an_allocation_fails": (
        "fail", "with allocation 1 failing: it skipped itself: assumed frame_alloc"),
    "limit_below_what_it_needs": (
        "fail", "with allocation 3 failing: more than 2 allocations, which is its .fail_nth"),
    "limit_that_is_just_enough": ("pass", "well with each of its 3 allocations failing"),
    "sweep_without_an_allocation": ("error", "it has .fail_nth, and allocates nothing"),
    "sweep_with_an_outcome": ("error", ".fail_nth is for tests that return: not for a benchmark"),
    "a_first_run_that_fails": ("fail", "EXPECT run_count == 2: 1 against 2"),
    "a_first_run_that_skips": ("error", "skipped (run 2), though the machine has all it needs"),
    "known_bug_on_the_error_path": (
        "skip", "known bug: issue 5: nobody looks at the error; panic: there is always a second"),
}

# Of tests that were not written for allocations that fail, with --fail-nth.
LENIENT = {
    "assertion_is_overlooked": ("pass", "well with each of its 3 allocations failing"),
    "assumption_is_overlooked": ("pass", "well with its only allocation failing"),
    "fault_that_does_not_come_is_overlooked": ("pass", "well with its only allocation failing"),
    "more_allocations_than_are_tried": (
        "pass", "well with each of its first 100 allocations failing"),
    "no_allocation_is_no_second_run": ("pass", ""),
    "panic_behind_a_failed_check_is_none": (
        "fail", "with allocation 1 failing: panic: there is always a second frame"),
    "leak_is_none": ("fail", "with allocation 3 failing: left behind: frames: frame 0x"),
    "other_fault_than_tried_is_none": ("fail", "with allocation 1 failing: page fault #PF: read"),
}


# A QEMU without the exit device.
EXITLESS_QEMU = f"""#!{sys.executable}
import os, sys
words = sys.argv[1:]
at = next(i for i, word in enumerate(words) if word.startswith("isa-debug-exit"))
del words[at - 1:at + 1]
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64", *words])
"""


class Run(NamedTuple):
    status: int
    text: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("opposites")


@pytest.fixture(scope="module")
def runs(build: Path, folder: Path) -> Dict[str, Run]:
    """All runs side by side: most of their time is spent in waiting for what never comes."""
    (folder / "qemu").write_text(EXITLESS_QEMU)
    (folder / "qemu").chmod(0o755)
    (folder / "empty.iso").write_bytes(bytes(1 << 20))
    good = ["--test", "nothing_wrong", "--timeout", "2"]
    arguments = {
        "all": ["--test", "opposite*.*", "--json", f"{folder}/report.json"],
        "stopped": ["--test", "opposite.*", "-x"],
        "no exit device": [*good, "--qemu", f"{folder}/qemu"],
        "no boot": [*good, "--boot", "grub", "--iso", f"{folder}/empty.iso"],
        "one": ["--test", "fault_with_another_code"],
        "leak": ["--test", "frame_left_behind"],
        "without memory": ["--test", "opposite_memory.*"],
        "lenient": ["--test", "lenient.*", "--fail-nth", "--json", f"{folder}/lenient.json"],
        "one allocation": ["--test", "panic_on_the_error_path", "--fail-nth=3", "-v"],
        "dead runner": ["--test", "runner.*", "-v"],
        "clash": ["--suite", "clash", "--bisect-order"],
    }
    command = [sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir",
               str(build), "--kernel", str(build / "faultline-selftest.elf")]
    started = {name: subprocess.Popen([*command, *words], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True,
                                      env={**os.environ, "TMPDIR": str(folder)})
               for name, words in arguments.items()}
    texts = {name: process.communicate()[0] for name, process in started.items()}
    return {name: Run(process.returncode, texts[name]) for name, process in started.items()}


@pytest.fixture(scope="module")
def results(runs: Dict[str, Run], folder: Path) -> Dict[str, Any]:
    """Some tests take the machine down, and the run goes on behind them."""
    assert runs["all"].status == 1, runs["all"].text
    tests = read_report(folder / "report.json")["tests"]
    return {test["name"].partition(".")[2]: test for test in tests}


@proves("4.1.6", "4.1.7", "4.4.1", "4.4.2", "4.4.4", "6.3", "6.13", "4.8.2")
@pytest.mark.parametrize("name", SENTENCES)
def test_verdict_says_what_went_wrong(results: Dict[str, Any], name: str) -> None:
    verdict, words = SENTENCES[name]
    assert results[name]["verdict"] == verdict
    assert words in results[name]["sentence"]


@proves("4.8.3")
def test_every_one_is_known_here(results: Dict[str, Any]) -> None:
    assert sorted(results) == sorted(SENTENCES)


@pytest.mark.parametrize("name", LENIENT)
def test_nobody_wrote_it_for_allocations_that_fail(runs: Dict[str, Run], folder: Path, name: str
                                                   ) -> None:
    assert runs["lenient"].status == 1
    tests = {test["test"]: test for test in read_report(folder / "lenient.json")["tests"]}
    assert sorted(tests) == sorted(LENIENT)
    verdict, words = LENIENT[name]
    assert tests[name]["verdict"] == verdict and words in tests[name]["sentence"]


def card_of(run: Run, name: str) -> str:
    return next(card for card in run.text.split("\n\n") if f" opposite_memory.{name}: " in card)


@pytest.mark.parametrize("name", ["panic", "fault", "hang", "triple_fault"])
def test_card_says_which_allocation_failed(runs: Dict[str, Run], name: str) -> None:
    """Also where the machine did not survive it, and the kernel could say nothing more."""
    card = card_of(runs["without memory"], f"{name}_on_the_error_path")
    assert re.search(r"allocation 2 failed, asked for by take_frames\+0x\w+, "
                     r"kernel/selftest/memory\.c:\d+\n", card)
    assert "if (frame_alloc(&frames_out[i]) != OK) {" in card
    assert f"--test opposite_memory.{name}_on_the_error_path --fail-nth=2\n" in card


def test_last_run_is_said_to_be_the_one(runs: Dict[str, Run]) -> None:
    text = runs["lenient"].text
    assert "note       a check had failed before, as it may here: kernel/selftest/memory.c:" in text
    assert card_of(runs["without memory"], "leak_on_the_error_path").count("  note ") == 1


def test_one_allocation_is_tried_alone(runs: Dict[str, Run]) -> None:
    """The second is the one that the code does not bear."""
    assert runs["one allocation"].status == 0
    assert "pass (well with allocation 3 failing)" in runs["one allocation"].text


def test_dead_runner_is_blamed_and_the_run_goes_on(runs: Dict[str, Run]) -> None:
    """It faults between two tests: the one before is in error, the one behind gets its boot."""
    text = runs["dead runner"].text
    assert "ERROR runner.a_takes_the_next_test_away: the runner died behind it" in text
    assert "#PF" in text and "1 passed, 0 failed, 1 in error" in text and "2 boots" in text


def test_order_that_matters_is_narrowed_to_a_pair(runs: Dict[str, Run]) -> None:
    assert runs["clash"].status == 1
    text = runs["clash"].text
    assert "clash.minds_the_mark passes alone and fails behind clash.leaves_a_mark." in text
    assert "--test clash.leaves_a_mark --test clash.minds_the_mark" in text.splitlines()[-1]


@proves("4.1.3", "4.1.5")
def test_card_shows_expected_beside_actual(runs: Dict[str, Run]) -> None:
    card = runs["one"].text
    assert card.startswith("Running 1 test of ")
    assert "FAIL opposite.fault_with_another_code: " in card
    assert "kernel/selftest/outcome.c" in card
    assert "peek" in card and "called by the test runner" in card, "a backtrace"
    assert "expected 0x2" in card and "actual 0x0" in card
    assert str(ROOT) not in card.split("repeat")[0], "places are relative to the project"


@proves("9.4.3")
def test_leaked_frames_name_who_took_them(runs: Dict[str, Run], results: Dict[str, Any]) -> None:
    """Also where the test has died, and its frames were given back for it."""
    for name in ("frame_left_behind", "frame_of_a_dead_test"):
        assert "(order 0), taken in take_a_frame at 0x" in str(results[name]["notes"])
    assert "left behind" not in str(results["frame_of_a_dead_test"]["notes"])
    assert re.search(r"take_a_frame\+0x\w+, kernel/selftest/outcome\.c:\d+", runs["leak"].text)
    assert "frame_alloc(&frame)" in runs["leak"].text, "the line of the call"


@proves("10.13")
def test_leaked_and_overwritten_blocks_name_who_allocated_them(results: Dict[str, Any]) -> None:
    """Also where the test has died, and its blocks were given back for it."""
    for name in ("block_left_behind", "block_of_a_dead_test"):
        assert "24 bytes at 0xffff9000" in str(results[name]["notes"])
        assert "taken in take_a_block at 0xffffffff8" in str(results[name]["notes"])
        assert not results[name]["restart"]
    assert "left behind" not in str(results["block_of_a_dead_test"]["notes"])
    for name in ("block_written_beyond", "block_written_after_kfree"):
        assert "allocated in take_a_block at 0xffffffff8" in str(results[name]["notes"])
        assert results[name]["restart"] == "an invariant could not be put back"
    assert "freed in ktest_run_opposite__block_written_after" in str(
        results["block_written_after_kfree"]["notes"])


def test_mappings_that_are_left_end_the_boot(results: Dict[str, Any]) -> None:
    for name in ("stack_left_behind", "stack_of_a_dead_test"):
        assert "8 pages more mapped: 8 times frame 0x" in str(results[name]["notes"])
        assert "taken in take_a_stack at 0xffffffff8" in str(results[name]["notes"])
        assert results[name]["restart"] == "an invariant could not be put back"


@proves("4.2.3", "4.4.4")
def test_exit_device_that_is_missing_is_noticed(runs: Dict[str, Run]) -> None:
    """All tests pass, the kernel halts, and that is no pass."""
    assert runs["no exit device"].status == 99
    assert "0 passed" in runs["no exit device"].text


@proves("4.4.4", "4.4.5")
def test_image_that_does_not_boot_is_noticed(runs: Dict[str, Run]) -> None:
    assert runs["no boot"].status == 99
    assert "0 passed" in runs["no boot"].text


def test_run_can_be_stopped_by_an_order(runs: Dict[str, Run]) -> None:
    """-x: nothing runs behind the first failure, and what does not is counted."""
    assert runs["stopped"].status == 1
    assert re.search(r"\n\d passed, (1 failed|0 failed, 1 in error)(, \d skipped)?, "
                     r"\d+ not run in ", runs["stopped"].text)
    assert "order" not in runs["stopped"].text, "nothing is wrong with the stream"
