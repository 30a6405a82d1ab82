# SPDX-License-Identifier: MIT
"""One image on many machines: each is a run of harness/run.py, and a page tells what came of all.

A machine is good if its run was: then each test ended as it declares for that machine, and exactly
those were skipped that had to be. So a difference between two machines that no test declares can't
be seen here: it is a failure.

 0  all machines passed              1  a test failed on one of them, or was in error
 2  wrong usage                      5  no test matched
99  a machine did not run, a QEMU could not be had, or on a machine nothing passed
130 interrupted
"""
from __future__ import annotations

import argparse
import contextlib
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Generator, List, Optional, Sequence, Tuple

from . import kvm, qemus
from .cli import BROKEN, FAILED, NO_MATCH, OK, guarded
from .elf import Image
from .grid import AXES, KVM, Cell, all_cells, pairwise
from .model import ROOT, Refusal
from .options import USAGE, ArgumentParser, refuse_empty_values
from .program import die_with_parent
from .selection import select
from .table import Ran, name_of, page
from .terminal import say

RUN = ROOT / "harness/run.py"
ICOUNT = ("--qemu-arg=-icount", "--qemu-arg=shift=1,sleep=off")
TIMEOUT = "60"  # of a test, on the slowest machine with others beside it
LOOK_SECONDS = 0.05
VERSION = re.compile(r"QEMU emulator version (\d+\.\d+\.\d+)|Bochs x86 Emulator (\d+\.\d+)")
BEGIN, END = "<!-- harness/matrix.py -->\n", "<!-- the end of the matrix -->\n"


@dataclass(frozen=True)
class Program:
    """A QEMU, or Bochs."""

    path: Path
    version: str


class Running:
    """A run on one machine. It ends with us."""

    def __init__(self, cell: Cell, program: Program, options: argparse.Namespace, folder: Path
                 ) -> None:
        self._cell = cell
        self._program = program
        self._command = (*command_of(cell, program.path, options.build_dir.absolute()),
                         *options.names)
        self._report = folder / "report.json"
        self._output = folder / "output"
        folder.mkdir()
        with open(self._output, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self._command, "--json", str(self._report)], stdout=output,
                stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, preexec_fn=die_with_parent())

    def result(self) -> Ran:
        """Of one that has ended."""
        status = self.process.wait()
        said = self._output.read_text(encoding="utf-8", errors="backslashreplace")
        try:
            data = json.loads(self._report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Ran(self._cell, self._program.version, self._command, status or BROKEN,
                       said=said)
        if not data["complete"] or data["not_run"]:
            status = status or BROKEN
        return Ran(self._cell, self._program.version, self._command, status, data["counts"],
                   tuple(data["tests"]), data["seconds"], said, tuple(data["unchecked"]))


def command_of(cell: Cell, program: Path, build: Path) -> List[str]:
    """What runs it, without its report."""
    words = [str(RUN), "--no-build", "--build-dir", str(build), "--timeout", TIMEOUT]
    if cell.qemu == qemus.BOCHS:
        words += ["--bochs", str(program)]
    else:
        words += ["--qemu", str(program), "--machine", cell.machine, "--boot", cell.boot]
    words += ["--accel", "kvm"] if cell.clock == KVM else []
    words += ["--cpu", cell.cpu, "--memory", cell.memory, f"--argument=irq={cell.irq}"]
    return words + (list(ICOUNT) if cell.clock == "icount" else [])


def run_all(cells: Sequence[Cell], programs: Dict[str, Program], options: argparse.Namespace
            ) -> Generator[Ran, None, None]:
    """As they end."""
    waiting = list(enumerate(cells))
    running: List[Running] = []
    with tempfile.TemporaryDirectory(prefix="faultline-matrix-") as folder:
        try:
            while waiting or running:
                while waiting and len(running) < options.jobs:
                    number, cell = waiting.pop(0)
                    running.append(Running(cell, programs[cell.qemu], options,
                                           Path(folder) / str(number)))
                time.sleep(LOOK_SECONDS)
                for each in [each for each in running if each.process.poll() is not None]:
                    running.remove(each)
                    yield each.result()
        finally:
            for each in running:
                each.process.terminate()
            for each in running:
                each.process.wait()


def tell(ran: Ran) -> None:
    say(f"{ran.verdict}: {ran.program} {title(ran.cell)}: {ran.counts.get('pass', 0)} passed, "
        f"{ran.counts.get('skip', 0)} skipped, {ran.seconds:.1f} s")
    if not ran.is_good:
        say(f"  repeat  {shlex.join(ran.command)}\n{ran.said}")


def title(cell: Cell) -> str:
    return " ".join(vars(cell).values())


# --- The command ----------------------------------------------------------------------------------


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        prog="harness/matrix.py", allow_abbrev=False,
        description="Runs one image on many machines, each as harness/run.py does; by default so "
                    "few that each pair of their properties is met.")
    properties = "; ".join(f"{axis}={'|'.join(values)}" for axis, values in AXES.items())
    parser.add_argument("names", nargs="*", metavar="GLOB", help="only these tests")
    parser.add_argument("--all", action="store_true", help="each machine that there is")
    parser.add_argument("--only", action="append", default=[], metavar="AXIS=VALUE",
                        help=f"only machines with this property: {properties}")
    parser.add_argument("--list", action="store_true", help="name the machines and run nothing")
    parser.add_argument("--fetch", action="store_true", help="only see to it that QEMU is there")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build", metavar="DIR",
                        help="default: build")
    parser.add_argument("--cache", type=Path, default=qemus.default_cache(), metavar="DIR",
                        help="where the versions of QEMU are kept; default: %(default)s")
    parser.add_argument("--mirror", metavar="URL", help="of Debian; default: the system's own")
    parser.add_argument("-j", dest="jobs", type=int, default=1, metavar="N",
                        help="so many machines side by side; default: 1")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the tables into this page")
    refuse_empty_values(parser, arguments)
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("-j has to be 1 or more")
    for each in options.only:
        axis, _, value = each.partition("=")
        if value not in AXES.get(axis, ()):
            parser.error(f"--only {each}: there is no such property; there are {properties}")
    return options


def wished(options: argparse.Namespace) -> List[Cell]:
    """All with the properties that were asked for."""
    cells = all_cells()
    for each in options.only:
        axis, _, value = each.partition("=")
        cells = [cell for cell in cells if getattr(cell, axis) == value]
    if not cells:
        raise Refusal("There is no machine with all of these properties.", status=USAGE)
    return cells


def chosen(cells: List[Cell], options: argparse.Namespace, why_no_kvm: str) -> List[Cell]:
    """Those of them that there are here."""
    here = [cell for cell in cells if cell.clock != KVM or not why_no_kvm]
    if not here:
        raise Refusal(f"KVM can't be used here: {why_no_kvm}.")
    return here if options.all else pairwise(here)


def programs_of(cells: Sequence[Cell], options: argparse.Namespace) -> Dict[str, Program]:
    """By suite, each with what it says its version is."""
    found = {}
    for suite in dict.fromkeys(cell.qemu for cell in cells):
        path = qemus.provide(suite, options.cache.absolute(), options.mirror)
        word = "--help" if suite == qemus.BOCHS else "--version"
        said = subprocess.run([path, word], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
        match = VERSION.search(said)
        if match is None:
            raise Refusal(f"{path} does not tell its version. Without its folder, it is fetched "
                          "anew.", said)
        found[suite] = Program(path, match[1] or match[2])
    return found


def probe(cells: Sequence[Cell], programs: Dict[str, Program], options: argparse.Namespace) -> str:
    """Why there are no machines under KVM, if it is asked for any and there are none."""
    suites = [cell.qemu for cell in cells if cell.clock == KVM]
    if not suites:
        return ""
    why = kvm.why_not(RUN, programs[suites[-1]].path, options.build_dir.absolute())
    if why:
        say(f"no machines under KVM: {why}")
    return why


def image_of(options: argparse.Namespace) -> Image:
    image = Image(options.build_dir / "faultline.elf")
    for glob in options.names:
        if not select(image.tests, [glob]):
            raise Refusal(f"No test matches {glob}.", status=NO_MATCH)
    return image


def around(path: Path, begin: str = BEGIN, end: str = END) -> Tuple[str, str]:
    """What stands on the page before the tables and behind them."""
    if not path.parent.is_dir():
        raise Refusal(f"{path.parent} is no folder to write a page into.")
    old = path.read_text(encoding="utf-8") if path.exists() else begin + end
    before, mark, rest = old.partition(begin)
    _, end_mark, behind = rest.partition(end)
    if not mark or not end_mark:
        raise Refusal(f"{path} has no place for the tables: a line {begin.strip()} and below it a "
                      f"line {end.strip()}.")
    return before + begin, end + behind


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return guarded(_main, arguments)


def _main(arguments: List[str]) -> int:
    options = parse(arguments)
    cells = wished(options)
    if options.list:
        say("\n".join(map(title, cells if options.all else pairwise(cells))))
        return OK
    if options.fetch:
        for suite, program in programs_of(cells, options).items():
            say(f"{suite}: {name_of(suite)} {program.version} {program.path}")
        return OK
    image = image_of(options)
    before, behind = around(options.write) if options.write else ("", "")
    programs = programs_of(cells, options)
    why_no_kvm = probe(cells, programs, options)
    cells = chosen(cells, options, why_no_kvm)
    runs: List[Ran] = []
    with contextlib.closing(run_all(cells, programs, options)) as endings:
        for ran in endings:
            tell(ran)
            runs.append(ran)
    runs.sort(key=lambda ran: cells.index(ran.cell))
    say(f"{sum(ran.is_good for ran in runs)} of {len(runs)} machines passed")
    if options.write:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        text = page(runs, image.tests, today, len(all_cells()), why_no_kvm)
        options.write.write_text(f"{before}{text}{behind}", encoding="utf-8")
    return status_of(runs)


def status_of(runs: Sequence[Ran]) -> int:
    if any(ran.bad for ran in runs):
        return FAILED
    return OK if all(ran.is_good for ran in runs) else BROKEN
