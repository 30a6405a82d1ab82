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
SIGKILL = 9
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
        self.has_monitor = True
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
        sys.stdout.buffer.write(self.console)
        sys.stdout.buffer.flush()
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
    is_old = words.get("ktest.machine") == "tcg-7.2"
    return [{**test, "skip": "broken in 7.2"} if test["quirks"] and is_old else test
            for test in tests]


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
    index = play.find("#:ktest_end")
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
