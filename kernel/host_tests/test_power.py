# SPDX-License-Identifier: MIT
"""What the firmware says of a machine, and its ends, seen from outside: kernel/selftest/power.c."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict

import pytest
from judge.machine import Machine
from judge.terms import version_of
from judge.vm import Machines, VirtualMachine
from tests.proves import proves

# Machines that differ in their tables, and in how they are switched off and reset. Without a VGA it
# is qboot that makes the tables available, otherwise SeaBIOS; GRUB hands over the root pointer.
PC: Dict[str, Any] = {}
MACHINES: Dict[str, Dict[str, Any]] = {
    "pc": PC,
    "pc by GRUB": {"way": "grub"},
    "pc with qboot": {"model": "pc", "vga": False},
    "q35": {"model": "q35"},
    "q35 by GRUB": {"model": "q35", "way": "grub"},
    "q35 with qboot": {"model": "q35", "vga": False},
    "q35 with memory above 4 GiB": {"model": "q35", "memory": "5G"},
    "microvm": {"model": "microvm", "vga": False},
    "pc without ACPI": {"model": "pc,acpi=off", "vga": False},
    "microvm without ACPI": {"model": "microvm,acpi=off", "vga": False},
}
BY_REGISTER = [name for name in MACHINES if "q35" in name] + ["microvm"]
WITHOUT_ACPI = [name for name in MACHINES if "without" in name]
WITH_ACPI = [name for name in MACHINES if name not in WITHOUT_ACPI]
WITH_8042 = [name for name in MACHINES if name.startswith("pc")]


def run(machine: Machines, build: Path, name: str, test: str, *extra: str) -> VirtualMachine:
    words = dict(MACHINES[name], arguments=f"ktest.select={test}", extra=extra)
    if words.get("way") == "grub":
        return machine.boot(iso=build / "faultline-selftest.iso", **words)
    return machine.boot(kernel=build / "faultline-selftest.elf", **words)


@proves("4.2.4")
@pytest.mark.parametrize("name", WITH_ACPI)
def test_power_off_is_the_guests_own(machine: Machines, build: Path, name: str) -> None:
    vm = run(machine, build, name, "power.off")
    assert (vm.wait().status, vm.wait().shutdown) == (0, "guest-shutdown")
    assert vm.console.endswith("info  power: switching off\n")


@proves("4.2.4")
@pytest.mark.parametrize("name", WITHOUT_ACPI)
def test_machine_that_cannot_be_switched_off_halts(machine: Machines, build: Path, name: str
                                                   ) -> None:
    vm = run(machine, build, name, "power.off")
    vm.expect("error power: this machine can't be switched off: it is halted\n")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    assert vm.registers()["rflags"] & 0x200 == 0, "with interrupts off"


@proves("4.2.4")
@pytest.mark.parametrize("name", BY_REGISTER + WITH_8042)
def test_reboot_is_a_reset_and_no_crash(machine: Machines, machine_default: Machine, build: Path,
                                        name: str) -> None:
    vm = run(machine, build, name, "power.reboot")
    ending = vm.wait()
    is_misnamed = name == "microvm" and machine_default.version() < version_of((6, 0))
    assert ending.shutdown == ("guest-shutdown" if is_misnamed else "guest-reset")
    assert not ending.has_triple_fault
    assert vm.console.endswith("info  power: restarting\n")


@proves("4.2.4")
def test_reset_register_needs_no_keyboard_controller(machine: Machines, machine_default: Machine,
                                                     build: Path) -> None:
    if machine_default.version() < version_of((7, 0)):
        pytest.skip("this QEMU has no machine without it")
    ending = machine.boot(kernel=build / "faultline-selftest.elf", model="q35,i8042=off",
                          arguments="ktest.select=power.reboot").wait()
    assert (ending.shutdown, ending.has_triple_fault) == ("guest-reset", False)


@proves("4.2.4")
def test_machine_without_any_reset_is_restarted_by_a_triple_fault(machine: Machines, build: Path
                                                                  ) -> None:
    ending = run(machine, build, "microvm without ACPI", "power.reboot").wait()
    assert (ending.shutdown, ending.has_triple_fault) == ("guest-reset", True)


def test_reboot_boots_again(machine: Machines, build: Path) -> None:
    vm = machine.boot(kernel=build / "faultline-selftest.elf", reboots=True,
                      arguments="ktest.select=power.reboot")
    for _ in range(2):
        vm.expect("Hello World!")
        vm.expect("power: restarting\n")


# --- What is read ---------------------------------------------------------------------------------

def dump(machine: Machines, build: Path, name: str, *extra: str) -> str:
    vm = run(machine, build, name, "firmware.dump", *extra)
    vm.wait()
    assert "warn" not in vm.console
    return vm.console


LINES = """ISA line 0 is interrupt 2, active high, edge
ISA line 5 is interrupt 5, active high, level
ISA line 9 is interrupt 9, active high, level
ISA line 10 is interrupt 10, active high, level
ISA line 11 is interrupt 11, active high, level
NMI at LINT1 of every CPU, active high
"""
PC_DUMP = f"""local APICs at 0xfee00000, beside 8259 PICs
CPU 0 has local APIC 0
CPU 1 has local APIC 1
CPU 2 has local APIC 2
I/O APIC 0 at 0xfec00000 from interrupt 0 on
{LINES}HPET at 0xfed00000
ACPI's interrupt is line 9, an 8042, century at index 50
"""
OFF = "soft off is sleep type 0 for PM1a, 0 for PM1b\n"
DUMPS = {
    "pc": PC_DUMP + "handed over by 0xf1 to port 0xb2\nPM1a control at port 0x604\n" + OFF,
    "q35": PC_DUMP + "handed over by 0x02 to port 0xb2\nPM1a control at port 0x604\n"
                     "reset at port 0xcf9\n" + OFF,
    "microvm": """local APICs at 0xfee00000, beside 8259 PICs
CPU 0 has local APIC 0
CPU 1 has local APIC 1
CPU 2 has local APIC 2
I/O APIC 0 at 0xfec00000 from interrupt 0 on
I/O APIC 1 at 0xfec10000 from interrupt 24 on
NMI at LINT1 of every CPU, active high
ACPI's interrupt is line 0, no 8042, century at index 0
sleep control at address 0xfea00200
reset at address 0xfea00202
soft off is sleep type 5 for PM1a, 0 for PM1b
"""}


@proves("7.7.2")
@pytest.mark.parametrize("name", WITH_ACPI)
def test_tables_say_what_the_machine_has(machine: Machines, machine_default: Machine, build: Path,
                                         name: str) -> None:
    """Whoever hands them over, and wherever they lie."""
    console = dump(machine, build, name, "-smp", "3")
    expected = DUMPS[name.split()[0]]
    if machine_default.version() < version_of((6, 0)):  # what it does not have yet, or not say
        expected = re.sub("I/O APIC 1.*\n", "", expected)
        expected = expected.replace("an 8042", "no 8042") if "q35" in name else expected
    assert re.search(r"info  acpi: \d tables by the loader, 3 CPUs, ", console)
    assert re.search(rf"^[RX]SDT at 0x\w+ with \d tables\n{re.escape(expected)}", console,
                     re.MULTILINE)


def test_tables_of_somebody_else_change_nothing(machine: Machines, build: Path, tmp_path: Path
                                                ) -> None:
    """Behind the machine's own; the first ones count."""
    (tmp_path / "table").write_bytes(bytes(200))
    extra = [word for kind in ("APIC", "FACP")
             for word in ("-acpitable", f"sig={kind},data={tmp_path / 'table'}")]
    console = dump(machine, build, "pc", "-smp", "3", *extra)
    assert DUMPS["pc"] in console and "with 6 tables" in console


@pytest.mark.parametrize("name", WITHOUT_ACPI)
def test_machine_without_tables_says_so(machine: Machines, build: Path, name: str) -> None:
    console = dump(machine, build, name)
    assert "info  acpi: this machine has no tables\n" in console
    assert "\nthis machine has no ACPI tables\n" in console
