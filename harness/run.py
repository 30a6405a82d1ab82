#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the kernel in QEMU and judges its tests from outside: harness/run.py --help.

Runs in place, from any folder. Where this interpreter lacks the modules that are needed, the
system's own may have them: that one is tried once.
"""
import importlib
import importlib.util
import os
import signal
import sys

SYSTEM_PYTHON = "/usr/bin/python3"
MODULES = {"pexpect": "python3-pexpect", "elftools": "python3-pyelftools"}


def main(module: str = "judge.cli") -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback, as long as nothing has begun
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing and sys.executable != SYSTEM_PYTHON and os.access(SYSTEM_PYTHON, os.X_OK):
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])
    if missing:
        packages = " ".join(MODULES[name] for name in missing)
        print(f"faultline: Python has no module {' and no '.join(missing)}: apt install {packages}",
              file=sys.stderr)
        return 99
    status: int = importlib.import_module(module).main()
    return status


if __name__ == "__main__":
    sys.exit(main())
