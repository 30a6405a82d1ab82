# SPDX-License-Identifier: MIT
"""Runs in Bochs: by one that only plays, with the lies of the fake QEMU."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from judge import bochs, cli
from judge.bochs import BochsMachine, tell_by_image
from judge.machine import BootWay
from judge.model import Accel, Needs, Refusal
from tests.conftest import HERE

Capture = pytest.CaptureFixture[str]
Run = Callable[..., Dict[str, Any]]
ROOM = b"#" * 8192


@pytest.fixture
def iso(kernel: Path, tmp_path: Path) -> Path:
    path = tmp_path / "kernel.iso"
    path.write_bytes(b"multiboot2 /boot/kernel " + ROOM + b"\nKERNEL=" + bytes(kernel) + b"\n")
    return path


@pytest.fixture
def run(kernel: Path, iso: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Has the harness run tests in a Bochs that plays a scenario; the status and the report."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(bochs, "SLOWNESS", 1.0)

    def play(scenario: str, *words: str) -> Dict[str, Any]:
        script = tmp_path / "bochs"
        script.write_text(f"#!{sys.executable} -S\nimport sys\n"
                          f"sys.path.insert(0, {str(HERE.parent)!r})\n"
                          f"sys.argv.insert(1, {scenario!r})\n"
                          "from tests.fake_bochs import main\nmain()\n")
        script.chmod(0o755)
        report = tmp_path / "report.json"
        status = cli.main(["--kernel", str(kernel), "--iso", str(iso), "--bochs", str(script),
                           "--allow-skip", "skips", "--json", str(report), *words])
        return {"status": status, **json.loads(report.read_text())}
    return play


def only(data: Dict[str, Any]) -> List[Any]:
    """The status, and cause and sentence of what is not well."""
    bad = [test for test in data["tests"] if test["verdict"] in ("fail", "error")]
    return [data["status"], *[(test["cause"], test["sentence"]) for test in bad[:1]]]


def test_an_honest_run_passes_and_says_what_nobody_saw(run: Run, capsys: Capture) -> None:
    """The triple faults among them are seen, each in a boot of its own."""
    data = run("honest")
    assert only(data) == [0] and data["counts"]["pass"] > 10 and data["boots"] > 1
    assert data["unchecked"] == ["exit status and process state"]
    assert "; not checked: exit status and process state" in capsys.readouterr().out


@pytest.mark.parametrize("scenario, status, cause", [
    ("a_check_fails", 1, "assertion"), ("wrong_nonce", 99, "wrong-nonce"),
    ("wrong_build_id", 99, "wrong-image"), ("triple_fault", 1, "triple-fault"),
    ("panic_ends_the_machine", 1, "exited")])
def test_what_bochs_shows_is_judged(scenario: str, status: int, cause: str, run: Run) -> None:
    found = only(run(scenario))
    assert found[0] == status and found[1][0] == cause


@pytest.mark.parametrize("scenario, cause", [
    ("wrong_totals", "wrong-totals"), ("cut_in_line", "truncated"), ("nonce_cut", "wrong-nonce"),
    ("line_behind_totals", "after-totals"), ("build_id_cut", "wrong-image"),
    ("crashes", "qemu-crashed"), ("killed", "killed")])
def test_a_stream_that_is_not_whole_is_not_believed(scenario: str, cause: str, run: Run) -> None:
    found = only(run(scenario, "--timeout", "1", "--test", "alpha.*"))
    assert found[0] == 99 and found[1][0] == cause, found


@pytest.mark.parametrize("scenario, words", [
    ("hang_in_test", "did not end"), ("hang_before_totals", "nothing came behind")])
def test_who_hangs_is_ended(scenario: str, words: str, run: Run, monkeypatch: pytest.MonkeyPatch
                            ) -> None:
    monkeypatch.setattr("judge.watch.GRACE_SECONDS", 0.1)
    monkeypatch.setattr("judge.watch.FIRMWARE_SECONDS", 1.0)
    monkeypatch.setattr("judge.watch.NMI_SECONDS", 0.05)
    found = only(run(scenario, "--timeout", "0.2", "--test", "alpha.*", "--test", "panics.*"))
    assert found[0] in (1, 99) and words in found[1][1]


def test_a_bochs_that_does_not_start(run: Run) -> None:
    assert only(run("refuses", "--test", "alpha.one")) == [
        99, ("qemu-not-started", "Bochs did not start: bochsrc:3: cpu: model is not one")]


def test_no_bochs(kernel: Path, iso: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["--kernel", str(kernel), "--iso", str(iso), "--bochs"]
    assert cli.main([*words, "/nonexistent/bochs"]) == 99
    assert "Bochs did not start: there is no program /nonexistent/bochs. harness/matrix.py" in \
        capsys.readouterr().err
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho a door\n")
    other.chmod(0o755)
    assert cli.main([*words, str(other)]) == 99
    assert "other is no Bochs" in capsys.readouterr().err


def test_an_image_without_room(kernel: Path, iso: Path, tmp_path: Path) -> None:
    to = tmp_path / "to.iso"
    for content in (b"", ROOM[:100], ROOM + b"\n" + ROOM):
        iso.write_bytes(content)
        with pytest.raises(Refusal, match="has no room for words to the kernel"):
            tell_by_image(iso, to, "a=b")
    iso.write_bytes(b"head " + ROOM + b"\ntail")
    for words in ("x" * 8190, "it's"):
        with pytest.raises(Refusal, match="there is room for 8191, and for no apostrophe"):
            tell_by_image(iso, to, words)
    assert not to.exists()


def test_only_the_room_is_written_to(iso: Path, tmp_path: Path) -> None:
    to = tmp_path / "to.iso"
    tell_by_image(iso, to, "ktest.nonce=1 irq=pic")
    old, new = iso.read_bytes(), to.read_bytes()
    words = b"'ktest.nonce=1' 'irq=pic' "
    assert new == old.replace(ROOM, words + ROOM[len(words):]) and len(new) == len(old)


def machine(**changes: Any) -> BochsMachine:
    return BochsMachine(Path("/k"), Path("/i"), "bochs", BootWay.GRUB, **changes)


def test_the_machine() -> None:
    text = machine(memory="1G").configuration(Path("/f")).splitlines()
    assert "megs: 1024" in text and "com2: enabled=1, mode=file, dev=/f/com2.out" in text
    assert "ata0-master: type=cdrom, path=/f/boot.iso, status=inserted" in text
    assert any(f"model={bochs.NEWEST_CPU}, " in line for line in text)
    assert machine().accelerator is Accel.BOCHS
    assert machine().offers(Needs.LOADER) & Needs.FULL_CPU
    old = machine(cpu="core2_penryn_t9600")
    assert not old.offers(Needs.FULL_CPU) & Needs.FULL_CPU and old.offers(Needs.VGA) & Needs.VGA
    assert "model=core2_penryn_t9600," in old.configuration(Path("/f"))


@pytest.mark.parametrize("words", [
    ["--qemu", "/q"], ["--qemu-arg=-s"], ["--accel", "kvm"], ["--machine", "q35"],
    ["--boot", "direct"], ["--boot", "uefi"], ["-x"], ["--gdb"], ["--attach", "/dev/x"],
    ["--exact"]])
def test_what_goes_with_qemu_only(words: List[str], capsys: Capture) -> None:
    assert cli.main(["--bochs", "/b", *words]) == 2
    assert "--bochs is another program than QEMU: it goes without " in capsys.readouterr().err
