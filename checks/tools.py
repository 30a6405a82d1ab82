# SPDX-License-Identifier: MIT
"""How the checkers are called, one job a file or a tool, and how what they say is read."""
from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from findings import TABLE, Finding, without_comments

ROOT = Path(__file__).resolve().parent.parent
DROPPED = ("-MD", "-Werror", "-fdiagnostics-color=always", "-fcolor-diagnostics")
GCC_ONLY = {"-fno-tree-loop-distribute-patterns", "-fno-shrink-wrap"}
WIDTH = 100


class Unusable(Exception):
    """The check can't be made: a tool is missing, or the build folder is the wrong one."""


@dataclass(frozen=True)
class Job:
    part: str
    unit: str  # the file, or what else is looked at
    command: Tuple[str, ...]
    text: Optional[str] = None  # what the tool reads, in place of the file
    folder: Path = ROOT


@dataclass(frozen=True)
class Sources:
    """The files of the project, from its root, by what looks at them."""

    c: Tuple[str, ...]  # with the headers
    python: Tuple[str, ...]
    shell: Tuple[str, ...]
    all: Tuple[str, ...]


FOLDERS = ("kernel", "ktest", "harness", "cross", "docs", "checks")
KINDS = (".c", ".h", ".asm", ".inc", ".ld", ".py", ".sh", ".ini", ".build", ".md", ".txt",
         ".yml")
MADE = ("docs/checklist.md",)  # by a program, from what is checked


def sources(root: Path = ROOT) -> Sources:
    found = [path for folder in FOLDERS for path in (root / folder).rglob("*")
             if path.suffix in KINDS and path.is_file()]
    found += [*root.glob(".ci/*.py"), *root.glob(".github/*/*.yml")]
    found += [root / name for name in ("README.md", "meson.build", "meson_options.txt", "dev",
                                       "action.yml", ".ci/run", ".clang-format", ".clang-tidy")]
    every = sorted(str(path.relative_to(root)) for path in found if path.exists())
    every = [path for path in every if path not in MADE]
    return Sources(tuple(path for path in every if path.endswith((".c", ".h"))),
                   tuple(path for path in every if path.endswith(".py")),
                   tuple(path for path in every
                         if path.endswith(".sh") or path in ("dev", ".ci/run")),
                   tuple(every))


def tool(package: str, *names: str) -> str:
    """The first of these commands that is there."""
    for name in names:
        if shutil.which(name):
            return name
    raise Unusable(f"{names[-1]} is missing: apt install {package}")


def module(package: str, name: str) -> Tuple[str, ...]:
    if find_spec(name) is None:
        raise Unusable(f"Python's module {name} is missing: apt install {package}")
    return sys.executable, "-m", name


# --- The kernel's compiler ------------------------------------------------------------------------

@dataclass(frozen=True)
class Kernel:
    """How the kernel's sources are compiled, in a build with the tests."""

    folder: Path
    files: Tuple[str, ...]  # from the project's root
    flags: Tuple[str, ...]


def read_kernel(build: Path) -> Kernel:
    database = build / "compile_commands.json"
    if not database.exists():
        raise Unusable(f"{build} is no build folder of the project")
    commands = {os.path.relpath((build / each["file"]).resolve(), ROOT): each["command"]
                for each in json.loads(database.read_text())
                if "-mcmodel=kernel" in each["command"]}
    files = sorted(path for path in commands if path.startswith(("kernel/", "ktest/")))
    if not any(path.endswith("_test.c") for path in files):
        raise Unusable(f"{build} has no tests: meson configure {build} -Dktest=true")
    words = shlex.split(commands["kernel/main.c"])
    flags: List[str] = []
    for at, word in enumerate(words):
        is_of_one_file = word in ("-o", "-MQ", "-MF", "-c") or words[at - 1] in ("-o", "-MQ", "-MF")
        if word.startswith("-") and not is_of_one_file and word not in DROPPED:
            flags.append(word)
    return Kernel(build, tuple(files), tuple(flags))


def own_headers(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return "-idirafter" + done.stdout.strip()


def gcc_flags(kernel: Kernel) -> Tuple[str, ...]:
    headers = own_headers("gcc", "-print-file-name=include")
    return tuple(headers if flag.startswith("-idirafter") else flag for flag in kernel.flags
                 if not flag.startswith(("--target", "-Werror=thread", "-gdwarf")))


def clang_flags(kernel: Kernel) -> Tuple[str, ...]:
    headers = own_headers("clang", "-print-resource-dir") + "/include"
    return ("--target=x86_64-unknown-none-elf", "-Wno-unknown-warning-option",
            *(headers if flag.startswith("-idirafter") else flag for flag in kernel.flags
              if not flag.startswith("--target") and flag not in GCC_ONLY
              and not flag.startswith("-ftrivial-auto-var-init")))


# --- The parts ------------------------------------------------------------------------------------

def format_jobs(build: Path, files: Sources) -> Iterator[Job]:
    name = tool("clang-format-14", "clang-format-14", "clang-format")
    version = re.search(r"version (\d+)", said_by(name, "--version"))
    if version is None or version[1] != "14":
        raise Unusable(f"{name} is not of version 14, and each version formats in its own way: "
                       "apt install clang-format-14")
    for at in range(0, len(files.c), 100):
        yield Job("format", "C", (name, "--dry-run", "--style=file", *files.c[at:at + 100]))


def tidy_jobs(build: Path, files: Sources) -> Iterator[Job]:
    kernel = read_kernel(build)
    name = tool("clang-tidy", "clang-tidy-14", "clang-tidy")
    tool("clang", "clang")
    overlay = uncommented(build, files)
    flags = ("-D__CLANG_TIDY__", *clang_flags(kernel))
    for path in kernel.files:
        yield Job("tidy", path, (name, "--quiet", f"--vfsoverlay={overlay}", str(ROOT / path),
                                 "--", *flags), folder=build)


def uncommented(build: Path, files: Sources) -> Path:
    """An overlay that shows clang-tidy the sources without their exceptions."""
    folder = build / "checks"
    folder.mkdir(exist_ok=True)
    roots: List[Dict[str, str]] = []
    for path in files.c:
        text = (ROOT / path).read_text()
        if "NOLINT" in text:
            copy = folder / path.replace("/", "_")
            copy.write_text(without_comments(text))
            roots.append({"name": str(ROOT / path), "type": "file", "external-contents": str(copy)})
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"version": 0, "use-external-names": "false", "roots": roots}))
    return overlay


def analyzer_jobs(build: Path, files: Sources) -> Iterator[Job]:
    kernel = read_kernel(build)
    name = tool("gcc", "gcc")
    flags = ("-fdiagnostics-plain-output", *gcc_flags(kernel), "-fanalyzer", "-S",
             "-o", "/dev/null")
    for path in kernel.files:
        yield Job("analyzer", path, (name, *flags, str(ROOT / path)), folder=build)


def cppcheck_jobs(build: Path, files: Sources) -> Iterator[Job]:
    name = tool("cppcheck", "cppcheck")
    folder = build / "checks/cppcheck"
    folder.mkdir(parents=True, exist_ok=True)
    yield Job("cppcheck", "C", (
        name, "--quiet", f"-j{os.cpu_count()}", "--std=c11", "--platform=unix64",
        "--enable=warning,performance,portability", f"--cppcheck-build-dir={folder}",
        "--template={file}:{line}: {severity}: {message} [{id}]", "--template-location=",
        "-D__x86_64__", "-D__LP64__", "-Ikernel", "-Iktest",
        *(path for path in read_kernel(build).files)))


def shell_jobs(build: Path, files: Sources) -> Iterator[Job]:
    name = tool("shellcheck", "shellcheck")
    for path in files.shell:
        text = without_comments((ROOT / path).read_text())
        yield Job("shell", path, (name, "-f", "gcc", "-"), text)


def python_jobs(build: Path, files: Sources) -> Iterator[Job]:
    yield Job("python", "Python", (
        *module("python3-flake8", "flake8"), "--disable-noqa", "--isolated",
        "--select=F,E4,E71,E72,E74,E9,W6", "--format=%(path)s:%(row)d: error: %(text)s [%(code)s]",
        *files.python))


def types_jobs(build: Path, files: Sources) -> Iterator[Job]:
    folders = ("harness", "kernel/host_tests", "checks", ".ci")
    yield Job("types", "Python", (
        *module("mypy", "mypy"), "--config-file", str(ROOT / "harness/pyproject.toml"),
        "--no-error-summary", "--cache-dir", str(build / "checks/mypy"),
        *(str(ROOT / folder) for folder in folders),
        *(str(ROOT / path) for path in files.python
          if path.startswith(("docs/", "kernel/debug/")))), folder=build)


def spelling_jobs(build: Path, files: Sources) -> Iterator[Job]:
    yield Job("spelling", "text", (tool("codespell", "codespell"),
                                     *(path for path in files.all if path != TABLE)))


def text_jobs(build: Path, files: Sources) -> Iterator[Job]:
    for path in files.all:
        yield Job("text", path, ())


PARTS = {"types": types_jobs, "cppcheck": cppcheck_jobs, "spelling": spelling_jobs,
         "python": python_jobs, "format": format_jobs, "shell": shell_jobs, "text": text_jobs,
         "analyzer": analyzer_jobs, "tidy": tidy_jobs}  # what takes long in one job comes first


# --- What they say -------------------------------------------------------------------------------

def said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


LINE = re.compile(r"^(?P<path>[^\s:]+?):(?:(?P<line>\d+):)?(?:\d+:)? (?:[a-z]+ )?[a-z]+: "
                  r"(?P<message>.*?) +\[(?P<check>[^\[\]]+)\]$")
MISSPELT = re.compile(r"^(?P<path>[^\s:]+):(?P<line>\d+): (?P<message>.* ==> .*)$")
COMPLAINT = re.compile(r"\b(warning|error): ")


def run(job: Job) -> List[Finding]:
    if job.part == "text":
        return list(look_at_text(job.unit, (ROOT / job.unit).read_text()))
    done = subprocess.run(job.command, input=job.text, capture_output=True, text=True,
                          errors="backslashreplace", cwd=job.folder,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False)
    return list(read_all(job, done.returncode, done.stdout + done.stderr))


def read_all(job: Job, status: int, said: str) -> Iterator[Finding]:
    """What nobody understands is a finding too: silence must not pass for a clean source."""
    pattern = MISSPELT if job.part == "spelling" else LINE
    found = 0
    for line in said.splitlines():
        match = pattern.match(line)
        if match is not None:
            found += 1
            yield read(job, match)
        elif COMPLAINT.search(line):
            found += 1
            yield Finding(job.unit, 0, "tool", line)
    if status != 0 and found == 0:
        yield Finding(job.unit, 0, "tool",
                      f"{job.command[0]} ended with status {status}: {said.strip()[-2000:]}")


def read(job: Job, match: "re.Match[str]") -> Finding:
    groups = match.groupdict()
    path = job.unit if groups["path"] in ("-", "cc1") else os.path.relpath(
        os.path.realpath(job.folder / groups["path"]), ROOT)
    check = groups.get("check", "spelling").split(",")[0]
    check = check[2:] if check.startswith("-W") else check
    message = groups["message"] if job.part != "spelling" else groups["message"].lower()
    return Finding(path, int(groups["line"] or 0), check, message, job.unit)


def look_at_text(path: str, text: str) -> Iterator[Finding]:
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield Finding(path, text.count("\n"), "text-end", "it does not end with one line feed")
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield Finding(path, number, "text-space", "spaces at the end of a line")
        if "\t" in line:
            yield Finding(path, number, "text-tab", "a tab")
        if len(line) > WIDTH and not path.endswith((".md", ".txt")):
            yield Finding(path, number, "text-width", f"{len(line)} columns, {WIDTH} are right")


def unique(findings: Sequence[Finding]) -> List[Finding]:
    """One for what was found in a header again and again; all units count for exceptions."""
    seen: Dict[str, Finding] = {}
    for finding in findings:
        seen.setdefault(str(finding), finding)
    return list(seen.values())
