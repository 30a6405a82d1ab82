# SPDX-License-Identifier: MIT
"""Workflows and composite actions of GitHub as data, and what ours use of its expressions.

What is not understood is refused and never guessed: an Unclear names the place.
Source: "Workflow syntax" and "Evaluate expressions" at docs.github.com.
"""
from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

import yaml

Context = Mapping[str, Any]  # the root of an expression's names: matrix, steps, inputs, …


class Unclear(Exception):
    """Something in a workflow that this reader does not know; says so in a sentence."""


@dataclass(frozen=True)
class Step:
    title: str
    id: str
    uses: str
    run: str
    shell: str  # empty: GitHub's default, bash -e
    condition: str
    env: Mapping[str, str]
    inputs: Mapping[str, str]  # `with:`


@dataclass(frozen=True)
class Job:
    id: str
    runs_on: str
    container: str
    needs: Tuple[str, ...]
    timeout: str  # empty: none is said
    permissions: Any  # None: none are said
    env: Mapping[str, str]
    matrix: Mapping[str, Tuple[str, ...]]
    steps: Tuple[Step, ...]

    def combinations(self) -> Iterator[Dict[str, str]]:
        """The values of the matrix, one set for each run of this job."""
        for values in itertools.product(*self.matrix.values()):
            yield dict(zip(self.matrix, values))


@dataclass(frozen=True)
class Workflow:
    path: Path
    permissions: Any
    env: Mapping[str, str]
    jobs: Tuple[Job, ...]

    def job(self, name: str) -> Job:
        for job in self.jobs:
            if job.id == name:
                return job
        raise Unclear(f"{self.path} has no job {name}; it has "
                      f"{', '.join(job.id for job in self.jobs)}")


@dataclass(frozen=True)
class Action:
    path: Path
    inputs: Mapping[str, str]  # with their defaults
    required: Tuple[str, ...]
    outputs: Mapping[str, str]
    steps: Tuple[Step, ...]


# --- Reading --------------------------------------------------------------------------------------


def read_workflow(path: Path) -> Workflow:
    data = _document(path)
    jobs = tuple(_job(path, name, job) for name, job in _mapping(path, data, "jobs").items())
    return Workflow(path, data.get("permissions"), _words(path, data, "env"), jobs)


def read_action(path: Path) -> Action:
    data = _document(path)
    runs = _mapping(path, data, "runs")
    if runs.get("using") != "composite":
        raise Unclear(f"{path} is no composite action")
    inputs = _mapping(path, data, "inputs")
    return Action(path, {name: _text((about or {}).get("default", ""))
                         for name, about in inputs.items()},
                  tuple(name for name, about in inputs.items() if (about or {}).get("required")),
                  {name: _text(about["value"])
                   for name, about in _mapping(path, data, "outputs").items()},
                  _steps(path, runs))


def _document(path: Path) -> Dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Unclear(f"{path} can't be read: {error}") from error
    if not isinstance(data, dict):
        raise Unclear(f"{path} is no mapping")
    return data


def _mapping(path: Path, data: Any, name: str) -> Dict[str, Any]:
    value = data.get(name) or {}
    if not isinstance(value, dict):
        raise Unclear(f"{path}: {name} is no mapping")
    return value


def _words(path: Path, data: Any, name: str) -> Dict[str, str]:
    return {key: _text(value) for key, value in _mapping(path, data, name).items()}


def _text(value: Any) -> str:
    """As it comes to a step: YAML's true is `true` there."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _job(path: Path, name: str, job: Any) -> Job:
    if not isinstance(job, dict):
        raise Unclear(f"{path}: the job {name} is no mapping")
    container = job.get("container", "")
    needs = job.get("needs", [])
    return Job(name, _text(job.get("runs-on")),
               _text(container.get("image") if isinstance(container, dict) else container),
               (needs,) if isinstance(needs, str) else tuple(needs),
               _text(job.get("timeout-minutes")), job.get("permissions"),
               _words(path, job, "env"), _matrix(path, name, job), _steps(path, job))


def _matrix(path: Path, name: str, job: Dict[str, Any]) -> Dict[str, Tuple[str, ...]]:
    axes = _mapping(path, _mapping(path, job, "strategy"), "matrix")
    for axis, values in axes.items():
        if axis in ("include", "exclude") or not isinstance(values, list):
            raise Unclear(f"{path}: the matrix of {name} has more than lists of values: {axis}")
    return {axis: tuple(_text(value) for value in values) for axis, values in axes.items()}


def _steps(path: Path, owner: Dict[str, Any]) -> Tuple[Step, ...]:
    steps = owner.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise Unclear(f"{path}: steps are no list of mappings")
    return tuple(Step(_text(step.get("name")) or _title(step), _text(step.get("id")),
                      _text(step.get("uses")), _text(step.get("run")), _text(step.get("shell")),
                      _text(step.get("if")), _words(path, step, "env"),
                      _words(path, step, "with"))
                 for step in steps)


def _title(step: Dict[str, Any]) -> str:
    said = (_text(step.get("run")) or _text(step.get("uses"))).splitlines()
    return said[0] if said else "a step without content"


# --- Expressions ----------------------------------------------------------------------------------

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)"
                   r"|(?P<sign>&&|\|\||==|!=|!|\(|\))|(?P<name>[A-Za-z_][\w.-]*))")
PLACE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def expand(template: str, context: Context) -> str:
    """The text with its `${{ … }}` replaced."""
    return PLACE.sub(lambda match: _text(evaluate(match[1], context)), template)


def holds(condition: str, context: Context) -> bool:
    """Whether a step with this `if:` runs; one that asks for no status runs after success only."""
    words = PLACE.sub(lambda match: match[1], condition)
    asks = re.search(r"\b(?:success|failure|cancelled|always)\(\)", words)
    if not asks and not context["success"]():
        return False
    return not words.strip() or bool(evaluate(words, context))


def evaluate(text: str, context: Context) -> Any:
    tokens = _tokens(text)
    value = _either(tokens, context)
    if tokens:
        raise Unclear(f"the expression '{text.strip()}' goes on behind its end: {tokens[0][1]}")
    return value


def _tokens(text: str) -> List[Tuple[str, str]]:
    found: List[Tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise Unclear(f"the expression '{text.strip()}' has more in it than this reader knows")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


Tokens = List[Tuple[str, str]]


def _either(tokens: Tokens, context: Context) -> Any:
    value = _both(tokens, context)
    while _take(tokens, "||"):
        other = _both(tokens, context)
        value = value or other
    return value


def _both(tokens: Tokens, context: Context) -> Any:
    value = _equal(tokens, context)
    while _take(tokens, "&&"):
        other = _equal(tokens, context)
        value = value and other
    return value


def _equal(tokens: Tokens, context: Context) -> Any:
    value = _one(tokens, context)
    for sign in ("==", "!="):
        if _take(tokens, sign):
            same = _text(value).lower() == _text(_one(tokens, context)).lower()
            return same == (sign == "==")
    return value


def _one(tokens: Tokens, context: Context) -> Any:
    if _take(tokens, "!"):
        return not _one(tokens, context)
    if _take(tokens, "("):
        value = _either(tokens, context)
        if not _take(tokens, ")"):
            raise Unclear("a ( of an expression is never closed")
        return value
    if not tokens or tokens[0][0] == "sign":
        raise Unclear("an expression ends where a value should be")
    kind, word = tokens.pop(0)
    if kind == "text":
        return word[1:-1].replace("''", "'")
    if kind == "number":
        return word
    return _named(word, tokens, context)


def _named(word: str, tokens: Tokens, context: Context) -> Any:
    if word in ("true", "false"):
        return word == "true"
    value: Any = context
    for part in word.split("."):
        if value is context and part not in value:
            raise Unclear(f"the expression names {part}, which is not known here")
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    if _take(tokens, "("):
        if not callable(value) or not _take(tokens, ")"):
            raise Unclear(f"the expression calls {word}, which this reader does not know")
        function: Callable[[], Any] = value
        return function()
    return value


def _take(tokens: Tokens, sign: str) -> bool:
    if tokens and tokens[0] == ("sign", sign):
        tokens.pop(0)
        return True
    return False


def environment(layers: Sequence[Mapping[str, str]], context: Context) -> Dict[str, str]:
    """`env:` of a workflow, its job and its step, the nearer over the farther."""
    return {name: expand(value, context) for layer in layers for name, value in layer.items()}
