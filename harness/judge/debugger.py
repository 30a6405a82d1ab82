# SPDX-License-Identifier: MIT
"""A boot under gdb, which has the user's terminal until it ends.

QEMU waits with its first instruction for gdb, on a Unix socket in the run's folder. No deadline
runs while gdb is in charge: the machine's own time stops whenever gdb stops it. The judge goes on
listening: a kernel that comes to its end under gdb gets its verdicts as always.
"""
from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from .crew import Chain
from .elf import Image
from .evidence import Result
from .gdb_script import COMMANDS, SOCKET, Culprit, culprit_of, script_of_entry, script_of_failure
from .machine import Machine
from .model import Cause, Interrupted, Refusal, Test, Verdict
from .protocol import Event, TestBegan
from .program import die_with_parent
from .qemu import Channels, MonitorMessage, Qemu, Wish
from .runner import Boot, Runner, Settings, give_up, plan
from .sweep import last_run
from .terminal import complain
from .watch import Watch

GDB = "gdb"
FOR_EVER_SECONDS = 1e6  # as good as that, and still a time that select() takes
GOODBYE_SECONDS = 5.0
EXIT_SECONDS = 2.0
KILLED_BY_GDB = "GDBstub"  # in what QEMU says then


def require_gdb() -> None:
    if shutil.which(GDB) is None:
        raise Refusal("There is no gdb: apt install gdb.")


class Gdb:
    """gdb as a process in the foreground. Until it ends, Ctrl-C is none of our business."""

    def __init__(self, kernel: Path, folder: Path) -> None:
        # A handler, for what is ignored would be so in gdb, too.
        self._interrupt = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            self._process = subprocess.Popen([GDB, "-q", "-x", str(folder / COMMANDS), str(kernel)],
                                             preexec_fn=die_with_parent(signal.SIGTERM))
            self.descriptor = os.pidfd_open(self._process.pid)
        except OSError as error:
            signal.signal(signal.SIGINT, self._interrupt)
            raise Refusal(f"gdb did not start: {error}.") from error

    def __enter__(self) -> "Gdb":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.has_ended:
            self._process.terminate()
            try:
                self._process.wait(GOODBYE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self.descriptor)
        signal.signal(signal.SIGINT, self._interrupt)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> None:
        self._process.wait()


class DebugWatch(Watch):
    """Has all the time in the world, unless the test that is debugged hangs for good: where not
    even an NMI ends it, somebody has to stop it for gdb."""

    starts_the_machine = False  # gdb does
    stops_hangs = False
    _stop_at: Optional[float] = None

    @property
    def _next_deadline(self) -> float:
        return self._stop_at or time.monotonic() + FOR_EVER_SECONDS

    def _expire(self, qemu: Channels) -> None:
        self._stop_at = None
        qemu.ask("stop")

    def _keep_time(self, event: Event, qemu: Channels) -> None:
        super()._keep_time(event, qemu)
        if isinstance(event, TestBegan) and self.stops_hangs and self._turn is not None:
            self._stop_at = time.monotonic() + self._turn.limit

    def _take_message(self, happening: MonitorMessage, qemu: Channels) -> None:
        if happening.message.get("event") != "STOP":  # which gdb does all the time
            super()._take_message(happening, qemu)


Script = Callable[[Path], str]  # of the run's folder


class DebugRunner(Runner):
    """Has one boot and no other: what it leaves undone is not run."""

    def __init__(self, image: Image, machine: Machine, settings: Settings, script: Script,
                 culprit: Optional[Culprit] = None) -> None:
        super().__init__(image, machine, settings)
        self._script = script
        self._culprit = culprit

    def _chain(self, boot: Boot) -> Chain:
        judgement = yield from self._boot(boot)
        left_out = give_up(judgement.unfinished, Cause.NOT_RUN,
                           "not run: under gdb there is one boot only")
        yield replace(judgement, results=judgement.results + left_out, unfinished=())

    def _more_arguments(self, folder: Path) -> List[str]:
        (folder / COMMANDS).write_text(self._script(folder))
        path = str(folder / SOCKET).replace(",", ",,")
        stays = ["-no-shutdown"] if self._culprit is not None and self._culprit.is_death else []
        return ["-chardev", f"socket,id={SOCKET},path={path},server=on,wait=off",
                "-gdb", f"chardev:{SOCKET}", *stays]

    def _watch(self, boot: Boot, folder: Path, is_encore: bool) -> Watch:
        watch = DebugWatch(boot.tests, self._settings.timeout, False, folder)
        watch.stops_hangs = self._culprit is not None and self._culprit.is_silent
        return watch

    def _follow(self, watch: Watch, qemu: Qemu) -> Iterator[Wish]:
        steps = watch.follow(qemu)
        for wish in steps:
            if watch.greeted_version is not None:  # it listens to gdb as well
                break
            yield wish
        else:
            return
        with Gdb(self._image.path, qemu.folder) as gdb, selectors.EpollSelector() as both:
            both.register(wish.descriptor, selectors.EVENT_READ)
            both.register(gdb.descriptor, selectors.EVENT_READ)
            for wish in steps:
                if gdb.has_ended:
                    break
                yield Wish(both.fileno(), wish.deadline)
            gdb.wait()
        yield from self._await_exit(steps, qemu)

    def _await_exit(self, steps: Iterator[Wish], qemu: Qemu) -> Iterator[Wish]:
        """QEMU closes gdb's socket a moment before it ends: gdb may be the first."""
        deadline = time.monotonic() + EXIT_SECONDS
        for wish in steps:
            if time.monotonic() >= deadline or not qemu.ask("query-status").refusal:
                self._leave()
            yield Wish(wish.descriptor, min(wish.deadline, deadline))
        if KILLED_BY_GDB in qemu.log():
            self._leave()

    def _leave(self) -> None:
        if self._culprit is None:
            complain("the run was left in gdb.")
        raise Interrupted


# --- What the options ask for ---------------------------------------------------------------------


def runner_at_entry(image: Image, machine: Machine, tests: Tuple[Test, ...], settings: Settings
                    ) -> DebugRunner:
    """Of --gdb. The kernel's own watchdog has no reason to hurry either."""
    require_gdb()
    boots = plan(tests, machine, settings.isolates_all)
    if len(boots) > 1:
        raise Refusal(f"gdb follows one boot, and these tests need {len(boots)}: choose fewer with "
                      "--test.", status=2)
    return DebugRunner(image, machine, replace(settings, timeout=FOR_EVER_SECONDS),
                       lambda folder: script_of_entry(image, boots[0].machine, tests, folder))


def debug_failure(image: Image, machine: Machine, settings: Settings, result: Result) -> None:
    """Of --gdb-on-failure: the test that failed once more, alone, up to where it fails."""
    name = result.test.full_name
    if result.is_trouble:
        complain(f"gdb has nothing to show: it is not {name} that went wrong, but the boot.")
        return
    culprit = culprit_of(result)
    run = last_run(result.record) if result.record else None
    settings = settings if run is None else replace(settings, fail_nth=run.nth)
    runner = DebugRunner(image, machine, settings,
                         lambda folder: script_of_failure(image, machine, result.test, culprit,
                                                          folder), culprit)
    complain(f"{name} runs once more, alone, under gdb.")
    again: List[Result] = []
    try:
        seed = result.scene.seed if result.scene else None
        for results in runner.run((result.test,), seed):
            again += results
    except Interrupted:
        return
    finally:
        told = [each.scene.folder for each in again if each.scene]
        for folder in filter(None, (*runner.folders, *told)):
            shutil.rmtree(folder, ignore_errors=True)
    if all(each.verdict <= Verdict.SKIP for each in again):
        complain(f"{name} passes when it runs alone: what runs before it matters. --bisect-order "
                 "finds out which test.")
