# SPDX-License-Identifier: MIT
"""Keys as quickly as QEMU takes them: the caller sees to the pace."""
from __future__ import annotations

from typing import List, Sequence, Tuple

from judge.vm import VirtualMachine


def send(vm: VirtualMachine, keys: Sequence[Tuple[str, bool]]) -> None:
    """Presses and releases, as quickly as QEMU takes them."""
    vm.ask("input-send-event", events=[
        {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}
        for key, down in keys])


def strokes(keys: Sequence[str]) -> List[Tuple[str, bool]]:
    return [(key, down) for key in keys for down in (True, False)]
