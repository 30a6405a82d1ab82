# SPDX-License-Identifier: MIT
"""Other programs, whatever they are: they end with us, and say no more than we read."""
from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import subprocess
import time
from typing import Callable, List

PR_SET_PDEATHSIG = 1


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """What a child does before it becomes another program, so that it does not outlive us."""
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, by)
        if os.getppid() != parent:  # it died before it could be asked for its death
            os._exit(1)
    return prepare


def first_words(command: List[str], seconds: float, most_bytes: int, end: bytes = b"\n") -> bytes:
    """What the program says first, up to the end of a line, or other words; it ends when the time
    is up. Its children end with it."""
    deadline = time.monotonic() + seconds
    said = b""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, start_new_session=True,
                          preexec_fn=die_with_parent()) as process:
        assert process.stdout is not None
        try:
            while end not in said and len(said) < most_bytes:
                left = max(0.0, deadline - time.monotonic())
                ready, _, _ = select.select([process.stdout], [], [], left)
                new = os.read(process.stdout.fileno(), most_bytes) if ready else b""
                if not new:
                    break
                said += new
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return said


def why_not_run(path: str, error: OSError) -> str:
    """What there is to say of a file that the system would not run."""
    if error.errno == errno.ENOENT:
        return f"{path} can't be run: it is a script, and its interpreter does not exist."
    if error.errno == errno.ENOEXEC:
        return f"{path} can't be run: it is no program, or one for another kind of computer."
    return f"{path} can't be run: {error.strerror}."
