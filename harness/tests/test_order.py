# SPDX-License-Identifier: MIT
"""The order of docs/protocol.md: its hash against a C program's, and what it does to tests."""
from __future__ import annotations

import pytest

from judge.model import Test
from judge.order import hash_text, in_order

# From a C program that follows the document with uint64_t: no Python was asked.
REFERENCE = [
    (0, "", "efd01f60ba992926"), (0, "gdt", "28f2719fffaefb4c"),
    (1, "gdt", "1bea380c21661402"), (2**64 - 1, "gdt.is_loaded", "c74ae44aaa238217")]


@pytest.mark.parametrize("seed, text, value", REFERENCE)
def test_the_hash_is_that_of_the_document(seed: int, text: str, value: str) -> None:
    assert f"{hash_text(seed, text):016x}" == value


TESTS = [Test("b", "x"), Test("a", "z", index=10), Test("a", "z", index=9), Test("a", "y"),
         Test("a.b", "c"), Test("B", "x")]


def test_by_name_indices_are_numbers_and_capitals_come_first() -> None:
    names = [test.full_name for test in in_order(TESTS)]
    assert names == ["B.x", "a.y", "a.z/9", "a.z/10", "a.b.c", "b.x"]


def test_a_selection_keeps_the_order() -> None:
    whole = in_order(TESTS, 7)
    assert whole != in_order(TESTS, 8) and set(whole) == set(TESTS)
    assert in_order(TESTS[::2], 7) == tuple(test for test in whole if test in TESTS[::2])
    parameters = [test.index for test in whole if test.name == "z"]
    assert parameters == [9, 10]
