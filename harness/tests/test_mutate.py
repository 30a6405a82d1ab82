# SPDX-License-Identifier: MIT
"""The command that mutates code, on a made-up project: a file of C with strong tests and weak ones,
a kernel that a player boots, and a module of Python."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from mutation import command, workshop
from mutation.ledger import RESULTS
from tests.conftest import HERE
from tests.modules import need_clang
from tests.test_process import wait_until

Capture = pytest.CaptureFixture[str]

NUMBER = """#include "number.h"
int number_least(int left, int right)
{
    return left < right ? left : right;
}
int number_double(int value)
{
    return value + value;
}
unsigned long number_sum(unsigned long value)
{
    static volatile unsigned long sum;
    for (sum = 0; value; value -= 1) {
        sum = sum + value;
    }
    return sum;
}
int number_first(const int *values)
{
    return *(const volatile int *)values;
}
int number_at(const int *values, int place)
{
    return values[place];
}
"""
HEADER = """#pragma once
int number_least(int left, int right);
int number_double(int value);
unsigned long number_sum(unsigned long value);
int number_first(const int *values);
int number_at(const int *values, int place);
"""
# Doubling is tested with 2 only, and 2 + 2 is 2 * 2.
TESTS = """#include <stdio.h>
#include <string.h>
#include "number.h"
static int failed, count;
static void begin(const char *name)
{
    count++;
    printf("    #:ktest_begin test=number.%s\\n", name);
}
static void end(const char *name, int is_good, const char *what)
{
    if (!is_good) {
        failed++;
        printf("    # kernel/lib/number_test.c:7: EXPECT %s\\n", what);
    }
    printf("    #:ktest_end test=number.%s verdict=%s checks=1 cycles=0 stack=0 recovery=0 "
           "reason=%s\\n", name, is_good ? "pass" : "fail", is_good ? "" : "1%20of%201");
}
#define CHECK(name, condition) (begin(name), end(name, condition, #condition))
int main(void)
{
    const int values[] = {5, 6};
    setvbuf(stdout, NULL, _IOLBF, 0);
    CHECK("least", number_least(1, 2) == 1 && number_least(2, 1) == 1);
    CHECK("doubles", number_double(2) == 4);
    CHECK("sums", number_sum(3) == 6);
    CHECK("first", number_first(values) == 5);
    CHECK("at", number_at(values, 1) == 6);
    printf("#:ktest_totals tests=%d pass=%d skip=0 fail=%d error=0 stopped=0 lines=9 crc32=0x0\\n",
           count, count - failed, failed);
    return failed != 0;
}
"""
CHIP = """int chip_state(void)
{
    return 7;
}
"""
# What Meson makes, as far as the command knows of it.
NINJA = """rule cc
  command = gcc -std=gnu2x -O2 -g0 -I../kernel/lib -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
rule link
  command = gcc -no-pie -o $out $in
rule kernel
  command = objcopy --add-section .code=kernel/libkernel.a.p/lib_chip.c.o $
            --set-section-flags .code=alloc,readonly sample.elf $out 2> /dev/null
rule copy
  command = cp $in $out
build kernel/libplain-pure.a.p/lib_number.c.o: cc ../kernel/lib/number.c
build kernel/plain-test.p/main.c.o: cc ../kernel/lib/number_test.c
build kernel/libkernel.a.p/lib_chip.c.o: cc ../kernel/lib/chip.c
build kernel/plain-test: link kernel/libplain-pure.a.p/lib_number.c.o kernel/plain-test.p/main.c.o
build kernel/host-test: copy kernel/plain-test
build faultline-nameless.elf: kernel kernel/libkernel.a.p/lib_chip.c.o
build faultline.elf: copy faultline-nameless.elf
build faultline.iso: copy faultline.elf
build faultline-selftest.elf: copy faultline.elf
build faultline-selftest.iso: copy faultline.elf
"""
# In place of harness/run.py: what it plays hangs on the number in the kernel's file.
PLAYER = """
import json, pathlib, sys
words = sys.argv
build = pathlib.Path(words[words.index("--build-dir") + 1])
source = (build.parent / "kernel/lib/chip.c").read_text()
with open(pathlib.Path(__file__).parent / "log", "a") as log:
    print(*words[1:], file=log)
if "return 6" in source:
    sys.exit("the harness is broken")
verdict, sentence = ("fail", "7 against 8") if "return 8" in source else ("pass", "")
if "{0}" in source:
    verdict, sentence = "error", "the kernel never began"
status = {"pass": 0, "fail": 1, "error": 99}[verdict]
report = {"tests": [{"name": "chip.state", "verdict": verdict, "sentence": sentence}]}
pathlib.Path(words[words.index("--json") + 1]).write_text(json.dumps(report))
sys.exit(status)
"""


@pytest.fixture
def root(tmp_path: Path, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    need_clang()
    return make_project(tmp_path / "project", kernel, tmp_path / "player.py", monkeypatch)


def make_project(root: Path, kernel: Path, player: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"kernel/lib/number.c": NUMBER, "kernel/lib/number.h": HEADER,
             "kernel/lib/chip.c": CHIP, "kernel/lib/number_test.c": TESTS, "ktest/ktest.h": "",
             "build/build.ninja": NINJA}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "harness/judge").mkdir(parents=True)
    shutil.copy(kernel, root / "build/sample.elf")
    player.write_text(PLAYER)
    monkeypatch.setattr(command, "ROOT", root)
    monkeypatch.setattr(workshop, "RUN", player)
    return root


@pytest.fixture
def mutate(root: Path) -> Callable[..., int]:
    return lambda *words: command.main(["--build-dir", str(root / "build"), "-j", "2", *words])


Mutate = Callable[..., int]


def told(capsys: Capture, name: str) -> List[str]:
    """The lines that tell what came of a mutant of this kind."""
    return [line for line in capsys.readouterr().out.splitlines()
            if f" {name} " in line and "(" in line]


def listed(root: Path, text: str) -> None:
    path = root / command.EQUIVALENTS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- What comes of mutants ------------------------------------------------------------------------


def test_a_strong_test_kills_and_a_weak_one_does_not(mutate: Mutate, root: Path, tmp_path: Path,
                                                     capsys: Capture) -> None:
    path = tmp_path / "report.json"
    assert mutate("kernel/lib/number.c", "--only-operator", "arithmetic", "--json", str(path)) == 0
    output = capsys.readouterr().out
    assert "killed by number.doubles: kernel/lib/number.c:8 arithmetic" in output
    assert ": kernel/lib/number_test.c:7: EXPECT number_double(2) == 4" in output
    rows = {row["after"]: row for row in json.loads(path.read_text())["mutants"]}
    assert rows["return value - value;"]["fate"] == "killed"
    assert rows["return value - value;"]["by"] == "number.doubles"
    assert rows["sum = sum - value;"]["line"] == 14
    assert (root / "kernel/lib/number.c").read_text() == NUMBER


def test_survivors_are_named_by_file_and_line(mutate: Mutate, root: Path, capsys: Capture) -> None:
    tests = root / "kernel/lib/number_test.c"
    tests.write_text(TESTS.replace("number_double(2) == 4", "number_double(0) == 0"))
    assert mutate("kernel/lib/number.c", "--only-operator", "arithmetic") == 1
    output = capsys.readouterr().out
    assert "\nkernel/lib/number.c:8: arithmetic in number_double, " in output
    assert "\n  - return value + value;\n  + return value - value;\n" in output
    assert "\nfolder " in output and output.endswith(" 66.6 % noticed\n")


def test_same_program(mutate: Mutate, capsys: Capture) -> None:
    assert mutate("kernel/lib/number.c", "--only-operator", "drop-volatile", "--least", "0") == 0
    output = capsys.readouterr().out
    assert "same: kernel/lib/number.c:20 drop-volatile" in output
    assert "survived: kernel/lib/number.c:12 drop-volatile" in output  # it is another program
    assert output.endswith("2 of 2 mutants tried, 0.0 % noticed\n")


def test_a_mutant_that_does_not_build_is_no_mutant(mutate: Mutate, root: Path, capsys: Capture
                                                   ) -> None:
    (root / "kernel/lib/number.c").write_text(NUMBER + "_Bool number_is[3];\nint number_none(void)"
                                              "\n{\n    switch (number_is[0]) {\n    case 1:\n"
                                              "    case 2:\n        return 1;\n    }\n"
                                              "    return 0;\n}\n")
    mutate("kernel/lib/number.c", "--only-operator", "constant")
    lines = told(capsys, "constant")
    unbuilt = [line for line in lines if line.startswith("unbuilt: kernel/lib/number.c:")]
    assert unbuilt and all("error: duplicate case value" in line for line in unbuilt)


def test_a_mutant_that_never_ends_is_ended(mutate: Mutate, capsys: Capture) -> None:
    mutate("kernel/lib/number.c", "--only-operator", "arithmetic")
    assert "late by number.sums: kernel/lib/number.c:13 arithmetic" in capsys.readouterr().out


def test_a_crash_is_blamed_on_the_test_that_ran(mutate: Mutate, root: Path, capsys: Capture
                                               ) -> None:
    number = root / "kernel/lib/number.c"
    number.write_text(NUMBER.replace("values[place]", "values[place * 100000000 / 100000000]"))
    mutate("kernel/lib/number.c", "--only-operator", "arithmetic")
    assert any(line.startswith("killed by number.at: ") and "it ended by signal 11" in line
               for line in told(capsys, "arithmetic"))


def test_the_kernel_is_booted_for_what_is_no_pure_layer(mutate: Mutate, tmp_path: Path,
                                                        capsys: Capture) -> None:
    assert mutate("kernel/lib/chip.c") == 0
    output = capsys.readouterr().out
    assert "killed by chip.state: kernel/lib/chip.c:3 constant" in output
    assert ": 7 against 8\n" in output
    assert "dead: kernel/lib/chip.c:3 constant" in output and ": the harness is broken\n" in output
    assert "dead: kernel/lib/chip.c:2 early-return" in output
    assert ": the kernel never began\n" in output
    first = (tmp_path / "log").read_text().splitlines()[0].split()
    assert first[:2] == ["--no-build", "--build-dir"] and "-x" in first


def test_survivors_are_looked_at_from_outside(mutate: Mutate, root: Path, capsys: Capture,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """By tests that boot: here they read the source, and are the only ones that mind 9."""
    chip = root / "kernel/lib/chip.c"
    chip.write_text(CHIP.replace("7", "10"))
    tests = root / "kernel/host_tests/test_chip.py"
    tests.parent.mkdir()
    tests.write_text("import os, pathlib\n\n\ndef test_chip():\n    build = pathlib.Path("
                     "os.environ['FAULTLINE_BUILD'])\n    assert 'return 9' not in "
                     "(build.parent / 'kernel/lib/chip.c').read_text()\n")
    (root / "harness/pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    monkeypatch.setattr(workshop, "HOST_TESTS", {"kernel/lib": ("chip",)})
    words = ("kernel/lib/chip.c", "--only-operator", "constant")
    assert mutate(*words) == 1
    assert len(told(capsys, "constant")) == 2
    assert mutate(*words, "--outside") == 1
    assert ["test_chip.py::test_chip: kernel/lib/chip.c:3 constant" in line
            for line in sorted(told(capsys, "constant"))] == [True, False]
    assert mutate(*words) == 1
    assert not told(capsys, "constant")


# --- State ----------------------------------------------------------------------------------------


def tried(capsys: Capture) -> int:
    """Mutants, in what was told since."""
    return sum(" s)" in line for line in capsys.readouterr().out.splitlines())


def test_what_is_known_is_not_tried_again(mutate: Mutate, root: Path, capsys: Capture) -> None:
    words = ("kernel/lib/number.c", "--only-operator", "relational")
    mutate(*words)
    assert tried(capsys) == 2
    mutate(*words)
    assert tried(capsys) == 0
    tests = root / "kernel/lib/number_test.c"
    tests.write_text(TESTS + "// another test\n")
    mutate(*words)
    assert tried(capsys) == 1  # only what had survived
    (root / "kernel/lib/number.c").write_text(NUMBER + "// another function\n")
    mutate(*words)
    assert tried(capsys) == 2


def test_killed_in_the_middle_it_goes_on(root: Path, tmp_path: Path, capsys: Capture,
                                         mutate: Mutate) -> None:
    results = root / "build/mutation" / RESULTS
    script = ("import pathlib, sys; from mutation import command; command.ROOT = "
              f"pathlib.Path({str(root)!r}); command.main(['--build-dir', {str(root / 'build')!r}, "
              "'-j', '1', 'kernel/lib/number.c'])")
    with subprocess.Popen([sys.executable, "-c", script], cwd=HERE.parent,
                          env={**os.environ, "TMPDIR": str(tmp_path)},
                          stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: results.exists() and results.read_text().count("\n") >= 3)
        os.kill(process.pid, signal.SIGKILL)
    known = results.read_text().count("\n")
    with open(results, "a", encoding="utf-8") as stream:
        stream.write('{"id": "cut o')
    mutate("kernel/lib/number.c")
    output = capsys.readouterr().out
    told_now = sum(" s)" in line for line in output.splitlines())
    total = int(output.splitlines()[-1].split()[2])
    assert told_now == total - known and f"{total} of {total} mutants tried" in output
    lines = results.read_text().splitlines()
    assert sum(line.endswith("}") for line in lines) == total and len(lines) == total + 1


def test_two_at_a_time_are_refused(mutate: Mutate, root: Path, capsys: Capture) -> None:
    from mutation.ledger import locked
    with locked(root / "build/mutation"):
        assert mutate("kernel/lib/number.c") == 99
    assert "Another run keeps its results in" in capsys.readouterr().err


def test_nothing_survives_the_command(mutate: Mutate, root: Path) -> None:
    """Neither processes nor a mutant in the work tree, when the time is up."""
    number = root / "kernel/lib/number.c"
    number.write_text(NUMBER.replace("value;", "value || 0 == 1;"))
    assert mutate("kernel/lib/number.c", "--minutes", "0.02") in (1, 99)
    assert "0 == 1" in number.read_text()


def test_a_budget_of_time(mutate: Mutate, capsys: Capture) -> None:
    assert mutate("kernel/lib/number.c", "--minutes", "0.00001") == 99
    assert " mutants tried, - % noticed" in capsys.readouterr().out


# --- Equivalents ----------------------------------------------------------------------------------

LEAST = """# What no test can tell.

kernel/lib/number.c, number_least, relational
- return left < right ? left : right;
+ return left <= right ? left : right;
= of two that are equal either is the least
"""


def test_equivalents_count_apart(mutate: Mutate, root: Path, tmp_path: Path, capsys: Capture
                                ) -> None:
    listed(root, LEAST)
    path = tmp_path / "report.json"
    words = ("kernel/lib/number.c", "--only-operator", "relational", "--json", str(path))
    mutate(*words)
    assert tried(capsys) == 1
    rows = {row["after"]: row for row in json.loads(path.read_text())["mutants"]}
    assert rows["return left <= right ? left : right;"]["equivalent"].startswith("of two that")
    (root / "kernel/lib/number.c").write_text(f"\n\n{NUMBER}")
    mutate(*words)
    assert tried(capsys) == 1


@pytest.mark.parametrize("old, new", [
    ("number_least", "number_most"), ("left < right", "left<right"), ("relational", "arithmetic")])
def test_a_stale_entry_is_told(mutate: Mutate, root: Path, capsys: Capture, old: str, new: str
                               ) -> None:
    listed(root, LEAST.replace(old, new))
    assert mutate("kernel/lib/number.c", "--only-operator", "drop-volatile") == 1
    assert ("harness/mutation/equivalent.txt:3: there is no such mutant any more."
            in capsys.readouterr().err)


def test_an_entry_that_is_not_equivalent(mutate: Mutate, root: Path, capsys: Capture) -> None:
    listed(root, LEAST.replace("+ return left <=", "+ return left >="))
    assert mutate("kernel/lib/number.c", "--listed") == 1
    assert ("kernel/lib/number.c:4 is listed as equivalent, but number.least notices it."
            in capsys.readouterr().err)
    listed(root, LEAST)
    assert mutate("kernel/lib/number.c", "--listed") == 0


@pytest.mark.parametrize("text", ["kernel/lib/number.c, relational\n- a\n+ b\n= c\n",
                                  "kernel/lib/number.c, f, relational\n- a\n+ b\n",
                                  "kernel/lib/number.c, f, relational\n- a\nwhat\n+ b\n= c\n"])
def test_a_list_that_is_none(mutate: Mutate, root: Path, capsys: Capture, text: str) -> None:
    listed(root, f"# a list\n\n{text}")
    assert mutate("kernel/lib/number.c") == 99
    assert "equivalent.txt:3: this is no entry" in capsys.readouterr().err


# --- Refusals -------------------------------------------------------------------------------------


def test_code_that_fails_as_it_is(mutate: Mutate, root: Path, capsys: Capture) -> None:
    tests = root / "kernel/lib/number_test.c"
    tests.write_text(TESTS.replace("number_sum(3) == 6", "number_sum(3) == 7"))
    assert mutate("kernel/lib/number.c", "--only-operator", "early-return") == 99
    assert "The code as it is fails: kernel/plain-test *: number.sums" in capsys.readouterr().err


def test_code_that_does_not_build_as_it_is(mutate: Mutate, root: Path, capsys: Capture) -> None:
    (root / "kernel/lib/chip.c").write_text("int chip_state(void) { return }\n")
    assert mutate("kernel/lib/number.c") == 99
    assert "The build failed: ninja" in capsys.readouterr().err


@pytest.mark.parametrize("words, status, sentence", [
    (["-j", "0"], 2, "-j has to be 1 or more"),
    (["--sample", "0"], 2, "--sample has to be 1 or more"),
    (["--minutes", "0"], 2, "--minutes has to be more than 0"),
    (["--minutes", "nan"], 2, "--minutes has to be more than 0"),
    (["--least", "101"], 2, "--least has to be a percentage"),
    (["--nonsense"], 2, "nrecognized arguments"),
    ([""], 2, "empty value"),
    (["kernel/none.c"], 5, "There is nothing to mutate at kernel/none.c."),
    (["kernel/lib/number_test.c"], 5, "There is nothing to mutate at"),
    (["--only-operator", "none-*"], 5, "There is no change of the kind none-* here; there are "),
    (["--show", "0123456789"], 5, "There is no mutant 0123456789 in the chosen files."),
    (["--write", "none/page.md"], 99, "none is no folder to write a page into"),
])
def test_refusals(mutate: Mutate, capsys: Capture, words: List[str], status: int, sentence: str
                  ) -> None:
    assert mutate(*words) == status
    assert sentence in capsys.readouterr().err


# --- Which, and how they are shown ----------------------------------------------------------------


def ids(capsys: Capture) -> Dict[str, str]:
    return {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}


def test_a_sample_is_the_same_for_a_seed(mutate: Mutate, capsys: Capture) -> None:
    samples = []
    for seed in ("1", "1", "2"):
        assert mutate("--list", "--sample", "5", "--seed", seed) == 0
        samples.append(ids(capsys))
    assert len(samples[0]) == 5 and samples[0] == samples[1] != samples[2]


def test_the_parts(mutate: Mutate, capsys: Capture) -> None:
    assert mutate("--list", "--part", "pure") == 0
    assert {line.split()[1].partition(":")[0] for line in ids(capsys).values()} == {
        "kernel/lib/number.c"}
    assert mutate("--list", "--part", "rest") == 0
    assert {line.split()[1].partition(":")[0] for line in ids(capsys).values()} == {
        "kernel/lib/chip.c"}


def test_a_mutant_is_shown_and_applied(mutate: Mutate, root: Path, capsys: Capture) -> None:
    mutate("--list", "kernel/lib/chip.c", "--only-operator", "constant")
    name = next(key for key, line in ids(capsys).items() if "return 8;" in line)
    assert mutate("--show", name) == 0
    assert capsys.readouterr().out.splitlines() == [
        "--- a/kernel/lib/chip.c", "+++ b/kernel/lib/chip.c", "@@ -1,4 +1,4 @@",
        " int chip_state(void)", " {", "-    return 7;", "+    return 8;", " }"]
    assert (root / "kernel/lib/chip.c").read_text() == CHIP
    assert mutate("--apply", name) == 0
    assert (root / "kernel/lib/chip.c").read_text() == CHIP.replace("7", "8")


def test_a_page(mutate: Mutate, root: Path, tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Mutants\n\n{command.BEGIN}yesterday\n{command.END}\nbelow\n")
    mutate("kernel/lib/chip.c", "--only-operator", "constant", "--write", str(page))
    text = page.read_text()
    assert text.startswith(f"# Mutants\n\n{command.BEGIN}On ") and text.endswith(
        f"{command.END}\nbelow\n") and "yesterday" not in text
    assert "\n| kernel/lib | 2 | 2 | 0 | 0 | 0 | 1 | 0 | 1 | 0 | 100.0 |\n" in text
    assert "\n## Survivors\n\nNone.\n" in text


def test_as_many_as_have_to_be_noticed(mutate: Mutate) -> None:
    words = ("kernel/lib/number.c", "--only-operator", "relational")
    assert [mutate(*words, "--least", least) for least in ("50", "50.1")] == [0, 1]


# --- Python ---------------------------------------------------------------------------------------


def test_the_harness_is_mutated_as_well(mutate: Mutate, root: Path, capsys: Capture) -> None:
    files: Dict[str, Any] = {
        "harness/judge/__init__.py": "", "harness/tests/__init__.py": "",
        "harness/pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
        "harness/judge/size.py": "def is_big(size):\n    return size > 9\n",
        "harness/tests/test_size.py":
            "import pytest\nfrom judge.size import is_big\n\n\n"
            "@pytest.mark.parametrize('size', [20, 2], ids=['a b', 'c'])\ndef test_big(size):\n"
            "    assert is_big(size) == (size == 20)\n"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert mutate("harness/judge/size.py") == 1
    output = capsys.readouterr().out
    assert "killed by test_size.py::test_big[a b]: harness/judge/size.py:2 relational" in output
    assert "survived: harness/judge/size.py:2 relational" in output
    assert "harness/judge/size.py:2: relational in is_big, " in output
    assert "\nharness/judge " in output
    assert (root / "harness/judge/size.py").read_text() == files["harness/judge/size.py"]
