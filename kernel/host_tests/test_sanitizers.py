# SPDX-License-Identifier: MIT
"""A build with a sanitizer leaves nothing out but the sanitizers themselves."""
from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Dict, Set

import pytest

from conftest import ROOT, output

# What a sanitizer's checks call.
PREFIXES = {"kasan": "__asan_", "ubsan": "__ubsan_handle_", "kcsan": "__tsan_"}

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
    # Each object's constructor calls __tsan_init, whether it has anything to check or not.
    return any(name.startswith(PREFIXES[sanitizer]) for name in symbols - {"__tsan_init"})


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
        else:  # some have nothing that could overflow, or local variables alone
            assert len(unchecked) < len(objects) / 4, sorted(unchecked)


def test_sanitizers_do_not_check_themselves(build: Path, sanitizers: Set[str]) -> None:
    objects = references(build / "kernel/libkernel-sanitizers.a")
    for sanitizer in sanitizers:
        assert "panic_at" in objects[f"debug_{sanitizer}.c.o"]
    for name, symbols in objects.items():
        assert not any(is_checked(symbols, sanitizer) for sanitizer in PREFIXES), name


def test_two_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    run = subprocess.run(["meson", "setup", tmp_path, ROOT, "--cross-file",
                          ROOT / "cross/x86_64-elf.ini", "-Dkasan=true", "-Dkcsan=true"],
                         capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "-Dkasan=true and -Dkcsan=true: a compiler does one of them at a time" in run.stdout
