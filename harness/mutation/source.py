# SPDX-License-Identifier: MIT
"""The text of a file of C, as far as it can be known without a compiler: what is code, and where
brackets, macros and calls end."""
from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple, Tuple

# Comments, strings, characters: nothing in them is code.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
DEFINITION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:.*\\\n)*.*)$", re.MULTILINE)


class Span(NamedTuple):
    start: int
    end: int
    name: str = ""

    def holds(self, start: int, end: int) -> bool:
        return self.start <= start and end <= self.end


def code_only(text: str) -> str:
    """The same text with blanks in place of comments and of what stands in quotes."""
    return NO_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def definitions(code: str) -> List[Span]:
    return [Span(match.start(), match.end(), match[1]) for match in DEFINITION.finditer(code)]


def closing(code: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`, or -1."""
    depth = 0
    for match in re.compile(r"[()\[\]{}]").finditer(code, start):
        depth += 1 if match[0] in "([{" else -1
        if depth == 0:
            return match.end()
    return -1


def calls(code: str, name: str) -> Iterator[Span]:
    """Each NAME(…), with its brackets."""
    for match in re.compile(rf"\b(?:{name})[ \t]*(?=\()").finditer(code):
        end = closing(code, match.end())
        if end > 0:
            yield Span(match.start(), end, match[0].strip())


def statement_end(code: str, end: int) -> int:
    """Behind the semicolon that follows, or -1."""
    match = re.compile(r"\s*;").match(code, end)
    return match.end() if match else -1


def word_places(code: str, word: str) -> List[Tuple[int, int]]:
    return [(match.start(), match.end()) for match in re.finditer(rf"\b(?:{word})\b", code)]
