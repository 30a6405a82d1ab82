# SPDX-License-Identifier: MIT
"""The exceptions that led to a triple fault, out of QEMU's log of them (-d int, under TCG).

The guest can't tell: it was gone. The log has 1 KiB for each exception, and a test that faults over
and over would fill a disk; so only the test that died is run once more with it, alone. What it
shows belongs to that second boot.
"""
from __future__ import annotations

import re
from typing import List, Tuple

from .model import Trap

SHOWN = 4  # a triple fault is made of three; the first may be of a kind that does not count
TRAP = re.compile(r" *\d+: v=([0-9a-f]{2}) e=([0-9a-f]{4}) i=0 cpl=\d "
                  r"IP=[0-9a-f]{4}:([0-9a-f]{16}) .*?(?:CR2=([0-9a-f]{16}))?")
UNDELIVERED = re.compile(r"check_exception old: 0x([0-9a-f]+) new 0x([0-9a-f]+)")
END = "Triple fault"


def read_traps(log: str) -> Tuple[Trap, ...]:
    """The last ones before the end, all at one instruction, as none reached a handler; the very
    last could not even be tried."""
    before, end, _ = log.rpartition(END)
    lines = before.splitlines()
    traps: List[Trap] = []
    for line in lines:
        match = TRAP.fullmatch(line)
        if match is not None:
            vector, error, address, cr2 = (int(each or "0", 16) for each in match.groups())
            traps.append(Trap(vector, address, error, cr2))
    last = UNDELIVERED.fullmatch(lines[-1]) if lines and end else None
    if last is not None and traps:
        traps.append(Trap(int(last[2], 16), traps[-1].address, is_delivered=False))
    return tuple(trap for trap in traps[-SHOWN:] if trap.address == traps[-1].address)
