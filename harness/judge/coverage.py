# SPDX-License-Identifier: MIT
"""What of the kernel its tests run: in the machine, and on the host where they run there, too.

 0  all tests passed, and no figure is below what was asked for
 1  a test failed, or a figure is below       2  wrong usage
 5  no test matched                          99  the build, a boot or its counters are broken
130 interrupted
"""
from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import (Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set,
                    Tuple)

from . import gcov
from .build import CROSS_FILE, bring_up_to_date
from .cli import FAILED, OK, guarded, run_by
from .counters import Counters, CountingRunner, functions_of, refuse_differences
from .elf import Image
from .gcov import Function, Key, Notes, Place
from .machine import Machine
from .matrix import ICOUNT
from .model import ROOT, Refusal
from .options import ArgumentParser, refuse_empty_values
from .qemu import MEMORIES
from .runner import Settings
from .terminal import complain, say

KERNELS = ("faultline.elf", "faultline-selftest.elf")
OTHER_MACHINES = (
    ("--argument=irq=pic", "irq.*", "pic.*", "clock.*", "clock_event.*", "keyboard.*", "timer.*"),
    ("--boot=uefi", "machine.*", "framebuffer.*"),
)
BOOTING_TESTS = ("monitor", "keyboard", "console", "time", "power", "opposites")
KERNEL_OBJECTS = ("libkernel.a.p", "libkernel-tests.a.p")
HOST_OBJECTS = ("libhost-pure.a.p", "host-test.p")
HOST_PROGRAMS = (("host-test",), ("host-format-diff", "20000", "1"))
PROGRAM_SECONDS = 600.0
TESTS = "libkernel-tests.a.p"  # what is compiled here is not counted
PANIC = re.compile(r"\b(?:panic|assert)\(")
LIMIT = re.compile(r"(\d{1,3}(?:\.\d+)?)/(\d{1,3}(?:\.\d+)?)")


class Limit(NamedTuple):
    """Per cent."""

    lines: float
    branches: float


@dataclass
class File:
    """What is known of a source file: how often each line was begun, and each way of a branch was
    taken. A branch is of a line, by its number there."""

    lines: Dict[int, int] = field(default_factory=lambda: defaultdict(int))
    branches: Dict[Tuple[int, int], List[int]] = field(default_factory=dict)
    is_pure: bool = False


class Figure(NamedTuple):
    lines: int
    lines_run: int
    ways: int
    ways_taken: int

    def __add__(self, other: "Figure") -> "Figure":  # type: ignore[override]
        return Figure(*(one + another for one, another in zip(self, other)))

    @property
    def percent(self) -> Limit:
        return Limit(_percent(self.lines_run, self.lines), _percent(self.ways_taken, self.ways))


NOTHING = Figure(0, 0, 0, 0)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def figure_of(file: File) -> Figure:
    ways = [count for counts in file.branches.values() for count in counts]
    return Figure(len(file.lines), sum(count > 0 for count in file.lines.values()), len(ways),
                  sum(count > 0 for count in ways))


# --- From counters to files -----------------------------------------------------------------------


class Measurement:
    """Sums by function: one that stands in a header is compiled many times over."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._functions: Dict[Tuple[Place, str, int], Function] = {}
        self._sums: Dict[Tuple[Place, str, int], List[int]] = {}
        self._pure: Set[Tuple[Place, str, int]] = set()

    def add(self, notes: Notes, counters: Dict[Key, Tuple[int, ...]], is_pure: bool) -> None:
        for function in notes.functions:
            if function.is_artificial:
                continue
            new = counters.get(function.key)
            if new is None or len(new) != function.counter_count:
                raise Refusal(f"The counters of {function.name} in {notes.path} are lost.")
            which = (function.place, function.name, function.key.cfg_checksum)
            self._functions.setdefault(which, function)
            sums = self._sums.setdefault(which, [0] * len(new))
            sums[:] = map(int.__add__, sums, new)
            if is_pure:
                self._pure.add(which)

    def files(self, tests: FrozenSet[str]) -> Dict[str, File]:
        """By their names from the project's root, without tests and what is not the project's."""
        found: Dict[str, File] = defaultdict(File)
        panics = self._panics()
        for which, function in sorted(self._functions.items()):
            findings = gcov.find(function, tuple(self._sums[which]), panics)
            for place, count in findings.lines.items():
                name = self._name(place)
                if name and name not in tests:
                    found[name].lines[place.line] += count
                    found[name].is_pure |= which in self._pure
            self._add_branches(found, findings.branches, tests)
        return dict(found)

    def _add_branches(self, found: Dict[str, File], branches: Sequence[gcov.Branch],
                      tests: FrozenSet[str]) -> None:
        numbers: Dict[Place, int] = defaultdict(int)
        for branch in branches:
            name = self._name(branch.place)
            if not name or name in tests:
                continue
            number = numbers[branch.place]
            numbers[branch.place] += 1
            old = found[name].branches.setdefault((branch.place.line, number),
                                                  [0] * len(branch.counts))
            if len(old) != len(branch.counts):
                raise Refusal(f"{name}:{branch.place.line} has another number of ways on the host.")
            old[:] = map(int.__add__, old, branch.counts)

    def _name(self, place: Place) -> str:
        path = Path(place.file)
        return str(path.relative_to(self._root)) if self._root in path.parents else ""

    def _panics(self) -> FrozenSet[Place]:
        """The lines that name one."""
        files = {place.file for function in self._functions.values()
                 for places in function.lines.values() for place in places}
        return frozenset(
            Place(file, number) for file in files
            for number, line in enumerate(Path(file).read_text("utf-8").splitlines(), 1)
            if PANIC.search(line))


def notes_of(folders: Iterable[Path]) -> List[Notes]:
    """Of what is in the build: ninja deletes an object that is not any more, and its notes stay."""
    paths = sorted(path for folder in folders for path in folder.glob("*.gcno")
                   if path.with_suffix(".o").exists())
    notes = [gcov.read_notes(path) for path in paths]
    return [each for each in notes if each.functions]


def sources_of(notes: Iterable[Notes], root: Path) -> FrozenSet[str]:
    """What these objects were made of. They have functions of headers as well, but the name of an
    object ends in that of its source."""
    found = set()
    for each in notes:
        for file in {Path(function.place.file) for function in each.functions}:
            if each.path.name[:-len(".gcno")].endswith(file.name) and root in file.parents:
                found.add(str(file.relative_to(root)))
    return frozenset(found)


def run_on_host(build: Path) -> List[Tuple[Notes, Dict[Key, Tuple[int, ...]]]]:
    """The pure layers' tests as programs, which write their counters beside the notes."""
    folders = [build / "kernel" / name for name in HOST_OBJECTS]
    notes = notes_of(folders)
    if not notes:
        raise Refusal(f"{build} has no tests for the host that count what runs.")
    for each in notes:
        each.path.with_suffix(".gcda").unlink(missing_ok=True)
    for name, *arguments in HOST_PROGRAMS:
        _run([str(build / "kernel" / name), *arguments])
    return [(each, gcov.read_counters(each.path.with_suffix(".gcda"), each)) for each in notes]


def _run(command: List[str], environment: Optional[Mapping[str, str]] = None) -> None:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="backslashreplace", timeout=PROGRAM_SECONDS, check=False,
                              env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired as error:
        raise Refusal(f"{command[0]} did not end within {PROGRAM_SECONDS:g} s.") from error
    if done.returncode != 0:
        raise Refusal(f"{command[0]} ended with status {done.returncode}.",
                      "\n".join(done.stdout.splitlines()[-20:]))


# --- Reports --------------------------------------------------------------------------------------


def folders_of(files: Dict[str, File]) -> Dict[str, Figure]:
    found: Dict[str, Figure] = defaultdict(lambda: NOTHING)
    for name, file in sorted(files.items()):
        found[str(Path(name).parent)] += figure_of(file)
    return dict(found)


def total_of(files: Iterable[File]) -> Figure:
    return sum(map(figure_of, files), NOTHING)


def table(files: Dict[str, File]) -> str:
    rows = list(folders_of(files).items())
    if any(file.is_pure for file in files.values()):
        rows.append(("pure modules", total_of(file for file in files.values() if file.is_pure)))
    rows.append(("all", total_of(files.values())))
    width = max(len(name) for name, _ in rows)
    lines = [f"{'':{width}}  {'lines':>19}  {'branches':>19}"]
    for name, figure in rows:
        lines.append(f"{name:{width}}  {_cell(figure.lines_run, figure.lines)}  "
                     f"{_cell(figure.ways_taken, figure.ways)}")
    return "\n".join(lines)


def _cell(part: int, whole: int) -> str:
    return f"{_percent(part, whole):6.1f} % {f'{part}/{whole}':>10}"


def missing(files: Dict[str, File]) -> str:
    """A line of text for each that was not run, and each branch with a way that was not taken."""
    lines = []
    for name, file in sorted(files.items()):
        lines += [f"{name}:{line}: not run" for line, count in sorted(file.lines.items())
                  if not count]
        for (line, number), counts in sorted(file.branches.items()):
            ways = [str(way + 1) for way, count in enumerate(counts) if not count]
            if ways and file.lines.get(line):
                lines.append(f"{name}:{line}: branch {number + 1}: of {len(counts)} ways "
                             f"never {' and '.join(ways)}")
    return "\n".join(lines)


def summary_of(files: Dict[str, File], image: Image, boots: int) -> Dict[str, object]:
    pure = total_of(file for file in files.values() if file.is_pure)
    return {
        "kind": "coverage", "schema": 1, "kernel": str(image.path), "build_id": image.build_id,
        "boots": boots, "all": total_of(files.values())._asdict(), "pure": pure._asdict(),
        "folders": {name: figure._asdict() for name, figure in folders_of(files).items()},
        "files": {name: {**figure_of(file)._asdict(), "is_pure": file.is_pure}
                  for name, file in sorted(files.items())},
    }


def lcov_text(files: Dict[str, File], root: Path) -> str:
    """As genhtml wants it (geninfo(1))."""
    lines = []
    for name, file in sorted(files.items()):
        lines += ["TN:", f"SF:{root / name}"]
        for (line, number), counts in sorted(file.branches.items()):
            lines += [f"BRDA:{line},{number},{way},{count if file.lines.get(line) else '-'}"
                      for way, count in enumerate(counts)]
        lines += [f"DA:{line},{count}" for line, count in sorted(file.lines.items())]
        lines.append("end_of_record")
    return "\n".join([*lines, ""])


def write_html(files: Dict[str, File], root: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "coverage.info"
    data.write_text(lcov_text(files, root), encoding="utf-8")
    _run(["genhtml", "--quiet", "--branch-coverage", "--no-function-coverage", "--prefix",
          str(root), "--title", "what the tests run of the kernel", "--output-directory",
          str(folder), str(data)])


# --- The command ----------------------------------------------------------------------------------


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        prog="harness/coverage.py", allow_abbrev=False,
        description="Runs the tests of a kernel that was built with -Dcoverage=true, in the "
                    "machine and on the host, and tells what of the kernel they run.")
    parser.add_argument("names", nargs="*", metavar="GLOB", help="only these of the kernel's tests")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build-coverage", metavar="DIR",
                        help="default: build-coverage")
    parser.add_argument("--no-build", dest="build", action="store_false",
                        help="the build folder is up to date")
    parser.add_argument("--no-host", dest="host", action="store_false",
                        help="without the tests on the host")
    parser.add_argument("-j", dest="jobs", type=int, default=1, metavar="N",
                        help="so many boots side by side; default: 1")
    for option, what in (("--least", "all"), ("--least-pure", "the pure modules")):
        parser.add_argument(option, type=_limit, metavar="LINES/BRANCHES",
                            help=f"fail if {what} has less, in per cent, such as 90/80")
    parser.add_argument("--missing", action="store_true",
                        help="name each line and each way of a branch that was not taken")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures")
    parser.add_argument("--html", type=Path, metavar="DIR", help="a page for each file, by genhtml")
    refuse_empty_values(parser, arguments)
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("-j has to be 1 or more")
    if options.least_pure and not options.host:
        parser.error("--least-pure is of what runs on the host: not with --no-host")
    if options.html and shutil.which("genhtml") is None:
        raise Refusal("There is no genhtml: apt install lcov.")
    return options


def _limit(text: str) -> Limit:
    match = LIMIT.fullmatch(text)
    if match is None or max(map(float, match.groups())) > 100:
        raise argparse.ArgumentTypeError(f"{text} is not of the form 90/80")
    return Limit(float(match[1]), float(match[2]))


def run_in_machine(options: argparse.Namespace, counters: Counters) -> int:
    """All tests on the machine that is the fastest, and some again on others."""
    def make(image: Image, machine: Machine, settings: Settings) -> CountingRunner:
        return CountingRunner(image, machine, settings, counters)

    common = ["--no-build", "--build-dir", str(options.build_dir), "-j", str(options.jobs),
              *ICOUNT]  # whose time does not pass while the host is busy
    runs: Sequence[Sequence[str]] = [options.names] if options.names else ((), *OTHER_MACHINES)
    for words in runs:
        status = run_by(make, [*common, *words])
        if status != OK:
            return status
    return OK


def _run_pytest(name: str, build: Path) -> None:
    folder = ROOT / "kernel/host_tests"
    _run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c",
          str(ROOT / "harness/pyproject.toml"), "--rootdir", str(folder),
          str(folder / f"test_{name}.py")],
         {"FAULTLINE_BUILD": str(build.absolute()), "FAULTLINE_KTEST": "true", "NO_COLOR": "1"})


def run_from_outside(build: Path, memories: Path, kernels: Sequence[Counters]) -> None:
    """The tests on the host that boot the kernel, or the one whose tests must fail."""
    strangers = 0
    for name in BOOTING_TESTS:
        say(f"kernel/host_tests/test_{name}.py")
        try:
            _run_pytest(name, build)
        except Refusal:  # their limits are by the wall's clock, and this kernel is a slow one
            _run_pytest(name, build)
        for memory in memories.iterdir():
            holding = [each for each in kernels if each.holds(memory)]
            strangers += not holding
            for each in holding:
                each.add(memory)
            memory.unlink()
    if strangers:
        say(f"{strangers} machines of theirs ended without a kernel in their memory")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return guarded(_main, arguments)


def _main(arguments: List[str]) -> int:
    options = parse(arguments)
    if not options.build_dir.exists():
        raise Refusal(f"There is no build folder {options.build_dir}. To make it: meson setup "
                      f"{options.build_dir} --cross-file {CROSS_FILE} -Dktest=true -Dcoverage=true")
    if options.build:
        bring_up_to_date(ROOT, options.build_dir)
    images = [Image(options.build_dir / name) for name in KERNELS]
    kernel_notes = notes_of(options.build_dir / name for name in _kernel_folders(options.build_dir))
    tests = sources_of((each for each in kernel_notes if each.path.parent.name == TESTS), ROOT)
    for each in images:
        refuse_differences(functions_of(each), kernel_notes, each.path)
    counters = [Counters(each) for each in images]
    with tempfile.TemporaryDirectory(prefix="faultline-memories-") as memories:
        os.environ[MEMORIES] = memories
        status = run_in_machine(options, counters[0])
        if status == OK and options.host and not options.names:
            run_from_outside(options.build_dir, Path(memories), counters)
        del os.environ[MEMORIES]
    if status != OK:
        complain("There are no figures, for not all tests passed.")
        return status
    measurement = Measurement(ROOT)
    for by_file in (kernel.by_file() for kernel in counters):
        for notes in kernel_notes:
            measurement.add(notes, by_file[str(notes.path.with_suffix(".gcda").resolve())], False)
    for notes, found in run_on_host(options.build_dir) if options.host else ():
        measurement.add(notes, found, notes.path.parent.name == HOST_OBJECTS[0])
    files = measurement.files(tests)
    return _report(files, images[0], sum(each.boots for each in counters), options)


def _kernel_folders(build: Path) -> List[str]:
    return [str(path.relative_to(build)) for name in KERNEL_OBJECTS
            for path in build.glob(f"**/{name}")]


def _report(files: Dict[str, File], image: Image, boots: int, options: argparse.Namespace) -> int:
    if options.missing:
        say(missing(files))
    say(table(files))
    if options.json:
        options.json.write_text(json.dumps(summary_of(files, image, boots), indent=2) + "\n",
                                encoding="utf-8")
    if options.html:
        write_html(files, ROOT, options.html)
        say(f"{options.html / 'index.html'}")
    pure = total_of(file for file in files.values() if file.is_pure)
    below = [*_below("all", total_of(files.values()), options.least),
             *_below("the pure modules", pure, options.least_pure)]
    for each in below:
        complain(each)
    return FAILED if below else OK


def _below(what: str, figure: Figure, limit: Optional[Limit]) -> List[str]:
    if limit is None:
        return []
    return [f"{what}: {has:.2f} % of {kind}, less than {least:g} %."
            for kind, has, least in zip(Limit._fields, figure.percent, limit) if has < least]
