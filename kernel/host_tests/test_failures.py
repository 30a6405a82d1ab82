# SPDX-License-Identifier: MIT
"""docs/failures.md shows what comes out, not what came out once."""
from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from conftest import ROOT, kernel_compiler

sys.path.insert(0, str(ROOT / "docs"))
import make_cards  # noqa: E402  (the path is known only now)

HEADLINE = re.compile(r"(?:FAIL|ERROR) .*?(?=, by|, at|$)", re.MULTILINE)


def is_default(build: Path) -> bool:
    """Another compiler, or -O0, has other frames and other inlined calls."""
    options = json.loads((build / "meson-info/intro-buildoptions.json").read_text())
    optimization = next(each["value"] for each in options if each["name"] == "optimization")
    return optimization == "2" and "gcc" in kernel_compiler(build)[0]


def test_page_has_the_cards_of_today(build: Path) -> None:
    old = make_cards.settled(make_cards.PAGE.read_text(encoding="utf-8"))
    new = make_cards.settled(make_cards.new_page(build.resolve()))
    assert len(HEADLINE.findall(new)) == 13
    assert HEADLINE.findall(new) == HEADLINE.findall(old), "docs/make_cards.py makes it anew"
    if is_default(build):
        assert new.splitlines() == old.splitlines(), "docs/make_cards.py makes it anew"
