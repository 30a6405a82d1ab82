# SPDX-License-Identifier: MIT
"""A scripted machine: its keys, and how it explains what did not come.

The machine is a fake; kernel/host_tests/test_machine_fixture.py has real ones.
"""
from __future__ import annotations

import re
import signal
import string
from pathlib import Path
from typing import Callable

import pytest

from judge.keys import chord, keys_of
from judge.look import MachineError
from judge.machine import Machine
from judge.model import Refusal
from judge.qemu import Answer
from judge.vm import Machines, VirtualMachine

ARGUMENTS = "ktest.nonce=n ktest.select=alpha.*"


# --- Keys -----------------------------------------------------------------------------------------

def test_every_printable_character_has_its_keys() -> None:
    printable = [character for character in string.printable if character not in "\r\v\f"]
    chords = {keys_of(character) for character in printable}
    assert len(chords) == len(printable) == 97
    assert {keys[0] for keys in chords if len(keys) > 1} == {"shift"}


@pytest.mark.parametrize("character, keys", [
    ("a", ("a",)), ("A", ("shift", "a")), ("~", ("shift", "grave_accent")), ("@", ("shift", "2")),
    (" ", ("spc",)), ("\n", ("ret",)), ("_", ("shift", "minus")), ("\\", ("backslash",))])
def test_keys_of_a_character(character: str, keys: object) -> None:
    assert keys_of(character) == keys


def test_a_character_without_a_key_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="a US keyboard has no key for 'é': type printable ASCII"):
        keys_of("é")


def test_chords() -> None:
    assert chord("ctrl-alt-F1") == ("ctrl", "alt", "f1")
    assert chord("shift-Enter") == ("shift", "ret")
    assert chord("ctrl-C") == ("ctrl", "shift", "c")
    with pytest.raises(ValueError, match="the key - itself is called minus"):
        chord("ctrl--")


# --- A script -------------------------------------------------------------------------------------

Boot = Callable[[str], VirtualMachine]


@pytest.fixture
def machines(kernel: Path, tmp_path: Path) -> Machines:
    return Machines(Machine(kernel, kernel, str(tmp_path / "qemu")))


@pytest.fixture
def boot(machines: Machines, fake_qemu: Callable[[str], str]) -> Boot:
    def play(scenario: str) -> VirtualMachine:
        fake_qemu(scenario)
        return machines.boot(arguments=ARGUMENTS)
    return play


def test_expectations_go_on_behind_each_other(machines: Machines, boot: Boot) -> None:
    with machines:
        vm = boot("honest")
        assert vm.expect("Hello").span() == (0, 5)
        assert vm.expect(re.compile("l(.)")).group(1) == "d"
        assert vm.wait().status == 33
        assert "#:ktest_totals" in vm.protocol and vm.console == "Hello World!\n"
        folder = vm.folder
        assert (folder / "console.log").read_bytes().startswith(b"Hello World!")
    assert not folder.exists()


def test_what_does_not_come_is_explained(machines: Machines, boot: Boot) -> None:
    with pytest.raises(MachineError) as error, machines:
        with boot("hang_between_tests") as vm:
            vm.expect("Good bye", timeout=0.2)
    said = str(error.value)
    assert said.startswith("'Good bye' did not come on the console within 0.2 s\n")
    folder = machines.booted[0].folder
    for line in ("    | Hello World!", "  artifacts  " + str(folder)):
        assert line in said.splitlines()
    assert re.search(r"^  machine    it still runs, at 0x[0-9a-f]+, halted$", said, re.MULTILINE)
    assert (folder / "registers.txt").exists() and (folder / "console.log").exists()


def test_an_end_is_no_time_out(machines: Machines, boot: Boot) -> None:
    with machines:
        vm = boot("triple_fault_at_boot")
        with pytest.raises(MachineError, match="did not come on the console before the machine "
                                               "ended(.|\n)*machine    triple fault: "):
            vm.expect("Good bye")
        assert vm.wait().shutdown == "guest-reset"
        with pytest.raises(MachineError, match="^the machine can't be asked for inject-nmi: trip"):
            vm.nmi()


def test_a_machine_may_end_over_an_order(machines: Machines, boot: Boot,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """As by an NMI that resets it: before QEMU has answered, and that is no failure."""
    def die(*_: object, **__: object) -> Answer:
        vm._qemu._child.kill(signal.SIGKILL)
        vm.wait()
        return Answer(refusal="no answer")

    with machines:
        vm = boot("hang_between_tests")
        monkeypatch.setattr(vm._qemu, "ask", die)
        vm.nmi()
        assert vm.wait().signal == signal.SIGKILL
    with machines:
        vm = boot("hang_between_tests")
        monkeypatch.setattr(vm._qemu, "ask", die)
        with pytest.raises(MachineError, match="^the machine can't be asked for query-status: QEMU "
                                               "was killed by signal 9"):
            vm.ask("query-status")


def test_a_machine_that_does_not_end(machines: Machines, boot: Boot) -> None:
    with machines:
        vm = boot("hang_between_tests")
        with pytest.raises(MachineError, match="^the machine did not end within 0.2 s"):
            vm.wait(timeout=0.2)
        with pytest.raises(MachineError, match="physical memory at 0xb8000 can't be read: it is"):
            vm.screen()
        with pytest.raises(ValueError, match="no key for 'ü'"):
            vm.type("ü")
        with pytest.raises(ValueError, match="no echo on the wall"):
            vm.type("a", echo="wall")
        with pytest.raises(MachineError, match="the key for 'a' had no echo on the console within"):
            vm.type("a", echo="console", timeout=0.1)
    assert vm.describe().splitlines()[-3] == "  machine    the test has ended it"


def test_a_qemu_that_does_not_start(machines: Machines, boot: Boot) -> None:
    with machines, pytest.raises(MachineError, match="^QEMU did not start: QEMU ended with "
                                                     "status 1(.|\n)*qemu: "):
        boot("refuses_to_start")


def test_a_qemu_that_is_missing(machines: Machines) -> None:
    with machines, pytest.raises(Refusal, match="there is no program"):
        machines.boot(arguments=ARGUMENTS)


def test_a_flood_is_bounded(machines: Machines, boot: Boot,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.vm.OUTPUT_CHARACTERS", 100)
    with machines, pytest.raises(MachineError, match="^the kernel floods its serial ports"):
        boot("honest").wait()


def test_an_unknown_way_is_refused(machines: Machines) -> None:
    with pytest.raises(ValueError, match="'floppy': it is direct, grub or uefi"):
        machines.boot(way="floppy")
