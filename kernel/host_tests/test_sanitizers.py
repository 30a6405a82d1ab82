# SPDX-License-Identifier: MIT
"""A build with the address sanitizer leaves nothing out but the sanitizer itself."""
from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Dict, Set

from conftest import output

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


def is_checked(symbols: Set[str]) -> bool:
    return any(name.startswith("__asan_") for name in symbols)


def test_every_object_is_checked(build: Path) -> None:
    objects = {name: symbols for name, symbols in references(build / "kernel/libkernel.a").items()
               if name.endswith(".c.o")}
    assert len(objects) > 50
    assert {name for name in objects if not is_checked(objects[name])} <= NOTHING_TO_CHECK


def test_sanitizer_does_not_check_itself(build: Path) -> None:
    symbols = references(build / "kernel/libkernel-kasan.a")["debug_kasan.c.o"]
    assert "panic_at" in symbols
    assert not is_checked(symbols)
