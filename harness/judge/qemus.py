# SPDX-License-Identifier: MIT
"""Other versions of QEMU beside the system's: those of Debian's suites, unpacked into a cache.

Nothing is installed and nobody has to be root: apt works in a folder of its own, with a list of
packages of its own, and what it fetches is unpacked and never set up. QEMU runs with its own
suite's C library.
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
from typing import Iterator, List, Optional

from .model import Refusal

SUITES = ("bullseye", "bookworm", "trixie", "sid")  # QEMU 5.2, 7.2, 10.0, and the newest
PACKAGES = ("qemu-system-x86", "qemu-system-data", "seabios", "ipxe-qemu")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TOOLS = ("apt-get", "dpkg-deb")
PROGRAM = "qemu-system-x86_64"  # in a suite's folder: starts the unpacked one
FIRMWARE = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "faultline/qemu"


def provide(suite: str, cache: Path, mirror: Optional[str] = None) -> Path:
    """The QEMU of this suite, as a program; fetched if it is not in the cache."""
    program = cache / suite / PROGRAM
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
        yield


def _fetch(suite: str, cache: Path, mirror: Optional[str]) -> None:
    """All or nothing: what was cut short is begun anew."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise Refusal(f"QEMU is fetched and unpacked by {' and '.join(TOOLS)}, and there is no "
                          f"{tool}.")
    mirror = mirror or debian_mirror()
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{suite}-") as name:
        work = Path(name)
        for package in _download(suite, work / "apt", mirror):
            _run(["dpkg-deb", "--extract", str(package), str(work / "root")], suite)
        shutil.rmtree(work / "apt")
        place = cache / suite
        _write_program(work / PROGRAM, work / "root", place / "root")
        shutil.rmtree(place, ignore_errors=True)
        # The folder itself stays, as its context manager wants to remove it.
        place.mkdir()
        for each in work.iterdir():
            if each.name != PROGRAM:
                each.rename(place / each.name)
        (work / PROGRAM).rename(place / PROGRAM)  # last: from now on it counts


def _download(suite: str, folder: Path, mirror: str) -> List[Path]:
    """QEMU's packages with all that they depend on, as files."""
    if not KEYRING.exists():
        raise Refusal(f"There is no {KEYRING} to check Debian's packages with: "
                      "apt install debian-archive-keyring")
    for each in ("etc", "lists/partial", "archives/partial", "log"):
        (folder / each).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "etc/sources.list").write_text(
        f"deb [signed-by={KEYRING}] {mirror} {suite} main\n", encoding="utf-8")
    (folder / "apt.conf").write_text(
        f'Dir "{folder}";\nDir::State "{folder}";\nDir::State::status "{folder}/status";\n'
        f'Dir::Cache "{folder}";\nDir::Etc "{folder}/etc";\nDir::Log "{folder}/log";\n'
        'APT::Architecture "amd64";\nAPT::Architectures "amd64";\n'
        'APT::Install-Recommends "false";\n'
        'Acquire::Languages "none";\nAcquire::Check-Valid-Until "false";\n'
        'APT::Sandbox::User "root";\n', encoding="utf-8")
    apt = ["apt-get", "-qq", "--assume-yes"]
    _run([*apt, "update"], suite, folder / "apt.conf")
    _run([*apt, "install", "--download-only", *PACKAGES], suite, folder / "apt.conf")
    return sorted((folder / "archives").glob("*.deb"))


def _run(command: List[str], suite: str, apt_conf: Optional[Path] = None) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    if apt_conf is not None:
        environment["APT_CONFIG"] = str(apt_conf)
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Refusal(f"The QEMU of Debian's {suite} could not be had: {shlex.join(command)} "
                      f"ended with status {done.returncode}.",
                      done.stdout.decode("utf-8", "backslashreplace"))


def _write_program(path: Path, unpacked: Path, root: Path) -> None:
    """A script that starts what will lie in `root` with that suite's own libraries."""
    loaders = [each for library in LIBRARIES for each in [unpacked / library / LOADER]
               if each.exists()]
    binary = "usr/bin/qemu-system-x86_64"
    if not loaders or not (unpacked / binary).exists():
        raise Refusal("Debian's packages do not hold the QEMU that was expected.")
    loader = root / loaders[0].relative_to(unpacked)
    libraries = ":".join(str(root / each) for each in LIBRARIES)
    firmware = " ".join(f"-L {shlex.quote(str(root / each))}" for each in FIRMWARE)
    modules = root / "usr/lib/x86_64-linux-gnu/qemu"
    path.write_text(
        f"#!/bin/sh\nQEMU_MODULE_DIR={shlex.quote(str(modules))}\nexport QEMU_MODULE_DIR\n"
        f"exec {shlex.quote(str(loader))} --library-path {shlex.quote(libraries)} "
        f'{shlex.quote(str(root / binary))} {firmware} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
