# SPDX-License-Identifier: MIT
"""The kernel's file: what is in it, what must not be, and how it is to be loaded."""
from __future__ import annotations

import re
import struct
import subprocess
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Tuple

from elftools.elf.elffile import ELFFile
from tests.proves import proves

from conftest import kernel_compiler, output

EXECUTABLE, WRITABLE = 1, 2
MULTIBOOT2_MAGIC = 0xE85250D6
# A disassembled instruction: address, bytes, text.
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(?:[0-9a-f]{2} )+\s*\t(.+)$")
# A vector or x87 register, or an instruction of theirs that names none.
VECTOR_REGISTER = re.compile(r"%(?:[xyz]?mm\d|st\b)|^f(?!s\b)[a-z0-9]+|^emms"
                             r"|^(?:fx|x)(?:save|rstor)\w*|^(?:ld|st)mxcsr")
# With an index, what is based on RBP may lie anywhere.
BELOW = re.compile(r"-0x([0-9a-f]+)\(%(?:(rsp)[,)]|rbp\))")
STACK_ROOM = re.compile(r"^sub\s+\$0x([0-9a-f]+),%rsp|^add\s+\$0x(f[0-9a-f]{15}),%rsp")


def read(kernel: Path) -> ELFFile:
    return ELFFile(kernel.open("rb"))


def symbols(kernel: Path) -> Dict[str, int]:
    table = read(kernel).get_section_by_name(".symtab")
    return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


@lru_cache(maxsize=None)
def instructions(objects: Path) -> List[Tuple[str, str, str]]:
    """(object, function, instruction) of an object or of all in an archive."""
    return list(disassembled(objects))


def disassembled(objects: Path) -> Iterator[Tuple[str, str, str]]:
    member = function = ""
    for line in output("objdump", "-d", objects):
        if match := re.match(r"^(\S+):\s+file format", line):
            member = match[1]
        elif match := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            function = match[1]
        elif match := INSTRUCTION.match(line):
            yield member, function, match[1]


def test_what_is_zeroed_belongs_to_the_image(kernel: Path) -> None:
    """A loader puts what it has to tell behind the segments, and the kernel clears whole pages."""
    ends = [each["p_vaddr"] + each["p_memsz"] for each in read(kernel).iter_segments("PT_LOAD")]
    assert max(ends) == symbols(kernel)["kernel_end"]


@proves("1.1")
def test_is_complete_and_static(kernel: Path) -> None:
    elf = read(kernel)
    kinds = {segment["p_type"] for segment in elf.iter_segments()}
    assert elf["e_type"] == "ET_EXEC"
    assert not kinds & {"PT_INTERP", "PT_DYNAMIC"}
    assert output("nm", "-u", kernel) == []


@proves("2.1.4")
def test_is_for_64_bit_little_endian(kernel: Path) -> None:
    elf = read(kernel)
    assert (elf.elfclass, elf.little_endian, elf["e_machine"]) == (64, True, "EM_X86_64")
    assert all(symbols(kernel)[name] >= 0xFFFFFFFF80000000 for name in ("kernel_main", "panic_at"))


@proves("1.2")
def test_entry_is_start(kernel: Path) -> None:
    table = read(kernel).get_section_by_name(".symtab")
    (start,) = table.get_symbol_by_name("_start")
    assert start["st_info"]["bind"] == "STB_GLOBAL"
    assert read(kernel)["e_entry"] == start["st_value"]


@proves("2.3.4")
def test_no_segment_is_writable_and_executable(kernel: Path) -> None:
    loaded = [s for s in read(kernel).iter_segments() if s["p_type"] == "PT_LOAD"]
    flags = [segment["p_flags"] & 7 for segment in loaded]
    assert sorted(flags) == [4, 5, 5, 6, 6], "r--, r-x twice, rw- twice"
    assert all(segment["p_paddr"] % 4096 == 0 for segment in loaded)


@proves("1.5")
def test_nothing_is_loaded_for_unwinding(kernel: Path) -> None:
    names = {section.name for section in read(kernel).iter_sections()}
    assert not names & {".eh_frame", ".eh_frame_hdr", ".gcc_except_table"}


@proves("2.1.2")
def test_only_tests_use_floating_point_registers(build: Path) -> None:
    archive = build / "kernel/libkernel.a"
    found = [(member, function, text) for member, function, text in instructions(archive)
             if VECTOR_REGISTER.search(text) and "_test.c" not in member]
    assert not found
    # The search itself works: the tests raise #UD and #NM with such instructions.
    texts = [text for member, _, text in instructions(archive) if "cpu_test" in member]
    if texts:
        assert any("xorps" in text for text in texts)
        assert sum(bool(VECTOR_REGISTER.search(text)) for text in texts) >= 2


@proves("2.1.1")
def test_nothing_lies_below_the_stack_pointer(build: Path) -> None:
    assert not red_zone_accesses(instructions(build / "kernel/libkernel.a"))


def test_red_zone_is_found_where_it_is_used(build: Path, tmp_path: Path) -> None:
    source = tmp_path / "leaf.c"
    source.write_text("int leaf(int n);\n"
                      "int leaf(int n) { volatile int a[4] = {n}; return a[n & 3]; }\n")
    for flags, is_found in ((["-mred-zone"], True), (["-mno-red-zone"], False)):
        subprocess.run([*kernel_compiler(build), "-O1", "-fno-omit-frame-pointer", *flags, "-c",
                        "-o", str(tmp_path / "leaf.o"), str(source)], check=True)
        found = red_zone_accesses(disassembled(tmp_path / "leaf.o"))
        assert bool(found) == is_found


def red_zone_accesses(code: Iterable[Tuple[str, str, str]]) -> List[Tuple[str, str, str]]:
    """Accesses below RSP; by RBP too, below the room that the function has made under its frame."""
    found = []
    for _, body in groupby(code, key=lambda each: each[:2]):
        lines = list(body)
        texts = [text for _, _, text in lines]
        has_frame = any(re.match(r"mov\s+%rsp,%rbp", text) for text in texts)
        room = 8 * (sum(text.startswith("push ") for text in texts) - 1)
        for text in texts:
            if match := STACK_ROOM.match(text):
                room += int(match[1], 16) if match[1] else 2**64 - int(match[2], 16)
        for line in lines:
            if match := BELOW.search(line[2]):
                if match[2] or (has_frame and int(match[1], 16) > room):
                    found.append(line)
    return found


@proves("2.2.2")
def test_no_memory_function_calls_itself(build: Path) -> None:
    names = ("memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen")
    relocations: Dict[str, List[str]] = {}
    function = ""
    for line in output("objdump", "-dr", build / "kernel/libkernel.a"):
        if match := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            function = match[1]
        elif match := re.search(r"\b(?:call|jmp)\s+[0-9a-f]+ <(\w+)>|R_X86_64_P\S+\s+(\w+)", line):
            relocations.setdefault(function, []).append(match[1] or match[2])
    assert "format_vwrite" in relocations["println"], "the search finds calls"
    for name in names:
        assert name not in relocations.get(name, ())


@proves("2.3.2")
def test_multiboot2_header_is_where_grub_looks(kernel: Path) -> None:
    head = kernel.read_bytes()[:32768]
    (offset,) = [at for at in range(0, len(head) - 16, 8)
                 if struct.unpack_from("<I", head, at)[0] == MULTIBOOT2_MAGIC]
    magic, architecture, length, checksum = struct.unpack_from("<IIII", head, offset)
    assert (magic + architecture + length + checksum) % (1 << 32) == 0
    subprocess.run(["grub-file", "--is-x86-multiboot2", str(kernel)], check=True)


@proves("2.3.3")
def test_pvh_note_names_the_entry(kernel: Path) -> None:
    section = read(kernel).get_section_by_name(".note.pvh")
    (note,) = section.iter_notes()
    assert note["n_name"] == "Xen"
    assert struct.unpack("<I", note["n_descdata"])[0] == symbols(kernel)["pvh_start"]


def test_build_id_is_where_the_kernel_looks(kernel: Path) -> None:
    """Whatever the length of the strings in front of it."""
    section = read(kernel).get_section_by_name(".note.gnu.build-id")
    names = symbols(kernel)
    assert (names["build_id_start"], names["build_id_end"]) == (
        section["sh_addr"], section["sh_addr"] + section["sh_size"])


def test_image_does_not_tell_where_it_was_built(kernel: Path, build: Path) -> None:
    """Two folders would make two images of the same sources."""
    assert str(build.resolve()).encode() not in kernel.read_bytes()


def test_symbol_table_agrees_with_the_file(kernel: Path) -> None:
    """The second link has not moved what the first one named. Names are those of the source."""
    elf = read(kernel)
    all_symbols = {symbol.name: symbol for symbol in
                   elf.get_section_by_name(".symtab").iter_symbols()}
    start = all_symbols["text_start"]["st_value"]
    addresses = {(s["st_value"], s.name.partition(".")[0]) for s in
                 elf.get_section_by_name(".symtab").iter_symbols()}
    table, count = (all_symbols[name]["st_value"] for name in ("symbol_table", "symbol_count"))
    (rows,) = struct.unpack("<Q", memory(elf, count, 8))
    assert rows > 50
    for row in range(rows):
        offset, _, name = struct.unpack("<IIQ", memory(elf, table + 16 * row, 16))
        text = memory(elf, name, 256).split(b"\0")[0].decode()
        assert (start + offset, text) in addresses, text


def memory(elf: ELFFile, address: int, size: int) -> bytes:
    for segment in elf.iter_segments():
        offset = address - segment["p_vaddr"]
        if segment["p_type"] == "PT_LOAD" and 0 <= offset < segment["p_filesz"]:
            data: bytes = segment.data()
            return data[offset:offset + size]
    raise AssertionError(f"{address:#x} is not in the file")


@proves("4.1.4")
def test_without_ktest_nothing_of_it_is_left(kernel: Path, has_tests: bool) -> None:
    names = symbols(kernel)
    found = [name for name in names if "ktest" in name.lower() and "ktest_records" not in name]
    sections = {section.name for section in read(kernel).iter_sections()}
    assert bool(found) == has_tests
    assert (".ktests" in sections) == has_tests
    text = kernel.read_bytes()
    assert (b"#:ktest_" in text) == has_tests
    assert (b"KTAP version" in text) == has_tests


@proves("2.3.3")
def test_first_gdt_is_not_written_by_the_cpu(kernel: Path) -> None:
    """It lies in a read-only page: a descriptor that is not marked as accessed would fault there
    on hardware, though not under TCG."""
    elf = read(kernel)
    table = symbols(kernel)["boot_gdt"]
    (end,) = [value for name, value in symbols(kernel).items() if name == "boot_gdt.end"]
    descriptors = struct.unpack(f"<{(end - table) // 8}Q", memory(elf, table, end - table))
    assert descriptors[0] == 0 and len(descriptors) > 1
    assert all(descriptor >> 40 & 1 for descriptor in descriptors[1:])
