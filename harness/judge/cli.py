# SPDX-License-Identifier: MIT
"""Options in, exit status out.

 0  something passed, nothing failed        1  a test failed, or was itself in error
 2  wrong usage                             5  no test matched
77  everything was skipped (0 with --tap)  99  QEMU, the build or the stream is broken
130 interrupted
"""
from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, List, NoReturn, Optional, Sequence, Tuple

from . import report
from .elf import Image
from .machine import BootWay, Machine
from .model import ROOT, Refusal, Test, Verdict
from .selection import select

if TYPE_CHECKING:
    from .runner import Runner

OK, FAILED, USAGE, NO_MATCH, ALL_SKIPPED, BROKEN, INTERRUPTED = 0, 1, 2, 5, 77, 99, 130

COMMAND = "harness/run.py"


class Interrupted(BaseException):
    """SIGINT or SIGTERM came."""


class ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message[:1].upper()}{message[1:]} (see {COMMAND} --help).",
                      status=USAGE)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    previous = {number: signal.signal(number, _interrupt)
                for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _main(sys.argv[1:] if arguments is None else list(arguments))
    except Refusal as refusal:
        report.complain(str(refusal), refusal.log)
        return refusal.status
    except OSError as error:  # the disk is full, or a report's folder does not exist
        report.complain(f"{error}.")
        return BROKEN
    except Exception:  # Python's own status for this is 1, which says that a test failed
        import traceback
        report.complain("This is a bug of the harness:", traceback.format_exc())
        return BROKEN
    except Interrupted:
        report.complain("interrupted")
        return INTERRUPTED
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    raise Interrupted


def _main(arguments: List[str]) -> int:
    options = _parse(arguments)
    machine = _machine(options)
    if not options.list:
        machine.executable()
    if options.build and not options.kernel:
        from .build import bring_up_to_date
        bring_up_to_date(ROOT, options.build_dir)
    image = _load(machine.kernel)
    tests = select(image.tests, [*options.test, *options.names])
    if not tests:
        raise Refusal(f"No test matches {' '.join([*options.test, *options.names])}.",
                      status=NO_MATCH)
    if options.list:
        return _list(tests, options)
    return _run(image, machine, tests, options)


# --- Options --------------------------------------------------------------------------------------


def _parse(arguments: List[str]) -> argparse.Namespace:
    parser = ArgumentParser(prog=COMMAND, allow_abbrev=False,
                            description="Boots the kernel in QEMU and judges its tests.")
    _add_selection(parser)
    _add_machine(parser)
    _add_run(parser)
    options = parser.parse_args(arguments)
    stdouts = [name for name, is_used in (
        ("--json -", options.json == "-"), ("--junit -", options.junit == "-"),
        ("--tap", options.tap)) if is_used]
    if len(stdouts) > 1:
        parser.error(f"{' and '.join(stdouts)} would both write to the standard output")
    if options.list and (options.tap or options.junit):
        parser.error("--list boots nothing, so that there is no verdict to report")
    if options.boot == "grub" and options.machine.partition(",")[0] == "microvm":
        parser.error("GRUB comes from a CD-ROM, and a microvm has no drive: use --boot direct")
    return options


def _add_selection(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("which tests")
    group.add_argument("names", nargs="*", metavar="GLOB", help="same as --test GLOB")
    group.add_argument("--test", action="append", default=[], metavar="GLOB",
                       help="suite.name, or a name of any suite; * and ? are wildcards")
    group.add_argument("--list", action="store_true", help="name the tests, without booting")
    group.add_argument("--build-dir", type=Path, default=ROOT / "build", metavar="DIR",
                       help="default: build")
    group.add_argument("--no-build", dest="build", action="store_false",
                       help="take the kernel as it is")
    group.add_argument("--kernel", type=Path, metavar="ELF", help="default: DIR/faultline.elf")
    group.add_argument("--iso", type=Path, metavar="ISO", help="default: DIR/faultline.iso")


def _add_machine(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the machine")
    group.add_argument("--qemu", default="qemu-system-x86_64", metavar="PATH")
    group.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    group.add_argument("--boot", choices=[way.value for way in BootWay], default="direct")
    group.add_argument("--machine", default="", metavar="NAME",
                       help="default: a PC with no more than the tests need")
    group.add_argument("--cpu", default="max", metavar="NAME")
    group.add_argument("--memory", default="128M", metavar="SIZE")
    group.add_argument("--qemu-arg", action="append", default=[], metavar="ARG",
                       help="appended to QEMU's command line")
    group.add_argument("--timeout", type=_seconds, default=10.0, metavar="SECONDS",
                       help="for each test, and for each step between them; default: 10")


def _add_run(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the run and its reports")
    group.add_argument("--isolate", choices=("boot", "none"), default="none",
                       help="a boot for each test, or one for all that allow it (default)")
    group.add_argument("--allow-skip", metavar="GLOB", action="append", default=[],
                       help="tests that may skip themselves here: else that is an error")
    group.add_argument("-x", dest="stop", action="store_true", help="stop after the first failure")
    group.add_argument("--json", metavar="FILE", default="", help="- is the standard output")
    group.add_argument("--junit", metavar="FILE", default="", help="- is the standard output")
    group.add_argument("--tap", action="store_true", help="TAP on the standard output")
    group.add_argument("-v", dest="verbose", action="store_true", help="a line for each test")
    group.add_argument("--keep", action="store_true", help="keep the folders of good runs too")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


def _machine(options: argparse.Namespace) -> Machine:
    kernel = options.kernel or options.build_dir / "faultline.elf"
    iso = options.iso or options.build_dir / "faultline.iso"
    return Machine(kernel.absolute(), iso.absolute(), options.qemu, BootWay(options.boot),
                   options.machine, options.cpu, options.memory, options.accel,
                   extra=tuple(options.qemu_arg))


def _load(kernel: Path) -> Image:
    image = Image(kernel)
    if not image.tests:
        from .build import how_to_get_tests
        raise Refusal(f"{kernel} has no tests: it was built without -Dktest=true. "
                      f"To get one that has: {how_to_get_tests(kernel.parent)}")
    if not image.build_id:
        raise Refusal(f"{kernel} has no build id, so that it cannot be told from an older one: "
                      "link it with --build-id.")
    return image


# --- Actions --------------------------------------------------------------------------------------


def _list(tests: Sequence[Test], options: argparse.Namespace) -> int:
    if options.json:
        report.write_json([report.test_data(test) for test in tests], options.json)
    if options.json != "-":
        report.list_tests(tests, options.verbose)
    return OK


def _run(image: Image, machine: Machine, tests: Tuple[Test, ...],
         options: argparse.Namespace) -> int:
    from .runner import Runner, Settings  # 20 ms that --list does without
    if machine.way is BootWay.GRUB and not machine.iso.exists():
        raise Refusal(f"There is no {machine.iso} to boot: build it, or name it with --iso.")
    runner = Runner(image, machine, Settings(options.timeout, options.isolate == "boot",
                                             options.stop, options.keep,
                                             tuple(options.allow_skip)))
    session = Session(image, machine, tests, runner, options)
    return session.run()


class Session:
    """One run and its reports. The files are there from the start, and whole at any time."""

    def __init__(self, image: Image, machine: Machine, tests: Tuple[Test, ...], runner: "Runner",
                 options: argparse.Namespace) -> None:
        self._tests = tests
        self._runner = runner
        self._options = options
        self._build_id = image.build_id
        self._kernel = machine.kernel
        self._how = f"{machine.way.value} boot, {machine.accel}"
        self._cards = report.Cards(image, options.verbose, _command(options),
                                   [*options.test, *options.names])
        self._started = time.monotonic()
        is_stdout_taken = "-" in (options.json, options.junit)
        self._terminal = report.Terminal(sys.stderr if is_stdout_taken else sys.stdout,
                                         options.verbose, is_quiet=options.tap)

    def run(self) -> int:
        self._terminal.begin(len(self._tests), _short(self._kernel), self._how)
        is_complete = False
        try:
            self._write_files(self._summary(is_complete))
            for results in self._runner.run(self._tests):
                self._terminal.progress(results)
                self._write_files(self._summary(is_complete))
            is_complete = True
        except Interrupted:
            self._terminal.interrupt(self._runner.folder)
        summary = self._summary(is_complete)
        self._write_files(summary)
        self._write_output(summary)
        return exit_status(summary, self._options.tap)

    def _summary(self, is_complete: bool) -> report.Summary:
        place = {test: index for index, test in enumerate(self._tests)}
        results = sorted(self._runner.results, key=lambda result: place[result.test])
        return report.Summary(tuple(results), len(self._tests), self._runner.boots,
                              time.monotonic() - self._started, self._build_id,
                              str(self._kernel), is_complete)

    def _write_files(self, summary: report.Summary) -> None:
        if self._options.json not in ("", "-"):
            report.write_json(report.run_data(summary), self._options.json)
        if self._options.junit not in ("", "-"):
            report.write_junit(summary, self._cards, self._options.junit)

    def _write_output(self, summary: report.Summary) -> None:
        if self._options.json == "-":
            report.write_json(report.run_data(summary), "-")
        if self._options.junit == "-":
            report.write_junit(summary, self._cards, "-")
        if self._options.tap:
            report.print_tap(summary, self._cards)
        self._terminal.cards(summary.results, self._cards)
        self._terminal.end(summary)


def exit_status(summary: report.Summary, is_tap: bool) -> int:
    verdicts = {result.verdict for result in summary.results}
    if not summary.is_complete:
        return INTERRUPTED
    if any(result.is_trouble for result in summary.results):
        return BROKEN
    if verdicts & {Verdict.FAIL, Verdict.ERROR}:
        return FAILED
    if Verdict.PASS in verdicts or is_tap:  # to Meson, 77 is an error of a TAP test
        return OK
    return ALL_SKIPPED


def _command(options: argparse.Namespace) -> List[str]:
    """What makes the same machine again, up to the tests."""
    defaults = {"boot": "direct", "accel": "tcg", "machine": "", "cpu": "max", "memory": "128M",
                "qemu": "qemu-system-x86_64", "build_dir": ROOT / "build", "kernel": None,
                "iso": None}
    words = [COMMAND]
    for name, default in defaults.items():
        value = getattr(options, name)
        if value != default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words + [f"--qemu-arg={each}" for each in options.qemu_arg]


def _short(path: Path) -> str:
    """Relative to where the user stands, if that is shorter."""
    relative = os.path.relpath(path)
    return min(relative, str(path), key=len)
