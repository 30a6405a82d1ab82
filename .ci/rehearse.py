#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a job of a workflow here, step by step, in a clean root of Debian: .ci/rehearse.py --help.

A job in a container gets the root of the Debian that it names, as the superuser; one on a runner
gets Debian's bookworm in place of Ubuntu, as a user who may use sudo. Each step has namespaces of
its own for mounts, processes and host name: whatever it leaves behind ends with it.

 0  each step did what it should       1  one did not
 2  wrong usage                      99  the root could not be made, or the job is not understood
"""
from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from runner import Runner
from workflows import Job, Unclear, read_workflow

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = "bookworm"  # for Ubuntu
USER = "runner"
RUNNER_HAS = "sudo,git,ca-certificates"  # of what runners have, what no step installs
RELEASES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
SUITES = ("bullseye", "bookworm", "trixie", "sid")
CERTIFICATES = "NODE_EXTRA_CA_CERTS"  # of a network whose servers have others than everybody's

# In namespaces of its own: what a container has of devices, then the step.
SCRIPT = r"""
set -eu
root=$1 user=$2 folder=$3
shift 3
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
exec chroot --userspec="$user" "$root" /usr/bin/env -i -C "$folder" "$@"
"""


class CleanRoot:
    """A root of a Debian suite with the repository in it; gone when the job is over."""

    temp = "/home/runner/work/_temp"
    workspace = "/home/runner/work/faultline/faultline"

    def __init__(self, root: Path, user: str) -> None:
        self._root = root
        self._user = user
        self._env = {"HOME": "/root" if user == "root" else f"/home/{user}", "USER": user,
                     "LANG": "C.UTF-8",
                     "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        if CERTIFICATES in os.environ:
            target = root / "etc/ssl/rehearsal.pem"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.environ[CERTIFICATES], target)
            self._env[CERTIFICATES] = "/etc/ssl/rehearsal.pem"

    def outside(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def execute(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        words = [f"{name}={value}" for name, value in {**self._env, **env}.items()]
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--",
             "sh", "-c", SCRIPT, "sh", str(self._root), self._user, self.workspace, *words,
             *command], stdin=subprocess.DEVNULL, check=False).returncode

    def prepare(self) -> None:
        """The repository's files as they are in this checkout, of whoever runs the steps."""
        for folder in (self.temp, self.workspace):
            self.outside(folder).mkdir(parents=True)
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
            check=True, capture_output=True).stdout
        archive = subprocess.run(["tar", "--create", "--null", "--files-from=-"], cwd=ROOT,
                                 input=names, check=True, capture_output=True).stdout
        subprocess.run(["tar", "--extract", "--no-same-owner", "--directory",
                        str(self.outside(self.workspace))], input=archive, check=True)
        shutil.copy("/etc/resolv.conf", self.outside("/etc/resolv.conf"))
        self.outside("/etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
        if self._user != "root":
            self._add_user()

    def _add_user(self) -> None:
        (self.outside("/etc/sudoers.d") / USER).write_text(f"{USER} ALL=(ALL) NOPASSWD:ALL\n")
        for command in (["useradd", "--home-dir", f"/home/{USER}", USER],
                        ["git", "init", "--quiet", self.workspace],
                        ["git", "-C", self.workspace, "add", "--all"],
                        ["chown", "-R", f"{USER}:{USER}", f"/home/{USER}"]):
            subprocess.run(["chroot", str(self._root), *command], check=True)


def suite_of(job: Job, values: Mapping[str, str]) -> str:
    """The Debian that stands for where this job runs."""
    if not job.container:
        return STAND_IN
    name = job.container
    for axis, value in values.items():
        name = name.replace("${{ matrix.%s }}" % axis, value)
    distribution, _, tag = name.partition(":")
    suite = RELEASES.get(tag, tag)
    if distribution != "debian" or suite not in SUITES:
        raise Unclear(f"there is no clean root here for the container {name}")
    return suite


def provide(suite: str, user: str, cache: Path) -> Path:
    """An archive of a root of this suite: like Debian's own images, or a little like a runner."""
    archive = cache / (f"{suite}.tar" if user == "root" else f"{suite}-{user}.tar")
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        print(f"rehearse: making a root of {suite}", flush=True)
        part = archive.with_suffix(".part.tar")
        made = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase",
             *([] if user == "root" else [f"--include={RUNNER_HAS}"]),
             '--aptopt=Acquire::Check-Valid-Until "false"', suite, str(part)],
            stdin=subprocess.DEVNULL, check=False)
        if made.returncode != 0:
            part.unlink(missing_ok=True)
            raise Unclear(f"mmdebstrap could not make a root of {suite}")
        part.rename(archive)
    return archive


def choose(job: Job, wanted: Mapping[str, str]) -> Dict[str, str]:
    """The first combination of the matrix with these values."""
    for values in job.combinations():
        if wanted.items() <= values.items():
            return values
    axes = "; ".join(f"{axis}={'|'.join(values)}" for axis, values in job.matrix.items())
    raise Unclear(f"the job {job.id} has no such combination: its matrix is {axes or 'empty'}")


def rehearse(options: argparse.Namespace) -> int:
    workflow = read_workflow(ROOT / f".github/workflows/{options.workflow}.yml")
    job = workflow.job(options.job)
    values = choose(job, dict(word.partition("=")[::2] for word in options.values))
    suite = suite_of(job, values)
    user = "root" if job.container else USER
    said = " ".join(f"{axis}={value}" for axis, value in values.items())
    print(f"rehearse: {options.workflow}, job {job.id} {said}: {suite}, as {user}"
          f"{'' if job.container else f' in place of {job.runs_on}'}", flush=True)
    archive = provide(suite, user, options.cache)
    with tempfile.TemporaryDirectory(prefix="faultline-root-", dir=options.cache) as name:
        os.chmod(name, 0o755)
        subprocess.run(["tar", "--extract", "--same-owner", "--preserve-permissions", "--directory",
                        name, "--file", str(archive)], check=True)
        place = CleanRoot(Path(name), user)
        place.prepare()
        done = Runner(place, ROOT, options.artifacts, lambda text: print(text, flush=True),
                      dict(word.partition("=")[::2] for word in options.env)
                      ).run(workflow, job, values)
    bad = [each.title for each in done if each.outcome == "failure"]
    print(f"rehearse: {job.id} {said}: {len(done)} steps, "
          f"{'failed: ' + ', '.join(bad) if bad else 'none failed'}")
    return 1 if bad else 0


def options_of(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faultline/roots"
    parser = argparse.ArgumentParser(
        prog=".ci/rehearse.py", description="Runs a job of a workflow here, in a clean root.")
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("values", metavar="AXIS=VALUE", nargs="*",
                        help="which of its matrix; otherwise the first")
    parser.add_argument("--workflow", metavar="NAME", default="ci", help="default: ci")
    parser.add_argument("--env", metavar="NAME=VALUE", action="append", default=[],
                        help="over what the workflow says: to make a long job short")
    parser.add_argument("--artifacts", metavar="DIR", type=Path,
                        default=ROOT / "build-rehearsal/artifacts",
                        help="where jobs leave artifacts for later ones; default: %(default)s")
    parser.add_argument("--cache", metavar="DIR", type=Path, default=cache,
                        help="where roots are kept; default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = options_of(arguments)
    missing: List[str] = [name for name in ("mmdebstrap", "unshare", "chroot", "git")
                          if shutil.which(name) is None]
    if missing:
        print(f"rehearse: there is no {', no '.join(missing)}: apt-get install mmdebstrap "
              "util-linux coreutils git", file=sys.stderr)
        return 99
    if os.geteuid() != 0:
        print("rehearse: only the superuser may make a root: sudo .ci/rehearse.py …",
              file=sys.stderr)
        return 99
    try:
        return rehearse(options)
    except Unclear as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return 99


if __name__ == "__main__":
    sys.exit(main())
