# SPDX-License-Identifier: MIT
"""Each part reports what is planted for it, and exceptions are kept honest."""
from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, Tuple

import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("FAULTLINE_BUILD", HERE.parent / "build"))
HEAD = "// SPDX-License-Identifier: MIT\n"

# Of each part: where, what is planted, the check that sees it, and how an exception is written.
PLANTED: Dict[str, Tuple[str, str, str, str]] = {
    "format": ("kernel/planted_test.c", "int  f(void);\n", "clang-format-violations", ""),
    "tidy": ("kernel/planted_test.c",
             "int f(int a);\nint f(int a)\n{\n    return a - a;HERE\n}\n",
             "misc-redundant-expression", " // NOLINT(misc-redundant-expression)"),
    "analyzer": ("kernel/planted_test.c",
                 "int f(void);\nint f(void)\n{\n    int *p = 0;\n    return *p;HERE\n}\n",
                 "analyzer-null-dereference", " // NOLINT(analyzer-null-dereference)"),
    "cppcheck": ("kernel/planted_test.c",
                 "int f(void);\nint f(void)\n{\n    int a[2] = {1, 2};\n    return a[2];HERE\n}\n",
                 "arrayIndexOutOfBounds", " // NOLINT(arrayIndexOutOfBounds)"),
    "shell": ("kernel/planted.sh", "#!/bin/sh\nABOVEecho $1\n", "SC2086",
              "# shellcheck disable=SC2086"),
    "python": ("docs/planted.py", "import osHERE\n", "F401", "  # no" "qa: F401"),
    "types": ("docs/planted.py", 'x: int = ""\n', "assignment", ""),
    "spelling": ("docs/planted.md", "t" "eh end\n", "spelling", ""),
    "text": ("docs/planted.md", "an end \n", "text-space", ""),
}
TOOLS = {"format": "clang-format-14", "tidy": "clang-tidy", "analyzer": "gcc",
         "cppcheck": "cppcheck", "shell": "shellcheck", "spelling": "codespell"}
MODULES = {"python": "flake8", "types": "mypy"}
IN_SOURCE = [part for part, planted in PLANTED.items() if planted[3]]
REASONED = {"shell": " # one word", "python": "  (it has an effect)"}


@pytest.fixture(name="tree")
def make_tree(tmp_path: Path) -> Path:
    """A project of two sources, with the checks and settings of this one."""
    tree = tmp_path / "tree"
    for name in ("checks", "kernel", "docs", "harness", "kernel/host_tests", ".ci"):
        (tree / name).mkdir(parents=True)
    for name in ("findings.py", "tools.py", "lint.py"):
        shutil.copy(HERE / name, tree / "checks" / name)
    for name in (".clang-tidy", ".clang-format", "harness/pyproject.toml"):
        shutil.copy(HERE.parent / name, tree / name)
    (tree / "checks/exceptions.txt").write_text("# none\n")
    (tree / "harness/empty.py").write_text("")
    (tree / ".ci/rules.py").write_text("")
    (tree / "kernel/host_tests/bare.py").write_text("")
    for name in ("main.c", "planted_test.c"):
        (tree / "kernel" / name).write_text(HEAD)
    write_build(tmp_path / "build", tree)
    return tree


def write_build(folder: Path, tree: Path) -> None:
    """As Meson writes it, with the flags of the real kernel."""
    folder.mkdir()
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    words = next(shlex.split(each["command"]) for each in commands
                 if each["file"].endswith("kernel/main.c"))
    made = []
    for name in ("main.c", "planted_test.c"):
        file = str(tree / "kernel" / name)
        made.append({"directory": str(folder), "file": file,
                     "command": shlex.join([*words[:words.index("-c") + 1], file])})
    (folder / "compile_commands.json").write_text(json.dumps(made))


def lint(tree: Path, *parts: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": path} if path else None
    return subprocess.run([sys.executable, str(tree / "checks/lint.py"), str(tree.parent / "build"),
                           *parts], capture_output=True, text=True, env=environment, check=False)


def need(part: str) -> None:
    """Skips without the part's tool; in CI, with FAULTLINE_ALL_COMPILERS, nothing is skipped."""
    if "FAULTLINE_ALL_COMPILERS" in os.environ:
        return
    if part in TOOLS and not shutil.which(TOOLS[part]):
        pytest.skip(f"there is no {TOOLS[part]} (./dev install ci)")
    if part in MODULES:
        pytest.importorskip(MODULES[part])


def plant(tree: Path, part: str, comment: str = "") -> str:
    path, text, check, _ = PLANTED[part]
    above = comment + "\n" if comment else ""
    text = text.replace("HERE", comment).replace("ABOVE", above)
    (tree / path).write_text((HEAD if path.endswith(".c") else "") + text)
    return check


@pytest.mark.parametrize("part", PLANTED)
def test_planted_fault_is_found(tree: Path, part: str) -> None:
    need(part)
    before = lint(tree, part)
    assert (before.returncode, before.stderr) == (0, ""), before.stdout
    assert re.search(rf"^lint {part} +clean ", before.stdout, re.MULTILINE)
    check = plant(tree, part)
    after = lint(tree, part)
    assert after.returncode == 1
    assert re.search(rf"^{re.escape(PLANTED[part][0])}:\d+: .* \[{check}\]$", after.stdout,
                     re.MULTILINE), after.stdout
    assert re.search(rf"^lint {part} +1 found ", after.stdout, re.MULTILINE)


def comments(part: str) -> Iterator[str]:
    """The exception, with a reason and without."""
    bare = PLANTED[part][3]
    yield bare + REASONED.get(part, ": meant")
    yield bare


@pytest.mark.parametrize("part", IN_SOURCE)
def test_exception_in_the_source(tree: Path, part: str) -> None:
    need(part)
    reasoned, bare = comments(part)
    plant(tree, part, reasoned)
    assert lint(tree, part).returncode == 0
    plant(tree, part, bare)
    said = lint(tree, part)
    assert said.returncode == 1
    assert "gives no reason [exception-without-reason]" in said.stdout


@pytest.mark.parametrize("part", IN_SOURCE)
def test_exception_that_is_not_needed(tree: Path, part: str) -> None:
    need(part)
    reasoned, _ = comments(part)
    head = {"shell": "#!/bin/sh\n", "python": ""}.get(part, HEAD)
    rest = {"shell": "\necho hello\n", "python": "\n"}.get(part, "\n")
    (tree / PLANTED[part][0]).write_text(head + reasoned.strip() + rest)
    said = lint(tree, part)
    assert said.returncode == 1, said.stdout
    assert f"{PLANTED[part][2]} finds nothing here any more" in said.stdout
    others = [each for each in ("text", "spelling") if shutil.which("codespell") or each == "text"]
    assert lint(tree, *others).returncode == 0, "an exception is the business of its own part"


def test_exception_in_the_table(tree: Path) -> None:
    plant(tree, "text")
    table = tree / "checks/exceptions.txt"
    table.write_text("text-space | docs/*.md | end of a line | two of them break a line\n")
    assert lint(tree, "text").returncode == 0
    table.write_text("text-space | docs/*.md | something else | two of them break a line\n")
    said = lint(tree, "text").stdout
    assert "docs/planted.md:1: spaces" in said
    assert "checks/exceptions.txt:1: text-space finds nothing here" in said
    table.write_text("text-space | docs/*.md\n")
    assert "gives no reason" in lint(tree, "text").stdout


@pytest.mark.parametrize("line, check", [
    ("a\tb\n", "text-tab"), ("no end", "text-end"), ("two ends\n\n", "text-end")])
def test_text(tree: Path, line: str, check: str) -> None:
    (tree / "docs/planted.md").write_text(line)
    assert f"[{check}]" in lint(tree, "text").stdout


def test_width(tree: Path) -> None:
    (tree / "kernel/main.c").write_text(f"// {'x' * 97}\n")
    assert lint(tree, "text").returncode == 0
    (tree / "kernel/main.c").write_text(f"// {'x' * 98}\n")
    assert "kernel/main.c:1: 101 columns, 100 are right [text-width]" in lint(tree, "text").stdout


@pytest.mark.parametrize("part", TOOLS)
def test_missing_tool_is_an_error(tree: Path, part: str) -> None:
    said = lint(tree, part, "text", path=str(tree))
    assert said.returncode == 2 and said.stderr == ""
    assert re.search(rf"^lint {part} +can't be made: .* apt install [a-z0-9-]+$", said.stdout,
                     re.MULTILINE)
    assert re.search(r"^lint text +clean", said.stdout, re.MULTILINE), "the others are made"


def test_words_nobody_understands_are_no_silence(tree: Path) -> None:
    """A source that does not compile, for one: gcc names no check then."""
    need("analyzer")
    (tree / "kernel/planted_test.c").write_text("int f(\n")
    said = lint(tree, "analyzer")
    assert said.returncode == 1 and "[tool]" in said.stdout


def test_wrong_arguments_are_refused(tree: Path) -> None:
    said = lint(tree, "nosuch")
    assert said.returncode == 2 and "there is no part nosuch" in said.stderr
    (tree.parent / "build/compile_commands.json").unlink()
    said = lint(tree, "analyzer")
    assert said.returncode == 2 and "is no build folder of the project" in said.stdout
    assert "Traceback" not in said.stdout + said.stderr
