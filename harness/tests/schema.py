# SPDX-License-Identifier: MIT
"""docs/report.schema.json as a check of reports."""
from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

FILE = Path(__file__).resolve().parents[2] / "docs/report.schema.json"


@lru_cache(maxsize=None)
def load() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=None)
def validator() -> Optional[Any]:
    """None where the module is missing; test_schema.py tells of that."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        return None
    return Draft202012Validator(load())


def complaint(report: Any) -> str:
    """What is wrong with a report; "" if nothing is, or nobody can say."""
    checker = validator()
    if checker is None:
        return ""
    from jsonschema.exceptions import best_match
    error = best_match(checker.iter_errors(report))
    return f"{error.json_path}: {error.message}" if error else ""
