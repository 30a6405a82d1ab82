# SPDX-License-Identifier: MIT
"""The order in which a kernel runs its tests: by name, or shuffled by a seed.

docs/protocol.md defines it; the kernel follows the same rule, and the judge insists on it. As each
suite and each test has a place of its own, any selection of the tests keeps the order.
"""
from __future__ import annotations

from typing import Iterable, Optional, Tuple

from .model import Test

BASIS, PRIME = 0xCBF29CE484222325, 0x100000001B3  # FNV-1a's
MIX_1, MIX_2 = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53  # and the end of MurmurHash3
MASK = (1 << 64) - 1


def hash_text(seed: int, text: str) -> int:
    value = BASIS ^ seed
    for byte in text.encode():
        value = (value ^ byte) * PRIME & MASK
    for factor in (MIX_1, MIX_2):
        value ^= value >> 33
        value = value * factor & MASK
    return value ^ value >> 33


def in_order(tests: Iterable[Test], seed: Optional[int] = None) -> Tuple[Test, ...]:
    def place(text: str) -> Tuple[int, bytes]:
        return (0 if seed is None else hash_text(seed, text), text.encode())

    return tuple(sorted(tests, key=lambda test: (place(test.suite), place(test.record_name),
                                                 -1 if test.index is None else test.index)))
