# SPDX-License-Identifier: MIT
"""docs/report.schema.json as a check of reports."""
from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import pytest

FILE = Path(__file__).resolve().parents[2] / "docs/report.schema.json"


@lru_cache(maxsize=None)
def load() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=None)
def validator() -> Optional[Any]:
    """None where the module is missing, which is a failure in CI."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        return None
    return Draft202012Validator(load())


def require() -> None:
    if validator() is not None:
        return
    if "FAULTLINE_ALL_COMPILERS" in os.environ:
        pytest.fail("python3-jsonschema is not installed: ./dev install ci")
    pytest.skip("without python3-jsonschema no report is held against the schema")


def complaint(report: Any) -> str:
    """What is wrong with a report; "" if nothing is, or nobody can say."""
    checker = validator()
    if checker is None:
        return ""
    from jsonschema.exceptions import best_match
    error = best_match(checker.iter_errors(report))
    return f"{error.json_path}: {error.message}" if error else ""
