#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one image on many machines, over versions of QEMU: harness/matrix.py --help."""
import sys

from run import main

sys.exit(main("judge.matrix"))
