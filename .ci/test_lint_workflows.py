# SPDX-License-Identifier: MIT
"""Each linter sees what is planted, and nothing in what is there."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable, List

import pytest

import lint_workflows as lint
import rules
from rules import Finding
from workflows import read_action, read_workflow

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / ".github/workflows/ci.yml"
ACTIONS = {"./": read_action(ROOT / "action.yml")}
Plant = Callable[[str, str], List[str]]


@pytest.fixture(scope="session")
def project() -> rules.Project:
    return lint.project_of(ROOT, lint.tracked(ROOT))


@pytest.fixture
def plant(tmp_path: Path, project: rules.Project) -> Plant:
    """What our own rules say of ci.yml with something else in it."""
    def planted(old: str, new: str) -> List[str]:
        text = CI.read_text()
        assert old in text
        path = tmp_path / "ci.yml"
        path.write_text(text.replace(old, new, 1))
        workflow = read_workflow(path)
        steps = [step for job in workflow.jobs for step in job.steps]
        texts = {"ci.yml": path.read_text()}
        return [str(found) for found in (*rules.pins("ci.yml", texts["ci.yml"]),
                                         *rules.disagreements(texts),
                                         *lint.of_workflow(workflow, ACTIONS, project),
                                         *rules.injections("ci.yml", steps))]
    return planted


CHECKOUT = "uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"


@pytest.mark.parametrize("old, new, said", [
    (CHECKOUT, "uses: actions/checkout@v7 # v7.0.1", "actions/checkout@v7 is not pinned"),
    (CHECKOUT, CHECKOUT.partition(" #")[0], "does not say its version"),
    (CHECKOUT, CHECKOUT.replace("3d3c", "3d3d"), "elsewhere it is actions/checkout@3d3d"),
    (CHECKOUT, '"uses": actions/checkout@v7', "write it as `uses: NAME@HASH"),
    ("permissions: {}", "permissions: read-all", "has to say `permissions: {}`"),
    ("    permissions:\n      contents: read\n", "", "the job build does not say"),
    ("    timeout-minutes: 20\n", "", "the job build has no timeout-minutes"),
    ("run: sudo ./dev install ci", "run: sudo ./dev install ${{ matrix.compiler }}",
     "has an expression in its script"),
    ("sudo ./dev install ci", "sudo ./dev instal ci", "./dev has no command 'instal'"),
    ("sudo ./dev install ci", "sudo ./dev install cy", "knows nothing of 'cy'"),
    ("sudo ./dev install ci", "sudo ./devs install ci", "there is no devs"),
    ("cross/x86_64-elf.ini", "cross/x86-elf.ini", "there is no cross/x86-elf.ini"),
    ("'clang' || 'x86_64-elf'", "'clang' || 'gcc'", "there is no cross/gcc.ini"),
    ('optimization: ["0", "2"]', 'optimization: ["0", "4"]', "optimization has no value '4'"),
    ("-Dktest=true", "-Dktests=true", "Meson has no option ktests"),
    ("-Dktest=true", "-Dktest=yes", "ktest has no value 'yes'"),
    ("sanitizer: [kasan,", "sanitizer: [tsan,", "Meson has no option tsan"),
    ("test_sanitizers.py", "test_tsan.py", "there is no kernel/host_tests/test_tsan.py"),
    ("--no-suite proof", "--no-suite proofs", "no test is in a suite 'proofs'"),
    ("build lint", "build limt", "nothing of that name is built: limt"),
    ("build faultline.elf", "build faultlines.elf",
     "nothing of that name is built: faultlines.elf"),
    ("--isolate=boot", "--isolated=boot", "harness/run.py has no option --isolated"),
    ("--speed=normal", "--speeds=normal", "harness/run.py has no option --speeds"),
    ("          kernel: image", "          kernle: image", "action.yml has no input kernle"),
    ("          kernel: image", "          kernle: image", "action.yml needs the input kernel"),
    ("uses: ./\n", "uses: ./here\n", "there is no action in ./here"),
    ("artifact: grub-", "artifact: direct-", "is made twice"),
    ("    needs: build\n", "", "which no job makes that it needs"),
    ("name: image-${{ matrix.image }}", "name: images-${{ matrix.image }}",
     "fetches images-gcc-O0"),
])
def test_our_own_rules_see_what_is_planted(plant: Plant, old: str, new: str, said: str) -> None:
    assert any(said in line for line in plant(old, new))


def test_our_own_rules_have_nothing_to_say(plant: Plant) -> None:
    assert plant("name: ci", "name: ci") == []


def test_values_of_an_axis_are_looked_up(project: rules.Project) -> None:
    words = ["harness/matrix.py", "--only", "qemu=woody", "--only", "boot=grub"]
    assert list(rules.of_command(words, project)) == ["harness/matrix.py has no qemu=woody"]


@pytest.mark.parametrize("file, old, new, tool, said", [
    (".github/workflows/ci.yml", "${{ matrix.image }}", "${{ matrix.imago }}", "actionlint",
     "imago"),
    (".github/workflows/ci.yml", "steps.probe.outputs", "steps.prob.outputs", "actionlint",
     "prob"),
    (".github/workflows/ci.yml", "if: failure()", "if: failed()", "actionlint", "failed"),
    (".github/workflows/ci.yml", "runs-on: ubuntu-latest", "runs-on: ubuntu-tomorrow",
     "actionlint", "ubuntu-tomorrow"),
    (".github/workflows/nightly.yml", "workflow_dispatch", "workflow_despatch", "actionlint",
     "workflow_despatch"),
    (".github/workflows/ci.yml", "container: debian:12", "container: [debian]", "schema",
     "container"),
    ("action.yml", "shell: bash", "shel: bash", "schema", "shell"),
    ("action.yml", "required: true", "require: true", "schema", "require"),
    ("action.yml", "using: composite", "using: composed", "schema", "using"),
])
def test_linters_of_others_see_what_is_planted(tmp_path: Path, file: str, old: str, new: str,
                                               tool: str, said: str) -> None:
    lint.install_linters()
    text = (ROOT / file).read_text()
    assert old in text
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new))
    found = lint.by_linters(tmp_path, [file])
    assert any(each.tool == tool and said in each.message and each.file == file for each in found)


def test_shellcheck_reads_scripts_of_steps_at_their_lines() -> None:
    text = "steps:\n- run: |\n    cd $1\n- run: echo $2\n"
    path = ROOT / "action.yml"
    step = read_action(path).steps[0]
    steps = [replace(step, run=run) for run in ("cd $1\n", "echo $2\n")]
    found = [each for script, line in lint.run_blocks(text, steps)
             for each in lint.by_shellcheck(ROOT, script, "x.yml", line)]
    assert {(each.line, each.tool) for each in found} == {(3, "shellcheck"), (4, "shellcheck")}
    assert any("SC2086" in each.message for each in found)


def test_scripts_are_known_by_their_first_line() -> None:
    assert {"dev", ".ci/run"} <= set(lint.scripts(ROOT, lint.tracked(ROOT)))
    assert "harness/run.py" not in lint.scripts(ROOT, lint.tracked(ROOT))


def command(linter: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(linter)], check=False, capture_output=True,
                          text=True, env={**os.environ, **env})


def copy(tmp_path: Path) -> Path:
    """Of the repository, known to git."""
    for file in lint.tracked(ROOT):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path / ".ci/lint_workflows.py"


def test_a_missing_linter_is_said(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to("/usr/bin/git")
    done = command(ROOT / ".ci/lint_workflows.py", PATH=str(tmp_path / "bin"))
    assert done.returncode == 99
    assert done.stderr == ("lint: there is no node: ./dev install lint, or apt-get install "
                           "nodejs\n")


def test_a_download_that_fails_is_said(tmp_path: Path) -> None:
    done = command(copy(tmp_path), npm_config_registry="http://127.0.0.1:9/",
                   npm_config_cache=str(tmp_path / "cache"), npm_config_fetch_retries="0")
    assert done.returncode == 99
    assert done.stderr.startswith("lint: npm could not install the linters of .ci/linters; it says")
    assert "Traceback" not in done.stderr


def test_a_package_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    linter = copy(tmp_path)
    lock = tmp_path / ".ci/linters/package-lock.json"
    lock.write_text(lock.read_text().replace("sha512-tNx8", "sha512-tNx9"))
    done = command(linter, npm_config_cache=str(tmp_path / "cache"))
    assert done.returncode == 99
    assert "EINTEGRITY" in done.stderr


def test_the_command_fails_for_a_finding(tmp_path: Path) -> None:
    linter = copy(tmp_path)
    shutil.copytree(lint.LINTERS / "node_modules", tmp_path / ".ci/linters/node_modules")
    (tmp_path / "bad.sh").write_text("#!/bin/sh\ncd $1\n")
    done = command(linter)
    assert done.returncode == 1
    assert "bad.sh:2: Double quote to prevent globbing" in done.stdout
    assert "lint: 3 workflows and actions" in done.stdout


def test_a_finding_says_where() -> None:
    assert str(Finding("a", 0, "t", "m")) == "a: m [t]"
    assert str(Finding("a", 3, "t", "m")) == "a:3: m [t]"
