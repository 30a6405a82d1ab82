# SPDX-License-Identifier: MIT
"""The judge: boots a kernel in QEMU, reads what it says, and believes what all evidence bears out.

model       what is known of tests and verdicts; no behaviour
order       the order of the tests, by name or by a seed
terms       what a test has to do on one machine: needs and quirks
elf         tests, build id and symbols out of the kernel's ELF file
protocol    bytes of COM2 in, events out
program     other programs, whatever they are
machine     the command line of QEMU
qemu        the process and its three channels
screen      what a VGA shows
look        registers, memory and screen of a machine that lives
watch       one boot as it happens: the clock, and when to step in
evidence    what is known of a boot, and what is made of it
sweep       runs of a test with one of its allocations failing
outcomes    how a test ended, against how it declares to end
verdicts    one verdict for one test, of the guest's opinion and the host's
start       whether the machine that was asked for came to run at all
judge       evidence in, verdicts out: a pure function
crew        boots side by side, judgements in order
runner      which boots there are
bochs       runs in Bochs, which is no QEMU
kvm         whether KVM can be used
sieve       what comes before a stream that others have written down
serial_line a machine behind a serial line, as channels
told        what a kernel was told that somebody else has booted
foreign     runs on a serial line and in logs
gdb_script  where gdb has to stop, and what it shows there
debugger    a boot under gdb
rounds      the same tests again and again
bisection   which tests make another one fail behind them
reset       which exceptions led to a triple fault
source      the lines around a failed check
memory      what failed the last time
durations   the slowest tests and boots
symbolize   addresses to functions, files and lines
summary     what there is to tell of a whole run
card        the failure card
terminal    what people see: progress, cards, tables
data        a run as data
junit       a run as JUnit XML
github      a run for GitHub Actions: annotations, job summary
report      files for other programs, and TAP
vm          a machine that a test scripts
keys        what to press for what is to be typed
fixture     that machine for pytest
options     names and limits of the options
cli         what the command does, exit statuses
grid        the machines of the matrix, and few that meet each pair of properties
qemus       other versions of QEMU, fetched from Debian
table       what came of the machines of the matrix, as a page
matrix      the command that runs one image on many machines
"""
