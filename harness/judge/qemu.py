# SPDX-License-Identifier: MIT
"""QEMU as a context manager, and the one loop over its channels.

pexpect owns the process and its terminal. QMP is a socket, each serial port a pair of pipes; they
are there before QEMU is, so that no byte is lost. A pidfd tells of the end. Nothing here sleeps or
polls, and nothing outlives the harness: QEMU asks to be killed when the thread that made it ends.

Why pipes: QEMU writes each byte by itself, and 278 such writes fill a socket, for each is charged
with a buffer of its own; a terminal takes 4,096 bytes. On a busy machine the guest then waits
longer than it may and drops bytes; with both cores taken, 27 of 40 runs lost some. A pipe takes a
million, so that the guest never waits, and its time does not depend on who reads.
"""
from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import selectors
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import (Any, Callable, Iterator, List, Mapping, NamedTuple, Optional, Protocol,
                    Sequence, Union)

import pexpect

from .machine import CONSOLE, MONITOR, PROTOCOL, QEMU_LOG, TRIPLE_FAULT
from .model import Refusal
from .program import die_with_parent, why_not_run
from .sieve import Sieve

CHUNK_BYTES = 1 << 16
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on
ANSWER_SECONDS = 1.0
MESSAGE_BYTES = 1 << 20  # the longest that a QMP message may be
MONITOR_BYTES = 4 << 20  # all that the monitor may say in one boot
FILE_BYTES = 1 << 28  # the longest that a file of QEMU's may become, above all its logs
DRAIN_ROUNDS = 256  # more than all channels can hold
TAIL_BYTES = 1 << 14
MEMORIES = "FAULTLINE_MEMORIES"  # a folder: each machine's memory is a file there, and stays
FOLDER_BYTES = 80  # of the 107 that a socket's whole path may have


@dataclass(frozen=True)
class ConsoleData:
    data: bytes


@dataclass(frozen=True)
class ProtocolData:
    data: bytes


@dataclass(frozen=True)
class MonitorMessage:
    message: Mapping[str, Any]


@dataclass(frozen=True)
class MonitorBroken:
    """It says what no QEMU says, or more than any; nothing of it is read from here on."""

    is_flood: bool


@dataclass(frozen=True)
class Exited:
    status: Optional[int]  # one of the two is None
    signal: Optional[int]


@dataclass(frozen=True)
class Answer:
    """To a QMP command: what it returns, or why it was refused."""

    value: Any = None
    refusal: str = ""


@dataclass(frozen=True)
class Wish:
    """Until when to wait, and for what to become readable."""

    descriptor: int
    deadline: float  # by the monotonic clock


Happening = Union[ConsoleData, ProtocolData, MonitorMessage, MonitorBroken, Exited]


# What ends the harness by an exception, wherever it is.
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """For where an exception in the middle would leave a process or a folder that nobody knows, or
    a process that is waited for twice. An interruption comes behind it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)


class Pipes(NamedTuple):
    """Of a serial port; -1 as long as there is none."""

    from_guest: int
    to_guest: int


NO_PIPES = Pipes(-1, -1)


class Channels(Protocol):
    """What is known of a machine while it runs, and what can be done to it."""

    @property
    def is_connected(self) -> bool: ...
    def wish(self, deadline: float) -> Wish: ...
    def wait(self, seconds: float) -> List[Happening]: ...
    def order(self, text: str) -> bool: ...
    def request(self, execute: str, arguments: Mapping[str, object]) -> int: ...
    def ask(self, execute: str, **arguments: object) -> Answer: ...
    def cpu_seconds(self) -> float: ...
    def kill(self) -> None: ...


def kept_memory(command: Sequence[str], folder: Path) -> List[str]:
    """Words that make the machine's memory a file, for who counts what runs in it: coverage.py."""
    place = os.environ.get(MEMORIES)
    size = command[command.index("-m") + 1] if "-m" in command else ""
    if not place or not size.endswith("M"):  # a larger file than QEMU may make
        return []
    path = str(Path(place) / folder.name).replace(",", ",,")
    return ["-object", f"memory-backend-file,id=ram,size={size},share=on,mem-path={path}",
            "-machine", "memory-backend=ram"]


class QemuError(Refusal):
    """QEMU could not be started; carries the command and the end of its log."""

    def __init__(self, sentence: str, command: Sequence[str], log: str) -> None:
        super().__init__(sentence, log)
        self.command = tuple(command)


class Qemu:
    """`folder` is private to this run: channels and QEMU's own words (stderr.log) go there."""

    def __init__(self, command: Sequence[str], folder: Path, sieve: Optional[Sieve] = None
                 ) -> None:
        self.command = (*command, *kept_memory(command, folder))
        self._sieve = sieve  # for a firmware that speaks on all ports
        self.folder = folder
        self.answer_seconds = ANSWER_SECONDS
        self._selector = selectors.EpollSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._monitor: Optional[socket.socket] = None
        self._monitor_partial = b""
        self._monitor_bytes = 0
        self._console = self._protocol = NO_PIPES
        self._pidfd = -1
        self._child: Any = None  # pexpect has no types
        self._requests = 0
        self._held: List[Happening] = []  # what came while ask() waited for its answer

    def __enter__(self) -> "Qemu":
        try:
            self._open_channels()
            self._spawn()
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def is_connected(self) -> bool:
        """Whether the process has found its monitor."""
        return self._monitor is not None

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._selector.close()
        self._listener.close()
        if self._monitor is not None:
            self._monitor.close()
        for each in (*self._console, *self._protocol, self._pidfd):
            if each >= 0:
                os.close(each)

    # --- Starting ---------------------------------------------------------------------------------

    def _open_channels(self) -> None:
        self._listener.bind(str(self.folder / MONITOR))
        self._listener.listen(1)
        self._watch(self._listener, self._accept_monitor)
        self._open_ports()

    def _open_ports(self) -> None:
        self._console = self._open_pipes(CONSOLE)
        self._protocol = self._open_pipes(PROTOCOL)
        self._watch(self._console.from_guest, self._read_console)
        self._watch(self._protocol.from_guest, self._read_protocol)

    def _open_pipes(self, port: str) -> Pipes:
        pipes = Pipes(*(self._open_pipe(f"{port}.{way}") for way in ("out", "in")))
        with contextlib.suppress(OSError):  # a user may have only so many
            fcntl.fcntl(pipes.from_guest, F_SETPIPE_SZ, PIPE_BYTES)
        return pipes

    def _open_pipe(self, name: str) -> int:
        """Opened for both ways, a pipe neither waits for its other end nor tells of its end."""
        os.mkfifo(self.folder / name, 0o600)
        return os.open(self.folder / name, os.O_RDWR | os.O_NONBLOCK)

    def _spawn(self) -> None:
        tie = die_with_parent()
        errors = str(self.folder / "stderr.log")

        def prepare() -> None:
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
            tie()
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            limit = FILE_BYTES if most == resource.RLIM_INFINITY else min(FILE_BYTES, most)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)

        try:
            with undisturbed():
                self._child = pexpect.spawn(self.command[0], list(self.command[1:]), timeout=None,
                                            maxread=CHUNK_BYTES, echo=False, preexec_fn=prepare)
        except (pexpect.ExceptionPexpect, OSError) as error:
            why = (why_not_run(self.command[0], error) if isinstance(error, OSError)
                   else f"QEMU did not start: {error}.")
            raise QemuError(why, self.command, self.log()) from error
        self._child.delaybeforesend = None
        self._child.delayafterclose = self._child.ptyproc.delayafterclose = 0
        self._child.delayafterterminate = self._child.ptyproc.delayafterterminate = 0
        self._pidfd = os.pidfd_open(self._child.pid)
        self._watch(self._child.child_fd, self._read_terminal)
        self._watch(self._pidfd, self._read_exit)

    def _watch(self, source: Any, read: Callable[[], List[Happening]]) -> None:
        self._selector.register(source, selectors.EVENT_READ, read)

    def _accept_monitor(self) -> List[Happening]:
        self._monitor, _ = self._listener.accept()
        self._monitor.setblocking(False)
        self._selector.unregister(self._listener)
        self._watch(self._monitor, self._read_monitor)
        # QEMU sends events from here on; the bytes wait for it in the socket.
        self.request("qmp_capabilities", {})
        return []

    # --- Reading ----------------------------------------------------------------------------------

    def wish(self, deadline: float) -> Wish:
        """What to wait for: then wait() has something at once, or the time is up."""
        return Wish(self._selector.fileno(), 0.0 if self._held else deadline)

    def wait(self, seconds: float) -> List[Happening]:
        """What happened since the last call; an empty list when the time is up."""
        if self._held:
            held, self._held = self._held, []
            return held
        return self._wait(seconds)

    def _wait(self, seconds: float) -> List[Happening]:
        deadline = time.monotonic() + seconds
        while True:
            keys = [key for key, _ in self._selector.select(
                max(0.0, deadline - time.monotonic()))]
            keys.sort(key=lambda key: key.fd == self._pidfd)  # the end comes last
            happenings = [each for key in keys for each in key.data()]
            if happenings or not keys:
                return happenings

    def _read_console(self) -> List[Happening]:
        return [ConsoleData(os.read(self._console.from_guest, CHUNK_BYTES))]

    def _read_terminal(self) -> List[Happening]:
        """What QEMU itself prints stands among what the kernel does."""
        try:
            return [ConsoleData(self._child.read_nonblocking(CHUNK_BYTES, 0))]
        except pexpect.TIMEOUT:
            return []
        except pexpect.EOF:
            self._selector.unregister(self._child.child_fd)
            return []

    def _read_protocol(self) -> List[Happening]:
        data = os.read(self._protocol.from_guest, CHUNK_BYTES)
        if self._sieve is None:
            return [ProtocolData(data)]
        noise, words = self._sieve.sift(data)
        return [*([ConsoleData(noise)] if noise else []), *([ProtocolData(words)] if words else [])]

    def _read_monitor(self) -> List[Happening]:
        assert self._monitor is not None
        try:
            data = self._monitor.recv(CHUNK_BYTES)
        except ConnectionError:
            data = b""
        self._monitor_bytes += len(data)
        *lines, self._monitor_partial = (self._monitor_partial + data).split(b"\n")
        messages = [_message(line) for line in lines]
        is_flood = (self._monitor_bytes > MONITOR_BYTES
                    or len(self._monitor_partial) > MESSAGE_BYTES)
        is_broken = is_flood or None in messages
        if is_broken or not data:
            self._selector.unregister(self._monitor)
        known: List[Happening] = [MonitorMessage(message) for message in messages if message]
        return [*known, MonitorBroken(is_flood)] if is_broken else known

    def _read_exit(self) -> List[Happening]:
        """A dead process sends nothing more, but what it sent may still wait to be read. So may
        what children of its own send: they end with it."""
        self._selector.unregister(self._pidfd)
        self._kill_group()
        rest: List[Happening] = []
        for _ in range(DRAIN_ROUNDS):
            ready = [key for key, _ in self._selector.select(0)]
            if not ready:
                break
            for key in ready:
                rest += key.data()
        with undisturbed():
            self._child.wait()
        return [*rest, Exited(self._child.exitstatus, self._child.signalstatus)]

    def log(self) -> str:
        """What QEMU itself had to say."""
        return read_tail(self.folder / "stderr.log")

    # --- Speaking ---------------------------------------------------------------------------------

    def order(self, text: str) -> bool:
        """A line to the kernel on COM2; whether there was room for it."""
        try:
            return os.write(self._protocol.to_guest, f"{text}\n".encode()) > 0
        except BlockingIOError:
            return False

    def send(self, data: bytes) -> int:
        """To the kernel on COM1; how many of the bytes there was room for."""
        try:
            return os.write(self._console.to_guest, data)
        except BlockingIOError:
            return 0

    def request(self, execute: str, arguments: Mapping[str, object]) -> int:
        """Sends a QMP command and returns its id, or 0 if nobody listens."""
        if self._monitor is None:
            return 0
        self._requests += 1
        message = {"execute": execute, "id": self._requests, "arguments": arguments}
        try:
            self._monitor.send(json.dumps(message).encode() + b"\n")
        except OSError:
            return 0
        return self._requests

    def ask(self, execute: str, **arguments: object) -> Answer:
        """The answer to a QMP command (with _ for -). What else happens is kept for wait()."""
        number = self.request(execute, {key.replace("_", "-"): value
                                        for key, value in arguments.items()})
        if not number:
            return Answer(refusal="nobody listens")
        deadline = time.monotonic() + self.answer_seconds
        held, self._held = self._held, []
        answer: Optional[Answer] = None
        while answer is None and time.monotonic() < deadline:
            happenings = self._wait(deadline - time.monotonic())
            for each in happenings:
                if isinstance(each, MonitorMessage) and each.message.get("id") == number:
                    answer = _answer(each.message)
                else:
                    held.append(each)
            if any(isinstance(each, Exited) for each in happenings):
                break
        self._held = held
        return answer or Answer(refusal="no answer")

    def cpu_seconds(self) -> float:
        """What the process has used of the host's CPUs, all of its threads together."""
        try:
            stat = Path(f"/proc/{self._child.pid}/stat").read_text(encoding="ascii",
                                                                   errors="replace")
            user, system = stat.rpartition(")")[2].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError):
            return 0.0

    def kill(self) -> None:
        """Ends the whole process group and collects the process."""
        if self._child is None:
            return
        with undisturbed():
            if not self._child.terminated:
                self._kill_group()
                self._child.wait()
            self._child.close()

    def _kill_group(self) -> None:
        """While its first process has not been waited for, nobody else can have the number."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)


def private_folder(known: List[str]) -> Path:
    """For one run: no other one has its channels and logs there. Is one of the known ones from its
    first moment on: an interruption leaves none that nobody names."""
    parent = tempfile.gettempdir()
    try:
        with undisturbed():
            known.append(tempfile.mkdtemp(prefix="faultline-",
                                          dir=parent if len(parent) <= FOLDER_BYTES else "/tmp"))
            return Path(known[-1])
    except OSError as error:
        raise Refusal(f"There can be no folder for a boot in {parent}: {error.strerror}. Name "
                      "another place with TMPDIR.") from error


def read_tail(path: Path) -> str:
    """The end of a log, which may be huge, or missing."""
    try:
        with open(path, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES))
            return log.read(TAIL_BYTES).decode("utf-8", "backslashreplace")
    except OSError:
        return ""


def has_triple_fault(folder: Path) -> bool:
    """Whether that is in the log of what ran there."""
    return TRIPLE_FAULT.search(read_tail(folder / QEMU_LOG)) is not None


def _message(line: bytes) -> Optional[Mapping[str, Any]]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _answer(message: Mapping[str, Any]) -> Answer:
    if "error" in message:
        error = message["error"]
        words = error.get("desc") if isinstance(error, dict) else error
        return Answer(refusal=str(words or "for no reason given"))
    return Answer(message.get("return"))
