# SPDX-License-Identifier: MIT
"""What the failure card makes of a fault, a hang and a death: where, why, and no more lines than
somebody will read."""
from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import List, Sequence

import pytest

from judge import cli
from judge.card import RUNNER, Cards
from judge.elf import Image
from judge.evidence import Record, Result
from judge.exceptions import describe_error, describe_trap, in_words
from judge.model import Cause, Encore, Finding, Frame, Refusal, Scene, Test, Trap, Trouble, Verdict
from judge.protocol import Backtrace, Console, Event, Fault, Hang, Note, Panic, Registers
from judge.reset import read_traps
from tests.conftest import address_of
from tests.test_report import Capture, FakeQemu, output

FAULT = Fault(13, 0, 0x1000, 8, 2, 0x2000, 16, 0, 0, "general protection fault #GP")
SPIN = Hang(500, 0x1000, 0x2000, 0x202)


def result(cause: Cause, *events: Event) -> Result:
    return Result(Test("suite", "name", "a.c", 7), Verdict.FAIL, Finding(cause, "it died"),
                  Record("suite.name", events, True), Scene(1))


def card(image: Image, found: Result, is_verbose: bool = False) -> List[str]:
    return list(Cards(image, is_verbose, ["harness/run.py"]).lines(found))


class Fakes(Cards):
    """With a backtrace that is made up."""

    def __init__(self, image: Image, frames: Sequence[Frame], is_verbose: bool = False) -> None:
        super().__init__(image, is_verbose, ["harness/run.py"])
        self._made_up = list(frames)

    def _frames(self, addresses: Sequence[int]) -> List[Frame]:
        return self._made_up


def backtrace(image: Image, *frames: Frame, is_verbose: bool = False) -> List[str]:
    lines = list(Fakes(image, frames, is_verbose).lines(
        result(Cause.REPORTED, FAULT, Backtrace((1,)))))
    return lines[lines.index("  backtrace") + 1:lines.index(
        "  repeat     harness/run.py --test suite.name")]


# --- Where it happened ----------------------------------------------------------------------------


def test_a_fault_has_its_place_and_its_source(image: Image) -> None:
    address = address_of(image, "recurse")
    lines = card(image, result(Cause.FAULT, replace(FAULT, rip=address), Backtrace((address,))))
    assert re.fullmatch(r"it died, by recurse\+0x0, harness/tests/sample.c:\d+", lines[0])
    at = lines.index("  backtrace")
    assert lines[at - 4] == lines[0].split("0x0, ")[1].join(["  ", ""])
    assert re.match(r"    > \d+ \| \{", lines[at - 2])


def test_a_hang_has_its_place(image: Image) -> None:
    lines = card(image, result(Cause.HANG, SPIN, Backtrace((address_of(image, "recurse"),))))
    assert lines[0].startswith("it died, at recurse+0x0, ")


def test_a_panic_has_its_own_place(image: Image) -> None:
    """Its backtrace begins in the function that panics, which is of no interest."""
    events = (Panic("no more frames", "harness/tests/sample.c", 1, "f"),
              Backtrace((address_of(image, "recurse"),)))
    lines = card(image, result(Cause.PANIC, *events))
    assert lines[0] == "it died"
    assert lines[2:5] == ["  panic      no more frames, in f at harness/tests/sample.c:1",
                          "  harness/tests/sample.c:1",
                          "    > 1 | // SPDX-License-Identifier: MIT"]


def test_a_panic_without_a_place(image: Image) -> None:
    lines = card(image, result(Cause.PANIC, Panic("#GP", "", 0, ""), Backtrace((0x10,))))
    assert lines[2:] == ["  panic      #GP", "  backtrace", "    0x10 in no function",
                         "  repeat     harness/run.py --test suite.name"]


def test_the_runner_s_frames_are_left_out(image: Image) -> None:
    frames = [Frame(1, "poke", 1, "kernel/a.c:3"), Frame(2, "invoke", 2, "ktest/runner.c:28"),
              Frame(3, RUNNER, 3), Frame(4, "main", 4, "kernel/main.c:1")]
    assert backtrace(image, *frames) == ["    poke+0x1, kernel/a.c:3",
                                         "    called by the test runner (3 more with -v)"]
    assert backtrace(image, *frames, is_verbose=True)[:4] == [
        "    poke+0x1, kernel/a.c:3", "    invoke+0x2, ktest/runner.c:28",
        f"    {RUNNER}+0x3, 0x3", "    main+0x4, kernel/main.c:1"]


def test_a_backtrace_of_the_runner_alone_is_shown(image: Image) -> None:
    assert backtrace(image, Frame(3, RUNNER, 3), Frame(4, "main", 4, "kernel/main.c:1")) == [
        f"    {RUNNER}+0x3, 0x3", "    main+0x4, kernel/main.c:1"]


def test_the_runner_s_source_is_not_the_culprit_s(image: Image) -> None:
    """Where the lines of the test itself are not known."""
    frames = [Frame(1, "poke", 1), Frame(3, RUNNER, 3), Frame(4, "main", 4, "ktest/ktest.h:1")]
    lines = list(Fakes(image, frames).lines(result(Cause.REPORTED, FAULT, Backtrace((1,)))))
    assert "  ktest/ktest.h:1" not in lines


def test_a_recursion_is_told_once(image: Image) -> None:
    inner, outer = Frame(1, "down", 1, "a.c:3"), Frame(2, "down", 9, "a.c:4")
    assert backtrace(image, inner, *[outer] * 30) == [
        "    down+0x1, a.c:3", "    down+0x9, a.c:4", "      and 29 more like it"]


def test_a_function_in_a_header_is_not_the_culprit(image: Image) -> None:
    places = ["ktest/ktest.h:1", "harness/tests/sample.c:2"]
    lines = list(Fakes(image, [Frame(1, "f", 1, place) for place in places]).lines(
        result(Cause.REPORTED, FAULT, Backtrace((1,)))))
    assert "  harness/tests/sample.c:2" in lines and "  ktest/ktest.h:1" not in lines


# --- What it was doing ----------------------------------------------------------------------------


@pytest.mark.parametrize("code, rflags, words", [
    (b"\xf4", 0x202, "it waits for an interrupt, and none has ended the wait"),
    (b"\xf4", 0x002, "the CPU was halted with interrupts off: none can ever wake it"),
    (b"\x90", 0x202, "it ran all the time: a loop that does not end"),
    (b"\x90", 0x002, "and that no interrupt handler can end")])
def test_what_a_hang_was_doing(image: Image, code: bytes, rflags: int, words: str,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    asked: List[int] = []

    def memory(address: int, size: int) -> bytes:
        asked.append(address)
        return code

    monkeypatch.setattr(image, "memory", memory)
    lines = card(image, result(Cause.HANG, replace(SPIN, rflags=rflags)))
    assert lines[2].endswith(words) and asked == [SPIN.rip - 1]
    assert lines[3].endswith(f"interrupts {'on' if rflags & 0x200 else 'off'}")


def test_a_hang_where_there_is_no_code(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def memory(address: int, size: int) -> bytes:
        raise Refusal("nothing there")

    monkeypatch.setattr(image, "memory", memory)
    assert "a loop that does not end" in card(image, result(Cause.HANG, SPIN))[2]


def test_a_note_brings_the_lines_of_its_addresses(image: Image) -> None:
    address = address_of(image, "recurse") + 1
    lines = card(image, result(Cause.REPORTED, Note(f"lock log, taken in f at 0x{address:016x}"),
                               Note("held by 0x12 and 0x0000000000000000")))
    assert lines[2] == f"  note       lock log, taken in f at 0x{address:016x}"
    assert lines[3].startswith("             recurse+0x1, harness/tests/sample.c:")
    assert lines[5].startswith("    > ") and lines[7].startswith("  note       held by")
    assert lines[8].startswith("  repeat")


def test_what_the_test_printed(image: Image) -> None:
    lines = card(image, result(Cause.REPORTED, Console("info  mm: 3 frames"), Console("")))
    assert lines[2:4] == ["  console    info  mm: 3 frames", "  console    "]


# --- Exceptions in words --------------------------------------------------------------------------


@pytest.mark.parametrize("vector, error, words", [
    (13, 0x62, "0x62, for gate 12 of the IDT (6 where QEMU is older than 10.0)"),
    (13, 0x72, "0x72, for gate 14 of the IDT (7 where QEMU is older than 10.0)"),
    (13, 0x6b, "0x6b, for gate 13 of the IDT, while an event from outside was delivered"),
    (10, 0x28, "0x28, for the selector 0x28 of the GDT"),
    (11, 0x2c, "0x2c, for the selector 0x28 of the LDT"),
    (12, 0x11, "0x11, for the selector 0x10 of the GDT, while an event from outside was delivered"),
    (13, 0, "0x0"), (8, 0, "0x0"), (17, 0, "0x0"), (21, 3, "0x3")])
def test_an_error_code_that_names_a_descriptor(vector: int, error: int, words: str) -> None:
    assert describe_error(vector, error) == words


def test_only_some_exceptions_have_an_error_code() -> None:
    with_code = [vector for vector in range(32) if "error code" in describe_trap(Trap(vector, 0))]
    assert with_code == [8, 10, 11, 12, 13, 14, 17, 21]


def test_the_vector_is_named_even_if_the_kernel_does_not() -> None:
    assert in_words(FAULT) == "general protection fault #GP"
    assert in_words(replace(FAULT, words="boom")) == "#GP (general protection fault): boom"
    assert in_words(replace(FAULT, vector=99, words="")) == "vector 99 (unknown exception): "


def test_the_register_that_holds_no_address_is_named(image: Image) -> None:
    registers = Registers({"rax": 0x5a5a << 48, "rbx": 0xffff800000000000, "rcx": 0x7fffffffffff,
                           "rdx": 0x800000000000})
    lines = card(image, result(Cause.FAULT, FAULT, registers))
    assert lines[5] == "             not canonical: rax 0x5a5a000000000000, rdx 0x800000000000"
    for other in (replace(FAULT, error=0x10), replace(FAULT, vector=6)):
        assert "canonical:" not in "\n".join(card(image, result(Cause.FAULT, other, registers)))


def test_a_page_fault_names_the_variable_that_it_hit(image: Image) -> None:
    address = address_of(image, "guard_page")
    hit = replace(FAULT, vector=14, cr2=address + 8)
    assert card(image, result(Cause.FAULT, hit))[2].endswith(f"{address + 8:x} (guard_page+0x8)")
    assert card(image, result(Cause.FAULT, replace(hit, cr2=8)))[2].endswith("address 0x8")
    assert "guard_page" not in card(image, result(Cause.FAULT, replace(hit, vector=13)))[2]


def test_a_fault_has_its_usual_cause_where_nothing_else_is_known(image: Image) -> None:
    lines = card(image, result(Cause.FAULT, FAULT))
    assert lines[3].startswith("             usually an address that is not canonical")
    told = replace(FAULT, words="general protection fault #GP: write to CR4")
    assert card(image, result(Cause.FAULT, told))[3].endswith("#GP: write to CR4")


# --- Deaths without a test ------------------------------------------------------------------------


def test_a_boot_that_dies_early_is_run_again(kernel: Path, fake_qemu: FakeQemu, capsys: Capture
                                             ) -> None:
    """It resets without a word, and QEMU's log of exceptions says why."""
    status, text = output(kernel, fake_qemu("triple_fault_at_boot"), capsys, "alpha.*")
    assert status == cli.BROKEN
    assert text.count("exceptions, as QEMU saw them when it ran once more\n") == 1
    assert re.search(r"\n    #PF .*, at poke\+0x4, .*\n    #DF .*\n    #NP .*delivered\n", text)
    assert text.splitlines()[-1].endswith(" 1 boot")


def test_the_exceptions_bring_their_source(image: Image) -> None:
    trap = Trap(6, address_of(image, "poke"))
    scene = Scene(1, encore=Encore(True, (trap,)))
    found = Result(Test("s", "t"), Verdict.ERROR, Finding(Trouble.DIED_EARLY, "it died"),
                   scene=scene)
    lines = card(image, found)
    assert lines[2].startswith("    #UD (invalid opcode), at poke+0x0, harness/tests/sample.c:")
    assert re.match(r"    > \d+ \| ", lines[5])


TRAP_LINE = ("     0: v={:02x} e=0000 i=0 cpl=0 IP=0008:{:016x} pc=ffffffff80115000 "
             "SP=0000:0000000000115000 env->regs[R_EAX]=0000000000000000\n")


def test_the_registers_of_the_dead_are_for_the_verbose(image: Image) -> None:
    scene = Scene(1, encore=Encore(True, registers="\r\nRAX=1 \r\nRIP=2\r\nXMM00=3"))
    found = Result(Test("s", "t"), Verdict.ERROR, Finding(Trouble.DIED_EARLY, "it died"),
                   scene=scene)
    assert card(image, found, is_verbose=True)[1:4] == [
        "  registers when it died", "    | RAX=1", "    | RIP=2"]
    assert "RAX=1" not in "\n".join(card(image, found))


def test_only_what_belongs_to_the_end_is_shown() -> None:
    """An exception that had its handler was at another instruction. One of a kind that does not
    count towards a double fault may have begun it all."""
    at = 0xffffffff80115000
    log = (TRAP_LINE.format(14, at - 8) + TRAP_LINE.format(6, at) + TRAP_LINE.format(14, at)
           + TRAP_LINE.format(8, at) + "check_exception old: 0x8 new 0xe\nTriple fault\n")
    assert [(trap.vector, trap.is_delivered) for trap in read_traps(log)] == [
        (6, True), (14, True), (8, True), (14, False)]
