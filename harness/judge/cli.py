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
from typing import TYPE_CHECKING, Callable, FrozenSet, List, Optional, Sequence, Tuple, Union

from . import report
from .card import Cards
from .data import bisection_data, list_data, run_data
from .elf import Image
from .evidence import Result
from .machine import BootWay, Machine, uefi_firmware
from .memory import Memory
from .model import ROOT, Interrupted, Refusal, Test, Verdict
from .options import ANY_SEED, command_of, fixed_seed, parse, selecting
from .order import in_order
from .rounds import Plan, Tally, random_seed, shuffle_words
from .selection import Shard, of_suites, select, suggested_suite, suggestion
from .summary import Summary
from .sweep import ALL, can_be_swept
from .terminal import (Terminal, complain, forget_stdout, list_tests, open_what_is_closed,
                       speak_any_encoding)

if TYPE_CHECKING:
    from .foreign import ForeignRun
    from .runner import Runner, Settings

OK, FAILED, NO_MATCH, ALL_SKIPPED, BROKEN, INTERRUPTED = 0, 1, 5, 77, 99, 130

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_came: List[int] = []  # of SIGNALS


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return guarded(_main, arguments)


def guarded(command: Callable[[List[str]], int], arguments: Optional[Sequence[str]] = None) -> int:
    """The exit status of a command that may refuse, be interrupted, or break.

    An interruption may come in the middle of anything, and end as the error of what it broke."""
    _came.clear()
    previous = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        status = _status(command, arguments)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return INTERRUPTED if _came and status == BROKEN else status


def _status(command: Callable[[List[str]], int], arguments: Optional[Sequence[str]]) -> int:
    open_what_is_closed()
    speak_any_encoding()
    try:
        status = command(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
        return status
    except Refusal as refusal:
        complain(str(refusal), refusal.log)
        return refusal.status
    except BrokenPipeError:
        forget_stdout()
        complain("nobody reads the standard output any more.")
        return BROKEN
    except OSError as error:  # the disk is full, or a report's folder does not exist
        complain(f"{error}.")
        return BROKEN
    except Exception:  # Python's own status for this is 1, which says that a test failed
        import traceback
        complain("This is a bug of the harness:", traceback.format_exc())
        return BROKEN
    except Interrupted:
        complain("interrupted")
        return INTERRUPTED


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    _came.append(number)
    raise Interrupted


def _main(arguments: List[str]) -> int:
    options = parse(arguments)
    if options.exact == ANY_SEED:
        options.exact = random_seed()
    machine = _machine(options)
    _replace_old_reports(options, machine)
    if options.log or options.attach:
        return _judge_foreign(machine, options)
    if not options.list:
        machine.executable()
        if machine.way is BootWay.UEFI:
            uefi_firmware()
    if options.build and not options.kernel:
        from .build import bring_up_to_date
        bring_up_to_date(ROOT, options.build_dir)
    image = _load(machine.kernel)
    choice = _choose(image, machine, options)
    if options.list:
        return _list(image, machine, choice, options)
    if machine.way.uses_image and not image.build_id:
        raise Refusal(f"{machine.kernel} has no build id, so that it cannot be told from an older "
                      "one in the ISO: link it with --build-id.")
    if machine.way.uses_image and not machine.iso.exists():
        raise Refusal(f"There is no {machine.iso} to boot: build it, or name it with --iso.")
    if options.bisect_order:
        return _bisect(image, machine, choice, options)
    if options.gdb_on_failure:
        return _debug_failure(image, machine, choice, options)
    runner = _debug_runner if options.gdb else _runner
    return Session(image, machine, choice, runner(image, machine, choice, options), options,
                   _how(machine, choice)).run()


def run_by(make_runner: "Callable[[Image, Machine, Settings], Runner]", arguments: List[str]
           ) -> int:
    """A run as always, by a runner that does more; for options that ask for a run."""
    options = parse(arguments)
    machine = _machine(options)
    image = _load(machine.kernel)
    choice = _choose(image, machine, options)
    return Session(image, machine, choice, make_runner(image, machine, _settings(options)), options,
                   _how(machine, choice)).run()


def _replace_old_reports(options: argparse.Namespace, machine: Machine) -> None:
    """What an earlier run left must not be taken for what this one found, however early it ends."""
    if options.list:
        return
    if options.json not in ("", "-"):
        nothing = Summary((), 0, 0, 0.0, kernel=str(machine.kernel), is_complete=False)
        report.write_json(run_data(nothing), options.json)
    if options.junit not in ("", "-") and Path(options.junit).is_file():
        Path(options.junit).unlink()  # an empty one would say that all is well


@dataclass(frozen=True)
class Choice:
    """The tests that run, and what there is to say of how they were found."""

    tests: Tuple[Test, ...]
    how: Tuple[str, ...] = ()  # for the headline
    remark: str = ""  # a sentence: something is not as it was asked for
    words: Tuple[str, ...] = ()  # options that choose the same again


def _choose(image: Image, machine: Machine, options: argparse.Namespace) -> Choice:
    choice = Choice(in_order(_selected(image, options), fixed_seed(options)),
                    words=selecting(options))
    if options.fail_nth is not None:
        choice = _with_failures(choice, options)
    if options.last_failed:
        choice = _only_failed(choice, Memory(machine.kernel).failed())
    return choice if options.shard is None else _only_shard(choice, options.shard)


def _with_failures(choice: Choice, options: argparse.Namespace) -> Choice:
    """Who names a test that can't be run so should know."""
    named = {*options.test, *options.names}
    left = [test.full_name for test in choice.tests if not can_be_swept(test, test.outcome)
            and not named.isdisjoint((test.full_name, test.record_name, test.name))]
    which = "each allocation" if options.fail_nth == ALL else f"allocation {options.fail_nth}"
    remark = (f"--fail-nth: {', '.join(left)} runs once, as always, for it declares another end "
              "than to return.") if left else ""
    return replace(choice, how=(*choice.how, f"{which} failing once"), remark=remark)


def _only_failed(choice: Choice, failed: FrozenSet[str]) -> Choice:
    """As pytest has it: where there is nothing to repeat, all of them run."""
    tests = tuple(test for test in choice.tests if test.full_name in failed)
    if tests:
        return replace(choice, tests=tests, how=(*choice.how, "what failed last"),
                       words=("--last-failed", *choice.words))
    why = f"{len(failed)} known to fail, but none that is selected" if failed else (
        "nothing failed the last time")
    why = f"--last-failed: {why}; all that are selected run."
    return replace(choice, remark=" ".join(filter(None, [choice.remark, why])))


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
            raise Refusal(f"No test matches {glob}.{_hint(_meant(glob, image, options))}",
                          status=NO_MATCH)
    matching = select(of_suites(image.tests, options.suite), globs)
    tests = [test for test in matching
             if test.is_bench == options.bench and test.speed <= options.speed]
    if tests:
        return tests
    kind = "benchmark" if options.bench else "test"
    words = " ".join(["", *globs, *(f"--suite {glob}" for glob in options.suite)])
    suites = [glob for glob in options.suite if not of_suites(image.tests, [glob])]
    if suites:
        raise Refusal(f"No {kind} matches --suite {suites[0]}."
                      f"{_hint(suggested_suite(suites[0], image.tests))}", status=NO_MATCH)
    if not matching:
        why = ""
    elif any(test.is_bench == options.bench for test in matching):
        why = f" at the speed {options.speed.word}"
    else:
        why = ": without --bench there are tests" if options.bench else (
            ": what does is a benchmark, for --bench")
    raise Refusal(f"No {kind} matches{words or ' at all'}{why}.", status=NO_MATCH)


def _meant(glob: str, image: Image, options: argparse.Namespace) -> str:
    is_seed = glob.isdecimal() and options.shuffle == ANY_SEED
    return f"--shuffle={glob}" if is_seed else suggestion(glob, image.tests)


def _hint(meant: str) -> str:
    return f" Did you mean {meant}?" if meant else ""


# --- What the options stand for -------------------------------------------------------------------


def _machine(options: argparse.Namespace) -> Machine:
    kernel = options.kernel or options.build_dir / "faultline.elf"
    iso = options.iso or options.build_dir / "faultline.iso"
    if options.bochs:
        from .bochs import BochsMachine  # which a run in QEMU does without
        return BochsMachine(kernel.absolute(), iso.absolute(), options.bochs, BootWay.GRUB,
                            cpu=options.cpu, memory=options.memory,
                            arguments=tuple(options.argument))
    return Machine(kernel.absolute(), iso.absolute(), options.qemu,
                   BootWay(options.boot or "direct"), options.machine, options.cpu, options.memory,
                   options.accel, has_loader=_has_loader(options, iso),
                   arguments=tuple(options.argument), extra=tuple(options.qemu_arg),
                   seed=options.exact)


def _has_loader(options: argparse.Namespace, iso: Path) -> bool:
    """GRUB's image is used without being asked for, as long as it is that of the kernel."""
    is_of_kernel = options.kernel is None or options.iso is not None
    return options.boot is None and is_of_kernel and iso.exists()


def _load(kernel: Path) -> Image:
    image = Image(kernel)
    if not image.tests:
        from .build import how_to_get_tests
        raise Refusal(f"{kernel} has no tests. If it is Faultline's, it was built without "
                      f"-Dktest=true; to get one that has: {how_to_get_tests(kernel.parent)}. If "
                      "it is another kernel: tests of a library need --whole-archive.")
    return image


# --- Actions --------------------------------------------------------------------------------------


def _list(image: Image, machine: Machine, choice: Choice, options: argparse.Namespace) -> int:
    tests = choice.tests
    if choice.remark:
        complain(choice.remark)
    if options.json:
        report.write_json(list_data(tests, str(machine.kernel), image.build_id, choice.remark),
                          options.json)
    if options.json != "-":
        list_tests(tests, options.verbose)
    return OK


def _settings(options: argparse.Namespace) -> "Settings":
    from .runner import Settings  # 20 ms that --list does without
    return Settings(options.timeout, options.isolate == "boot", options.stop, options.keep,
                    tuple(options.allow_skip), options.jobs, options.fail_nth)


def _runner(image: Image, machine: Machine, choice: Choice, options: argparse.Namespace
            ) -> "Runner":
    from .runner import Runner
    if options.bochs:
        from .bochs import BochsRunner
        return BochsRunner(image, machine, _settings(options))
    return Runner(image, machine, _settings(options))


def _debug_runner(image: Image, machine: Machine, choice: Choice, options: argparse.Namespace
                  ) -> "Runner":
    from .debugger import runner_at_entry
    return runner_at_entry(image, machine, choice.tests, _settings(options))


def _debug_failure(image: Image, machine: Machine, choice: Choice, options: argparse.Namespace
                   ) -> int:
    """The run as always; then the first test that failed in it."""
    from .debugger import debug_failure, require_gdb
    require_gdb()
    options.stop = True
    session = Session(image, machine, choice, _runner(image, machine, choice, options), options,
                      _how(machine, choice))
    status = session.run()
    failed = [result for result in session.results if result.verdict > Verdict.SKIP]
    if failed and status != INTERRUPTED:
        debug_failure(image, machine, _settings(options), failed[0])
    return status


def _bisect(image: Image, machine: Machine, choice: Choice, options: argparse.Namespace) -> int:
    from .bisection import Bisection, Conclusion
    seed = random_seed() if options.shuffle == ANY_SEED else options.shuffle
    command = [*command_of(options), *shuffle_words(seed)]
    terminal = Terminal(sys.stderr if options.json == "-" else sys.stdout, options.verbose)

    def write(conclusion: Optional[Conclusion]) -> None:
        if options.json and (options.json != "-" or conclusion is not None):
            report.write_json(bisection_data(conclusion, str(machine.kernel), image.build_id, seed,
                                             command), options.json)

    def run(runner: "Runner", tests: Sequence[Test]) -> List[Result]:
        return [result for boot in runner.run(tests, seed) for result in boot]

    write(None)
    terminal.remark(choice.remark)
    if not choice.tests:
        write(Conclusion(choice.remark))
        return OK
    terminal.begin(choice.tests, _short(machine.kernel), _how(machine, choice),
                   shuffle_words(seed))
    whole, probe = (_runner(image, machine, choice, options) for _ in range(2))
    bisection = Bisection(lambda tests: run(probe, tests), terminal.say)
    conclusion = bisection.find(run(whole, choice.tests))
    if conclusion.result is not None:
        cards = Cards(image, options.verbose, command_of(options), choice.words)
        terminal.cards([conclusion.result], cards)
    terminal.conclude(conclusion, command)
    write(conclusion)
    if conclusion.result is None:
        return OK
    return BROKEN if conclusion.result.is_trouble else FAILED


def _judge_foreign(machine: Machine, options: argparse.Namespace) -> int:
    """A kernel that somebody else has booted, or will."""
    from .foreign import AttachedRun, Foreign, RecordedRun
    from .told import heed
    told = heed(options)
    image = _load(machine.kernel)
    choice = _choose(image, machine, options)
    foreign = Foreign(image, told, tuple(options.allow_skip), options.timeout, options.stop,
                      options.keep)
    run: "ForeignRun" = AttachedRun(foreign, options.attach, options.console, options.baud,
                                    options.wait)
    place = f"on {options.attach}, {options.baud} baud"
    if options.log:
        run, place = RecordedRun(foreign, options.log), f"in {_name_of_log(options.log)}"
    return Session(image, machine, choice, run, options, ", ".join([place, *choice.how])).run()


def _name_of_log(log: str) -> str:
    return "the standard input" if log == "-" else log


class Session:
    """One run and its reports. The files are there from the start, and whole at any time."""

    def __init__(self, image: Image, machine: Machine, choice: Choice,
                 runner: "Union[Runner, ForeignRun]", options: argparse.Namespace, how: str
                 ) -> None:
        self._choice = choice
        self._tests = choice.tests
        self._runner = runner
        self._options = options
        self._image = image
        self._machine = machine
        self._how = how
        self._tally = Tally()
        is_endless = options.until_fail and options.repeat is None
        self._plan = Plan(None if is_endless else options.repeat or 1,
                          options.until_fail or options.stop, options.shuffle is not None,
                          fixed_seed(options))
        self._cards = Cards(image, options.verbose, command_of(options), choice.words)
        self._started = time.monotonic()
        is_stdout_taken = "-" in (options.json, options.junit)
        self._terminal = Terminal(sys.stderr if is_stdout_taken else sys.stdout,
                                  options.verbose, options.tap, options.github)

    def run(self) -> int:
        with self._terminal.without_commands():
            summary = self._run()
        self._terminal.annotations(summary.results)
        if self._options.github:
            self._terminal.remark(report.append_job_summary(summary, self._cards))
        return exit_status(summary, self._options.tap)

    def _run(self) -> Summary:
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
        if not self._options.log:  # that is of another day
            Memory(self._machine.kernel).update(
                summary.results, (test.full_name for test in self._image.tests))
        self._write_files(summary)
        self._write_output(summary)
        return summary

    @property
    def results(self) -> Sequence[Result]:
        return self._runner.results

    def _round(self, number: int, seed: Optional[int]) -> None:
        words = shuffle_words(seed)
        if self._plan.count == 1:
            self._terminal.begin(self._tests, _short(self._machine.kernel),
                                 self._how, words)
        else:
            self._terminal.begin_round(number, self._plan.count, self._choice.how, words)
        self._terminal.expect(len(self._tests))
        started = time.monotonic()
        with contextlib.closing(self._runner.run(self._tests, seed)) as boots:
            for results in boots:
                self._tally.add(results)
                self._terminal.progress(results)
                self._write_files(self._summary(is_complete=False))
        self._tally.close(self._runner.results, seed, time.monotonic() - started)

    def _summary(self, is_complete: bool) -> Summary:
        place = {test: index for index, test in enumerate(self._tests)}
        results = sorted(self._tally.results, key=lambda result: place[result.test])
        return Summary(tuple(results), len(self._tests), self._runner.boots,
                              time.monotonic() - self._started, self._image.build_id,
                              str(self._machine.kernel), is_complete, tuple(self._tally.rounds),
                              self._tally.flaky, self._choice.remark,
                              tuple(each.value for each in self._runner.unseen))

    def _write_files(self, summary: Summary) -> None:
        if self._options.json not in ("", "-"):
            report.write_json(run_data(summary), self._options.json)
        if self._options.junit not in ("", "-"):
            self._write_junit(summary)

    def _write_junit(self, summary: Summary) -> None:
        from .junit import junit_text  # 10 ms that others do without
        report.write_report(junit_text(summary, self._cards), self._options.junit)

    def _write_output(self, summary: Summary) -> None:
        if self._options.json == "-":
            report.write_json(run_data(summary), "-")
        if self._options.junit == "-":
            self._write_junit(summary)
        if self._options.tap:
            report.print_tap(summary, self._cards)
        self._terminal.benches(summary.results)
        self._terminal.cards(summary.results, self._cards)
        if self._options.durations is not None:
            self._terminal.durations(summary.results, self._options.durations)
        if self._options.keep:
            self._terminal.kept(summary.results)
        self._terminal.end(summary)


def exit_status(summary: Summary, is_tap: bool) -> int:
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


def _how(machine: Machine, choice: Choice) -> str:
    uses_loader = any(machine.for_needs(test.needs) is not machine for test in choice.tests)
    way = f"{machine.way.value} boot{' and GRUB' * uses_loader}"
    exactly = [f"exactly, seed {machine.seed}"] if machine.seed is not None else []
    return ", ".join([way, machine.accelerator.name.lower(), *exactly, *choice.how])


def _short(path: Path) -> str:
    """Relative to where the user stands, if that is shorter."""
    relative = os.path.relpath(path)
    return min(relative, str(path), key=len)
