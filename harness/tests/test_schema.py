# SPDX-License-Identifier: MIT
"""JSON reports: as docs/report.schema.json says, and that says what the code does.

Besides, conftest.py holds every report that a test makes against the schema.
"""
from __future__ import annotations

import enum
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator, Type

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge import cli, data, report
from judge.bisection import Conclusion
from judge.evidence import Intervention, Record, Result
from judge.model import (Cause, Difference, Encore, Finding, Inject, Interrupted,
                         Isolation, Needs, Outcome, OutcomeKind, Scene, Speed, Test, Trap, Trouble,
                         Verdict)
from judge.protocol import (Armed, Backtrace, Bench, CheckFailed, Console, Denied, Fault, Hang,
                            Note, Panic, Param, Registers, Rerun, TestEnded)
from judge.rounds import Tally
from judge.summary import Summary
from tests import schema
from tests.modules import require
from tests.proves import proves

FakeQemu = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

TEST = Test("s", "t", "a.c", 7, Outcome(OutcomeKind.FAULT, 14, 2, 3, 0x1000, 8, 1, "", "f"),
            Isolation.BOOT, 500, Needs.VGA | Needs.FULL_CPU, ("4.1.7",), index=3)


def everything(text: str) -> Summary:
    """A result of which all is known that can be, with a text wherever the guest has a say."""
    events = (
        Param(text), Rerun("s.t/3", 1), Denied(1, 2**64 - 1), Armed(text, 7),
        CheckFailed("expect", text, 7, text, text, "==", text, text, text),
        Fault(14, 2, 3, 8, 2, 4, 16, 5, 1, text), Panic(text, text, 7, text), Hang(500, 1, 2, 3),
        Registers({"rax": 2**64 - 1}), Backtrace((1, 2**64 - 1)), Note(text), Console(text),
        Bench(1000, 50, 0.0, 12.5, 13.0, 1e15),
        TestEnded("s.t/3", Verdict.FAIL, 1, 2**64 - 1, 3, 4, text))
    record = Record("s.t/3", events, True, (Intervention("s.t/3", "an NMI", True, text),))
    scene = Scene(1, ("qemu", text), text, text, text, text, seconds=1.5, seed=5,
                  encore=Encore(True, (Trap(14, 1, 2, 3, False),)))
    finding = Finding(Cause.FAULT, text, (Difference(text, text, text),))
    found = Result(TEST, Verdict.FAIL, finding, record, scene, text)
    tally = Tally()
    tally.add([found])
    tally.close([found], 5, 1.5)
    return Summary((found,), 2, 1, 1.5, "5f0c", text, False, tuple(tally.rounds), (text,), text)


def written(content: Any) -> Any:
    """As it is read by others: they take no half characters, and no NaN."""
    lines = []
    report_writer = report.write_report
    try:
        report.write_report = lambda text, path: lines.append(text)
        report.write_json(content, "file")
    finally:
        report.write_report = report_writer
    text = lines[0]
    assert text.isascii() and "NaN" not in text.replace(json.dumps("NaN"), "")
    assert "Infinity" not in text
    found = json.loads(text)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def test_the_schema_is_one() -> None:
    require("jsonschema").Draft202012Validator.check_schema(schema.load())
    assert schema.complaint({"schema": 2, "kind": "list"}), "an incomplete report"
    assert schema.load()["$defs"]["version"]["const"] == data.JSON_SCHEMA


TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\ud800\udcff\0\x1b\x9b\u2028\ufffe")))


@given(text=TEXT)
def test_json_is_valid_whatever_the_guest_says(text: str) -> None:
    whole = everything(text)
    conclusion = Conclusion(text, whole.results[0], (Test("s", "other"),))
    for content in (data.run_data(whole), data.list_data([TEST], text, "", text),
                    data.bisection_data(conclusion, text, "", 2**64 - 1, [text])):
        assert not schema.complaint(written(content))


def test_infinity_is_no_json() -> None:
    with pytest.raises(ValueError):
        written({"seconds": float("inf")})


# --- Schema and code ------------------------------------------------------------------------------


def word(member: enum.Enum) -> str:
    return member.value if isinstance(member.value, str) else str(member.name).lower()


@pytest.mark.parametrize("place, kind", [
    ("cause", Cause), ("trouble", Trouble), ("verdict", Verdict), ("test.outcome", OutcomeKind),
    ("test.isolation", Isolation), ("test.needs", Needs), ("test.inject", Inject)])
def test_schema_and_code_know_the_same_words(place: str, kind: Type[enum.Enum]) -> None:
    found = schema.load()["$defs"]
    definition, _, name = place.partition(".")
    rule = found[definition]["properties"][name] if name else found[definition]
    assert sorted(rule.get("items", rule)["enum"]) == sorted(word(each) for each in kind)


def test_schema_knows_every_speed() -> None:
    rule = schema.load()["$defs"]["test"]["properties"]["speed"]
    assert rule["enum"] == [speed.word for speed in Speed]


@pytest.mark.parametrize("definition, content", [
    ("run", data.run_data(everything("x"))),
    ("list", data.list_data([TEST], "", "", "")),
    ("bisection", data.bisection_data(None, "", "", None, [])),
    ("test", data.test_data(TEST)),
    ("round", data.run_data(everything("x"))["rounds"][0])])
def test_schema_names_nothing_that_is_never_written(definition: str, content: Any) -> None:
    assert set(schema.load()["$defs"][definition]["properties"]) == set(content)


def test_schema_names_no_field_of_a_result_that_is_never_written() -> None:
    found = data.run_data(everything("x"))["tests"][0]
    rules = schema.load()["$defs"]
    assert set(found) == {*rules["result"]["properties"], *rules["test"]["properties"]}
    for rule, each in (("check", found["checks_failed"][0]), ("fault", found["faults"][0]),
                       ("panic", found["panics"][0]), ("hang", found["hangs"][0]),
                       ("armed", found["armed"][0]), ("difference", found["differences"][0]),
                       ("measured", found["measured"]), ("sweep", found["sweep"]),
                       ("trap", found["encore"]["exceptions"][0])):
        assert set(rules[rule]["properties"]) == set(each)


def rules_in(rule: Any, path: str = "") -> Iterator[str]:
    """Objects of the schema that would let anything pass."""
    if isinstance(rule, dict):
        is_open = not {"additionalProperties", "unevaluatedProperties"} & set(rule)
        if rule.get("type") == "object" and is_open and path != "/$defs/test":
            yield path
        for key, each in rule.items():
            yield from rules_in(each, f"{path}/{key}")


def test_no_object_is_open() -> None:
    assert not list(rules_in(schema.load()))


# --- Reports of runs ------------------------------------------------------------------------------


@proves("4.1.7")
def test_why_each_test_has_its_verdict(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                       capsys: Capture) -> None:
    file = tmp_path / "report.json"
    assert cli.main(["--kernel", str(kernel), "--qemu", fake_qemu("a_check_fails"), "--json",
                     str(file), "--allow-skip", "alpha.skips", "alpha.*"]) == 1
    tests = {each["test"]: each for each in json.loads(file.read_text())["tests"]}
    assert (tests["one"]["cause"], tests["two"]["cause"]) == ("assertion", None)
    assert tests["one"]["sentence"] == "EXPECT n == 5: 4 against 5"
    assert tests["skips"]["cause"] == "skipped" and tests["skips"]["sentence"] == "for a reason"
    total = sum(each["seconds"] for each in tests.values())
    assert total == pytest.approx(tests["one"]["boot_seconds"], abs=0.001)


def test_the_list_is_a_report(kernel: Path, capsys: Capture) -> None:
    assert cli.main(["--kernel", str(kernel), "--list", "--json", "-", "write_to_rodata"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["schema"], found["kernel"]) == ("list", 2, str(kernel))
    assert re.fullmatch("[0-9a-f]{40}", found["build_id"])
    assert (found["tests"][0]["error_code"], found["tests"][0]["error_mask"]) == (3, 31)


def test_a_bisection_is_a_report(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                 capsys: Capture) -> None:
    arguments = ["--kernel", str(kernel), "--bisect-order", "--allow-skip", "alpha.skips"]
    file = tmp_path / "report.json"
    assert cli.main([*arguments, "--qemu", fake_qemu("fails_behind"), "--json", str(file),
                     "--shuffle=2", "alpha.*"]) == 1
    found = json.loads(file.read_text())
    assert (found["kind"], found["seed"], found["complete"]) == ("bisection", 2, True)
    assert found["culprits"] == ["alpha.one"] and found["result"]["name"] == "alpha.two"
    assert found["repeat"].endswith("--shuffle=2 --test alpha.one --test alpha.two")
    capsys.readouterr()
    assert cli.main([*arguments, "--qemu", fake_qemu("honest"), "--json", "-", "alpha.*"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["result"], found["culprits"], found["repeat"]) == (None, [], None)


def test_a_leftover_bisection_does_not_survive(kernel: Path, fake_qemu: FakeQemu, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr("judge.bisection.Bisection.find", interrupt)
    file = tmp_path / "report.json"
    file.write_text('{"complete": true}')
    assert cli.main(["--kernel", str(kernel), "--bisect-order", "--qemu", fake_qemu("honest"),
                     "--json", str(file), "alpha.two"]) == cli.INTERRUPTED
    assert json.loads(file.read_text())["complete"] is False


def test_a_folder_that_is_not_utf_8() -> None:
    whole = replace(everything("x"), kernel="build-\udcff/faultline.elf")
    assert written(data.run_data(whole))["kernel"] == "build-\\udcff/faultline.elf"
