# SPDX-License-Identifier: MIT
"""Options, exit statuses, and the sentence that stands for each refusal."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest

import run
from judge import cli
from tests.conftest import FLAGS, HERE
from tests.proves import proves

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
    (["--tes=x"], "Unrecognized arguments: --tes=x")])
def test_wrong_usage_is_a_sentence(arguments: List[str], words: str, capsys: Capture) -> None:
    assert cli.main(arguments) == cli.USAGE
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@proves("4.2.2")
def test_without_qemu(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--qemu", "/nonexistent/qemu") == 99
    assert "QEMU did not start: there is no program /nonexistent/qemu" in capsys.readouterr().err


def test_a_qemu_that_is_no_program(kernel: Path, tmp_path: Path, capsys: Capture) -> None:
    script = tmp_path / "qemu"
    script.write_bytes(b"\x7fELF, but not really")
    script.chmod(0o755)
    assert main(kernel, "--qemu", str(script)) == 99
    assert "QEMU did not start" in capsys.readouterr().out


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
    assert main(kernel) == 99
    assert "no build id" in capsys.readouterr().err


def test_nothing_matches(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--test", "nosuch") == 5
    assert main(kernel, "--list", "nosuch") == 5
    assert "No test matches nosuch." in capsys.readouterr().err


def test_without_iso(kernel: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(kernel, "--boot", "grub", "--iso", str(tmp_path / "none.iso")) == 99
    assert "none.iso to boot" in capsys.readouterr().err


def test_grub(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture) -> None:
    iso = tmp_path / "faultline.iso"
    iso.touch()
    Path(f"{iso}.registry").write_bytes(Path(f"{kernel}.registry").read_bytes())
    assert main(kernel, "--boot", "grub", "--iso", str(iso), "--qemu", fake_qemu("honest")) == 0


def test_the_list_needs_no_qemu(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", "--qemu", "/nonexistent/qemu", "alpha.*") == 0
    assert capsys.readouterr().out == "alpha.one\nalpha.skips\nalpha.two\n"


def test_the_list_as_data(kernel: Path, capsys: Capture) -> None:
    assert main(kernel, "--list", "--json", "-") == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[3]["name"] == "faults.stack_overflow"
    assert rows[3]["outcome"] == "fault"
    assert (rows[6]["isolation"], rows[6]["needs"]) == ("boot", ["vga"])


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
                str(report)) == 0
    assert json.loads(report.read_text())["boots"] == 7


def test_stop_after_the_first_failure(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                      capsys: Capture) -> None:
    report = tmp_path / "report.json"
    assert main(kernel, "--qemu", fake_qemu("a_check_fails"), "--isolate", "boot", "-x", "--json",
                str(report)) == 1
    data = json.loads(report.read_text())
    assert (data["boots"], data["not_run"], len(data["tests"])) == (1, 6, 1)


def test_a_report_that_cannot_be_written(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                         capsys: Capture) -> None:
    assert main(kernel, "--qemu", fake_qemu("honest"), "--json", str(tmp_path / "no" / "r")) == 99
    assert "No such file or directory" in capsys.readouterr().err


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
