# SPDX-License-Identifier: MIT
"""What the kernel itself writes, without the harness: the serial ports as files, the arguments on
the boot command line, the exit status of QEMU."""
from __future__ import annotations

import subprocess
import zlib
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple
from urllib.parse import unquote

import pytest
from judge.elf import Image
from tests.proves import proves

import ktap
from conftest import ROOT

QEMU = "qemu-system-x86_64"
SECONDS = 20.0


class Output(NamedTuple):
    status: int
    console: str
    lines: List[str]

    def words(self, kind: str) -> Dict[str, str]:
        """The fields of the first metadata line of a kind."""
        line = next(line for line in self.lines if f"#:ktest_{kind} " in line)
        return {key: unquote(value) for key, _, value in
                (word.partition("=") for word in line.split()[1:])}


LEAN = ["-nodefaults", "-M", "pc,acpi=off,hpet=off,vmport=off", "-bios", "qboot.rom"]
WITH_VGA = ["-nodefaults", "-vga", "std"]


def run(kernel: Path, folder: Path, arguments: str, *options: str,
        machine: Sequence[str] = LEAN) -> Output:
    protocol = folder / "protocol"
    command = [QEMU, *machine, "-display", "none", "-no-reboot", "-cpu", "max",
               "-serial", "stdio", "-serial", f"file:{protocol}",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
               "-kernel", str(kernel), "-append", arguments, *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        pytest.fail(f"The machine did not end within {SECONDS:g} s; it said last:\n{said[-1000:]}")
    return Output(done.returncode, done.stdout, protocol.read_text().splitlines())


@pytest.fixture(scope="module")
def selftest(build: Path) -> Path:
    return build / "faultline-selftest.elf"


STATUSES = {"nothing_wrong": 33, "expectation_that_fails": 35, "test_that_asserts_nothing": 37}


@proves("4.2.1", "4.3.5")
@pytest.mark.parametrize("name", STATUSES)
def test_serial_ports_and_exit_status_tell_all(selftest: Path, tmp_path: Path, name: str) -> None:
    done = run(selftest, tmp_path, f"ktest.select=opposite.{name} ktest.nonce=byhand")
    assert done.status == STATUSES[name]
    assert "Hello World!" in done.console
    assert done.lines[0] == "KTAP version 1"
    assert done.words("run")["nonce"] == "byhand", "arguments come from the command line too"
    assert done.words("totals")["tests"] == "1"


def test_an_error_counts_more_than_a_failure(selftest: Path, tmp_path: Path) -> None:
    names = "expectation_that_fails,test_that_asserts_nothing,nothing_wrong"
    done = run(selftest, tmp_path, f"ktest.select={names}")
    assert done.status == 37
    assert done.lines[-2] == "not ok 1 opposite", "the suite is as bad as its worst test"
    assert {key: done.words("totals")[key] for key in ("pass", "skip", "fail", "error")} == {
        "pass": "1", "skip": "0", "fail": "1", "error": "1"}


def test_totals_sum_up_the_stream(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=every_kind_of_value")
    before = "".join(line + "\n" for line in done.lines[:-1]).encode()
    assert int(done.words("totals")["crc32"], 16) == zlib.crc32(before)
    assert int(done.words("totals")["lines"]) == len(done.lines) - 1


def test_failed_checks_say_exactly_what_failed(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=every_kind_of_value")
    source = (ROOT / "kernel/selftest/outcome.c").read_text().splitlines()
    place = next(number for number, text in enumerate(source, 1) if "five > 6" in text)
    first = done.words("check")
    assert first["kind"] == "expect"
    assert (first["file"], int(first["line"])) == ("kernel/selftest/outcome.c", place)
    assert first["left"] == "five > 6"
    assert (first["left_value"], first["right_value"]) == ("false", "true")
    text = "\n".join(done.lines)
    assert "left_value=-5 right_value=4096%20(0x1000)" in text
    assert "relation=<= left_value=5 right_value=4 " in text
    assert "left_value=0x63%20at%20offset%202 right_value=0x64" in text
    assert "EXPECT five <= 4: 5 against 4" in text and "ASSERT" not in text
    assert 'left_value="a%09b%25~"' in text and '"a?b%~" against "x%x' in text
    longest = max((word.partition("=")[2] for line in done.lines if "#:" in line
                   for word in line.split()), key=len)
    assert len(longest) <= 143 and longest.endswith("...")
    assert all(len(line) < 1024 and line.isprintable() for line in done.lines)
    assert done.words("end")["reason"] == "5 of 5 checks failed"


def test_fault_reports_the_registers_as_they_were(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=registers_are_told_apart")
    registers, fault = done.words("registers"), done.words("fault")
    expected = {"rbx": "0xb", "rcx": "0xc", "r8": "0x8", "r14": "0xe", "r15": "0xf"}
    assert {name: registers[name] for name in expected} == expected
    assert (fault["vector"], fault["cs"], fault["ss"]) == ("6", "0x8", "0x10")
    assert fault["rsp"] != fault["rip"]
    assert abs(int(fault["rsp"], 16) - int(registers["rbp"], 16)) < 4096
    assert int(fault["rflags"], 16) & 0x202 == 0x2, "the fixed bit, and interrupts off"
    assert int(registers["cr0"], 16) & 0x80000001 == 0x80000001
    assert int(registers["cr3"], 16) % 4096 == 0 < int(registers["cr3"], 16)
    assert int(registers["cr4"], 16) & 1 << 5


def test_panic_reports_its_place(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=panic_that_nobody_declared")
    source = (ROOT / "kernel/selftest/outcome.c").read_text().splitlines()
    place = next(number for number, text in enumerate(source, 1) if "out of the blue" in text)
    assert done.words("panic") == {
        "message": "out of the blue", "file": "kernel/selftest/outcome.c", "line": str(place),
        "function": "ktest_run_opposite__panic_that_nobody_declared"}


def test_skip_gives_its_reason(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=skip_of_a_declared_panic")
    assert "    ok 1 skip_of_a_declared_panic # SKIP no device" in done.lines
    assert done.words("end")["verdict"] == "skip"
    done = run(selftest, tmp_path, "ktest.select=skip_with_a_line_break")
    assert "    ok 1 skip_with_a_line_break # SKIP no?device" in done.lines
    assert done.words("end")["reason"] == "no\ndevice"
    done = run(selftest, tmp_path, "ktest.select=skip_with_a_long_reason")
    assert f"    ok 1 skip_with_a_long_reason # SKIP {140 * 'x'}..." in done.lines
    assert done.words("end")["reason"] == f"{252 * 'x'}..."


@pytest.mark.parametrize("have, verdict", [("ktest.have=other", "skip"),
                                           ("ktest.have=other,vga", "pass")])
def test_need_has_to_be_met(kernel: Path, tmp_path: Path, have: str, verdict: str) -> None:
    done = run(kernel, tmp_path, f"ktest.select=hello_is_in_video_memory {have}",
               machine=WITH_VGA if verdict == "pass" else LEAN)
    assert done.words("end")["verdict"] == verdict
    assert ("# SKIP needs vga" in "\n".join(done.lines)) == (verdict == "skip")


def test_selection(kernel: Path, tmp_path: Path) -> None:
    everything = run(kernel, tmp_path, "").words("run")
    assert int(everything["tests"]) > int(everything["selected"]) > 300, "but for benchmarks"
    for words, selected in (("nothing,", 0), ("gdt.tss_needs_two_slots,,nothing", 1)):
        done = run(kernel, tmp_path, f"ktest.select={words}")
        assert done.words("run")["selected"] == str(selected)
        assert done.status == 33


@pytest.mark.parametrize("old, new, words", [
    (b"\0panic_instead_of_fault\0", b"\0fault_instead_of_panic\0",
     "two tests have the same name: opposite.fault_instead_of_panic"),
    (b"\0orders\0", b"\0action\0", "the suite action has fixtures twice"),
    (b"KTS3", b"KTS2", "not one of this version"),
])
def test_broken_registry_ends_the_run(selftest: Path, tmp_path: Path, old: bytes, new: bytes,
                                      words: str) -> None:
    broken = tmp_path / "broken.elf"
    broken.write_bytes(selftest.read_bytes().replace(old, new, 1))
    done = run(broken, tmp_path, "")
    assert done.status == 37
    assert len(done.lines) == 1 and words in done.words("error")["reason"]


def test_log_level_is_an_argument(kernel: Path, tmp_path: Path) -> None:
    quiet = run(kernel, tmp_path, "ktest.select=trivial_assertion")
    loud = run(kernel, tmp_path, "ktest.select=trivial_assertion log=debug")
    wrong = run(kernel, tmp_path, "ktest.select=trivial_assertion log=loud")
    warn = run(kernel, tmp_path, "ktest.select=trivial_assertion log=warn")
    assert "debug boot: memory 0x" not in quiet.console
    assert "debug boot: memory 0x" in loud.console
    assert "warn  boot: log=loud: not one of error, warn, info, debug" in wrong.console
    assert "not one of" not in warn.console


def test_arguments_of_both_sources_are_joined(kernel: Path, tmp_path: Path) -> None:
    done = run(kernel, tmp_path, "ktest.select=trivial_assertion ktest.nonce=line", "-fw_cfg",
               "name=opt/faultline/ktest,string=ktest.nonce=device")
    assert done.words("run")["nonce"] == "device", "fw_cfg wins"
    assert done.words("run")["selected"] == "1"


def test_all_tests_but_one_can_be_named(kernel: Path, tmp_path: Path) -> None:
    """The longest selection there is: each parameter by its own name."""
    names = [test.full_name for test in Image(kernel).tests]
    words = ",".join([f"not_{name}" for name in names] + ["ktest.trivial_assertion"])
    option = "name=opt/faultline/ktest,string=ktest.select=" + words.replace(",", ",,")
    done = run(kernel, tmp_path, "", "-fw_cfg", option)
    assert begun(done) == ["ktest.trivial_assertion"], "the last word of all"


def begun(done: Output) -> List[str]:
    return [line.partition("test=")[2] for line in done.lines if "#:ktest_begin" in line]


def test_seed_changes_the_order_and_nothing_else(selftest: Path, tmp_path: Path) -> None:
    select = "ktest.select=opposite.*_value,*.nothing_wrong,suite_exit_that_faults"
    plain = run(selftest, tmp_path, select)
    shuffled = [run(selftest, tmp_path, f"{select} ktest.seed={seed}") for seed in (1, 2, 2)]
    orders = [begun(done) for done in (plain, *shuffled)]
    assert plain.words("run")["seed"] == "none" and shuffled[0].words("run")["seed"] == "1"
    assert orders[0] == sorted(orders[0]) and len(orders[0]) == 3
    assert all(sorted(order) == orders[0] for order in orders)
    assert orders[2] == orders[3], "the same seed, the same order"
    assert len({tuple(order) for order in orders}) > 1


def test_seed_has_to_be_a_number(selftest: Path, tmp_path: Path) -> None:
    for seed in ("x", "1x", "18446744073709551616"):
        done = run(selftest, tmp_path, f"ktest.seed={seed}")
        assert done.status == 37 and "ktest.seed" in done.words("error")["reason"]


def test_armed_stands_before_the_end_it_announces(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=fault_with_another_code")
    kinds = [line.split()[0] for line in done.lines if line.startswith("    #:")]
    assert kinds == ["#:ktest_begin", "#:ktest_armed", "#:ktest_fault", "#:ktest_registers",
                     "#:ktest_backtrace", "#:ktest_end"]
    source = (ROOT / "kernel/selftest/outcome.c").read_text().splitlines()
    armed = done.words("armed")
    assert armed["file"] == "kernel/selftest/outcome.c"
    assert "KTEST_ARM" in source[int(armed["line"]) - 1]


def test_hang_is_reported_with_its_spot(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=hang_instead_of_panic")
    hang = done.words("hang")
    assert hang["timeout_ms"] == "50" and int(hang["rflags"], 16) & 0x200 == 0
    assert done.words("backtrace")["pcs"].split(",")[0] == hang["rip"] != hang["rsp"]
    assert done.words("end")["verdict"] == "fail"


def test_orders_are_read_between_tests(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=orders.*")
    assert [test[7] for test in begun(done)] == ["a", "b", "c"]
    assert [line.split()[1:] for line in done.lines if "#:ktest_order" in line] == [
        ["text=unknown", "known=no"], [f"text={6 * '0123456789'}012", "known=no"],
        ["text=stopped", "known=no"], ["text=stop", "known=yes"]]
    assert done.words("totals")["stopped"] == "1"
    assert done.status == 35 and not any("ktest_restart" in line for line in done.lines)


def test_panic_that_hangs_is_no_hang_of_the_test(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=fault_whose_panic_hangs")
    assert "page fault #PF" in done.words("end")["reason"]
    assert not any("#:ktest_hang" in line for line in done.lines)


def test_fault_comes_behind_the_line_that_it_interrupts(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=fault_while_a_line_is_sent")
    assert done.words("note")["text"].endswith("comes in pieces")
    assert [line.split()[0] for line in done.lines if line.startswith("    #:")] == [
        "#:ktest_begin", "#:ktest_note", "#:ktest_fault", "#:ktest_registers",
        "#:ktest_backtrace", "#:ktest_end"]


def test_passed_test_has_no_reason(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=skip_in_exit_is_none")
    assert done.words("end")["verdict"] == "pass" and done.words("end")["reason"] == ""


def test_only_the_locks_of_a_statement_are_released(kernel: Path, tmp_path: Path) -> None:
    done = run(kernel, tmp_path, "ktest.select=lock_from_before_a_recovered_panic_stays_held")
    assert ": lock inner, taken in ktest_run_spin" in done.words("note")["text"]
    assert done.status == 33


def test_line_is_cut_off_at_its_limit(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=line_longer_than_the_longest")
    assert max(len(line) for line in done.lines) == 1023, "and a newline"
    assert done.words("totals")["pass"] == "1" and done.status == 33


@pytest.mark.parametrize("index", range(3))
def test_watchdog_runs_on_behind_a_failure(selftest: Path, tmp_path: Path, index: int) -> None:
    done = run(selftest, tmp_path, f"ktest.select=hang_behind_a_failure/{index}")
    assert done.words("hang")["timeout_ms"] == "50" and done.status == 35


def test_panic_behind_a_fault_is_another_death(selftest: Path, tmp_path: Path) -> None:
    """The panic that follows a fault is not reported; the exit fixture's is."""
    done = run(selftest, tmp_path, "ktest.select=panic_of_exit_behind_a_fault")
    assert done.words("fault")["vector"] == "14"
    assert done.words("panic")["message"] == "in exit"
    assert sum("#:ktest_panic" in line for line in done.lines) == 1


def test_death_between_tests_is_the_runners(selftest: Path, tmp_path: Path) -> None:
    """Nothing is recovered from where no test runs: the panic is the last word."""
    done = run(selftest, tmp_path, "ktest.select=runner.*")
    last = next(at for at, line in enumerate(done.lines) if line.startswith("    ok 1 a_takes"))
    assert [line.split()[0] for line in done.lines[last + 1:]] == [
        "#:ktest_panic", "#:ktest_registers", "#:ktest_backtrace"]
    assert done.status == 39


def test_long_reports_are_cut_off(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=more_failures_and_notes_than_are_written")
    assert sum("#:ktest_check" in line for line in done.lines) == 20
    assert sum("#:ktest_note" in line for line in done.lines) == 20
    assert done.words("end")["reason"] == "25 of 25 checks failed"


def test_action_says_how_it_ended(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=action_that_hangs")
    assert done.words("end")["reason"].startswith("an action at the end: hang: still running")


def test_timeout_is_an_argument(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=unlimited.halt_without_a_timeout "
                                   "ktest.timeout_ms=30")
    assert done.words("hang")["timeout_ms"] == "30"


def test_lock_of_a_dead_test_is_named(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=fails_by_panic_with_a_lock_held")
    assert "lock plain" in done.words("note")["text"]
    assert done.status == 35, "the lock guards nothing that lasts: the run goes on"


def test_restart_is_asked_for_when_a_change_was_half_done(selftest: Path, tmp_path: Path) -> None:
    names = "mixed_c.fails_by_death_in_a_change*,mixed_c.passes_z"
    done = run(selftest, tmp_path, f"ktest.select={names}")
    assert done.status == 41
    assert "lock" in done.words("restart")["reason"]
    assert done.lines[-2].startswith("#:ktest_restart ")
    totals = done.words("totals")
    assert (totals["tests"], totals["fail"], totals["stopped"]) == ("1", "1", "1")


def test_nothing_is_asked_for_behind_the_last_test(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=mixed_c.fails_by_death_in_a_change*")
    assert done.status == 35 and not any("ktest_restart" in line for line in done.lines)


def test_end_tells_of_stack_and_recovery(kernel: Path, tmp_path: Path) -> None:
    done = run(kernel, tmp_path, "ktest.select=double_fault.stack_overflow")
    end = done.words("end")
    assert 32_000 < int(end["stack"]) <= 32_768
    assert 0 < int(end["recovery"]) < int(end["cycles"])
    done = run(kernel, tmp_path, "ktest.select=ktest.trivial_assertion")
    end = done.words("end")
    assert 0 < int(end["stack"]) < 2000 and int(end["recovery"]) == 0
    done = run(kernel, tmp_path, "ktest.select=attempt.goes_on_behind_a_fault")
    assert int(done.words("end")["recovery"]) == 0, "it has not died"


@pytest.mark.parametrize("name", ["spinlock.taking_a_lock_twice_panics",
                                  "ktest.hang_is_ended_by_the_watchdog"])
def test_every_death_is_recovered_from(kernel: Path, tmp_path: Path, name: str) -> None:
    end = run(kernel, tmp_path, f"ktest.select={name} ktest.have=apic").words("end")
    assert 0 < int(end["recovery"]) < int(end["cycles"])


def test_recovery_begins_with_the_fault(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=fault_whose_panic_takes_1000_cycles")
    assert done.words("end")["recovery"] == "1000"


def test_missing_protocol_port_ends_the_run(kernel: Path) -> None:
    done = subprocess.run([QEMU, *LEAN, "-display", "none", "-no-reboot", "-cpu", "max",
                           "-serial", "stdio", "-kernel", str(kernel),
                           "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 37 and "COM2" in done.stdout


def test_parameters_are_described(kernel: Path, tmp_path: Path) -> None:
    done = run(kernel, tmp_path, "ktest.select=param.sum_is_right/1")
    assert begun(done) == ["param.sum_is_right/1"]
    assert done.words("param")["text"] == "-1 + 1"
    assert done.words("run")["selected"] == "1"
    done = run(kernel, tmp_path, "ktest.select=sum_is_right")
    assert begun(done) == [f"param.sum_is_right/{index}" for index in range(3)]


@pytest.mark.parametrize("ending, kind", [("faults", "fault"), ("panics", "panic"),
                                          ("hangs", "hang")])
def test_parameter_comes_first_even_if_it_is_not_described(
        selftest: Path, tmp_path: Path, ending: str, kind: str) -> None:
    done = run(selftest, tmp_path, f"ktest.select=description_that_{ending}")
    kinds = [line.split()[0] for line in done.lines if line.startswith("    #:")]
    assert kinds[:3] == ["#:ktest_begin", "#:ktest_param", f"#:ktest_{kind}"]
    assert kinds.count("#:ktest_param") == 1
    assert "the description of a parameter: " in done.words("end")["reason"]


def test_benchmarks_run_alone_and_give_numbers(kernel: Path, tmp_path: Path) -> None:
    done = run(kernel, tmp_path, "ktest.bench=1 ktest.select=ktest.*")
    assert "ktest.empty_loop" in begun(done) and "ktest.trivial_assertion" not in begun(done)
    bench = done.words("bench")
    assert done.status == 33 and done.words("totals")["pass"] == done.words("totals")["tests"]
    lines = [line for line in done.lines if "#:ktest_bench " in line]
    assert len(set(lines)) == len(lines) > 1, "each has figures of its own"
    figures = [float(bench[key]) for key in ("min", "median", "p90", "max")]
    assert figures == sorted(figures) and int(bench["turns"]) > 0 and bench["samples"] == "50"
    assert all(len(bench[key].partition(".")[2]) == 3 for key in ("min", "median", "p90", "max"))


@pytest.mark.parametrize("name", ["bench_without_a_loop", "bench_that_leaves_its_loop"])
def test_benchmark_that_measures_nothing_is_an_error(selftest: Path, tmp_path: Path, name: str
                                                     ) -> None:
    done = run(selftest, tmp_path, f"ktest.bench=1 ktest.select={name}")
    assert done.words("end")["verdict"] == "error"
    assert "it measured nothing" in done.words("end")["reason"]


def test_benchmark_counts_cycles_per_turn(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.bench=1 ktest.select=bench_of_ten_cycles")
    bench = done.words("bench")
    assert {bench[key] for key in ("min", "median", "p90", "max")} == {"10.000"}
    assert bench["turns"] == "2048"


def test_body_does_not_run_behind_an_init_that_fails(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=body_behind_an_init_that_fails")
    assert done.words("end")["reason"] == "1 of 1 checks failed"
    assert not any("#:ktest_panic" in line for line in done.lines)


def test_benchmark_that_dies_says_of_what(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.bench=1 ktest.select=bench_that_faults")
    assert done.words("end")["verdict"] == "fail"
    assert done.words("end")["reason"].startswith("page fault #PF")


def test_kernel_compares_the_fault_too(selftest: Path, tmp_path: Path) -> None:
    """Each of these is a failure to the harness anyway."""
    names = ("fault_with_another_vector", "fault_with_another_code", "fault_with_more_in_its_code",
             "fault_at_another_address", "double_fault_on_another_stack")
    done = run(selftest, tmp_path, f"ktest.select={','.join(names)}")
    ends = [line for line in done.lines if "#:ktest_end" in line]
    assert len(ends) == len(names)
    assert all(" verdict=fail " in line for line in ends)


@pytest.mark.parametrize("machine, vector", [("tcg-7.2", "6"), ("kvm-7.2", "13"), ("", "13")])
def test_quirk_of_the_machine_counts(selftest: Path, tmp_path: Path, machine: str, vector: str
                                     ) -> None:
    """The test raises #UD, which only the quirk declares."""
    done = run(selftest, tmp_path, f"ktest.select=quirk_with_another_outcome "
                                   f"ktest.machine={machine}")
    assert done.words("end")["verdict"] == ("pass" if vector == "6" else "fail")


def console(done: Output) -> List[str]:
    return [unquote(line.partition("text=")[2]) for line in done.lines if "ktest_console" in line]


def test_last_lines_of_a_failed_test_are_told(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=many_lines_are_printed")
    assert console(done) == [*(f"line {number}" for number in range(6, 12)),
                             "line 12 % of 12", "and no more"]
    kinds = [line.split()[0] for line in done.lines if line.startswith("    #:")]
    assert kinds.index("#:ktest_console") == len(kinds) - 9 and kinds[-1] == "#:ktest_end"


def test_long_line_is_cut_off_on_both_sides(selftest: Path, tmp_path: Path) -> None:
    line, = console(run(selftest, tmp_path, "ktest.select=one_long_line_is_printed"))
    text, dots, rest = line.partition("...")
    assert (dots, rest) == ("...", "") and ("0123456789" * 60)[-512:].startswith(text)


def test_nothing_is_told_of_what_others_printed(selftest: Path, kernel: Path, tmp_path: Path
                                                ) -> None:
    done = run(selftest, tmp_path,
               "ktest.select=many_lines_are_printed,opposite.known_bug_that_is_gone")
    assert len(console(done)) == 8
    assert console(run(kernel, tmp_path, "ktest.select=println.*")) == [], "they pass"


def test_lock_that_a_test_waits_for_is_named(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=fails_by_waiting_for_its_own_lock")
    assert done.words("note")["text"].startswith("it waits for lock taken, taken in ")
    done = run(selftest, tmp_path, "ktest.select=fails_by_hang_with_cli")
    assert not any("ktest_note" in line for line in done.lines)


def test_place_where_a_lock_was_taken_is_told(selftest: Path, tmp_path: Path) -> None:
    done = run(selftest, tmp_path, "ktest.select=lesson.pops_from_an_empty_queue")
    assert "queue, taken in queue_pop at 0xffffffff8" in done.words("note")["text"]


# --- What any KTAP reader makes of it -------------------------------------------------------------


KTAP_STATUS = {"pass": "ok", "skip": "skip", "fail": "not ok", "error": "not ok"}


def told(done: Output) -> List[str]:
    """Each test and its status, as our own lines have it."""
    ends = [line.split() for line in done.lines if "#:ktest_end " in line]
    return [f"{words[1].partition('=')[2]} {KTAP_STATUS[words[2].partition('=')[2]]}"
            for words in ends]


def read(done: Output) -> Tuple[List[str], List[str]]:
    """The same by KTAP alone, and what its reader has to complain of."""
    reader = ktap.Reader()
    root = reader.read(done.lines)
    for suite in root.children:
        worst = any(test.status == "not ok" for test in suite.children)
        assert suite.status in ("", "not ok" if worst else "ok")
    return [f"{suite.name}.{test.name} {test.status}" for suite in root.children
            for test in suite.children], reader.complaints


GOOD_KTAP = """KTAP version 1
1..2
    KTAP version 1
    # Subtest: a
    1..2
    # anything
    ok 1 x
    ok 2 y # SKIP no device
ok 1 a
    KTAP version 1
    # Subtest: b
    1..1
    not ok 1 z
not ok 2 b"""


def test_the_reader_of_ktap_reads() -> None:
    reader = ktap.Reader()
    root = reader.read(GOOD_KTAP.split("\n"))
    assert [(suite.name, suite.status, [(test.name, test.status, test.reason)
                                        for test in suite.children]) for suite in root.children] \
        == [("a", "ok", [("x", "ok", ""), ("y", "skip", "no device")]),
            ("b", "not ok", [("z", "not ok", "")])]
    assert not reader.complaints


@pytest.mark.parametrize("old, new", [
    ("    ok 1 x", "    ok 3 x"), ("    ok 1 x\n", ""), ("    ok 1 x", "  ok 1 x"),
    ("    ok 1 x", "okay"), ("    KTAP version 1\n    # Subtest: a", "    # Subtest: a"),
    ("    1..2", "    1..3"), ("1..2\n    KTAP", "1..3\n    KTAP"), ("ok 1 a", "ok 1 c"),
    ("not ok 2 b", ""), ("KTAP version 1\n1..2", "1..2")])
def test_the_reader_of_ktap_is_strict(old: str, new: str) -> None:
    reader = ktap.Reader()
    assert old in GOOD_KTAP
    reader.read(GOOD_KTAP.replace(old, new, 1).split("\n"))
    assert reader.complaints


@pytest.mark.parametrize("arguments, count", [
    ("ktest.select=format.*,bits.*,gdt.*,spinlock.*,param.*,ktest*.*", 50),
    ("ktest.select=format.*,bits.*,gdt.*,spinlock.*,param.*,ktest*.* ktest.seed=5", 50),
    ("ktest.bench=1", 5), ("ktest.select=nothing", 0)])
def test_any_reader_of_ktap_understands_it(kernel: Path, tmp_path: Path, arguments: str, count: int
                                           ) -> None:
    done = run(kernel, tmp_path, arguments)
    found, complaints = read(done)
    assert found == told(done) and len(found) >= count and not complaints


@pytest.mark.parametrize("arguments", [
    "ktest.select=attempt_*,*_fails,skip_*,*init*,description_*,hang_behind_a_failure",
    "ktest.select=attempt_*,*_fails,skip_*,*init*,description_*,hang_behind_a_failure "
    "ktest.seed=7", "ktest.select=line_longer_than_the_longest,more_failures_*"])
def test_any_reader_of_ktap_sees_what_failed(selftest: Path, tmp_path: Path, arguments: str
                                             ) -> None:
    done = run(selftest, tmp_path, arguments)
    found, complaints = read(done)
    assert found == told(done) and not complaints
    assert any(line.endswith(" not ok") for line in found)
    reasons = {test.name: test.reason for suite in ktap.Reader().read(done.lines).children
               for test in suite.children}
    assert reasons.get("skip_of_a_declared_panic", "no device") == "no device"


@pytest.mark.parametrize("select, missing", [("orders.*", "4 are planned, and there are 3"),
                                             ("mixed_c.*", "are planned, and there are")])
def test_any_reader_of_ktap_misses_what_did_not_run(selftest: Path, tmp_path: Path, select: str,
                                                    missing: str) -> None:
    """Behind `stop`, a restart, or a death: plans stay as announced."""
    done = run(selftest, tmp_path, f"ktest.select={select}")
    found, complaints = read(done)
    assert found == told(done) and found
    assert len(complaints) == 2 and missing in complaints[0]
    assert complaints[1] == f"{select.partition('.')[0]} has no result"


def test_kernel_stops_behind_a_failure(selftest: Path, tmp_path: Path) -> None:
    names = "nothing_wrong,mixed_a.fails_by_assert,mixed_a.passes_a,mixed_a.fails_by_expect"
    done = run(selftest, tmp_path, f"ktest.stop=1 ktest.select={names}")
    totals = done.words("totals")
    assert [totals[key] for key in ("tests", "fail", "stopped")] == ["1", "1", "1"]
    assert done.words("order") == {"text": "stop", "known": "yes"} and done.status == 35
    done = run(selftest, tmp_path, "ktest.stop=1 ktest.select=nothing_wrong,mixed_a.passes_a")
    assert done.words("totals")["stopped"] == "0" and "#:ktest_order" not in "".join(done.lines)
    done = run(selftest, tmp_path, f"ktest.select={names}")
    assert done.words("totals")["tests"] == "4", "nobody asked for it"
