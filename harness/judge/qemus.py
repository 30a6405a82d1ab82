# SPDX-License-Identifier: MIT
"""Other versions of QEMU beside the system's, those of Debian's suites, and Bochs: unpacked into a
cache.

Nothing is installed and nobody has to be root: apt works in a folder of its own, with a list of
packages of its own, and what it fetches is unpacked and never set up. Each program runs with its
own suite's C library.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator, List, Mapping, Optional, Sequence

from .model import Refusal

SUITES = ("bullseye", "bookworm", "trixie", "sid")  # QEMU 5.2, 7.2, 10.0, and the newest
PACKAGES = ("qemu-system-x86", "qemu-system-data", "seabios", "ipxe-qemu")
BOCHS = "bochs"  # in place of a suite
BOCHS_SUITE = "trixie"
BOCHS_PACKAGES = ("bochs", "bochsbios", "vgabios", "bochs-term")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TOOLS = ("apt-get", "dpkg-deb")
PROGRAM = "qemu-system-x86_64"  # in a suite's folder: starts the unpacked one
BOCHS_PROGRAM = "usr/bin/bochs-bin"
BOCHS_PLUGINS = ("usr/lib/bochs/plugins", "usr/lib/x86_64-linux-gnu/bochs/plugins")
FIRMWARE = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
# One of a sound library that Bochs's plugins want, without which it does not start.
BOCHS_LIBRARIES = (*LIBRARIES, "usr/lib/x86_64-linux-gnu/pulseaudio")
LOADER = "ld-linux-x86-64.so.2"


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "faultline/qemu"


def program_in(cache: Path, suite: str) -> Path:
    return cache / suite / (BOCHS if suite == BOCHS else PROGRAM)


def provide(suite: str, cache: Path, mirror: Optional[str] = None) -> Path:
    """The QEMU of this suite, or Bochs, as a program; fetched if it is not in the cache."""
    program = program_in(cache, suite)
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / f"{suite}.lock"):
        if not program.exists():
            for cut_short in cache.glob(f"{suite}-*"):
                shutil.rmtree(cut_short)
            _fetch(suite, cache, mirror)
    return program


def debian_mirror() -> str:
    """The one that this system's own packages come from."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    for line in sorted(set(said.stdout.splitlines())):
        origin, _, uri = line.partition(" ")
        if origin == "Debian" and "security" not in uri:
            return uri
    raise Refusal("This system's packages are not Debian's: name a mirror of it with --mirror.")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)  # an apt that outlives us keeps others waiting
        yield


def _fetch(suite: str, cache: Path, mirror: Optional[str]) -> None:
    """All or nothing: what was cut short is begun anew."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise Refusal(f"{_name(suite)} is fetched and unpacked by {' and '.join(TOOLS)}, and "
                          f"there is no {tool}.")
    mirror = mirror or debian_mirror()
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{suite}-") as name:
        work = Path(name)
        for package in _download(suite, work / "apt", mirror):
            _run(["dpkg-deb", "--extract", str(package), str(work / "root")], suite)
        shutil.rmtree(work / "apt")
        program = program_in(cache, suite)
        place = program.parent
        write = _write_bochs if suite == BOCHS else _write_qemu
        write(work / program.name, work / "root", place / "root")
        shutil.rmtree(place, ignore_errors=True)
        # The folder itself stays, as its context manager wants to remove it.
        place.mkdir()
        for each in work.iterdir():
            if each.name != program.name:
                each.rename(place / each.name)
        (work / program.name).rename(program)  # last: from now on it counts


def _name(suite: str) -> str:
    return "Bochs" if suite == BOCHS else "QEMU"


def _download(suite: str, folder: Path, mirror: str) -> List[Path]:
    """The packages with all that they depend on, as files."""
    packages = BOCHS_PACKAGES if suite == BOCHS else PACKAGES
    if not KEYRING.exists():
        raise Refusal(f"There is no {KEYRING} to check Debian's packages with: "
                      "apt install debian-archive-keyring")
    for each in ("etc", "lists/partial", "archives/partial", "log"):
        (folder / each).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "etc/sources.list").write_text(
        f"deb [signed-by={KEYRING}] {mirror} {_suite(suite)} main\n", encoding="utf-8")
    (folder / "apt.conf").write_text(
        f'Dir "{folder}";\nDir::State "{folder}";\nDir::State::status "{folder}/status";\n'
        f'Dir::Cache "{folder}";\nDir::Etc "{folder}/etc";\nDir::Log "{folder}/log";\n'
        'APT::Architecture "amd64";\nAPT::Architectures "amd64";\n'
        'APT::Install-Recommends "false";\n'
        'Acquire::Languages "none";\nAcquire::Check-Valid-Until "false";\n'
        'APT::Sandbox::User "root";\n', encoding="utf-8")
    apt = ["apt-get", "-qq", "--assume-yes"]
    _run([*apt, "update"], suite, folder / "apt.conf")
    _run([*apt, "install", "--download-only", *packages], suite, folder / "apt.conf")
    return sorted((folder / "archives").glob("*.deb"))


def _suite(suite: str) -> str:
    return BOCHS_SUITE if suite == BOCHS else suite


def _run(command: List[str], suite: str, apt_conf: Optional[Path] = None) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    if apt_conf is not None:
        environment["APT_CONFIG"] = str(apt_conf)
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          close_fds=False)
    if done.returncode != 0:
        raise Refusal(f"The {_name(suite)} of Debian's {_suite(suite)} could not be had: "
                      f"{shlex.join(command)} "
                      f"ended with status {done.returncode}.",
                      done.stdout.decode("utf-8", "backslashreplace"))


def _write_qemu(path: Path, unpacked: Path, root: Path) -> None:
    """A script that starts what will lie in `root` with that suite's own libraries."""
    firmware = " ".join(f"-L {shlex.quote(str(root / each))}" for each in FIRMWARE)
    modules = {"QEMU_MODULE_DIR": str(root / "usr/lib/x86_64-linux-gnu/qemu")}
    _write_script(path, modules, _start("QEMU", "usr/bin/qemu-system-x86_64", LIBRARIES, unpacked,
                                        root) + f" {firmware}")


def _write_bochs(path: Path, unpacked: Path, root: Path) -> None:
    """As for QEMU. $BXSHARE is for configurations to name the firmware by."""
    places = {"LTDL_LIBRARY_PATH": ":".join(str(root / each) for each in BOCHS_PLUGINS),
              "BXSHARE": str(root / "usr/share/bochs")}
    _write_script(path, places, _start("Bochs", BOCHS_PROGRAM, BOCHS_LIBRARIES, unpacked, root))


def _start(name: str, binary: str, libraries: Sequence[str], unpacked: Path, root: Path) -> str:
    loaders = [each for library in LIBRARIES for each in [unpacked / library / LOADER]
               if each.exists()]
    if not loaders or not (unpacked / binary).exists():
        raise Refusal(f"Debian's packages do not hold the {name} that was expected.")
    loader = root / loaders[0].relative_to(unpacked)
    path = ":".join(str(root / each) for each in libraries)
    return shlex.join([str(loader), "--library-path", path, str(root / binary)])


def _write_script(path: Path, variables: Mapping[str, str], start: str) -> None:
    settings = "".join(f"{name}={shlex.quote(value)}\nexport {name}\n"
                       for name, value in variables.items())
    path.write_text(f'#!/bin/sh\n{settings}exec {start} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
