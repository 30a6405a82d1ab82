# SPDX-License-Identifier: MIT
"""What no linter of workflows asks: pins, permissions, time limits, artifacts, and whether the
files, options and suites that a command names are there."""
from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, Sequence, Set, Tuple

from workflows import Action, Job, Step, Unclear, Workflow, environment, expand

USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<what>\S+)(?:\s+#\s*(?P<version>\S+))?\s*$")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
VERSION = re.compile(r"v\d+\.\d+\.\d+")
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
SEPARATORS = frozenset((";", "&", "&&", "|", "||", "(", ")", "\n", "{", "}", "!", "then", "do",
                        "if", "else", "elif", "while"))
BUILT_IN = {"optimization": ("plain", "0", "g", "1", "2", "3", "s"), "werror": ("true", "false"),
            "b_coverage": ("true", "false"), "buildtype": ("plain", "debug", "debugoptimized",
                                                           "release", "minsize")}


@dataclass(frozen=True)
class Finding:
    file: str
    line: int  # 0: the file as a whole
    tool: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message} [{self.tool}]"


@dataclass(frozen=True)
class Project:
    """What commands may name."""

    files: FrozenSet[str]  # from the repository's root
    options: Mapping[str, Tuple[str, ...]]  # Meson's, with their values
    built: FrozenSet[str]  # names that meson.build files give to what is built
    suites: FrozenSet[str]  # of meson test
    verbs: FrozenSet[str]  # of ./dev
    scopes: FrozenSet[str]  # of ./dev install
    help_of: Callable[[str], str]  # what a command of the project prints for --help

    @property
    def folders(self) -> Set[str]:
        return {str(folder) for file in self.files for folder in Path(file).parents}


def meson_options(text: str) -> Dict[str, Tuple[str, ...]]:
    """Of meson_options.txt, with those of Meson's own that we use."""
    found: Dict[str, Tuple[str, ...]] = dict(BUILT_IN)
    for name, rest in re.findall(r"option\('(\w+)',(.*?)\)\n", text + "\n", re.DOTALL):
        choices = re.search(r"choices: \[(.*?)\]", rest)
        values = {"boolean": ("true", "false"), "feature": ("enabled", "disabled", "auto")}
        kind = re.search(r"type: '(\w+)'", rest)
        found[name] = (tuple(re.findall(r"'([^']*)'", choices[1])) if choices
                       else values.get(kind[1] if kind else "", ()))
    return found


def suites_of(text: str) -> FrozenSet[str]:
    """That the text of meson.build files speaks of."""
    said = re.findall(r"\bsuites?(?::|\s*\+?=)\s*(\[[^\]]*\]|'[^']*')", text)
    return frozenset(name for words in said for name in re.findall(r"'([\w-]+)'", words))


# --- Each file ------------------------------------------------------------------------------------


def pins(file: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        match = USES.match(line)
        if not match or match["what"].startswith("./"):
            if not match and re.match(r"\s*(?:- )?['\"]?uses['\"]?\s*:", line):
                yield Finding(file, number, "pins", "write it as `uses: NAME@HASH # vN.N.N`")
            continue
        if not PINNED.fullmatch(match["what"]):
            yield Finding(file, number, "pins",
                          f"{match['what']} is not pinned: a tag moves, 40 digits of a hash do not")
        if not VERSION.fullmatch(match["version"] or ""):
            yield Finding(file, number, "pins",
                          f"{match['what']} does not say its version: # vN.N.N")


def disagreements(texts: Mapping[str, str]) -> Iterator[Finding]:
    """One action, one hash: a half of an update is a mistake."""
    first: Dict[str, str] = {}
    for file, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            match = USES.match(line)
            name, at, _ = match["what"].partition("@") if match else ("", "", "")
            if match and at and first.setdefault(name, match["what"]) != match["what"]:
                yield Finding(file, number, "pins", f"elsewhere it is {first[name]}")


def rights(workflow: Workflow) -> Iterator[Finding]:
    file = str(workflow.path)
    if workflow.permissions != {}:
        yield Finding(file, 0, "permissions",
                      "the workflow has to say `permissions: {}`: jobs say what they need")
    for job in workflow.jobs:
        if not isinstance(job.permissions, dict):
            yield Finding(file, 0, "permissions", f"the job {job.id} does not say each of its own")
        if not re.fullmatch(r"[1-9]\d*", job.timeout):
            yield Finding(file, 0, "time", f"the job {job.id} has no timeout-minutes")


def injections(file: str, steps: Sequence[Step]) -> Iterator[Finding]:
    for step in steps:
        if "${{" in step.run:
            yield Finding(file, 0, "injection", f"the step '{step.title}' has an expression in its "
                          "script: hand it over by env")


# --- Artifacts ------------------------------------------------------------------------------------


def artifacts(workflow: Workflow, actions: Mapping[str, Action]) -> Iterator[Finding]:
    """Each name is taken once in a run of a workflow, and fetched behind the job that makes it."""
    file = str(workflow.path)
    made: Dict[str, str] = {}
    for job in workflow.jobs:
        for kind, name in _artifacts(workflow, job, actions):
            if kind == "upload" and name in made:
                yield Finding(file, 0, "artifacts",
                              f"the artifact {name} is made twice: by {made[name]} and {job.id}")
            elif kind == "upload":
                made[name] = job.id
    for job in workflow.jobs:
        for kind, name in _artifacts(workflow, job, actions):
            if kind == "download" and made.get(name) not in job.needs:
                yield Finding(file, 0, "artifacts", f"the job {job.id} fetches {name}, which no "
                              "job makes that it needs")


def _artifacts(workflow: Workflow, job: Job, actions: Mapping[str, Action]
               ) -> Iterator[Tuple[str, str]]:
    for values in job.combinations():
        context = _context(workflow, job, values)
        for step in job.steps:
            name = expand(step.inputs.get("name", ""), context)
            for kind in ("upload", "download"):
                if step.uses.startswith(f"actions/{kind}-artifact@"):
                    yield kind, name
            action = actions.get(step.uses)
            if action and "artifact" in action.inputs:
                said = step.inputs.get("artifact", action.inputs["artifact"])
                yield "upload", expand(said, context)


def _context(workflow: Workflow, job: Job, values: Mapping[str, str]
             ) -> Dict[str, Mapping[str, str]]:
    return {"matrix": values, "env": environment((workflow.env, job.env), {"matrix": values})}


# --- What commands name ---------------------------------------------------------------------------


def names(workflow: Workflow, actions: Mapping[str, Action], project: Project) -> List[Finding]:
    """All that is wrong in some combination of a job's matrix, each thing once."""
    found: Dict[str, Finding] = {}
    for job in workflow.jobs:
        for values in job.combinations():
            for step in job.steps:
                for message in _of_step(workflow, job, step, values, actions, project):
                    text = f"the job {job.id}, step '{step.title}': {message}"
                    found[text] = Finding(str(workflow.path), 0, "names", text)
    return list(found.values())


def _of_step(workflow: Workflow, job: Job, step: Step, values: Mapping[str, str],
             actions: Mapping[str, Action], project: Project) -> Iterator[str]:
    context = _context(workflow, job, values)
    if step.uses.startswith("./"):
        if step.uses not in actions:
            yield f"there is no action in {step.uses}"
        else:
            yield from _of_action(step, actions[step.uses], context, project)
    env = environment((workflow.env, job.env, step.env), context) if step.run else {}
    for command in commands(step.run, env):
        yield from of_command(command, project)


def _of_action(step: Step, action: Action, context: Mapping[str, Mapping[str, str]],
               project: Project) -> Iterator[str]:
    for name in step.inputs:
        if name not in action.inputs:
            yield f"{action.path.name} has no input {name}"
    for name in action.required:
        if name not in step.inputs:
            yield f"{action.path.name} needs the input {name}"
    words = expand(step.inputs.get("arguments", ""), context).splitlines()
    yield from of_command(["harness/run.py", *filter(None, words)], project)


def commands(script: str, env: Mapping[str, str]) -> Iterator[List[str]]:
    """The words of each simple command, with what is known of its variables; without texts that
    are fed to one."""
    known = VARIABLE.sub(lambda match: env.get(match[1] or match[2], match[0]), script)
    lines = re.sub(r"(<<'?(\w+)'?[^\n]*\n).*?^\s*\2$", r"\1", known, flags=re.DOTALL | re.MULTILINE)
    for line in lines.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.commenters = "" if "$((" in line or "${#" in line else "#"
        command: List[str] = []
        try:
            for word in [*lexer, ";"]:
                if word in SEPARATORS:
                    yield from [command] if command else []
                    command = []
                else:
                    command.append(word)
        except ValueError as error:
            raise Unclear(f"the line '{line.strip()}' can't be read: {error}") from error


def of_command(words: Sequence[str], project: Project) -> Iterator[str]:
    if words[:1] != ["ninja"]:
        yield from _files(words, project)
    while words and (words[0] == "sudo" or re.fullmatch(r"\w+=.*", words[0])):
        words = words[1:]
    if not words:
        return
    program = words[0].lstrip("./") if words[0] == "./dev" else words[0]
    if program == "meson":
        yield from _meson(words[1:], project)
    elif program == "ninja":
        yield from _ninja(words[1:], project)
    elif program == "dev":
        yield from _dev(words[1:], project)
    elif program.endswith(".py") and program in project.files:
        yield from _python(program, words[1:], project)


def _files(words: Sequence[str], project: Project) -> Iterator[str]:
    tops = {file.partition("/")[0] for file in project.files}
    for word in words:
        path = word[2:] if word.startswith("./") else word
        top = path.partition("/")[0]
        if (word.startswith("./") or "/" in path and top in tops) and not set(path) & set("*?$"):
            if path not in project.files and path not in project.folders:
                yield f"there is no {path}"


def _meson(words: Sequence[str], project: Project) -> Iterator[str]:
    for word, behind in zip(words, [*words[1:], ""]):
        if word.startswith("-D"):
            name, equals, value = word[2:].partition("=")
            if name not in project.options:
                yield f"Meson has no option {name} here"
            elif not equals or value not in project.options[name]:
                yield f"Meson's option {name} has no value '{value}'"
        if word in ("--suite", "--no-suite") and behind not in project.suites:
            yield f"no test is in a suite '{behind}'"


def _ninja(words: Sequence[str], project: Project) -> Iterator[str]:
    for before, word in zip(["", *words], words):
        name = Path(word).name
        if not word.startswith("-") and not before.startswith("-"):
            if not {name, name.partition(".")[0]} & project.built:
                yield f"nothing of that name is built: {word}"


def _dev(words: Sequence[str], project: Project) -> Iterator[str]:
    if not words or words[0] not in project.verbs:
        yield f"./dev has no command '{' '.join(words[:1])}'"
    elif words[0] == "install":
        for word in words[1:]:
            if word not in project.scopes:
                yield f"./dev install knows nothing of '{word}'"


def _python(program: str, words: Sequence[str], project: Project) -> Iterator[str]:
    """Options and, where the help names them, the values of AXIS=VALUE."""
    about = project.help_of(program)
    axes = {axis: values.split("|") for axis, values in re.findall(r"(\w+)=([\w|]+\|\w+)", about)}
    for word in words:
        option = word.partition("=")[0]
        axis, equals, value = word.partition("=")
        if option.startswith("--") and not re.search(rf"{option}(?![\w-])", about):
            yield f"{program} has no option {option}"
        if equals and axis in axes and value not in axes[axis]:
            yield f"{program} has no {word}"
