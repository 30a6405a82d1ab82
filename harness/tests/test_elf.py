# SPDX-License-Identifier: MIT
"""Records, build id and symbols out of ELF files of both sizes, and out of broken ones."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import elf
from judge.elf import Image, Symbol, Symbols
from judge.model import (Accel, Inject, Isolation, Needs, Outcome, OutcomeKind, Quirk, Refusal,
                         Speed)
from tests.conftest import FLAGS, HERE, address_of, compile_sample


@pytest.fixture(scope="module", params=["-m64", "-m32"])
def either_image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(compile_sample(tmp_path_factory.mktemp("elf"), request.param))


def test_the_tests_come_sorted(either_image: Image) -> None:
    assert [test.full_name for test in either_image.tests] == [
        "alpha.one", "alpha.skips", "alpha.two", "endings.hangs", "endings.takes_an_nmi",
        "endings.takes_the_machine_down", "faults.stack_overflow", "faults.write_to_rodata",
        "known.bug", "memory.runs_out", "panics.as_declared",
        *(f"params.squares/{index}" for index in range(11)),
        "quirky.everywhere_else", "screen.shows_hello", "speed.add"]


def test_attributes(either_image: Image) -> None:
    tests = {test.name: test for test in either_image.tests}
    guard = tests["stack_overflow"].outcome.start
    assert guard in (address_of(either_image, "guard_page"), 0x1000)
    assert tests["two"].outcome == Outcome()
    assert tests["one"].proves == ("4.1.2", "5.11")
    assert tests["stack_overflow"].outcome == Outcome(
        OutcomeKind.FAULT, vector=8, start=guard, size_bytes=4096, ist=1, symbol="recurse")
    assert tests["write_to_rodata"].outcome.mask == 0x1F
    assert tests["as_declared"].outcome == Outcome(OutcomeKind.PANIC,
                                                   text="frame 0x* freed twice?")
    assert tests["takes_the_machine_down"].outcome == Outcome(OutcomeKind.TRIPLE_FAULT)
    assert tests["hangs"].outcome == Outcome(OutcomeKind.HANG)
    nmi = tests["takes_an_nmi"]
    assert (nmi.inject, nmi.speed, nmi.known_bug) == (Inject.NMI, Speed.SLOW, None)
    assert tests["bug"].known_bug == "counts from 1"
    assert [test.name for test in either_image.tests if test.is_bench] == ["add"]
    assert {test.name: test.fail_nth for test in either_image.tests if test.fail_nth} == {
        "runs_out": 3}
    screen = tests["shows_hello"]
    assert (screen.isolation, screen.needs, screen.timeout_ms) == (Isolation.BOOT, Needs.VGA, 1500)


def test_quirks(either_image: Image) -> None:
    test = next(test for test in either_image.tests if test.quirks)
    assert test.quirks == (
        Quirk(Outcome(), Accel.KVM, skip="not with KVM"),
        Quirk(Outcome(OutcomeKind.PANIC, text="old"), Accel.TCG, before=600),
        Quirk(Outcome(), Accel.TCG, since=702, before=800, skip="broken in 7.2"))


SPOILED = """#include "ktest.h"
static const struct ktest_attr attr = {@ATTR@};
static const struct ktest_record record = {
    .magic = KTEST_RECORD_MAGIC, .kind = KTEST_RECORD_CASE, .suite = "s", .name = "t", @RECORD@};
static const struct ktest_record *pointer __attribute__((section(".ktests"), used)) = &record;
void _start(void) {}
"""


@pytest.mark.parametrize("attr, record, words", [
    ("0", ".param_count = 10001", "10,001 parameters"),
    (".quirk_count = 65", ".attr = &attr", "65 quirks"),
    (".quirk_count = 1", ".attr = &attr", "which no segment holds"),
    (".quirk_count = 1, .quirks = (const struct ktest_quirk[]){{.accel = 9}}", ".attr = &attr",
     "9 is not a valid Accel"),
    (".inject = 3", ".attr = &attr", "3 is not a valid Inject"),
    (".outcome = {.kind = 5}", ".attr = &attr", "5 is not a valid OutcomeKind"),
    ("0", ".attr = 0", "")])
def test_bounds(attr: str, record: str, words: str, tmp_path: Path) -> None:
    """A null attribute stands for one that is all zero; what nobody writes is refused."""
    source, kernel = tmp_path / "k.c", tmp_path / "k.elf"
    source.write_text(SPOILED.replace("@ATTR@", attr).replace("@RECORD@", record))
    subprocess.run(["gcc", *FLAGS, f"-I{HERE.parents[1] / 'ktest'}", "-o", str(kernel),
                    str(source)], check=True)
    if words:
        with pytest.raises(Refusal, match=words):
            Image(kernel)
    else:
        assert Image(kernel).tests[0].outcome == Outcome()


def test_so_many_tests_nobody_has(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf, "TESTS", 10)
    with pytest.raises(Refusal, match="announces more than 10 tests"):
        Image(kernel)


def test_the_place_of_a_test(either_image: Image) -> None:
    test = either_image.tests[0]
    source = Path(test.file).read_text().splitlines()
    assert source[test.line - 1].startswith("KTEST(alpha, one)")


def test_the_build_id_is_the_linker_s(either_image: Image) -> None:
    notes = subprocess.run(["readelf", "-n", str(either_image.path)], check=True,
                           capture_output=True, text=True).stdout
    assert f"Build ID: {either_image.build_id}" in notes


def test_symbols(either_image: Image) -> None:
    poke = address_of(either_image, "poke")
    found = either_image.symbols.find(poke + 3)
    assert found is not None and found.name == "poke"
    assert "poke" in either_image.symbols.names(poke)
    assert either_image.symbols.find(0) is None


def test_symbols_of_assembly_have_no_size() -> None:
    symbols = Symbols([Symbol(0x100, 0, "entry"), Symbol(0x140, 16, "sized"),
                       Symbol(0x140, 8, "alias"), Symbol(0x160, 4, "clone.part.0"),
                       Symbol(0x164, 0, "end")], [(0x100, 0x180)])
    assert symbols.names(0x13F) == {"entry"}
    assert symbols.names(0x147) == {"sized", "alias"}
    assert symbols.names(0x14F) == {"sized"}
    assert symbols.names(0x150) == frozenset()
    assert symbols.names(0x160) == {"clone", "clone.part.0"}
    assert symbols.names(0x17F) == {"end"}
    assert symbols.names(0x180) == frozenset()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        Image(tmp_path / "none.elf")


def test_another_version_of_the_records(kernel: Path, tmp_path: Path) -> None:
    broken = tmp_path / "kernel.elf"
    broken.write_bytes(kernel.read_bytes().replace(b"KTS3", b"KTS2"))
    with pytest.raises(Refusal, match="another version of ktest.h"):
        Image(broken)


@given(changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=20),
       size=st.integers(0, 1 << 20))
def test_a_broken_file_is_refused_in_a_sentence(kernel: Path, changes: "list[Tuple[int, int]]",
                                                size: int) -> None:
    data = bytearray(kernel.read_bytes())
    for place, byte in changes:
        # Most of them where the tables are.
        data[place % (4096 if place % 2 else len(data))] = byte
    broken = kernel.with_suffix(".broken")
    broken.write_bytes(data[:size if size < len(data) else None])
    try:
        image = Image(broken)
        image.symbols.find(0x400000)
    except Refusal as refusal:
        assert str(broken) in str(refusal)
