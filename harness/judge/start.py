# SPDX-License-Identifier: MIT
"""Whether the machine that was asked for came to run at all: QEMU, its accelerator, its firmware.

What QEMU refuses has names of its own where there is something to be done about it.
"""
from __future__ import annotations

import re
import textwrap
from typing import Optional, Pattern, Sequence, Tuple

from .evidence import Evidence
from .model import Accel, Difference, Finding, Trouble
from .terms import describe_version

OLDEST_VERSION = 502  # that the command line is spelled for
QUOTED = 400  # characters of what QEMU says

# QEMU's words, those of 5.2 to 11.1, and what to do. The first that matches counts.
REFUSALS: Sequence[Tuple[Pattern[str], Trouble, str]] = tuple(
    (re.compile(words), trouble, advice) for words, trouble, advice in (
        (r"KVM kernel module: Permission denied", Trouble.WRONG_ACCELERATOR,
         "you may not use /dev/kvm: join the group kvm, or take --accel tcg"),
        (r"KVM kernel module|failed to initialize kvm|kvm version too", Trouble.WRONG_ACCELERATOR,
         "this host has no KVM: take --accel tcg"),
        (r"invalid accelerator", Trouble.WRONG_ACCELERATOR,
         "this QEMU was built without it: take another --accel or --qemu"),
        (r"options are incompatible", Trouble.WRONG_ACCELERATOR,
         "name the accelerator with --accel only"),
        (r"PVH ELF Note|loading elf kernel|kernel file|invalid kernel header",
         Trouble.NOTHING_TO_BOOT,
         "the kernel is not one that this QEMU can start, which is an x86-64 ELF file with a PVH "
         "note; or --qemu is one for another kind of machine"),
        (r"unsupported machine type|apic-id property|No machine", Trouble.NOT_STARTED,
         "--machine or --qemu is the wrong one"),
        (r"Property '.*-machine\.", Trouble.NOT_STARTED, "--machine asks for what there is not"),
        (r"CPU model|-cpu", Trouble.NOT_STARTED, "--cpu is the wrong one"),
        (r"guest memory|-m |RAM size", Trouble.NOT_STARTED, "--memory is the wrong size"),
        (r"-cdrom", Trouble.NOTHING_TO_BOOT, "--iso is the wrong file"),
    ))

# What a firmware or a boot loader says that has nothing to start, on the console or the screen.
NOTHING_TO_BOOT = re.compile(
    r"No bootable device|Boot failed|Nothing to boot|No more network devices|no server is specified"
    r"|error: .*(?:not found|no such (?:partition|device)|invalid (?:magic|file|arch)|you need to "
    r"load the kernel|no multiboot|premature end|unsupported|failure reading)"
    r"|Entering rescue mode|grub rescue>|grub>|BdsDxe: failed|UEFI Interactive Shell|Shell>")


def wrong_start(evidence: Evidence) -> Optional[Finding]:
    """What is wrong with the machine, whatever ran in it."""
    checks = (_no_qemu, _not_started, _not_connected, _too_old, _wrong_version, _wrong_accelerator)
    return next(filter(None, (check(evidence) for check in checks)), None)


def nothing_to_boot(evidence: Evidence) -> Optional[Finding]:
    """The firmware, or the boot loader, says that there is nothing."""
    for text in (evidence.console, evidence.screen):
        for line in text.splitlines():
            if NOTHING_TO_BOOT.search(line):
                return Finding(Trouble.NOTHING_TO_BOOT,
                               "the firmware found nothing to boot: "
                               + textwrap.shorten(line, QUOTED))
    return None


def _no_qemu(evidence: Evidence) -> Optional[Finding]:
    return Finding(Trouble.WRONG_QEMU, evidence.no_qemu) if evidence.no_qemu else None


def _not_started(evidence: Evidence) -> Optional[Finding]:
    if evidence.ending.status != 1 or not evidence.says_nothing:
        return None
    for words, trouble, advice in REFUSALS:
        if words.search(evidence.log):
            return Finding(trouble, f"QEMU did not start: {_quoted(evidence.log)} ({advice})")
    words_of_qemu = _quoted(evidence.log) or "it ended with status 1 without a word"
    return Finding(Trouble.NOT_STARTED,
                   f"{evidence.ending.program} did not start: {words_of_qemu}")


def _not_connected(evidence: Evidence) -> Optional[Finding]:
    """Every QEMU connects to its monitor before it runs anything."""
    ending = evidence.ending
    if evidence.is_connected or ending.signal is not None:
        return None
    how = "it went on" if ending.stop is not None else ending.describe()
    return Finding(Trouble.WRONG_QEMU, f"this is not how QEMU runs a machine: {how}, and never "
                                       "connected to its monitor; are --qemu and --qemu-arg right, "
                                       "and is --timeout long enough?")


def _quoted(log: str) -> str:
    return textwrap.shorten(log, QUOTED)


def _too_old(evidence: Evidence) -> Optional[Finding]:
    version = evidence.greeted_version
    if version is None or version >= OLDEST_VERSION:
        return None
    return Finding(Trouble.WRONG_QEMU,
                   f"QEMU {describe_version(version)} is too old: the harness knows those from "
                   f"{describe_version(OLDEST_VERSION)} on; name another with --qemu")


def _wrong_version(evidence: Evidence) -> Optional[Finding]:
    """The version was asked for because quirks depend on it."""
    asked, greeted = evidence.facts.version, evidence.greeted_version
    if asked is None or greeted is None or asked == greeted:
        return None
    return Finding(Trouble.WRONG_MACHINE, "QEMU runs in another version than it said when asked",
                   (Difference("version", describe_version(asked), describe_version(greeted)),))


def _wrong_accelerator(evidence: Evidence) -> Optional[Finding]:
    """QEMU has an accelerator for each -accel, and takes the first that works."""
    asked = evidence.facts.accel
    if evidence.has_kvm is None or evidence.has_kvm is (asked is Accel.KVM):
        return None
    actual = Accel.KVM if evidence.has_kvm else Accel.TCG
    return Finding(Trouble.WRONG_ACCELERATOR, "QEMU runs with another accelerator than was asked "
                   "for: the verdicts would be those of another machine",
                   (Difference("accelerator", asked.name.lower(), actual.name.lower()),))
