# SPDX-License-Identifier: MIT
"""One image on many machines: each cell is a run of harness/run.py, and the table of all says what
came of it and where the machines differ.

A cell is good if its run was: then each test ended as it declares for that machine, and exactly
those were skipped that had to be. So a difference between two machines that no test declares can't
be seen here: it is a failure.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from . import qemus
from .elf import Image
from .grid import AXES, Cell, all_cells, pairwise
from .model import ROOT, Accel, Quirk, Refusal, Test
from .outcomes import describe_outcome
from .program import die_with_parent
from .terms import describe_version

RUN = ROOT / "harness/run.py"
ICOUNT = ("--qemu-arg=-icount", "--qemu-arg=shift=1,sleep=off")
TIMEOUT = "60"  # of a test, on the slowest machine with others beside it
VERSION = re.compile(r"version (\d+\.\d+\.\d+)")
BROKEN, USAGE, INTERRUPTED = 99, 2, 130
BEGIN, END = "<!-- harness/matrix.py -->\n", "<!-- the end of the matrix -->\n"


@dataclass(frozen=True)
class Ran:
    cell: Cell
    version: str  # QEMU's
    command: Tuple[str, ...]
    status: int
    counts: Dict[str, int] = field(default_factory=dict)
    tests: Tuple[Dict[str, Any], ...] = ()
    seconds: float = 0.0
    said: str = ""

    @property
    def is_good(self) -> bool:
        bad = self.counts.get("fail", 0) + self.counts.get("error", 0)
        return self.status == 0 and self.counts.get("pass", 0) > 0 and bad == 0


def command_of(cell: Cell, qemu: Path, build: Path) -> List[str]:
    """What runs it, without its report."""
    words = [str(RUN), "--no-build", "--build-dir", str(build), "--timeout", TIMEOUT,
             "--qemu", str(qemu), "--machine", cell.machine, "--boot", cell.boot,
             "--cpu", cell.cpu, "--memory", cell.memory, f"--argument=irq={cell.irq}"]
    return words + (list(ICOUNT) if cell.clock == "icount" else [])


def run_cell(cell: Cell, qemu: Path, version: str, build: Path, tests: Sequence[str]) -> Ran:
    command = [*command_of(cell, qemu, build), *tests]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run([sys.executable, *command, "--json", str(report)], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, preexec_fn=die_with_parent())
        said = done.stdout.decode("utf-8", "backslashreplace")
        try:
            data = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Ran(cell, version, tuple(command), done.returncode or BROKEN, said=said)
    # Without an order to the contrary, all of these tests were run.
    status = done.returncode if data["complete"] and not data["not_run"] else BROKEN
    return Ran(cell, version, tuple(command), status, data["counts"], tuple(data["tests"]),
               data["seconds"], said)


# --- What there is to tell ------------------------------------------------------------------------


def title(cell: Cell) -> str:
    return " ".join(vars(cell).values())


def row(ran: Ran) -> List[str]:
    cell, counts = ran.cell, ran.counts
    bad = counts.get("fail", 0) + counts.get("error", 0)
    verdict = "pass" if ran.is_good else f"**{bad or 'nothing'} failed**" if bad else "**did not run**"
    return [ran.version, cell.machine, cell.boot, cell.irq, cell.cpu, cell.memory, cell.clock, verdict,
            str(counts.get("pass", 0)), str(counts.get("skip", 0))]


HEAD = ["QEMU", "machine", "boot", "irq", "cpu", "memory", "clock", "verdict", "passed", "skipped"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def skips(runs: Sequence[Ran]) -> List[List[str]]:
    """Each reason, with the tests that it holds for and the cells that it was given in."""
    tests: Dict[str, List[str]] = {}
    cells: Dict[str, "Counter[Cell]"] = {}
    for ran in runs:
        for test in ran.tests:
            if test["verdict"] == "skip":
                names = tests.setdefault(test["sentence"], [])
                if test["name"] not in names:
                    names.append(test["name"])
                cells.setdefault(test["sentence"], Counter())[ran.cell] += 1
    return [[why, ", ".join(f"`{name}`" for name in sorted(names)), str(len(cells[why]))]
            for why, names in sorted(tests.items())]


def when(quirk: Quirk) -> str:
    words = ["icount" if quirk.accel is Accel.ICOUNT else quirk.accel.name]
    if quirk.since:
        words.append(f"since {describe_version(quirk.since)}")
    if quirk.before:
        words.append(f"before {describe_version(quirk.before)}")
    return " ".join(words)


def quirks(tests: Sequence[Test]) -> List[List[str]]:
    """Where QEMU does not do what the CPU does, or not in each version; each is asserted."""
    return [[f"`{test.full_name}`", when(quirk), describe_outcome(test.outcome),
             f"can't be run: {quirk.skip}" if quirk.skip is not None
             else describe_outcome(quirk.outcome)]
            for test in tests for quirk in test.quirks]


def page(runs: Sequence[Ran], tests: Sequence[Test], date: str, of: int) -> str:
    good = sum(ran.is_good for ran in runs)
    return (f"{good} of {len(runs)} machines passed on {date}; {of} can be told apart.\n\n"
            + table(HEAD, [row(ran) for ran in runs])
            + "\n### What was skipped, and in how many of the machines\n\n"
            + table(["reason", "tests", "machines"], skips(runs))
            + "\n### Where QEMU differs from the CPU, or from itself\n\n"
            + table(["test", "where", "as the CPU", "there"], quirks(tests)))


def write_page(path: Path, text: str) -> None:
    """Between the marks, if the file has them."""
    old = path.read_text(encoding="utf-8") if path.exists() else BEGIN + END
    before, mark, rest = old.partition(BEGIN)
    _, other_mark, behind = rest.partition(END)
    if not mark or not other_mark:
        raise Refusal(f"{path} has no place for the matrix: {BEGIN.strip()} to {END.strip()}.")
    path.write_text(before + BEGIN + text + END + behind, encoding="utf-8")


# --- The command ----------------------------------------------------------------------------------


def parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="harness/matrix.py", allow_abbrev=False,
        description="Runs one image on many machines, each as harness/run.py does; by default so "
                    "few that each pair of their properties is met.")
    parser.add_argument("names", nargs="*", metavar="GLOB", help="only these tests")
    parser.add_argument("--all", action="store_true", help="each machine that there is")
    parser.add_argument("--only", action="append", default=[], metavar="AXIS=VALUE",
                        help="only machines with this property: "
                             + "; ".join(f"{axis}={'|'.join(values)}" for axis, values in AXES.items()))
    parser.add_argument("--list", action="store_true", help="name the machines and run nothing")
    parser.add_argument("--fetch", action="store_true", help="only see to it that QEMU is there")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--cache", type=Path, default=qemus.default_cache(), metavar="DIR",
                        help="where the versions of QEMU are kept; default: %(default)s")
    parser.add_argument("--mirror", metavar="URL", help="of Debian; default: the system's own")
    parser.add_argument("-j", dest="jobs", type=int, default=1, metavar="N",
                        help="so many machines side by side")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table into this page")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("-j has to be 1 or more")
    for each in options.only:
        axis, _, value = each.partition("=")
        if value not in AXES.get(axis, ()):
            parser.error(f"--only {each}: there is no such property")
    return options


def chosen(options: argparse.Namespace) -> List[Cell]:
    cells = all_cells()
    for each in options.only:
        axis, _, value = each.partition("=")
        cells = [cell for cell in cells if getattr(cell, axis) == value]
    if not cells:
        raise Refusal("There is no machine with all of these properties.", status=USAGE)
    return cells if options.all else pairwise(cells)


def versions(cells: Sequence[Cell], options: argparse.Namespace) -> Dict[str, Tuple[Path, str]]:
    """The program of each suite, and what it says its version is."""
    found = {}
    for suite in dict.fromkeys(cell.qemu for cell in cells):
        program = qemus.provide(suite, options.cache.absolute(), options.mirror)
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, check=False).stdout
        match = VERSION.search(said)
        if match is None:
            raise Refusal(f"{program} does not tell its version.", said)
        found[suite] = (program, match[1])
    return found


def run_all(cells: Sequence[Cell], programs: Dict[str, Tuple[Path, str]],
            options: argparse.Namespace) -> Iterator[Ran]:
    """In the order of the cells."""
    build = options.build_dir.absolute()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run_cell, cell, *programs[cell.qemu], build, options.names)
                   for cell in cells]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def tell(ran: Ran) -> None:
    print(f"{'pass' if ran.is_good else 'FAIL'} QEMU {ran.version}: {title(ran.cell)}: "
          f"{ran.counts.get('pass', 0)} passed, {ran.counts.get('skip', 0)} skipped, "
          f"{ran.seconds:.1f} s", flush=True)
    if not ran.is_good:
        print(f"  repeat  {shlex.join(ran.command)}\n{ran.said}", flush=True)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = parse(arguments)
    try:
        return _main(options)
    except Refusal as refusal:
        print(f"faultline: {refusal}", file=sys.stderr)
        if refusal.log:
            print(refusal.log, file=sys.stderr)
        return refusal.status
    except KeyboardInterrupt:
        print("faultline: interrupted", file=sys.stderr)
        os._exit(INTERRUPTED)  # the machines end with us


def _main(options: argparse.Namespace) -> int:
    cells = chosen(options)
    if options.list:
        print("\n".join(map(title, cells)))
        return 0
    programs = versions(cells, options)
    if options.fetch:
        for suite, (program, version) in programs.items():
            print(f"{suite}: QEMU {version} {program}")
        return 0
    image = Image(options.build_dir / "faultline.elf")
    runs = []
    for ran in run_all(cells, programs, options):
        tell(ran)
        runs.append(ran)
    good = sum(ran.is_good for ran in runs)
    print(f"{good} of {len(runs)} machines passed")
    if options.write:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        write_page(options.write, page(runs, image.tests, today, len(all_cells())))
    return 0 if good == len(runs) else 1
