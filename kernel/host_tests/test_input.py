# SPDX-License-Identifier: MIT
"""Tasks of the kernel that wait for what comes from outside, on the serial port or the keyboard."""
from __future__ import annotations

import re
from typing import Tuple

import pytest
from judge.vm import Machines, VirtualMachine
from tests.proves import proves

from quick_keys import send, strokes

COUNTS = "ktest.select=serial_stream.counts_what_comes test.typist=1"
PRINTS = "ktest.select=print_keypresses.decodes_and_prints_while_others_run test.typist=1"
CAME = re.compile(r"^(\d+) bytes came, (\d+) of them wrong; (\d+) dropped, (\d+) overruns, "
                  r"(\d+) damaged$", re.MULTILINE)
PERIOD = 89  # as the kernel's
BURST_BYTES = 10_000
END = "\x04"
AT_ONCE = 6  # keys: two bytes each, and the controller keeps 16


def pattern(start: int, count: int) -> str:
    return "".join(chr(ord(" ") + number % PERIOD) for number in range(start, start + count))


def what_came(vm: VirtualMachine) -> Tuple[int, ...]:
    return tuple(int(number) for number in vm.expect(CAME, timeout=60.0).groups())


@proves("12.3.1")
@pytest.mark.parametrize("way, chip", [("pic", "8259 PIC"), ("apic", "APIC")])
def test_burst_on_the_serial_port_is_not_lost(machine: Machines, way: str, chip: str) -> None:
    """As fast as QEMU takes it, which waits while the port's FIFO is full."""
    vm = machine.boot(arguments=f"{COUNTS} irq={way}")
    vm.expect(f"lines by the {chip}\n")
    vm.expect("send\n")
    vm.send(pattern(0, BURST_BYTES) + END)
    assert what_came(vm) == (BURST_BYTES, 0, 0, 0, 0)


def test_bytes_on_the_serial_port_come_one_by_one(machine: Machines) -> None:
    """Each wakes a kernel that sleeps, although it is far below what fills the FIFO."""
    vm = machine.boot(arguments=COUNTS)
    vm.expect("send\n")
    for number in range(50):
        vm.wait_until(lambda: vm.registers()["hlt"] == 1, "it does not sleep")
        vm.send(pattern(number, 1))
    vm.send(END)
    assert what_came(vm) == (50, 0, 0, 0, 0)


@proves("12.3.8")
def test_keys_are_printed_while_other_tasks_run(machine: Machines) -> None:
    vm = machine.boot(arguments=PRINTS)
    vm.expect("It did not crash!\n")
    text = "thequickbrownfoxjumpsoverthelazydog"
    for at in range(0, len(text), AT_ONCE):
        send(vm, strokes(text[at:at + AT_ONCE]))
        vm.expect(text[at:at + AT_ONCE])
    vm.press("esc")
    turns = vm.expect(re.compile(r"(\d+) turns of the others"))
    assert int(turns.group(1)) > 1000
