# SPDX-License-Identifier: MIT
"""A kernel to read, its registry for the fakes, and a QEMU that plays a scenario."""
from __future__ import annotations

import json
import marshal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest
from hypothesis import settings

from judge import report
from judge.data import test_data
from judge.elf import Image
from judge.model import OutcomeKind, Test
from tests import schema

HERE = Path(__file__).parent

# The same examples every time, on a busy machine too, and nothing left behind.
settings.register_profile("faultline", deadline=None, derandomize=True, database=None)
settings.load_profile("faultline")
FLAGS = ["-std=gnu11", "-g", "-O1", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-fno-pic",
         "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-fcf-protection=none",
         "-Wl,--build-id", "-Wl,-n"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shard", default="1/1", help="I/N: only every N-th test, from the I-th on")


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    first, count = (int(word) for word in config.getoption("--shard").split("/"))
    items[:] = items[first - 1::count]


def compile_sample(folder: Path, *flags: str) -> Path:
    kernel = folder / "faultline.elf"
    subprocess.run(["gcc", *FLAGS, *flags, f"-I{HERE.parents[1] / 'ktest'}", "-o", str(kernel),
                    str(HERE / "sample.c")], check=True)
    return kernel


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read here has no colours, whatever the user likes."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture(autouse=True)
def valid_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test has written as JSON is as its schema says."""
    write = report.write_report

    def check_and_write(text: str, path: str) -> None:
        if text.startswith("{"):
            assert not schema.complaint(json.loads(text))
        write(text, path)

    monkeypatch.setattr(report, "write_report", check_and_write)


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled sample, with what a fake QEMU has to know of it beside it."""
    path = compile_sample(tmp_path_factory.mktemp("kernel"))
    image = Image(path)
    rows = [registry_row(test, image) for test in image.tests]
    Path(f"{path}.registry").write_bytes(
        marshal.dumps({"build_id": image.build_id, "tests": rows}))
    return path


@pytest.fixture(scope="session")
def image(kernel: Path) -> Image:
    return Image(kernel)


def shared_tests(image: Image) -> Tuple[Test, ...]:
    """Those that can share one boot."""
    return tuple(test for test in image.tests
                 if not test.is_bench and test.outcome.kind is not OutcomeKind.TRIPLE_FAULT)


@pytest.fixture(scope="session")
def rows(image: Image) -> List[Dict[str, Any]]:
    return [registry_row(test, image) for test in shared_tests(image)]


def registry_row(test: Test, image: Image) -> Dict[str, Any]:
    """The test as stream.py wants it: with the fault or panic that it declares."""
    outcome = test.outcome
    row = test_data(test)
    row["rip"] = address_of(image, outcome.symbol or "poke") + 4
    row["caller"] = address_of(image, "_start") + 10
    if outcome.kind is OutcomeKind.FAULT:
        row["fault"] = {"vector": outcome.vector, "error": outcome.error, "rip": row["rip"],
                        "cr2": outcome.start, "ist": outcome.ist}
    if outcome.kind is OutcomeKind.PANIC:
        row["panic"] = outcome.text.replace("*", "1000").replace("?", "!")
    return row


def address_of(image: Image, name: str) -> int:
    return next(each.address for each in image.symbols.all if each.name == name)


@pytest.fixture
def fake_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a QEMU that plays a scenario of fake_qemu.py."""
    def make(scenario: str) -> str:
        script = tmp_path / "qemu"
        # Imported, not run as a script: so its compiled form is kept, and each lie starts at once.
        script.write_text(f"#!{sys.executable} -S\nimport sys\n"
                          f"sys.path.insert(0, {str(HERE.parent)!r})\n"
                          f"sys.argv.insert(1, {scenario!r})\n"
                          "from tests.fake_qemu import main\nmain()\n")
        script.chmod(0o755)
        return str(script)
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return make
