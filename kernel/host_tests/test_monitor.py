# SPDX-License-Identifier: MIT
"""The prompt from outside, over the serial port and over the keyboard; what it says and shows."""
from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Set, Tuple

import pytest
from judge.machine import Machine
from judge.model import Needs
from judge.vm import Machines, VirtualMachine

from conftest import ROOT
from pixels import NO_GLYPH, read_pixels

PROMPT = "faultline> "
BELL = "\a"
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
CONTROL_C, CONTROL_U, BACKSPACE = "\x03", "\x15", "\x7f"
MANY_TASKS = 1000
ANSWER_SECONDS = 2.0  # of a machine that has to share its CPU with others


def boot(machine: Machines, has_tests: bool, **options: object) -> VirtualMachine:
    words = [str(options.pop("arguments", "")), "monitor" if has_tests else ""]
    vm = machine.boot(arguments=" ".join(filter(None, words)), **options)  # type: ignore[arg-type]
    vm.expect("It did not crash!\n" + PROMPT, timeout=60.0)
    return vm


@pytest.fixture
def vm(machine: Machines, has_tests: bool) -> VirtualMachine:
    return boot(machine, has_tests)


def answer(vm: VirtualMachine, line: str, timeout: float = 20.0) -> str:
    """What comes between the line's echo and the next prompt."""
    pattern = re.compile(rf"{re.escape(line)}\n(.*?){re.escape(PROMPT)}", re.DOTALL)
    return vm.expect(pattern, timeout)[1]


def run(vm: VirtualMachine, line: str, timeout: float = 20.0) -> str:
    """Over the serial port."""
    vm.send(line + "\r")
    return answer(vm, line, timeout)


def enter(vm: VirtualMachine, line: str) -> str:
    """At the keyboard."""
    vm.type(line + "\n")
    return answer(vm, line)


# --- Commands -------------------------------------------------------------------------------------

# What each says; the page tables of the first page of the kernel's image and of no page at all.
COMMANDS: Dict[str, Tuple[str, str]] = {
    "help": ("help", r"^help +\[COMMAND\] +what there is\n"),
    "memory": ("memory", r"^(0x\w{13} to 0x\w{13} [\w ]+\n){3,}$"),
    "frames": ("frames", r"^frames: \d+, free \d+, .*\n(.*\n)*  the rest: \d+, free \d+\n"),
    "heap": ("heap", r"^heap: [\w ]+, \d+ blocks, \d+ of \d+ bytes used"),
    "pages": ("pages", r"^level-4 table at 0x\w+\n(.*\n)*0xffff800000000000 to \w+ -> 0x0+ rw-"),
    "page": ("page 0xffff800000000123",
             r"^level 4, entry 256: \w+, table at 0x\w+\n(.*\n)*level 1, entry   0: \w+, page\n"
             r"0xffff800000000123 -> 0x000000000123 rw-.*, in a page of 4 KiB\n"
             r"the direct map's view of 0x123, reserved\n$"),
    "tasks": ("tasks", r"^executor main: \d+ tasks, .*\n(.*\n)*.*serial prompt +urgent +runs "),
    "spawn": ("spawn 2", r"^2 tasks spawned\n$"),
    "kill": ("kill 4 5", r"^2 tasks cancelled\n$"),
    "every": ("every 9 date", r"^task \d+, until it is killed\n$"),
    "irqs": ("irqs", r"^interrupts by \w+\n(.*\n)*  line 4 COM1: [1-9]"),
    "timers": ("timers", r"^clock at \d+ ns, by a counter of \d+ Hz; timers by "),
    "acpi": ("acpi", r"^RSDT at 0x\w+ with \d tables\nlocal APICs at (.*\n)*"
                     r"PM1a control at port 0x\w+\n(.*\n)*soft off is "),
    "date": ("date", r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\nup for \d+\.\d{3} s\n$"),
    "log": ("log", r"^info\n$"),
    "backtrace": ("backtrace", r"^  #0 0x\w+ command_backtrace\+.*\n  #1 0x\w+ command_run\+"
                               r"(.*\n)* +#\d+ 0x\w+ kernel_main\+"),
    "symbol": ("symbol 0", r"^no function of the kernel\n$"),
    "fault": ("fault", r"^page +writes to the null page: #PF\n"),
}
ELSEWHERE = {"keys", "reboot", "off", "test"}  # tests of their own


def test_each_command_says_what_it_is_for(vm: VirtualMachine, has_tests: bool) -> None:
    for line, pattern in COMMANDS.values():
        said = run(vm, line)
        assert re.search(pattern, said), f"{line}:\n{said}"
    offered = {line.split()[0] for line in run(vm, "help").splitlines()}
    assert offered == set(COMMANDS) | (ELSEWHERE if has_tests else ELSEWHERE - {"test"})


# By the command that reaches it, and what only it prints; of slabs, where the heap is one.
DUMPS: Dict[str, Tuple[str, str]] = {
    "memory_map_dump": ("memory", r"^0x\w{13} to 0x\w{13} usable$"),
    "frame_dump": ("frames", r"^frames: \d+"),
    "heap_dump": ("heap", r"^heap: "),
    "allocator_dump": ("heap", r"^(free|page|slabs?|\d+ blocks|used|.* of order) ?"),
    "slab_cache_dump": ("heap", r"^heap: (?!slab)|^.*objects"),
    "kernel_space_dump": ("pages", r"^level-4 table at"),
    "page_table_dump": ("pages", r"^0xffff\w{12} to 0xffff\w{12} -> "),
    "kernel_walk_dump": ("page 0", r"^level 4, entry +0: "),
    "page_walk_dump": ("page 0", r"^level 4, entry +0: "),
    "executor_dump": ("tasks", r"^executor main: "),
    "irq_dump": ("irqs", r"^interrupts by "),
    "timer_dump": ("timers", r"^clock at "),
    "acpi_dump": ("acpi", r"^RSDT at "),
    "acpi_madt_dump": ("acpi", r"^CPU 0 has local APIC 0$"),
    "acpi_fadt_dump": ("acpi", r"^PM1a control at port "),
}


def declared_dumps() -> Set[str]:
    headers = (path.read_text() for path in (ROOT / "kernel").rglob("*.h"))
    return {name for text in headers for name in re.findall(r"\b(\w+_dump)\(", text)}


def test_each_dump_of_the_kernel_is_reachable(vm: VirtualMachine) -> None:
    assert declared_dumps() == set(DUMPS), "a dump without a command, or the other way round"
    for name, (line, pattern) in DUMPS.items():
        said = run(vm, line)
        assert re.search(pattern, said, re.MULTILINE), f"{name}:\n{said}"


REFUSED: Dict[str, str] = {
    "foo": "unknown command: foo; try help\n",
    "Help": "unknown command: Help; try help\n",
    "helpx": "unknown command: helpx; try help\n",
    "help foo": "unknown command: foo\n",
    "help help help": "usage: help [COMMAND]\n",
    "page": "usage: page ADDRESS\n",
    "page 1 2": "usage: page ADDRESS\n",
    "page zz": "zz is no number: it is decimal, or hexadecimal behind 0x\n",
    "page 0x10000000000000000": "0x10000000000000000 is too large\n",
    "page 0x0000800000000000": "0x0000800000000000 is not canonical: bits 48 to 63 have to be as "
                               "bit 47 is\n",
    "spawn 1e3": "1e3 is no number: it is decimal, or hexadecimal behind 0x\n",
    "spawn 99999999": "at most 100000 at once\n",
    "every 1": "usage: every SECONDS COMMAND\n",
    "every 0 date": "1 to 86400 seconds\n",
    "every 86401 date": "1 to 86400 seconds\n",
    "every x date": "x is no number: it is decimal, or hexadecimal behind 0x\n",
    "every 1 foo": "unknown command: foo\n",
    "every 1 every 1 date": "every 1 seconds one more: no\n",
    "kill 1": "task 1 is the prompt's: it stays\n0 tasks cancelled\n",
    "kill 77": "0 tasks cancelled\n",
    "kill 0 18446744073709551615": "task 1 is the prompt's: it stays\ntask 2 is the prompt's: it "
                                   "stays\ntask 3 is the prompt's: it stays\n0 tasks cancelled\n",
    "log loud": "loud: not one of error, warn, info, debug\n",
    "fault foo": "there is no fault foo; `fault` names those that there are\n",
    'page "0': "a quote is not closed\n",
    "memory now": "usage: memory \n",
    "": "",
    "   ": "",
}


def test_bad_input_is_refused_in_words(vm: VirtualMachine) -> None:
    for line, words in REFUSED.items():
        assert run(vm, line) == words


def test_quotes_and_blanks_are_the_words_own(vm: VirtualMachine) -> None:
    assert run(vm, '  "log"   ') == "info\n"
    assert run(vm, '"log "') == "unknown command: log ; try help\n"


def test_places_are_told_apart(vm: VirtualMachine) -> None:
    """What lies at an address, from each part of the address space."""
    frame = re.search(r"#0 0x(\w+)", run(vm, "backtrace") and vm.console)
    assert frame is not None
    stack = int(frame[1], 16)
    for address, words in {
        stack: "the kernel's code: command_backtrace+", 0x18: "the null page\n",
        0xffff900000000000: "the heap's window\n", 0xffffa00000000000: "an unused kernel stack 0\n",
        0xffffb00000000000: "the window of devices' registers\n",
        vm.registers()["rsp"]: "in the boot stack\n",
    }.items():
        assert words in run(vm, f"page {address:#x}")
    assert run(vm, "page 0x1000").endswith("not present\n"), "the null page is one page"
    pages = re.findall(r"^(0xffffffff\w+) to (\w+) -> .*, \d+ x", run(vm, "pages"), re.MULTILINE)
    for (start, end), words in zip(pages, ["code", "constants", "data"]):  # code: padded at its end
        assert f"the kernel's {words}" in run(vm, f"page {start}")
        assert run(vm, f"page {end}").endswith(f"the kernel's {words}\n")
    guards = [int(end, 16) + 1 for (_, end), (start, _) in zip(pages, pages[1:])
              if int(end, 16) + 1 != int(start, 16)]
    said = [run(vm, f"page {address:#x}") for address in guards]
    assert "not present\nthe guard of the boot stack\n" in "".join(said)


def test_log_level_can_be_changed(vm: VirtualMachine) -> None:
    assert run(vm, "log debug") == ""
    assert run(vm, "log") == "debug\n"


def test_date_has_its_century_and_time_passes(machine: Machines, has_tests: bool) -> None:
    vm = boot(machine, has_tests, extra=("-rtc", "base=2085-02-28T12:34:50"))
    assert run(vm, "date").startswith("2085-02-28 12:3")
    vm.wait_until(lambda: float(run(vm, "date").split()[-2]) > 1.0, "it is not up for a second")


# --- Editing --------------------------------------------------------------------------------------

def expect_last_line(vm: VirtualMachine, line: str) -> None:
    """On the screen, which is a moment behind the serial port."""
    vm.wait_until(lambda: vm.screen().lines[-1] == line.rstrip(),
                  f"the screen's last line is not {line!r}")


def test_line_is_edited_over_the_serial_port(vm: VirtualMachine) -> None:
    vm.send("hap" + LEFT + BACKSPACE + "e" + LEFT * 9 + RIGHT + "\x1b[Fx" + BACKSPACE)
    expect_last_line(vm, PROMPT + "hep")
    vm.send("\x1b[H" + "\x1b[3~" * 3 + "log" + "\x1bOD\x1bOD" + "\x0b" + "og\r")
    vm.expect(re.compile(r"log\ninfo\n" + PROMPT))
    vm.send("page 0x1" + CONTROL_U + "l\xe4og\r")  # an umlaut is refused
    vm.expect(re.compile(r"l\alog\ninfo\n|l\aog\ninfo\n"))


def test_line_is_edited_at_the_keyboard(vm: VirtualMachine) -> None:
    vm.type("hap")
    for key in ("left", "backspace", "e", "home", "delete", "end", "shift-x", "left", "delete",
                "f1", "esc", "left", "left", "h"):
        vm.press(key)
    expect_last_line(vm, PROMPT + "hep")
    for key in ("ctrl-a", "ctrl-k", "l", "o", "g", "ret"):
        vm.press(key)
    vm.expect("log\ninfo\n" + PROMPT)


def test_history_is_shared_by_both(vm: VirtualMachine) -> None:
    run(vm, "log")
    enter(vm, "symbol 0")
    vm.send("abc" + UP + UP)
    expect_last_line(vm, PROMPT + "log")
    vm.press("down")
    expect_last_line(vm, PROMPT + "symbol 0")
    vm.press("down")
    expect_last_line(vm, PROMPT + "abc")
    vm.send(UP * 2 + " info\r")
    expect_last_line(vm, PROMPT)
    vm.send(UP * 3)
    expect_last_line(vm, PROMPT + "log")  # as it was


def test_words_are_completed(vm: VirtualMachine) -> None:
    vm.send("ba\t")
    expect_last_line(vm, PROMPT + "backtrace")
    vm.send(CONTROL_U + "fr\t\r")
    vm.expect("frames: ")
    vm.send("t\t\t")
    vm.expect("timers")
    assert "tasks" in vm.console
    expect_last_line(vm, PROMPT + "t")
    vm.send(CONTROL_U + "fault pa\t\t")
    vm.expect("page  panic\n")
    expect_last_line(vm, PROMPT + "fault pa")
    vm.send("n\t")
    expect_last_line(vm, PROMPT + "fault panic")
    vm.send(CONTROL_U + "log d\t\r")
    vm.expect("log debug ")
    vm.send("help of\t\r")
    vm.expect("off : switches it off\n")
    vm.send("  ba\t")
    expect_last_line(vm, PROMPT + "  backtrace")
    vm.send(CONTROL_U + "fault h\t")
    expect_last_line(vm, PROMPT + "fault hang")


def test_keys_are_shown_as_they_come(vm: VirtualMachine) -> None:
    vm.send("keys\r")
    vm.expect("ends this\n")
    vm.press("shift-a")
    vm.expect("key 0xe1 pressed, U+0000\nkey 0x04 pressed, U+0041\n")
    vm.send("\x1bOz")
    vm.expect("byte 0x1b\nbyte 0x4f\nbyte 0x7a\n")
    vm.send(CONTROL_C)
    vm.expect("byte 0x03\n" + PROMPT)
    assert PROMPT not in vm.console.partition("ends this\n")[2].partition("byte 0x03\n")[0]
    vm.send("keys\r")
    vm.expect("ends this\n")
    vm.press("esc")
    vm.expect("key 0x29 pressed, U+001b\n" + PROMPT)
    assert run(vm, "log") == "info\n"


# --- Too much, and nonsense -----------------------------------------------------------------------

def test_line_of_10000_bytes_is_refused_and_survived(vm: VirtualMachine) -> None:
    vm.send("a" * 10_000, timeout=60.0)
    vm.wait_until(lambda: vm.console.count(BELL) > 1000, "it does not ring", timeout=60.0)
    vm.send("b" * 10 + CONTROL_C)
    vm.expect("^C\n" + PROMPT, timeout=60.0)
    assert run(vm, "log") == "info\n"
    assert all(len(line) <= 80 for line in vm.screen().lines)


def test_line_is_drawn_anew_behind_what_others_print(vm: VirtualMachine) -> None:
    """More than the serial stream has room for comes while a command prints: that is said in the
    middle of the line."""
    run(vm, f"spawn {MANY_TASKS}")
    for _ in range(2):  # each time
        vm.send(CONTROL_U + "tasks\r" + "a" * 10_000, timeout=60.0)
        match = vm.expect(re.compile(rf"{PROMPT}a+.*(warn  serial: .*dropped.*)\n{PROMPT}(a+)\a*\Z",
                                     re.DOTALL), timeout=60.0)
        expect_last_line(vm, PROMPT + match[2])
        assert match[1] in "".join(line.ljust(80) for line in vm.screen().lines)
    vm.send(CONTROL_U + "log\r")
    vm.expect("info\n" + PROMPT)


def test_line_is_not_drawn_while_keys_are_shown(vm: VirtualMachine) -> None:
    vm.send("keys\r" + "a" * 10_000, timeout=60.0)
    vm.expect(re.compile(r"warn  serial: .*dropped.*\n"), timeout=60.0)

    def has_ended() -> bool:
        vm.send(CONTROL_C)
        return "byte 0x03\n" in vm.console

    vm.wait_until(has_ended, "it does not end", timeout=60.0)
    shown = vm.console.partition("ends this\n")[2].partition("byte 0x03\n")[0]
    assert PROMPT not in shown


def test_any_characters_are_survived(vm: VirtualMachine) -> None:
    source = random.Random(42)
    for _ in range(20):
        vm.send("".join(chr(source.choice([source.randrange(256), source.randrange(32), 0x1b]))
                        for _ in range(200)))
        vm.send(CONTROL_C)
        vm.expect("^C\n" + PROMPT, timeout=60.0)
    assert run(vm, "log") in ("info\n", "debug\n")


# --- The end --------------------------------------------------------------------------------------

FAULTS: Dict[str, str] = {
    "page": r"EXCEPTION: page fault #PF: write to the null page \(0\), which is not mapped",
    "code": r"EXCEPTION: page fault #PF: write to 0xffffffff8\w+, which is read-only",
    "jump": r"EXCEPTION: page fault #PF: execution of the null page \(0\), which is not mapped",
    "data": r"EXCEPTION: page fault #PF: execution of 0xffffffff8\w+, which is not executable",
    "protection": r"EXCEPTION: general protection fault #GP",
    "opcode": r"EXCEPTION: invalid opcode #UD",
    "divide": r"EXCEPTION: divide error #DE",
    "breakpoint": r"EXCEPTION: breakpoint #BP",
    "stack": r"EXCEPTION: double fault #DF: stack overflow into the guard page \d+ bytes below the "
             r"boot stack",
    "double": r"EXCEPTION: double fault #DF",
    "panic": r"panicked at as you wished, kernel/monitor/fault_command.c:\d+ in end_in_panic",
    "assert": r"panicked at assertion failed: is_well, kernel/monitor/fault_command.c:\d+",
    "hang": r"EXCEPTION: non-maskable interrupt NMI",
}
NAMED = {"page": "write_to|write_null", "opcode": "run_invalid_opcode", "stack": "recurse",
         "hang": "hang", "divide": "divide_by_zero"}


def test_all_faults_are_tested(vm: VirtualMachine) -> None:
    assert {line.split()[0] for line in run(vm, "fault").splitlines()} == set(FAULTS)


def wait_for_hang(vm: VirtualMachine) -> None:
    """Interrupts are off at one look after the other, and not just in somebody's lock."""
    looks_off = 0

    def is_hung() -> bool:
        nonlocal looks_off
        looks_off = 0 if vm.registers()["rflags"] & 0x200 else looks_off + 1
        return looks_off == 5

    vm.wait_until(is_hung, "interrupts are still on")


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_ends_in_its_card(machine: Machines, has_tests: bool, kind: str) -> None:
    vm = boot(machine, has_tests)
    vm.send(f"fault {kind}\r")
    vm.expect(f"fault {kind}\n")
    if kind == "hang":
        wait_for_hang(vm)
        vm.nmi()
    vm.expect(re.compile(FAULTS[kind]))
    vm.expect("rip ")
    vm.expect(re.compile(rf"#\d+ 0x\w+ ({NAMED.get(kind, '')})"))
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    assert vm.registers()["rflags"] & 0x200 == 0
    vm.wait_until(lambda: vm.console.splitlines()[-1].strip() in vm.screen().text,
                  "the card is not on the screen")
    assert PROMPT not in vm.console.partition(f"fault {kind}\n")[2]


def test_reboot_resets_the_machine(vm: VirtualMachine) -> None:
    vm.send("reboot\r")
    assert vm.wait().shutdown == "guest-reset"


def test_off_switches_the_machine_off(vm: VirtualMachine) -> None:
    vm.type("off\n")
    assert vm.wait().shutdown == "guest-shutdown"


# --- With others ----------------------------------------------------------------------------------

def poll_count(vm: VirtualMachine) -> int:
    match = re.search(r"executor main: (\d+) tasks, .* (\d+) polls", run(vm, "tasks"))
    assert match and int(match[1]) == MANY_TASKS + 3
    return int(match[2])


def test_prompt_answers_while_1000_tasks_run(vm: VirtualMachine) -> None:
    assert run(vm, f"spawn {MANY_TASKS}") == f"{MANY_TASKS} tasks spawned\n"
    before = poll_count(vm)
    seconds = []
    ways: List[Callable[[VirtualMachine, str], str]] = [run, enter]
    for say in ways * 5:
        start = time.monotonic()
        assert say(vm, "log") == "info\n"
        seconds.append(time.monotonic() - start)
    polls = poll_count(vm) - before
    print(f"answers within {max(seconds):.3f} s, {polls} polls meanwhile")
    assert max(seconds) < ANSWER_SECONDS
    assert polls > 10 * MANY_TASKS, "the others had their turn"
    assert vm.registers()["hlt"] == 0
    assert run(vm, "kill 4 2000") == f"{MANY_TASKS} tasks cancelled\n"
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "it does not come to rest")


def test_command_is_run_now_and_again_while_one_types(vm: VirtualMachine) -> None:
    """Its words keep their blanks, and the line that is being typed comes back behind it."""
    assert run(vm, 'every 1 symbol "a b"') == "task 4, until it is killed\n"
    vm.expect("a b is no number")
    vm.send("mem")
    for _ in range(2):
        vm.expect("a b is no number: it is decimal, or hexadecimal behind 0x\n" + PROMPT + "mem")
    vm.send("\x15")
    assert re.search("4 every +normal +waits", run(vm, "tasks"))
    assert run(vm, "kill 4") == "1 tasks cancelled\n"
    assert "every" not in run(vm, "tasks")
    vm.send(f"every 1 help{' x' * 100}\r")  # with quotes it is too long
    vm.expect("it is not repeated: ENOSPC\n")


def test_prompt_lives_without_memory(machine: Machines, has_tests: bool) -> None:
    """There is less than 100,000 tasks take; and the history can't grow any more."""
    vm = boot(machine, has_tests, memory="16M")
    said = run(vm, "spawn 100000", timeout=60.0)
    match = re.fullmatch(r"(\d+) tasks spawned, then there was no memory\n", said)
    assert match and int(match[1]) > 1000, said
    said = "".join(run(vm, f"symbol {number}") for number in range(40))
    assert said.count("no function of the kernel\n") == 40
    assert said.count("this line will not be remembered: ENOMEM\n") > 20
    vm.send("\t")  # all names: a list of one may find room in a block that is too small for a task
    vm.expect("no completion: ENOMEM\n" + PROMPT)
    vm.send("frames\r")
    vm.expect("frames: ")

    said = run(vm, "kill 4 200000", timeout=60.0)
    assert said.endswith(f"\n{match[1]} tasks cancelled\n")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "it does not come to rest")
    assert run(vm, "spawn 10") == "10 tasks spawned\n"


def test_machine_without_a_keyboard_has_its_prompt(machine: Machines, has_tests: bool) -> None:
    vm = boot(machine, has_tests, model="microvm", vga=False)
    assert "warn  monitor: nobody can type at the keyboard: ENODEV\n" in vm.console
    assert run(vm, "log") == "info\n"


def test_machine_without_a_serial_port_has_its_prompt(machine_default: Machine, has_tests: bool,
                                                      tmp_path: Path) -> None:
    machine = machine_default
    words = machine.command(tmp_path, "monitor" if has_tests else "", machine.offers(Needs.VGA))
    command = ["none" if word == "chardev:com1" else word for word in words]
    with VirtualMachine(command, tmp_path) as vm:
        vm.start()
        vm.expect_screen(PROMPT.rstrip(), timeout=60.0)
        vm.type("log\n")
        screen = vm.expect_screen(f"{PROMPT}log\ninfo\n{PROMPT.rstrip()}")
        assert "warn  monitor: nobody can type at the serial port: ENODEV\n" in screen.text
        assert vm.console == ""


# --- The screen -----------------------------------------------------------------------------------

def read_text(vm: VirtualMachine, folder: Path) -> Sequence[str]:
    del folder
    return vm.screen().lines


def read_picture(vm: VirtualMachine, folder: Path) -> Sequence[str]:
    """The cursor is a glyph of its own."""
    vm.screenshot(folder / "screen.png")
    return [line.rstrip(NO_GLYPH + " ") for line in read_pixels(folder / "screen.png")]


@pytest.mark.parametrize("way, read", [("direct", read_text), ("grub", read_text),
                                       ("uefi", read_picture)])
def test_session_at_the_keyboard_is_on_the_screen(
        machine: Machines, has_tests: bool, tmp_path: Path, way: str,
        read: Callable[[VirtualMachine, Path], Sequence[str]]) -> None:
    vm = boot(machine, has_tests, way=way)
    vm.type("lo")
    for key in ("tab", "ret", "f", "a", "u", "tab", "p", "r", "tab", "ctrl-w"):
        vm.press(key)
    vm.type("xyz")
    for key in ("home", "delete", "ctrl-e", "backspace", "left", "1", "tab"):
        vm.press(key)
    vm.press("ctrl-c")
    vm.type("kill 1\n")
    expected = ["It did not crash!", PROMPT + "log", "info", PROMPT + "ault x1y^C",
                PROMPT + "kill 1", "task 1 is the prompt's: it stays", "0 tasks cancelled",
                PROMPT.rstrip()]
    seen: List[str] = []

    def is_shown() -> bool:
        seen[:] = [line for line in read(vm, tmp_path) if line][-len(expected):]
        return seen == expected

    vm.wait_until(is_shown, f"the screen does not show {expected}", timeout=60.0)


# --- Tests at the prompt --------------------------------------------------------------------------

def test_tests_run_at_the_prompt(machine: Machines, has_tests: bool) -> None:
    if not has_tests:
        pytest.skip("this kernel is built without tests")
    vm = boot(machine, has_tests)
    said = run(vm, "test ordered_map.*")
    verdicts = re.findall(r"^(\w+) +ordered_map\.\w+", said, re.MULTILINE)
    assert len(verdicts) > 5 and set(verdicts) == {"pass"}
    assert said.endswith(f"{len(verdicts)} tests, 0 failed\n")
    run(vm, "spawn 1")  # the executor does not sleep any more, which would switch interrupts on
    assert run(vm, "test no.such_test") == "0 tests, 0 failed\n"
    assert run(vm, "log") == "info\n"
    vm.send("fault panic\r")  # what goes wrong is the kernel's again
    vm.expect(re.compile(FAULTS["panic"]))


# Tests of the selftest kernel, which fail in each way, and some that pass by dying.
VERDICTS: Dict[str, str] = {
    "opposite.panic_that_nobody_declared": "fail",
    "opposite.fault_that_nobody_declared": "fail",
    "opposite.hang_with_interrupts_off": "fail",
    "double_fault.stack_overflow": "pass",
    "ktest.hang_is_ended_by_the_watchdog": "pass",
    "double_fault.without_a_gate_it_resets_the_machine": "skip",
}


def test_tests_that_die_come_back_to_the_prompt(machine: Machines, has_tests: bool, build: Path
                                                ) -> None:
    if not has_tests:
        pytest.skip("this kernel is built without tests")
    vm = boot(machine, has_tests, kernel=build / "faultline-selftest.elf",
              arguments="ktest.have=apic")
    for name, verdict in VERDICTS.items():
        said = run(vm, f"test {name}", timeout=60.0)
        assert re.search(rf"^{verdict:5} {re.escape(name)}", said, re.MULTILINE), said
        assert said.endswith(f"1 tests, {int(verdict == 'fail')} failed\n")
        assert enter(vm, "log") == "info\n"  # both still work
    vm.nmi()
    vm.expect(re.compile(FAULTS["hang"]))
