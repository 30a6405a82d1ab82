#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Looks at the sources with all the checkers (docs/checks.md): lint.py BUILD [PART…].

BUILD is a folder configured with -Dktest=true. The exit status is 1 if something is found, and 2
if a check could not be made.
"""
from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from findings import Finding, Waiver, judge, waivers
from tools import PARTS, ROOT, Job, Sources, Unusable, run, sources, unique


def timed(job: Job) -> Tuple[List[Finding], float]:
    start = time.monotonic()
    return run(job), time.monotonic() - start


def jobs_of(build: Path, parts: Sequence[str], files: Sources) -> Tuple[List[Job], Dict[str, str]]:
    """What is to be done, and why some parts can't be."""
    jobs: List[Job] = []
    unusable: Dict[str, str] = {}
    for part in parts:
        try:
            jobs += PARTS[part](build, files)
        except Unusable as error:
            unusable[part] = str(error)
    return jobs, unusable


def report(part: str, findings: Sequence[Finding], exceptions: Sequence[Waiver], jobs: int,
           seconds: float) -> bool:
    left, needed = judge(findings, exceptions, {part})
    left = unique(left)
    for finding in sorted(left, key=lambda each: (each.path, each.line)):
        print(finding)
    verdict = f"{len(left)} found" if left else "clean"
    print(f"lint {part:9} {verdict:9} {needed:3} exceptions {jobs:4} jobs {seconds:6.1f} s")
    return not left


def lint(build: Path, parts: Sequence[str]) -> int:
    files = sources()
    jobs, unusable = jobs_of(build, parts, files)
    exceptions = waivers(ROOT, files.c + files.python + files.shell)
    with ThreadPoolExecutor(os.cpu_count()) as crew:
        results = list(crew.map(timed, jobs))
    is_clean = True
    for part in parts:
        if part in unusable:
            print(f"lint {part:9} can't be made: {unusable[part]}")
            continue
        mine = [result for job, result in zip(jobs, results) if job.part == part]
        found = [finding for findings, _seconds in mine for finding in findings]
        is_clean &= report(part, found, exceptions, len(mine), sum(each[1] for each in mine))
    return 2 if unusable else 0 if is_clean else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("build", type=Path, metavar="BUILD")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    asked = parser.parse_args()
    unknown = [part for part in asked.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}: {', '.join(PARTS)}")
    return lint(asked.build.resolve(), asked.parts or list(PARTS))


if __name__ == "__main__":
    sys.exit(main())
