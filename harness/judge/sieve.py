# SPDX-License-Identifier: MIT
"""What a serial line or a log holds before the stream, and what lines of it may end in.

Firmware, loaders and glitches of a machine that is switched on come before a stream, and terminal
programs write logs with carriage returns. Neither can hide anything: whatever looks like a line of
the protocol begins the stream, so that a lost beginning is found by the parser, and so is a second
one; and the totals hold the number of lines and a checksum of all that the kernel wrote.
"""
from __future__ import annotations

import re
from typing import Tuple

# At the beginning of a line, or behind noise that is none of the protocol's characters, or that
# tells a terminal something (ECMA-48's control sequences), as firmware does.
BEGINNING = re.compile(rb"(?:[^ -~]|\x1b\[[0-9;=]*[a-zA-Z])"
                       rb"(?P<start>KTAP version 1(?=(?P<returns>\r?)\n)| *#:ktest_)")
LONGEST_BYTES = 64  # of what BEGINNING matches, and more


class Sieve:
    """Takes bytes in pieces of any size; gives noise, which comes first, and the stream."""

    def __init__(self) -> None:
        self._noise = b"\n"  # as much of its end as a beginning may be part of
        self._has_begun = False
        self._has_returns = False
        self._held = b""

    def sift(self, data: bytes) -> Tuple[bytes, bytes]:
        if self._has_begun:
            return b"", self._line_ends(data)
        context = len(self._noise)
        self._noise += data
        match = BEGINNING.search(self._noise)
        if match is None:
            self._noise = self._noise[-LONGEST_BYTES:]
            return data, b""
        self._has_begun, self._has_returns = True, match["returns"] == b"\r"
        start = match.start("start")
        return self._noise[context:start], self._line_ends(self._noise[start:])

    def _line_ends(self, data: bytes) -> bytes:
        if not self._has_returns:
            return data
        data, self._held = self._held + data, b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        return data.replace(b"\r\n", b"\n")
