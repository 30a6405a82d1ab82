# SPDX-License-Identifier: MIT
"""A copy of the project and of its build folder that may be broken, and the trials of C in it.

A mutant is tried first where that costs least: with the tests that stand beside the mutated file,
then those of its folder, then all. The pure layers are a program of the host, without sanitizers
and then with them, and have to be tested there; the others are the kernel, looked at from inside
and at last from outside. A header that both include is tried in both. Whatever the compiler makes
the same program of is no mutant.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Dict, FrozenSet, Generator, List, Optional, Sequence, Set, Tuple

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from judge.elf import Image
from judge.model import ROOT, Refusal, Test
from judge.selection import selector

from .mutant import Fate, Mutant, Result, apply
from .said import read_host_run, read_pytest, reader_of
from .trial import Baselines, Run, Said, Step, Trial, noticed

PLAIN, SANITIZED = "kernel/plain-test", "kernel/host-test"
KERNEL, ISO = "faultline.elf", "faultline.iso"
NAMELESS = "faultline-nameless.elf"
PYTEST = ("-m", "pytest", "-q", "-x", "--tb=line", "-rfE", "-p", "no:cacheprovider", "-c",
          "harness/pyproject.toml")
BOOT_SPARE_CPU_SECONDS = 12  # the kernel ends a test that hangs after ten, and names it
MORE = 10  # times as many random operations, as `meson test` has
RUN = ROOT / "harness/run.py"
KEPT_OUT = {".git", "__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", "pycache"}
# What boots the kernel from outside, by the folder of what it tests: files of kernel/host_tests/.
HOST_TESTS = {
    "kernel": ("boot", "power", "monitor"),
    "kernel/arch/x86_64": ("boot", "opposites"),
    "kernel/boot": ("boot", "console"),
    "kernel/debug": ("boot", "opposites"),
    "kernel/drivers": ("console", "keyboard", "time", "power", "input"),
    "kernel/irq": ("time", "keyboard"),
    "kernel/mm": ("boot", "monitor"),
    "kernel/monitor": ("monitor",),
    "kernel/sync": ("opposites",),
    "kernel/task": ("monitor", "coroutine"),
    "kernel/time": ("time",),
    "ktest": ("opposites", "mixed", "stream", "port"),
}
IMAGES = (KERNEL, ISO, "faultline-selftest.elf", "faultline-selftest.iso")
ERROR = re.compile(r"^.*(?:error:|FAILED:|undefined reference).*$", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """The code as it is: what is built of which files, and which tests there are."""

    root: Path
    build: Path
    tests: Tuple[Test, ...]
    pure: FrozenSet[str]  # files that only the host's program and the kernel have
    plain: FrozenSet[str]  # what the host's program tests, headers included
    kernel: FrozenSet[str]
    baselines: Baselines = field(default_factory=Baselines)

    def fitting(self, path: str, is_on_the_host: bool) -> Tuple[str, str]:
        """The tests beside a file, and those of its folder, as ktest.select wants them."""
        place = PurePosixPath(path)
        folder = [test for test in self._registered
                  if PurePosixPath(test.file).parent == place.parent and
                  (test.file in self.plain or not is_on_the_host)]
        words = place.stem.split("_")
        for count in range(len(words), 0, -1):
            stem = "_".join(words[:count])
            beside = [test for test in folder if PurePosixPath(test.file).name.startswith(stem)]
            if beside:
                return self._selected(beside), self._selected(folder)
        return "", self._selected(folder)

    @property
    def _registered(self) -> List[Test]:
        return [test for test in self.tests if not test.is_bench]

    def _selected(self, tests: Sequence[Test]) -> str:
        return selector(tests, self._registered) if tests else ""


def project(root: Path, build: Path) -> Project:
    objects = _objects(root, build)

    def files(target: str) -> Set[str]:
        return {path for output, paths in objects.items() if f"/{target}.p/" in output
                for path in paths}

    # The framework is in the host's program, too, but its own tests are not.
    tested = {path for path in files("libplain-pure.a") if not path.startswith("ktest/")}
    pure = {paths[0] for output, paths in objects.items() if "/libplain-pure.a.p/" in output}
    return Project(root, build, tuple(Image(build / KERNEL).tests), frozenset(pure),
                   frozenset(tested), frozenset(files("libkernel.a")))


def _objects(root: Path, build: Path) -> Dict[str, List[str]]:
    """The files that each object was made of, the source first, as ninja has noted them."""
    text = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False).stdout
    found: Dict[str, List[str]] = {}
    for block in text.split("\n\n"):
        head, *lines = block.split("\n")
        paths = [os.path.relpath(build / line.strip(), root) for line in lines if line.strip()]
        found[head.partition(": ")[0]] = [path for path in paths if not path.startswith("..")]
    return {output: paths for output, paths in found.items() if paths}


# --- The copy -------------------------------------------------------------------------------------


class Workshop:
    """One mutant at a time. `scratch` has a short name, for that of a socket in it is bounded."""

    def __init__(self, origin: Project, folder: Path, scratch: Path, has_outside: bool
                 ) -> None:
        self._origin = origin
        self._has_outside = has_outside
        common = Path(os.path.commonpath([origin.root, origin.build]))
        self.root = folder / "tree" / origin.root.relative_to(common)
        self.build = folder / "tree" / origin.build.relative_to(common)
        self._scratch = scratch
        self._broken: Optional[str] = None
        self._original: Dict[str, object] = {}

    def open(self) -> None:
        """As the project is now, and as built: ninja goes by the times."""
        mirror(self._origin.root, self.root)
        mirror(self._origin.build, self.build, [self._origin.build / "mutation"])

    def trial(self, mutant: Mutant) -> Trial:
        self._break(mutant)
        is_in_kernel = mutant.path in self._origin.kernel
        if mutant.path in self._origin.plain:
            result = yield from self._on_the_host(mutant)
            if result is not None or mutant.path in self._origin.pure or not is_in_kernel:
                return result or Result(Fate.SURVIVED)
        result = yield from self._in_the_kernel(mutant)
        return result or Result(Fate.SURVIVED)

    def _on_the_host(self, mutant: Mutant) -> Generator[Step, Said, Optional[Result]]:
        built = yield from self._built(PLAIN)
        if built is not None:
            return built
        if self._is_same(PLAIN):
            return Result(Fate.SAME) if mutant.path in self._origin.pure else None
        runs = [self._host_run(PLAIN, selection) for selection in
                dict.fromkeys((*self._origin.fitting(mutant.path, True), "*")) if selection]
        for run in runs + [self._host_run(PLAIN, "*", MORE), self._host_run(SANITIZED, "*")]:
            built = yield from self._built(*run.targets)
            result = built or (yield from noticed(run, self._origin.baselines))
            if result is not None:
                return result
        return None

    def _in_the_kernel(self, mutant: Mutant) -> Generator[Step, Said, Optional[Result]]:
        built = yield from self._built(KERNEL)
        if built is not None:
            return built
        if self._is_same(NAMELESS):
            return Result(Fate.SAME)
        runs = [self._kernel_run((KERNEL,), selection, "--boot", "direct")
                for selection in self._origin.fitting(mutant.path, False) if selection]
        runs.append(self._kernel_run((KERNEL, ISO), "*"))
        folder = str(PurePosixPath(mutant.path).parent)
        if self._has_outside:
            runs += [self._outside_run(name) for name in HOST_TESTS.get(folder, ())]
        for run in {run.name: run for run in runs}.values():
            built = yield from self._built(*run.targets)
            result = built or (yield from noticed(run, self._origin.baselines))
            if result is not None:
                return result
        return None

    # --- Building ---------------------------------------------------------------------------------

    def _break(self, mutant: Mutant) -> None:
        clean(self._scratch)
        if self._broken is not None and self._broken != mutant.path:
            shutil.copyfile(self._origin.root / self._broken, self.root / self._broken)
        text = (self._origin.root / mutant.path).read_bytes().decode("latin-1")
        (self.root / mutant.path).write_bytes(apply(text, mutant.change).encode("latin-1"))
        self._broken = mutant.path

    def _built(self, *targets: str) -> Generator[Step, Said, Optional[Result]]:
        said = yield Step(("ninja", "-j1", *targets), self.build)
        if said.status == 0:
            return None
        match = ERROR.search(re.sub(r"FAILED: .*", "", said.output))
        return Result(Fate.UNBUILT, "", match[0].strip() if match else said.output[-200:].strip())

    def _is_same(self, target: str) -> bool:
        if target not in self._original:
            self._original[target] = program(self._origin.build / target)
        return program(self.build / target) == self._original[target]

    # --- Running ----------------------------------------------------------------------------------

    def _host_run(self, target: str, selection: str, scale: int = 1) -> Run:
        words = (f"test.scale={scale}", "ktest.stop=1", f"ktest.select={selection}")
        original, step = (Step((str(build / target), *words), self._scratch)
                          for build in (self._origin.build, self.build))
        name = f"{target} {selection}" + (f" test.scale={scale}" if scale > 1 else "")
        return Run(name, (target,), original, step, read_host_run)

    def _kernel_run(self, targets: Tuple[str, ...], selection: str, *way: str) -> Run:
        report = self._scratch / "report.json"
        globs = () if selection == "*" else tuple(selection.split(","))
        original, step = (
            Step((sys.executable, str(RUN), "--no-build", "--build-dir", str(build), "-x",
                  "--json", str(report), *way, *globs),
                 self._scratch, {"TMPDIR": str(self._scratch)})
            for build in (self._origin.build, self.build))
        return Run(f"harness/run.py {selection}", targets, original, step, reader_of(report),
                   BOOT_SPARE_CPU_SECONDS)

    def _outside_run(self, name: str) -> Run:
        """Tests that boot the kernel and look at the machine."""
        path = f"kernel/host_tests/test_{name}.py"
        original, step = (
            Step((sys.executable, *PYTEST, "--rootdir", "kernel/host_tests", path),
                 self._origin.root,
                 {"FAULTLINE_KTEST": "true", "FAULTLINE_BUILD": str(build), "NO_COLOR": "1",
                  "TMPDIR": str(self._scratch), "COLUMNS": "400"})
            for build in (self._origin.build, self.build))
        return Run(f"pytest {path}", IMAGES, original, step, read_pytest,
                   BOOT_SPARE_CPU_SECONDS)


def mirror(source: Path, target: Path, apart: Sequence[Path] = ()) -> None:
    """What has another time or size is copied, with its time; folders `apart` and those that
    something is built in are left out, and what is there no more goes."""
    target.mkdir(parents=True, exist_ok=True)
    there = {entry.name: entry for entry in os.scandir(target)}
    for entry in os.scandir(source):
        path, copy = Path(entry.path), target / entry.name
        old = there.pop(entry.name, None)
        if entry.name in KEPT_OUT or path in apart or entry.name.endswith(".iso"):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not (path / "build.ninja").exists():
                mirror(path, copy, apart)
        elif old is None or _stamp(old) != _stamp(entry):
            shutil.copy2(path, copy, follow_symlinks=False)
    for name, entry in there.items():
        if entry.is_file(follow_symlinks=False) and not name.endswith(".iso"):
            os.unlink(entry.path)


def clean(folder: Path) -> None:
    """What earlier runs have left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)


def _stamp(entry: "os.DirEntry[str]") -> Tuple[int, int]:
    status = entry.stat(follow_symlinks=False)
    return status.st_mtime_ns, status.st_size


def program(path: Path) -> object:
    """What the machine sees of it: neither what is for debuggers, nor the build id, which is a sum
    of all. Two that are equal do the same."""
    try:
        with open(path, "rb") as stream:
            sections = [section for section in ELFFile(stream).iter_sections()
                        if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and
                        section.name != ".note.gnu.build-id"]
            return [(section.name, section["sh_addr"], section["sh_size"],
                     hashlib.sha1(section.data()).digest()) for section in sections]
    except (OSError, ELFError) as error:
        raise Refusal(f"{path} can't be read: {error}.") from None
