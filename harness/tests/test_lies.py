# SPDX-License-Identifier: MIT
"""Every way in which a QEMU or a kernel may mislead us ends in a verdict of its own, never a pass.

Each row is a scenario of fake_qemu.py: the exit status, the cause of the first test that did not
pass, and what its sentence says. The whole command runs, except that QEMU is a fake.
"""
from __future__ import annotations

import errno
import json
import os
from itertools import count
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import pytest

from judge import cli, qemu, runner, watch
from judge.model import Cause, Trouble
from judge.qemu import Answer, ConsoleData, Exited, Happening, MonitorMessage, ProtocolData, Wish
from tests import fake_qemu as fake
from tests.proves import proves
from tests.test_process import is_alive, wait_until

# Causes that the harness has to wait for.
SILENT = {"hang", "kernel-never-began", "tests-never-began", "hung-between-tests",
          "totals-without-exit", "nothing-to-boot", "wrong-qemu"}
SILENT_LIES = {"cut_and_silent@end"}
HANG_SECONDS = "0.4"
BATCH = ["--test", "alpha.*", "--test", "faults.*", "--test", "panics.*"]

TOLD_TO_STOP = {"echo", "obeys_stop", "stops_and_denies_it"}

Row = Tuple[str, int, str, str]

CODE_UNDER_TEST: List[Row] = [
    ("a_check_fails", 1, "assertion", "EXPECT n == 5: 4 against 5"),
    ("unexpected_fault", 1, "fault", "#GP (general protection fault)"),
    ("unexpected_double_fault", 1, "double-fault", "#DF (double fault)"),
    ("unexpected_panic", 1, "panic", "assertion failed"),
    ("declared_fault_missing", 1, "fault-missing", "the expected fault never came: #DF"),
    ("declared_panic_missing", 1, "panic-missing", "the expected panic never came: panic: frame"),
    ("another_fault", 1, "wrong-fault", "another fault came than declared: vector"),
    ("another_panic", 1, "wrong-panic", "another message"),
    ("guest_error", 1, "guest-error", "suite_init failed"),
    ("fails_for_a_reason_of_its_own", 1, "reported", "interrupts are off"),
    ("triple_fault", 1, "triple-fault", "triple fault"),
    ("every_test_dies", 1, "triple-fault", "triple fault"),
    ("reset", 1, "reset", "the machine reset itself"),
    ("power_off", 1, "power-off", "powered itself off"),
    ("exit_in_test", 1, "exited", "QEMU ended with status 33"),
    ("panic_ends_the_machine", 1, "panic", "panicked and could not go on"),
    ("hang_in_test", 1, "hang", "did not end within"),
    ("hang_after_fault", 1, "hang", "did not end within"),
    ("vm_stopped_in_test", 1, "vm-stopped-in-test", "internal-error"),
    ("unarmed_fault", 1, "unarmed", "it was not armed"),
    ("undeclared_hang", 1, "hang", "the kernel's watchdog ended it"),
    ("fails_behind", 1, "assertion", "EXPECT n == 5"),
    ("obeys_stop", 1, "assertion", "EXPECT n == 5"),
]

CONTRADICTIONS: List[Row] = [
    ("pass_without_arming", 1, "disagreement", "it was not armed"),
    ("pass_armed_too_late", 1, "disagreement", "it was not armed"),
    ("pass_armed_twice", 1, "disagreement", "armed twice"),
    ("known_bug_of_another", 1, "disagreement", "the kernel says skip"),
    ("skips_without_a_quirk", 1, "unexplained-skip", "has all it needs"),
    ("bench_in_a_test", 1, "bench", "and is none"),
    ("pass_without_checks", 1, "no-checks", "without a single check"),
    ("pass_with_failed_check", 1, "disagreement", "EXPECT n == 5"),
    ("pass_with_fault", 1, "disagreement", "#DF (double fault)"),
    ("skip_with_panic", 1, "disagreement", "the kernel says skip"),
    ("pass_without_declared_fault", 1, "disagreement", "the expected fault never came"),
    ("pass_without_declared_panic", 1, "disagreement", "the expected panic never came"),
    ("pass_with_other_panic", 1, "disagreement", "another message"),
    ("pass_with_panic_for_fault", 1, "disagreement", "the expected fault never came"),
    ("pass_with_wrong_vector", 1, "disagreement", "vector"),
    ("pass_with_wrong_error", 1, "disagreement", "error code"),
    ("pass_with_address_below", 1, "disagreement", "address"),
    ("pass_with_address_above", 1, "disagreement", "address"),
    ("pass_with_wrong_ist", 1, "disagreement", "interrupt stack"),
    ("pass_without_ist", 1, "disagreement", "interrupt stack"),
    ("pass_in_wrong_function", 1, "wrong-fault", "in another function than declared"),
    ("pass_in_no_function", 1, "wrong-fault", "in another function than declared"),
    ("pass_with_two_faults", 1, "disagreement", "after the declared end came another"),
    ("pass_with_panic_after_fault", 1, "disagreement", "after the declared end came another"),
    ("pass_with_two_panics", 1, "disagreement", "after the declared end came another"),
    ("pass_with_check_after_fault", 1, "disagreement", "EXPECT n == 5"),
    ("fail_though_as_declared", 1, "disagreement", "the kernel says fail"),
]

MACHINE: List[Row] = [
    ("refuses_to_start", 99, "qemu-not-started", "unsupported machine type"),
    ("exits_at_once@start", 99, "died-before-tests", "status 0"),
    ("exits_at_once@middle", 99, "died-before-tests", "status 33"),
    ("exits_at_once@end", 99, "died-before-tests", "status 35"),
    ("killed@start", 99, "killed", "signal 9"),
    ("killed@middle", 99, "killed", "signal 9"),
    ("killed@end", 99, "killed", "signal 9"),
    ("killed_after_totals", 99, "killed", "signal 9"),
    ("terminated@start", 99, "killed", "host-signal"),
    ("terminated@middle", 99, "killed", "host-signal"),
    ("terminated@end", 99, "killed", "host-signal"),
    ("vm_stopped@start", 99, "vm-stopped", "internal-error"),
    ("vm_stopped@end", 99, "vm-stopped", "internal-error"),
    ("silence", 99, "kernel-never-began", "never began"),
    ("silence_without_monitor", 99, "wrong-qemu", "it went on, and never connected"),
    ("only_firmware", 99, "nothing-to-boot", "found nothing to boot: No bootable device."),
    ("only_hello", 99, "tests-never-began", "no test did"),
    ("hang_before_first_test", 99, "tests-never-began", "no test did"),
    ("hang_between_tests", 99, "hung-between-tests", "behind alpha.one"),
    ("hang_before_totals", 99, "hung-between-tests", "behind panics.as_declared"),
    ("totals_without_exit", 99, "totals-without-exit", "did not leave"),
    ("triple_fault_at_boot", 99, "died-before-tests", "triple fault"),
    ("triple_fault_between_tests", 99, "died-between-tests", "triple fault"),
    ("triple_fault_after_totals", 99, "wrong-exit-status", "triple fault"),
    ("triple_fault_and_success", 99, "wrong-exit-status", "triple fault"),
    ("refuses_to_run", 99, "run-refused", "two tests of one name"),
    ("refuses_without_a_word", 99, "run-refused", "refused to begin"),
    ("panics_before_tests", 99, "panic-outside-test", "outside of every test"),
    ("panics_outside_of_tests", 99, "panic-outside-test", "in between"),
    ("faults_outside_of_tests", 99, "panic-outside-test", "#DF"),
    ("wrong_status@start", 99, "wrong-exit-status", "status 0"),
    ("wrong_status@middle", 99, "wrong-exit-status", "status 1"),
    ("wrong_status@end", 99, "wrong-exit-status", "status 35"),
    ("success_status_though_failed", 99, "wrong-exit-status", "status 33"),
    ("success_on_console_only", 99, "died-before-tests", "status 33"),
    ("console_flood", 99, "console-flood", "floods its console"),
    ("console_floods@start", 99, "console-flood", "floods its console"),
    ("console_floods@middle", 99, "console-flood", "floods its console"),
    ("console_floods@end", 99, "console-flood", "floods its console"),
    ("other_accelerator", 99, "wrong-accelerator", "with another accelerator than was asked"),
    ("no_such_accelerator", 99, "wrong-accelerator", "this host has no KVM: take --accel tcg"),
    ("no_such_kernel", 99, "nothing-to-boot", "an x86-64 ELF file with a PVH note; or --qemu"),
    ("refuses_at_length", 99, "qemu-not-started", "[...]"),
    ("ancient", 99, "wrong-qemu", "QEMU 2.11 is too old"),
    ("well_but_no_monitor", 99, "wrong-qemu", "status 33, and never connected"),
    ("does_nothing_well", 99, "wrong-qemu", "status 0, and never connected"),
    ("goes_to_the_background", 99, "died-before-tests", "status 0"),
    ("crashes@start", 99, "qemu-crashed", "itself crashed: signal 11 (Segmentation fault)"),
    ("crashes@middle", 99, "qemu-crashed", "itself crashed: signal 11 (Segmentation fault)"),
    ("crashes@end", 99, "qemu-crashed", "itself crashed: signal 11 (Segmentation fault)"),
    ("monitor_floods@start", 99, "monitor-flood", "floods its monitor"),
    ("monitor_floods@middle", 99, "monitor-flood", "floods its monitor"),
    ("monitor_floods@end", 99, "monitor-flood", "floods its monitor"),
    ("monitor_never_ends_its_line", 99, "monitor-flood", "floods its monitor"),
    ("monitor_says_no_json@start", 99, "monitor-garbage", "is no QMP"),
    ("monitor_says_no_json@middle", 99, "monitor-garbage", "is no QMP"),
    ("monitor_says_no_json@end", 99, "monitor-garbage", "is no QMP"),
    ("monitor_says_no_utf8", 99, "monitor-garbage", "is no QMP"),
    ("monitor_says_a_list", 99, "monitor-garbage", "is no QMP"),
    ("monitor_nests", 99, "monitor-garbage", "is no QMP"),
    ("stops_again_and_again", 99, "vm-stopped", "internal-error"),
    ("reset_and_success", 99, "wrong-exit-status", "tells of guest-reset"),
    ("told_to_quit_and_success", 99, "killed", "host-qmp-quit"),
    ("log_flood@start", 99, "log-flood", "stderr.log"),
    ("log_flood@middle", 99, "log-flood", "stderr.log"),
    ("log_flood@end", 99, "log-flood", "stderr.log"),
    ("debug_log_flood", 99, "log-flood", "qemu.log"),
    ("child_speaks_on", 99, "after-totals", "behind the end"),
    ("child_floods", 99, "after-totals", "behind the end"),
    ("grub_finds_nothing", 99, "nothing-to-boot", "error: file `/boot/faultline.elf' not found."),
    ("firmware_gives_up", 99, "nothing-to-boot", "Boot failed: not a bootable disk"),
    ("nothing_on_the_screen", 99, "nothing-to-boot", "No bootable device."),
    ("trickles_in_a_test", 1, "hang", "did not end within"),
    ("trickles_between_tests", 99, "hung-between-tests", "behind alpha.one"),
    ("trickles_a_line", 99, "truncated", "in the middle of a line"),
    ("monitor_is_deaf", 1, "hang", "could not be injected (no answer)"),
    ("cut_and_silent@end", 99, "truncated", "in the middle of a line"),
]

STREAM: List[Row] = [
    ("wrong_nonce", 99, "wrong-nonce", "the nonce differs"),
    ("wrong_build_id", 99, "wrong-image", "the build id differs"),
    ("wrong_registry", 99, "wrong-registry", "another number of tests"),
    ("wrong_selection", 99, "wrong-selection", "selected another number"),
    ("wrong_protocol", 99, "wrong-protocol", "protocol 1, not 2"),
    ("no_tests", 99, "wrong-selection", "selected another number"),
    ("missing_test@start", 99, "plan-broken", "another suite"),
    ("missing_test@middle", 99, "plan-broken", "another suite"),
    ("missing_test@end", 99, "plan-broken", "another number of suites"),
    ("missing_suite", 99, "plan-broken", "another number of suites"),
    ("extra_test", 99, "plan-broken", "another suite"),
    ("other_test", 99, "unplanned-test", "panics.zzz"),
    ("another_test_of_the_plan", 99, "missing-test", "left out alpha.one"),
    ("duplicate_test", 99, "duplicate", "comes twice"),
    ("unsorted_tests", 99, "disorder", "comes out of order"),
    ("unsorted_suites", 99, "disorder", "comes out of order"),
    ("doubled_begin", 99, "disorder", "alpha.one"),
    ("end_without_begin", 99, "plan-broken", "ktest_begin"),
    ("end_of_another_test", 99, "disorder", "another test ends"),
    ("begin_of_another_suite", 99, "disorder", "none of the suite alpha"),
    ("no_ktap_line", 99, "disorder", "the KTAP line of one"),
    ("no_suite_line", 99, "plan-broken", "the KTAP line of alpha"),
    ("wrong_number", 99, "numbering", "number 2 instead of 1"),
    ("wrong_suite_number", 99, "numbering", "number 2 instead of 1"),
    ("wrong_name_in_ktap_line", 99, "disorder", "not that of one"),
    ("plan_too_long", 99, "plan-broken", "ktest_begin"),
    ("plan_too_short", 99, "plan-broken", "the KTAP line of alpha"),
    ("suite_plan_too_long", 99, "plan-broken", "KTAP version 1"),
    ("suite_plan_too_short", 99, "plan-broken", "ktest_totals"),
    ("second_plan", 99, "plan-broken", "here is a plan"),
    ("ok_line_says_fail", 99, "contradiction", "disagree"),
    ("ok_line_hides_fail", 99, "contradiction", "disagree"),
    ("ok_line_hides_skip", 99, "contradiction", "disagree"),
    ("suite_line_hides_fail", 99, "contradiction", "disagree"),
    ("missing_totals", 99, "exit-without-totals", "without totals"),
    ("cut_between_tests", 99, "exit-without-totals", "behind alpha.one"),
    ("cut_in_line@start", 99, "died-before-tests", "status 33"),
    ("cut_in_line@middle", 99, "truncated", "in the middle of a line"),
    ("cut_in_line@end", 99, "truncated", "in the middle of a line"),
    ("wrong_totals", 99, "wrong-totals", "not the sum"),
    ("totals_do_not_add_up", 99, "wrong-totals", "do not add up"),
    ("wrong_line_count", 99, "line-count", "lines"),
    ("wrong_checksum", 99, "checksum", "checksum"),
    ("stopped_by_itself", 99, "contradiction", "told to stop"),
    ("stops_and_denies_it", 99, "contradiction", "told to stop"),
    ("claims_an_order", 99, "unasked-order", "not given: stop"),
    ("line_behind_totals", 99, "after-totals", "behind the end"),
    ("second_run", 99, "after-totals", "behind the end"),
    ("second_banner@start", 99, "second-header", "a second time"),
    ("second_banner@middle", 99, "second-header", "a second time"),
    ("second_banner@end", 99, "second-header", "a second time"),
    ("garbage@start", 99, "garbage", "line 1 of"),
    ("garbage@middle", 99, "garbage", "expected"),
    ("garbage@end", 99, "garbage", "expected"),
    ("okay_in_prose@start", 99, "garbage", "line 1 of"),
    ("okay_in_prose@middle", 99, "garbage", "expected"),
    ("okay_in_prose@end", 99, "garbage", "expected"),
    ("control_characters@start", 99, "control-character", "0x1b"),
    ("firmware_speaks_on_all_ports", 99, "control-character", "0x1b"),
    ("control_characters@middle", 99, "control-character", "0x1b"),
    ("control_characters@end", 99, "control-character", "0x1b"),
    ("carriage_returns", 99, "control-character", "0x0d"),
    ("bad_utf8@start", 99, "not-ascii", "0xff"),
    ("bad_utf8@middle", 99, "not-ascii", "0xff"),
    ("bad_utf8@end", 99, "not-ascii", "0xff"),
    ("interleaved@start", 99, "garbage", "line 1 of"),
    ("interleaved@middle", 99, "garbage", "more of alpha.one"),
    ("interleaved@end", 99, "garbage", "expected"),
    ("swapped_lines", 99, "disorder", "more of alpha.one"),
    ("dropped_line@start", 99, "line-count", "lines"),
    ("dropped_line@middle", 99, "line-count", "lines"),
    ("dropped_line@end", 99, "line-count", "lines"),
    ("altered_byte@start", 99, "checksum", "checksum"),
    ("altered_byte@middle", 99, "checksum", "checksum"),
    ("altered_byte@end", 99, "checksum", "checksum"),
    ("endless_line@start", 99, "line-too-long", "longer than 1024"),
    ("endless_line@middle", 99, "line-too-long", "longer than 1024"),
    ("endless_line@end", 99, "line-too-long", "longer than 1024"),
    ("endless_comments@start", 99, "flood", "more than"),
    ("endless_comments@middle", 99, "flood", "more than"),
    ("endless_comments@end", 99, "flood", "more than"),
    ("endless_checks", 99, "flood", "more than 20 check lines"),
    ("unknown_metadata@start", 99, "garbage", "expected"),
    ("unknown_metadata@middle", 99, "garbage", "expected"),
    ("unknown_metadata@end", 99, "garbage", "expected"),
    ("fault_without_registers", 99, "disorder", "ktest_registers"),
    ("stray_backtrace", 99, "disorder", "more of alpha.one"),
    ("leading_zeros", 99, "garbage", "not a number"),
    ("reordered_keys", 99, "garbage", "more of alpha.one"),
    ("bad_escape", 99, "garbage", "percent sign"),
    ("fail_without_reason", 99, "garbage", "a reason belongs"),
    ("echo", 99, "echo", "our own order"),
    ("param_of_none", 99, "disorder", "more of alpha.one"),
    ("endless_notes", 99, "flood", "more than 20 note lines"),
    ("restart_with_another_status", 99, "wrong-exit-status", "status 33"),
    ("restart_without_a_line", 99, "wrong-exit-status", "status 41"),
    ("restart_and_more", 99, "plan-broken", "ktest_totals"),
    ("restart_unadmitted", 99, "contradiction", "has to restart"),
    ("restart_before_any_test", 99, "disorder", "before any test"),
    ("restart_without_totals", 99, "exit-without-totals", "status 41"),
    ("greets_twice", 99, "second-boot", "greets twice"),
    ("word_behind_totals", 99, "after-totals", "behind the end"),
    ("second_totals", 99, "after-totals", "behind the end"),
    ("early_totals", 99, "disorder", "expected"),
    ("second_opinion", 99, "plan-broken", "another suite"),
    ("digits_of_another_script", 99, "garbage", "not a number"),
    ("huge_number", 99, "garbage", "not a number"),
    ("negative_number", 99, "garbage", "not a number"),
    ("nul_bytes@start", 99, "control-character", "0x00"),
    ("nul_bytes@middle", 99, "control-character", "0x00"),
    ("nul_bytes@end", 99, "control-character", "0x00"),
    ("tabs", 99, "control-character", "0x09"),
    ("byte_order_mark", 99, "not-ascii", "0xef"),
    ("sixteen_bits", 99, "control-character", "0x00"),
    ("trailing_space", 99, "garbage", "more of alpha.one"),
    ("needless_escape", 99, "garbage", "needs no escape"),
    ("escaped_verdict", 99, "garbage", "is none of pass"),
    ("skip_for_another_reason", 99, "contradiction", "another reason than its end"),
    ("ok_line_claims_skip", 99, "contradiction", "disagree"),
    ("suite_skipped", 99, "contradiction", "disagree"),
    ("deeper", 99, "plan-broken", "ktest_begin"),
    ("empty_plan", 99, "plan-broken", "another number of suites"),
    ("build_id_cut", 99, "wrong-image", "the build id differs"),
    ("build_id_in_capitals", 99, "wrong-image", "the build id differs"),
    ("nonce_cut", 99, "wrong-nonce", "the nonce differs"),
    ("nonce_of_none", 99, "wrong-nonce", "the nonce differs"),
    ("second_run_line@start", 99, "disorder", "expected"),
    ("second_run_line@middle", 99, "disorder", "expected"),
    ("second_run_line@end", 99, "plan-broken", "expected"),
    ("order_never_given", 99, "unasked-order", "not given: faster"),
    ("totals_of_another_run", 99, "checksum", "checksum"),
    ("all_skipped", 1, "unexplained-skip", "has all it needs"),
    ("channels_swapped", 99, "control-character", "0x0d"),
    ("another_mode", 99, "wrong-selection", "selected another number"),
]

SWEPT: List[Row] = [
    ("fails_without_memory", 1, "assertion", "with allocation 2 failing: EXPECT n == 5: 4"),
    ("fails_before_the_allocation", 1, "panic",
     "before allocation 1, which had to fail, was asked for: panic: no"),
    ("triple_fault_without_memory", 1, "triple-fault", "with allocation 2 failing: triple fault"),
    ("hang_without_memory", 1, "hang", "before allocation 2, which had to fail, was asked for: "),
    ("sweeps_nothing", 1, "not-swept", "none of its allocations was made to fail"),
    ("sweeps_in_words_only", 1, "not-swept", "it did not run again"),
    ("sweep_finds_no_allocation", 1, "not-swept", "has .fail_nth, and allocates nothing"),
    ("sweep_ends_early", 1, "not-swept", "its runs ended before one came to its end"),
    ("sweep_begins_late", 1, "not-swept", "its first allocation was not made to fail"),
    ("sweep_goes_too_far", 1, "not-swept", "more than 3 allocations"),
    ("sweep_leaves_one_out", 99, "numbering", "allocation 3 failing instead of 2"),
    ("sweep_repeats_one", 99, "numbering", "allocation 1 failing instead of 2"),
    ("sweep_has_a_run_of_no_number", 99, "numbering", "allocation 0 failing instead of 1"),
    ("sweep_of_another_test", 99, "disorder", "this is of another test"),
    ("sweep_ends_another_test", 99, "disorder", "this is of another test"),
    ("sweep_goes_on", 99, "disorder", "though no allocation had failed"),
    ("sweep_begins_again", 99, "disorder", "all runs of memory.runs_out were over"),
    ("sweep_miscounts_its_runs", 99, "contradiction", "in another way than"),
    ("sweep_miscounts_allocations", 99, "contradiction", "in another way than"),
    ("sweep_behind_the_result", 99, "disorder", "the KTAP line of runs_out"),
    ("sweep_behind_the_test", 99, "plan-broken", "the KTAP line of memory"),
    ("denied_in_the_first_run", 99, "disorder", "fails that does not have to"),
    ("denied_twice", 99, "disorder", "fails that does not have to"),
    ("denied_another", 99, "numbering", "allocation 2 of memory.runs_out fails instead of 1"),
    ("endless_sweep", 99, "flood", "more than"),
]

SHUFFLE = ["--shuffle=3"]
BENCH = ["--bench"]

# Lies about what only some of the tests have, and such as take long with many: with the arguments
# that select those.
OTHERS: Dict[str, List[str]] = {
    "hang_reported_twice": ["hangs"], "pass_without_declared_hang": ["hangs"],
    "only_resets": ["endings.takes*"], "triple_fault_unarmed": ["endings.takes*"],
    "survives_its_triple_fault": ["endings.takes*"], "known_bug_gone": ["known.*"],
    "known_bug_claimed": ["known.*"], "known_bug_passed": ["known.*"],
    "runs_in_spite_of_its_quirk": ["quirky.*"], "another_version": ["quirky.*"],
    "wrong_seed": [*BATCH, *SHUFFLE], "order_of_another_seed": [*BATCH, *SHUFFLE],
    "param_missing": ["params.*"], "param_twice": ["params.*"],
    "bench_without_numbers": BENCH, "bench_upside_down": BENCH,
    "triple_fault_in_a_word": ["endings.takes*"], "monitor_is_deaf": ["panics.*"],
    "trickles_in_a_test": ["alpha.one"], "trickles_between_tests": ["alpha.*"],
    **{row[0]: ["memory.*"] for row in SWEPT}, "sweeps_unasked": ["alpha.one"],
    "sweeps_another": ["memory.*", "--fail-nth=1"],
    "hang_between_tests": ["alpha.*"], "hang_after_fault": ["faults.*"]}
OTHER_ROWS: List[Row] = [
    ("hang_reported_twice", 1, "disagreement", "came another: hang"),
    ("pass_without_declared_hang", 1, "disagreement", "the expected hang never came"),
    ("only_resets", 1, "reset", "the machine reset itself"),
    ("triple_fault_unarmed", 1, "unarmed", "it was not armed"),
    ("survives_its_triple_fault", 1, "disagreement", "the expected triple fault never came"),
    ("known_bug_gone", 1, "known-bug-gone", "counts from 1"),
    ("known_bug_claimed", 1, "disagreement", "the harness saw nothing fail"),
    ("known_bug_passed", 1, "disagreement", "is skipped or fails"),
    ("runs_in_spite_of_its_quirk", 1, "not-skipped", "broken in 7.2"),
    ("another_version", 99, "wrong-machine", "another version"),
    ("wrong_seed", 99, "wrong-seed", "another seed"),
    ("order_of_another_seed", 99, "disorder", "out of order"),
    ("param_missing", 99, "disorder", "the parameter of params.squares/0"),
    ("param_twice", 99, "disorder", "more of params.squares/0"),
    ("bench_without_numbers", 1, "bench", "without its figures"),
    ("bench_upside_down", 99, "contradiction", "do not ascend"),
    ("triple_fault_in_a_word", 1, "triple-fault", "triple fault"),
    ("sweeps_unasked", 1, "not-swept", "which nobody had asked for"),
    ("sweeps_another", 1, "not-swept", "another allocation than 1"),
]

ROWS = CODE_UNDER_TEST + CONTRADICTIONS + MACHINE + STREAM + SWEPT + OTHER_ROWS

# Good ends, which the fake plays as well.
HONEST = {"honest", "no_qboot", "dies_or_hangs", "triple_fault_once", "restarts"}
# And some that look strange, but are none the worse for it.
STRANGE = ["same_accelerator", "monitor_has_other_types", "monitor_closes", "shutdown_and_success",
           "leaves_a_child", "byte_by_byte"]
# Lies of more than one boot.
SEQUELS = {"replays_its_first_boot", "better_behind_a_restart", "dies_once",
           "another_version_next_time", "speaks_of_the_weather"}


def judge_fake(kernel: Path, path: str, report: Path, *arguments: str) -> Tuple[int, Any]:
    """Runs the command; its exit status and its JSON report."""
    status = cli.main(["--kernel", str(kernel), "--qemu", path, "--json", str(report),
                       "--allow-skip", "alpha.skips", *arguments])
    return status, json.loads(report.read_text()) if report.exists() else None


FakeQemu = Callable[[str], str]


class PlayedQemu:
    """Stands for Qemu: the same play, told at once and without a process. For lies that are all
    in the words, which are most: it takes a tenth of the time."""

    scenario = ""
    is_connected = True

    def __init__(self, command: Sequence[str], folder: Path, sieve: None) -> None:
        play = fake.rehearse(self.scenario, list(command[1:]))
        play.write_log()
        greeting = {"QMP": {"version": {"qemu": {"major": play.version[0],
                                                 "minor": play.version[1]}}}}
        self._happenings: List[Happening] = [
            ConsoleData(play.console), ProtocolData(play.told()), MonitorMessage(greeting),
            *map(MonitorMessage, play.messages), Exited(play.exit_status(), None)]

    def __enter__(self) -> "PlayedQemu":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wish(self, deadline: float) -> Wish:
        return Wish(-1, 0.0)

    def wait(self, seconds: float) -> List[Happening]:
        return [self._happenings.pop(0)]

    def request(self, execute: str, arguments: object) -> int:
        return 1

    def ask(self, execute: str, **arguments: object) -> Answer:
        return Answer({})

    def cpu_seconds(self) -> float:
        return 0.0

    def log(self) -> str:
        return ""

    def kill(self) -> None:
        pass


# These are about processes and channels; so are those that have to be waited for, or to be told.
NEEDS_A_PROCESS = {row[0] for row in MACHINE} | {"vm_stopped_in_test"} | TOLD_TO_STOP


def needs_a_process(lie: str, cause: str) -> bool:
    return lie in NEEDS_A_PROCESS or cause in SILENT or lie.startswith("endless_")


def test_a_skip_that_nobody_allowed_is_no_pass(kernel: Path, fake_qemu: FakeQemu,
                                               tmp_path: Path) -> None:
    status = cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("honest"), "--json",
                       str(tmp_path / "report"), "alpha.*"])
    report = json.loads((tmp_path / "report").read_text())
    (skipped,) = [test for test in report["tests"] if test["name"] == "alpha.skips"]
    assert status == 1
    assert (skipped["verdict"], skipped["cause"]) == ("error", "unexplained-skip")


@proves("4.1.6", "4.2.2", "4.4.1", "4.4.2", "4.4.4", "4.4.5")
@pytest.mark.parametrize("lie, status, cause, words", ROWS, ids=[row[0] for row in ROWS])
def test_every_lie_ends_in_its_own_error(lie: str, status: int, cause: str, words: str,
                                         kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(watch, "FUNCTIONS_PER_TEST", 1)
    monkeypatch.setattr(watch, "NMI_SECONDS", 0.1)
    monkeypatch.setattr(watch, "SLOW_FACTOR", 2)
    monkeypatch.setattr(qemu, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(qemu, "FILE_BYTES", 1 << 20)
    if not needs_a_process(lie, cause):
        monkeypatch.setattr(PlayedQemu, "scenario", lie)
        monkeypatch.setattr(runner, "Qemu", PlayedQemu)
    more = ["-x"] if lie in TOLD_TO_STOP else []
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    is_silent = cause in SILENT or lie in SILENT_LIES or lie.startswith("trickles_")
    more += ["--timeout", HANG_SECONDS] if is_silent else []
    actual, report = judge_fake(kernel, fake_qemu(lie), tmp_path / "report.json",
                                *OTHERS.get(lie, BATCH), *more)
    bad = [test for test in report["tests"] if test["verdict"] in ("fail", "error")]
    assert (actual, bad[0]["cause"]) == (status, cause)
    assert words in bad[0]["sentence"]
    if status == 99:
        assert all(test["verdict"] == "error" for test in report["tests"])
    assert bad[0]["sentence"] in capsys.readouterr().out


PLACES = ("@start", "@middle", "@end")

# Each class that was asked for, with its lies: those that say where they strike do so everywhere.
CLASSES: Dict[str, List[str]] = {
    "did not start": ["refuses_to_start", "refuses_at_length"],
    "wrong QEMU": ["does_nothing_well", "silence_without_monitor", "well_but_no_monitor", "ancient",
                   "another_version", "monitor_floods@*", "monitor_says_no_json@*", "crashes@*"],
    "wrong accelerator": ["no_such_accelerator", "other_accelerator"],
    "firmware found nothing to boot": ["only_firmware", "grub_finds_nothing", "firmware_gives_up",
                                       "nothing_on_the_screen", "no_such_kernel"],
    "kernel never began": ["silence", "exits_at_once@*", "triple_fault_at_boot"],
    "stale or wrong image": ["wrong_build_id", "build_id_cut", "wrong_registry", "wrong_nonce"],
    "no tests": ["no_tests", "empty_plan"],
    "plan broken": ["missing_test@*", "plan_too_long", "plan_too_short", "suite_plan_too_short"],
    "stream truncated": ["cut_in_line@*", "cut_between_tests", "cut_and_silent@end"],
    "interleaved": ["interleaved@*"],
    "flooded": ["endless_line@*", "endless_comments@*", "console_floods@*", "log_flood@*"],
    "echo": ["echo"],
    "control characters": ["control_characters@*", "nul_bytes@*", "carriage_returns"],
    "bad UTF-8": ["bad_utf8@*", "byte_order_mark"],
    "exit without totals": ["missing_totals", "cut_between_tests", "restart_without_totals"],
    "totals without exit": ["totals_without_exit"],
    "hang before the tests": ["only_hello", "hang_before_first_test"],
    "hang within the tests": ["hang_in_test", "hang_between_tests", "trickles_in_a_test"],
    "hang after the tests": ["hang_before_totals", "totals_without_exit"],
    "stopped VM": ["vm_stopped@start", "vm_stopped_in_test", "vm_stopped@end"],
    "killed from outside": ["killed@*", "terminated@*", "killed_after_totals"],
    "second boot banner": ["second_banner@*", "greets_twice", "second_run"],
}

# Those that no QEMU brings about, with the tests that do.
CLASSES_ELSEWHERE = {
    "disk full": "test_a_full_disk_has_a_name",
    "wall clock stepped": "test_the_wall_clock_does_not_matter",
    "a leftover file of an earlier run": "test_nothing_is_left_over_from_an_earlier_run",
}

# What is not about lies, and tested where it belongs.
ELSEWHERE = {"abandoned", "boot-too-long", "too-many-boots", "skipped", "known-bug", "disk-full",
             "triple-fault-missing", "hang-missing", "aftermath", "not-run", "not-repeated"}


def test_every_class_has_its_lies() -> None:
    played = {row[0] for row in ROWS}
    for name, lies in CLASSES.items():
        for each in lies:
            bare = each.partition("@*")[0]
            wanted = {bare + place for place in PLACES} if each.endswith("@*") else {each}
            assert wanted <= played, name
    for test in CLASSES_ELSEWHERE.values():
        assert callable(globals()[test])


def test_every_trouble_and_cause_has_its_lie() -> None:
    shown = {row[2] for row in ROWS} | ELSEWHERE
    assert {each.value for each in (*Trouble, *Cause)} - shown == set()


@pytest.mark.parametrize("scenario", STRANGE)
def test_what_is_only_strange_passes(scenario: str, kernel: Path, fake_qemu: FakeQemu,
                                     tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    status, report = judge_fake(kernel, fake_qemu(scenario), tmp_path / "report.json", *BATCH)
    assert (status, report["boots"]) == (0, 1)
    if scenario == "leaves_a_child":
        wait_until(lambda: not is_alive(int((tmp_path / "child").read_text())))


@pytest.mark.parametrize("scenario, status, causes", [
    ("replays_its_first_boot", 99, [None, "wrong-nonce", "wrong-nonce"]),
    ("better_behind_a_restart", 99, ["assertion", "plan-broken", "plan-broken"]),
    ("another_version_next_time", 99, ["triple-fault", "wrong-qemu", "wrong-qemu"]),
    ("dies_once", 1, ["triple-fault", None, None])])
def test_a_second_boot_mends_nothing(scenario: str, status: int, causes: List[Any], kernel: Path,
                                     fake_qemu: FakeQemu, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    arguments = ["faults.*", "panics.*"] if "triple-fault" in causes else ["alpha.*"]
    actual, report = judge_fake(kernel, fake_qemu(scenario), tmp_path / "report.json", *arguments)
    assert actual == status
    assert [None if each["verdict"] == "pass" else each["cause"]
            for each in report["tests"]] == causes


def test_every_lie_has_its_row() -> None:
    played = {row[0].partition("@")[0] for row in ROWS}
    assert played == set(fake.LIES) - HONEST - set(STRANGE) - SEQUELS


@proves("4.1.7", "4.8.3")
def test_an_honest_run_passes(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    status, report = judge_fake(kernel, fake_qemu("honest"), tmp_path / "report.json")
    verdicts = {test["name"]: test["verdict"] for test in report["tests"]}
    assert status == 0
    assert verdicts == {
        "alpha.one": "pass", "alpha.skips": "skip", "alpha.two": "pass",
        "endings.hangs": "pass", "endings.takes_an_nmi": "pass",
        "endings.takes_the_machine_down": "pass", "faults.stack_overflow": "pass",
        "faults.write_to_rodata": "pass", "known.bug": "skip",
        "memory.runs_out": "pass", "panics.as_declared": "pass",
        **{f"params.squares/{index}": "pass" for index in range(11)},
        "quirky.everywhere_else": "skip", "screen.shows_hello": "pass"}
    assert report["boots"] == 3
    assert not list((tmp_path / "runs").iterdir())


@proves("4.1.7")
def test_the_run_goes_on_behind_a_crash(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    status, report = judge_fake(kernel, fake_qemu("triple_fault_once"), tmp_path / "report.json",
                                *BATCH)
    verdicts = {test["name"]: test["verdict"] for test in report["tests"]}
    assert status == 1
    assert verdicts == {
        "alpha.one": "pass", "alpha.skips": "skip", "alpha.two": "pass",
        "faults.stack_overflow": "fail", "faults.write_to_rodata": "pass",
        "panics.as_declared": "pass"}
    assert report["boots"] == 2


def test_resuming_has_an_end(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_RESUMED_BOOTS", 2)
    status, report = judge_fake(kernel, fake_qemu("every_test_dies"), tmp_path / "report.json",
                                *BATCH)
    assert status == 1
    assert [test["cause"] for test in report["tests"]] == (
        ["triple-fault"] * 3 + ["too-many-boots"] * 3)


def test_a_restart_is_no_crash(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind the last test of a suite, as here of all but the first boot."""
    monkeypatch.setattr(runner, "MAX_RESUMED_BOOTS", 0)
    status, report = judge_fake(kernel, fake_qemu("restarts"), tmp_path / "report.json", *BATCH)
    assert (status, report["boots"]) == (0, 6)
    assert report["tests"][0]["restart"] == "a stack is lost"
    monkeypatch.setattr(runner, "MAX_ORDERLY_BOOTS", 2)
    status, report = judge_fake(kernel, fake_qemu("restarts"), tmp_path / "report.json", *BATCH)
    assert [test["cause"] for test in report["tests"][3:]] == ["too-many-boots"] * 3


def test_no_boot_that_would_go_wrong_again(kernel: Path, fake_qemu: FakeQemu,
                                           tmp_path: Path) -> None:
    status, report = judge_fake(kernel, fake_qemu("refuses_to_start"), tmp_path / "report.json")
    assert (status, report["boots"]) == (99, 1)
    assert [test["cause"] for test in report["tests"]] == (
        ["qemu-not-started"] * 5 + ["abandoned"] + ["qemu-not-started"] * 17 + ["abandoned"])


def test_the_slow_firmware_will_do(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    status, _ = judge_fake(kernel, fake_qemu("no_qboot"), tmp_path / "report.json")
    assert status == 0


def test_the_wall_clock_does_not_matter(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    steps = count(0, -86400)
    monkeypatch.setattr("time.time", lambda: float(next(steps)))
    status, report = judge_fake(kernel, fake_qemu("honest"), tmp_path / "report.json", *BATCH)
    assert status == 0 and 0 < report["seconds"] < 60


def test_no_clock_of_the_wall_is_read() -> None:
    """pexpect's own loops do read it: none of them is used."""
    for source in Path(runner.__file__).parent.glob("*.py"):
        text = source.read_text()
        for word in ("time.time(", "datetime", "child.expect", "time_ns("):
            assert word not in text, source


@pytest.mark.parametrize("step", [-86400 * 365, 86400 * 365])
def test_a_hang_is_one_by_any_wall_clock(step: int, kernel: Path, fake_qemu: FakeQemu,
                                         tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = count(0, step)
    monkeypatch.setattr("time.time", lambda: float(next(steps)))
    status, report = judge_fake(kernel, fake_qemu("totals_without_exit"), tmp_path / "report.json",
                                "--timeout", HANG_SECONDS, "alpha.*")
    assert (status, report["tests"][0]["cause"]) == (99, "totals-without-exit")
    assert float(HANG_SECONDS) < report["seconds"] < 20


class FullDisk:
    """Opens files that take so many bytes, and then no more."""

    def __init__(self, room: int) -> None:
        self._room = room

    def __call__(self, path: Path, mode: str, buffering: int) -> Any:
        file = open(path, mode, buffering)
        disk = self

        class File:
            def __enter__(self) -> "File":
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> int:
                disk._room -= len(data)
                if disk._room < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return int(file.write(data))
        return File()


@pytest.mark.parametrize("room", [0, 1000, 10_000])
def test_a_full_disk_has_a_name(room: int, kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """At the console's first byte, in the stream, and behind its end; -j does not matter."""
    monkeypatch.setattr(watch, "open", FullDisk(room), raising=False)
    scenario = "console_floods@end" if room > 5000 else "honest"
    status, report = judge_fake(kernel, fake_qemu(scenario), tmp_path / "report.json", *BATCH)
    assert status == 99 and {test["cause"] for test in report["tests"]} == {"disk-full"}
    assert "No space left on device; make room" in report["tests"][0]["sentence"]
    assert "abandoned" not in report["tests"][0]["sentence"] and report["boots"] == 1


def test_nothing_is_left_over_from_an_earlier_run(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path
                                                  ) -> None:
    """Folders with channels and logs of a killed run, half a report, half a memory."""
    old = tmp_path / "runs" / "faultline-12345678"
    old.mkdir()
    os.mkfifo(old / "com2.out")
    (old / "protocol.log").write_text("KTAP version 1\n")
    stale = '{"complete": true, "left": "over"}'
    for name in ("report.json", "report.json.partial"):
        (tmp_path / name).write_text(stale)
    for name in (".last-failed.json", ".last-failed.json.partial"):
        (kernel.parent / name).write_text('{"schema": 1, "kern')
    status, report = judge_fake(kernel, fake_qemu("honest"), tmp_path / "report.json",
                                "--last-failed", *BATCH)
    assert (status, report["complete"], len(report["tests"])) == (0, True, 6)
    assert "left" not in report and list((tmp_path / "runs").iterdir()) == [old]
    (kernel.parent / ".last-failed.json").unlink()


def test_a_failed_run_keeps_its_folder(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path) -> None:
    _, report = judge_fake(kernel, fake_qemu("triple_fault"), tmp_path / "report.json", *BATCH)
    folder = Path(report["tests"][3]["artifacts"])
    kept: Dict[str, str] = {path.name: path.read_text() for path in folder.iterdir()
                            if path.is_file()}
    assert {"command", "console.log", "protocol.log", "qemu.log", "stderr.log"} <= set(kept)
    assert "Hello World!" in kept["console.log"]
    assert kept["protocol.log"].endswith("begin test=faults.stack_overflow\n")
