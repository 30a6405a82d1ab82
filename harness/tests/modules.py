# SPDX-License-Identifier: MIT
"""What tests only can do without: without it they are skipped, but not in CI."""
from __future__ import annotations

import importlib
import os
import shutil
from typing import Any

import pytest


def require(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        if "FAULTLINE_ALL_COMPILERS" in os.environ:
            pytest.fail(f"Python has no module {name}: ./dev install ci")
        pytest.skip(f"Python has no module {name}: apt install python3-{name.partition('.')[0]}")


def need_clang() -> None:
    """Skips the test without it; in CI that is a failure."""
    if shutil.which("clang") is None:
        assert "FAULTLINE_ALL_COMPILERS" not in os.environ, "no clang"
        pytest.skip("no clang (./dev install ci)")
