# SPDX-License-Identifier: MIT
"""A build with a sanitizer leaves nothing out but the sanitizers themselves."""
from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Dict, Set

import pytest

from conftest import output

# What a sanitizer's checks call.
PREFIXES = {"kasan": "__asan_", "ubsan": "__ubsan_handle_"}

# Assembly code in C's clothes, on registers alone (clang): nothing that a compiler would check.
NOTHING_TO_CHECK = {"arch_x86_64_cpu.c.o", "arch_x86_64_paging.c.o", "drivers_ps2_port.c.o",
                    "drivers_uart_port.c.o", ".._ktest_context.c.o"}


def references(archive: Path) -> Dict[str, Set[str]]:
    """The undefined symbols of each object."""
    found: Dict[str, Set[str]] = defaultdict(set)
    for line in output("nm", "--print-file-name", archive):
        place, _colon, symbol = line.rpartition(":")
        words = symbol.split()
        found[Path(place.rpartition(":")[2]).name].update(words[1:] if words[0] == "U" else ())
    return found


def is_checked(symbols: Set[str], sanitizer: str) -> bool:
    return any(name.startswith(PREFIXES[sanitizer]) for name in symbols)


@pytest.fixture(name="sanitizers", scope="session")
def build_sanitizers(build: Path) -> Set[str]:
    options = json.loads("\n".join(output("meson", "introspect", "--buildoptions", build)))
    chosen = {option["name"] for option in options
              if option["name"] in PREFIXES and option["value"] is True}
    assert chosen, f"{build} has no sanitizer"
    return chosen


def test_objects_are_checked(build: Path, sanitizers: Set[str]) -> None:
    objects = {name: symbols for name, symbols in references(build / "kernel/libkernel.a").items()
               if name.endswith(".c.o")}
    assert len(objects) > 50
    for sanitizer in sanitizers:
        unchecked = {name for name in objects if not is_checked(objects[name], sanitizer)}
        if sanitizer == "kasan":
            assert unchecked <= NOTHING_TO_CHECK
        else:  # some have nothing that could overflow
            assert len(unchecked) < len(objects) / 4, sorted(unchecked)


def test_sanitizers_do_not_check_themselves(build: Path, sanitizers: Set[str]) -> None:
    objects = references(build / "kernel/libkernel-sanitizers.a")
    for sanitizer in sanitizers:
        assert "panic_at" in objects[f"debug_{sanitizer}.c.o"]
    for name, symbols in objects.items():
        assert not any(is_checked(symbols, sanitizer) for sanitizer in PREFIXES), name
