# SPDX-License-Identifier: MIT
"""What a kernel that the harness did not boot was told: the arguments of docs/protocol.md.

They stand for options that are not given: which tests run, in which order, and what the machine
has. A log in a run's folder has them beside it, in the command that booted the kernel.
"""
from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional

from .elf import ALLOCATIONS_PER_TEST
from .machine import FW_CFG_NAME
from .model import Accel, Needs, Refusal
from .sweep import ALL
from .terms import Facts, version_of

PREFIX = "ktest."
MACHINE = re.compile(r"(tcg|kvm|icount|bochs)-(\d+)\.(\d+)")
USAGE = 2
COMMAND_BYTES = 1 << 20


@dataclass(frozen=True)
class Told:
    nonce: str = ""  # "": nobody knows
    seed: Optional[int] = None
    facts: Facts = Facts()
    fail_nth: Optional[int] = None


def heed(options: argparse.Namespace) -> Told:
    """Fills in the options, as far as they are not given."""
    words = {**_beside(options.log), **_words(options.told)}
    if words.get("select") and not (options.test or options.names or options.suite):
        options.test = words["select"].split(",")
    options.bench |= words.get("bench") == "1"
    if options.shuffle is None and "seed" in words:
        options.shuffle = _number(words["seed"])
    if options.fail_nth is None and "fail_nth" in words:
        options.fail_nth = _allocation(words["fail_nth"])
    return Told(options.nonce or words.get("nonce", ""), options.shuffle, _facts(words),
                options.fail_nth)


def _words(text: str) -> Dict[str, str]:
    """The kernel's command line may have words for others."""
    pairs = [word.partition("=") for word in text.split() if word.startswith(PREFIX)]
    return {key[len(PREFIX):]: value for key, _, value in pairs}


def _beside(log: str) -> Dict[str, str]:
    if log in ("", "-"):
        return {}
    try:
        with open(Path(log).parent / "command", encoding="utf-8") as file:
            command = shlex.split(file.read(COMMAND_BYTES))
    except (OSError, ValueError):  # it is none of ours
        return {}
    head = f"name={FW_CFG_NAME},string="
    values = [word[len(head):].replace(",,", ",") for word in command if word.startswith(head)]
    return _words(values[0]) if values else {}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 64):
        raise Refusal(f"The kernel cannot have been told ktest.seed={text}: a seed is a number up "
                      "to 2^64-1.", status=USAGE)
    return int(text)


def _allocation(text: str) -> int:
    if text == "all":
        return ALL
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= ALLOCATIONS_PER_TEST):
        raise Refusal(f"The kernel cannot have been told ktest.fail_nth={text}: it is all, or the "
                      f"number of an allocation, up to {ALLOCATIONS_PER_TEST:,}.", status=USAGE)
    return int(text)


def _facts(words: Dict[str, str]) -> Facts:
    have = Needs(0)
    for name in filter(None, words.get("have", "").split(",")):
        if name.upper() not in Needs.__members__:
            known = ", ".join(each.lower() for each in Needs.__members__)
            raise Refusal(f"The kernel cannot have been told ktest.have={name}: there are {known}.",
                          status=USAGE)
        have |= Needs[name.upper()]
    machine = words.get("machine", "")
    match = MACHINE.fullmatch(machine)
    if machine and match is None:
        raise Refusal(f"The kernel cannot have been told ktest.machine={machine}: it is an "
                      "accelerator and a version, such as tcg-7.2.", status=USAGE)
    if match is None:
        return Facts(have=have)
    return Facts(Accel[match[1].upper()], version_of((int(match[2]), int(match[3]))), have)
