# SPDX-License-Identifier: MIT
"""The machines of the matrix: which of them there are, and few that meet every pair."""
from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.grid import AXES, IN_BOCHS, KVM, OLD_CPU, Cell, all_cells, pairwise, why_not
from judge.qemus import SUITES

CELLS = all_cells()
PLAIN = Cell("sid", "pc", "direct", "apic", "max", "128M", "plain")


def test_each_machine_is_there_or_has_a_reason_not_to_be() -> None:
    everything = [Cell(*values) for values in product(*AXES.values())]
    assert len(set(CELLS)) == len(CELLS) == sum(why_not(cell) is None for cell in everything)
    for axis, values in AXES.items():
        assert {getattr(cell, axis) for cell in CELLS} == set(values)


@pytest.mark.parametrize("cell, reason", [
    (PLAIN, None), (replace(PLAIN, machine="microvm"), None), (replace(PLAIN, boot="uefi"), None),
    (replace(PLAIN, memory="32M"), None),
    (replace(PLAIN, machine="microvm", boot="grub"), "a microvm has no drive"),
    (replace(PLAIN, machine="microvm", boot="uefi"), "a microvm has no drive"),
    *((cell, None) for cell in IN_BOCHS),
    (replace(IN_BOCHS[0], machine="q35"), "Bochs is one PC that GRUB boots, and slow"),
    (replace(IN_BOCHS[0], boot="direct"), "Bochs is one PC that GRUB boots, and slow"),
    (replace(PLAIN, cpu=OLD_CPU), "QEMU has no such CPU"), (replace(PLAIN, clock=KVM), None),
    (replace(PLAIN, clock=KVM, cpu="qemu64"), "under KVM the CPU is the host's"),
    (replace(PLAIN, boot="uefi", memory="32M"),
     "UEFI's firmware finds nothing to boot in 32 MiB")])
def test_machines_that_there_can_not_be(cell: Cell, reason: "str | None") -> None:
    assert why_not(cell) == reason


@given(st.sets(st.sampled_from(CELLS), min_size=1, max_size=40))
def test_each_pair_that_a_machine_has_is_met(cells: "set[Cell]") -> None:
    listed = sorted(cells, key=CELLS.index)
    few = pairwise(listed)
    assert set(few) <= cells and len(set(few)) == len(few)
    pairs = {pair for cell in cells for pair in cell.pairs}
    assert {pair for cell in few for pair in cell.pairs} == pairs


def test_few_are_few_and_always_the_same() -> None:
    """No fewer than the two largest axes have pairs, and not many more."""
    few = pairwise(CELLS)
    assert len(SUITES) * len(AXES["machine"]) <= len(few) <= 20
    assert few == pairwise(CELLS)
