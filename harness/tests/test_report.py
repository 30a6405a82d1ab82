# SPDX-License-Identifier: MIT
"""Reports that other programs read, whatever the guest prints; and the card that people read."""
from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Callable, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import cli, report, watch
from judge.card import Cards
from judge.data import run_data
from judge.elf import Image
from judge.evidence import Record, Result
from judge.junit import junit_text
from judge.model import Cause, Encore, Finding, Scene, Test, Verdict
from judge.protocol import Armed, Note, Param
from judge.reset import read_traps
from judge.summary import Summary, clean
from judge.terminal import Terminal, wants_color
from tests.proves import proves

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]


def result(sentence: str, verdict: Verdict = Verdict.FAIL, console: str = "") -> Result:
    finding = Finding(Cause.REPORTED, sentence) if verdict is not Verdict.PASS else None
    return Result(Test("suite", "name", "a.c", 7), verdict, finding, None,
                  Scene(1, ("qemu",), "/tmp/run", console))


def summary(*results: Result) -> Summary:
    return Summary(results, len(results), 1, 0.5)


def cards(image: Image) -> Cards:
    return Cards(image, True, ["harness/run.py"], [])


@given(text=st.text())
def test_no_control_character_reaches_the_terminal(image: Image, text: str) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, is_verbose=True)
    terminal.progress([result(text)])
    terminal.cards([result(text, console=text)], cards(image))
    assert all(each.isprintable() or each == "\n" for each in stream.getvalue())
    assert stream.getvalue().count("\n") < 30 + text.count("\n") + len(text.splitlines())


def test_a_line_without_end_is_cut_off() -> None:
    """A kernel may fill megabytes of its console without a line break."""
    line = clean("x" * 100_000)
    assert len(line) == 4000 and line.endswith("x...") and clean(line) == line
    assert len(clean("\0" * 100_000)) == 4000 and clean("x" * 4000) == "x" * 4000


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream, variables, has_color", [
    (Tty(), "", True), (io.StringIO(), "", False), (Tty(), "NO_COLOR=1", False),
    (Tty(), "NO_COLOR=", True), (Tty(), "CI=1", False), (Tty(), "TERM=dumb", False),
    (io.StringIO(), "FORCE_COLOR=1", True), (Tty(), "FORCE_COLOR=1 TERM=dumb CI=1", True),
    (Tty(), "FORCE_COLOR=1 NO_COLOR=1", False)])
def test_color(stream: io.StringIO, variables: str, has_color: bool,
               monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, variables)
    assert wants_color(stream) is has_color


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: str) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, _, value in (word.partition("=") for word in variables.split()):
        monkeypatch.setenv(name, value)


def test_what_is_colored(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict words and the headline of a card, whose text can't bring escapes of its own."""
    set_environment(monkeypatch, "")
    stream = Tty()
    terminal = Terminal(stream, is_verbose=True)
    terminal.progress([result("", Verdict.PASS)])
    terminal.cards([result("it \x1b[5mblinks")], cards(image))
    terminal.end(summary(result("x")))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "suite.name... \x1b[32mpass\x1b[0m"
    assert lines[2] == ("\x1b[31mFAIL suite.name\x1b[0m: \x1b[1mit \\x1b[5mblinks\x1b[0m")
    assert not any("\x1b" in line for line in lines[3:-1]) and "\x1b[31m0 passed" in lines[-1]


def progress(stream: io.StringIO, verdicts: List[Verdict]) -> List[str]:
    terminal = Terminal(stream)
    terminal.expect(250)
    terminal.progress([result("", verdict) for verdict in verdicts])
    terminal.benches([])
    return stream.getvalue().splitlines()


def test_a_terminal_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, "NO_COLOR=1 COLUMNS=40")
    lines = progress(Tty(), [Verdict.PASS] * 40)
    assert lines == ["." * 30 + " [ 30/250]", "." * 10 + " " * 20 + " [ 40/250]"]
    set_environment(monkeypatch, "NO_COLOR=1 COLUMNS=1000")
    assert progress(Tty(), [Verdict.PASS] * 101)[0] == "." * 100 + " [100/250]"
    set_environment(monkeypatch, "NO_COLOR=1 COLUMNS=5")
    assert progress(Tty(), [Verdict.PASS] * 2) == [". [  1/250]", ". [  2/250]"]


@pytest.mark.parametrize("stream, variables", [
    (io.StringIO(), "COLUMNS=40"), (Tty(), "TERM=dumb COLUMNS=40")])
def test_a_pipe_gets_nothing_but_letters(stream: io.StringIO, variables: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, variables)
    assert progress(stream, list(Verdict) * 26) == [".sFE" * 25, ".sFE"]


def test_reports_have_no_color(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, "FORCE_COLOR=1")
    whole = summary(result("x"))
    texts = [junit_text(whole, cards(image)), str(run_data(whole)),
             *report.tap_lines(whole.results, cards(image))]
    assert not any("\x1b" in text for text in texts)


def output(kernel: Path, qemu: str, capsys: Capture, *arguments: str) -> Tuple[int, str]:
    status = cli.main(["--kernel", str(kernel), "--qemu", qemu, "--allow-skip", "alpha.skips",
                       *arguments])
    return status, capsys.readouterr().out


@proves("4.1.5", "4.1.6")
def test_the_card_of_an_assertion(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    status, text = output(kernel, fake_qemu("a_check_fails"), capsys, "alpha.*")
    assert status == 1
    assert "FAIL alpha.one: EXPECT n == 5: 4 against 5\n" in text
    assert "kernel/lib/format_test.c:88" in text
    assert re.search(r"repeat +harness/run\.py .*--test alpha\.one\n", text)
    assert text.splitlines()[-1].startswith("1 passed, 1 failed, 1 skipped in ")


def test_the_card_of_a_triple_fault(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    status, text = output(kernel, fake_qemu("triple_fault"), capsys, "stack_overflow")
    assert status == 1
    assert "FAIL faults.stack_overflow: triple fault" in text
    assert re.search(r"expected #DF \(double fault\).* in recurse\n +actual triple fault\n", text)
    assert "    | Hello World!\n" in text


def test_the_exceptions_behind_a_triple_fault(kernel: Path, fake_qemu: FakeQemu, capsys: Capture
                                              ) -> None:
    _, text = output(kernel, fake_qemu("triple_fault"), capsys, "stack_overflow")
    assert re.search(
        r"  exceptions, as QEMU saw them when it ran once more\n"
        r"    #PF \(page fault\), error code 0x2, write by the kernel of a page that is not "
        r"present, address 0xffffffffc0000000, at recurse\+0x4, .*sample\.c:\d+\n"
        r"    #DF \(double fault\), error code 0x0, at recurse\+0x4, .*\n"
        r"    #NP \(segment not present\), while that one was to be delivered\n", text)
    assert text.splitlines()[-1].endswith(" 1 boot")


def test_a_test_that_does_not_die_alone(image: Image) -> None:
    found = replace(result("x"), scene=Scene(1, encore=Encore(has_died=False)))
    assert "did not die so when it ran again, alone" in "\n".join(cards(image).lines(found))


def test_no_trap_is_made_up() -> None:
    assert read_traps("") == () == read_traps("Triple fault\n")
    assert read_traps("check_exception old: 0x8 new 0xb\nTriple fault\n") == ()


def test_the_card_of_a_fault(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    _, text = output(kernel, fake_qemu("pass_in_wrong_function"), capsys, "-v", "stack_overflow")
    assert re.search(r"expected recurse\n +actual _start \(0x", text)
    assert re.search(r"backtrace\n    _start\+0x[0-9a-f]+, .*sample\.c:\d+\n", text)
    assert "rax=0" in text and "#DF (double fault), error code 0x0" in text


def test_the_card_of_a_hang(kernel: Path, fake_qemu: FakeQemu, capsys: Capture,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(watch, "NMI_SECONDS", 0.1)
    _, text = output(kernel, fake_qemu("hang_in_test"), capsys, "--timeout", "0.4", "as_declared")
    assert re.search(r"stuck at +poke\+0x4", text)
    assert text.count("  harness    an NMI was injected, for it did not end\n") == 3


def test_the_card_of_a_hang_that_the_kernel_ended(kernel: Path, fake_qemu: FakeQemu,
                                                  capsys: Capture) -> None:
    _, text = output(kernel, fake_qemu("undeclared_hang"), capsys, "alpha.one")
    assert re.search(r" +at 0x1234, rsp 0x1000, interrupts off\n +backtrace\n", text)


def test_what_a_test_says_besides_is_on_its_card(image: Image) -> None:
    events = (Param("n = 3"), Armed("a.c", 7), Note("a lock was lost"))
    found = replace(result("x"), record=Record("s.t", events, True), restart="a stack is lost")
    lines = list(cards(image).lines(found))
    assert lines[2:6] == ["  parameter  n = 3", "  armed      a.c:7",
                          "  note       a lock was lost", "  restart    a stack is lost"]


def test_one_card_for_a_boot(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    _, text = output(kernel, fake_qemu("wrong_nonce"), capsys, "alpha.*", "faults.*")
    assert text.count("the nonce differs") == 1
    assert "ERROR alpha.one and 4 others: " in text
    assert re.search(r"repeat +harness/run\.py .*--test 'alpha\.\*' --test 'faults\.\*'\n", text)


def test_one_card_for_all_that_never_ran(image: Image) -> None:
    stream = io.StringIO()
    found = [replace(result("not run"), scene=None, test=Test("s", name)) for name in "abc"]
    Terminal(stream).cards(found, cards(image))
    assert stream.getvalue().startswith("\nFAIL s.a and 2 others: not run\n")
    assert stream.getvalue().count("not run") == 1


def test_verbose_names_every_test(kernel: Path, fake_qemu: FakeQemu, capsys: Capture) -> None:
    _, text = output(kernel, fake_qemu("honest"), capsys, "-v", "alpha.*")
    assert text.splitlines()[:4] == [
        f"Running 3 tests of {cli._short(kernel)} (direct boot, tcg)", "alpha.one... pass",
        "alpha.skips... skip (for a reason)", "alpha.two... pass"]


def test_verbose_says_how_a_declared_end_came(kernel: Path, fake_qemu: FakeQemu,
                                              capsys: Capture) -> None:
    _, text = output(kernel, fake_qemu("honest"), capsys, "-v", "stack_overflow", "panics.*")
    assert re.search(r"stack_overflow\.\.\. pass \(.+, on interrupt stack 1\)\n", text)
    assert re.search(r"panics\.\w+\.\.\. pass \(panic: .+\)\n", text)
