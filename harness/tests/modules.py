# SPDX-License-Identifier: MIT
"""Modules that tests only can do without: their tests are skipped, but not in CI."""
from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


def require(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        if "FAULTLINE_ALL_COMPILERS" in os.environ:
            pytest.fail(f"Python has no module {name}: ./dev install ci")
        pytest.skip(f"Python has no module {name}: apt install python3-{name.partition('.')[0]}")
