# SPDX-License-Identifier: MIT
"""Runs the steps of a job as GitHub's runner does, as far as a machine without GitHub can.

A `run:` is executed in a Place; a composite action of this repository is entered; of the actions
of others, artifacts are kept in and fetched from a folder, and a checkout has been done before.
Source: "Workflow syntax", "Variables" and "Metadata syntax" at docs.github.com.
"""
from __future__ import annotations

import glob
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Protocol, Sequence

from workflows import Action, Job, Step, Unclear, Workflow, environment, expand, holds, read_action

SHELLS = {"": ("bash", "-e"), "sh": ("sh", "-e"),
          "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail")}
FILES = {"GITHUB_OUTPUT": "outputs", "GITHUB_ENV": "environment", "GITHUB_STEP_SUMMARY": "summary"}


class Place(Protocol):
    """Where steps run. Paths are those that the steps see; `outside` is how we reach one."""

    workspace: str
    temp: str

    def outside(self, path: str) -> Path: ...

    def execute(self, command: Sequence[str], env: Mapping[str, str]) -> int: ...


@dataclass(frozen=True)
class Done:
    title: str
    outcome: str  # success, failure, skipped
    outputs: Mapping[str, str]


@dataclass
class Scope:
    """The steps of a job, or of an action that a step of it uses."""

    names: Dict[str, Any]  # contexts of expressions
    env: Mapping[str, str]
    action_path: str = ""
    done: List[Done] = field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        return any(each.outcome == "failure" for each in self.done)

    def context(self) -> Dict[str, Any]:
        return {**self.names, "env": self.env, "success": lambda: not self.has_failed,
                "failure": lambda: self.has_failed, "cancelled": lambda: False,
                "always": lambda: True}


class Runner:
    """`override` goes over every `env:`, so that a long job can be made short."""

    def __init__(self, place: Place, root: Path, artifacts: Path, tell: Callable[[str], None],
                 override: Mapping[str, str] = MappingProxyType({})) -> None:
        self._override = override
        self._place = place
        self._root = root
        self._artifacts = artifacts
        self._tell = tell
        self._count = 0

    def run(self, workflow: Workflow, job: Job, values: Mapping[str, str]) -> List[Done]:
        """This job with these values of its matrix."""
        names: Dict[str, Any] = {"matrix": values, "steps": {},
                                 "github": {"ref": "refs/heads/main"}}
        scope = Scope(names, {})
        scope.env = environment((workflow.env, job.env, self._override), scope.context())
        self.steps(job.steps, scope)
        return scope.done

    def steps(self, steps: Sequence[Step], scope: Scope) -> None:
        for step in steps:
            title = expand(step.title, scope.context())
            if holds(step.condition, scope.context()):
                self._tell(f"--- {title}")
                done = self._step(step, title, scope)
            else:
                done = Done(title, "skipped", {})
            self._tell(f"--- {title}: {done.outcome}")
            scope.done.append(done)
            if step.id:
                scope.names["steps"][step.id] = {"outcome": done.outcome, "outputs": done.outputs,
                                                 "conclusion": done.outcome}

    def _step(self, step: Step, title: str, scope: Scope) -> Done:
        context = scope.context()
        inputs = {name: expand(value, context) for name, value in step.inputs.items()}
        env = {**scope.env, **environment((step.env, self._override), context)}
        name = step.uses.partition("@")[0]
        if step.run:
            return self._command(step, title, env, scope)
        if name.startswith("./"):
            return self._action(name, title, inputs, env)
        if name == "actions/checkout":
            return Done(title, "success", {})  # the Place has the files
        if name == "actions/upload-artifact":
            return Done(title, self._upload(inputs), {})
        if name == "actions/download-artifact":
            return Done(title, self._download(inputs), {})
        raise Unclear(f"nothing is known here of what {name} does")

    def _command(self, step: Step, title: str, env: Mapping[str, str], scope: Scope) -> Done:
        self._count += 1
        folder = f"{self._place.temp}/step-{self._count}"
        outside = self._place.outside(folder)
        outside.mkdir(mode=0o777)
        outside.chmod(0o777)
        script = expand(step.run, scope.context())
        for name in (*FILES.values(), "script"):
            (outside / name).write_text(script if name == "script" else "", encoding="utf-8")
            (outside / name).chmod(0o666)
        if step.shell not in SHELLS:
            raise Unclear(f"nothing is known here of the shell {step.shell}")
        status = self._place.execute(
            [*SHELLS[step.shell], f"{folder}/script"],
            {**env, **{name: f"{folder}/{file}" for name, file in FILES.items()},
             "GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_WORKSPACE": self._place.workspace,
             "RUNNER_TEMP": self._place.temp,
             **({"GITHUB_ACTION_PATH": scope.action_path} if scope.action_path else {})})
        scope.env = {**scope.env, **_assignments(outside / "environment")}
        return Done(title, "failure" if status else "success", _assignments(outside / "outputs"))

    def _action(self, name: str, title: str, given: Mapping[str, str], env: Mapping[str, str]
                ) -> Done:
        action = read_action(self._root / name / "action.yml")
        inner = enter(action, given, env, os.path.normpath(f"{self._place.workspace}/{name}"))
        self.steps(action.steps, inner)
        outputs = {name: expand(value, inner.context()) for name, value in action.outputs.items()}
        return Done(title, "failure" if inner.has_failed else "success", outputs)

    def _upload(self, inputs: Mapping[str, str]) -> str:
        found = [path for line in inputs["path"].splitlines() if line
                 for path in sorted(glob.glob(str(self._place.outside(
                     os.path.join(self._place.workspace, line)))))]
        target = self._artifacts / inputs["name"]
        self._tell(f"artifact {inputs['name']}: {len(found)} files or folders")
        if not found:
            return "failure" if inputs.get("if-no-files-found") == "error" else "success"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        top = os.path.commonpath([os.path.dirname(path) for path in found])
        for path in found:
            to = target / os.path.relpath(path, top)
            to.parent.mkdir(parents=True, exist_ok=True)
            if os.path.isdir(path):
                shutil.copytree(path, to, ignore=_no_regular_files)
            else:
                shutil.copy(path, to)
        return "success"

    def _download(self, inputs: Mapping[str, str]) -> str:
        source = self._artifacts / inputs["name"]
        if not source.is_dir():
            self._tell(f"there is no artifact {inputs['name']}: run the job first that makes it")
            return "failure"
        target = self._place.outside(os.path.join(self._place.workspace, inputs.get("path", ".")))
        shutil.copytree(source, target, dirs_exist_ok=True)
        return "success"


def enter(action: Action, given: Mapping[str, str], env: Mapping[str, str], path: str) -> Scope:
    """The scope of an action's steps."""
    for name in given:
        if name not in action.inputs:
            raise Unclear(f"{action.path} has no input {name}")
    for name in action.required:
        if name not in given:
            raise Unclear(f"{action.path} needs the input {name}")
    return Scope({"inputs": {**action.inputs, **given}, "steps": {}}, env, path)


def _no_regular_files(folder: str, names: List[str]) -> List[str]:
    """Sockets and pipes of a machine that is gone."""
    paths = {name: os.path.join(folder, name) for name in names}
    return [name for name, path in paths.items()
            if not os.path.isfile(path) and not os.path.isdir(path)]


def _assignments(path: Path) -> Dict[str, str]:
    """Lines NAME=VALUE; of the longer form ours make no use."""
    found: Dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if not equals or "<<" in name:
            raise Unclear(f"a step wrote '{line}', which is no NAME=VALUE")
        found[name] = value
    return found
