# SPDX-License-Identifier: MIT
"""The command line of QEMU for one boot: a pure function of the machine and of what it shall run.

The fast way is a direct boot (PVH) on a PC without what costs time, with qboot as firmware: 25 ms
of CPU instead of 58 with SeaBIOS, 200 with GRUB and 1,200 with GRUB under UEFI. Spelled so that
QEMU 5.2 to 11 take it.
"""
from __future__ import annotations

import enum
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Tuple

from . import exact
from .model import Accel, Needs, Refusal
from .program import first_words, why_not_run
from .terms import version_of

FW_CFG_NAME = "opt/faultline/ktest"
EXIT_DEVICE = "isa-debug-exit,iobase=0xf4,iosize=0x04"
LEAN_PC = "pc,hpet=off,vmport=off"
NO_ACPI = "acpi=off"
NO_APIC = "-apic"
QBOOT_MACHINES = ("pc", "q35", "microvm")

# Names of the channels, and of their files in the run's folder.
CONSOLE = "com1"
PROTOCOL = "com2"
MONITOR = "qmp"
QEMU_LOG = "qemu.log"

# TCG logs a triple fault. KVM only gives the CPU back for KVM_EXIT_SHUTDOWN, 8, and to QEMU that is
# a reset like any other; so where it matters, each such exit is logged, a line for every byte that
# the kernel sends.
TRIPLE_FAULT = re.compile(r"Triple fault|kvm_run_exit cpu_index \d+, reason 8\n")

VERSION = re.compile(rb"QEMU emulator version (\d{1,4})\.(\d{1,4})")
VERSION_SECONDS = 5.0
VERSION_BYTES = 4096


# The firmware for UEFI, where Debian, Fedora, Arch and QEMU itself have it.
UEFI_FIRMWARE = (
    "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
    "/usr/share/qemu/edk2-x86_64-code.fd", "/usr/local/share/qemu/edk2-x86_64-code.fd")

# It waits 1.5 s for a TPM that is not there: where nobody answers, QEMU reads zeros, and only ones
# tell it so (edk2, TisPcPresenceCheck in Tpm12DeviceLibDTpm). Until it gives them their own places,
# registers of the VGA that read as ones lie where a TPM's would: the third base address, and the
# leave to answer there, by PCI's ports. Lines for QEMU's monitor, before the machine runs.
TPM_ADDRESS = 0xFED40000
VGA_SLOT = 2
HIDE_THE_TPM = (
    f"o /w 0xcf8 {0x80000018 | VGA_SLOT << 11:#x}", f"o /w 0xcfc {TPM_ADDRESS:#x}",
    f"o /w 0xcf8 {0x80000004 | VGA_SLOT << 11:#x}", "o /h 0xcfc 2")


class BootWay(enum.Enum):
    DIRECT = "direct"
    GRUB = "grub"  # by the BIOS
    UEFI = "uefi"  # and GRUB

    @property
    def uses_image(self) -> bool:
        return self is not BootWay.DIRECT


@dataclass(frozen=True)
class Machine:
    """What the user asked for. An empty model stands for the leanest one that does."""

    kernel: Path
    iso: Path
    qemu: str = "qemu-system-x86_64"
    way: BootWay = BootWay.DIRECT
    model: str = ""
    cpu: str = "max"
    memory: str = "128M"
    accel: str = "tcg"
    has_qboot: bool = True
    has_loader: bool = False  # GRUB may be used for a test that needs it, whatever the way
    reboots: bool = False  # where a reset is not the end
    has_exit_device: bool = True
    arguments: Tuple[str, ...] = ()  # for the kernel, behind the harness's own
    extra: Tuple[str, ...] = ()
    seed: Optional[int] = None  # of a run that can be repeated to the byte
    is_disturbed: bool = False  # from outside, at a time that is the host's

    @property
    def accelerator(self) -> Accel:
        counts = self.seed is not None or "-icount" in self.extra or "--icount" in self.extra
        return Accel.ICOUNT if counts else Accel[self.accel.upper()]

    @property
    def is_exact(self) -> bool:
        """Whether a boot of it says the same each time."""
        return self.seed is not None and not self.is_disturbed and not self.way.uses_image

    @property
    def is_microvm(self) -> bool:
        return self.model.partition(",")[0] == "microvm"

    def for_needs(self, needs: Needs) -> "Machine":
        """This one, or where it has to be, the same with the slow way to boot."""
        if self.way.uses_image or Needs.LOADER not in needs:
            return self
        can_boot = self.has_loader and not self.is_microvm  # that has no drive
        return replace(self, way=BootWay.GRUB) if can_boot else self

    def offers(self, needs: Needs) -> Needs:
        """What of these needs this machine has. Through GRUB there is always a VGA, but under UEFI
        it has no text mode."""
        lacking = Needs(0)
        if self.cpu != "max":
            lacking |= Needs.FULL_CPU
        if NO_APIC in self.cpu.split(","):
            lacking |= Needs.APIC
        if NO_ACPI in self.model.split(","):
            lacking |= Needs.ACPI
        if self.is_microvm or self.way is BootWay.UEFI:
            lacking |= Needs.VGA
        if self.is_microvm:
            lacking |= Needs.PC
        if not self.way.uses_image:
            return needs & ~(lacking | Needs.LOADER)
        return (needs | Needs.VGA | Needs.LOADER) & ~lacking

    def executable(self) -> str:
        path = shutil.which(self.qemu)
        if path is None:
            raise Refusal(f"QEMU did not start: {_why_no_program(self.qemu)}. "
                          "Install it (apt install qemu-system-x86) or name it with --qemu.")
        return path

    def version(self) -> int:
        """100 * major + minor. Costs 15 ms, so only tests with quirks have it asked for."""
        path = self.executable()
        try:
            said = first_words([path, "--version"], VERSION_SECONDS, VERSION_BYTES)
        except OSError as error:
            raise Refusal(f"QEMU did not start: {why_not_run(path, error)}") from error
        match = VERSION.match(said)
        if match is None:
            raise Refusal(f"{path} is no QEMU: its --version does not tell QEMU's version. "
                          "Name another with --qemu.", said.decode("utf-8", "backslashreplace"))
        return version_of((int(match[1]), int(match[2])))

    def why_no_qemu(self) -> str:
        """Why the program is no QEMU, if it is none."""
        try:
            self.version()
        except Refusal as refusal:
            return str(refusal)
        return ""

    def command(self, folder: Path, arguments: str, have: Needs, traces_exits: bool = False,
                is_encore: bool = False) -> List[str]:
        """One boot, with its files and sockets in `folder`; it waits for somebody who watches. An
        encore logs exceptions, and keeps the dead machine."""
        return [
            self.executable(), "-no-user-config", "-nodefaults", "-display", "none",
            *([] if self.reboots else ["-no-reboot"]),
            *self._model(have), "-cpu", self.cpu, "-m", self.memory, "-accel", self.accel,
            *self._payload(),
            *(word for port in (CONSOLE, PROTOCOL)
              for word in ("-chardev", f"pipe,id={port},path={_escape(folder / port)}")),
            "-chardev", f"socket,id={MONITOR},path={_escape(folder / MONITOR)}",
            "-mon", f"chardev={MONITOR},mode=control",
            *self._serial_ports(),
            *(["-device", EXIT_DEVICE] if self.has_exit_device else []),
            *_fw_cfg(arguments),
            "-d", "cpu_reset,int" if is_encore else "cpu_reset", "-D", str(folder / QEMU_LOG),
            "-S", *(["-no-shutdown"] if is_encore else []),
            *(["-trace", "kvm_run_exit"] if traces_exits and self.accelerator is Accel.KVM else []),
            *self._exactness(folder, is_encore), *self.extra,
        ]

    def _exactness(self, folder: Path, is_encore: bool) -> List[str]:
        if self.seed is None:
            return []
        is_recorded = self.is_exact and not is_encore
        recording = _escape(folder / exact.RECORDING) if is_recorded else ""
        return exact.arguments(self.seed, recording)

    def _model(self, have: Needs) -> List[str]:
        has_vga = Needs.VGA in have
        lean = LEAN_PC if not self.way.uses_image and not has_vga else "pc"
        if lean == LEAN_PC and Needs.ACPI not in have:
            lean += f",{NO_ACPI}"
        model = ["-M", self.model or lean]
        name = self.model.partition(",")[0] or "pc"
        if self.way is BootWay.UEFI:  # with a framebuffer; tries all drives unless one has an index
            return [*model, "-device", f"VGA,addr={VGA_SLOT},edid=off",
                    "-global", "ide-cd.bootindex=0",
                    "-drive", f"if=pflash,format=raw,readonly=on,file={uefi_firmware()}"]
        # qboot has no code for a VGA and none for a CD-ROM.
        if self.has_qboot and name in QBOOT_MACHINES and not has_vga:
            model += ["-bios", "qboot.rom"]
        return [*model, "-vga", "std"] if has_vga else model

    def _payload(self) -> List[str]:
        if not self.way.uses_image:
            return ["-kernel", str(self.kernel)]
        return ["-cdrom", str(self.iso), "-boot", "d"]

    def _serial_ports(self) -> List[str]:
        first = ["-serial", f"chardev:{CONSOLE}"]
        if self.is_microvm:  # it has one serial port, and takes no notice of a second -serial
            return first + ["-device", f"isa-serial,iobase=0x2f8,irq=3,chardev={PROTOCOL}"]
        return first + ["-serial", f"chardev:{PROTOCOL}"]


def uefi_firmware() -> str:
    for path in UEFI_FIRMWARE:
        if Path(path).exists():
            return path
    raise Refusal("There is no firmware for UEFI: install it (apt install ovmf).")


def _fw_cfg(arguments: str) -> List[str]:
    """QEMU takes no file without content."""
    text = arguments.replace(",", ",,")
    return ["-fw_cfg", f"name={FW_CFG_NAME},string={text}"] if text else []


def _why_no_program(name: str) -> str:
    if "/" in name and Path(name).is_dir():
        return f"{name} is a folder"
    if "/" in name and Path(name).exists():
        return f"{name} is not executable"
    return f"there is no program {name}"


def _escape(path: Path) -> str:
    """A path as an option's value: QEMU reads a doubled comma as one."""
    return str(path).replace(",", ",,")
