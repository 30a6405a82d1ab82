# SPDX-License-Identifier: MIT
"""Plays QEMU: fake_qemu.py SCENARIO ARGUMENTS...

Takes QEMU's command line, connects to the harness as QEMU would, and says what an honest kernel
says, except for what the scenario bends. Unless it is the checksum itself that lies, the totals
fit the lie, so that each lie has to be found by the check that is meant for it.
It imports what it can't do without, and the rest where it is needed: there are many lies, and each
starts a process. A scenario's name may end in @start, @middle or @end: where in the stream it
strikes.
"""
from __future__ import annotations

import marshal
import os
import sys
import time
from _socket import AF_UNIX, socket  # the C part: the rest costs as much as to start Python

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tests import stream  # noqa: E402  (the path is known only now)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional
    Lie = Callable[["Play"], None]
LIES: Dict[str, Lie] = {}
SIGKILL, SIGSEGV = 9, 11
VERSION = (7, 2)

# Of QEMU 7.2, without the registers that follow each.
TRAPS = """\
check_exception old: 0xffffffff new 0xe
     0: v=0e e=0002 i=0 cpl=0 IP=0008:%016x pc=ffffffff8012fb20 SP=0010:ffffffff80199fc8 \
CR2=ffffffffc0000000
check_exception old: 0xe new 0xb
     1: v=08 e=0000 i=0 cpl=0 IP=0008:%016x pc=ffffffff8012fb20 SP=0010:ffffffff80199fc8 \
env->regs[R_EAX]=00000000000d0dce
check_exception old: 0x8 new 0xb
"""


def lie(function: Lie) -> Lie:
    LIES[function.__name__] = function
    return function


class NotHere(Exception):
    """What the lie is about is not among the selected tests."""


class Play:
    """One life of the fake: what it says on each channel, and how it ends."""

    def __init__(self, arguments: List[str], where: str) -> None:
        self.arguments = arguments
        self.where = where
        with open(self.value("-kernel", "-cdrom") + ".registry", "rb") as file:
            registry = marshal.load(file)
        self.words = words = dict(word.split("=", 1) for word in self._fw_cfg().split())
        self.tests = _planned(registry["tests"], words)
        self.seed = words.get("ktest.seed", "none")
        self.version = VERSION
        self.nonce = words["ktest.nonce"]
        self.build_id = str(registry["build_id"])
        self.registered = len(registry["tests"])
        self.console = b"Hello World!\r\n"
        self.totals: Dict[str, int] = {}
        self.status: Optional[int] = None  # None: the one that fits the totals
        self.signal = 0
        self.hangs = False
        self.screen: List[str] = []
        self.has_monitor = True
        self.has_kvm: Optional[bool] = None  # as it answers; None: it does not
        self.messages: List[Dict[str, Any]] = []
        self.has_triple_fault = False
        self.raw: Optional[bytes] = None  # instead of the lines and their totals
        self.lines: List[str] = []
        self.tell(self.tests)
        if any(test["outcome"] == "triple_fault" for test in self.tests):
            self.take_down(stream.armed_line())

    def tell(self, tests: List[Dict[str, Any]]) -> None:
        self.lines = stream.good_lines(tests, self.registered, self.nonce, self.build_id, self.seed)

    def take_down(self, *inside: str) -> None:
        """As the test declares that does, and has this boot for itself."""
        begin = self.find(f"begin test={self.test('triple_fault')['name']}")
        self.lines[begin + 1:] = inside
        self.cut_behind(len(self.lines) - 1)
        self.has_triple_fault = True
        self.die()

    def value(self, *options: str) -> str:
        for option, value in zip(self.arguments, self.arguments[1:]):
            if option in options:
                return value
        raise SystemExit(f"fake QEMU: no option {options}")

    def path(self, name: str) -> str:
        for value in self.arguments:
            if f",id={name},path=" in value:
                return value.split("path=", 1)[1].replace(",,", ",")
        raise SystemExit(f"fake QEMU: no channel {name}")

    def monitor(self) -> socket:
        connection = socket(AF_UNIX)
        connection.connect(self.path("qmp"))
        connection.sendall(b'{"QMP": {"version": {"qemu": {"major": %d, "minor": %d}}}}\r\n'
                           % self.version)
        return connection

    def say(self, data: bytes) -> None:
        """On COM2. Who has heard enough does not read on: then this waits to be killed."""
        with open(self.path("com2") + ".out", "wb") as pipe:
            pipe.write(data)

    def listen(self) -> bytes:
        with open(self.path("com2") + ".in", "rb") as pipe:
            return pipe.readline()

    def _fw_cfg(self) -> str:
        return self.value("-fw_cfg").split("string=", 1)[1].replace(",,", ",")

    def sealed(self) -> bytes:
        """Everything, with totals that fit it."""
        return stream.to_bytes(stream.sealed(self.lines, **self.totals))

    def place(self, count: int = 0) -> int:
        """Which of so many – the lines, if not said otherwise – @start, @middle or @end means."""
        count = count or len(self.lines)
        return {"start": 0, "middle": count // 2, "end": count - 1}[self.where or "middle"]

    def find(self, text: str, skip: int = 0) -> int:
        found = [index for index, line in enumerate(self.lines) if text in line]
        if not found:
            raise NotHere
        return found[skip]

    def test(self, outcome: str) -> Dict[str, Any]:
        for test in self.tests:
            if test["outcome"] == outcome:
                return test
        raise NotHere

    def swept(self) -> Dict[str, Any]:
        for test in self.tests:
            if test["fail_nth"]:
                return test
        raise NotHere

    def retell(self, test: Dict[str, Any], **changes: Any) -> None:
        """Tells one test in another way."""
        begin = self.find(f"#:ktest_begin test={test['name']}")
        end = next(index for index in range(begin, len(self.lines))
                   if f"ok {self._number(begin)} {test['test']}" in self.lines[index])
        number = self._number(begin)
        self.lines[begin:end + 1] = stream.test_lines(number, test, **changes)
        if changes.get("verdict", "pass") not in ("pass", "skip"):
            suite = self.find(f" {test['suite']}", -1)
            self.lines[suite] = self.lines[suite].replace("ok ", "not ok ", 1)

    def _number(self, begin: int) -> int:
        plan = max(index for index in range(begin) if self.lines[index].startswith("    1.."))
        return 1 + sum("#:ktest_begin" in line for line in self.lines[plan:begin])

    def cut_behind(self, index: int) -> None:
        """Nothing comes behind this line."""
        self.raw = stream.to_bytes(self.lines[:index + 1])

    def die(self, reason: str = "guest-reset") -> None:
        self.status = 0
        self.messages.append({"event": "SHUTDOWN", "data": {"guest": True, "reason": reason}})

    # --- The performance --------------------------------------------------------------------------

    def perform(self) -> None:
        monitor = self.monitor() if self.has_monitor else None
        if self.has_kvm is not None and monitor is not None:
            self._tell_of_kvm(monitor)
        with open(self.path("com1") + ".out", "wb") as pipe:
            pipe.write(self.console)
        self.say(self.told())
        self.write_log()
        if self.messages and monitor is not None:
            import json
            for message in self.messages:
                monitor.sendall(json.dumps(message).encode() + b"\r\n")
        if self.hangs:
            self._hang(monitor)
        if self.signal:
            os.kill(os.getpid(), self.signal)
        os._exit(self.exit_status())

    def told(self) -> bytes:
        return self.sealed() if self.raw is None else self.raw

    def write_log(self) -> None:
        if self.has_triple_fault:
            with open(self.value("-D"), "a", encoding="utf-8") as log:
                log.write(TRAPS % (2 * (self.tests[0]["rip"],))
                          if self.value("-d").endswith("int") else "")
                log.write("Triple fault\n")

    def exit_status(self) -> int:
        if self.status is not None:
            return self.status
        totals = stream.totals_line(self.lines)
        return 37 if " error=0 " not in totals else 35 if " fail=0 " not in totals else 33

    def _tell_of_kvm(self, monitor: socket) -> None:
        import json
        asked = b""
        while b"query-kvm" not in asked or not asked.endswith(b"\n"):
            asked += monitor.recv(65536)
        question = next(json.loads(line) for line in asked.splitlines() if b"query-kvm" in line)
        answer = {"id": question["id"], "return": {"enabled": self.has_kvm, "present": True}}
        monitor.sendall(json.dumps(answer).encode() + b"\r\n")

    def _show(self, path: str) -> None:
        text = "".join(f"{line:80}" for line in self.screen).ljust(80 * 25)
        with open(path, "wb") as file:
            file.write(b"".join(bytes([ord(each), 7]) for each in text))

    def _hang(self, monitor: Optional[socket]) -> None:
        """Answers its monitor, as a QEMU whose kernel is stuck would, and is not easily killed."""
        import json
        import signal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while monitor is not None:
            for line in monitor.recv(65536).splitlines():
                request = json.loads(line)
                answer: Any = {}
                if request["execute"] == "human-monitor-command":
                    answer = ("RAX=0 RBX=0\r\nRIP=%016x RFL=00000046 CPL=0 HLT=1\r\n"
                              % self.tests[0]["rip"])
                if request["execute"] == "screendump" and self.screen:
                    with open(request["arguments"]["filename"], "wb"):
                        pass
                if request["execute"] == "pmemsave" and self.screen:
                    self._show(request["arguments"]["filename"])
                if request["execute"] == "query-status":
                    answer = {"status": "internal-error", "running": False}
                reply = json.dumps({"return": answer, "id": request["id"]})
                monitor.sendall(reply.encode() + b"\r\n")
        time.sleep(60)


def _planned(tests: List[Dict[str, Any]], words: Dict[str, str]) -> List[Dict[str, Any]]:
    """The selected tests in their order, with what is known of this machine."""
    is_bench = "ktest.bench" in words
    tests = [test for test in _select(tests, words.get("ktest.select", "*"))
             if test["bench"] == is_bench]
    if "ktest.seed" in words:
        tests = stream.shuffled(tests, int(words["ktest.seed"]))
    if "ktest.fail_nth" in words:
        tests = [_swept(test, words["ktest.fail_nth"]) for test in tests]
    is_old = words.get("ktest.machine") == "tcg-7.2"
    return [{**test, "skip": "broken in 7.2"} if test["quirks"] and is_old else test
            for test in tests]


def _swept(test: Dict[str, Any], which: str) -> Dict[str, Any]:
    if test["outcome"] != "pass" or test["inject"] != "none":
        return test
    return {**test, "sweeps": True, "only": 0 if which == "all" else int(which)}


def _select(tests: List[Dict[str, Any]], globs: str) -> List[Dict[str, Any]]:
    if globs == "*":
        return tests
    names = globs.split(",")
    if "*" in globs:
        from fnmatch import filter as matching
        names = [name for glob in names for name in matching((t["name"] for t in tests), glob)
                 ] + names
    return [test for test in tests
            if test["name"] in names or test["name"].partition("/")[0] in names]


def main() -> None:
    if sys.argv[2:] == ["--version"]:
        sys.stdout.write("QEMU emulator version %d.%d.22 (fake)\n" % VERSION)
        return
    rehearse(sys.argv[1], sys.argv[2:]).perform()


def rehearse(scenario: str, arguments: List[str]) -> Play:
    name, _, where = scenario.partition("@")
    play = Play(arguments, where)
    try:
        LIES[name](play)
    except NotHere:  # in a boot of other tests, which then goes well
        play = Play(arguments, where)
    return play


@lie
def honest(play: Play) -> None:
    """All is as it should be."""


@lie
def no_qboot(play: Play) -> None:
    """A QEMU that comes without the fast firmware, and is otherwise fine."""
    if "qboot.rom" in play.arguments:
        sys.stderr.write("qemu: could not load PC BIOS 'qboot.rom'\n")
        os._exit(1)


# --- The code under test is wrong -----------------------------------------------------------------


CHECK = stream.CHECK


@lie
def a_check_fails(play: Play) -> None:
    play.retell(play.test("pass"), verdict="fail", reason="1 of 3 checks failed", inside=[CHECK])


@lie
def unexpected_fault(play: Play) -> None:
    play.retell(play.test("pass"), verdict="fail", reason="an exception",
                inside=stream.fault_lines(play.test("fault"), vector=13))


@lie
def unexpected_double_fault(play: Play) -> None:
    play.retell(play.test("pass"), verdict="fail", reason="an exception",
                inside=stream.fault_lines(play.test("fault")))


@lie
def unexpected_panic(play: Play) -> None:
    play.retell(play.test("pass"), verdict="fail", reason="a panic",
                inside=stream.panic_lines("assertion failed"))


@lie
def declared_fault_missing(play: Play) -> None:
    play.retell(play.test("fault"), verdict="fail", reason="it returned", inside=["    # nothing"])


@lie
def declared_panic_missing(play: Play) -> None:
    play.retell(play.test("panic"), verdict="fail", reason="it returned", inside=["    # nothing"])


@lie
def another_fault(play: Play) -> None:
    test = play.test("fault")
    play.retell(test, verdict="fail", reason="another fault",
                inside=stream.fault_lines(test, vector=14))


@lie
def another_panic(play: Play) -> None:
    play.retell(play.test("panic"), verdict="fail", reason="another panic",
                inside=stream.panic_lines("out of memory"))


@lie
def guest_error(play: Play) -> None:
    play.retell(play.test("pass"), verdict="error", reason="suite_init failed")


@lie
def fails_for_a_reason_of_its_own(play: Play) -> None:
    """No check, no trap: what it leaves behind, for one."""
    play.retell(play.test("pass"), verdict="fail", reason="interrupts are off",
                inside=["    # well"])


@lie
def triple_fault(play: Play) -> None:
    test = play.test("fault")
    play.cut_behind(play.find(f"begin test={test['name']}"))
    play.has_triple_fault = True
    play.die()


@lie
def triple_fault_once(play: Play) -> None:
    """Only as long as the test that makes it is among the selected ones."""
    if any(test["test"] == "stack_overflow" for test in play.tests):
        triple_fault(play)


@lie
def every_test_dies(play: Play) -> None:
    play.cut_behind(play.find("#:ktest_begin"))
    play.has_triple_fault = True
    play.die()


@lie
def reset(play: Play) -> None:
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    play.die()


@lie
def power_off(play: Play) -> None:
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    play.die("guest-shutdown")


@lie
def exit_in_test(play: Play) -> None:
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    play.status = 33


@lie
def panic_ends_the_machine(play: Play) -> None:
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    play.status = 39


@lie
def hang_in_test(play: Play) -> None:
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    play.hangs = True


@lie
def dies_or_hangs(play: Play) -> None:
    """The test that takes the machine down does so as it should, and leaves word of it; any other
    one hangs."""
    if play.has_triple_fault:
        with open(os.path.join(os.environ["TMPDIR"], "died"), "w"):
            pass
    else:
        play.cut_behind(play.find("#:ktest_begin"))
        play.hangs = True


@lie
def hang_after_fault(play: Play) -> None:
    play.cut_behind(play.find("#:ktest_fault"))
    play.hangs = True


# --- Allocations that have to fail ----------------------------------------------------------------


def retell_sweep(play: Play, *inside: str, verdict: str = "pass") -> None:
    play.retell(play.swept(), verdict=verdict, inside=inside or ["    # once"], reason="1 of 3")


@lie
def fails_without_memory(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 1), *stream.rerun_lines(test, 2), CHECK,
                 verdict="fail")


@lie
def fails_before_the_allocation(play: Play) -> None:
    retell_sweep(play, *stream.rerun_lines(play.swept(), 1, False), *stream.panic_lines("no"),
                 verdict="fail")


@lie
def triple_fault_without_memory(play: Play) -> None:
    play.cut_behind(play.find("denied nth=2"))
    play.has_triple_fault = True
    play.die()


@lie
def hang_without_memory(play: Play) -> None:
    play.cut_behind(play.find("rerun test=memory.runs_out nth=2"))
    play.hangs = True


@lie
def sweeps_nothing(play: Play) -> None:
    retell_sweep(play)


@lie
def sweeps_in_words_only(play: Play) -> None:
    retell_sweep(play, stream.swept_line(play.swept(), 0, 0))


@lie
def sweep_finds_no_allocation(play: Play) -> None:
    retell_sweep(play, *stream.sweep_lines(play.swept(), 0))


@lie
def sweep_ends_early(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 1), stream.swept_line(test, 1, 2))


@lie
def sweep_begins_late(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 2), *stream.rerun_lines(test, 3, False),
                 stream.swept_line(test, 2, 2))


@lie
def sweep_leaves_one_out(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 1), *stream.rerun_lines(test, 3))


@lie
def sweep_repeats_one(play: Play) -> None:
    retell_sweep(play, *2 * stream.rerun_lines(play.swept(), 1))


@lie
def sweep_has_a_run_of_no_number(play: Play) -> None:
    retell_sweep(play, *stream.rerun_lines(play.swept(), 0))


@lie
def sweep_of_another_test(play: Play) -> None:
    retell_sweep(play, "    #:ktest_rerun test=alpha.one nth=1")


@lie
def sweep_ends_another_test(play: Play) -> None:
    lines = stream.sweep_lines(play.swept())
    retell_sweep(play, *lines[:-1], lines[-1].replace("runs_out", "runs_in"))


@lie
def sweep_goes_on(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 1, False), *stream.rerun_lines(test, 2))


@lie
def sweep_begins_again(play: Play) -> None:
    retell_sweep(play, *2 * stream.sweep_lines(play.swept()))


@lie
def sweep_miscounts_its_runs(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.sweep_lines(test)[:-1], stream.swept_line(test, 4, 2))


@lie
def sweep_miscounts_allocations(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.sweep_lines(test)[:-1], stream.swept_line(test, 3, 3))


@lie
def sweep_goes_too_far(play: Play) -> None:
    retell_sweep(play, *stream.sweep_lines(play.swept(), 4))


@lie
def sweep_behind_the_result(play: Play) -> None:
    end = play.find("end test=memory.runs_out")
    play.lines[end + 1:end + 1] = stream.rerun_lines(play.swept(), 4)


@lie
def sweep_behind_the_test(play: Play) -> None:
    end = play.find(" runs_out")
    play.lines[end + 1:end + 1] = stream.rerun_lines(play.swept(), 4)


@lie
def denied_in_the_first_run(play: Play) -> None:
    retell_sweep(play, *stream.rerun_lines(play.swept(), 1)[1:])


@lie
def denied_twice(play: Play) -> None:
    lines = stream.rerun_lines(play.swept(), 1)
    retell_sweep(play, *lines, lines[1])


@lie
def denied_another(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 1)[:1], *stream.rerun_lines(test, 2)[1:])


@lie
def endless_sweep(play: Play) -> None:
    lines = [stream.rerun_lines(play.swept(), nth) for nth in range(1, 10_100)]
    retell_sweep(play, *(line for each in lines for line in each))


@lie
def sweeps_unasked(play: Play) -> None:
    test = play.test("pass")
    play.retell(test, inside=stream.sweep_lines(test, 1))


@lie
def sweeps_another(play: Play) -> None:
    test = play.swept()
    retell_sweep(play, *stream.rerun_lines(test, 2), stream.swept_line(test, 1, 2))


# --- The guest says pass, and its own words say otherwise -----------------------------------------


@lie
def pass_without_checks(play: Play) -> None:
    play.retell(play.test("pass"), checks=0)


@lie
def pass_with_failed_check(play: Play) -> None:
    play.retell(play.test("pass"), inside=[CHECK])


@lie
def pass_with_fault(play: Play) -> None:
    play.retell(play.test("pass"), inside=stream.trap_lines(play.test("fault")))


@lie
def skip_with_panic(play: Play) -> None:
    play.retell(play.test("pass"), verdict="skip", inside=stream.panic_lines("no"))


@lie
def pass_without_declared_fault(play: Play) -> None:
    play.retell(play.test("fault"), inside=["    # all is well"])


@lie
def pass_without_declared_panic(play: Play) -> None:
    play.retell(play.test("panic"), inside=["    # all is well"])


@lie
def pass_with_other_panic(play: Play) -> None:
    play.retell(play.test("panic"), inside=[stream.armed_line(),
                                            *stream.panic_lines("frame 0x1000 freed twice")])


@lie
def pass_with_panic_for_fault(play: Play) -> None:
    play.retell(play.test("fault"), inside=stream.panic_lines("stack overflow"))


def _bent_fault(play: Play, **changes: int) -> None:
    test = play.test("fault")
    play.retell(test, inside=[stream.armed_line(), *stream.fault_lines(test, **changes)])


@lie
def pass_with_wrong_vector(play: Play) -> None:
    _bent_fault(play, vector=13)


@lie
def pass_with_wrong_error(play: Play) -> None:
    _bent_fault(play, error=1 << 40)


@lie
def pass_with_address_below(play: Play) -> None:
    _bent_fault(play, cr2=play.test("fault")["fault"]["cr2"] - 1)


@lie
def pass_with_address_above(play: Play) -> None:
    _bent_fault(play, cr2=play.test("fault")["fault"]["cr2"] + 4096)


@lie
def pass_with_wrong_ist(play: Play) -> None:
    _bent_fault(play, ist=2)


@lie
def pass_without_ist(play: Play) -> None:
    _bent_fault(play, ist=0)


@lie
def pass_in_wrong_function(play: Play) -> None:
    _bent_fault(play, rip=play.test("fault")["caller"])


@lie
def pass_in_no_function(play: Play) -> None:
    _bent_fault(play, rip=0xDEAD0000)


@lie
def pass_with_two_faults(play: Play) -> None:
    test = play.test("fault")
    play.retell(test, inside=[*stream.trap_lines(test), *stream.fault_lines(test)])


@lie
def pass_with_panic_after_fault(play: Play) -> None:
    play.retell(play.test("fault"), inside=[*stream.trap_lines(play.test("fault")),
                                            *stream.panic_lines("and then")])


@lie
def pass_with_two_panics(play: Play) -> None:
    test = play.test("panic")
    play.retell(test, inside=[*stream.trap_lines(test), *stream.trap_lines(test)[1:]])


@lie
def pass_with_check_after_fault(play: Play) -> None:
    play.retell(play.test("fault"), inside=[*stream.trap_lines(play.test("fault")), CHECK])


@lie
def fail_though_as_declared(play: Play) -> None:
    play.retell(play.test("fault"), verdict="fail", inside=stream.trap_lines(play.test("fault")))


# --- QEMU -----------------------------------------------------------------------------------------


@lie
def refuses_to_start(play: Play) -> None:
    sys.stderr.write("qemu: -M nosuch: unsupported machine type\n")
    os._exit(1)


@lie
def exits_at_once(play: Play) -> None:
    play.monitor()
    os._exit({"start": 0, "middle": 33, "end": 35}[play.where or "start"])


@lie
def killed(play: Play) -> None:
    play.cut_behind(play.place())
    play.signal = SIGKILL


@lie
def killed_after_totals(play: Play) -> None:
    play.signal = SIGKILL


@lie
def terminated(play: Play) -> None:
    play.cut_behind(play.place())
    play.die("host-signal")


@lie
def vm_stopped(play: Play) -> None:
    play.cut_behind(play.place())
    play.messages.append({"event": "STOP"})
    play.hangs = True


@lie
def vm_stopped_in_test(play: Play) -> None:
    """Only that test: the others get another boot."""
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    play.messages.append({"event": "STOP"})
    play.hangs = True


@lie
def silence(play: Play) -> None:
    play.console, play.raw, play.hangs = b"", b"", True


@lie
def only_hello(play: Play) -> None:
    play.raw, play.hangs = b"", True


@lie
def only_firmware(play: Play) -> None:
    play.console, play.raw, play.hangs = b"SeaBIOS\r\nNo bootable device.\r\n", b"", True


@lie
def silence_without_monitor(play: Play) -> None:
    silence(play)
    play.has_monitor = False


@lie
def hang_before_first_test(play: Play) -> None:
    play.cut_behind(play.find("1.."))
    play.hangs = True


@lie
def hang_between_tests(play: Play) -> None:
    play.cut_behind(play.find("    ok 1"))
    play.hangs = True


@lie
def hang_before_totals(play: Play) -> None:
    play.cut_behind(len(play.lines) - 1)
    play.hangs = True


@lie
def totals_without_exit(play: Play) -> None:
    play.hangs = True


@lie
def triple_fault_at_boot(play: Play) -> None:
    play.console, play.raw, play.has_triple_fault = b"", b"", True
    play.die()


@lie
def triple_fault_between_tests(play: Play) -> None:
    play.cut_behind(play.find("    ok 1"))
    play.has_triple_fault = True
    play.die()


@lie
def triple_fault_after_totals(play: Play) -> None:
    play.has_triple_fault = True
    play.die()


@lie
def triple_fault_and_success(play: Play) -> None:
    play.has_triple_fault = True


@lie
def refuses_to_run(play: Play) -> None:
    play.raw, play.status = b"#:ktest_error reason=two%20tests%20of%20one%20name\n", 37


@lie
def refuses_without_a_word(play: Play) -> None:
    play.raw, play.status = b"", 37


@lie
def panics_before_tests(play: Play) -> None:
    play.cut_behind(play.find("1.."))
    play.status = 39


@lie
def panics_outside_of_tests(play: Play) -> None:
    index = play.find("    ok 1") + 1
    play.lines[index:index] = stream.panic_lines("in between")


@lie
def faults_outside_of_tests(play: Play) -> None:
    play.lines += stream.fault_lines(play.test("fault"))


@lie
def wrong_status(play: Play) -> None:
    play.status = {"start": 0, "middle": 1, "end": 35}[play.where or "start"]


@lie
def success_status_though_failed(play: Play) -> None:
    a_check_fails(play)
    play.status = 33


@lie
def success_on_console_only(play: Play) -> None:
    """A crash dump with everything that a naive reader looks for."""
    play.console += b"PANIC\r\n" + play.sealed().replace(b"\n", b"\r\n") + b"\r\nall tests passed"
    play.raw, play.status = b"", 33


# --- The stream as a whole ------------------------------------------------------------------------


@lie
def wrong_nonce(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(play.nonce, "none")


@lie
def wrong_build_id(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(play.build_id, play.build_id[::-1])


@lie
def wrong_registry(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(" tests=", " tests=1")


@lie
def wrong_selection(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(" selected=", " selected=1")


@lie
def wrong_protocol(play: Play) -> None:
    play.lines[1] = play.lines[1].replace("protocol=2", "protocol=1")


@lie
def no_tests(play: Play) -> None:
    play.tests = []
    play.tell([])


def _retold(play: Play, tests: List[Dict[str, Any]]) -> None:
    """Another set of tests, with plans and numbers that fit it."""
    play.tell(tests)
    play.lines[1] = play.lines[1].replace(f"selected={len(tests)}", f"selected={len(play.tests)}")


@lie
def missing_test(play: Play) -> None:
    tests = list(play.tests)
    del tests[play.place(len(play.tests))]
    _retold(play, tests)


@lie
def missing_suite(play: Play) -> None:
    _retold(play, [test for test in play.tests if test["suite"] != play.tests[0]["suite"]])


@lie
def extra_test(play: Play) -> None:
    _retold(play, [{**play.tests[0], "test": "aaa", "name": "alpha.aaa"}, *play.tests])


@lie
def other_test(play: Play) -> None:
    _retold(play, [*play.tests[:-1], {**play.tests[-1], "test": "zzz", "name": "panics.zzz"}])


@lie
def another_test_of_the_plan(play: Play) -> None:
    _, second, third, *others = play.tests
    _retold(play, [second, third, {**third, "test": "zzz", "name": "alpha.zzz"}, *others])


@lie
def duplicate_test(play: Play) -> None:
    _retold(play, [play.tests[0], play.tests[0], *play.tests[2:]])


@lie
def unsorted_tests(play: Play) -> None:
    _retold(play, [play.tests[1], play.tests[0], *play.tests[2:]])


@lie
def unsorted_suites(play: Play) -> None:
    _retold(play, play.tests[::-1][:1] + play.tests[:-1])


@lie
def doubled_begin(play: Play) -> None:
    index = play.find("#:ktest_begin")
    play.lines.insert(index, play.lines[index])


@lie
def end_without_begin(play: Play) -> None:
    del play.lines[play.find("#:ktest_begin")]


@lie
def end_of_another_test(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] = play.lines[index].replace(play.tests[0]["name"], play.tests[1]["name"])


@lie
def begin_of_another_suite(play: Play) -> None:
    index = play.find("#:ktest_begin")
    play.lines[index] = play.lines[index].replace("alpha.", "beta.")


@lie
def no_ktap_line(play: Play) -> None:
    del play.lines[play.find("    ok 1")]


@lie
def no_suite_line(play: Play) -> None:
    del play.lines[play.find("ok 1 alpha")]


@lie
def wrong_number(play: Play) -> None:
    index = play.find("    ok 1")
    play.lines[index] = play.lines[index].replace("ok 1", "ok 2")


@lie
def wrong_suite_number(play: Play) -> None:
    index = play.find("ok 1 alpha")
    play.lines[index] = play.lines[index].replace("ok 1", "ok 2")


@lie
def wrong_name_in_ktap_line(play: Play) -> None:
    index = play.find("    ok 1")
    play.lines[index] = play.lines[index].replace(play.tests[0]["test"], "other")


@lie
def plan_too_long(play: Play) -> None:
    play.lines[play.find("    1..")] = "    1..4"


@lie
def plan_too_short(play: Play) -> None:
    play.lines[play.find("    1..")] = "    1..2"


@lie
def suite_plan_too_long(play: Play) -> None:
    play.lines[2] = "1..4"


@lie
def suite_plan_too_short(play: Play) -> None:
    play.lines[2] = "1..2"


@lie
def second_plan(play: Play) -> None:
    play.lines.insert(play.find("    1.."), "    1..3")


@lie
def ok_line_says_fail(play: Play) -> None:
    index = play.find("    ok 1")
    play.lines[index] = play.lines[index].replace("ok 1", "not ok 1")


@lie
def ok_line_hides_fail(play: Play) -> None:
    a_check_fails(play)
    index = play.find("    not ok 1")
    play.lines[index] = play.lines[index].replace("not ok", "ok")


@lie
def ok_line_hides_skip(play: Play) -> None:
    index = play.find(" # SKIP")
    play.lines[index] = play.lines[index].partition(" # SKIP")[0]


@lie
def suite_line_hides_fail(play: Play) -> None:
    a_check_fails(play)
    play.lines[play.find("not ok 1 alpha")] = "ok 1 alpha"


@lie
def missing_totals(play: Play) -> None:
    play.cut_behind(len(play.lines) - 1)
    play.status = 33


@lie
def cut_in_line(play: Play) -> None:
    """The stream stops in the middle of a KTAP line; everything else goes on."""
    data = play.sealed()
    where = {"start": data.find(b"ktest_run"), "middle": data.find(b"ok 1 alpha") + 4,
             "end": len(data) - 1}[play.where or "middle"]
    play.raw, play.status = data[:where], 33


@lie
def cut_between_tests(play: Play) -> None:
    play.cut_behind(play.find("    ok 1"))
    play.status = 33


@lie
def wrong_totals(play: Play) -> None:
    play.totals = {"pass": len(play.tests), "skip": 0}


@lie
def totals_do_not_add_up(play: Play) -> None:
    play.totals = {"tests": 1}


@lie
def wrong_line_count(play: Play) -> None:
    play.totals = {"lines": len(play.lines) + 1}


@lie
def wrong_checksum(play: Play) -> None:
    play.totals = {"crc32": 0x12345678}


@lie
def stopped_by_itself(play: Play) -> None:
    play.totals = {"stopped": 1}


@lie
def claims_an_order(play: Play) -> None:
    """As if somebody had told it to stop behind the first test."""
    index = play.find("    ok 1")
    play.lines[index + 1:] = ["#:ktest_order text=stop known=yes"]
    play.totals = {"stopped": 1}


@lie
def line_behind_totals(play: Play) -> None:
    play.raw = play.sealed() + b"# one more thing\n"


@lie
def second_run(play: Play) -> None:
    play.raw = play.sealed() * 2


@lie
def second_banner(play: Play) -> None:
    """The kernel starts anew, and then everything is well."""
    play.raw = stream.to_bytes(play.lines[:play.place() + 1]) + play.sealed()


# --- The stream's bytes ---------------------------------------------------------------------------


@lie
def garbage(play: Play) -> None:
    play.lines.insert(play.place(), "Lorem ipsum dolor sit amet")


@lie
def okay_in_prose(play: Play) -> None:
    play.lines.insert(play.place(), "ok, this went well")


@lie
def control_characters(play: Play) -> None:
    play.lines.insert(play.place(), "# \x1b[2J\x1b[32mall passed")


@lie
def carriage_returns(play: Play) -> None:
    play.lines = [f"{line}\r" for line in play.lines]


@lie
def bad_utf8(play: Play) -> None:
    play.lines.insert(play.place(), "# \xff\xfe")


@lie
def interleaved(play: Play) -> None:
    index = {"start": 0, "middle": play.find("#:ktest_end"),
             "end": len(play.lines) - 2}[play.where or "middle"]
    first, second = play.lines[index:index + 2]
    play.lines[index:index + 2] = [first[:20] + second + first[20:]]


@lie
def swapped_lines(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index:index + 2] = play.lines[index:index + 2][::-1]


@lie
def dropped_line(play: Play) -> None:
    """A line that no grammar misses, lost on the wire."""
    play.lines.insert(play.place(), "# a comment")
    lines = stream.sealed(play.lines)
    lines.remove("# a comment")
    play.raw = stream.to_bytes(lines)


@lie
def altered_byte(play: Play) -> None:
    play.lines.insert(play.place(), "# a comment")
    play.raw = play.sealed().replace(b"# a comment", b"# a commenT")


@lie
def endless_line(play: Play) -> None:
    data = play.sealed()
    where = {"start": 0, "middle": data.find(b"    ok 1"), "end": len(data)}[play.where or "start"]
    play.raw = data[:where] + b"x" * (8 << 20)
    play.hangs = True


@lie
def endless_comments(play: Play) -> None:
    play.lines[play.place():] = ["# and so on and on" + "." * 900] * 9000
    play.hangs = True


@lie
def endless_checks(play: Play) -> None:
    play.retell(play.test("pass"), verdict="fail", inside=[CHECK] * 21)


@lie
def console_flood(play: Play) -> None:
    play.console = b"noise " * (1 << 20)
    play.raw, play.hangs = b"", True


@lie
def unknown_metadata(play: Play) -> None:
    play.lines.insert(play.place(), "#:ktest_surprise key=value")


@lie
def fault_without_registers(play: Play) -> None:
    del play.lines[play.find("#:ktest_registers")]


@lie
def stray_backtrace(play: Play) -> None:
    index = play.find("#:ktest_backtrace")
    play.lines.insert(play.find("#:ktest_begin") + 1, play.lines[index])


@lie
def leading_zeros(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] = play.lines[index].replace("checks=3", "checks=03")


@lie
def reordered_keys(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] = play.lines[index].replace("checks=3 cycles=1200", "cycles=1200 checks=3")


@lie
def bad_escape(play: Play) -> None:
    index = play.find("reason=for%20a%20reason")
    play.lines[index] = play.lines[index].replace("%20", "%2")


@lie
def fail_without_reason(play: Play) -> None:
    index = play.find("reason=for%20a%20reason")
    play.lines[index] = play.lines[index].replace("for%20a%20reason", "")


@lie
def echo(play: Play) -> None:
    """Fails, waits for the order to stop, and sends it back."""
    play.monitor()
    a_check_fails(play)
    play.say(stream.to_bytes(play.lines[:play.find("    not ok 1") + 1]))
    play.say(play.listen())
    time.sleep(60)


@lie
def obeys_stop(play: Play) -> None:
    """No lie: fails, is told to stop, and stops as the protocol has it."""
    _stop_when_told(play, is_admitted=1)


@lie
def stops_and_denies_it(play: Play) -> None:
    _stop_when_told(play, is_admitted=0)


def _stop_when_told(play: Play, is_admitted: int) -> None:
    play.monitor()
    a_check_fails(play)
    begin = play.lines[:play.find("    not ok 1") + 1]
    play.say(stream.to_bytes(begin))
    assert play.listen() == b"stop\n"
    lines = [*begin, "#:ktest_order text=stop known=yes"]
    whole = stream.to_bytes(stream.sealed(lines, stopped=is_admitted))
    play.say(whole[len(stream.to_bytes(begin)):])
    os._exit(35)


# --- Declared ends, orders, and what a test may lie about itself ----------------------------------


@lie
def unarmed_fault(play: Play) -> None:
    """No lie: the kernel itself says that the fault came too early."""
    test = play.test("fault")
    play.retell(test, verdict="fail", reason="not armed", inside=stream.fault_lines(test))


@lie
def pass_without_arming(play: Play) -> None:
    play.retell(play.test("fault"), inside=stream.fault_lines(play.test("fault")))


@lie
def pass_armed_too_late(play: Play) -> None:
    test = play.test("fault")
    play.retell(test, inside=[*stream.fault_lines(test), stream.armed_line()])


@lie
def pass_armed_twice(play: Play) -> None:
    test = play.test("fault")
    play.retell(test, inside=[stream.armed_line(), *stream.trap_lines(test)])


@lie
def undeclared_hang(play: Play) -> None:
    """No lie: its watchdog has ended the test."""
    play.retell(play.test("pass"), verdict="fail", reason="hang", inside=stream.hang_lines())


@lie
def hang_reported_twice(play: Play) -> None:
    test = play.test("hang")
    play.retell(test, inside=[*stream.trap_lines(test), *stream.hang_lines()])


@lie
def pass_without_declared_hang(play: Play) -> None:
    play.retell(play.test("hang"), inside=["    # in time"])


@lie
def only_resets(play: Play) -> None:
    play.test("triple_fault")
    play.has_triple_fault = False


@lie
def triple_fault_unarmed(play: Play) -> None:
    play.take_down("    # so soon")


@lie
def survives_its_triple_fault(play: Play) -> None:
    test = play.test("triple_fault")
    play.tell([test])
    play.retell(test, inside=[stream.armed_line()])
    play.raw, play.has_triple_fault, play.status, play.messages = None, False, None, []


def _known(play: Play) -> Dict[str, Any]:
    for test in play.tests:
        if test["known_bug"]:
            return test
    raise NotHere


@lie
def known_bug_gone(play: Play) -> None:
    """No lie, but news."""
    play.retell(_known(play), verdict="fail", reason="passes", inside=["    # well"])


@lie
def known_bug_claimed(play: Play) -> None:
    play.retell(_known(play), verdict="skip", inside=["    # well"])


@lie
def known_bug_passed(play: Play) -> None:
    play.retell(_known(play), verdict="pass", inside=["    # well"])


@lie
def known_bug_of_another(play: Play) -> None:
    play.retell(play.test("pass"), verdict="skip", reason="known bug: some", inside=[CHECK])


@lie
def skips_without_a_quirk(play: Play) -> None:
    play.retell(play.test("pass"), verdict="skip", reason="broken here")


@lie
def runs_in_spite_of_its_quirk(play: Play) -> None:
    test = next((test for test in play.tests if test["quirks"]), None)
    if test is None:
        raise NotHere
    play.retell(test, verdict="pass", inside=stream.trap_lines(test))


@lie
def another_version(play: Play) -> None:
    play.version = (8, 0)


@lie
def wrong_seed(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(f"seed={play.seed}", "seed=4")


@lie
def order_of_another_seed(play: Play) -> None:
    play.tell(stream.shuffled(play.tests, int(play.seed) + 1))


@lie
def param_missing(play: Play) -> None:
    del play.lines[play.find("#:ktest_param")]


@lie
def param_twice(play: Play) -> None:
    index = play.find("#:ktest_param")
    play.lines.insert(index, play.lines[index])


@lie
def param_of_none(play: Play) -> None:
    play.lines.insert(play.find("#:ktest_begin") + 1, "    #:ktest_param text=")


@lie
def bench_without_numbers(play: Play) -> None:
    del play.lines[play.find("#:ktest_bench")]


@lie
def bench_in_a_test(play: Play) -> None:
    play.retell(play.test("pass"), inside=[stream.bench_line()])


@lie
def bench_upside_down(play: Play) -> None:
    index = play.find("#:ktest_bench")
    play.lines[index] = play.lines[index].replace("min=12.250", "min=12.501")


@lie
def endless_notes(play: Play) -> None:
    play.retell(play.test("pass"), inside=["    #:ktest_note text=and"] * 21)


RESTART = "#:ktest_restart reason=a%20stack%20is%20lost"


def _restart(play: Play, index: int) -> None:
    play.lines[index:] = [RESTART]
    play.totals, play.status = {"stopped": 1}, 41


@lie
def restarts(play: Play) -> None:
    """No lie: another boot is needed behind the first test, and behind the last of its suite."""
    if len(play.tests) > 1:
        _restart(play, play.find("    ok 1") + 1)


@lie
def restart_with_another_status(play: Play) -> None:
    _restart(play, play.find("    ok 1") + 1)
    play.status = 33


@lie
def restart_without_a_line(play: Play) -> None:
    play.status = 41


@lie
def restart_and_more(play: Play) -> None:
    play.lines.insert(play.find("    ok 1") + 1, RESTART)


@lie
def restart_unadmitted(play: Play) -> None:
    _restart(play, play.find("    ok 1") + 1)
    play.totals = {}


@lie
def restart_before_any_test(play: Play) -> None:
    _restart(play, play.find("#:ktest_begin"))


@lie
def fails_behind(play: Play) -> None:
    """No lie: alpha.two does not bear what alpha.one leaves behind."""
    names = [test["name"] for test in play.tests]
    if "alpha.one" in names and "alpha.two" in names[names.index("alpha.one"):]:
        test = play.tests[names.index("alpha.two")]
        play.retell(test, verdict="fail", reason="1 of 3 checks failed", inside=[CHECK])


# --- What else may be wrong with QEMU -------------------------------------------------------------


@lie
def other_accelerator(play: Play) -> None:
    play.has_kvm = True


@lie
def same_accelerator(play: Play) -> None:
    """No lie."""
    play.has_kvm = False


@lie
def no_such_accelerator(play: Play) -> None:
    sys.stderr.write("Could not access KVM kernel module: No such file or directory\n"
                     "qemu: -accel kvm: failed to initialize kvm: No such file or directory\n")
    os._exit(1)


@lie
def no_such_kernel(play: Play) -> None:
    sys.stderr.write("qemu: Error loading uncompressed kernel without PVH ELF Note\n")
    os._exit(1)


@lie
def refuses_at_length(play: Play) -> None:
    sys.stderr.write("qemu: so much is wrong " * 10_000)
    os._exit(1)


@lie
def ancient(play: Play) -> None:
    play.version = (2, 11)


@lie
def well_but_no_monitor(play: Play) -> None:
    """All is well, except that no QEMU is without a monitor."""
    play.has_monitor = False


@lie
def does_nothing_well(play: Play) -> None:
    os._exit(0)


@lie
def goes_to_the_background(play: Play) -> None:
    """It has connected, ends, and a child in a session of its own goes on."""
    play.monitor()
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.2)


@lie
def crashes(play: Play) -> None:
    play.cut_behind(play.place())
    play.signal = SIGSEGV


def _strike(play: Play, strike: Callable[[Optional[socket]], None]) -> None:
    """Does this before, within or behind the stream, and then no more."""
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
    told = play.sealed()
    monitor = play.monitor() if play.has_monitor else None
    cut = {"start": 0, "middle": told.find(b"    ok 1"), "end": len(told)}[play.where or "middle"]
    play.say(told[:cut])
    strike(monitor)
    time.sleep(60)


@lie
def monitor_floods(play: Play) -> None:
    def strike(monitor: Optional[socket]) -> None:
        assert monitor is not None
        while True:
            monitor.sendall(b'{"event": "NOISE"}\r\n' * 1000)
    _strike(play, strike)


@lie
def monitor_never_ends_its_line(play: Play) -> None:
    def strike(monitor: Optional[socket]) -> None:
        assert monitor is not None
        while True:
            monitor.sendall(b'{"event": "' + b"x" * 50_000)
    _strike(play, strike)


@lie
def monitor_says_no_json(play: Play) -> None:
    _say_on_monitor(play, b"(qemu) info status\r\n")


@lie
def monitor_says_no_utf8(play: Play) -> None:
    _say_on_monitor(play, b'{"event": "\xff\xfe"}\r\n')


@lie
def monitor_says_a_list(play: Play) -> None:
    _say_on_monitor(play, b'[{"event": "STOP"}]\r\n')


@lie
def monitor_nests(play: Play) -> None:
    """More deeply than Python's parser goes."""
    _say_on_monitor(play, b"[" * 100_000 + b"]" * 100_000 + b"\r\n")


def _say_on_monitor(play: Play, words: bytes) -> None:
    def strike(monitor: Optional[socket]) -> None:
        assert monitor is not None
        monitor.sendall(words)
    _strike(play, strike)


@lie
def monitor_has_other_types(play: Play) -> None:
    """No harm: nothing of it is what it should be, and all else is well."""
    play.messages += [
        {"event": ["STOP"]}, {"event": {"SHUTDOWN": 1}}, {"event": "NOISE", "data": 7},
        {"QMP": []}, {"QMP": {"version": {"qemu": {"major": "7", "minor": None}}}},
        {"return": 5, "id": ["x"]}, {"error": "words", "id": 99}, {"id": None}]


@lie
def monitor_is_deaf(play: Play) -> None:
    """Hangs in a test, and answers nothing."""
    play.cut_behind(play.find(f"begin test={play.test('panic')['name']}"))
    monitor = play.monitor()
    play.say(play.told())
    while monitor.recv(65536):
        monitor.sendall(b'{"return": {}, "id": 4711}\r\n')
    time.sleep(60)


@lie
def monitor_closes(play: Play) -> None:
    """No harm, in a run that goes well: nothing needs it."""
    play.monitor().close()
    play.has_monitor = False


@lie
def stops_again_and_again(play: Play) -> None:
    play.raw = b""
    play.messages += [{"event": "STOP"}, {"event": "RESUME"}] * 1000
    play.hangs = True


@lie
def reset_and_success(play: Play) -> None:
    """It tells of a reset, and leaves as if nothing had been."""
    play.die()
    play.status = None


@lie
def told_to_quit_and_success(play: Play) -> None:
    play.die("host-qmp-quit")
    play.status = None


@lie
def shutdown_and_success(play: Play) -> None:
    """No lie: newer ones tell so of the exit device."""
    play.die("guest-shutdown")
    play.status = None


@lie
def log_flood(play: Play) -> None:
    def strike(_: Optional[socket]) -> None:
        while True:
            os.write(2, b"qemu: warning: and again\n" * 1000)
    _strike(play, strike)


@lie
def debug_log_flood(play: Play) -> None:
    def strike(_: Optional[socket]) -> None:
        with open(play.value("-D"), "ab", buffering=0) as log:
            while True:
                log.write(b"IN: and again\n" * 1000)
    _strike(play, strike)


@lie
def console_floods(play: Play) -> None:
    def strike(_: Optional[socket]) -> None:
        while True:
            os.write(1, b"noise " * 1000)
    _strike(play, strike)


@lie
def leaves_a_child(play: Play) -> None:
    """No lie: the child, which holds the pipes open and would not end, has nothing to say."""
    _leave(play, b"")


@lie
def child_speaks_on(play: Play) -> None:
    """QEMU is gone, and somebody still writes where it did."""
    _leave(play, b"# and on\n")


@lie
def child_floods(play: Play) -> None:
    _leave(play, b"# and on\n" * 10_000)


def _leave(play: Play, words: bytes) -> None:
    import signal
    monitor = play.monitor()
    play.say(play.told())
    ready, done = os.pipe()
    if os.fork() == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(os.path.join(os.environ["TMPDIR"], "child"), "w") as file:
            file.write(str(os.getpid()))
        with open(play.path("com2") + ".out", "wb", buffering=0) as pipe:
            pipe.write(words[:100])
            os.write(done, b"x")
            while words:
                pipe.write(words)
        time.sleep(60)
    os.read(ready, 1)
    monitor.close()
    os._exit(33)


# --- Firmware and boot loaders with nothing to boot -----------------------------------------------


@lie
def firmware_speaks_on_all_ports(play: Play) -> None:
    """As UEFI's does."""
    play.raw = (b"\x1b[2J\x1b[01;01HBdsDxe: loading Boot0001\r\n\x1b[0m\x1b[37m\x1b[40m"
                + play.sealed())


@lie
def grub_finds_nothing(play: Play) -> None:
    play.console = b"error: file `/boot/faultline.elf' not found.\r\n"
    play.raw, play.hangs = b"", True


@lie
def firmware_gives_up(play: Play) -> None:
    """And ends the machine."""
    play.console, play.raw = b"SeaBIOS (version 1.16)\r\nBoot failed: not a bootable disk\r\n", b""
    play.die("guest-reset")


@lie
def nothing_on_the_screen(play: Play) -> None:
    """The words are in the VGA's memory only."""
    play.console, play.raw = b"", b""
    play.screen = ["SeaBIOS (version 1.16.2)", "", "No bootable device."]
    play.hangs = True


# --- A second life --------------------------------------------------------------------------------


@lie
def greets_twice(play: Play) -> None:
    """Its first life came to nothing, and said so on no other channel."""
    play.console += b"info  boot: started\r\n" + play.console


# --- More of the stream ---------------------------------------------------------------------------


@lie
def word_behind_totals(play: Play) -> None:
    """Without an end of the line, which any number of them may lack."""
    play.raw = play.sealed() + b"ok 7 more"


@lie
def second_totals(play: Play) -> None:
    whole = play.sealed()
    play.raw = whole + whole.splitlines(keepends=True)[-1]


@lie
def early_totals(play: Play) -> None:
    lines = stream.sealed(play.lines)
    lines.insert(len(lines) - 4, lines.pop())
    play.raw = stream.to_bytes(lines)


@lie
def second_opinion(play: Play) -> None:
    """The first test comes twice: it fails, and then it passes."""
    first = play.tests[0]
    begin = play.find("#:ktest_begin")
    failed = stream.test_lines(1, first, "fail", [CHECK])
    play.lines[begin:begin] = failed
    play.lines[play.find("    1..")] = "    1..4"
    play.lines[play.find("ok 1 alpha")] = "not ok 1 alpha"
    for number in (3, 2, 1):
        last = play.find(f"    ok {number} ")
        play.lines[last] = play.lines[last].replace(f"ok {number} ", f"ok {number + 1} ")


@lie
def digits_of_another_script(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] = play.lines[index].replace("checks=3", "checks=%D9%A3")


@lie
def huge_number(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] = play.lines[index].replace("checks=3", "checks=18446744073709551616")


@lie
def negative_number(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] = play.lines[index].replace("checks=3", "checks=-3")


@lie
def nul_bytes(play: Play) -> None:
    play.lines.insert(play.place(), "# \0")


@lie
def tabs(play: Play) -> None:
    play.lines.insert(play.place(), "\t# indented")


@lie
def byte_order_mark(play: Play) -> None:
    play.lines[0] = "\xef\xbb\xbf" + play.lines[0]


@lie
def sixteen_bits(play: Play) -> None:
    play.raw = play.sealed().decode().encode("utf-16-le")


@lie
def trailing_space(play: Play) -> None:
    index = play.find("#:ktest_end")
    play.lines[index] += " "


@lie
def needless_escape(play: Play) -> None:
    """Reads the same, and is not."""
    index = play.find("#:ktest_begin")
    play.lines[index] = play.lines[index].replace("alpha", "%61lpha")


@lie
def escaped_verdict(play: Play) -> None:
    index = play.find("verdict=pass")
    play.lines[index] = play.lines[index].replace("verdict=pass", "verdict=PASS")


@lie
def skip_for_another_reason(play: Play) -> None:
    index = play.find(" # SKIP")
    play.lines[index] += " that nobody gave"


@lie
def ok_line_claims_skip(play: Play) -> None:
    index = play.find("    ok 1")
    play.lines[index] += " # SKIP too hard"


@lie
def suite_skipped(play: Play) -> None:
    index = play.find("ok 1 alpha")
    play.lines[index] += " # SKIP"


@lie
def deeper(play: Play) -> None:
    index = play.find("#:ktest_begin")
    play.lines[index] = f"    {play.lines[index]}"


@lie
def empty_plan(play: Play) -> None:
    """It selected what it should, and then does nothing of it."""
    del play.lines[2:]
    play.lines.append("1..0")


@lie
def build_id_cut(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(play.build_id, play.build_id[:-1])


@lie
def build_id_in_capitals(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(play.build_id, play.build_id.upper())


@lie
def nonce_cut(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(f"nonce={play.nonce}", f"nonce={play.nonce[:-1]}")


@lie
def nonce_of_none(play: Play) -> None:
    play.lines[1] = play.lines[1].replace(play.nonce, "")


@lie
def second_run_line(play: Play) -> None:
    play.lines.insert(play.place(), play.lines[1])


@lie
def order_never_given(play: Play) -> None:
    play.lines.insert(play.find("    ok 1") + 1, "#:ktest_order text=faster known=no")


@lie
def totals_of_another_run(play: Play) -> None:
    """Right in themselves."""
    other = stream.good_lines(play.tests, play.registered, "k3v9", play.build_id)
    play.raw = stream.to_bytes([*play.lines, stream.totals_line(other)])


@lie
def all_skipped(play: Play) -> None:
    for test in play.tests:
        play.retell(test, verdict="skip", reason="not today", inside=["    # ..."])


@lie
def channels_swapped(play: Play) -> None:
    play.console, play.raw = play.sealed(), play.console


@lie
def another_mode(play: Play) -> None:
    """Benchmarks instead of tests, or the other way round."""
    is_bench = "ktest.bench" in play.words
    registry = [{**test, "bench": not is_bench} for test in play.tests]
    play.tell(registry[:1])


@lie
def cut_and_silent(play: Play) -> None:
    """It stops in the middle of a line, and goes on to run."""
    cut_in_line(play)
    play.status, play.hangs = None, True


@lie
def triple_fault_in_a_word(play: Play) -> None:
    """It dies as it declares, and in the middle of a line, where it had said to be ready."""
    play.test("triple_fault")
    play.raw = (play.raw or b"") + b"    #:ktest_no"


@lie
def trickles_in_a_test(play: Play) -> None:
    """Never silent, and never at an end."""
    _trickle(play, "#:ktest_begin", b"    # still here\n")


@lie
def trickles_between_tests(play: Play) -> None:
    _trickle(play, "    ok 1", b"# still here\n")


@lie
def trickles_a_line(play: Play) -> None:
    """A byte at a time, of a line that has no end."""
    _trickle(play, "    ok 1", b"#")


def _trickle(play: Play, behind: str, words: bytes) -> None:
    monitor = play.monitor()
    play.cut_behind(play.find(behind))
    play.say(play.told())
    while True:
        time.sleep(0.05)
        play.say(words)
        assert monitor


@lie
def byte_by_byte(play: Play) -> None:
    """No lie, but slow."""
    told = play.told()
    play.monitor()
    with open(play.path("com2") + ".out", "wb", buffering=0) as pipe:
        for index in range(len(told)):
            pipe.write(told[index:index + 1])
    os._exit(33)


@lie
def restart_without_totals(play: Play) -> None:
    play.cut_behind(play.find("    ok 1"))
    play.raw = (play.raw or b"") + f"{RESTART}\n".encode()
    play.status = 41


def _number_of_this_boot(play: Play) -> int:
    """Counts the boots of a run in a file."""
    path = os.path.join(os.environ["TMPDIR"], "boots")
    with open(path, "a+") as file:
        file.write("x")
        return file.tell()


@lie
def replays_its_first_boot(play: Play) -> None:
    """The first one asks for another; that one says what the first did, word for word."""
    path = os.path.join(os.environ["TMPDIR"], "first")
    if _number_of_this_boot(play) == 1:
        _restart(play, play.find("    ok 1") + 1)
        with open(path, "wb") as file:
            file.write(play.sealed())
    else:
        with open(path, "rb") as file:
            play.raw = file.read()
        play.status = 41


@lie
def better_behind_a_restart(play: Play) -> None:
    """The test that failed in the first boot passes in the second, where nobody asked for it."""
    if _number_of_this_boot(play) == 1:
        a_check_fails(play)
        _restart(play, play.find("    not ok 1") + 1)
    else:
        failed = {**play.tests[0], "test": "one", "name": "alpha.one"}
        _retold(play, [failed, *play.tests])


@lie
def dies_once(play: Play) -> None:
    """A triple fault in the first boot; the second look at that test finds nothing wrong."""
    if _number_of_this_boot(play) == 1:
        triple_fault(play)


@lie
def another_version_next_time(play: Play) -> None:
    """The first boot's QEMU is not that of the second."""
    if _number_of_this_boot(play) == 1:
        triple_fault(play)
    else:
        play.version = (2, 0)


@lie
def speaks_of_the_weather(play: Play) -> None:
    """No lie, but no boot says the same as the one before."""
    play.console += b"boot %d\r\n" % _number_of_this_boot(play)
