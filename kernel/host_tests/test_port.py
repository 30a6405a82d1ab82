# SPDX-License-Identifier: MIT
"""ktest in other people's kernels: the headers in C and C++, and a foreign kernel around it.

By default with gcc alone, for that is quick and everybody has it. Where FAULTLINE_ALL_COMPILERS is
set, as in .ci/run behind `./dev install ci`, with all of them: one that is missing is a failure.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

import pytest
from judge.elf import Image
from judge.model import Outcome, OutcomeKind, Test

from conftest import ROOT, output, read_report
from test_build import compiles

MANUAL = ROOT / "docs/ktest.md"
FOREIGN = ROOT / "kernel/host_tests/foreign"
FREESTANDING = ("-Wall", "-Wextra", "-pedantic", "-Werror", "-ffreestanding", "-fno-pic",
                "-fno-pie")
KERNEL = (*FREESTANDING, "-O1", "-fno-stack-protector", "-mno-red-zone", "-mgeneral-regs-only",
          "-ffunction-sections", "-fdata-sections")
CXX = ("-x", "c++", "-fno-exceptions", "-fno-rtti")
C_COMPILERS = ("gcc", "clang")
LANGUAGES = [(compiler, standard) for compiler, standards in (
    ("gcc", ("c11",)), ("clang", ("c11",)),
    ("g++", ("c++17", "c++20")), ("clang++", ("c++17", "c++20")),
) for standard in standards]
TOTALS = re.compile(r"^#:ktest_totals tests=(\d+) pass=(\d+) skip=0 fail=(\d+) error=0 ")


def require(compiler: str) -> str:
    if compiler not in ("gcc", "ld.bfd") and "FAULTLINE_ALL_COMPILERS" not in os.environ:
        pytest.skip("only with FAULTLINE_ALL_COMPILERS=1, as in CI")
    if shutil.which(compiler) is None:
        pytest.fail(f"{compiler} is not installed: ./dev install ci")
    return compiler


def language(standard: str) -> Tuple[str, ...]:
    return (f"-std={standard}", *(CXX if standard.startswith("c++") else ()))


def complaints(*command: object, text: str = "") -> str:
    """What a compiler or a linker has to say; "" if it succeeds in silence."""
    run = subprocess.run([str(word) for word in command], input=text, capture_output=True,
                         text=True, check=False)
    assert run.returncode == 0 or run.stderr
    return run.stderr


# --- The headers ----------------------------------------------------------------------------------

@pytest.mark.parametrize("compiler, standard", LANGUAGES)
def test_headers_are_clean(compiler: str, standard: str, tmp_path: Path) -> None:
    """Each macro is used; with -O2, as gcc finds -Wclobbered in loops around a recovery then."""
    assert complaints(require(compiler), *language(standard), *FREESTANDING, "-O2", f"-I{ROOT}",
                      "-c", "-o", tmp_path / "everything.o", FOREIGN / "everything.c") == ""


def test_headers_are_clean_in_this_kernel(build: Path) -> None:
    assert compiles(build, "", f"-I{ROOT}", "-S", "-o", "/dev/null",
                    str(FOREIGN / "everything.c")) == ""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_records_are_the_same_in_every_language(compiler: str, tmp_path: Path) -> None:
    """Without -O: nothing may be left to constructors, which no kernel has run yet."""
    expected = everything(require("gcc"), "c11", tmp_path)
    assert len(expected) == 20
    assert {test.name: test.fail_nth for test in expected if test.fail_nth} == {
        "allocations_that_fail": 3}
    outcomes = {test.name: test.outcome for test in expected}
    assert outcomes["attributes_behind"] == Outcome(
        OutcomeKind.FAULT, vector=14, error=2, mask=7, start=0x5000, size_bytes=1, ist=1,
        symbol="poke")
    assert outcomes["plain"] == Outcome()
    assert everything(require(compiler), "c++17", tmp_path) == expected
    assert everything(compiler, "c++20", tmp_path) == expected


def everything(compiler: str, standard: str, folder: Path) -> Tuple[Test, ...]:
    image = folder / f"{compiler}-{standard}"
    assert complaints(compiler, *language(standard), *FREESTANDING, f"-I{ROOT}", "-c",
                      "-o", f"{image}.o", FOREIGN / "everything.c") == ""
    assert complaints("ld", "--unresolved-symbols=ignore-all", "--defsym=watched=0x5000",
                      "--entry=0", "--build-id=none", "-T", ROOT / "ktest/ktest.ld", "-o", image,
                      f"{image}.o") == ""
    return Image(image).tests


MISTAKES: Dict[str, Tuple[str, str]] = {
    "attributes of no test": ('KTEST_ATTR(s, t, .proves = "1");', r"ktest_\w+_s__t"),
    "attributes twice": ("KTEST(s, t) { (void)test; } KTEST_ATTR(s, t, .timeout_ms = 1);"
                         "KTEST_ATTR(s, t, .timeout_ms = 2);", "redefinition"),
    "a test twice": ("KTEST(s, t) { (void)test; } KTEST(s, t) { (void)test; }", "redefinition"),
    "an unknown exception": ("KTEST_ATTR(s, t, .outcome = KTEST_FAULT(XX)); "
                             "KTEST(s, t) { (void)test; }", "KTEST_VECTOR_XX"),
    "a message that does not fit": ('KTEST(s, t) { KTEST_EXPECT_TRUE_MSG(test, true, "%s", 1); }',
                                    "format"),
    "fractions compared as integers": ("KTEST(s, t) { KTEST_EXPECT_EQ(test, 0.5, 0.25); }",
                                       "not a function|deleted function"),
    "a stub of another type": ("int f(int); int g(long); "
                               "KTEST(s, t) { KTEST_STUB(test, f, g); }", "incompatible|invalid"
                               "|cannot initialize"),
}


@pytest.mark.parametrize("compiler, standard", [("gcc", "c11"), ("clang++", "c++17")])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_do_not_compile(mistake: str, compiler: str, standard: str) -> None:
    source, words = MISTAKES[mistake]
    options = ("-x", "c", *language(standard), *FREESTANDING, f"-I{ROOT}",
               "-S", "-o", "/dev/null", "-")
    assert re.search(words, complaints(require(compiler), *options,
                                       text=f'#include "ktest/ktest.h"\n{source}\n'))


# --- The manual -----------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, compiler, standard", [
    ("c", "gcc", "c11"), ("c", "clang", "c11"), ("cpp", "g++", "c++17"),
    ("cpp", "clang++", "c++17")])
def test_samples_of_the_manual_compile(kind: str, compiler: str, standard: str) -> None:
    """All of one language as one source; its lines count as those of docs/ktest.md."""
    text, count = samples(kind)
    assert count >= {"c": 12, "cpp": 1}[kind]
    assert complaints(require(compiler), "-x", "c", *language(standard), *FREESTANDING,
                      f"-I{ROOT}", "-S", "-o", "/dev/null", "-", text=text) == ""


def test_manual_names_what_there_is() -> None:
    headers = "".join(path.read_text() for path in (ROOT / "ktest").glob("*.[hl]*"))
    words = re.findall(r"\bKTEST_\w+\b(?!…)|\bktest_\w+\b(?!…)", MANUAL.read_text())
    assert len(words) > 100
    assert not {word for word in words if not re.search(rf"\b{word}\b", headers)}


def samples(kind: str) -> Tuple[str, int]:
    lines: List[str] = []
    count, is_inside = 0, False
    for line in MANUAL.read_text().splitlines():
        starts, is_inside = line == f"```{kind}", is_inside and line != "```"
        lines.append(line if is_inside else "")
        count += starts
        is_inside |= starts
    return '#line 1 "docs/ktest.md"\n' + "\n".join(lines) + "\n", count


# --- A foreign kernel -----------------------------------------------------------------------------

@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with the objects of ktest and of the foreign kernel, compiled once a compiler.

    ktest/ is copied to a place from which nothing else of this project can be included.
    """
    root = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(ROOT / "ktest", root / "ktest")
    shutil.copytree(FOREIGN, root / "kernel")

    @lru_cache(maxsize=None)
    def compiled(compiler: str) -> Path:
        folder = root / require(compiler)
        folder.mkdir()
        ktest = [path for path in (root / "ktest").glob("*.c") if not path.stem.endswith("_test")]
        kernel = [root / "kernel" / f"{name}.c" for name in ("kernel", "memory", "kernel_test",
                                                             "failing_test")]
        assert complaints("env", "-C", folder, compiler, "-std=c11", *KERNEL,
                          "-nostdinc", "-isystem", own_headers(compiler), f"-I{root}", "-c",
                          *ktest, *kernel) == ""
        return folder

    return compiled


def own_headers(compiler: str) -> str:
    option = "-print-resource-dir" if compiler == "clang" else "-print-file-name="
    return f"{output(compiler, option)[0]}/include"


def link(folder: Path, image: Path, *options: object,
         without: Sequence[str] = ("failing_test",)) -> str:
    """Links the objects of the folder but for some; returns what the linker has to say."""
    members = [path for path in folder.glob("*.o") if path.stem not in without]
    assert members
    return complaints("gcc", "-nostdlib", "-static", "-Wl,--build-id=none", "-o", image,
                      *options, *members)


def script(*names: object) -> List[str]:
    return [f"-Wl,-T,{name}" for name in names]


def script_with_the_line(folder: Path) -> Path:
    path = folder / "with-the-line.ld"
    text = (FOREIGN / "kernel.ld").read_text()
    assert "/* KTESTS */" in text
    path.write_text(text.replace("/* KTESTS */", LINE))
    return path


LINE = (".ktests : { ktest_records_start = .; KEEP(*(.ktests)) ktest_records_end = .; } :data")
INSERTED = script(ROOT / "ktest/ktest.ld", FOREIGN / "kernel.ld")


def passes(image: Path, tests: int = 5) -> None:
    """The harness finds the tests in the file, and the kernel reports as many passes."""
    assert len(Image(image).tests) == tests
    assert run(image) == (0x10, (tests, tests, 0))


def run(image: Path) -> Tuple[int, Tuple[int, ...]]:
    """Exit status; tests, passes and failures of the totals, which are the last line."""
    process = subprocess.run([str(image)], capture_output=True, text=True, timeout=10, check=False)
    totals = TOTALS.match(process.stdout.splitlines()[-1])
    assert totals, process.stdout[-2000:]
    return process.returncode, tuple(map(int, totals.groups()))


@pytest.mark.parametrize("linker", ["bfd", "lld"])
@pytest.mark.parametrize("compiler", C_COMPILERS)
def test_registry_by_a_line_in_the_kernels_script(
        objects: Callable[[str], Path], compiler: str, linker: str, tmp_path: Path) -> None:
    own = script_with_the_line(tmp_path)
    image = tmp_path / "kernel.elf"
    assert link(objects(compiler), image, *script(own), *linked_by(linker)) == ""
    passes(image)


@pytest.mark.parametrize("linker", ["bfd", "lld"])
@pytest.mark.parametrize("compiler", C_COMPILERS)
def test_registry_without_touching_the_kernels_script(
        objects: Callable[[str], Path], compiler: str, linker: str, tmp_path: Path) -> None:
    image = tmp_path / "kernel.elf"
    assert link(objects(compiler), image, *INSERTED, *linked_by(linker)) == ""
    passes(image)


def linked_by(linker: str) -> List[str]:
    require(f"ld.{linker}")
    return [f"-fuse-ld={linker}"]


@pytest.mark.parametrize("linker", ["bfd", "lld"])
def test_registry_without_any_script_of_the_kernel(
        objects: Callable[[str], Path], linker: str, tmp_path: Path) -> None:
    image = tmp_path / "kernel.elf"
    assert link(objects("gcc"), image, *script(ROOT / "ktest/ktest.ld"), *linked_by(linker)) == ""
    passes(image)


@pytest.mark.parametrize("linker", ["bfd", "lld"])
def test_registry_survives_the_collection_of_unused_sections(
        objects: Callable[[str], Path], linker: str, tmp_path: Path) -> None:
    image = tmp_path / "kernel.elf"
    assert link(objects("gcc"), image, *INSERTED, *linked_by(linker), "-Wl,--gc-sections") == ""
    passes(image)


def test_failure_is_reported(objects: Callable[[str], Path], tmp_path: Path) -> None:
    image = tmp_path / "kernel.elf"
    assert link(objects("gcc"), image, *INSERTED, without=()) == ""
    assert run(image) == (0x11, (6, 5, 1))


def test_tests_in_cxx(objects: Callable[[str], Path], tmp_path: Path) -> None:
    image = tmp_path / "kernel.elf"
    assert complaints(require("g++"), "-std=c++17", *CXX, *KERNEL, f"-I{ROOT}", "-c", "-o",
                      tmp_path / "cxx.o", FOREIGN / "kernel_test.c") == ""
    assert link(objects("gcc"), image, *INSERTED, tmp_path / "cxx.o",
                without=("kernel_test", "failing_test")) == ""
    passes(image)


@pytest.mark.parametrize("linker", ["bfd", "lld"])
def test_kernel_without_a_registry_does_not_link(
        objects: Callable[[str], Path], linker: str, tmp_path: Path) -> None:
    said = link(objects("gcc"), tmp_path / "kernel.elf", *script(FOREIGN / "kernel.ld"),
                *linked_by(linker))
    assert re.search(r"undefined (reference|symbol).*ktest_records_start", said)


@pytest.mark.parametrize("missing", ["ktest_port_write", "ktest_port_exit"])
def test_exactly_two_functions_have_to_be_written(
        objects: Callable[[str], Path], missing: str, tmp_path: Path) -> None:
    said = link(objects("gcc"), tmp_path / "kernel.elf", *INSERTED, without=("kernel",))
    undefined = set(re.findall(r"undefined reference to `(\w+)'", said))
    assert missing in undefined
    assert undefined == {"ktest_port_write", "ktest_port_exit", "count_bits"}


@pytest.mark.parametrize("linker", ["bfd", "lld"])
def test_library_needs_whole_archive(
        objects: Callable[[str], Path], linker: str, tmp_path: Path) -> None:
    """Nothing refers to a test, so that a linker takes none out of a library by itself."""
    library, image = tmp_path / "libtests.a", tmp_path / "kernel.elf"
    folder = objects("gcc")
    assert complaints("ar", "rc", library, folder / "kernel_test.o") == ""
    others = ("kernel_test", "failing_test")
    said = link(folder, image, *INSERTED, *linked_by(linker), library, without=others)
    assert "ktest: no test is linked" in said
    assert link(folder, image, *INSERTED, *linked_by(linker), "-Wl,--whole-archive", library,
                "-Wl,--no-whole-archive", without=others) == ""
    passes(image)


# --- On the bare machine --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def bare(objects: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernel that boots, with the two functions and without a build id."""
    folder = tmp_path_factory.mktemp("bare")
    root = objects("gcc").parent
    assert complaints("env", "-C", folder, "gcc", "-std=c11", *KERNEL, "-nostdinc", "-isystem",
                      own_headers("gcc"), f"-I{root}", "-c", FOREIGN / "bare.c",
                      FOREIGN / "bare_entry.S") == ""
    image = folder / "bare.elf"
    assert complaints("gcc", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-o", image,
                      *script(ROOT / "ktest/ktest.ld", FOREIGN / "bare.ld"), "-Wl,-z,noexecstack",
                      "-Wl,--no-warn-rwx-segments", *folder.glob("*.o"),
                      *(path for path in objects("gcc").glob("*.o") if path.stem not in (
                          "kernel", "kernel_test", "failing_test"))) == ""
    return image


def test_two_functions_do_on_the_bare_machine(bare: Path, tmp_path: Path) -> None:
    """The harness believes it: arguments come from QEMU without the kernel's help."""
    report = tmp_path / "report.json"
    done = subprocess.run([sys.executable, ROOT / "harness/run.py", "--kernel", bare, "--no-build",
                           "--json", report], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    tests = {test["name"]: test for test in read_report(report)["tests"]}
    assert {name: test["verdict"] for name, test in tests.items()} == {
        "bare.one_and_one_are_two": "pass", "bare.one_is_two": "fail",
        "bare.panics_without_a_frame": "fail", "bare.wants_allocations_to_fail": "error"}
    assert "this kernel can't make an allocation fail" in (
        tests["bare.wants_allocations_to_fail"]["sentence"])
    assert "#UD" in tests["bare.panics_without_a_frame"]["sentence"]


def test_allocations_can_not_fail_on_the_bare_machine(bare: Path) -> None:
    """Nor does it pretend to: the run does not begin."""
    done = subprocess.run([sys.executable, ROOT / "harness/run.py", "--kernel", bare, "--no-build",
                           "--fail-nth"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 99
    assert "ktest.fail_nth: this kernel can't make an allocation fail" in done.stdout
