# SPDX-License-Identifier: MIT
"""What programs that run tests have said, and what it makes of a mutant: None, if no test has
noticed anything."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Optional

from .mutant import Fate, Result
from .trial import BEGUN, Reader, Said

FAILED = re.compile(r"#:ktest_end test=(\S+) verdict=(?:fail|error) .*reason=(\S*)")
TOTALS = re.compile(r"#:ktest_totals tests=(\d+) pass=(\d+) skip=(\d+) fail=0 error=0 ")
CHECK = re.compile(r"^\s*# (\S+:\d+: .*)$", re.MULTILINE)
PANIC = re.compile(r"#:ktest_panic message=(\S*)")
PYTEST_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - (.*))?$", re.MULTILINE)


def read_host_run(said: Said) -> Optional[Result]:
    """Of the tests as a program of the host: it has to say that all passed, in the stream and by
    its status."""
    failed = FAILED.search(said.output)
    begun = BEGUN.findall(said.output)
    if failed:
        return Result(Fate.KILLED, failed[1], _why(said.output) or _words(failed[2]))
    if said.status < 0 or "ERROR: AddressSanitizer" in said.output or \
            "runtime error:" in said.output:
        found = re.search(r"ERROR: (AddressSanitizer: \S+)|runtime error: (.*)", said.output)
        message = (found[1] or found[2]) if found else f"it ended by signal {-said.status}"
        return Result(Fate.KILLED if begun else Fate.DEAD, begun[-1] if begun else "", message)
    totals = TOTALS.search(said.output)
    if said.status != 0 or totals is None or int(totals[1]) != int(totals[2]) + int(totals[3]):
        return Result(Fate.DEAD, begun[-1] if begun else "", f"the tests ended with status "
                      f"{said.status}, and did not say that all passed")
    return None


def _why(output: str) -> str:
    match = CHECK.search(output) or PANIC.search(output)
    return _words(match[1]) if match else ""


def _words(value: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), value)


def reader_of(report: Path) -> Reader:
    """Of a run of the kernel: a test that failed has noticed the mutant; where all that is known is
    that nothing is, the boot is dead."""
    def read(said: Said) -> Optional[Result]:
        try:
            data = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Result(Fate.DEAD, "", said.output.strip()[-200:] or f"status {said.status}")
        finally:
            report.unlink(missing_ok=True)
        for verdict in ("fail", "error"):
            for test in data["tests"]:
                if test["verdict"] == verdict:
                    is_blamed = verdict == "fail" or said.status == 1
                    return Result(Fate.KILLED if is_blamed else Fate.DEAD,
                                  test["name"] if is_blamed else "", test["sentence"])
        if said.status != 0:
            return Result(Fate.DEAD, "", said.output.strip()[-200:] or f"status {said.status}")
        return None
    return read


def read_pytest(said: Said) -> Optional[Result]:
    match = PYTEST_FAILED.search(said.output)
    if match:
        return Result(Fate.KILLED, match[1].partition("/tests/")[2] or match[1], match[2] or "")
    if said.status != 0:
        return Result(Fate.DEAD, "", f"pytest ended with status {said.status}: "
                      + said.output.strip()[-200:])
    return None
