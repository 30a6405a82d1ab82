# SPDX-License-Identifier: MIT
"""Trials side by side. One thread runs all of them, for a program that shall end with us does so
when the thread that started it ends."""
from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Generator, Generic, Iterator, List, Optional, Sequence, Tuple, TypeVar

from judge.program import die_with_parent

from .mutant import Result
from .trial import Said, Step, Trial

LOOK_SECONDS = 0.01
OUTPUT_BYTES = 64 << 20  # of any file that is written
READ_BYTES = 4 << 20
Task = TypeVar("Task")


class Running:
    """A program, as a group of processes that ends as a whole."""

    def __init__(self, step: Step, output: Path) -> None:
        self._step = step
        self._output = output
        self._start = time.monotonic()
        with open(output, "wb") as stream:
            self._process = subprocess.Popen(
                step.command, cwd=step.folder, env={**os.environ, **step.environment},
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=_limit(step, die_with_parent()))

    def look(self) -> Optional[Said]:
        """What it said, when it has ended."""
        seconds = time.monotonic() - self._start
        pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
        is_late = pid == 0 and seconds > self._step.seconds
        if is_late:
            self._kill()
            pid, status, used = os.wait4(self._process.pid, 0)
        if pid == 0:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what it has left behind
        with open(self._output, "rb") as stream:
            text = stream.read(READ_BYTES).decode(errors="backslashreplace")
        cpu_seconds = used.ru_utime + used.ru_stime
        is_late = is_late or -self._process.returncode == signal.SIGXCPU or \
            (self._process.returncode == -signal.SIGKILL and cpu_seconds >= self._step.cpu_seconds)
        return Said(self._process.returncode, text, seconds, cpu_seconds, is_late)

    def stop(self) -> None:
        self._kill()
        os.wait4(self._process.pid, 0)
        self._process.returncode = -signal.SIGKILL

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)


class Worker(Generic[Task]):
    """One trial after the other."""

    def __init__(self, task: Task, trial: Trial, output: Path) -> None:
        self.task = task
        self._trial = trial
        self._output = output
        self._start = time.monotonic()
        self._running: Optional[Running] = None
        self.result: Optional[Result] = None
        self._go_on(None)

    def look(self) -> None:
        said = self._running.look() if self._running else None
        if said is not None:
            self._running = None
            self._go_on(said)

    def stop(self) -> None:
        if self._running:
            self._running.stop()
        self._trial.close()

    def _go_on(self, said: Optional[Said]) -> None:
        try:
            step = next(self._trial) if said is None else self._trial.send(said)
            self._running = Running(step, self._output)
        except StopIteration as end:
            result: Result = end.value
            self.result = Result(result.fate, result.by, result.message,
                                 time.monotonic() - self._start)


def run_all(tasks: Iterator[Task], begin: Callable[[Task, int], Trial], outputs: Sequence[Path],
            deadline: float) -> Generator[Tuple[Task, Result], None, None]:
    """As they end: at each place one at a time, and with an output of its own. What runs at the
    deadline is stopped."""
    workers: List[Optional[Worker[Task]]] = [None] * len(outputs)
    try:
        while time.monotonic() < deadline:
            for place, worker in enumerate(workers):
                if worker is None:
                    task = next(tasks, None)
                    if task is not None:
                        workers[place] = Worker(task, begin(task, place), outputs[place])
            if not any(workers):
                return
            for place, worker in enumerate(workers):
                if worker is not None:
                    worker.look()
                    if worker.result is not None:
                        workers[place] = None
                        yield worker.task, worker.result
            time.sleep(LOOK_SECONDS)
    finally:
        for worker in workers:
            if worker is not None:
                worker.stop()


def _limit(step: Step, die: Callable[[], None]) -> Callable[[], None]:
    def prepare() -> None:
        die()
        resource.setrlimit(resource.RLIMIT_CPU, (step.cpu_seconds, step.cpu_seconds + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return prepare
