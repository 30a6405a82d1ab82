# SPDX-License-Identifier: MIT
"""--shard: parts of the tests that stay the same, whatever else there is."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import cli, options
from judge.model import Test
from judge.selection import Shard

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

TESTS = [Test("s", name, index=index) for name in "abcdefgh" for index in (0, 1)]


@given(count=st.integers(1, 20), chosen=st.sets(st.sampled_from(TESTS)))
def test_each_test_is_in_one_shard_whatever_else_is_selected(count: int, chosen: "set[Test]"
                                                             ) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    parts = [shard.of([test for test in TESTS if test in chosen]) for shard in shards]
    assert sorted(test.full_name for part in parts for test in part) == sorted(
        test.full_name for test in chosen)
    for shard, part in zip(shards, parts):
        assert set(part) == chosen & set(shard.of(TESTS))


def test_shards_are_the_same_on_every_machine() -> None:
    """By hash_text, which test_order.py holds against a C program. Parameters stay together."""
    assert [test.full_name for test in Shard(2, 3).of(TESTS)] == [
        "s.d/0", "s.d/1", "s.h/0", "s.h/1"]


@pytest.mark.parametrize("text", ["1", "0/3", "4/3", "1/0", "1/2/3", "a/b", "1/²"])
def test_what_is_not_a_shard(text: str, capsys: Capture) -> None:
    assert cli.main(["--shard", text]) == options.USAGE
    assert "is not a shard: I/N, such as 1/3" in capsys.readouterr().err


def shard_of(kernel: Path, name: str, capsys: Capture) -> List[int]:
    """The shard of two that has the test, and the one that has not."""
    assert cli.main(["--kernel", str(kernel), "--list", "--shard", "1/2", name]) == 0
    return [1, 2] if capsys.readouterr().out else [2, 1]


def test_a_shard_of_a_run(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture
                          ) -> None:
    own, other = shard_of(kernel, "alpha.one", capsys)
    report = tmp_path / "report.json"
    command = ["--kernel", str(kernel), "--qemu", fake_qemu("wrong_nonce"), "alpha.one"]
    assert cli.main([*command, "--shard", f"{own}/2"]) == cli.BROKEN
    output = capsys.readouterr().out
    assert f"(direct boot, tcg, shard {own}/2)\n" in output
    assert f"--test alpha.one --shard {own}/2\n" in output
    assert cli.main([*command, "--shard", f"{other}/2", "--json", str(report)]) == cli.OK
    sentence = f"Shard {other}/2 has none of the selected tests (1)."
    output = capsys.readouterr().out
    assert output.startswith(f"{sentence}\n0 passed, 0 failed in ") and "0 boots" in output
    assert json.loads(report.read_text())["remark"] == sentence
    assert cli.main([*command, "--shard", f"{other}/2", "--tap"]) == cli.OK
    assert capsys.readouterr().out == f"1..0 # SKIP {sentence}\n"
    assert cli.main(["--kernel", str(kernel), "--shard", f"{other}/2", "no"]) == cli.NO_MATCH
