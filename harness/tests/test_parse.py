# SPDX-License-Identifier: MIT
"""Streams that others have recorded: judged as in QEMU, but for what a log can't tell."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import pytest

from judge import cli, foreign, options, runner
from judge.elf import Image
from judge.evidence import Ending, Evidence, Judgement, Unseen
from judge.judge import judge
from judge.model import Test
from judge.protocol import Parser
from judge.sieve import Sieve
from tests import stream

Capture = pytest.CaptureFixture[str]
GLOBS = ["--test", "alpha.*", "--test", "panics.*"]
FOLLOWED_BY = "; not checked: nonce, exit status and process state, orders, time"


@pytest.fixture
def chosen(rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    return [row for row in rows if row["suite"] in ("alpha", "panics")]


@pytest.fixture
def lines(chosen: List[Dict[str, Any]], image: Image) -> List[str]:
    return stream.good_lines(chosen, len(image.tests), "n", image.build_id)


def parse(kernel: Path, log: object, *arguments: str) -> int:
    return cli.main(["parse", str(log), "--kernel", str(kernel), "--allow-skip", "alpha.skips",
                     *arguments])


def judged(kernel: Path, folder: Path, data: bytes, *arguments: str) -> Tuple[int, Any]:
    (folder / "a.log").write_bytes(data)
    status = parse(kernel, folder / "a.log", *GLOBS, "--json", str(folder / "r.json"), *arguments)
    return status, json.loads((folder / "r.json").read_text())


def test_an_honest_log_passes_and_says_what_nobody_saw(kernel: Path, lines: List[str],
                                                       tmp_path: Path, capsys: Capture) -> None:
    status, report = judged(kernel, tmp_path, stream.to_bytes(stream.sealed(lines)))
    assert status == 0
    assert report["unchecked"] == ["nonce", "exit status and process state", "orders", "time"]
    assert capsys.readouterr().out.rstrip().endswith(FOLLOWED_BY)
    assert report["counts"] == {"pass": 3, "skip": 1, "fail": 0, "error": 0}


def test_a_nonce_is_checked_if_it_is_known(kernel: Path, lines: List[str], tmp_path: Path) -> None:
    data = stream.to_bytes(stream.sealed(lines))
    status, report = judged(kernel, tmp_path, data, "--nonce", "n")
    assert status == 0 and "nonce" not in report["unchecked"]
    status, report = judged(kernel, tmp_path, data, "--told", "quiet ktest.nonce=other")
    assert (status, report["tests"][0]["cause"]) == (99, "wrong-nonce")


def test_a_failure_is_a_failure(kernel: Path, lines: List[str], tmp_path: Path, capsys: Capture
                                ) -> None:
    at = next(index for index, line in enumerate(lines) if "end test=alpha.one" in line)
    lines[at] = lines[at].replace("verdict=pass", "verdict=fail").replace(
        "reason=", "reason=1%20of%203%20checks%20failed")
    lines.insert(at, stream.CHECK)
    lines = [{"    ok 1 one": "    not ok 1 one", "ok 1 alpha": "not ok 1 alpha"}.get(line, line)
             for line in lines]
    status, report = judged(kernel, tmp_path, stream.to_bytes(stream.sealed(lines)))
    assert (status, report["tests"][0]["verdict"]) == (1, "fail")
    text = capsys.readouterr().out
    assert "FAIL alpha.one: EXPECT n == 5: 4 against 5" in text
    assert f"repeat     harness/run.py --kernel {kernel} --test alpha.one" in text


# --- What comes before, and how lines end ---------------------------------------------------------


@pytest.mark.parametrize("noise", [
    b"SeaBIOS (version 1.16)\r\nBooting from ROM..\r\n", b"\0\xff\xfe", b"ok 1 - not ours\n" * 99,
    b"x" * 10_000 + b"\n", b"KTAP version 1 is what comes next\n",
    b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe: starting Boot0001\r\n\r\x1b[0m\x1b[37m\x1b[40m"])
def test_noise_before_the_stream_is_none_of_it(noise: bytes, kernel: Path, lines: List[str],
                                               tmp_path: Path) -> None:
    data = noise + stream.to_bytes(stream.sealed(lines))
    assert judged(kernel, tmp_path, data)[0] == 0


def test_lines_may_end_as_terminals_write_them(kernel: Path, lines: List[str], tmp_path: Path
                                               ) -> None:
    data = stream.to_bytes(stream.sealed(lines)).replace(b"\n", b"\r\n")
    assert judged(kernel, tmp_path, data)[0] == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_the_sieve_takes_pieces_of_any_size(ending: bytes, size: int) -> None:
    text = b"KTAP version 1\n    KTAP version 1\nKTAP version 1\n"
    data = b"GRUB loading.\n\xffmore" * 9 + b"\x1b[01;01H" + text.replace(b"\n", ending)
    sieve = Sieve()
    pieces = [sieve.sift(data[at:at + size])[1] for at in range(0, len(data), size)]
    assert b"".join(pieces) == text


@pytest.mark.parametrize("noise", [
    b"xKTAP version 1\n", b"    KTAP version 1\n", b"KTAP version 11\n", b"KTAP version 1",
    b"a #:ktest_begin test=alpha.one\n"])
def test_what_only_looks_like_a_beginning_is_none(noise: bytes) -> None:
    assert Sieve().sift(noise) == (noise, b"")


# --- Lies -----------------------------------------------------------------------------------------

Bend = Callable[[List[str]], bytes]


def sealed(lines: Sequence[str]) -> bytes:
    return stream.to_bytes(stream.sealed(lines))


def replaced(old: str, new: str) -> Bend:
    def bend(lines: List[str]) -> bytes:
        found = [line.replace(old, new, 1) for line in lines]
        assert found != lines
        return sealed(found)
    return bend


def cut_behind(text: str, bytes_more: int = 0) -> Bend:
    def bend(lines: List[str]) -> bytes:
        whole = sealed(lines)
        end = whole.index(b"\n", whole.index(text.encode())) + 1
        return whole[:end + bytes_more]
    return bend


LIES: Dict[str, Tuple[Bend, str, str]] = {
    "empty": (lambda lines: b"", "kernel-never-began", "is empty"),
    "binary": (lambda lines: bytes(range(256)) * 40, "kernel-never-began", "no run begins"),
    "another's text": (lambda lines: b"[    0.0] Linux\n", "kernel-never-began", "no run begins"),
    "only the head": (cut_behind("1..2"), "truncated", "before the first test"),
    "cut within a test": (cut_behind("begin test=alpha.one"), "truncated", "within alpha.one"),
    "cut behind a test": (cut_behind("ok 1 one"), "truncated", "behind alpha.one"),
    "cut in a line": (cut_behind("ok 1 one", 9), "truncated", "in the middle of a line"),
    "without totals": (lambda lines: stream.to_bytes(lines), "truncated", "without totals"),
    "without a beginning": (lambda lines: sealed(lines)[40:], "disorder", "KTAP version 1"),
    "lost first lines": (lambda lines: sealed(lines[3:]), "disorder", "KTAP version 1"),
    "another kernel": (replaced("build_id=", "build_id=0"), "wrong-image", "build id"),
    "another registry": (replaced(" tests=", " tests=1"), "wrong-registry", "number of tests"),
    "another selection": (replaced("selected=4", "selected=5"), "wrong-selection", "--told"),
    "another order": (replaced("seed=none", "seed=3"), "wrong-seed", "--told"),
    "a second boot": (lambda lines: stream.to_bytes(lines[:9]) + sealed(lines), "second-header",
                      "a second time"),
    "two runs": (lambda lines: sealed(lines) * 2, "after-totals", "behind the end"),
    "more behind it": (lambda lines: sealed(lines) + b"# root@", "after-totals", "behind the"),
    "noise within": (replaced("    ok 1 one", "[ 1.0] usb\n    ok 1 one"), "garbage", "expected"),
    "a changed byte": (lambda lines: sealed(lines).replace(b"cycles=1200", b"cycles=1201", 1),
                       "checksum", "checksum"),
    "a lost line": (lambda lines: sealed(lines).replace(
        stream.armed_line().encode() + b"\n", b"", 1), "line-count", "arrived"),
    "carriage returns": (lambda lines: sealed(lines).replace(b"one\n", b"one\r\n", 1),
                         "control-character", "0x0d"),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_of_a_log_has_its_own_name(lie: str, kernel: Path, lines: List[str],
                                             tmp_path: Path, capsys: Capture) -> None:
    bend, cause, words = LIES[lie]
    status, report = judged(kernel, tmp_path, bend(lines))
    assert (status, report["tests"][0]["cause"]) == (99, cause)
    assert words in report["tests"][0]["sentence"]
    assert all(test["verdict"] == "error" for test in report["tests"])
    assert "ERROR" in capsys.readouterr().out


@pytest.mark.parametrize("inside, word", [
    ("#:ktest_order text=stop known=yes", "stop"),
    ("#:ktest_restart reason=a%20lock%20is%20lost", "restart")])
def test_a_run_that_left_tests_out_is_no_success(inside: str, word: str, kernel: Path,
                                                 lines: List[str], tmp_path: Path) -> None:
    """Nobody knows who has ordered it, and there is no other boot for the rest."""
    at = lines.index("ok 1 alpha")
    status, report = judged(kernel, tmp_path, stream.to_bytes(
        stream.sealed([*lines[:at + 1], inside], stopped=1)))
    assert status == 1
    assert [test["cause"] for test in report["tests"]][-1:] == ["not-run"]


# --- What is known of a log in a run's folder -----------------------------------------------------


def test_the_command_beside_a_log_tells_what_the_kernel_was_told(
        kernel: Path, image: Image, rows: List[Dict[str, Any]], tmp_path: Path) -> None:
    row = [row for row in rows if row["suite"] == "panics"]
    lines = stream.good_lines(stream.shuffled(row, 3), len(image.tests), "k9", image.build_id, "3")
    log = tmp_path / "protocol.log"
    log.write_bytes(sealed(lines))
    (tmp_path / "command").write_text(
        "qemu -fw_cfg 'name=opt/faultline/ktest,string=ktest.nonce=k9 ktest.seed=3 "
        "ktest.select=panics.*,,as_declared'\n")
    report = tmp_path / "r.json"
    assert parse(kernel, log, "--json", str(report)) == 0
    assert "nonce" not in json.loads(report.read_text())["unchecked"]
    log.write_bytes(log.read_bytes().replace(b"nonce=k9", b"nonce=k8"))
    assert parse(kernel, log, "--json", str(report)) == 99


def test_what_the_machine_had_decides_what_had_to_run(kernel: Path, image: Image, tmp_path: Path,
                                                      rows: List[Dict[str, Any]]) -> None:
    screen = [row for row in rows if row["suite"] == "screen"]
    log = tmp_path / "a.log"
    log.write_bytes(sealed(stream.good_lines(screen, len(image.tests), "n", image.build_id)))
    assert parse(kernel, log, "screen.*", "--told", "ktest.have=vga") == 0
    assert parse(kernel, log, "screen.*") == 1, "without a VGA it has to be skipped"


@pytest.mark.parametrize("words", ["ktest.have=wings", "ktest.machine=z80", "ktest.seed=x",
                                   "ktest.fail_nth=some", "ktest.fail_nth=0"])
def test_what_no_kernel_can_be_told(words: str, kernel: Path, tmp_path: Path, capsys: Capture
                                    ) -> None:
    assert parse(kernel, tmp_path / "log", "--told", words) == options.USAGE
    assert words in capsys.readouterr().err


# --- The command ----------------------------------------------------------------------------------


def test_the_standard_input(kernel: Path, lines: List[str], tmp_path: Path, capsys: Capture,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(sealed(lines))
    with open(log, "rb") as file:
        monkeypatch.setattr(foreign, "STANDARD_INPUT", file.fileno())
        assert parse(kernel, "-", *GLOBS, "--tap") == 0
    text = capsys.readouterr().out
    assert "# not checked: nonce" in text and "ok 1 - alpha.one" in text


def test_logs_that_cannot_be_read(kernel: Path, tmp_path: Path, capsys: Capture,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(kernel, tmp_path / "none") == 99
    assert parse(kernel, tmp_path) == 99
    monkeypatch.setattr(foreign, "LOG_BYTES", 1 << 20)
    (tmp_path / "huge").write_bytes(b"x" * ((1 << 20) + 1))
    assert parse(kernel, tmp_path / "huge") == 99
    error = capsys.readouterr().err
    assert "No such file" in error and "Is a directory" in error and "more than 1 MiB" in error
    assert error.count("\n") == 3


@pytest.mark.parametrize("arguments, words", [
    (["parse"], "Behind parse stands a file"),
    (["parse", "--tap"], "Behind parse stands a file"),
    (["parse", "x", "--list"], "goes without --list"),
    (["parse", "x", "--repeat", "2"], "goes without --repeat"),
    (["parse", "x", "-x"], "goes without -x"),
    (["parse", "x", "--attach", "y"], "one of them"),
    (["parse", "x", "--shuffle"], "without a seed"),
    (["--nonce", "n"], "--nonce is for a kernel that the harness does not boot"),
    (["--told", "ktest.nonce=n"], "--told is for a kernel"),
    (["--attach", "x", "--boot", "grub"], "--attach boots nothing"),
    (["parse", "x", "--boot", "uefi"], "goes without --boot uefi")])
def test_wrong_usage_is_a_sentence(arguments: List[str], words: str, capsys: Capture) -> None:
    assert cli.main(arguments) == options.USAGE
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_log_of_another_day_is_not_what_failed_last(kernel: Path, tmp_path: Path) -> None:
    memory = kernel.parent / ".last-failed.json"
    before = memory.read_text() if memory.exists() else None
    assert judged(kernel, tmp_path, b"")[0] == 99
    assert (memory.read_text() if memory.exists() else None) == before


# --- QEMU's runs are seen whole -------------------------------------------------------------------


def test_nothing_of_a_run_in_qemu_is_unseen(kernel: Path, fake_qemu: Callable[[str], str],
                                            monkeypatch: pytest.MonkeyPatch, capsys: Capture
                                            ) -> None:
    """Whatever the guest says of itself."""
    seen: List[Evidence] = []

    def keep(evidence: Evidence) -> Judgement:
        seen.append(evidence)
        return judge(evidence)

    monkeypatch.setattr(runner, "judge", keep)
    command = ["--kernel", str(kernel), "--allow-skip", "skips", "alpha.*", "--qemu"]
    assert cli.main([*command, fake_qemu("honest")]) == 0
    assert cli.main([*command, fake_qemu("wrong_nonce")]) == 99
    assert [evidence.unseen for evidence in seen] == [(), ()]
    assert "not checked" not in capsys.readouterr().out


@pytest.mark.parametrize("unseen", Unseen)
def test_only_what_is_unseen_is_let_pass(unseen: Unseen, image: Image) -> None:
    """Each lie passes where nobody can see it, and nowhere else."""
    row = {"suite": "s", "test": "t", "name": "s.t", "outcome": "pass"}
    lines = stream.good_lines([row], 1, "n", "b")
    if unseen is Unseen.ORDERS:
        lines.append("#:ktest_order text=what known=no")
    events = tuple(Parser().feed(stream.to_bytes(stream.sealed(lines))))
    evidence = Evidence((Test("s", "t"),), 1, "b", "n", events, Ending(33), lambda _: frozenset(),
                        has_spoken=True)
    if unseen is Unseen.NONCE:
        evidence = replace(evidence, nonce="other")
    elif unseen is Unseen.END:
        evidence = replace(evidence, ending=Ending(35))
    others = tuple(each for each in Unseen if each is not unseen)
    troubles = [judge(replace(evidence, unseen=some)).trouble for some in ((), (unseen,), others)]
    is_judged = unseen in (Unseen.NONCE, Unseen.END, Unseen.ORDERS)
    assert [bool(trouble) for trouble in troubles] == [is_judged, False, is_judged]
