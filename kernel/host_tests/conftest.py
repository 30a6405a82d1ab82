# SPDX-License-Identifier: MIT
"""Tests of the kernel from outside: its file, its build, its boots. Meson runs them.

FAULTLINE_BUILD names the build folder; `build` of this checkout if it is not set.
"""
from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "harness"))

from judge.machine import Machine  # noqa: E402  (the path is known only now)
from judge.vm import default_machine  # noqa: E402  (the path is known only now)
from tests import schema  # noqa: E402  (the path is known only now)

pytest_plugins = ["judge.fixture"]
ONE_TEST = "ktest.select=gdt.is_loaded"  # for a kernel with tests that shall soon be at rest


@pytest.fixture(scope="session")
def build() -> Path:
    return Path(os.environ.get("FAULTLINE_BUILD", ROOT / "build"))


@pytest.fixture(scope="session")
def kernel(build: Path) -> Path:
    return build / "faultline.elf"


@pytest.fixture(scope="session")
def machine_default(build: Path) -> Machine:
    """For the fixture `machine` of judge.fixture."""
    return default_machine(build)


@pytest.fixture(scope="session")
def has_tests() -> bool:
    return os.environ.get("FAULTLINE_KTEST", "true") == "true"


def output(*command: object) -> List[str]:
    """The lines that a command prints; it has to succeed."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


def read_report(path: Path) -> Dict[str, Any]:
    report: Dict[str, Any] = json.loads(path.read_text())
    assert not schema.complaint(report)
    return report


def kernel_command(build: Path, source: Path = ROOT / "kernel/main.c") -> Tuple[List[str], Path]:
    """How this source is compiled for the kernel, without what goes in and out, and where."""
    commands = json.loads((build / "compile_commands.json").read_text())
    command = next(each for each in commands if "-mcmodel=kernel" in each["command"]
                   and (build / each["file"]).resolve() == source.resolve())
    words: List[str] = shlex.split(command["command"])
    for option, count in (("-o", 2), ("-c", 2), ("-MQ", 2), ("-MF", 2), ("-MD", 1)):
        if option in words:
            at = words.index(option)
            del words[at:at + count]
    return words, Path(command["directory"])


def kernel_compiler(build: Path) -> List[str]:
    """The compiler with its target, as it stands in front of every command."""
    words, _directory = kernel_command(build)
    return words[:next(at for at, word in enumerate(words) if word.startswith("-I"))]
