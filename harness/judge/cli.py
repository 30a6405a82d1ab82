# SPDX-License-Identifier: MIT
"""Options in, exit status out.

 0  something passed, nothing failed; or
    a shard has none of the tests           1  a test failed, or was itself in error
 2  wrong usage                             5  no test matched
77  everything was skipped (0 with --tap)  99  QEMU, the build or the stream is broken
130 interrupted
"""
from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, FrozenSet, List, NoReturn, Optional, Sequence, Tuple

from . import report
from .elf import Image
from .machine import BootWay, Machine
from .memory import Memory
from .model import ROOT, Refusal, Speed, Test, Verdict
from .order import in_order
from .rounds import Plan, Tally, random_seed, shuffle_words
from .selection import Shard, of_suites, select

if TYPE_CHECKING:
    from .runner import Runner

OK, FAILED, USAGE, NO_MATCH, ALL_SKIPPED, BROKEN, INTERRUPTED = 0, 1, 2, 5, 77, 99, 130

COMMAND = "harness/run.py"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ANY_SEED = -1  # --shuffle without a value


class Interrupted(BaseException):
    """One of SIGNALS came."""


class ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message[:1].upper()}{message[1:]} (see {COMMAND} --help).",
                      status=USAGE)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    previous = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        status = _main(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
        return status
    except Refusal as refusal:
        report.complain(str(refusal), refusal.log)
        return refusal.status
    except BrokenPipeError:
        report.forget_stdout()
        report.complain("nobody reads the standard output any more.")
        return BROKEN
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
    choice = _choose(image, machine, options)
    if options.list:
        return _list(choice, options)
    if machine.way is BootWay.GRUB and not image.build_id:
        raise Refusal(f"{machine.kernel} has no build id, so that it cannot be told from an older "
                      "one in the ISO: link it with --build-id.")
    if machine.way is BootWay.GRUB and not machine.iso.exists():
        raise Refusal(f"There is no {machine.iso} to boot: build it, or name it with --iso.")
    if options.bisect_order:
        return _bisect(image, machine, choice, options)
    session = Session(image, machine, choice, _runner(image, machine, options, options.stop),
                      options)
    return session.run()


@dataclass(frozen=True)
class Choice:
    """The tests that run, and what there is to say of how they were found."""

    tests: Tuple[Test, ...]
    how: Tuple[str, ...] = ()  # for the headline
    remark: str = ""  # a sentence: something is not as it was asked for
    words: Tuple[str, ...] = ()  # options that choose the same again


def _choose(image: Image, machine: Machine, options: argparse.Namespace) -> Choice:
    choice = Choice(in_order(_selected(image, options), _fixed_seed(options)),
                    words=_selecting(options))
    if options.last_failed:
        choice = _only_failed(choice, Memory(machine.kernel).failed())
    return choice if options.shard is None else _only_shard(choice, options.shard)


def _only_failed(choice: Choice, failed: FrozenSet[str]) -> Choice:
    """As pytest has it: where there is nothing to repeat, all of them run."""
    tests = tuple(test for test in choice.tests if test.full_name in failed)
    if tests:
        return replace(choice, tests=tests, how=(*choice.how, "what failed last"),
                       words=("--last-failed", *choice.words))
    why = f"{len(failed)} known to fail, but none that is selected" if failed else (
        "nothing failed the last time")
    return replace(choice, remark=f"--last-failed: {why}; all that are selected run.")


def _only_shard(choice: Choice, shard: Shard) -> Choice:
    """One that has nothing to do is well: that there are tests at all is known by now."""
    tests = shard.of(choice.tests)
    none = f"Shard {shard} has none of the selected tests ({len(choice.tests)})."
    return replace(choice, tests=tests, how=(*choice.how, f"shard {shard}"),
                   remark=" ".join(filter(None, [choice.remark, "" if tests else none])),
                   words=(*choice.words, "--shard", str(shard)))


def _selected(image: Image, options: argparse.Namespace) -> Sequence[Test]:
    globs = [*options.test, *options.names]
    for glob in globs:  # one that is misspelt must not hide behind the others
        if not select(image.tests, [glob]):
            raise Refusal(f"No test matches {glob}.", status=NO_MATCH)
    matching = select(of_suites(image.tests, options.suite), globs)
    tests = [test for test in matching
             if test.is_bench == options.bench and test.speed <= options.speed]
    if tests:
        return tests
    kind = "benchmark" if options.bench else "test"
    words = " ".join(["", *globs, *(f"--suite {glob}" for glob in options.suite)])
    if not matching:
        why = ""
    elif any(test.is_bench == options.bench for test in matching):
        why = f" at the speed {options.speed.word}"
    else:
        why = ": without --bench there are tests" if options.bench else (
            ": what does is a benchmark, for --bench")
    raise Refusal(f"No {kind} matches{words or ' at all'}{why}.", status=NO_MATCH)


def _fixed_seed(options: argparse.Namespace) -> Optional[int]:
    return options.shuffle if options.shuffle != ANY_SEED else None


# --- Options --------------------------------------------------------------------------------------


def _parse(arguments: List[str]) -> argparse.Namespace:
    parser = ArgumentParser(prog=COMMAND, allow_abbrev=False,
                            description="Boots the kernel in QEMU and judges its tests.",
                            epilog="Colours are for terminals; NO_COLOR and TERM=dumb turn them "
                                   "off, FORCE_COLOR on in a pipe. Reports have none.")
    _add_selection(parser)
    _add_machine(parser)
    _add_run(parser)
    # argparse would take the next word for an optional value; here it stands behind a = only.
    options = parser.parse_args(["--shuffle=" if word == "--shuffle" else word
                                 for word in arguments])
    _refuse_contradictions(parser, options)
    return options


def _refuse_contradictions(parser: ArgumentParser, options: argparse.Namespace) -> None:
    stdouts = [name for name, is_used in (
        ("--json -", options.json == "-"), ("--junit -", options.junit == "-"),
        ("--tap", options.tap)) if is_used]
    if len(stdouts) > 1:
        parser.error(f"{' and '.join(stdouts)} would both write to the standard output")
    if options.list and (options.tap or options.junit):
        parser.error("--list boots nothing, so that there is no verdict to report")
    if options.boot == "grub" and options.machine.partition(",")[0] == "microvm":
        parser.error("GRUB comes from a CD-ROM, and a microvm has no drive: use --boot direct")
    is_repeated = options.repeat is not None or options.until_fail
    if options.list and (is_repeated or options.bisect_order):
        parser.error("--list boots nothing, so that nothing can be repeated or bisected")
    if options.list and options.durations is not None:
        parser.error("--list boots nothing, so that nothing takes any time")
    if options.bisect_order:
        others = [name for name, is_used in (
            ("--repeat", options.repeat is not None), ("--until-fail", options.until_fail),
            ("--bench", options.bench), ("--isolate boot", options.isolate == "boot"),
            ("-x", options.stop), ("--durations", options.durations is not None),
            ("--tap", options.tap), ("--junit", options.junit), ("--json", options.json))
            if is_used]
        if others:
            parser.error(f"--bisect-order decides itself what runs and what it says: it goes "
                         f"without {others[0]}")


def _add_selection(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("which tests")
    group.add_argument("names", nargs="*", metavar="GLOB", help="same as --test GLOB")
    group.add_argument("--test", action="append", default=[], metavar="GLOB",
                       help="suite.name, or a name of any suite; * and ? are wildcards")
    group.add_argument("--suite", action="append", default=[], metavar="GLOB",
                       help="only tests of these suites, of those that --test selects")
    group.add_argument("--speed", type=_speed, metavar="SPEED", default=Speed.VERY_SLOW,
                       help="only tests up to this speed: normal, slow or very-slow (default)")
    group.add_argument("--bench", action="store_true", help="the benchmarks instead of the tests")
    group.add_argument("--last-failed", "--lf", action="store_true",
                       help="only tests that failed or were in error when they ran last; all of "
                            "the selected ones if there is none")
    group.add_argument("--shard", type=_shard, metavar="I/N",
                       help="the I-th of N parts of the selected tests, by their names; one that "
                            "has none of them is well, and says so")
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
    group.add_argument("-j", dest="jobs", type=_jobs, default=1, metavar="N",
                       help="so many boots side by side, where they do not depend on each other; "
                            "the reports are the same; default: 1")
    group.add_argument("--allow-skip", metavar="GLOB", action="append", default=[],
                       help="tests that may skip themselves here: else that is an error")
    group.add_argument("--shuffle", type=_seed, metavar="[=SEED]",
                       help="in the order of this seed; without one, of a new seed each round")
    group.add_argument("--repeat", type=_rounds, metavar="N", help="so many rounds")
    group.add_argument("--until-fail", action="store_true",
                       help="rounds until a test fails, but no more than --repeat says")
    group.add_argument("--bisect-order", action="store_true",
                       help="find the tests that make another one fail behind them")
    group.add_argument("-x", dest="stop", action="store_true", help="stop after the first failure")
    group.add_argument("--json", metavar="FILE", default="", help="- is the standard output")
    group.add_argument("--junit", metavar="FILE", default="", help="- is the standard output")
    group.add_argument("--tap", action="store_true", help="TAP on the standard output")
    group.add_argument("-v", dest="verbose", action="store_true", help="a line for each test")
    group.add_argument("--durations", type=_rows, metavar="N",
                       help="the N slowest tests and boots; 0: all of them")
    group.add_argument("--keep", action="store_true", help="keep the folders of good runs too")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


def _seed(text: str) -> int:
    if not text:
        return ANY_SEED
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 64):
        raise argparse.ArgumentTypeError(f"{text} is not a seed: 0 to 2^64-1")
    return int(text)


def _rounds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is not a number of rounds: 1 to 1,000,000")
    return int(text)


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 256):
        raise argparse.ArgumentTypeError(f"{text} is not a number of boots: 1 to 256")
    return int(text)


def _rows(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is not a number of lines: 0 to 1,000,000")
    return int(text)


def _shard(text: str) -> Shard:
    words = text.split("/")
    if len(words) == 2 and all(word.isascii() and word.isdigit() for word in words):
        number, count = map(int, words)
        if 0 < number <= count <= 1_000_000:
            return Shard(number, count)
    raise argparse.ArgumentTypeError(f"{text} is not a shard: I/N, such as 1/3")


def _speed(text: str) -> Speed:
    for speed in Speed:
        if speed.word == text:
            return speed
    raise argparse.ArgumentTypeError(f"{text} is none of normal, slow and very-slow")


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
        raise Refusal(f"{kernel} has no tests. If it is Faultline's, it was built without "
                      f"-Dktest=true; to get one that has: {how_to_get_tests(kernel.parent)}. If "
                      "it is another kernel: tests of a library need --whole-archive.")
    return image


# --- Actions --------------------------------------------------------------------------------------


def _list(choice: Choice, options: argparse.Namespace) -> int:
    tests = choice.tests
    if choice.remark:
        report.complain(choice.remark)
    if options.json:
        report.write_json([report.test_data(test) for test in tests], options.json)
    if options.json != "-":
        report.list_tests(tests, options.verbose)
    return OK


def _runner(image: Image, machine: Machine, options: argparse.Namespace,
            stops_at_failure: bool) -> "Runner":
    from .runner import Runner, Settings  # 20 ms that --list does without
    return Runner(image, machine, Settings(options.timeout, options.isolate == "boot",
                                           stops_at_failure, options.keep,
                                           tuple(options.allow_skip), options.jobs))


def _bisect(image: Image, machine: Machine, choice: Choice, options: argparse.Namespace) -> int:
    from .bisection import Bisection
    seed = random_seed() if options.shuffle == ANY_SEED else options.shuffle
    terminal = report.Terminal(sys.stdout, options.verbose)
    runner = _runner(image, machine, options, stops_at_failure=False)
    probe = _runner(image, machine, options, stops_at_failure=False)
    terminal.remark(choice.remark)
    if not choice.tests:
        return OK
    terminal.begin(choice.tests, _short(machine.kernel), _how(machine, choice),
                   shuffle_words(seed))
    results = [each for boot in runner.run(choice.tests, seed) for each in boot]
    bisection = Bisection(
        lambda chosen: [each for boot in probe.run(chosen, seed) for each in boot], terminal.say)
    conclusion = bisection.find(results)
    command = _command(options)
    if conclusion.result is not None:
        cards = report.Cards(image, options.verbose, command, choice.words)
        terminal.cards([conclusion.result], cards)
    terminal.conclude(conclusion, [*command, *shuffle_words(seed)])
    if conclusion.result is None:
        return OK
    return BROKEN if conclusion.result.is_trouble else FAILED


class Session:
    """One run and its reports. The files are there from the start, and whole at any time."""

    def __init__(self, image: Image, machine: Machine, choice: Choice, runner: "Runner",
                 options: argparse.Namespace) -> None:
        self._choice = choice
        self._tests = choice.tests
        self._runner = runner
        self._options = options
        self._image = image
        self._machine = machine
        self._tally = Tally()
        is_endless = options.until_fail and options.repeat is None
        self._plan = Plan(None if is_endless else options.repeat or 1,
                          options.until_fail or options.stop, options.shuffle is not None,
                          _fixed_seed(options))
        self._cards = report.Cards(image, options.verbose, _command(options), choice.words)
        self._started = time.monotonic()
        is_stdout_taken = "-" in (options.json, options.junit)
        self._terminal = report.Terminal(sys.stderr if is_stdout_taken else sys.stdout,
                                         options.verbose, is_quiet=options.tap)

    def run(self) -> int:
        is_complete = False
        try:
            self._terminal.remark(self._choice.remark)
            self._write_files(self._summary(is_complete))
            for number, seed in enumerate(self._plan.seeds() if self._tests else (), 1):
                self._round(number, seed)
                is_enough = self._plan.stops_at_failure and self._tally.has_failed
                if is_enough or self._tally.is_hopeless:
                    break
            is_complete = True
        except Interrupted:
            self._tally.add(self._runner.leftovers())
            self._terminal.interrupt(self._runner.folders)
        summary = self._summary(is_complete)
        Memory(self._machine.kernel).update(
            summary.results, (test.full_name for test in self._image.tests))
        self._write_files(summary)
        self._write_output(summary)
        return exit_status(summary, self._options.tap)

    def _round(self, number: int, seed: Optional[int]) -> None:
        words = shuffle_words(seed)
        if self._plan.count == 1:
            self._terminal.begin(self._tests, _short(self._machine.kernel),
                                 _how(self._machine, self._choice), words)
        else:
            self._terminal.begin_round(number, self._plan.count, self._choice.how, words)
        started = time.monotonic()
        with contextlib.closing(self._runner.run(self._tests, seed)) as boots:
            for results in boots:
                self._tally.add(results)
                self._terminal.progress(results)
                self._write_files(self._summary(is_complete=False))
        self._tally.close(self._runner.results, seed, time.monotonic() - started)

    def _summary(self, is_complete: bool) -> report.Summary:
        place = {test: index for index, test in enumerate(self._tests)}
        results = sorted(self._tally.results, key=lambda result: place[result.test])
        return report.Summary(tuple(results), len(self._tests), self._runner.boots,
                              time.monotonic() - self._started, self._image.build_id,
                              str(self._machine.kernel), is_complete, tuple(self._tally.rounds),
                              self._tally.flaky, self._choice.remark)

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
        self._terminal.benches(summary.results)
        self._terminal.cards(summary.results, self._cards)
        if self._options.durations is not None:
            self._terminal.durations(summary.results, self._options.durations)
        self._terminal.end(summary)


def exit_status(summary: report.Summary, is_tap: bool) -> int:
    verdicts = {result.verdict for result in summary.results}
    if not summary.is_complete:
        return INTERRUPTED
    if any(result.is_trouble for result in summary.results):
        return BROKEN
    if verdicts & {Verdict.FAIL, Verdict.ERROR}:
        return FAILED
    if not summary.planned:  # a shard without tests
        return OK
    if Verdict.PASS in verdicts or is_tap:  # to Meson, 77 is an error of a TAP test
        return OK
    return ALL_SKIPPED


def _command(options: argparse.Namespace) -> List[str]:
    """What makes the same machine again, up to the tests."""
    defaults = {"boot": "direct", "accel": "tcg", "machine": "", "cpu": "max", "memory": "128M",
                "qemu": "qemu-system-x86_64", "build_dir": ROOT / "build", "kernel": None,
                "iso": None, "timeout": 10.0}
    words = [COMMAND]
    for name, default in defaults.items():
        value = getattr(options, name)
        if value != default:
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float)
                      else str(value)]
    words += ["--bench"] if options.bench else []
    return words + [f"--qemu-arg={each}" for each in options.qemu_arg]


def _selecting(options: argparse.Namespace) -> Tuple[str, ...]:
    """What selects the same tests again."""
    words = [word for glob in options.suite for word in ("--suite", glob)]
    words += [word for glob in (*options.test, *options.names) for word in ("--test", glob)]
    is_any = options.speed is Speed.VERY_SLOW
    return (*words, *(() if is_any else ("--speed", options.speed.word)))


def _how(machine: Machine, choice: Choice) -> str:
    return ", ".join([f"{machine.way.value} boot", machine.accel, *choice.how])


def _short(path: Path) -> str:
    """Relative to where the user stands, if that is shorter."""
    relative = os.path.relpath(path)
    return min(relative, str(path), key=len)
