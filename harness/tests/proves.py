# SPDX-License-Identifier: MIT
"""Says which points of docs/checklist.md a host test proves.

The decorator does nothing when it runs: whoever makes the checklist reads it in the source.
"""
from __future__ import annotations

from typing import Callable, TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


def proves(*ids: str) -> Callable[[Function], Function]:
    assert ids

    def keep(function: Function) -> Function:
        return function

    return keep
