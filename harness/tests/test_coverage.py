# SPDX-License-Identifier: MIT
"""Coverage: gcc's files read as gcov reads them, and what is lost is an error."""
from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Set, Tuple

import pytest

from judge import coverage, gcov
from judge.counters import Counters, functions_of, refuse_differences
from judge.coverage import File, Measurement, figure_of, lcov_text, missing, table
from judge.elf import Image
from judge.model import Refusal
from judge.qemu import MEMORIES, Qemu

SOURCE = """\
[[gnu::noreturn]] void panic(const char *text);
#define assert(condition) do { if (!(condition)) { panic("no"); } } while (0)

static int sort_of(int number)
{
    if (number > 10 && number % 2 == 0) {
        return 1;
    }
    switch (number) {
    case 3:
        return 2;
    case 4:
        return 3;
    default:
        break;
    }
    for (int i = 0; i < number; i++) {
        if (i == 5) {
            return 4;
        }
    }
    return number < 0 ? 5 : 6;
}

static int never(int number)
{
    return number ? 1 : 2;
}

int check(int number)
{
    assert(number < 100 &&
           number > -100);
    if (number == 77 || number == 78) {
        panic("77");
    }
    return number == 1000 ? never(number) : sort_of(number);
}
"""
MAIN = """
int check(int number);
[[gnu::noreturn]] void panic(const char *text);
void panic(const char *text) { (void)text; __builtin_trap(); }
int main(void) { return check(12) + check(3) + check(7) == 0; }
"""
NO_PANICS: FrozenSet[gcov.Place] = frozenset()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notes of a program that has run."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "check.c").write_text(SOURCE)
    (folder / "main.c").write_text(MAIN)
    for name, flag in (("check", "--coverage"), ("main", "-g")):
        subprocess.run(["gcc", "-std=gnu2x", "-O0", flag, "-c", f"{name}.c"], check=True,
                       cwd=folder)
    subprocess.run(["gcc", "--coverage", "check.o", "main.o", "-o", "program"], check=True,
                   cwd=folder)
    subprocess.run(["./program"], check=True, cwd=folder)
    return folder / "check.gcno"


def findings(notes_file: Path, panics: FrozenSet[gcov.Place] = NO_PANICS
             ) -> Tuple[Dict[int, int], List[gcov.Branch]]:
    notes = gcov.read_notes(notes_file)
    counters = gcov.read_counters(notes_file.with_suffix(".gcda"), notes)
    lines: Dict[int, int] = {}
    branches: List[gcov.Branch] = []
    for function in notes.functions:
        found = gcov.find(function, counters[function.key], panics)
        lines.update({place.line: count for place, count in found.lines.items()})
        branches += found.branches
    return lines, branches


def said_by_gcov(notes_file: Path) -> List[Dict[str, Any]]:
    done = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout",
                           notes_file.with_suffix(".gcda").name], cwd=notes_file.parent,
                          stdout=subprocess.PIPE, check=True)
    lines: List[Dict[str, Any]] = json.loads(done.stdout)["files"][0]["lines"]
    return lines


def test_lines_are_those_of_gcov(program: Path) -> None:
    lines, _ = findings(program)
    gcovs = {each["line_number"]: each["count"] > 0 for each in said_by_gcov(program)}
    assert {line: count > 0 for line, count in lines.items()} == gcovs
    assert not all(gcovs.values())


def test_branches_are_those_of_gcov(program: Path) -> None:
    _, branches = findings(program)
    ours: Dict[int, List[int]] = {}
    for branch in branches:
        ours.setdefault(branch.place.line, []).extend(branch.counts)
    gcovs = {each["line_number"]: [way["count"] for way in each["branches"]]
             for each in said_by_gcov(program) if each["branches"]}
    assert {line: sorted(counts) for line, counts in ours.items()} == {
        line: sorted(counts) for line, counts in gcovs.items()}
    assert len(gcovs) >= 7


def test_block_that_nothing_leads_to_is_never_run() -> None:
    """As behind a __builtin_setjmp: gcc knows no arc to where it comes back."""
    arcs = (gcov.Arc(gcov.ENTRY, 2, gcov.ON_TREE), gcov.Arc(2, gcov.EXIT, 0),
            gcov.Arc(3, gcov.EXIT, gcov.ON_TREE | gcov.FAKE))
    function = gcov.Function(gcov.Key(1, 2, 3), "f", gcov.Place("f.c", 1), False, 4, arcs, {})
    assert gcov.solve(function, (5,)) == (5, 5, 0)


def lines_with(notes_file: Path, *words: str) -> Set[int]:
    text = (notes_file.parent / "check.c").read_text().splitlines()
    return {number for number, line in enumerate(text, 1) for word in words if word in line}


def test_what_only_a_panic_takes_is_no_branch(program: Path) -> None:
    source = str((program.parent / "check.c").resolve())
    panics = frozenset(gcov.Place(source, line)
                       for line in lines_with(program, "    assert(", "panic(\"77"))
    _, all_branches = findings(program)
    _, branches = findings(program, panics)
    gone = {each.place.line for each in all_branches} - {each.place.line for each in branches}
    assert gone >= lines_with(program, "assert(number")
    assert not gone & lines_with(program, "number > 10", "switch", "for (", "i == 5", "? never")
    # The first operand goes on to the second one or panics, and both are no decisions.
    assert gone >= lines_with(program, "number == 77")


def test_counters_of_another_build_are_refused(program: Path) -> None:
    notes = gcov.read_notes(program)
    with pytest.raises(Refusal, match="check.gcda is of another build than .*check.gcno"):
        gcov.read_counters(program.with_suffix(".gcda"), replace(notes, stamp=notes.stamp + 1))


def test_counters_that_are_missing_are_refused(program: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="No such file"):
        gcov.read_counters(tmp_path / "check.gcda", gcov.read_notes(program))
    notes = gcov.read_notes(program)
    with pytest.raises(Refusal, match="The counters of check in .* are lost"):
        Measurement(tmp_path).add(replace(notes, functions=tuple(
            each for each in notes.functions if each.name == "check")), {}, False)


@pytest.mark.parametrize("size", [0, 3, 12, 60, 400])
def test_files_that_are_cut_are_refused(program: Path, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "check.gcno"
    cut.write_bytes(program.read_bytes()[:size])
    if size < 60:
        with pytest.raises(Refusal, match="check.gcno can't be read"):
            gcov.read_notes(cut)
    else:
        counters = gcov.read_counters(program.with_suffix(".gcda"), gcov.read_notes(program))
        try:
            notes = gcov.read_notes(cut)
        except Refusal:
            return
        assert len(notes.functions) < len(counters)


# --- Of a kernel ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counting_kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Linked at 2 MiB, as it would lie in memory at 1 MiB."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "check.c").write_text(SOURCE)
    (folder / "main.c").write_text(MAIN)
    flags = ["-std=gnu2x", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-fno-pic", "-O0"]
    subprocess.run(["gcc", *flags, "--coverage", "-fprofile-info-section", "-c", "check.c"],
                   check=True, cwd=folder)
    subprocess.run(["gcc", *flags, "check.o", "main.c", "-o", "kernel.elf", "-Wl,-e,main",
                    "-Wl,-Ttext-segment=0x200000", "-Wl,--defsym=__gcov_merge_add=0",
                    "-Wl,--defsym=text_start=0x200000", "-Wl,--defsym=text_start_phys=0x100000"],
                   check=True, cwd=folder)
    return folder / "kernel.elf"


def memory_of(image: Image, count: int) -> bytearray:
    """As it would be with each counter at this."""
    memory = bytearray(1 << 21)
    for function in functions_of(image):
        at = function.record - 0x100000
        memory[at:at + 48] = image.memory(function.record, 48)
        at = function.address - 0x100000
        memory[at:at + 8 * function.counter_count] = (
            count.to_bytes(8, "little") * function.counter_count)
    return memory


def test_boots_add_up(counting_kernel: Path, tmp_path: Path) -> None:
    image = Image(counting_kernel)
    counters = Counters(image)
    for count in (1, 41):
        (tmp_path / "ram").write_bytes(memory_of(image, count))
        counters.add(tmp_path / "ram")
    assert counters.boots == 2
    [by_key] = counters.by_file().values()
    assert len(by_key) == 3
    assert {each for values in by_key.values() for each in values} == {42}


def test_boot_without_its_memory_is_an_error(counting_kernel: Path, tmp_path: Path) -> None:
    counters = Counters(Image(counting_kernel))
    with pytest.raises(Refusal, match="The counters of a boot are lost: .*No such file"):
        counters.add(tmp_path / "ram")
    (tmp_path / "ram").write_bytes(bytes(1 << 21))
    with pytest.raises(Refusal, match="is not what the kernel has there"):
        counters.add(tmp_path / "ram")
    (tmp_path / "ram").write_bytes(memory_of(Image(counting_kernel), 1)[:1 << 20])
    with pytest.raises(Refusal, match="The counters of a boot are lost"):
        counters.add(tmp_path / "ram")


def test_memory_of_another_kernel_is_told(counting_kernel: Path, tmp_path: Path) -> None:
    counters = Counters(Image(counting_kernel))
    for data, holds in ((memory_of(Image(counting_kernel), 1), True), (bytes(1 << 21), False),
                        (b"", False)):
        (tmp_path / "ram").write_bytes(data)
        assert counters.holds(tmp_path / "ram") == holds


def test_memory_is_a_file_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    command, folder = ["qemu", "-m", "64M"], tmp_path / "faultline-1"
    monkeypatch.delenv(MEMORIES, raising=False)
    assert Qemu(command, folder).command == tuple(command)
    monkeypatch.setenv(MEMORIES, str(tmp_path))
    *same, _, words, _, use = Qemu(command, folder).command
    assert same == command and use == "memory-backend=ram"
    assert words == f"memory-backend-file,id=ram,size=64M,share=on,mem-path={folder}"
    assert Qemu(["qemu", "-m", "5G"], folder).command == ("qemu", "-m", "5G")


def test_counter_that_was_overwritten_is_an_error(counting_kernel: Path, tmp_path: Path) -> None:
    image = Image(counting_kernel)
    (tmp_path / "ram").write_bytes(memory_of(image, 1 << 63))
    with pytest.raises(Refusal, match="is less than nothing"):
        Counters(image).add(tmp_path / "ram")


def test_kernel_without_counters_is_refused(image: Image) -> None:
    with pytest.raises(Refusal, match="counts nothing: it was built without -Dcoverage=true"):
        functions_of(image)


def test_function_that_does_not_count_is_an_error(counting_kernel: Path) -> None:
    found = functions_of(Image(counting_kernel))
    notes = [gcov.read_notes(counting_kernel.parent / "check.gcno")]
    refuse_differences(found, notes, counting_kernel)
    with pytest.raises(Refusal, match="does not count what runs of (never|check|sort_of)"):
        refuse_differences(found[1:], notes, counting_kernel)
    with pytest.raises(Refusal, match="does not count what runs of"):
        refuse_differences(found, [replace(notes[0], stamp=notes[0].stamp ^ 1)], counting_kernel)
    with pytest.raises(Refusal, match="counts something that is not in the notes"):
        refuse_differences(found, [replace(notes[0], functions=notes[0].functions[1:])],
                           counting_kernel)


# --- Figures and reports --------------------------------------------------------------------------

FILES = {"kernel/lib/a.c": File({1: 2, 2: 0, 3: 1, 4: 1}, {(1, 0): [2, 0], (2, 0): [0, 0]}, True),
         "kernel/irq/b.c": File({7: 1}, {})}


def test_figures_are_by_folder() -> None:
    assert figure_of(FILES["kernel/lib/a.c"]) == (4, 3, 4, 1)
    rows = [line.split() for line in table(FILES).splitlines()[1:]]
    assert rows == [["kernel/irq", "100.0", "%", "1/1", "100.0", "%", "0/0"],
                    ["kernel/lib", "75.0", "%", "3/4", "25.0", "%", "1/4"],
                    ["pure", "modules", "75.0", "%", "3/4", "25.0", "%", "1/4"],
                    ["all", "80.0", "%", "4/5", "25.0", "%", "1/4"]]


def test_what_is_missing_is_named_once() -> None:
    """The branch of a line that was not run says nothing more."""
    assert missing(FILES).splitlines() == [
        "kernel/lib/a.c:2: not run", "kernel/lib/a.c:1: branch 1: of 2 ways never 2"]


def test_genhtml_is_told_what_was_never_reached() -> None:
    text = lcov_text(FILES, Path("/root"))
    assert "SF:/root/kernel/lib/a.c\nBRDA:1,0,0,2\nBRDA:1,0,1,0\nBRDA:2,0,0,-\n" in text


@pytest.mark.parametrize("words, status", [
    ([], 0), (["--least", "80/25"], 0), (["--least", "80.1/25"], 1), (["--least", "80/25.1"], 1),
    (["--least-pure", "75/25"], 0), (["--least-pure", "76/25"], 1)])
def test_figure_below_its_limit_fails(words: List[str], status: int, image: Image,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage._report(dict(FILES), image, 1, coverage.parse(words)) == status
    assert ("less than" in capsys.readouterr().err) == bool(status)


@pytest.mark.parametrize("words", [["--least", "90"], ["--least", "101/5"], ["-j", "0"],
                                   ["--no-host", "--least-pure", "1/1"]])
def test_wrong_usage_is_refused(words: List[str]) -> None:
    assert coverage.main(words) == 2


def test_build_folder_that_is_missing_is_told_how_to_be_made(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main(["--build-dir", str(tmp_path / "none")]) == 99
    assert "-Dktest=true -Dcoverage=true" in capsys.readouterr().err
