# SPDX-License-Identifier: MIT
"""JUnit as its readers expect it, by two of them and by a schema."""
from __future__ import annotations

import locale
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, List, Tuple
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import cli
from judge.card import Cards
from judge.elf import Image
from judge.evidence import Record, Result
from judge.junit import junit_text
from judge.model import Cause, Finding, Scene, Test, Trouble, Verdict
from judge.protocol import CheckFailed, Console, Panic, TestEnded
from judge.summary import Summary
from tests.modules import require
from tests.proves import proves

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]
HERE = Path(__file__).parent
COUNTS = ("tests", "failures", "errors", "skipped")

NASTY = "\ud800\udcff\0\x1b\x9b\u2028\ufffe\r]>&<\""
TEXT = st.text(st.one_of(st.characters(), st.sampled_from(NASTY)))


def result(name: str, verdict: Verdict, text: str = "x") -> Result:
    events = (CheckFailed("expect", text, 7, text, text, "==", text, text, text),
              Panic(text, text, 7, text), Console(text),
              TestEnded(f"s.{name}", verdict, 1, 900, 0, 0, text))
    finding = None if verdict is Verdict.PASS else Finding(
        Cause.SKIPPED if verdict is Verdict.SKIP else Cause.ASSERTION, text)
    return Result(Test("s", name, "kernel/a_test.c", 7, proves=("4.1.7",)), verdict, finding,
                  Record(f"s.{name}", events, True),
                  Scene(1, ("qemu", text), "/tmp/run", text, text, seconds=0.5))


def summary(text: str = "x", **changes: Any) -> Summary:
    results = [result(verdict.word, verdict, text) for verdict in Verdict]
    return replace(Summary((*results, Result(Test("other", "t"), Verdict.PASS)), 5, 1, 0.75,
                           "5f0c"), **changes)


def written(image: Image, whole: Summary) -> str:
    return junit_text(whole, Cards(image, True, ["harness/run.py"], []))


@lru_cache(maxsize=None)
def schema() -> Any:
    etree = require("lxml.etree")
    return etree.XMLSchema(etree.parse(str(HERE / "junit.xsd")))


def complaint(text: str) -> str:
    etree = require("lxml.etree")
    rules = schema()
    return "" if rules.validate(etree.fromstring(text.encode("utf-8"))) else str(rules.error_log)


# --- The form -------------------------------------------------------------------------------------


@given(text=TEXT)
def test_it_is_as_the_schema_says_whatever_the_guest_says(image: Image, text: str) -> None:
    assert not complaint(written(image, summary(text)))


@given(text=TEXT)
def test_it_is_xml_whatever_the_guest_says(image: Image, text: str) -> None:
    """By the parser of Python itself, which is always there."""
    ElementTree.fromstring(written(image, summary(text)).encode("utf-8"))


def test_a_flood_without_line_breaks_is_cut_off(image: Image) -> None:
    text = written(image, summary("x" * 2_000_000))
    assert len(text) < 200_000 and not complaint(text)


def test_the_encoding_does_not_depend_on_the_user(image: Image, monkeypatch: pytest.MonkeyPatch
                                                  ) -> None:
    monkeypatch.setattr(locale, "getpreferredencoding", lambda *_: "ISO-8859-1")
    text = written(image, summary("\xfc\u20ac"))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n') and "\xfc\u20ac" in text


@given(text=TEXT)
def test_gitlab_finds_no_attachment(image: Image, text: str) -> None:
    root = ElementTree.fromstring(written(image, summary(f"{text}[[ATTACHMENT|/etc/passwd]]")))
    texts = [each.text or "" for tag in ("system-out", "system-err") for each in root.iter(tag)]
    assert len(texts) == 2 and not any("[[" in each for each in texts)


# --- What it says ---------------------------------------------------------------------------------


@proves("4.1.7")
def test_counts_add_up(image: Image) -> None:
    root = ElementTree.fromstring(written(image, summary()))
    assert [root.get(key) for key in COUNTS] == ["5", "1", "1", "1"]
    assert [root[0].get(key) for key in COUNTS] == ["4", "1", "1", "1"]
    assert [root[1].get(key) for key in COUNTS] == ["1", "0", "0", "0"]


def test_seconds_are_shares_of_the_boot(image: Image) -> None:
    root = ElementTree.fromstring(written(image, summary()))
    assert (root.get("time"), root[0].get("time"), root[1].get("time")) == (
        "0.750", "0.500", "0.000")
    assert [case.get("time") for case in root[0].iter("testcase")] == ["0.125000"] * 4


def test_a_case_says_where_it_is_and_what_it_said(image: Image) -> None:
    root = ElementTree.fromstring(written(image, summary("line\nnext")))
    passed, skipped, failed, error = root[0].iter("testcase")
    assert (failed.get("classname"), failed.get("name"), failed.get("file"), failed.get("line")) \
        == ("s", "fail", "kernel/a_test.c", "7")
    assert [child.tag for child in passed] == ["properties"]
    assert [child.tag for child in skipped] == ["properties", "skipped"]
    assert skipped.findtext("skipped") == "line\\nnext"
    assert [child.tag for child in failed] == ["properties", "failure", "system-out"]
    assert failed.findtext("system-out") == "line\\nnext" == error.findtext("system-out")
    failure = failed.find("failure")
    assert failure is not None and failure.text is not None
    assert (failure.get("type"), failure.get("message")) == ("assertion", "line\\nnext")
    assert "  artifacts  /tmp/run" in failure.text.splitlines()
    assert [each.get("value") for each in root.iter("property")][:3] == ["5f0c", "true", "4.1.7"]


@pytest.mark.parametrize("events, out", [
    ((), "Hello\nit died"), ((Console("its own"),), "its own")])
def test_the_last_words_are_those_of_the_test_that_ended_the_boot(
        image: Image, events: Tuple[Console, ...], out: str) -> None:
    died = replace(result("t", Verdict.FAIL), record=Record("s.t", events, False),
                   scene=Scene(1, console="Hello\nit died", log="QEMU\nsays"))
    text = written(image, summary(results=(died,)))
    case = ElementTree.fromstring(text)[0].find("testcase")
    assert case is not None and not complaint(text)
    assert (case.findtext("system-out"), case.findtext("system-err")) == (out, "QEMU\nsays")
    survived = replace(died, record=Record("s.t", events, True))
    case = ElementTree.fromstring(written(image, summary(results=(survived,))))[0].find("testcase")
    assert case is not None
    assert case.findtext("system-out") == (out if events else None)


def test_a_boot_that_never_was(image: Image) -> None:
    finding = Finding(Trouble.ABANDONED, "not run")
    whole = summary(results=(Result(Test("s", "t"), Verdict.ERROR, finding),), is_complete=False)
    text = written(image, whole)
    assert not complaint(text) and 'name="complete" value="false"' in text
    assert not complaint(written(image, summary(results=())))


# --- Readers --------------------------------------------------------------------------------------


def counts_of(suite: Any) -> List[int]:
    return [suite.tests, suite.failures, suite.errors, suite.skipped]


@proves("4.1.7")
def test_a_reader_comes_to_the_same_counts(image: Image) -> None:
    junitparser = require("junitparser")
    found = junitparser.JUnitXml.fromstring(written(image, summary()).encode("utf-8"))
    announced = [counts_of(found), *map(counts_of, found)]
    for suite in found:
        suite.update_statistics()
    found.update_statistics()
    assert announced == [counts_of(found), *map(counts_of, found)] == [
        [5, 1, 1, 1], [4, 1, 1, 1], [1, 0, 0, 0]]
    outcomes: List[Tuple[str, List[str]]] = [
        (case.name, [type(each).__name__ for each in case.result])
        for suite in found for case in suite]
    assert outcomes == [("pass", []), ("skip", ["Skipped"]), ("fail", ["Failure"]),
                        ("error", ["Error"]), ("t", [])]


def test_the_file_of_a_run(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path, capsys: Capture
                           ) -> None:
    file = tmp_path / "junit.xml"
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("a_check_fails"), "--junit",
                     str(file), "--allow-skip", "alpha.skips", "alpha.*", "params.*"]) == 1
    assert not complaint(file.read_text(encoding="utf-8"))
    capsys.readouterr()
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("wrong_nonce"), "--junit", "-",
                     "alpha.*"]) == 99
    assert not complaint(capsys.readouterr().out)
