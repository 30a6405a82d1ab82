# SPDX-License-Identifier: MIT
"""The parser takes anything, in pieces of any size, and the judge notices any single change."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Sequence, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.elf import Image
from judge.evidence import Ending, Evidence, Judgement
from judge.judge import judge
from judge.model import Needs, Trouble, Verdict
from judge.protocol import (LINE_BYTES, Broken, CheckFailed, Event, Fault, Parser, TestBegan,
                            TestEnded, Totals, parse_metadata)
from judge.terms import Facts
from tests import stream
from tests.conftest import shared_tests

NONCE = "k3v9"
REGISTERED = 99

Rows = List[Dict[str, Any]]


def parse(data: bytes, *cuts: int) -> List[Event]:
    """The events of a stream that arrives in pieces."""
    parser = Parser()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    events: List[Event] = []
    for start, end in zip(places, places[1:]):
        events += parser.feed(data[start:end])
    return events


def good_lines(rows: Rows, image: Image) -> List[str]:
    return stream.good_lines(rows, REGISTERED, NONCE, image.build_id)


def good_stream(rows: Rows, image: Image) -> bytes:
    return stream.to_bytes(stream.sealed(good_lines(rows, image)))


def judge_stream(data: bytes, image: Image, status: int = 33) -> Judgement:
    parser = Parser()
    events = tuple(parser.feed(data))
    return judge(Evidence(shared_tests(image), REGISTERED, image.build_id, NONCE, events,
                          Ending(status=status), image.symbols.names,
                          facts=Facts(have=Needs.VGA), is_cut=parser.is_cut,
                          may_skip=frozenset({"alpha.skips"}), has_spoken=bool(data)))


def is_green(judgement: Judgement) -> bool:
    return not judgement.unfinished and all(
        result.verdict <= Verdict.SKIP for result in judgement.results)


# A part of a line that may say something else, and the run is as good: what nobody else knows.
# A panic's message is declared by a glob, an address by a range.
FREE = re.compile(r" (?:cycles|stack|recovery)=\d+| checks=[1-9]\d*|"
                  r" (?:caller|asked|file|line|function|words|message|rip|cr2|rflags|rsp|ss|cs|"
                  r"timeout_ms)=\S*|"
                  r"^    #:ktest_(?:registers|backtrace|param|note|armed) .*|^ *# (?!Subtest).*|"
                  r"^    #:ktest_check .*")


def essence(lines: Sequence[str]) -> List[str]:
    """The lines without what may change, and without the skip reasons, which come twice."""
    bare = (FREE.sub("", line) for line in lines)
    return [line for line in bare if line.strip()]


def test_a_good_stream_is_green(rows: Rows, image: Image) -> None:
    judgement = judge_stream(good_stream(rows, image), image)
    assert is_green(judgement)
    assert [result.test for result in judgement.results] == list(shared_tests(image))


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5))
def test_the_parser_takes_any_bytes(data: bytes, cuts: List[int]) -> None:
    events = parse(data, *cuts)
    assert not any(isinstance(event, Broken) for event in events[:-1])


LINES = st.sampled_from([
    "KTAP version 1", "    KTAP version 1", "1..1", "    1..1", "    # Subtest: a", "# words",
    "#:ktest_run protocol=2 nonce=x build_id= tests=1 selected=1 seed=none",
    "#:ktest_begin test=a.b",
    "    #:ktest_begin test=a.b", "    ok 1 b", "    not ok 1 b", "ok 1 a", "", " ",
    "    #:ktest_end test=a.b verdict=pass checks=1 cycles=0 stack=0 recovery=0 reason=",
    "#:ktest_order text=stop known=yes", "#:ktest_error reason=%FF",
    "#:ktest_totals tests=1 pass=1 skip=0 fail=0 error=0 stopped=0 lines=9 crc32=0x0"])


@given(st.lists(LINES, max_size=20))
def test_the_parser_takes_lines_in_any_order(lines: List[str]) -> None:
    events = parse(stream.to_bytes(lines))
    assert not any(isinstance(event, Totals) for event in events)


@given(cuts=st.lists(st.integers(0, 1 << 20), max_size=8))
def test_pieces_make_no_difference(rows: Rows, image: Image, cuts: List[int]) -> None:
    data = good_stream(rows, image)
    assert parse(data, *cuts) == parse(data)


@settings(max_examples=150)
@given(place=st.integers(0, 1 << 20), byte=st.integers(0, 255),
       how=st.sampled_from(["alter", "drop", "insert", "cut"]))
def test_any_changed_byte_is_noticed(rows: Rows, image: Image, place: int, byte: int,
                                     how: str) -> None:
    data = good_stream(rows, image)
    place %= len(data)
    changed = {"alter": data[:place] + bytes([byte]) + data[place + 1:],
               "drop": data[:place] + data[place + 1:],
               "insert": data[:place] + bytes([byte]) + data[place:],
               "cut": data[:place]}[how]
    if changed != data:
        assert not is_green(judge_stream(changed, image))


@settings(max_examples=100)
@given(place=st.integers(0, 1 << 20), how=st.sampled_from(["drop", "double", "swap", "empty"]))
def test_any_changed_line_is_noticed_though_the_totals_fit(rows: Rows, image: Image, place: int,
                                                           how: str) -> None:
    """The checksum covers the change, as if the kernel itself had written it."""
    good = good_lines(rows, image)
    place %= len(good) - 1
    lines = list(good)
    lines[place:place + 2] = {"drop": lines[place + 1:place + 2],
                              "double": [lines[place], *lines[place:place + 2]],
                              "swap": lines[place:place + 2][::-1],
                              "empty": ["", lines[place + 1]]}[how]
    if essence(lines) != essence(good):
        assert not is_green(judge_stream(stream.to_bytes(stream.sealed(lines)), image))


@pytest.mark.parametrize("status", [0, 1, 35, 37, 39, 255])
def test_only_one_exit_status_goes_with_a_pass(rows: Rows, image: Image, status: int) -> None:
    judgement = judge_stream(good_stream(rows, image), image, status)
    assert judgement.trouble is Trouble.WRONG_STATUS


def test_the_stream_is_bounded() -> None:
    parser = Parser(max_bytes=5000)
    events: List[Event] = parser.feed(b"KTAP version 1\n")
    for _ in range(100):
        events += parser.feed(b"# noise" + b"." * 100 + b"\n")
    assert [event.trouble for event in events if isinstance(event, Broken)] == [Trouble.FLOOD]


def test_a_line_is_bounded() -> None:
    parser = Parser()
    assert parser.feed(b"#" + b" " * (LINE_BYTES - 1)) == []
    broken = parser.feed(b"  ")[0]
    assert isinstance(broken, Broken) and broken.trouble is Trouble.LINE_TOO_LONG


def test_the_events_of_a_failed_check() -> None:
    row = {"suite": "s", "test": "t", "name": "s.t", "outcome": "pass"}
    check = ("    #:ktest_check kind=assert file=a%20b.c line=7 left=a[%250] right=b relation=<= "
             "left_value=%C3%A9 right_value=%FF message=so%0Ait%20is")
    lines = stream.good_lines([row], 1, NONCE, "b1")
    begin = lines.index("    #:ktest_begin test=s.t")
    lines[begin:] = [*stream.test_lines(1, row, "fail", [check]), "not ok 1 s"]
    events = parse(stream.to_bytes(stream.sealed(lines)))
    failed = CheckFailed("assert", "a b.c", 7, "a[%0]", "b", "<=", "é", "\\xff", "so\nit is")
    assert failed in events
    assert TestEnded("s.t", Verdict.FAIL, 3, 1200, 512, 0, "for a reason") in events
    assert isinstance(events[-1], Totals)


def test_the_events_of_a_fault(rows: Rows, image: Image) -> None:
    events = parse(good_stream(rows, image))
    faults = [event for event in events if isinstance(event, Fault)]
    declared = [test.outcome for test in image.tests if test.outcome.vector]
    assert [(fault.vector, fault.cr2) for fault in faults] == [
        (outcome.vector, outcome.start) for outcome in declared]


@pytest.mark.parametrize("line", [
    "#:ktest_begin", "#:ktest_begin test", "#:ktest_begin  test=a.b", "#:ktest_begin test=a.b ",
    "#:ktest_begin test=a.b more=1", "#:ktest_Begin test=a.b", "#:ktest_begin\ttest=a.b",
    "#:ktest_registers rax=0x0 rax=0x0", "ktest_begin test=a.b"])
def test_metadata_is_whole_or_none(line: str) -> None:
    assert parse_metadata(line) is None


def begun(events: Sequence[Event]) -> List[str]:
    return [event.name for event in events if isinstance(event, TestBegan)]


def test_what_came_before_the_trouble_is_kept(rows: Rows, image: Image) -> None:
    lines = good_lines(rows, image)
    events = parse(stream.to_bytes([*lines[:12], "garbage", *lines[12:]]))
    assert begun(events) == ["alpha.one", "alpha.skips"]
    assert isinstance(events[-1], Broken) and events[-1].line == 13


# --- Streams that have been tampered with ---------------------------------------------------------

def edit(lines: List[str], how: str, first: int, second: int) -> List[str]:
    """One act of tampering with whole lines."""
    one, other = first % len(lines), second % len(lines)
    bent = list(lines)
    if how == "drop":
        del bent[one]
    elif how == "repeat":
        bent.insert(other, bent[one])
    elif how == "move":
        bent.insert(other, bent.pop(one))
    elif how == "swap":
        bent[one], bent[other] = bent[other], bent[one]
    elif how == "replace":
        bent[one] = bent[other]
    else:
        bent[min(one, other):max(one, other)] = []
    return bent


EDITS = st.lists(st.tuples(st.sampled_from(["drop", "repeat", "move", "swap", "replace", "cut"]),
                           st.integers(0, 1 << 16), st.integers(0, 1 << 16)), min_size=1,
                 max_size=4)


@settings(max_examples=300)
@given(edits=EDITS)
def test_no_tampering_with_lines_passes_though_the_totals_fit(rows: Rows, image: Image,
                                                              edits: List[Tuple[str, int, int]]
                                                              ) -> None:
    good = good_lines(rows, image)
    lines = good
    for how, first, second in edits:
        lines = edit(lines, how, first, second) if lines else lines
    if is_green(judge_stream(stream.to_bytes(stream.sealed(lines)), image)):
        assert essence(lines) == essence(good)


@settings(max_examples=400)
@given(place=st.integers(0, 1 << 20), byte=st.integers(0, 255),
       how=st.sampled_from(["alter", "drop", "insert"]))
def test_a_byte_that_changes_a_good_run_says_nothing_of_weight(rows: Rows, image: Image, place: int,
                                                               byte: int, how: str) -> None:
    """The totals fit the change, as if the kernel itself had written it: only what nobody else
    knows may have changed, such as the number of cycles."""
    good = good_lines(rows, image)
    data = stream.to_bytes(good)
    place %= len(data)
    behind = data[place + (how != "insert"):]
    bent = data[:place] + (b"" if how == "drop" else bytes([byte])) + behind
    lines = bent.decode("latin-1").split("\n")
    if lines.pop() == "" and is_green(judge_stream(stream.to_bytes(stream.sealed(lines)), image)):
        assert essence(lines) == essence(good)


@settings(max_examples=200)
@given(cut=st.integers(0, 1 << 20), more=st.binary(max_size=40))
def test_no_end_but_the_right_one_passes(rows: Rows, image: Image, cut: int, more: bytes) -> None:
    """A good stream that ends early, and goes on in another way."""
    data = good_stream(rows, image)
    bent = data[:len(data) - cut % 200] + more
    assert is_green(judge_stream(bent, image)) == (bent == data)


@settings(max_examples=100)
@given(first=st.integers(0, 1 << 20), second=st.integers(0, 1 << 20))
def test_no_two_streams_make_one(rows: Rows, image: Image, first: int, second: int) -> None:
    """One run up to somewhere, and from somewhere on another run of the same kernel."""
    data = good_stream(rows, image)
    other = good_stream(rows, image).replace(NONCE.encode(), b"x9v3")
    bent = data[:first % len(data)] + other[second % len(other):]
    if bent != data:
        assert not is_green(judge_stream(bent, image))


NUMBERS = st.sampled_from(["", "-1", "+3", "03", "0x3", "0X3", "0x03", "3.0", "1e1", "1_0", "3 ",
                           "%33", "\u0663", "18446744073709551616", "0x10000000000000000", "none"])


@given(key=st.sampled_from(["tests", "selected", "checks", "cycles", "vector", "pass", "lines"]),
       text=NUMBERS)
def test_a_number_has_one_form(rows: Rows, image: Image, key: str, text: str) -> None:
    lines = stream.sealed(good_lines(rows, image))
    index = next(index for index, line in enumerate(lines) if f" {key}=" in line)
    lines[index] = re.sub(rf" {key}=\S+", f" {key}={text}", lines[index])
    bent = "".join(f"{line}\n" for line in lines).encode()
    if text != "0x3":
        assert not is_green(judge_stream(bent, image))
