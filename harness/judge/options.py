# SPDX-License-Identifier: MIT
"""The options: their names, their limits, what contradicts what, and how to write them again."""
from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import List, NoReturn, Optional, Sequence, Tuple

from .elf import ALLOCATIONS_PER_TEST
from .machine import BootWay
from .model import ROOT, Refusal, Speed
from .selection import Shard
from .sweep import ALL

USAGE = 2  # the exit status

COMMAND = "harness/run.py"
OPTIONAL = ("--shuffle", "--exact", "--fail-nth")  # these may have a value
ANY_SEED = -1  # --shuffle and --exact without one


MEMORY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([kKmMgGtT]?)(?:,.*)?")
UNITS = {"K": 1 << 10, "": 1 << 20, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SMALLEST_MEMORY = 1 << 20

# Options of QEMU that would make another machine than the harness believes to judge.
TAKEN = {"accel": "use --accel", "enable-kvm": "use --accel kvm", "machine": "use --machine",
         "M": "use --machine", "cpu": "use --cpu", "m": "use --memory", "kernel": "use --kernel",
         "bios": "the firmware is the harness's to choose",
         "daemonize": "nobody would see how it ends", "version": "it would run nothing",
         "help": "it would run nothing", "h": "it would run nothing"}


class ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message[:1].upper()}{message[1:]} (see {self.prog} --help).",
                      status=USAGE)


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = ArgumentParser(prog=COMMAND, allow_abbrev=False,
                            description="Boots the kernel in QEMU and judges its tests.",
                            epilog="Colours are for terminals; NO_COLOR and TERM=dumb turn them "
                                   "off, FORCE_COLOR on in a pipe. Reports have none.")
    _add_selection(parser)
    _add_machine(parser)
    _add_run(parser)
    _add_foreign(parser)
    log = ""
    if arguments[:1] == ["parse"]:
        log, arguments = "".join(arguments[1:2]), arguments[2:]
        if not log or (log[0] == "-" and log != "-"):
            parser.error("behind parse stands a file, or - for the standard input")
    refuse_empty_values(parser, arguments)
    # argparse would take the next word for an optional value; here it stands behind a = only.
    options = parser.parse_args([f"{word}=" if word in OPTIONAL else word
                                 for word in arguments])
    options.log = log
    _refuse_contradictions(parser, options)
    return options


def refuse_empty_values(parser: ArgumentParser, arguments: List[str]) -> None:
    """A variable of a script that is not set must not turn a run into another one."""
    for option, word in zip(["an argument", *arguments], arguments):
        if not word or word.startswith("--") and word.endswith("="):
            parser.error(f"{word.rstrip('=') or option} has an empty value")


def _refuse_contradictions(parser: ArgumentParser, options: argparse.Namespace) -> None:
    if options.json and options.json == options.junit != "-":
        parser.error("--json and --junit would both write to one file")
    stdouts = [name for name, is_used in (
        ("--json -", options.json == "-"), ("--junit -", options.junit == "-"),
        ("--tap", options.tap)) if is_used]
    if len(stdouts) > 1:
        parser.error(f"{' and '.join(stdouts)} would both write to the standard output")
    if options.list and (options.tap or options.junit or options.github):
        parser.error("--list boots nothing, so that there is no verdict to report")
    if options.tap and options.github:
        parser.error("--tap is for Meson, which keeps it: --github has no log to write to")
    if options.boot in ("grub", "uefi") and options.machine.partition(",")[0] == "microvm":
        parser.error("GRUB comes from a CD-ROM, and a microvm has no drive: use --boot direct")
    _refuse_in_bochs(parser, options)
    _refuse_on_foreign_machines(parser, options)
    _refuse_beside_gdb(parser, options)
    is_repeated = options.repeat is not None or options.until_fail
    if options.list and (is_repeated or options.bisect_order):
        parser.error("--list boots nothing, so that nothing can be repeated or bisected")
    if options.fail_nth is not None and options.bench:
        parser.error("--fail-nth runs tests again, and with --bench there are none")
    if options.fail_nth is not None and options.list:
        parser.error("--list boots nothing, so that no allocation can fail")
    if options.list and options.durations is not None:
        parser.error("--list boots nothing, so that nothing takes any time")
    if options.exact is not None:
        _refuse_beside(parser, "--exact has all of the machine's time counted", (
            ("--accel kvm", options.accel == "kvm"), ("--gdb", options.gdb),
            (f"--boot {options.boot}", options.boot in ("grub", "uefi")), ("parse", options.log),
            ("--attach", options.attach), ("--list", options.list),
            *((f"--qemu-arg={word}", word.lstrip("-") in ("icount", "rtc", "seed"))
              for word in options.qemu_arg)))
    if options.bisect_order:
        _refuse_beside(parser, "--bisect-order decides itself what runs and what it says", (
            ("--repeat", options.repeat is not None), ("--until-fail", options.until_fail),
            ("--bench", options.bench), ("--isolate boot", options.isolate == "boot"),
            ("-x", options.stop), ("--durations", options.durations is not None),
            ("--tap", options.tap), ("--junit", options.junit), ("--github", options.github)))


def _refuse_beside(parser: ArgumentParser, why: str, others: Sequence[Tuple[str, object]]) -> None:
    """The first one of these options that is used, if any."""
    for name, is_used in others:
        if is_used:
            parser.error(f"{why}: it goes without {name}")


def _refuse_in_bochs(parser: ArgumentParser, options: argparse.Namespace) -> None:
    """It is one machine, with one way to boot, and takes no orders."""
    if options.bochs:
        _refuse_beside(parser, "--bochs is another program than QEMU", (
            ("--qemu", options.qemu != "qemu-system-x86_64"), ("--qemu-arg", options.qemu_arg),
            ("--accel kvm", options.accel == "kvm"), ("--machine", options.machine),
            (f"--boot {options.boot}", options.boot in ("direct", "uefi")), ("-x", options.stop),
            ("--gdb", options.gdb), ("--gdb-on-failure", options.gdb_on_failure),
            ("--exact", options.exact is not None),
            ("parse", options.log), ("--attach", options.attach)))


def _refuse_on_foreign_machines(parser: ArgumentParser, options: argparse.Namespace) -> None:
    """A kernel that somebody else has booted takes no options, and is booted once."""
    what = "parse" if options.log else "--attach" if options.attach else ""
    if options.log and options.attach:
        parser.error("parse reads a log and --attach a serial line: one of them")
    if not what:
        lonely = [name for name in ("console", "nonce", "told") if getattr(options, name)]
        if lonely:
            parser.error(f"--{lonely[0]} is for a kernel that the harness does not boot: it goes "
                         "with --attach or parse")
        return
    _refuse_beside(parser, f"{what} boots nothing, and takes one run as it is", (
        ("--list", options.list), ("--bisect-order", options.bisect_order),
        ("--repeat", options.repeat is not None), ("--until-fail", options.until_fail),
        ("--isolate boot", options.isolate == "boot"), ("-j", options.jobs > 1),
        (f"--boot {options.boot}", options.boot in ("grub", "uefi")),
        ("--accel kvm", options.accel == "kvm"),
        ("--qemu-arg", options.qemu_arg), ("--argument", options.argument),
        ("--machine", options.machine),
        ("-x", options.stop and options.log), ("--console", options.console and options.log),
        ("--shuffle without a seed", options.shuffle == ANY_SEED)))


def _refuse_beside_gdb(parser: ArgumentParser, options: argparse.Namespace) -> None:
    """gdb has the terminal, and follows one boot."""
    if not options.gdb and not options.gdb_on_failure:
        return
    name = "--gdb" if options.gdb else "--gdb-on-failure"
    _refuse_beside(parser, f"{name} gives the terminal to gdb, for one boot", (
        ("--gdb-on-failure", options.gdb and options.gdb_on_failure), ("--list", options.list),
        ("--bisect-order", options.bisect_order), ("parse", options.log),
        ("--attach", options.attach), ("--tap", options.tap), ("--json -", options.json == "-"),
        ("--junit -", options.junit == "-"), ("-j", options.gdb and options.jobs > 1),
        ("--repeat", options.gdb and options.repeat is not None),
        ("--until-fail", options.gdb and options.until_fail)))


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
    group.add_argument("--bochs", default="", metavar="PATH",
                       help="run in this Bochs instead of QEMU, through GRUB; --cpu is one of its "
                            "models")
    group.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    group.add_argument("--boot", choices=[way.value for way in BootWay],
                       help="default: direct, and GRUB for tests that concern the loader; grub: "
                            "by the BIOS, uefi: GRUB as well")
    group.add_argument("--machine", default="", metavar="NAME",
                       help="default: a PC with no more than the tests need")
    group.add_argument("--cpu", default="max", metavar="NAME")
    group.add_argument("--memory", type=_memory, default="128M", metavar="SIZE")
    group.add_argument("--argument", action="append", type=_argument, default=[], metavar="WORD",
                       help="a boot argument for the kernel, such as irq=pic, whichever the way")
    group.add_argument("--qemu-arg", action="append", type=_qemu_argument, default=[],
                       metavar="ARG", help="appended to QEMU's command line")
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
    group.add_argument("--exact", type=_seed, metavar="[=SEED]",
                       help="a run that is the same each time, to the byte: the machine counts "
                            "instructions, and the seed makes its random numbers; without one, it "
                            "is a new one. Rounds are compared")
    group.add_argument("--repeat", type=_rounds, metavar="N", help="so many rounds")
    group.add_argument("--until-fail", action="store_true",
                       help="rounds until a test fails, but no more than --repeat says")
    group.add_argument("--bisect-order", action="store_true",
                       help="find the tests that make another one fail behind them")
    group.add_argument("--fail-nth", type=_nth, metavar="[=N]",
                       help="each test once more for each of its allocations, which then fails; "
                            "with =N only for the Nth")
    group.add_argument("-x", dest="stop", action="store_true", help="stop after the first failure")
    group.add_argument("--json", metavar="FILE", default="", help="- is the standard output")
    group.add_argument("--junit", metavar="FILE", default="", help="- is the standard output")
    group.add_argument("--tap", action="store_true", help="TAP on the standard output")
    group.add_argument("--github", action="store_true",
                       help="annotations in the log and a job summary, for GitHub Actions")
    group.add_argument("-v", dest="verbose", action="store_true", help="a line for each test")
    group.add_argument("--durations", type=_rows, metavar="N",
                       help="the N slowest tests and boots; 0: all of them")
    group.add_argument("--gdb", action="store_true",
                       help="under gdb, stopped at the kernel's first instruction")
    group.add_argument("--gdb-on-failure", action="store_true",
                       help="stop at the first failure, and show its place in gdb")
    group.add_argument("--keep", action="store_true", help="keep the folders of good runs too")


def _add_foreign(parser: ArgumentParser) -> None:
    group = parser.add_argument_group(
        "kernels that the harness does not boot",
        f"{COMMAND} parse FILE judges a log of COM2, - is the standard input. The same options "
        "say which tests are expected, and in which order.")
    group.add_argument("--attach", metavar="DEVICE", default="",
                       help="listen on this serial device, pty, FIFO or Unix socket for a machine "
                            "that you reset")
    group.add_argument("--console", metavar="DEVICE", default="", help="its COM1, if it is wired")
    group.add_argument("--baud", type=_baud, default=115200, metavar="N", help="default: 115200")
    group.add_argument("--wait", type=_seconds, default=300.0, metavar="SECONDS",
                       help="until the kernel has to begin; default: 300")
    group.add_argument("--nonce", default="", metavar="N", help="the same as --told ktest.nonce=N")
    group.add_argument("--told", default="", metavar="WORDS",
                       help="the kernel's own command line, as far as it is about tests: "
                            "'ktest.nonce=N ktest.select=G ktest.have=vga ktest.seed=7'")


def _baud(text: str) -> int:
    from .serial_line import BAUDS
    if not (text.isascii() and text.isdigit() and int(text) in BAUDS):
        raise argparse.ArgumentTypeError(
            f"{text} is no speed of a serial line: {', '.join(map(str, sorted(BAUDS)))}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds: above 0, below "
                                         "1,000,000")
    return seconds


def _memory(text: str) -> str:
    """QEMU takes 0 for its own default, and dies of some that are too small for its firmware."""
    match = MEMORY.fullmatch(text)
    if match is None or float(match[1]) * UNITS[match[2].upper()] < SMALLEST_MEMORY:
        raise argparse.ArgumentTypeError(f"{text or 'nothing'} is not a size of 1M or more")
    return text


def _argument(text: str) -> str:
    """The kernel splits words at spaces, and quotes hold values together."""
    if not text.isprintable() or not text or " " in text or '"' in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not one word for the kernel")
    if text.startswith("ktest."):
        raise argparse.ArgumentTypeError(f"{text}: the words of ktest are the harness's to choose")
    return text


def _qemu_argument(text: str) -> str:
    """What the harness has to know of the machine, it is told by options of its own."""
    name = text.lstrip("-")
    if text.startswith("-") and name in TAKEN:
        raise argparse.ArgumentTypeError(f"{text} is not for QEMU directly: {TAKEN[name]}")
    return text


def _seed(text: str) -> int:
    if not text:
        return ANY_SEED
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 64):
        raise argparse.ArgumentTypeError(f"{text} is not a seed: 0 to 2^64-1")
    return int(text)


def _nth(text: str) -> int:
    if not text:
        return ALL
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= ALLOCATIONS_PER_TEST):
        raise argparse.ArgumentTypeError(f"{text} is not the number of an allocation: 1 to "
                                         f"{ALLOCATIONS_PER_TEST:,}")
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


# --- The same again -------------------------------------------------------------------------------


def fixed_seed(options: argparse.Namespace) -> Optional[int]:
    return options.shuffle if options.shuffle != ANY_SEED else None


def command_of(options: argparse.Namespace) -> List[str]:
    """What makes the same machine again, up to the tests."""
    defaults = {"boot": None, "accel": "tcg", "machine": "", "cpu": "max", "memory": "128M",
                "qemu": "qemu-system-x86_64", "bochs": "", "build_dir": ROOT / "build",
                "kernel": None, "iso": None, "timeout": 10.0, "attach": "", "baud": 115200}
    words = [COMMAND]
    for name, default in defaults.items():
        value = getattr(options, name)
        if value != default:
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float)
                      else str(value)]
    words += ["--bench"] if options.bench else []
    words += [f"--exact={options.exact}"] if options.exact is not None else []
    words += failing_words(options.fail_nth)
    words += [f"--argument={each}" for each in options.argument]
    return words + [f"--qemu-arg={each}" for each in options.qemu_arg]


def failing_words(nth: Optional[int]) -> List[str]:
    return [] if nth is None else ["--fail-nth" if nth == ALL else f"--fail-nth={nth}"]


def is_failing_word(word: str) -> bool:
    return word.partition("=")[0] == "--fail-nth"


def selecting(options: argparse.Namespace) -> Tuple[str, ...]:
    """What selects the same tests again."""
    words = [word for glob in options.suite for word in ("--suite", glob)]
    words += [word for glob in (*options.test, *options.names) for word in ("--test", glob)]
    is_any = options.speed is Speed.VERY_SLOW
    return (*words, *(() if is_any else ("--speed", options.speed.word)))
