# SPDX-License-Identifier: MIT
"""Versions of QEMU out of Debian's packages: by an apt-get and a dpkg-deb that only play."""
from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List

import pytest

from judge import qemus
from judge.model import Refusal
from tests.conftest import HERE

APT = """#!/bin/sh
here=$(dirname "$0")
case "$*" in
*indextargets*) cat "$here/targets" ;;
*update*) echo update >> "$here/log"
    if [ -e "$here/no-network" ]; then echo 'E: no network'; exit 100; fi
    cat "$(dirname "$APT_CONFIG")/etc/sources.list" >> "$here/log" ;;
*install*) sleep 0.1
    if [ -e "$here/dies" ]; then kill -9 $PPID; sleep 0.5; fi
    touch "$(dirname "$APT_CONFIG")/archives/qemu.deb" ;;
esac
"""
# What it unpacks: a loader that starts what it is told to, and a QEMU that tells how it was called.
UNPACK = """#!/bin/sh
[ "$1" = --extract ] || exit 1
mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"
if [ -e "$(dirname "$0")/other-packages" ]; then exit; fi
printf '#!/bin/sh\\n[ "$1" = --library-path ] || exit 1; shift 2; exec "$@"\\n' \
    > "$3/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
printf '#!/bin/sh\\necho "QEMU emulator version 9.8.7" "$QEMU_MODULE_DIR" "$@"\\n' \
    > "$3/usr/bin/qemu-system-x86_64"
printf '#!/bin/sh\\necho "Bochs 9.8" "$BXSHARE" "$LTDL_LIBRARY_PATH" "$@"\\n' \\
    > "$3/usr/bin/bochs-bin"
chmod +x "$3"/usr/bin/* "$3"/usr/lib/*/ld-linux*
"""
TARGETS = ("Debian http://deb.example/debian-security\nDebian http://deb.example/debian/\n"
           "Others http://an.example/apt\n")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("apt-get", APT), ("dpkg-deb", UNPACK)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "targets").write_text(TARGETS)
    keyring = folder / "keyring.gpg"
    keyring.touch()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(qemus, "KEYRING", keyring)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """With a name that a shell would take apart."""
    return tmp_path / "a cache"


def said(program: Path) -> str:
    return subprocess.run([program, "-M", "a b"], stdout=subprocess.PIPE, text=True, check=True
                          ).stdout


def log(tools: Path) -> List[str]:
    path = tools / "log"
    return path.read_text().splitlines() if path.exists() else []


def left(cache: Path) -> List[str]:
    return sorted(path.name for path in cache.iterdir())


def test_bochs_is_fetched_from_the_suite_that_has_it(tools: Path, cache: Path) -> None:
    program = qemus.provide("bochs", cache)
    root = cache / "bochs/root"
    assert said(program) == (f"Bochs 9.8 {root}/usr/share/bochs {root}/usr/lib/bochs/plugins:{root}"
                             "/usr/lib/x86_64-linux-gnu/bochs/plugins -M a b\n")
    assert log(tools)[0] == "update" and " trixie main" in log(tools)[1]
    assert left(cache) == ["bochs", "bochs.lock"] and qemus.provide("bochs", cache) == program
    (tools / "no-network").touch()
    (cache / "bochs/bochs").unlink()
    with pytest.raises(Refusal, match="The Bochs of Debian's trixie could not be had: apt-get "):
        qemus.provide("bochs", cache)


def test_bochs_that_is_not_in_the_packages(tools: Path, cache: Path) -> None:
    (tools / "other-packages").touch()
    with pytest.raises(Refusal, match="do not hold the Bochs that was expected"):
        qemus.provide("bochs", cache)
    assert left(cache) == ["bochs.lock"]


def test_a_qemu_is_fetched_once(tools: Path, cache: Path) -> None:
    program = qemus.provide("trixie", cache)
    root = cache / "trixie/root"
    words = said(program)
    assert words.startswith("QEMU emulator version 9.8.7 ") and words.endswith(" -M a b\n")
    assert f"{root}/usr/lib/x86_64-linux-gnu/qemu " in words
    assert f"-L {root}/usr/share/qemu" in words
    assert qemus.provide("trixie", cache) == program
    assert log(tools) == [
        "update", f"deb [signed-by={tools}/keyring.gpg] http://deb.example/debian/ trixie main"]
    assert left(cache) == ["trixie", "trixie.lock"]
    assert left(cache / "trixie") == ["qemu-system-x86_64", "root"]


def test_a_mirror_that_is_named(tools: Path, cache: Path) -> None:
    (tools / "targets").write_text("")
    qemus.provide("sid", cache, "http://mirror.example/debian")
    assert log(tools)[1].endswith(" http://mirror.example/debian sid main")


def test_two_at_once_fetch_once(tools: Path, cache: Path) -> None:
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: qemus.provide("sid", cache), range(2)))
    assert log(tools).count("update") == 1 and len(set(paths)) == 1


def test_what_was_cut_short_is_begun_anew(tools: Path, cache: Path) -> None:
    (tools / "dies").touch()
    text = ("import sys; from pathlib import Path; from judge import qemus; "
            f"qemus.KEYRING = Path({str(qemus.KEYRING)!r}); "
            f"qemus.provide('sid', Path({str(cache)!r}))")
    done = subprocess.run([sys.executable, "-c", text], cwd=HERE.parent, check=False)
    assert done.returncode == -9 and len(left(cache)) == 2
    (tools / "dies").unlink()
    (cache / "sid/root").mkdir(parents=True)  # as if it had died a little later
    assert "9.8.7" in said(qemus.provide("sid", cache))
    assert left(cache) == ["sid", "sid.lock"]


@pytest.mark.parametrize("targets", ["", "Ubuntu http://ubuntu.example/ubuntu\n",
                                     "Debian http://deb.example/debian-security\n"])
def test_a_system_that_is_not_debian(targets: str, tools: Path, cache: Path) -> None:
    (tools / "targets").write_text(targets)
    with pytest.raises(Refusal, match="name a mirror of it with --mirror"):
        qemus.provide("sid", cache)


@pytest.mark.parametrize("tool", qemus.TOOLS)
def test_without_a_tool(tool: str, tools: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
                        ) -> None:
    (tools / tool).unlink()
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(Refusal, match=f"there is no {tool}"):
        qemus.provide("sid", cache, "http://mirror.example/debian")


def test_without_debians_keys(tools: Path, cache: Path) -> None:
    qemus.KEYRING.unlink()
    with pytest.raises(Refusal, match="apt install debian-archive-keyring"):
        qemus.provide("sid", cache)
    assert log(tools) == []


def test_packages_that_do_not_come(tools: Path, cache: Path) -> None:
    (tools / "no-network").touch()
    with pytest.raises(Refusal, match="The QEMU of Debian's sid could not be had: apt-get -qq "
                                      "--assume-yes update ended with status 100") as caught:
        qemus.provide("sid", cache)
    assert caught.value.log == "E: no network\n" and caught.value.status == 99
    assert left(cache) == ["sid.lock"]


def test_packages_without_a_qemu(tools: Path, cache: Path) -> None:
    (tools / "other-packages").touch()
    with pytest.raises(Refusal, match="do not hold the QEMU that was expected"):
        qemus.provide("sid", cache)
    assert left(cache) == ["sid.lock"]


def test_where_versions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert qemus.default_cache() == Path("/cache/faultline/qemu")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert qemus.default_cache() == Path("/home/me/.cache/faultline/qemu")
