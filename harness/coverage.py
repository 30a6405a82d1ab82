#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What of the kernel its tests run: harness/coverage.py --help."""
import sys

from run import main

sys.exit(main("judge.coverage"))
