#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes the code a little, again and again, to see whether a test notices: harness/mutate.py
--help."""
import sys

from run import main

sys.exit(main("mutation.command"))
