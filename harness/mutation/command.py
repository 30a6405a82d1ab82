# SPDX-License-Identifier: MIT
"""The command that mutates the code and tells which mutants no test has noticed.

 0  of those that were tried, as many percent were noticed as --least says
 1  fewer; or an entry of the list of equivalents fits no mutant any more
 2  wrong usage                      5  no mutant matched
99  the code as it is does not build or fails its tests, or nothing was tried
130 interrupted; what was known is kept
"""
from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import math
import os
import random
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from judge.build import bring_up_to_date
from judge.cli import BROKEN, FAILED, NO_MATCH, OK, guarded
from judge.matrix import around
from judge.model import ROOT, Refusal
from judge.options import ArgumentParser, refuse_empty_values
from judge.report import write_report
from judge.terminal import complain, say

from . import c_code, python_code
from .crew import run_all
from .ledger import Ledger, digest, locked, read_equivalents
from .mutant import CAUGHT, Fate, Key, Mutant, Result, apply
from .python_shop import PythonShop
from .report import (Outcome, Sums, data, difference, page, percent, reason_of, reasons, stale,
                     survivor_lines, table)
from .trial import Baselines, Trial
from .workshop import PLAIN, SANITIZED, Project, Workshop, project

EQUIVALENTS = Path("harness/mutation/equivalent.txt")
BEGIN, END = "<!-- harness/mutate.py -->\n", "<!-- the end of the mutants -->\n"
# Tests, and what only tests use.
NOT_MUTATED = re.compile(r"_test\.c$|_fixture\.[ch]$|/test_|/fake_|/host_|_test\.h$|/selftest/|"
                         r"/fuzz/|/proof/|/(fault_machine|step_counter|bochs_display)\.[ch]$")
DEFAULTS = ("kernel", "ktest")
FOLDERS = (*DEFAULTS, "harness/judge", "harness/mutation")
# What a survivor of each language may be noticed by when it changes.
TREES = {".c": ("kernel", "ktest", "cross", "meson.build", "meson_options.txt"),
         ".py": ("harness",)}
Shop = Union[Workshop, PythonShop]


@dataclass(frozen=True)
class Code:
    """The files that are chosen, and all of their mutants."""

    root: Path
    mutants: Tuple[Mutant, ...]
    pure: FrozenSet[str] = frozenset()  # files that are tested on the host

    def text(self, mutant: Mutant) -> str:
        return (self.root / mutant.path).read_text(encoding="latin-1")


# --- Options --------------------------------------------------------------------------------------


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        prog="harness/mutate.py", allow_abbrev=False,
        description="Makes small changes of the code, one at a time, and tells which of them no "
                    "test notices.")
    _add_selection(parser)
    _add_run(parser)
    refuse_empty_values(parser, arguments)
    options = parser.parse_args(arguments)
    options.state = options.state or options.build_dir / "mutation"
    for name, value, least in (("-j", options.jobs, 1), ("--sample", options.sample, 1)):
        if value is not None and value < least:
            parser.error(f"{name} has to be {least} or more")
    if options.minutes is not None and not 0 < options.minutes < math.inf:
        parser.error("--minutes has to be more than 0")
    if not 0 <= options.least <= 100:
        parser.error("--least has to be a percentage")
    return options


def _add_selection(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH",
                        help="files, folders or globs, of C or of Python; default: kernel ktest")
    parser.add_argument("--only-operator", action="append", default=[], metavar="GLOB",
                        help="only changes of this kind, such as 'forget-*'")
    parser.add_argument("--part", choices=("pure", "rest"),
                        help="pure: files that are tested on the host; rest: the others")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them, by chance")
    parser.add_argument("--seed", type=int, default=1, help="of the sample; default: 1")
    parser.add_argument("--listed", action="store_true",
                        help="try those that are listed as equivalent, and no others")
    parser.add_argument("--list", action="store_true", help="name them and try nothing")
    parser.add_argument("--known", action="store_true", help="try nothing; tell what is known")
    parser.add_argument("--show", metavar="ID", help="the change of this one, as a patch")
    parser.add_argument("--apply", metavar="ID", help="make this change in the work tree")


def _add_run(parser: ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, metavar="M", help="stop when they are over")
    parser.add_argument("--outside", action="store_true",
                        help="try what survives in the kernel with kernel/host_tests, too, which "
                             "takes a minute each")
    parser.add_argument("--least", type=float, default=100.0, metavar="PERCENT",
                        help="so many have to be noticed; default: 100")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build", metavar="DIR",
                        help="default: build")
    parser.add_argument("--state", type=Path, metavar="DIR",
                        help="where results and copies are kept; default: DIR/mutation")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="so many side by side; default: one a processor")
    parser.add_argument("--json", metavar="FILE", help="- is the standard output")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the tables into this page")


# --- Which mutants --------------------------------------------------------------------------------


def chosen_paths(root: Path, words: Sequence[str]) -> List[str]:
    """Each word has to match something."""
    every = [str(path.relative_to(root)) for folder in FOLDERS
             for path in sorted((root / folder).rglob("*")) if path.suffix in (".c", ".h", ".py")]
    code = [path for path in every if not NOT_MUTATED.search(path) and
            path.endswith(".py") == path.startswith("harness/")]
    found: List[str] = []
    for word in words or DEFAULTS:
        name = os.path.relpath(word, root) if os.path.isabs(word) else word.rstrip("/")
        matching = [path for path in code if path == name or path.startswith(f"{name}/") or
                    fnmatch.fnmatchcase(path, name)]
        if not matching:
            raise Refusal(f"There is nothing to mutate at {word}.", status=NO_MATCH)
        found += matching
    return sorted(set(found))


def mutants_in(root: Path, paths: Sequence[str], origin: Optional[Project]) -> Code:
    options = ("-Ikernel", "-Iktest")
    found: List[Mutant] = []
    for path in paths:
        if path.endswith(".py"):
            found += python_code.mutants(root, path)
        elif origin is None or path in origin.kernel or path in origin.plain:
            found += c_code.mutants(root, path, options)
    return Code(root, tuple(found), origin.plain if origin else frozenset())


def chosen(code: Code, options: argparse.Namespace, listed: Mapping[Key, str]) -> List[Mutant]:
    globs = options.only_operator or ["*"]
    names = {mutant.key.operator for mutant in code.mutants}
    for glob in globs:
        if not fnmatch.filter(names, glob):
            raise Refusal(f"There is no change of the kind {glob} here; there are "
                          f"{', '.join(sorted(names))}.", status=NO_MATCH)
    found = [mutant for mutant in code.mutants
             if any(fnmatch.fnmatchcase(mutant.key.operator, glob) for glob in globs) and
             (not options.listed or reason_of(mutant, listed)) and
             options.part in (None, "pure" if mutant.path in code.pure else "rest")]
    if not found:
        raise Refusal("There is no such mutant.", status=NO_MATCH)
    if options.sample is not None and options.sample < len(found):
        places = random.Random(options.seed).sample(range(len(found)), options.sample)
        found = [found[place] for place in sorted(places)]
    return found


def by_id(code: Code, name: str) -> Mutant:
    for mutant in code.mutants:
        if mutant.id == name:
            return mutant
    raise Refusal(f"There is no mutant {name} in the chosen files.", status=NO_MATCH)


# --- Trying them ----------------------------------------------------------------------------------


class Campaign:
    """`results` are those that count, whoever has found them."""

    def __init__(self, code: Code, options: argparse.Namespace, origin: Optional[Project]) -> None:
        self._code = code
        self._options = options
        self._origin = origin
        self._baselines = origin.baselines if origin else Baselines()
        self._ledger = Ledger(options.state)
        self._trees = {name: digest(sorted(_files_of(code.root, names)))
                       for name, names in TREES.items()}
        self._files = {path: digest([code.root / path])
                       for path in sorted({mutant.path for mutant in code.mutants})}

    def outcomes(self, mutants: Sequence[Mutant], listed: Mapping[Key, str], deadline: float
                 ) -> List[Outcome]:
        """Tries what is not known, until the deadline."""
        if not self._options.known:
            self.try_all([mutant for mutant in mutants
                          if bool(reason_of(mutant, listed)) == self._options.listed], deadline)
        return [Outcome(mutant, self.known(mutant),
                        "" if self._options.listed else reason_of(mutant, listed),
                        mutant.path in self._code.pure) for mutant in mutants]

    def known(self, mutant: Mutant) -> Optional[Result]:
        return self._ledger.known(mutant, self._files[mutant.path], self._tree_of(mutant))

    def _tree_of(self, mutant: Mutant) -> str:
        """What a survivor was looked at with is part of it."""
        outside = "+outside" if self._options.outside else ""
        return self._trees[".py" if mutant.path.endswith(".py") else ".c"] + outside

    def try_all(self, mutants: Sequence[Mutant], deadline: float) -> None:
        """That is not known yet."""
        new = [mutant for mutant in mutants if self.known(mutant) is None]
        if new:
            with tempfile.TemporaryDirectory(prefix="mutate-") as scratch:
                self._try_all(new, deadline, Path(scratch))

    def _try_all(self, mutants: Sequence[Mutant], deadline: float, scratch: Path) -> None:
        shops = [self._shops(place, mutants, scratch / str(place))
                 for place in range(min(self._options.jobs, len(mutants)))]
        outputs = [self._options.state / f"worker-{place}" / "output"
                   for place in range(len(shops))]

        def begin(mutant: Mutant, place: int) -> Trial:
            is_python = mutant.path.endswith(".py")
            shop = next(each for each in shops[place] if isinstance(each, PythonShop) == is_python)
            return shop.trial(mutant)

        with contextlib.closing(run_all(iter(mutants), begin, outputs, deadline)) as endings:
            for mutant, result in endings:
                self._ledger.keep(mutant, result, self._files[mutant.path],
                                  self._tree_of(mutant))
                tell(mutant, result)

    def _shops(self, place: int, mutants: Sequence[Mutant], scratch: Path) -> List[Shop]:
        folder = (self._options.state / f"worker-{place}").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        shops: List[Shop] = []
        if any(not mutant.path.endswith(".py") for mutant in mutants):
            assert self._origin is not None
            shops.append(Workshop(self._origin, folder, scratch, self._options.outside))
        if any(mutant.path.endswith(".py") for mutant in mutants):
            shops.append(PythonShop(self._code.root, folder, self._baselines))
        for shop in shops:
            shop.open()
        return shops


def _files_of(root: Path, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        for path in [root / name] if (root / name).is_file() else (root / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def tell(mutant: Mutant, result: Result) -> None:
    by = f" by {result.by}" if result.by else ""
    message = f": {result.message}" if result.message else ""
    say(f"{result.fate.value}{by}: {mutant.path}:{mutant.line} {mutant.key.operator} {mutant.id} "
        f"({result.seconds:.1f} s){message.splitlines()[0][:200] if message else ''}")


# --- The command ----------------------------------------------------------------------------------


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return guarded(_main, arguments)


def _main(arguments: List[str]) -> int:
    options = parse(arguments)
    deadline = math.inf if options.minutes is None else time.monotonic() + 60 * options.minutes
    paths = chosen_paths(ROOT, options.paths)
    if options.show or options.apply:
        return show_or_apply(mutants_in(ROOT, paths, None), options)
    equivalents = read_equivalents(ROOT / EQUIVALENTS)
    listed = reasons(equivalents)
    around_tables = around(options.write, BEGIN, END) if options.write else None
    with locked(options.state):
        is_c = any(not path.endswith(".py") for path in paths)
        origin = built(options) if is_c else None
        code = mutants_in(ROOT, paths, origin)
        mutants = chosen(code, options, listed)
        if options.list:
            say("\n".join(f"{each.id} {each.path}:{each.line} {each.key.operator}: "
                          f"{each.key.after}" for each in mutants))
            return OK
        outcomes = Campaign(code, options, origin).outcomes(mutants, listed, deadline)
        old = stale(equivalents, code.mutants)
    if around_tables:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        options.write.write_text(page(outcomes, today).join(around_tables), encoding="utf-8")
    if options.json:
        write_report(json.dumps(data(outcomes, old), indent=2) + "\n", options.json)
    for entry in old:
        complain(f"{EQUIVALENTS}:{entry.line}: there is no such mutant any more.")
    return conclude(outcomes, options, bool(old))


def built(options: argparse.Namespace) -> Project:
    """The code as it is, up to date."""
    build = options.build_dir.absolute()
    bring_up_to_date(ROOT, options.build_dir)
    done = subprocess.run(["ninja", "-C", str(build), PLAIN, SANITIZED], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Refusal(f"The build failed: ninja -C {build} {PLAIN} {SANITIZED}",
                      "\n".join(done.stdout.splitlines()[-20:]))
    return project(ROOT, build)


def show_or_apply(code: Code, options: argparse.Namespace) -> int:
    mutant = by_id(code, options.show or options.apply)
    text = code.text(mutant)
    say(difference(text, mutant).rstrip("\n"))
    if options.apply:
        (ROOT / mutant.path).write_text(apply(text, mutant.change), encoding="latin-1")
    return OK


def conclude(outcomes: Sequence[Outcome], options: argparse.Namespace, is_stale: bool) -> int:
    sums = Sums(tuple(outcomes))
    say("\n".join(survivor_lines(outcomes)))
    say(table(outcomes))
    say(f"{sums.tried} of {len(outcomes)} mutants tried, {percent(sums.score)} % noticed")
    if options.listed:
        wrong = [each for each in outcomes if each.fate in CAUGHT]
        for each in wrong:
            assert each.result is not None
            complain(f"{each.mutant.path}:{each.mutant.line} is listed as equivalent, but "
                     f"{each.result.by or 'a run'} notices it.")
        return FAILED if wrong or is_stale else OK
    if sums.score is None:
        has_any = sums.count(Fate.SAME, Fate.UNBUILT) or sums.listed
        return OK if has_any and not is_stale else BROKEN
    return FAILED if is_stale or sums.score < options.least else OK
