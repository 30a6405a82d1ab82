# SPDX-License-Identifier: MIT
"""Options, exit statuses, and the sentence that stands for each refusal."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest

import run
from judge import cli, machine, options, qemu
from judge.watch import Watch
from tests.conftest import FLAGS, HERE
from tests.proves import proves
from tests.test_process import processes_of, wait_until

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]


def main(kernel: Path, *arguments: str) -> int:
    return cli.main(["--kernel", str(kernel), "--allow-skip", "alpha.skips", *arguments])


@pytest.mark.parametrize("arguments, words", [
    (["--nosuch"], "Unrecognized arguments: --nosuch"),
    (["--accel", "xen"], "invalid choice: 'xen'"),
    (["--boot", "tape"], "invalid choice: 'tape'"),
    (["--timeout", "0"], "0 is not a number of seconds"),
    (["--timeout", "soon"], "soon is not a number of seconds"),
    (["--timeout", "nan"], "nan is not a number of seconds"),
    (["--tap", "--json", "-"], "both write to the standard output"),
    (["--json", "-", "--junit", "-"], "both write to the standard output"),
    (["--list", "--tap"], "boots nothing"),
    (["--boot", "grub", "--machine", "microvm,acpi=off"], "a microvm has no drive"),
    (["--boot", "uefi", "--machine", "microvm"], "a microvm has no drive"),
    (["--accel", ""], "--accel has an empty value"),
    (["--memory", "0"], "0 is not a size of 1M or more"),
    (["--memory", "1K"], "1K is not a size of 1M or more"),
    (["--memory", "0.9M"], "0.9M is not a size of 1M or more"),
    (["--memory", "abc"], "abc is not a size of 1M or more"),
    (["--memory=-5"], "-5 is not a size of 1M or more"),
    (["--memory", ""], "--memory has an empty value"),
    (["--memory", "\u0661M"], "is not a size of 1M or more"),
    (["--qemu-arg=-accel"], "-accel is not for QEMU directly: use --accel"),
    (["--qemu-arg=--enable-kvm"], "is not for QEMU directly: use --accel kvm"),
    (["--qemu-arg=-M"], "-M is not for QEMU directly: use --machine"),
    (["--qemu-arg=-kernel"], "-kernel is not for QEMU directly: use --kernel"),
    (["--qemu-arg=-daemonize"], "nobody would see how it ends"),
    (["--argument=a b"], "'a b' is not one word for the kernel"),
    (["--argument=a=\"b"], "is not one word for the kernel"),
    (["--argument=a\tb"], "is not one word for the kernel"),
    (["--argument=ktest.seed=1"], "the words of ktest are the harness's to choose"),
    (["parse", "log", "--argument=irq=pic"], "boots nothing"),
    (["--timeout", "inf"], "inf is not a number of seconds"),
    (["--timeout=-1"], "-1 is not a number of seconds"),
    (["--fail-nth=0"], "0 is not the number of an allocation: 1 to 10,000"),
    (["--fail-nth=10001"], "10001 is not the number of an allocation"),
    (["--fail-nth=-1"], "-1 is not the number of an allocation"),
    (["--fail-nth=all"], "all is not the number of an allocation"),
    (["--fail-nth="], "--fail-nth has an empty value"),
    (["--fail-nth", "--bench"], "with --bench there are none"),
    (["--fail-nth", "--list"], "--list boots nothing, so that no allocation can fail"),
    (["--tes=x"], "Unrecognized arguments: --tes=x")])
def test_wrong_usage_is_a_sentence(arguments: List[str], words: str, capsys: Capture) -> None:
    assert cli.main(arguments) == options.USAGE
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_what_a_size_of_memory_is() -> None:
    for text in ("1M", "128", "1.5G", "2t", "1024K", "200M,slots=2,maxmem=1G"):
        assert options.parse(["--memory", text]).memory == text


def program(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("path, words", [
    ("nosuch-qemu", "there is no program nosuch-qemu"),
    ("/", "/ is a folder"), ("/etc/passwd", "/etc/passwd is not executable"),
    ("/bin/true", "/bin/true is no QEMU: its --version does not tell QEMU's version. Name"),
    ("/bin/cat", "/bin/cat is no QEMU"), ("/bin/yes", "/bin/yes is no QEMU")])
@pytest.mark.parametrize("test", ["alpha.one", "quirky.*"])
def test_a_program_that_is_no_qemu(path: str, words: str, test: str, kernel: Path,
                                   fake_qemu: FakeQemu, capsys: Capture) -> None:
    """Also where the version is asked for before there is a boot."""
    assert main(kernel, "--qemu", path, test) == 99
    output = "".join(capsys.readouterr())
    assert words in output and "Traceback" not in output


@pytest.mark.parametrize("script, words", [
    ("#!/nonexistent/sh\n", "it is a script, and its interpreter does not exist"),
    ("#!/bin/sh\nexec sleep 1000\n", "is no QEMU: its --version does not tell"),
    ("#!/bin/sh\nexec yes aaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "is no QEMU: its --version does not"),
    ("#!/bin/sh\nexec yes | tr -d '\\n' >&2\n", "into one of its logs than may be"),
    ("#!/bin/sh\nkill -9 $$\n", "is no QEMU"),
    ("#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 9.0.0 && exit\n"
     "exec sleep 1000\n", "this is not how QEMU runs a machine: it went on"),
    ("#!/bin/sh\n[ $1 = --version ] && echo QEMU emulator version 9.0.0 && exit\n"
     "echo unsupported machine type >&2; exit 1\n", "(--machine or --qemu is the wrong one)")])
def test_a_script_that_is_no_qemu(script: str, words: str, kernel: Path, fake_qemu: FakeQemu,
                                  tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
                                  ) -> None:
    monkeypatch.setattr(machine, "VERSION_SECONDS", 0.3)
    monkeypatch.setattr(qemu, "FILE_BYTES", 1 << 20)
    assert main(kernel, "--qemu", program(tmp_path, script), "--timeout", "0.3", "alpha.*") == 99
    output = capsys.readouterr().out
    assert words in output and "Traceback" not in output
    wait_until(lambda: not processes_of(tmp_path))


def test_a_build_folder_that_is_none(tmp_path: Path, capsys: Capture) -> None:
    """Only the usual one is made: another name may be a slip."""
    missing, file = tmp_path / "biuld", tmp_path / "file"
    file.touch()
    assert cli.main(["--qemu", "sh", "--build-dir", str(missing)]) == 99
    assert f"There is no build folder {missing}: name another" in capsys.readouterr().err
    assert not missing.exists()
    assert cli.main(["--qemu", "sh", "--build-dir", str(file)]) == 99
    assert f"{file} is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("path, words", [
    ("/dev/zero", "The kernel /dev/zero is no file."), ("/", "cannot be read: Is a directory"),
    ("/etc/passwd", "is not a whole ELF file"), ("/etc/passwd/x", "cannot be read: Not a dir")])
def test_a_kernel_that_is_none(path: str, words: str, capsys: Capture) -> None:
    assert cli.main(["--qemu", "sh", "--kernel", path]) == 99
    assert words in capsys.readouterr().err


def test_no_place_for_a_boot(kernel: Path, fake_qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch,
                             capsys: Capture) -> None:
    fake = fake_qemu("honest")
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    assert main(kernel, "--qemu", fake, "alpha.*") == 99
    assert "There can be no folder for a boot in /nonexistent" in capsys.readouterr().err


@proves("4.2.2")
def test_without_qemu(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--qemu", "/nonexistent/qemu") == 99
    assert "QEMU did not start: there is no program /nonexistent/qemu" in capsys.readouterr().err


def test_a_qemu_that_is_no_program(kernel: Path, tmp_path: Path, capsys: Capture) -> None:
    script = tmp_path / "qemu"
    script.write_bytes(b"\x7fELF, but not really")
    script.chmod(0o755)
    assert main(kernel, "--qemu", str(script), "alpha.*") == 99
    assert "QEMU did not start" in capsys.readouterr().out
    assert main(kernel, "--qemu", str(script), "quirky.*") == 99  # its version is asked for
    assert "QEMU did not start" in capsys.readouterr().err


def test_without_kernel(tmp_path: Path, capsys: Capture) -> None:
    assert main(tmp_path / "none.elf", "--list") == 99
    assert "cannot be read" in capsys.readouterr().err


def test_a_kernel_without_tests(tmp_path: Path, capsys: Capture) -> None:
    source = tmp_path / "empty.c"
    source.write_text("void _start(void) {}\n")
    kernel = tmp_path / "empty.elf"
    subprocess.run(["gcc", *FLAGS, "-o", str(kernel), str(source)], check=True)
    assert main(kernel) == 99
    assert "built without -Dktest=true" in capsys.readouterr().err


def test_a_kernel_without_build_id(tmp_path: Path, capsys: Capture) -> None:
    kernel = tmp_path / "nameless.elf"
    subprocess.run(["gcc", *FLAGS, "-Wl,--build-id=none", f"-I{HERE.parents[1] / 'ktest'}", "-o",
                    str(kernel), str(HERE / "sample.c")], check=True)
    assert main(kernel, "--boot", "grub") == 99, "nothing tells which kernel the ISO holds"
    assert "no build id" in capsys.readouterr().err


def test_nothing_matches(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--test", "nosuch") == 5
    assert main(kernel, "--list", "nosuch") == 5
    assert "No test matches nosuch." in capsys.readouterr().err


def test_each_glob_has_to_match(kernel: Path, capsys: Capture) -> None:
    """One that is misspelt must not hide behind the others."""
    assert main(kernel, "--list", "alpha.*", "alhpa.two") == 5
    assert "No test matches alhpa.two." in capsys.readouterr().err


def test_without_iso(kernel: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(kernel, "--boot", "grub", "--iso", str(tmp_path / "none.iso")) == 99
    assert "none.iso to boot" in capsys.readouterr().err


def test_the_kernel_s_own_arguments(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    """They come behind the harness's, and into the command that repeats it."""
    assert main(kernel, "--qemu", fake_qemu("silent"), "--timeout", "0.2", "--argument=irq=pic",
                "--argument", "log=debug", "--test", "alpha.one") == 99
    out = capsys.readouterr().out
    assert "--argument=irq=pic --argument=log=debug" in out
    folder = re.search(r"artifacts +(.*)", out)
    assert folder is not None
    command = Path(folder[1], "command").read_text()
    assert re.search("string=ktest.nonce=.* irq=pic log=debug'", command)


def test_grub(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture) -> None:
    iso = tmp_path / "faultline.iso"
    iso.touch()
    Path(f"{iso}.registry").write_bytes(Path(f"{kernel}.registry").read_bytes())
    assert main(kernel, "--boot", "grub", "--iso", str(iso), "--qemu", fake_qemu("honest")) == 0


def test_uefi(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
              capsys: Capture) -> None:
    """Its firmware speaks on the protocol's port before the kernel does, and is waited for; no
    other one may, or is."""
    iso, firmware = tmp_path / "faultline.iso", tmp_path / "code.fd"
    Path(f"{iso}.registry").write_bytes(Path(f"{kernel}.registry").read_bytes())
    for path in (iso, firmware):
        path.touch()
    monkeypatch.setattr("judge.machine.UEFI_FIRMWARE", (str(firmware),))
    waited: List[Watch] = []
    monkeypatch.setattr(Watch, "wait_for_firmware", lambda watch: waited.append(watch))
    words = ["--iso", str(iso), "--qemu", fake_qemu("firmware_speaks_on_all_ports"), "alpha.one"]
    assert main(kernel, "--boot", "uefi", *words) == 0
    assert "uefi boot" in capsys.readouterr().out
    assert main(kernel, "--boot", "grub", *words) == 99
    assert len(waited) == 1
    assert "0x1b is a control character" in capsys.readouterr().out
    monkeypatch.setattr("judge.machine.UEFI_FIRMWARE", ())
    assert main(kernel, "--boot", "uefi", *words) == 99
    assert "There is no firmware for UEFI" in capsys.readouterr().err


def test_the_list_needs_no_qemu(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", "--qemu", "/nonexistent/qemu", "alpha.*") == 0
    assert capsys.readouterr().out == "alpha.one\nalpha.skips\nalpha.two\n"


def test_the_list_as_data(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", "--json", "-") == 0
    tests = {row["name"]: row for row in json.loads(capsys.readouterr().out)["tests"]}
    assert tests["faults.stack_overflow"]["outcome"] == "fault"
    screen = tests["screen.shows_hello"]
    assert (screen["isolation"], screen["needs"]) == ("boot", ["vga"])
    assert tests["params.squares/10"]["parameter"] == 10
    assert tests["endings.takes_an_nmi"]["inject"] == "nmi"
    assert "speed.add" not in tests


@pytest.mark.parametrize("arguments, words", [
    (["--attach", ""], "--attach has an empty value"), (["--json="], "--json has an empty value"),
    ([""], "An argument has an empty value"), (["--kernel", ""], "--kernel has an empty value"),
    (["--json", "x", "--junit", "x"], "would both write to one file")])
def test_what_a_script_may_get_wrong(arguments: List[str], words: str, capsys: Capture) -> None:
    """A variable that is not set must not make another run of it."""
    assert cli.main(arguments) == options.USAGE
    assert words in capsys.readouterr().err


def test_who_closes_the_standard_output_gets_the_status(kernel: Path, fake_qemu: FakeQemu,
                                                        tmp_path: Path) -> None:
    words = [sys.executable, f"{HERE.parent}/run.py", "--kernel", str(kernel), "--qemu",
             fake_qemu("a_check_fails"), "alpha.one"]
    done = subprocess.run(["bash", "-c", f"{shlex.join(words)} >&- 2>&-"], check=False,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 1


def test_all_skipped(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    qemu = fake_qemu("honest")
    assert main(kernel, "--qemu", qemu, "skips") == 77
    assert main(kernel, "--qemu", qemu, "--tap", "skips") == 0
    assert "ok 1 - alpha.skips # SKIP for a reason" in capsys.readouterr().out


@proves("4.5.3")
def test_a_boot_for_each_test(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                              capsys: Capture) -> None:
    report = tmp_path / "report.json"
    assert main(kernel, "--qemu", fake_qemu("honest"), "--isolate", "boot", "--json",
                str(report), "alpha.*", "known.*") == 0
    assert json.loads(report.read_text())["boots"] == 4


def test_stop_after_the_first_failure(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                      capsys: Capture) -> None:
    report = tmp_path / "report.json"
    assert main(kernel, "--qemu", fake_qemu("a_check_fails"), "--isolate", "boot", "-x", "--json",
                str(report), "alpha.*") == 1
    data = json.loads(report.read_text())
    assert (data["boots"], data["not_run"], len(data["tests"])) == (1, 2, 1)


def test_a_report_that_cannot_be_written(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                         capsys: Capture) -> None:
    assert main(kernel, "--qemu", fake_qemu("honest"), "--json", str(tmp_path / "no" / "r")) == 99
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [
    ["--qemu", "/nonexistent/qemu"], ["--kernel", "/nonexistent/kernel"], ["nosuch"],
    ["--boot", "grub", "--iso", "/nonexistent/iso"]])
def test_a_leftover_report_is_not_this_run_s(wrong: List[str], kernel: Path, fake_qemu: FakeQemu,
                                             tmp_path: Path, capsys: Capture) -> None:
    """Nothing has run, and that is what the report says; one of JUnit can't say so."""
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    report.write_text('{"complete": true}')
    junit.write_text("<testsuites/>")
    assert main(kernel, "--qemu", fake_qemu("honest"), "--json", str(report), "--junit",
                str(junit), *wrong) in (cli.NO_MATCH, cli.BROKEN)
    data = json.loads(report.read_text())
    assert (data["complete"], data["tests"]) == (False, [])
    assert not junit.exists()


def test_a_leftover_report_does_not_survive(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                            capsys: Capture) -> None:
    """Also when the run ends before its first boot does."""
    report = tmp_path / "report.json"
    report.write_text('{"complete": true, "left": "over"}')
    assert main(kernel, "--qemu", fake_qemu("refuses_to_start"), "--json", str(report)) == 99
    assert "left" not in json.loads(report.read_text())


def test_a_bug_of_the_harness_is_no_failed_test(kernel: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: Capture) -> None:
    monkeypatch.setattr(cli, "select", lambda *_: 1 / 0)
    assert main(kernel) == 99
    assert "This is a bug of the harness" in capsys.readouterr().err


# --- The launcher ---------------------------------------------------------------------------------


class Replaced(Exception):
    pass


def test_another_python_is_tried_once(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def replace_process(path: str, words: List[str]) -> None:
        raise Replaced(path, words[0])

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("os.execv", replace_process)
    monkeypatch.setattr(sys, "executable", "/opt/venv/bin/python3")
    with pytest.raises(Replaced, match="/usr/bin/python3"):
        run.main()
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert run.main() == 99
    assert "apt install python3-pexpect python3-pyelftools" in capsys.readouterr().err


def test_it_runs_from_any_folder(kernel: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(HERE.parent / "run.py"), "--kernel", kernel.name,
                           "--list"], cwd=kernel.parent, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("alpha.one\n")


# --- Orders, rounds, benchmarks -------------------------------------------------------------------


@pytest.mark.parametrize("arguments, words", [
    (["--shuffle=-1"], "-1 is not a seed"),
    (["--shuffle=18446744073709551616"], "is not a seed"),
    (["--repeat", "0"], "0 is not a number of rounds"),
    (["--speed", "fast"], "fast is none of normal, slow and very-slow"),
    (["--list", "--repeat", "2"], "nothing can be repeated"),
    (["--list", "--bisect-order"], "nothing can be repeated or bisected"),
    (["--bisect-order", "--until-fail"], "it goes without --until-fail"),
    (["--bisect-order", "--junit", "-"], "it goes without --junit"),
    (["--bisect-order", "--bench"], "it goes without --bench")])
def test_what_does_not_go_together(arguments: List[str], words: str, capsys: Capture) -> None:
    assert cli.main(arguments) == options.USAGE
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize("arguments, names", [
    (["--bench"], ["speed.add"]),
    (["--suite", "endings", "--speed", "normal"],
     ["endings.hangs", "endings.takes_the_machine_down"]),
    (["--suite", "e*", "--suite", "alpha", "--test", "*s"], ["alpha.skips", "endings.hangs"]),
    (["squares/1"], ["params.squares/1"]),
    (["params.squares/?0"], ["params.squares/10"]),
    (["--shuffle=1", "alpha.*", "faults.*", "screen.*"],  # by the C program of test_order.py
     ["alpha.two", "alpha.one", "alpha.skips", "faults.write_to_rodata", "faults.stack_overflow",
      "screen.shows_hello"])])
def test_what_is_selected(arguments: List[str], names: List[str], kernel: Path,
                          capsys: Capture) -> None:
    assert main(kernel, "--list", *arguments) == 0
    assert capsys.readouterr().out.split() == names


@pytest.mark.parametrize("arguments, words", [
    (["--bench", "alpha.*"], "No benchmark matches alpha.*: without --bench there are tests"),
    (["speed.*"], "No test matches speed.*: what does is a benchmark, for --bench"),
    (["takes_an_nmi", "--speed", "normal"], "No test matches takes_an_nmi at the speed normal."),
    (["--suite", "nosuch"], "No test matches --suite nosuch.")])
def test_why_nothing_matches(arguments: List[str], words: str, kernel: Path, capsys: Capture
                             ) -> None:
    assert main(kernel, "--list", *arguments) == cli.NO_MATCH
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("arguments, meant", [
    (["alpha"], "--suite alpha"), (["alp*"], "--suite alp*"), (["--shuffle", "5"], "--shuffle=5"),
    (["alpha.twoo"], "alpha.two"), (["stack_overflo"], "stack_overflow"),
    (["params.squares/99"], "params.squares/9"), (["alpah"], "--suite alpha"),
    (["--suite", "alhpa"], "--suite alpha")])
def test_what_was_meant(arguments: List[str], meant: str, kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", *arguments) == cli.NO_MATCH
    assert capsys.readouterr().err.endswith(f". Did you mean {meant}?\n")


def test_nothing_is_suggested_that_is_not_alike(kernel: Path, capsys: Capture) -> None:
    for arguments in (["5"], ["something_else"], ["--suite", "nosuch"]):
        assert main(kernel, "--list", *arguments) == cli.NO_MATCH
        assert "mean" not in capsys.readouterr().err


def test_the_list_shows_declared_faults(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", "-v", "faults.*") == 0
    rows = {row.split("\t")[0]: row.split("\t")[3:]
            for row in capsys.readouterr().out.splitlines()}
    assert rows["faults.write_to_rodata"][0] == (
        "error code 0x3, write by the kernel that the page's permissions forbid, of which "
        "the bits 0x1f count")
    assert not rows["faults.stack_overflow"]


def test_the_folders_that_were_kept(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    """Those of bad boots stand on their cards."""
    def kept(scenario: str, *arguments: str) -> List[str]:
        main(kernel, "--qemu", fake_qemu(scenario), "--keep", *arguments)
        return re.findall(r"^kept       (.*)$", capsys.readouterr().out, re.MULTILINE)

    folders = kept("honest", "--isolate", "boot", "alpha.*")
    assert len(set(folders)) == 3
    assert all((Path(folder) / "protocol.log").exists() for folder in folders)
    assert not kept("a_check_fails", "alpha.*")
    many = kept("honest", "--isolate", "boot", "params.*")
    assert len(many) == 10


def test_the_list_shows_attributes(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", "-v", "endings.*", "known.*", "screen.*") == 0
    rows = {row.split("\t")[0]: row.split("\t")[2:]
            for row in capsys.readouterr().out.splitlines()}
    assert rows["endings.hangs"] == ["hang, ended by the kernel's watchdog", "500 ms"]
    assert rows["endings.takes_an_nmi"][1:] == ["slow", "gets nmi"]
    assert rows["known.bug"] == ["the test returns", "known bug: counts from 1"]
    assert rows["screen.shows_hello"][1:] == ["a boot of its own", "1500 ms", "needs vga"]


def test_rounds_have_their_own_seeds(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                     capsys: Capture) -> None:
    report = tmp_path / "report.json"
    assert main(kernel, "--qemu", fake_qemu("honest"), "--shuffle", "--repeat", "2", "--json",
                str(report), "alpha.*", "faults.*") == 0
    data = json.loads(report.read_text())
    first, second = (each["seed"] for each in data["rounds"])
    assert first != second and data["flaky"] == []
    out = capsys.readouterr().out
    assert f"Round 1 of 2 --shuffle={first}\n" in out
    assert f"Round 2 of 2 --shuffle={second}\n" in out and "2 boots, 2 rounds\n" in out


def test_until_fail_ends_with_the_seed_of_the_failure(kernel: Path, fake_qemu: FakeQemu,
                                                      capsys: Capture) -> None:
    """By name alpha.one comes before alpha.two, and with seed 1 behind it."""
    qemu = fake_qemu("fails_behind")
    assert main(kernel, "--qemu", qemu, "--shuffle=1", "--until-fail", "--repeat", "2",
                "alpha.*") == 0
    assert main(kernel, "--qemu", qemu, "--shuffle=2", "--until-fail", "--repeat", "3",
                "alpha.*") == 1
    out = capsys.readouterr().out
    assert "its order  harness/run.py" in out and "--shuffle=2 --test 'alpha.*'\n" in out
    assert out.splitlines()[-1].endswith("1 boot --shuffle=2")


def test_an_order_is_bisected(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    assert main(kernel, "--qemu", fake_qemu("fails_behind"), "--bisect-order", "alpha.*") == 1
    out = capsys.readouterr().out
    assert "alpha.two passes alone and fails behind alpha.one.\n" in out
    assert out.endswith("--test alpha.one --test alpha.two\n")
    assert "FAIL alpha.two: EXPECT n == 5" in out
    assert main(kernel, "--qemu", fake_qemu("honest"), "--bisect-order", "alpha.*") == 0
    assert "nothing to bisect" in capsys.readouterr().out


def test_benchmarks_get_a_table(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                capsys: Capture) -> None:
    report = tmp_path / "report.json"
    assert main(kernel, "--qemu", fake_qemu("honest"), "--bench", "--json", str(report)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["cycles", "per", "turn", "min", "median", "p90", "max"]
    assert lines[3].split() == ["speed.add", "12.250", "12.500", "13.125", "20.000"]
    measured = json.loads(report.read_text())["tests"][0]["measured"]
    assert (measured["median"], measured["unit"]) == (12.5, "cycles")


# --- Ends that nobody asked for -------------------------------------------------------------------


def test_a_reader_that_has_seen_enough(kernel: Path) -> None:
    command = f"{sys.executable} {HERE.parent}/run.py --kernel {kernel} --list | true"
    done = subprocess.run(["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"], check=True,
                          capture_output=True, text=True)
    assert done.stdout in ("0\n", "99\n")  # whether `true` was still there
    assert done.stderr.count("\n") <= 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--list", "-v"], ["--qemu", "/nonexistent/\xfc"],
                                       ["--tap", "alpha.one"], ["alpha.one"]])
def test_a_terminal_that_knows_few_characters(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                              arguments: List[str]) -> None:
    """The kernel lies in a folder whose name it can't write."""
    folder = tmp_path / "\xfc\u20ac"
    folder.mkdir()
    for file in (kernel, Path(f"{kernel}.registry")):
        (folder / file.name).write_bytes(file.read_bytes())
    done = subprocess.run(
        [sys.executable, HERE.parent / "run.py", "--kernel", folder / kernel.name, "--qemu",
         fake_qemu("wrong_nonce"), *arguments], capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "TMPDIR": str(folder)})
    text = done.stdout + done.stderr
    assert b"Traceback" not in text and b"bug of the harness" not in text and text.isascii()
    assert done.returncode == (0 if "--list" in arguments else 99)
    assert b"\\xfc" in text or "--list" in arguments


def test_reports_go_where_they_can(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                   capsys: Capture) -> None:
    assert main(kernel, "--qemu", fake_qemu("honest"), "--junit", str(tmp_path), "one") == 99
    assert f"The report {tmp_path} cannot be written: Is a directory." in capsys.readouterr().err
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    assert main(kernel, "--qemu", fake_qemu("honest"), "--junit", str(link), "one") == 0
    assert link.is_symlink() and Path("/dev/null").is_char_device()
