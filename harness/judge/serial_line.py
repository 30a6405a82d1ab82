# SPDX-License-Identifier: MIT
"""A machine behind a serial line: what comes in on a device, a pty, a FIFO or a Unix socket.

It has the channels of Qemu as far as a line has them: nobody tells how the machine ended, and
nothing can be done to it but to send it orders.
"""
from __future__ import annotations

import errno
import fcntl
import os
import selectors
import socket
import stat
import termios
import time
import tty
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence

from .evidence import Stop
from .model import Refusal, Test
from .protocol import Event, RunBegan, Totals
from .qemu import (CHUNK_BYTES, Answer, Channels, ConsoleData, Exited, Happening, ProtocolData,
                   Wish)
from .sieve import Sieve
from .watch import NMIS, Watch

LINGER_SECONDS = 0.5  # for what may come behind the totals
BAUDS = {int(name[1:]): getattr(termios, name) for name in dir(termios)
         if name[0] == "B" and name[1:].isdigit() and name != "B0"}


class LineWatch(Watch):
    """Knows that nobody helps this machine, and that whoever resets it may take his time."""

    def __init__(self, tests: Sequence[Test], timeout: float, stops_at_failure: bool, folder: Path,
                 patience: float) -> None:
        super().__init__(tests, timeout, stops_at_failure, folder)
        self._deadline += patience - timeout
        self._last_deadline += patience

    def _expire(self, qemu: Channels) -> None:
        if self._turn is not None:
            self._turn.nmis = NMIS  # there are none
        super()._expire(qemu)

    def _keep_time(self, event: Event, qemu: Channels) -> None:
        super()._keep_time(event, qemu)
        if isinstance(event, (RunBegan, Totals)):
            is_over = isinstance(event, Totals)
            self._deadline = time.monotonic() + (LINGER_SECONDS if is_over else self._timeout)

    def _step(self, qemu: Channels) -> None:
        super()._step(qemu)
        if self._exited is not None and self._stop is None:
            self._stop = Stop.CUT


class Port:
    """One thing to read from, made raw if it is a terminal, and given back as it was."""

    def __init__(self, path: str, baud: int) -> None:
        self._socket: Optional[socket.socket] = None
        self._old: Optional[List[Any]] = None
        self.takes_orders = True
        try:
            self.descriptor = self._open(path, baud)
        except OSError as error:
            raise Refusal(f"{path} cannot be used as a serial line: {_why(error)}.") from error
        except termios.error as error:
            raise Refusal(f"{path} does not take these settings: {error.args[-1]}.") from error

    def _open(self, path: str, baud: int) -> int:
        mode = os.stat(path).st_mode
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(path)
            self._socket.setblocking(False)
            return self._socket.fileno()
        if stat.S_ISREG(mode):
            raise Refusal(f"{path} is a file and no serial line: harness/run.py parse {path} "
                          "judges it.")
        if not stat.S_ISFIFO(mode) and not stat.S_ISCHR(mode):
            raise Refusal(f"{path} is no serial line: a terminal device, a FIFO or a Unix socket.")
        # Opened for both ways, a FIFO does not end with each of its writers.
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        if stat.S_ISFIFO(mode):
            self.takes_orders = False  # we would read them ourselves
        elif os.isatty(descriptor):
            self._settle(descriptor, baud)
        else:
            os.close(descriptor)
            raise Refusal(f"{path} is not a terminal device.")
        return descriptor

    def _settle(self, descriptor: int, baud: int) -> None:
        """Raw, 8N1, without flow control, for us alone, and without what came before."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
        self._old = termios.tcgetattr(descriptor)
        tty.setraw(descriptor)
        settings = termios.tcgetattr(descriptor)
        settings[2] &= ~(termios.CSTOPB | termios.CRTSCTS | termios.HUPCL | termios.PARENB)
        settings[2] |= termios.CREAD | termios.CLOCAL
        settings[4] = settings[5] = BAUDS[baud]
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)
        termios.tcflush(descriptor, termios.TCIFLUSH)

    def read(self) -> Optional[bytes]:
        """None when the other end is gone."""
        try:
            return os.read(self.descriptor, CHUNK_BYTES) or None
        except BlockingIOError:
            return b""
        except OSError:  # a device that was unplugged, a pty whose other end was closed
            return None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            return
        try:
            if self._old is not None:
                termios.tcsetattr(self.descriptor, termios.TCSANOW, self._old)
                fcntl.ioctl(self.descriptor, termios.TIOCNXCL)
        except (OSError, termios.error):  # it is gone
            pass
        os.close(self.descriptor)


def _why(error: OSError) -> str:
    if error.errno in (errno.EBUSY, errno.EWOULDBLOCK):
        return "somebody else uses it"
    if error.errno == errno.EACCES:
        return "permission denied (serial devices belong to the group dialout as a rule)"
    if error.errno == errno.ENOENT:
        return "there is no such device"
    return error.strerror or str(error)


class SerialLine:
    """The protocol on one port and, if there is one, the console on another."""

    is_connected = True  # there is no monitor that could be

    def __init__(self, protocol: str, console: str, baud: int) -> None:
        self._selector = selectors.EpollSelector()
        self._sieve = Sieve()
        self._ports: List[Port] = []
        try:
            self._protocol = self._open(protocol, baud, self._read_protocol)
            if console:
                self._console = self._open(console, baud, self._read_console)
        except BaseException:
            self.__exit__()
            raise

    def _open(self, path: str, baud: int, read: Callable[[], List[Happening]]) -> Port:
        port = Port(path, baud)
        self._ports.append(port)
        self._selector.register(port.descriptor, selectors.EVENT_READ, read)
        return port

    def __enter__(self) -> "SerialLine":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for port in self._ports:
            port.close()
        self._ports.clear()

    def wish(self, deadline: float) -> Wish:
        return Wish(self._selector.fileno(), deadline)

    def wait(self, seconds: float) -> List[Happening]:
        return [each for key, _ in self._selector.select(seconds) for each in key.data()]

    def _read_protocol(self) -> List[Happening]:
        data = self._protocol.read()
        if data is None:
            self._selector.unregister(self._protocol.descriptor)
            return [Exited(None, None)]
        noise, words = self._sieve.sift(data)
        return [*([ConsoleData(noise)] if noise else []), *([ProtocolData(words)] if words else [])]

    def _read_console(self) -> List[Happening]:
        data = self._console.read()
        if data is None:
            self._selector.unregister(self._console.descriptor)
        return [ConsoleData(data)] if data else []

    def order(self, text: str) -> bool:
        if not self._protocol.takes_orders:
            return False
        try:
            return os.write(self._protocol.descriptor, f"{text}\n".encode()) > 0
        except OSError:
            return False

    def request(self, execute: str, arguments: Mapping[str, object]) -> int:
        return 0

    def ask(self, execute: str, **arguments: object) -> Answer:
        return Answer(refusal="nobody can do that to a machine behind a serial line")

    def cpu_seconds(self) -> float:
        """A machine of its own has all the time that there is."""
        return time.monotonic()

    def kill(self) -> None:
        pass
