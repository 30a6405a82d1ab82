# SPDX-License-Identifier: MIT
"""Workflows as data, their expressions, and the runner of their steps."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Dict, List, Mapping, Sequence, Tuple

import pytest

from rehearse import choose, suite_of
from runner import Done, Runner
from workflows import Unclear, evaluate, expand, holds, read_workflow

ROOT = Path(__file__).resolve().parent.parent
CONTEXT = {"matrix": {"compiler": "clang", "shard": "2"}, "steps": {"run": {"outcome": "failure"}},
           "success": lambda: False, "failure": lambda: True, "cancelled": lambda: False}


class Here:
    """Steps run in a folder, with the environment that they are given and a PATH."""

    def __init__(self, folder: Path) -> None:
        self.workspace = str(folder / "workspace")
        self.temp = str(folder / "temp")
        for each in (self.workspace, self.temp):
            Path(each).mkdir()

    def outside(self, path: str) -> Path:
        return Path(path)

    def execute(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        return subprocess.run(command, cwd=self.workspace, check=False,
                              env={"PATH": "/usr/bin:/bin", **env}).returncode


def run(tmp_path: Path, steps: str, override: Mapping[str, str] = MappingProxyType({})
        ) -> List[Done]:
    """The steps of a job with this text, run in a folder."""
    path = tmp_path / "workflow.yml"
    path.write_text("env:\n  GREETING: hello\njobs:\n  only:\n    strategy:\n      matrix:\n"
                    "        shard: [1, 2]\n    steps:\n" + steps)
    workflow = read_workflow(path)
    return Runner(Here(tmp_path), ROOT, tmp_path / "artifacts", lambda text: None, override).run(
        workflow, workflow.job("only"), {"shard": "2"})


@pytest.mark.parametrize("text, value", [
    ("matrix.compiler == 'clang' && 'clang' || 'x86_64-elf'", "clang"),
    ("matrix.compiler == 'gcc' && 'gcc' || 'x86_64-elf'", "x86_64-elf"),
    ("!cancelled() && steps.run.outcome == 'failure'", True),
    ("(matrix.shard != 2) || failure()", True),
    ("matrix.absent", ""),
    ("'it''s'", "it's"),
])
def test_expressions_are_what_github_makes_of_them(text: str, value: object) -> None:
    assert evaluate(text, CONTEXT) == value


@pytest.mark.parametrize("text", ["secrets.TOKEN", "hashFiles('a')", "matrix.compiler ==", "a + b",
                                  "(matrix.shard", "matrix.shard 'x'", "matrix.shard()"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Unclear):
        evaluate(text, CONTEXT)


def test_a_step_without_a_status_function_runs_after_success_only() -> None:
    assert not holds("matrix.shard == 2", CONTEXT)
    assert holds("failure()", CONTEXT)
    assert holds("${{ !cancelled() }}", CONTEXT)
    assert not holds("", CONTEXT)
    assert expand("a ${{ matrix.shard }}/${{ matrix.shard }}", CONTEXT) == "a 2/2"


def test_steps_hand_on_outputs_environment_and_failures(tmp_path: Path) -> None:
    done = run(tmp_path, """
    - id: one
      env: {SHARD: "${{ matrix.shard }}"}
      run: |
        echo "said=$GREETING $SHARD" >>"$GITHUB_OUTPUT"
        echo LATER=yes >>"$GITHUB_ENV"
    - run: test "$LATER" = yes && test "$SAID" = "hello 2"
      env: {SAID: "${{ steps.one.outputs.said }}"}
    - run: "false"
    - run: echo it is not run
    - if: failure()
      run: echo it is
""")
    assert [each.outcome for each in done] == ["success", "success", "failure", "skipped",
                                               "success"]
    assert done[0].outputs == {"said": "hello 2"}


def test_an_override_goes_over_every_env(tmp_path: Path) -> None:
    done = run(tmp_path, "    - {run: 'test $GREETING = bye'}\n"
               "    - {run: 'test $GREETING = bye', env: {GREETING: no}}\n", {"GREETING": "bye"})
    assert [each.outcome for each in done] == ["success", "success"]


def test_pipefail_is_for_who_names_bash(tmp_path: Path) -> None:
    done = run(tmp_path, "    - run: false | true\n    - {run: false | true, shell: bash}\n")
    assert [each.outcome for each in done] == ["success", "failure"]


def test_artifacts_go_from_step_to_step(tmp_path: Path) -> None:
    done = run(tmp_path, """
    - run: mkdir -p build/deep; echo one >build/a; echo two >build/deep/b
    - uses: actions/upload-artifact@x
      with: {name: both, path: "build/a\\nbuild/deep\\n"}
    - uses: actions/download-artifact@x
      with: {name: both, path: back}
    - run: test "$(cat back/a back/deep/b)" = "$(printf 'one\\ntwo')"
    - uses: actions/upload-artifact@x
      with: {name: none, path: absent, if-no-files-found: error}
""")
    assert [each.outcome for each in done] == ["success"] * 4 + ["failure"]
    (tmp_path / "other").mkdir()
    (absent,) = run(tmp_path / "other",
                    "    - {uses: actions/download-artifact@x, with: {name: none}}\n")
    assert absent.outcome == "failure"


def test_foreign_actions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unclear, match="nothing is known here of what a/b does"):
        run(tmp_path, "    - uses: a/b@x\n")


def test_a_job_is_rehearsed_in_the_debian_that_it_names() -> None:
    workflow = read_workflow(ROOT / ".github/workflows/ci.yml")
    debian = workflow.job("debian")
    values: Dict[str, str] = choose(debian, {"suite": "sid", "image": "clang-O0"})
    assert suite_of(debian, values) == "sid"
    assert suite_of(workflow.job("build"), {}) == "bookworm"
    with pytest.raises(Unclear, match="its matrix is suite=bullseye"):
        choose(debian, {"suite": "woody"})
    with pytest.raises(Unclear, match="it has build, debian"):
        workflow.job("absent")


def rehearse(*words: str, path: str = "/usr/sbin:/usr/bin:/bin") -> Tuple[int, str]:
    done = subprocess.run([sys.executable, str(ROOT / ".ci/rehearse.py"), *words], check=False,
                          env={"PATH": path}, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_a_rehearsal_without_its_tools_says_so(tmp_path: Path) -> None:
    status, said = rehearse("build", path=str(tmp_path))
    assert status == 99
    assert said == ("rehearse: there is no mmdebstrap, no unshare, no chroot, no git: apt-get "
                    "install mmdebstrap util-linux coreutils git\n")


@pytest.mark.parametrize("words, said", [
    (("absent",), "ci.yml has no job absent; it has build"),
    (("build", "optimization=9"), "the job build has no such combination"),
    (("--workflow", "weekly", "build"), "weekly.yml can't be read: [Errno 2] No such file"),
])
def test_a_rehearsal_of_nothing_says_so(tmp_path: Path, words: Tuple[str, ...], said: str) -> None:
    for tool in ("mmdebstrap", "unshare", "chroot", "git"):
        (tmp_path / tool).symlink_to("/bin/false")
    status, told = rehearse(*words, path=str(tmp_path))
    assert status == 99
    assert said in told or os.geteuid() != 0 and "only the superuser" in told
