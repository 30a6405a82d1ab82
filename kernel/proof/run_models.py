#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the model of waker, inbox and sleep with Spin: run_models.py MODEL [-v]

Every order in which the steps of wake.pml can follow each other is tried. In none of them an
assertion fails: no task is in two queues or touched after its release, each is released once, and
none is left behind when nothing can happen any more. Nobody is stuck who may not be. And whatever
happens, all tasks end, if nobody is passed over for ever. Each statement is reached, so that none
of this holds for want of cases.

Then each wrong variant is tried, and has to fail the assertion that it is known to break; -v shows
the steps to it.

Exit status 0: all of this is so; 77: a tool is missing; 1: anything else.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Sequence

TOOLS = ("spin", "gcc")
LOST = r"\(ended\[0\]&&ended\[1\]\)"
QUEUES = r"\((places|releases|references)\[.*\)"  # a task in two queues, or one that is gone
# Each wrong variant, and the assertions that it may break first, as Spin writes them.
WRONG: Dict[str, str] = {
    "NO_SECOND_LOOK": LOST,
    "NEWS_BEHIND_WAKE": LOST,
    "QUEUED_WHILE_POLLED": LOST,
    "WAKE_IN_TWO_STEPS": QUEUES,
    "PUSH_IN_TWO_STEPS": LOST,
    "END_FORGETS_MARK": QUEUES,
    "END_PUTS_ALWAYS": QUEUES,
    "LOOK_WITH_INTERRUPTS_ON": LOST,
    "HALT_LATER": LOST,
}
# What the program that tries all orders is built with. Reduction and `provided` don't go together.
ALWAYS = ("-O1", "-w", "-DNOREDUCE", "-DMEMLIM=1000")
ASSERTIONS = ("-DSAFETY", "-DNOCLAIM")
DEPTH_MAX = "1000000"
SECONDS = 60


class Refuted(Exception):
    """In words, what does not hold."""


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        raise Refuted(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def search(model: Path, folder: Path, defines: Sequence[str], built_with: Sequence[str],
           options: Sequence[str]) -> str:
    """All that Spin says of the model in this variant."""
    run(folder, "spin", *defines, "-a", str(model))
    run(folder, "gcc", *ALWAYS, *built_with, "-o", "pan", "pan.c")
    return run(folder, "./pan", f"-m{DEPTH_MAX}", *options)


def require_no_errors(output: str) -> None:
    if "errors: 0\n" not in output or "not completed" in output or "depth too small" in output:
        raise Refuted(f"the model does not hold:\n{output}")


def unreached(output: str) -> List[str]:
    """Statements of processes; none ever ends."""
    of_processes = output.partition("unreached in claim")[0]
    return re.findall(r"state \d+, \"((?!-end-).*)\"", of_processes)


def check_model(model: Path, folder: Path) -> None:
    output = search(model, folder, (), ASSERTIONS, ())
    require_no_errors(output)
    if unreached(output):
        raise Refuted(f"never reached: {unreached(output)}\n{output}")
    states = re.search(r"(\d+) states, stored", output)
    print(f"{model.name}: no assertion fails in {states[1] if states else '?'} states")
    require_no_errors(search(model, folder, (), (), ("-a", "-f")))
    print(f"{model.name}: all tasks end")


def trail(model: Path, folder: Path, variant: str) -> str:
    """The run to the failure that was found last, a step a line."""
    output = run(folder, "spin", f"-D{variant}", "-p", "-t", "-k", f"{model.name}.trail",
                 str(model))
    steps = re.findall(r"^ *\d+:\tproc.*\]$", output, re.MULTILINE)
    if "assertion violated" not in output or not steps:
        raise Refuted(f"{variant}: no trail\n{output}")
    return "\n".join(step.replace(str(model), model.name) for step in steps)


def refute_variant(model: Path, folder: Path, variant: str) -> None:
    output = search(model, folder, (f"-D{variant}",), ASSERTIONS, ())
    failed = re.search(r"assertion violated (.*) \(at depth (\d+)", output)
    if failed is None or not re.fullmatch(WRONG[variant], failed[1]):
        raise Refuted(f"{variant} does not fail {WRONG[variant]}:\n{output}")
    steps = trail(model, folder, variant)
    if "-v" in sys.argv:
        print(steps)
    print(f"{variant}: {failed[1]} fails after {failed[2]} steps")


def refute_end(model: Path, folder: Path) -> None:
    """The claim that all tasks end can fail too."""
    output = search(model, folder, ("-DNO_SECOND_LOOK",), (), ("-a", "-f", "-A"))
    if "acceptance cycle" not in output:
        raise Refuted(f"with NO_SECOND_LOOK all tasks end:\n{output}")


def missing_tools() -> str:
    return ", ".join(tool for tool in TOOLS if shutil.which(tool) is None)


def main() -> int:
    missing = missing_tools()
    if missing:
        print(f"the model needs what is not installed: {missing} (./dev install proof)")
        return 1 if "FAULTLINE_ALL_COMPILERS" in os.environ else 77
    model = Path(sys.argv[1]).resolve()
    try:
        with tempfile.TemporaryDirectory() as name:
            check_model(model, Path(name))
            for variant in WRONG:
                refute_variant(model, Path(name), variant)
            refute_end(model, Path(name))
    except (Refuted, subprocess.SubprocessError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
