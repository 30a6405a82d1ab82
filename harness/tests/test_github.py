# SPDX-License-Identifier: MIT
"""Annotations, job summary and log for GitHub Actions: no guest gets a word in between."""
from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import cli, github, report
from judge.card import Cards
from judge.elf import Image
from judge.evidence import Record, Result
from judge.model import ROOT, Cause, Difference, Finding, Interrupted, Scene, Test, Trouble, Verdict
from judge.protocol import CheckFailed, Note, Panic
from judge.summary import Summary, clean
from judge.terminal import Terminal

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

TEXT = st.lists(st.sampled_from([
    "::", "##[", "::error::", "::stop-commands::x", "::x::", "##[add-mask]", "]", "`", "```", "~~~",
    "\n", "\r", "\t", " ", "\u3000", "%0A", "%", ":", ",", "<script>", "</details>", "| a |", "#",
    "x", "\ud800"])).map("".join)


# --- What the runner makes of a log ---------------------------------------------------------------


class Command(NamedTuple):
    name: str
    properties: Dict[str, str]
    text: str


def unescape(text: str, *also: str) -> str:
    for character in ("\r", "\n", *also, "%"):
        text = text.replace(f"%{ord(character):02X}", character)
    return text


def parse(line: str) -> Optional[Command]:
    """What has the form of a command, in the one way or the other."""
    match = re.match(r"\s*::([^ :]+)(?: (.*?))?::(.*)", line)
    if match:
        pairs = [word.split("=", 1) for word in (match[2] or "").split(",") if "=" in word]
        return Command(match[1], {key: unescape(value, ":", ",") for key, value in pairs},
                       unescape(match[3]))
    match = re.search(r"##\[([^] ]+).*?\](.*)", line)
    return Command(match[1], {}, match[2]) if match else None


def commands(log: str) -> List[Command]:
    """Those that are obeyed."""
    found: List[Command] = []
    token: Optional[str] = None
    for line in log.splitlines():
        command = parse(line)
        if token is not None:
            token = None if command and command.name == token else token
        elif command and command.name == "stop-commands":
            token = command.text
        elif command:
            found.append(command)
    assert token is None, "the commands of later lines would be lost"
    return found


def test_the_runner_of_this_test() -> None:
    assert commands("::stop-commands::t\n::error::no\n::t::\n \t::error file=a,line=1::yes%0A%25\n"
                    "text ##[debug]this") == [
        Command("error", {"file": "a", "line": "1"}, "yes\n%"), Command("debug", {}, "this")]


# --- The log --------------------------------------------------------------------------------------


def failed(text: str = "x", name: str = "t", number: int = 1) -> Result:
    events = (CheckFailed("expect", text, 7, text, text, "==", text, text, text), Note(text),
              Panic(text, text, 7, text))
    finding = Finding(Cause.ASSERTION, text, (Difference(text, text, text),))
    return Result(Test("s", name, "ktest/check.c", 7), Verdict.FAIL, finding,
                  Record("s.t", events, False),
                  Scene(number, ("qemu", text), "/tmp/run", text, text))


def summary(*results: Result, text: str = "x") -> Summary:
    return Summary(results, len(results), 1, 0.5, remark=text, flaky=(text,))


def cards(image: Image) -> Cards:
    return Cards(image, True, ["harness/run.py"], [])


@given(text=TEXT)
def test_no_line_of_the_log_is_a_command(image: Image, text: str) -> None:
    """Even if nobody had stopped commands."""
    stream = io.StringIO()
    terminal = Terminal(stream, True, is_github=True)
    terminal.remark(text)
    terminal.progress([failed(text)])
    terminal.cards([failed(text)], cards(image))
    terminal.say(text)
    lines = stream.getvalue().splitlines()
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines)


def test_a_line_keeps_what_it_says() -> None:
    assert github.defuse("  ::error::x\na::b ##[c]") == "  : :error::x\na::b ## [c]"


def test_the_log_of_others_is_left_alone(image: Image) -> None:
    stream = io.StringIO()
    Terminal(stream).say("::error::x")
    assert stream.getvalue() == "::error::x\n"


# --- Annotations ----------------------------------------------------------------------------------


@given(text=TEXT)
def test_an_annotation_says_what_the_card_says(text: str) -> None:
    lines = list(github.annotation_lines([failed(text)]))
    assert commands("\n".join(lines)) == [Command(
        "error", {"file": "ktest/check.c", "line": "7", "title": "FAIL s.t"}, clean(text))]


def test_escapes_of_an_annotation() -> None:
    found = replace(failed("50%: a, b"), test=Test("s", "a,b:c%"))
    assert list(github.annotation_lines([found])) == [
        "::error title=FAIL s.a%2Cb%3Ac%25::50%25: a, b"]


def test_what_is_left_out_is_said() -> None:
    found = [failed(name=f"t{number}", number=number) for number in range(12)]
    lines = list(github.annotation_lines(found))
    assert len(lines) == 11 and lines[-1].startswith("::notice::2 more failures without")
    assert len(list(github.annotation_lines(found[:10]))) == 10


def test_a_boot_that_went_wrong_has_one_annotation_without_a_place() -> None:
    finding = Finding(Trouble.CHECKSUM, "the checksum differs")
    found = [replace(failed(name=name), finding=finding, record=None) for name in "abc"]
    assert list(github.annotation_lines(found)) == [
        "::error title=FAIL s.a and 2 others::the checksum differs"]


def check(file: str) -> CheckFailed:
    return CheckFailed("expect", file, 9, "", "", "", "", "", "")


@pytest.mark.parametrize("file, place", [
    ("ktest/check.c", ("ktest/check.c", 9)), (str(ROOT / "ktest/check.c"), ("ktest/check.c", 9)),
    ("ktest/../dev", ("dev", 9)), ("../etc/passwd", ("ktest/verdict.c", 7)),
    ("/etc/passwd", ("ktest/verdict.c", 7)), ("ktest/gone.c", ("ktest/verdict.c", 7)),
    ("ktest", ("ktest/verdict.c", 7)), ("a\0b", ("ktest/verdict.c", 7))])
def test_the_place_is_that_of_the_check(file: str, place: Tuple[str, int]) -> None:
    """A file of this project, and none that the guest makes up."""
    found = replace(failed(), test=Test("s", "t", "ktest/verdict.c", 7),
                    record=Record("s.t", (check(file),), True))
    assert github.place_of(found) == place


def test_the_place_is_that_of_a_panic_which_nobody_expected() -> None:
    record = Record("s.t", (Panic("", "ktest/call.c", 9, ""),), True)
    found = replace(failed(), record=record, finding=Finding(Cause.PANIC, "panic"))
    assert github.place_of(found) == ("ktest/call.c", 9)
    found = replace(found, finding=Finding(Cause.WRONG_PANIC, "another panic"))
    assert github.place_of(found) == ("ktest/check.c", 7)


def test_the_project_may_be_a_folder_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(ROOT.parent))
    assert github.place_of(replace(failed(), record=None)) == (f"{ROOT.name}/ktest/check.c", 7)
    monkeypatch.setenv("GITHUB_WORKSPACE", "/nonexistent")
    assert github.place_of(replace(failed(), record=None)) == ("ktest/check.c", 7)


def test_the_project_may_be_an_action_in_anothers_repository(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert github.place_of(replace(failed(), record=None)) == ("", 0)
    (tmp_path / "ktest").mkdir()
    (tmp_path / "ktest/check.c").touch()
    assert github.place_of(replace(failed(), record=None)) == ("ktest/check.c", 7)


# --- The job summary ------------------------------------------------------------------------------


def outside_of_fences(markdown: str) -> List[str]:
    """By the rules of CommonMark for fences."""
    outside: List[str] = []
    fence = ""
    for line in markdown.split("\n"):
        match = re.match(r" {0,3}(`{3,}|~{3,})([^`]*)$", line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
        elif match:
            fence = match[1]
        else:
            outside.append(line)
    assert not fence
    return outside


@given(text=TEXT)
def test_no_markdown_of_a_guest_in_the_summary(image: Image, text: str) -> None:
    found = github.job_summary(summary(failed(text), failed(text, "u", 2), text=text),
                               cards(image))
    lines = [line for line in outside_of_fences(found) if line]
    assert lines == [
        "### Faultline: 0 passed, 2 failed",
        "| passed | failed | in error | skipped | not run | boots | seconds |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 0 | 2 | 0 | 0 | 0 | 1 | 0.50 |"]


def test_the_summary_has_the_cards(image: Image) -> None:
    found = github.job_summary(summary(failed("it ````breaks")), cards(image))
    assert "\n`````text\nFAIL s.t: it ````breaks\n  test       ktest/check.c:7\n" in found
    assert "x is flaky: well in one round" in found
    interrupted = replace(summary(), is_complete=False, remark="")
    assert "The run was interrupted." in github.job_summary(interrupted, cards(image))


@pytest.mark.parametrize("room, left", [(1 << 20, 0), (60_000, 1), (600, 2)])
def test_the_summary_says_what_does_not_fit(image: Image, room: int, left: int) -> None:
    found = [failed(), failed("\u20ac" * 3_000, "big", 2)]
    text = github.job_summary(summary(*found), cards(image), room)
    assert len(text.encode("utf-8")) <= room
    assert (f"{left} more failure" in text) == bool(left)
    assert github.job_summary(summary(*found), cards(image), 100) == ""


def test_the_summary_of_this_step_may_have_begun(image: Image, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    assert report.append_job_summary(summary(), cards(image)) == ""
    assert file.read_text().startswith("before\n\n### Faultline")
    file.write_bytes(b"x" * (1 << 20))
    assert "is full" in report.append_job_summary(summary(), cards(image))
    assert file.stat().st_size == 1 << 20


# --- Runs -----------------------------------------------------------------------------------------


def test_a_run_for_github(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture,
                          monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    arguments = ["--kernel", str(kernel), "--qemu", fake_qemu("a_check_fails"), "--allow-skip",
                 "alpha.skips", "alpha.*", "--github"]
    assert cli.main(arguments) == 1
    out = capsys.readouterr().out
    found = commands(out)
    assert [each.name for each in found] == ["error"]
    assert found[0].properties["title"] == "FAIL alpha.one"
    assert found[0].text == "EXPECT n == 5: 4 against 5"
    token = out.splitlines()[0].rpartition("::")[2]
    assert re.fullmatch("[0-9a-f]{32}", token) and out.count(token) == 2
    assert "FAIL alpha.one: EXPECT n == 5" in file.read_text()
    assert cli.main([*arguments, "--json", "-"]) == 1
    captured = capsys.readouterr()
    assert len(commands(captured.err)) == 1 and not commands(captured.out)
    assert token not in captured.err, "it was made anew"


@pytest.mark.parametrize("path, words", [
    (None, "GITHUB_STEP_SUMMARY is not set"), ("/nonexistent/file", "No such file or directory")])
def test_a_summary_that_cannot_be_written_changes_no_verdict(
        kernel: Path, fake_qemu: FakeQemu, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
        path: Optional[str], words: str) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    if path:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", path)
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("honest"), "--github",
                     "alpha.one"]) == 0
    assert words in capsys.readouterr().out.splitlines()[-1]


def test_commands_work_again_behind_an_error(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                             capsys: Capture) -> None:
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("honest"), "--github", "--json",
                     str(tmp_path / "no" / "r"), "alpha.one"]) == 99
    assert commands(capsys.readouterr().out) == []


def test_an_interrupted_run_says_so(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                    capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(cli.Session, "_round", interrupt)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("honest"), "--github",
                     "alpha.one"]) == cli.INTERRUPTED
    assert commands(capsys.readouterr().out) == []
    assert "The run was interrupted." in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("arguments, words", [
    (["--github", "--tap"], "--tap is for Meson"), (["--github", "--list"], "boots nothing"),
    (["--github", "--bisect-order"], "it goes without --github")])
def test_what_does_not_go_together(arguments: List[str], words: str, capsys: Capture) -> None:
    assert cli.main(arguments) == 2
    assert words in capsys.readouterr().err
