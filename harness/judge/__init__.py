# SPDX-License-Identifier: MIT
"""The judge: boots a kernel in QEMU, reads what it says, and believes what all evidence bears out.

model       what is known of tests and verdicts; no behaviour
elf         tests, build id and symbols out of the kernel's ELF file
protocol    bytes of COM2 in, events out
machine     the command line of QEMU
qemu        the process and its three channels
judge       evidence in, verdicts out: a pure function
runner      which boots there are, and what happens in each
symbolize   addresses to functions, files and lines
report      terminal, JSON, JUnit, TAP: the only module that prints
cli         options, exit statuses
"""
