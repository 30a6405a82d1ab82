# SPDX-License-Identifier: MIT
"""What an honest kernel writes on COM2, line by line; tests and fake QEMUs bend it from there.

It shares no code with the harness, and imports little: a fake QEMU starts as fast as a real one.
"""
from __future__ import annotations

import zlib
from itertools import groupby

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Sequence

    Test = Dict[str, Any]  # a row of the registry, which conftest.py writes

REGISTERS = " ".join(f"{name}=0x{number:x}" for number, name in enumerate(
    "rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15 cr0 cr3 cr4".split()))


def encode(text: str) -> str:
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
                   for byte in text.encode())


def fault_lines(test: Test, **changes: int) -> List[str]:
    """The declared fault, but for the changes."""
    values = {**test["fault"], **changes}
    line = ("    #:ktest_fault vector={vector} error=0x{error:x} rip=0x{rip:x} cs=0x8 rflags=0x2 "
            "rsp=0x1000 ss=0x10 cr2=0x{cr2:x} ist={ist} words=a%20fault%20in%20words")
    return [line.format(**values), *state_lines(values["rip"], test["caller"])]


def panic_lines(message: str) -> List[str]:
    line = (f"    #:ktest_panic message={encode(message)} file=kernel/mm/frame.c line=88 "
            "function=frame_free")
    return [line, *state_lines(0x1234, 0x5678)]


def state_lines(*addresses: int) -> List[str]:
    return [f"    #:ktest_registers {REGISTERS}",
            f"    #:ktest_backtrace pcs={','.join(map(hex, addresses))}"]


def armed_line() -> str:
    return "    #:ktest_armed file=kernel/a_test.c line=31"


def hang_lines(rip: int = 0x1234) -> List[str]:
    return [f"    #:ktest_hang timeout_ms=500 rip=0x{rip:x} rsp=0x1000 rflags=0x2",
            *state_lines(rip, 0x5678)]


def bench_line() -> str:
    return ("    #:ktest_bench turns=1000 samples=50 min=12.250 median=12.500 p90=13.125 "
            "max=20.000")


def rerun_lines(test: Test, nth: int, is_denied: bool = True) -> List[str]:
    """A run that goes well, with this allocation failing if it comes to that."""
    denied = [f"    #:ktest_denied nth={nth} caller=0x{test['caller']:x}"]
    return [f"    #:ktest_rerun test={test['name']} nth={nth}", *(denied if is_denied else [])]


def swept_line(test: Test, runs: int, asked: int) -> str:
    return f"    #:ktest_swept test={test['name']} runs={runs} asked={asked}"


def sweep_lines(test: Test, asked: int = 2) -> List[str]:
    runs = [rerun_lines(test, nth, nth <= asked) for nth in range(1, asked + 2)]
    return [*(line for lines in runs for line in lines), swept_line(test, asked + 1, asked)]


def all_sweep_lines(test: Test) -> List[str]:
    """Of a test that makes two allocations if it says that it makes any, else none."""
    asked, only = 2 if test.get("fail_nth") else 0, test.get("only")
    if only:
        return [*rerun_lines(test, only, only <= asked), swept_line(test, 1, asked)]
    return sweep_lines(test) if asked else [swept_line(test, 0, 0)] if test.get("sweeps") else []


def trap_lines(test: Test) -> List[str]:
    """What the guest reports of a declared end."""
    if test["outcome"] == "fault":
        return [armed_line(), *fault_lines(test)]
    if test["outcome"] == "panic":
        return [armed_line(), *panic_lines(test["panic"])]
    return [armed_line(), *hang_lines()] if test["outcome"] == "hang" else []


def inner_lines(test: Test) -> List[str]:
    return [*trap_lines(test), *([bench_line()] if test.get("bench") else []),
            *all_sweep_lines(test)]


CHECK = ("    #:ktest_check kind=expect file=kernel/lib/format_test.c line=88 left=n right=5 "
         "relation=== left_value=4 right_value=5 message=")


def verdict_of(test: Test) -> str:
    is_skip = test["test"].startswith("skips") or test.get("known_bug") or test.get("skip")
    return "skip" if is_skip else "pass"


def reason_of(test: Test) -> str:
    """Of a skip as it has to be."""
    if test.get("known_bug"):
        return f"known bug: {test['known_bug']}"
    return test.get("skip") or "for a reason"


def test_lines(number: int, test: Test, verdict: str = "", inside: Sequence[str] = (),
               reason: str = "", checks: int = 3) -> List[str]:
    """A test from its begin to its KTAP line."""
    verdict = verdict or verdict_of(test)
    reason = "" if verdict == "pass" else reason or reason_of(test)
    words = {"pass": "ok", "skip": "ok"}.get(verdict, "not ok")
    skip = f" # SKIP {reason}" if verdict == "skip" else ""
    lines = [f"    #:ktest_begin test={test['name']}"]
    lines += ["    #:ktest_param text=a%20parameter"] if "/" in test["name"] else []
    lines += inside
    if not inside and verdict == "pass":
        lines += inner_lines(test)
    elif not inside and test.get("known_bug"):
        lines.append(CHECK)
    lines.append(f"    #:ktest_end test={test['name']} verdict={verdict} checks={checks} "
                 f"cycles=1200 stack=512 recovery=0 reason={encode(reason)}")
    return [*lines, f"    {words} {number} {test['test']}{skip}"]


def good_lines(tests: Sequence[Test], registered: int, nonce: str, build_id: str,
               seed: str = "none") -> List[str]:
    """A whole run, up to the totals."""
    suites = [(name, list(members)) for name, members in groupby(
        tests, key=lambda test: str(test["suite"]))]
    lines = ["KTAP version 1",
             f"#:ktest_run protocol=2 nonce={nonce} build_id={build_id} tests={registered} "
             f"selected={len(tests)} seed={seed}",
             f"1..{len(suites)}"]
    for number, (suite, members) in enumerate(suites, 1):
        lines += ["    KTAP version 1", f"    # Subtest: {suite}", f"    1..{len(members)}"]
        for index, test in enumerate(members, 1):
            lines += test_lines(index, test)
        lines.append(f"ok {number} {suite}")
    return lines


def totals_line(above: Sequence[str], **changes: int) -> str:
    """The totals that fit these lines, but for the changes."""
    ends = [line for line in above if "#:ktest_end" in line]
    counts = {word: sum(f" verdict={word} " in line for line in ends)
              for word in ("pass", "skip", "fail", "error")}
    values = {"tests": len(ends), **counts, "stopped": 0, "lines": len(above),
              "crc32": zlib.crc32(to_bytes(above)), **changes}
    return "#:ktest_totals " + " ".join(
        f"{key}=0x{value:x}" if key == "crc32" else f"{key}={value}"
        for key, value in values.items())


def shuffled(tests: Sequence[Test], seed: int) -> List[Test]:
    """docs/protocol.md once more, in other words than the harness has for it."""
    def place(text: str) -> int:
        h = 0xCBF29CE484222325 ^ seed
        for byte in text.encode():
            h = ((h ^ byte) * 0x100000001B3) % 2**64
        h ^= h >> 33
        h = h * 0xFF51AFD7ED558CCD % 2**64
        h ^= h >> 33
        h = h * 0xC4CEB9FE1A85EC53 % 2**64
        return h ^ h >> 33

    return sorted(tests, key=lambda test: (
        place(test["suite"]), place(test["name"].partition("/")[0]), test.get("parameter") or 0))


def sealed(above: Sequence[str], **changes: int) -> List[str]:
    return [*above, totals_line(above, **changes)]


def to_bytes(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("latin-1")
