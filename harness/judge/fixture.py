# SPDX-License-Identifier: MIT
"""A plugin for pytest: the fixture `machine`, which boots virtual machines for a test.

In the conftest.py of any project, with this folder's parent on Python's path:

    pytest_plugins = ["judge.fixture"]

It boots build/faultline.elf and build/faultline.iso. Another kernel: a fixture machine_default of
one's own, in the conftest.py. FAULTLINE_QEMU names another QEMU.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Generator, Iterator

import pytest

from .machine import Machine
from .vm import Machines, default_machine


@pytest.fixture(scope="session")
def machine_default() -> Machine:
    """What is booted, as far as a test does not say so itself."""
    return default_machine(Path(os.environ.get("FAULTLINE_BUILD", "build")))


@pytest.fixture
def machine(machine_default: Machine, request: pytest.FixtureRequest) -> Iterator[Machines]:
    """Boots machines: machine.boot(…). At the end of the test all of them end as well."""
    with Machines(machine_default) as machines:
        request.node.machines = machines
        yield machines


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]  # pluggy 1.0 has no types
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:
    """Whatever fails a test or its fixtures: its machines are described, and what is known of them
    is kept."""
    outcome = yield
    report = outcome.get_result()
    machines = getattr(item, "machines", None)
    if report.failed and isinstance(machines, Machines):
        machines.has_failed = True
        report.sections += [("virtual machine", vm.describe()) for vm in machines.booted
                            if str(vm.folder) not in str(call.excinfo.value)]
