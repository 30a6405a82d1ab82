# SPDX-License-Identifier: MIT
"""The machines of the matrix: what they may differ in, which of them there are, and few that meet
every pair of properties. Pure."""
from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import combinations, product
from typing import FrozenSet, List, Optional, Sequence, Tuple

from .qemus import BOCHS, SUITES

OLD_CPU = "core2_penryn_t9600"  # a model of Bochs's, without what came later
KVM = "kvm"  # the clock is that of the CPU itself
Pair = FrozenSet[Tuple[str, str]]


@dataclass(frozen=True)
class Cell:
    """One machine: a value of each axis."""

    qemu: str
    machine: str
    boot: str
    irq: str
    cpu: str
    memory: str
    clock: str

    @property
    def pairs(self) -> FrozenSet[Pair]:
        return frozenset(frozenset(pair) for pair in combinations(vars(self).items(), 2))


AXES = {
    "qemu": (*SUITES, BOCHS),
    "machine": ("pc", "q35", "microvm"),
    "boot": ("direct", "grub", "uefi"),
    "irq": ("apic", "pic"),
    "cpu": ("max", "qemu64", OLD_CPU),
    "memory": ("128M", "32M", "5G"),
    "clock": ("plain", "icount", KVM),
}

assert list(AXES) == [field.name for field in fields(Cell)]


# Each takes minutes, and these two differ in all that the machines of Bochs can.
IN_BOCHS = (Cell(BOCHS, "pc", "grub", "apic", "max", "128M", "plain"),
            Cell(BOCHS, "pc", "grub", "pic", OLD_CPU, "32M", "plain"))


def why_not(cell: Cell) -> Optional[str]:
    """Why there is no such machine, if there is none."""
    if cell.qemu == BOCHS:
        return None if cell in IN_BOCHS else "Bochs is one PC that GRUB boots, and slow"
    if cell.cpu == OLD_CPU:
        return "QEMU has no such CPU"
    if cell.clock == KVM and cell.cpu != "max":
        return "under KVM the CPU is the host's"
    if cell.machine == "microvm" and cell.boot != "direct":
        return "a microvm has no drive"
    if cell.boot == "uefi" and cell.memory == "32M":
        return "UEFI's firmware finds nothing to boot in 32 MiB"
    return None


def all_cells() -> List[Cell]:
    cells = (Cell(*values) for values in product(*AXES.values()))
    return [cell for cell in cells if why_not(cell) is None]


def pairwise(cells: Sequence[Cell]) -> List[Cell]:
    """Few of these cells, so that each pair of values that one of them has is in one of the few.
    Greedy, and always the same."""
    missing = set().union(*(cell.pairs for cell in cells))
    chosen = []
    while missing:
        best = max(cells, key=lambda cell: len(cell.pairs & missing))
        chosen.append(best)
        missing -= best.pairs
    return chosen
