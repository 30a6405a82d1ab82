#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves the parsers of boot information with Frama-C's WP: run_proofs.py KERNEL

For any bytes of any size, any addresses and any number of regions: no function below reads or
writes outside of what it may, none has undefined behaviour that Frama-C knows (overflow, shifts,
divisions, pointers), no assertion fails, and every loop ends. There is no bound but that of the
types. Assumed is what contracts.acsl says: that the reader tells the truth, that the loader's
memory is not where the result goes, and that the string functions do what lib/string.h promises.

Exit status 0: every goal of every function below is proved, and the bugs of known_bugs.c are
found; 77: a tool is missing; 1: anything else.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Set, Tuple

TOOLS = ("frama-c", "why3", "z3", "cvc4", "gcc")
PROVED: Dict[str, Tuple[str, ...]] = {
    "boot_info": ("boot_info_reserve", "boot_info_add_region", "boot_info_set_acpi_pointer",
                  "boot_info_copy_string", "boot_info_usable_end", "boot_info_read",
                  "phys_range_checked", "phys_range_size_bytes", "phys_range_is_empty"),
    "multiboot2": ("parse_memory_map", "parse_module", "parse_framebuffer", "parse_tag",
                   "parse_tags", "multiboot2_parse"),
    "pvh": ("parse_command_line", "parse_memory_map", "parse_modules", "parse_acpi_pointer",
            "parse_parts", "pvh_parse"),
    "memory_map": ("strength", "whole_pages", "stretch_at", "append", "memory_map_make"),
}
# Each function of known_bugs.c, and the goal that must stay open.
KNOWN_BUGS: Dict[str, str] = {
    "reads_one_byte_too_many": "call_proof_bytes_requires_readable",
    "writes_more_than_there_is_room_for": "call_proof_bytes_requires_whole",
    "stays_at_a_size_of_zero": "loop_variant_decrease",
    "overflows": "assert_rte_signed_overflow",
    "asserts_what_may_fail": "call_panic_at_requires_never",
    "is_never_called": "wp_smoke_default_requires",
}
GOAL_SECONDS = 60  # far more than any goal takes: a slow machine must not fail a proof
BUG_SECONDS = 2  # of a goal that has no proof
UNIT_SECONDS = 900


class NotProved(Exception):
    """In words, why the proof does not hold."""


def preprocess(arguments: List[str]) -> int:
    """Frama-C's preprocessor: gcc, and what Frama-C cannot read of C23 is put into older words."""
    source, target, *options = arguments
    status = subprocess.run(
        ["gcc", "-E", "-C", "-w", "-std=gnu2x", "-fno-builtin", "-D_Static_assert(...)=struct tag",
         "-D__builtin_ctzll=proof_ctzll",
         *options, source, "-o", target], check=False).returncode
    text = Path(target).read_text(encoding="utf-8")
    text = re.sub(r"\[\[[^\]]*\]\]", "", text)
    Path(target).write_text(re.sub(r"(= |\))\{\}", r"\1{0}", text), encoding="utf-8")
    return status


def wp(kernel: Path, folder: Path, unit: str, functions: Tuple[str, ...], goal_seconds: int) -> str:
    """All that Frama-C says of these functions."""
    this = Path(__file__).resolve()
    done = subprocess.run(
        ["frama-c", "-machdep", "gcc_x86_64", "-c11", "-no-unicode", "-no-frama-c-stdlib",
         "-cpp-command", f"'{sys.executable}' '{this}' --preprocess %i %o %args",
         f"-cpp-extra-args=-I{kernel}", "-pp-annot",
         "-kernel-warn-key", "annot:missing-spec=abort,annot-error=abort",
         str(kernel / "proof" / f"{unit}.c"), "-wp", "-wp-rte", "-wp-model", "Typed+Cast",
         "-wp-prover", "cvc4", "-wp-timeout", str(goal_seconds), "-wp-par", "2",
         "-wp-cache", "none", "-wp-smoke-tests", "-wp-smoke-timeout", "1",
         "-wp-no-smoke-dead-code", "-wp-no-smoke-dead-call", "-wp-fct", ",".join(functions)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=UNIT_SECONDS, env={**os.environ, "WHY3CONFIG": str(folder / "why3.conf")})
    if done.returncode != 0:
        raise NotProved(f"{unit}: Frama-C gave up (status {done.returncode}):\n{done.stdout}")
    return done.stdout


def open_goals(functions: Tuple[str, ...], output: str) -> Tuple[Set[str], int]:
    """Goals that are not proved, and how many are; what Frama-C says has to agree with itself."""
    missing = set(functions) - set(re.findall(r"annotating function (\w+)", output))
    total = re.search(r"Proved goals: +(\d+) / (\d+)", output)
    if missing or total is None or int(total[2]) == 0:
        raise NotProved(f"nothing was to be proved of {sorted(missing) or functions}:\n{output}")
    failed = set(re.findall(r"(?:\[Failed\] Smoke-test|\] Goal) (\w+)(?! : Valid)\b", output))
    if len(failed) != int(total[2]) - int(total[1]):
        raise NotProved(f"Frama-C's goals and its sum of them differ:\n{output}")
    return failed, int(total[1])


def prove(kernel: Path, folder: Path, unit: str) -> None:
    output = wp(kernel, folder, unit, PROVED[unit], GOAL_SECONDS)
    failed, proved = open_goals(PROVED[unit], output)
    if failed:
        raise NotProved(f"{unit}: not proved: {', '.join(sorted(failed))}\n{output}")
    print(f"{unit}: {proved} goals proved, of {len(PROVED[unit])} functions")


def refuse_known_bugs(kernel: Path, folder: Path) -> None:
    output = wp(kernel, folder, "known_bugs", tuple(KNOWN_BUGS), BUG_SECONDS)
    failed, _ = open_goals(tuple(KNOWN_BUGS), output)
    for function, goal in KNOWN_BUGS.items():
        if not any(name.endswith(f"_{function}_{goal}") for name in failed):
            raise NotProved(f"the bug in {function} (known_bugs.c) was not found:\n{output}")
    print(f"known_bugs: all {len(KNOWN_BUGS)} found")


def prove_alignment(kernel: Path) -> None:
    done = subprocess.run(["z3", str(kernel / "proof" / "align.smt2")], stdout=subprocess.PIPE,
                          text=True, check=False, timeout=UNIT_SECONDS)
    if done.stdout.strip() != "unsat":
        raise NotProved(f"align.smt2: z3 says {done.stdout.strip()!r}, not unsat")
    print("align: proved")


def missing_tools() -> str:
    return ", ".join(tool for tool in TOOLS if shutil.which(tool) is None)


def main() -> int:
    if sys.argv[1] == "--preprocess":
        return preprocess(sys.argv[2:])
    missing = missing_tools()
    if missing:
        print(f"the proofs need what is not installed: {missing} (./dev install proof)")
        return 1 if "FAULTLINE_ALL_COMPILERS" in os.environ else 77
    kernel = Path(sys.argv[1]).resolve()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run(["why3", "config", "detect", "-C", str(folder / "why3.conf")],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            prove_alignment(kernel)
            for unit in PROVED:
                prove(kernel, folder, unit)
            refuse_known_bugs(kernel, folder)
    except (NotProved, subprocess.SubprocessError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
