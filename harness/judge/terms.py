# SPDX-License-Identifier: MIT
"""What a test has to do on one machine: its attributes, seen through needs and quirks.

The kernel works this out from the arguments that it gets, and the harness from the ELF file and
from the machine: so the set of tests that are skipped is known before the boot, and exact.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from .model import Accel, Needs, Outcome, OutcomeKind, Test


@dataclass(frozen=True)
class Facts:
    """What of the machine the terms of a test may depend on."""

    accel: Accel = Accel.TCG
    version: Optional[int] = None  # 100 * major + minor; None: nobody asked, so no quirk applies
    have: Needs = Needs(0)

    @property
    def name(self) -> str:
        """The value of ktest.machine."""
        assert self.version is not None
        return f"{self.accel.name.lower()}-{describe_version(self.version)}"


@dataclass(frozen=True)
class Terms:
    outcome: Outcome
    skip: Optional[str] = None  # why it has to be skipped, if it has to


def terms(test: Test, facts: Facts) -> Terms:
    lacking = test.needs & ~facts.have
    if lacking:
        names = " and ".join(str(need.name).lower() for need in Needs if need in lacking)
        return Terms(test.outcome, f"the machine has no {names}")
    for quirk in test.quirks:
        is_meant = quirk.accel == facts.accel or (quirk.accel is Accel.TCG and facts.accel.is_tcg)
        if facts.version is None or not is_meant:
            continue
        if quirk.since <= facts.version < (quirk.before or 1 << 32):
            outcome = test.outcome if quirk.skip is not None else quirk.outcome
            return Terms(outcome, quirk.skip)
    return Terms(test.outcome)


def takes_the_machine_down(test: Test, facts: Facts) -> bool:
    found = terms(test, facts)
    return found.skip is None and found.outcome.kind is OutcomeKind.TRIPLE_FAULT


def describe_version(version: int) -> str:
    return f"{version // 100}.{version % 100}"


def version_of(pair: Tuple[int, int]) -> int:
    return pair[0] * 100 + pair[1]
