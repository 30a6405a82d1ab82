# SPDX-License-Identifier: MIT
"""The action's steps, run as GitHub's runner runs them, on the kernel of FAULTLINE_BUILD."""
from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Tuple

import pytest

from runner import Runner, enter
from test_workflows import Here
from workflows import expand, read_action

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("FAULTLINE_BUILD", ROOT / "build")).absolute()


@dataclass(frozen=True)
class Ran:
    outcomes: Mapping[str, str]
    outputs: Mapping[str, str]
    folder: Path

    @property
    def summary(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("temp/step-*/summary")))


def use(folder: Path, *env: Tuple[str, str], **inputs: str) -> Ran:
    """As a step of a workflow with these inputs."""
    place = Here(folder)
    action = read_action(ROOT / "action.yml")
    with tempfile.TemporaryDirectory(prefix="faultline-", dir="/tmp") as short:
        scope = enter(action, inputs, {"TMPDIR": short, **dict(env)}, str(ROOT))
        Runner(place, ROOT, folder / "artifacts", lambda text: None).steps(action.steps, scope)
    outputs: Dict[str, str] = {name: expand(value, scope.context())
                               for name, value in action.outputs.items()}
    return Ran({done.title: done.outcome for done in scope.done}, outputs, folder)


INSTALL = "Install what the harness needs"
RUN, KEEP = "Run the tests", "Keep the boots that failed"


def test_a_good_kernel_passes(tmp_path: Path) -> None:
    ran = use(tmp_path, kernel=str(BUILD / "faultline.elf"), iso=str(BUILD / "faultline.iso"),
              arguments="gdt.*\n--boot=grub\n\n-v\n", junit="deep.xml")
    assert ran.outcomes[RUN] == "success"
    assert ran.outcomes[KEEP] == "skipped"
    assert ran.outputs["verdict"] == "pass"
    assert int(ran.outputs["passed"]) > 0
    assert ran.outputs["failed"] == "0"
    report = xml.etree.ElementTree.parse(tmp_path / "workspace/deep.xml").getroot()
    assert len(list(report.iter("testcase"))) == int(ran.outputs["passed"])
    assert f"### Faultline: {ran.outputs['passed']} passed" in ran.summary


def test_a_kernel_whose_tests_fail_leaves_its_boots(tmp_path: Path) -> None:
    ran = use(tmp_path, kernel=str(BUILD / "faultline-selftest.elf"), artifact="kept",
              arguments="lesson.adds_numbers")
    assert ran.outcomes[RUN] == "failure"
    assert ran.outcomes[KEEP] == "success"
    assert ran.outputs["verdict"] == "fail"
    assert int(ran.outputs["failed"]) > 0
    assert list((tmp_path / "artifacts/kept").rglob("protocol.log"))
    assert list((tmp_path / "artifacts/kept").rglob("faultline.xml"))
    assert "failed" in ran.summary


def test_errors_alone_say_nothing_of_the_code(tmp_path: Path) -> None:
    ran = use(tmp_path, kernel=str(BUILD / "faultline-selftest.elf"),
              arguments="opposite.skip_with_a_line_break")
    assert ran.outcomes[RUN] == "failure"
    assert (ran.outputs["verdict"], ran.outputs["failed"]) == ("error", "1")


def test_who_wants_no_artifact_gets_none(tmp_path: Path) -> None:
    ran = use(tmp_path, kernel="absent.elf", artifact="")
    assert ran.outcomes[KEEP] == "skipped"


@pytest.mark.parametrize("inputs", [
    {"kernel": "absent.elf"},
    {"kernel": str(BUILD / "faultline.elf"), "arguments": "--no-such-option"},
    {"kernel": str(BUILD / "faultline.elf"), "arguments": "no_such_test"},
])
def test_a_run_that_says_nothing_of_the_kernel_is_an_error(tmp_path: Path, inputs: Dict[str, str]
                                                           ) -> None:
    ran = use(tmp_path, **inputs)
    assert ran.outcomes[RUN] == "failure"
    assert ran.outputs["verdict"] == "error"
    assert (ran.outputs["passed"], ran.outputs["failed"]) == ("0", "0")


@pytest.mark.parametrize("name", ["kernel", "iso", "arguments", "junit"])
@pytest.mark.parametrize("command", ['"; touch spoiled; "', "$(touch spoiled)", "`touch spoiled`",
                                     "'; touch spoiled; '", "; touch spoiled #"])
def test_no_input_is_a_command(tmp_path: Path, name: str, command: str) -> None:
    ran = use(tmp_path, **{"kernel": "absent.elf", name: command})
    assert ran.outcomes[RUN] == "failure"
    assert not (tmp_path / "workspace/spoiled").exists()


def apt_that_writes_down(tmp_path: Path) -> Path:
    """In place of apt-get and sudo; what it is told, one word a line. It installs nothing."""
    said = tmp_path / "said"
    for name in ("apt-get", "sudo"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{said}\n')
        program.chmod(0o755)
    return said


def test_what_is_there_is_not_installed(tmp_path: Path) -> None:
    said = apt_that_writes_down(tmp_path)
    ran = use(tmp_path, ("PATH", f"{tmp_path}/bin:/usr/bin:/bin"), kernel="absent.elf")
    assert ran.outcomes[INSTALL] == "success"
    assert not said.exists()


@pytest.mark.parametrize("packages", [
    "absent-package", "qemu-system-x86\n  absent-package\n", "-oAPT::Update::Pre-Invoke::=false",
    "$(touch${IFS}spoiled)", "*"])
def test_packages_are_names_and_nothing_else(tmp_path: Path, packages: str) -> None:
    said = apt_that_writes_down(tmp_path)
    use(tmp_path, ("PATH", f"{tmp_path}/bin:/usr/bin:/bin"), kernel="absent.elf",
        packages=packages)
    words = said.read_text().splitlines()
    assert words[words.index("--") + 1:] == [*packages.split(), "python3", "python3-pexpect",
                                             "python3-pyelftools"]
    assert not (tmp_path / "workspace/spoiled").exists()


def test_packages_that_cannot_be_had_are_a_failure(tmp_path: Path) -> None:
    said = apt_that_writes_down(tmp_path)
    for name in ("apt-get", "sudo"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 100\n")
    ran = use(tmp_path, ("PATH", f"{tmp_path}/bin:/usr/bin:/bin"), kernel="absent.elf",
              packages="absent-package")
    assert ran.outcomes[INSTALL] == "failure"
    assert ran.outcomes[RUN] == ran.outcomes[KEEP] == "skipped"
    assert not said.exists()
