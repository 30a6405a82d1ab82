# SPDX-License-Identifier: MIT
"""Scripted machines (judge.vm, judge.fixture) on real QEMUs, as a test anywhere would script them.

FAULTLINE_QEMU names another QEMU than the one on the PATH.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from elftools.elf.elffile import ELFFile
from judge import look
from judge.look import REMAINS, MachineError
from judge.machine import HIDE_THE_TPM, TPM_ADDRESS, UEFI_FIRMWARE, BootWay, Machine
from judge.model import Needs
from judge.qemu import Answer, Qemu, private_folder
from judge.vm import ANSWER_SECONDS, Machines, VirtualMachine
from PIL import Image as Picture

from conftest import ONE_TEST, ROOT
from test_port import FOREIGN, KERNEL, complaints, script

MANUAL = (ROOT / "docs/harness.md").read_text().partition("## Scripting the machine\n")[2]
HELLO = "Hello World!"
LIGHT_CYAN = (0x57, 0xff, 0xff)  # as the VGA mixes it: six bits a colour
WAYS = ("direct", "grub")


# --- UEFI ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("model", ["pc", "q35"])
def test_no_tpm_is_seen_by_its_firmware(machine_default: Machine, model: str) -> None:
    """Which would wait for one that reads as zeros."""
    if not any(Path(path).exists() for path in UEFI_FIRMWARE):
        pytest.skip("there is no firmware for UEFI here")
    uefi = replace(machine_default, way=BootWay.UEFI, model=model)
    folder = private_folder([])
    with Qemu(uefi.command(folder, "", Needs(0)), folder) as qemu:
        qemu.wait(ANSWER_SECONDS)
        assert qemu.is_connected, qemu.log()
        for line in HIDE_THE_TPM:
            assert qemu.ask("human-monitor-command", command_line=line) == Answer("")
        assert look.read_memory(qemu, folder, TPM_ADDRESS, 4, True) == b"\xff" * 4
    shutil.rmtree(folder)


# --- This kernel ----------------------------------------------------------------------------------

def test_nothing_is_seen_where_there_is_no_screen(machine: Machines) -> None:
    """The kernel writes its first words there nevertheless, into memory."""
    vm = machine.boot(arguments=ONE_TEST, exit_device=False, vga=False)
    vm.expect(HELLO)
    with pytest.raises(MachineError, match="no VGA"):
        vm.screen()


@pytest.mark.parametrize("option", [{"cpu": "nonesuch"}, {"model": "nonesuch"}])
def test_a_qemu_that_refuses_is_no_machine(machine: Machines, option: Dict[str, Any]) -> None:
    """However late it does: some find out behind the first word of their monitor."""
    with pytest.raises(MachineError, match="nonesuch"):
        machine.boot(**option)


@pytest.mark.parametrize("way", WAYS)
def test_first_words_on_console_and_screen(machine: Machines, tmp_path: Path, way: str) -> None:
    vm = machine.boot(way=way, arguments=ONE_TEST, exit_device=False)
    loader = vm.expect(re.compile(f"^{HELLO}\ninfo  boot: started by ([A-Z]+)[ ,]", re.MULTILINE))
    assert loader[1] == {"direct": "PVH", "grub": "GRUB"}[way]
    shown = vm.expect_screen(HELLO).find(HELLO)
    assert {(cell.foreground, cell.background) for cell in shown} == {("light cyan", "black")}

    vm.screenshot(tmp_path / "screen.png")
    with Picture.open(tmp_path / "screen.png") as picture:
        assert picture.format == "PNG" and picture.size == (720, 400)
        colours = {colour for _, colour in picture.convert("RGB").getcolors()}
    assert {LIGHT_CYAN, (0, 0, 0)} <= colours


def test_grub_gets_the_pc_that_it_needs(machine: Machines) -> None:
    machine.boot(way="grub", vga=False).expect("started by GRUB")


def test_reset_boots_again(machine: Machines) -> None:
    vm = machine.boot(reboots=True, arguments=ONE_TEST, exit_device=False)
    vm.expect(HELLO)
    vm.reset()
    vm.expect(HELLO)
    assert vm.console.count(HELLO) == 2


def test_reset_is_the_end_unless_said_otherwise(machine: Machines) -> None:
    vm = machine.boot(arguments=ONE_TEST, exit_device=False)
    vm.expect(HELLO)
    vm.reset()
    assert vm.wait().shutdown == "host-qmp-system-reset"
    assert vm.console.count(HELLO) == 1


@pytest.fixture
def halted(machine: Machines, build: Path, has_tests: bool) -> VirtualMachine:
    """The kernel, at rest for ever: the product behind its boot, or a test that hangs so."""
    if has_tests:
        vm = machine.boot(kernel=build / "faultline-selftest.elf",
                          arguments="ktest.select=backstop.hang_without_the_watchdog")
    else:
        vm = machine.boot()
    vm.expect("usable up to")
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "the CPU did not halt")
    return vm


def test_registers_of_a_halted_kernel(halted: VirtualMachine) -> None:
    registers = halted.registers()
    assert (registers["hlt"], registers["cpl"], registers["cs"]) == (1, 0, 8)
    assert registers["efer"] & 0x500 == 0x500, "long mode is on and active"
    assert registers["rsp"] >= registers["rip"] >= 0xffffffff80000000
    assert halted.memory(registers["rip"] - 1, 1) == b"\xf4", "it stands behind a hlt"


def test_memory_is_what_the_file_says(halted: VirtualMachine, build: Path, has_tests: bool
                                      ) -> None:
    with open(build / f"faultline{'-selftest' if has_tests else ''}.elf", "rb") as file:
        image = ELFFile(file)
        section = image.get_section_by_name(".rodata")
        start, data = section["sh_addr"], section.data()
        segment = next(each for each in image.iter_segments() if each.section_in_segment(section))
        offset = segment["p_vaddr"] - segment["p_paddr"]
    assert len(data) > 1000
    assert halted.memory(start, len(data)) == data
    assert halted.memory(start - offset, len(data), is_physical=True) == data
    with pytest.raises(MachineError, match="the memory at 0x0 can't be read"):
        halted.memory(0, 16)


def test_nmi_arrives(halted: VirtualMachine, has_tests: bool) -> None:
    halted.nmi()
    if has_tests:
        assert halted.wait().status == 35
        assert "#:ktest_hang " in halted.protocol
    else:
        halted.expect("EXCEPTION: non-maskable interrupt NMI")
        halted.expect(re.compile(r"^rip ffffffff8\w{7} ", re.MULTILINE))


# --- A guest that does what it is told ------------------------------------------------------------

@pytest.fixture(scope="session")
def puppet_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = tmp_path_factory.mktemp("puppet") / "puppet.elf"
    assert complaints("gcc", "-std=c11", *KERNEL, "-nostdlib", "-static", "-no-pie",
                      "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments",
                      *script(FOREIGN / "bare.ld"), "-o", image, FOREIGN / "puppet.c",
                      FOREIGN / "bare_entry.S") == ""
    return image


@pytest.fixture
def puppet(machine: Machines, puppet_image: Path) -> VirtualMachine:
    vm = machine.boot(kernel=puppet_image)
    vm.expect("ready\n")
    return vm


# Scan codes of set 1, by the rows of a US keyboard.
ROWS = {0x02: ("1234567890-=\b\t", "!@#$%^&*()_+"), 0x10: ("qwertyuiop[]\n", "QWERTYUIOP{}"),
        0x1e: ("asdfghjkl;'`", 'ASDFGHJKL:"~'), 0x2b: ("\\zxcvbnm,./", "|ZXCVBNM<>?"),
        0x39: (" ", "")}
SHIFT, RELEASED = 0x2a, 0x80
PLAIN = {character: start + at for start, (row, _) in ROWS.items()
         for at, character in enumerate(row)}
SHIFTED = {character: start + at for start, (_, row) in ROWS.items()
           for at, character in enumerate(row)}


def scan_codes(character: str) -> List[int]:
    """Down in this order, up in the reverse one."""
    keys = [SHIFT, SHIFTED[character]] if character in SHIFTED else [PLAIN[character]]
    return keys + [key | RELEASED for key in reversed(keys)]


def test_each_of_100_characters_is_pressed_and_released(puppet: VirtualMachine) -> None:
    text = "".join(PLAIN) + "".join(SHIFTED) + "\b\n"
    assert len(text) == 100
    puppet.type(text)
    codes = [code for character in text for code in scan_codes(character)]
    puppet.expect(re.compile(r"(\w\w ){%d}" % len(codes)))
    assert puppet.console.split()[1:] == [f"{code:02x}" for code in codes]


def test_keys_together(puppet: VirtualMachine) -> None:
    puppet.press("ctrl-alt-f1")
    puppet.expect("1d 38 3b bb b8 9d ")
    puppet.press("A")
    puppet.expect("2a 1e 9e aa ")
    with pytest.raises(MachineError, match="^QEMU refuses send-key: .*anykey"):
        puppet.press("anykey")


@pytest.mark.parametrize("echo", ["console", "screen"])
def test_a_slow_reader_gets_every_key_by_its_echo(puppet: VirtualMachine, echo: str) -> None:
    """It takes 60 ms for each letter, three times as long as QEMU for pressing and releasing."""
    text = "the quick brown fox jumps over the lazy dog".replace(" ", ".")
    puppet.send("e")
    puppet.expect("echo\n")
    puppet.type(text, echo=echo)
    puppet.expect(text)
    assert puppet.expect_screen(text).find(text)[0].foreground == "yellow"


def test_power_button_turns_it_off(puppet: VirtualMachine) -> None:
    puppet.power_button()
    ending = puppet.wait()
    assert (ending.shutdown, ending.describe()) == ("guest-shutdown",
                                                    "the machine powered itself off")


def test_a_serial_port_that_is_not_read_is_not_waited_for_for_ever(puppet: VirtualMachine) -> None:
    puppet.send("h")
    puppet.expect("halt\n")
    with pytest.raises(MachineError, match=r"^COM1 took all but \d+ bytes within 0.2 s"):
        puppet.send("x" * 100_000, timeout=0.2)


def test_exit_device_has_the_last_word(puppet: VirtualMachine) -> None:
    puppet.send("x")
    assert puppet.wait().status == 33


def test_a_paused_machine_goes_on_where_it_was(puppet: VirtualMachine) -> None:
    puppet.pause()
    puppet.send("x")
    with pytest.raises(MachineError, match="the machine did not end within 0.2 s"):
        puppet.wait(timeout=0.2)
    puppet.resume()
    assert puppet.wait().status == 33


def test_triple_fault_is_told_from_a_reset(puppet: VirtualMachine) -> None:
    puppet.nmi()
    assert puppet.wait().describe().startswith("triple fault")


# --- In another project ---------------------------------------------------------------------------

Pytest = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_elsewhere(build: Path, tmp_path: Path) -> Pytest:
    """Runs pytest over one file in a folder that has nothing to do with this project."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["judge.fixture"]\n')

    # Where pytest finds itself in CI, it repeats whole messages in its summary.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("CI", "BUILD_NUMBER")}
    environment |= {"FAULTLINE_BUILD": str(build), "TMPDIR": str(tmp_path / "runs"),
                    "PYTHONPATH": str(ROOT / "harness")}

    def run(source: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "test_it.py").write_text(source)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
            capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
            env=environment)
    return run


FAILING = """
def test_it(machine):
    vm = machine.boot(arguments="ktest.select=gdt.is_loaded", exit_device=False)
    vm.expect("Hello World!")
    vm.expect_screen("usable up to")
    assert {assertion}
"""


IN_A_FIXTURE = """
import pytest

@pytest.fixture
def vm(machine):
    vm = machine.boot(arguments="ktest.select=gdt.is_loaded", exit_device=False)
    vm.expect_screen("usable up to")
    vm.expect("Good bye", timeout=0.1)

def test_it(vm):
    pass
"""


@pytest.mark.parametrize("source", [
    FAILING.format(assertion="1 == 2"),
    FAILING.format(assertion="vm.expect('Good bye', timeout=0.1)"), IN_A_FIXTURE])
def test_a_failing_test_keeps_and_shows_what_there_is(run_elsewhere: Pytest, tmp_path: Path,
                                                      source: str) -> None:
    done = run_elsewhere(source)
    assert done.returncode == 1, done.stdout
    folder, = (tmp_path / "runs").glob("faultline-*")
    assert done.stdout.count(f"artifacts  {folder}") == 1
    assert re.search(r"console\n.*\| Hello World!", done.stdout)
    assert {*REMAINS, "console.log"} <= {path.name for path in folder.iterdir()}
    assert HELLO in (folder / "screen.txt").read_text()


def test_sample_of_the_manual_runs(run_elsewhere: Pytest, tmp_path: Path) -> None:
    sample, = re.findall(r"^```python\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
    done = run_elsewhere(sample)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout and not list((tmp_path / "runs").glob("faultline-*"))


def test_manual_names_everything() -> None:
    methods = {name for name in vars(VirtualMachine) if not name.startswith("_")}
    left_out = {"start", "close", "describe", "keep_remains"}
    assert not {name for name in methods - left_out if f"`{name}(" not in MANUAL}
    parameters = set(signature(Machines.boot).parameters) - {"self"}
    assert not {name for name in parameters if not re.search(rf"`{name}[`=]", MANUAL)}


# --- What remains of a machine that the harness has to end ----------------------------------------

def test_a_triple_fault_leaves_registers_and_stack_of_its_encore(build: Path, has_tests: bool,
                                                                 tmp_path: Path) -> None:
    """What a hang leaves is seen in test_backstop.py."""
    if not has_tests:
        pytest.skip("this kernel has no tests")
    done = subprocess.run(
        [sys.executable, str(ROOT / "harness/run.py"), "--no-build", "--build-dir", str(build),
         "--qemu", os.environ.get("FAULTLINE_QEMU", "qemu-system-x86_64"),
         "--kernel", str(build / "faultline-selftest.elf"), "--test", "opposite.triple_fault"],
        stdout=subprocess.DEVNULL, timeout=60, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 1
    encore, = tmp_path.glob("faultline-*/encore")
    assert {path.name for path in encore.iterdir()} == {"registers.txt", "stack.txt"}
    assert re.search(r"RIP=ffffffff8", (encore / "registers.txt").read_text())
