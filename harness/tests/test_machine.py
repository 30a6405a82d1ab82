# SPDX-License-Identifier: MIT
"""The command line of QEMU, for each kind of machine; and which tests go into which boot."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

import pytest

from judge import machine as machines
from judge.machine import TRIPLE_FAULT, BootWay, Machine
from judge.model import Accel, Isolation, Needs, Outcome, OutcomeKind, Quirk, Refusal, Test
from judge.runner import plan
from judge.selection import select, selector
from tests.proves import proves

MACHINE = Machine(Path("/k.elf"), Path("/k.iso"), qemu="sh")  # any program that exists


def command(machine: Machine, have: Needs = Needs(0), arguments: str = "a=b,c") -> List[str]:
    return machine.command(Path("/run,1"), arguments, have)


def value(words: List[str], option: str) -> List[str]:
    return [words[index + 1] for index, word in enumerate(words[:-1]) if word == option]


def test_the_lean_machine() -> None:
    words = command(MACHINE)
    assert "-S" in words  # until somebody watches
    assert value(words, "-M") == ["pc,hpet=off,vmport=off,acpi=off"]
    assert value(words, "-bios") == ["qboot.rom"]
    assert value(words, "-kernel") == ["/k.elf"]
    assert value(words, "-serial") == ["chardev:com1", "chardev:com2"]
    assert {"-nodefaults", "-no-reboot"} <= set(words) and "-vga" not in words


def test_what_a_script_may_want_otherwise() -> None:
    words = command(replace(MACHINE, reboots=True, has_exit_device=False), arguments="")
    assert not {"-no-reboot", "-fw_cfg", "isa-debug-exit,iobase=0xf4,iosize=0x04"} & set(words)


def test_an_encore_logs_exceptions_and_keeps_the_dead() -> None:
    words = MACHINE.command(Path("/run"), "a=b", Needs(0), is_encore=True)
    assert "-no-shutdown" in words and value(words, "-d") == ["cpu_reset,int"]
    assert "-no-shutdown" not in command(MACHINE) and value(command(MACHINE), "-d") == ["cpu_reset"]


def test_a_screen_needs_seabios() -> None:
    words = command(MACHINE, Needs.VGA)
    assert value(words, "-vga") == ["std"] and value(words, "-M") == ["pc"]
    assert "-bios" not in words


def test_grub_boots_the_iso() -> None:
    machine = replace(MACHINE, way=BootWay.GRUB)
    assert machine.offers(Needs(0)) == Needs.VGA | Needs.LOADER
    words = command(machine, machine.offers(Needs(0)))
    assert value(words, "-cdrom") == ["/k.iso"]
    assert "-kernel" not in words and "-bios" not in words


def test_uefi_boots_the_iso_with_its_own_firmware(tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = tmp_path / "code.fd"
    firmware.touch()
    monkeypatch.setattr(machines, "UEFI_FIRMWARE", (str(tmp_path / "none.fd"), str(firmware)))
    words = command(replace(MACHINE, way=BootWay.UEFI))
    assert value(words, "-cdrom") == ["/k.iso"] and "VGA,addr=2,edid=off" in words
    assert f"if=pflash,format=raw,readonly=on,file={firmware}" in value(words, "-drive")
    assert "-kernel" not in words and "-bios" not in words
    firmware.unlink()
    with pytest.raises(Refusal, match="no firmware for UEFI.*apt install ovmf"):
        command(replace(MACHINE, way=BootWay.UEFI))


ALL = Needs.VGA | Needs.FULL_CPU | Needs.ACPI | Needs.APIC | Needs.LOADER | Needs.PC


@pytest.mark.parametrize("changes, lacking", [
    ({}, Needs.LOADER), ({"cpu": "qemu64"}, Needs.LOADER | Needs.FULL_CPU),
    ({"cpu": "max,-apic"}, Needs.LOADER | Needs.FULL_CPU | Needs.APIC),
    ({"model": "pc,acpi=off"}, Needs.LOADER | Needs.ACPI),
    ({"model": "microvm"}, Needs.LOADER | Needs.VGA | Needs.PC),
    ({"way": BootWay.GRUB}, Needs(0)),
    ({"way": BootWay.UEFI}, Needs.VGA),  # there is no text mode
    ({"way": BootWay.GRUB, "model": "pc,acpi=off"}, Needs.ACPI)])
def test_what_a_machine_lacks(changes: Dict[str, Any], lacking: Needs) -> None:
    assert replace(MACHINE, **changes).offers(ALL) == ALL & ~lacking


def test_a_machine_has_no_more_than_is_needed() -> None:
    """What costs nothing, or comes with the way to boot, is there all the same."""
    assert value(command(MACHINE, Needs.ACPI), "-M") == ["pc,hpet=off,vmport=off"]
    assert value(command(MACHINE, Needs.ACPI), "-bios") == ["qboot.rom"]
    assert value(command(MACHINE, Needs.APIC), "-M") == value(command(MACHINE), "-M")


def test_grub_is_used_where_it_is_needed_and_there() -> None:
    with_iso = replace(MACHINE, has_loader=True)
    assert with_iso.for_needs(Needs.LOADER).way is BootWay.GRUB
    for machine, needs in ((with_iso, Needs.VGA), (MACHINE, Needs.LOADER),
                           (replace(with_iso, model="microvm"), Needs.LOADER)):
        assert machine.for_needs(needs) is machine
    grub = replace(with_iso, way=BootWay.GRUB)
    assert grub.for_needs(Needs.LOADER) == grub == grub.for_needs(Needs(0))
    uefi = replace(with_iso, way=BootWay.UEFI)
    assert uefi.for_needs(Needs.LOADER) == uefi


def test_microvm_has_a_second_port_of_its_own() -> None:
    machine = replace(MACHINE, model="microvm,acpi=off")
    words = command(machine)
    assert machine.offers(Needs.VGA) == Needs(0)
    assert value(words, "-M") == ["microvm,acpi=off"]
    assert value(words, "-serial") == ["chardev:com1"]
    assert "isa-serial,iobase=0x2f8,irq=3,chardev=com2" in value(words, "-device")


def test_commas_are_doubled() -> None:
    words = command(MACHINE)
    assert value(words, "-fw_cfg") == ["name=opt/faultline/ktest,string=a=b,,c"]
    assert {"pipe,id=com1,path=/run,,1/com1", "pipe,id=com2,path=/run,,1/com2"} <= set(
        value(words, "-chardev"))


@proves("4.4.3")
def test_the_user_s_arguments_come_last() -> None:
    assert command(replace(MACHINE, extra=("-smp", "2")))[-2:] == ["-smp", "2"]


def test_kvm_is_asked_why_it_gave_the_cpu_back() -> None:
    kvm = replace(MACHINE, accel="kvm")
    words = kvm.command(Path("/run"), "", Needs(0), traces_exits=True)
    assert value(words, "-trace") == ["kvm_run_exit"]
    assert "-trace" not in command(kvm)
    assert "-trace" not in MACHINE.command(Path("/run"), "", Needs(0), traces_exits=True)
    assert TRIPLE_FAULT.search("kvm_run_exit cpu_index 0, reason 8\n")
    assert not TRIPLE_FAULT.search("kvm_run_exit cpu_index 0, reason 2\n")


def test_without_qboot() -> None:
    assert "-bios" not in command(replace(MACHINE, has_qboot=False))


def test_no_such_qemu() -> None:
    with pytest.raises(Refusal, match="QEMU did not start: there is no program nosuch"):
        command(replace(MACHINE, qemu="nosuch"))


def named(*names: str) -> List[Test]:
    return [Test(suite, name) for suite, name in (each.split(".") for each in names)]


TESTS = named("gdt.is_loaded", "gdt.null", "idt.is_loaded", "idt.wide")


@pytest.mark.parametrize("globs, names", [
    ([], ["gdt.is_loaded", "gdt.null", "idt.is_loaded", "idt.wide"]),
    (["is_loaded"], ["gdt.is_loaded", "idt.is_loaded"]),
    (["gdt.*"], ["gdt.is_loaded", "gdt.null"]),
    (["nul?", "w*"], ["gdt.null", "idt.wide"]),
    (["?dt.is_loaded"], ["gdt.is_loaded", "idt.is_loaded"]),
    (["gdt"], []), (["GDT.*"], []), (["[gi]dt.null"], []), (["gdt.nul"], []), (["gdt+null"], [])])
def test_globs(globs: List[str], names: List[str]) -> None:
    assert [test.full_name for test in select(TESTS, globs)] == names


def test_the_kernel_s_selection_knows_parameters() -> None:
    tests = [Test("s", "p", index=index) for index in range(3)] + [Test("s", "q"), Test("s", "r")]
    assert selector(tests[:4], tests) == "s.p,s.q"
    assert selector(tests[1:3], tests) == "s.p/1,s.p/2"
    for words in ("s.p,s.q", "s.p/1,s.p/2"):
        assert selector(select(tests, words.split(",")), tests) == words


def test_the_version_is_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "qemu"
    script.write_text("#!/bin/sh\necho \"QEMU emulator version $VERSION\"\n")
    script.chmod(0o755)
    machine = replace(MACHINE, qemu=str(script))
    with pytest.raises(Refusal, match="does not tell QEMU's version"):
        machine.version()
    script.write_text("#!/bin/sh\necho 'QEMU emulator version 10.0.2 (Debian 1:10)'\n")
    assert machine.version() == 1000


def test_the_kernel_s_selection_is_exact_and_short() -> None:
    assert selector(TESTS, TESTS) == ""
    assert selector(TESTS[:3], TESTS) == "gdt.*,idt.is_loaded"
    assert selector(TESTS[1:2], TESTS) == "gdt.null"


def test_boots() -> None:
    shared, alone, screen = named("a.shared", "a.alone", "a.screen")
    alone = replace(alone, isolation=Isolation.BOOT)
    screen = replace(screen, needs=Needs.VGA)
    boots = plan([shared, alone, screen], MACHINE, isolates_all=False)
    assert [(boot.tests, boot.facts.have) for boot in boots] == [
        ((shared, screen), Needs.VGA), ((alone,), Needs(0))]
    dies = replace(named("a.dies")[0], outcome=Outcome(OutcomeKind.TRIPLE_FAULT))
    spared = replace(dies, name="spared", quirks=(Quirk(Outcome(), Accel.TCG, skip="old"),))
    boots = plan([dies, shared, spared], MACHINE, isolates_all=False, version=702)
    assert [(boot.tests, boot.facts.version, boot.ends_in_triple_fault) for boot in boots] == [
        ((shared, spared), 702, False), ((dies,), None, True)]
    loader = replace(named("a.loader")[0], needs=Needs.LOADER)
    with_iso = replace(MACHINE, has_loader=True)
    boots = plan([loader, shared, alone], with_iso, isolates_all=False)
    assert [(boot.tests, boot.machine.way) for boot in boots] == [
        ((shared,), BootWay.DIRECT), ((loader,), BootWay.GRUB), ((alone,), BootWay.DIRECT)]
    assert boots[1].facts.have == Needs.VGA | Needs.LOADER
    boots = plan([loader, shared], MACHINE, isolates_all=False)
    assert [(boot.tests, boot.facts.have) for boot in boots] == [((loader, shared), Needs(0))]
    boots = plan([loader, shared], replace(with_iso, way=BootWay.GRUB), isolates_all=False)
    assert [boot.tests for boot in boots] == [(loader, shared)]
    boots = plan([shared, screen], MACHINE, isolates_all=True)
    assert [boot.tests for boot in boots] == [(shared,), (screen,)]
