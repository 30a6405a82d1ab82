# SPDX-License-Identifier: MIT
"""No local variable lives across an await: it would be lost (kernel/task/coroutine.h).

Compilers see some that are (test_build.py); this looks for all of them, in the kernel's debug data.
An await leaves a label in the block that it stands in, so a variable is wrong if its block, or one
within, holds such a label. Only `self` may: it is set anew each time. So may what is static.

What is optimized away may be left out of the debug data too, and clang -O2 leaves out labels. So
the built kernel tells which sources have bodies, and these are compiled again without optimization.
"""
from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
from elftools.elf.elffile import ELFFile
from tests.proves import proves

from conftest import ROOT, kernel_command

DW_OP_ADDR = 0x03
AWAIT = re.compile(r"\b(?:AWAIT|COROUTINE_YIELD)\(")


@dataclass(frozen=True)
class Body:
    """The function of a coroutine."""
    name: str
    source: Path
    line: int
    await_count: int
    lost: Tuple[str, ...]  # "name, line N"


def attribute(die: Any, name: str) -> Any:
    """Also of the declaration that it is an instance of. None if there is none."""
    while name not in die.attributes:
        origin = next((key for key in ("DW_AT_abstract_origin", "DW_AT_specification")
                       if key in die.attributes), None)
        if origin is None:
            return None
        die = die.get_DIE_from_attribute(origin)
    return die.get_DIE_from_attribute(name) if name == "DW_AT_type" else die.attributes[name].value


def name_of(die: Any) -> str:
    value: Optional[bytes] = attribute(die, "DW_AT_name") if die is not None else None
    return value.decode() if value is not None else ""


def is_body(die: Any) -> bool:
    if die.tag != "DW_TAG_subprogram" or name_of(attribute(die, "DW_AT_type")) != "coroutine_step":
        return False
    parameters = [child for child in die.iter_children() if child.tag == "DW_TAG_formal_parameter"]
    pointers = [attribute(parameter, "DW_AT_type") for parameter in parameters]
    return [name_of(attribute(pointer, "DW_AT_type")) for pointer in pointers] == ["coroutine"]


def is_mortal(variable: Any) -> bool:
    """Gone with the stack frame."""
    location = attribute(variable, "DW_AT_location")
    is_static = isinstance(location, list) and location[:1] == [DW_OP_ADDR]
    return not is_static and attribute(variable, "DW_AT_declaration") is None


def awaits(block: Any, outer: Tuple[Any, ...] = ()) -> Iterator[Tuple[Any, ...]]:
    """For each await in this block: the variables of all the blocks that it stands in."""
    children = list(block.iter_children())
    visible = (*outer, *(child for child in children if child.tag == "DW_TAG_variable"))
    for child in children:
        if child.tag == "DW_TAG_label" and name_of(child) == "coroutine_place":
            yield visible
        elif child.tag == "DW_TAG_lexical_block":
            yield from awaits(child, visible)


def body_of(die: Any, unit: Any) -> Body:
    top = unit.get_top_DIE()
    source = Path(ROOT, attribute(top, "DW_AT_comp_dir").decode(), name_of(top)).resolve()
    seen = list(awaits(die))
    lost: Dict[str, None] = {f"{name_of(variable)}, line {attribute(variable, 'DW_AT_decl_line')}":
                             None for visible in seen for variable in visible
                             if name_of(variable) != "self" and is_mortal(variable)}
    return Body(name_of(die), source, attribute(die, "DW_AT_decl_line"), len(seen), tuple(lost))


def bodies(path: Path) -> List[Body]:
    with path.open("rb") as stream:
        units = ELFFile(stream).get_dwarf_info().iter_CUs()
        return [body_of(die, unit) for unit in units for die in unit.get_top_DIE().iter_children()
                if is_body(die)]


def complaints(found: List[Body]) -> List[str]:
    return [f"{body.source.name}: {body.name} has a local across an await: {lost}"
            for body in found for lost in body.lost]


# --- The kernel ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernel_bodies(build: Path, kernel: Path, has_tests: bool,
                  tmp_path_factory: pytest.TempPathFactory) -> List[Body]:
    if not has_tests:
        pytest.skip("the kernel with the tests has all of these too")
    target = tmp_path_factory.mktemp("bodies") / "unit.o"
    found: List[Body] = []
    for source in sorted({body.source for body in bodies(kernel)}):
        words, directory = kernel_command(build, source)
        subprocess.run([*words, "-w", "-O0", "-c", "-o", target, source], cwd=directory, check=True)
        found += bodies(target)
    return found


@proves("12.1.3")
def test_no_local_variable_lives_across_an_await(kernel_bodies: List[Body]) -> None:
    assert complaints(kernel_bodies) == []


def test_every_await_is_seen(kernel_bodies: List[Body]) -> None:
    """A compiler that leaves no label behind would hide everything."""
    assert len([body for body in kernel_bodies if body.await_count > 0]) >= 5
    for body in kernel_bodies:
        lines = body.source.read_text().splitlines()[body.line - 1:]
        text = "\n".join(lines[:lines.index("}")])
        assert body.await_count == len(AWAIT.findall(text)), f"{body.source}: {body.name}"


def test_no_body_has_a_copy(kernel: Path, kernel_bodies: List[Body]) -> None:
    """A place would be one in another of them than the one that goes on."""
    with kernel.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        names = {symbol.name for symbol in table.iter_symbols()}
    for body in kernel_bodies:
        copies = [name for name in names
                  if name.startswith(f"{body.name}.") and not name.startswith(f"{body.name}.cold")]
        assert body.await_count == 0 or copies == [], f"{body.source}: {body.name}"


MANUAL = re.compile(r"```c\n(.*?)```\n", re.DOTALL)


def test_the_manual_s_example_is_one(build: Path, tmp_path: Path) -> None:
    """It compiles as the kernel does, and loses no local variable."""
    match = MANUAL.search((ROOT / "docs/tasks.md").read_text())
    assert match is not None
    source, target = tmp_path / "manual.c", tmp_path / "manual.o"
    source.write_text('#include "task/delay.h"\n#include "task/coroutine.h"\n'
                      '#include "task/executor.h"\n#include "time/timer.h"\n'
                      "struct blink; void switch_on(void); void switch_off(void *unused);\n"
                      "void start_to_blink(struct executor *executor, struct blink *self);\n"
                      + match[1])
    words, directory = kernel_command(build)
    subprocess.run([*words, "-Werror", "-O0", "-c", "-o", target, source], cwd=directory,
                   check=True)
    found = bodies(target)
    assert [body.await_count for body in found] == [2] and complaints(found) == []


# --- Samples -------------------------------------------------------------------------------------

SAMPLE = """
#include "lib/container_of.h"
#include "task/coroutine.h"
struct sample { struct coroutine coroutine; struct future *awaited; unsigned long kept; };
unsigned long take(void);
void give(unsigned long value);
coroutine_body_t body;
enum coroutine_step body(struct coroutine *coroutine)
{
    struct sample *self = container_of(coroutine, struct sample, coroutine);
    %s
    return COROUTINE_RETURNS;
}
"""

LOSES: Dict[str, str] = {
    "across an await": "COROUTINE_BEGIN(self); unsigned long lost = take();"
                       " AWAIT(self, self->awaited); give(lost);",
    "across a yield": "COROUTINE_BEGIN(self); unsigned long lost = take();"
                      " COROUTINE_YIELD(self); give(lost);",
    "set before the beginning": "unsigned long lost = 0; COROUTINE_BEGIN(self);"
                                " while (lost < 10) { AWAIT(self, self->awaited); give(lost++); }",
    "counter of a loop": "COROUTINE_BEGIN(self); for (unsigned long lost = 0; lost < 10; lost++) {"
                         " give(lost); COROUTINE_YIELD(self); }",
    "outer block": "COROUTINE_BEGIN(self); { unsigned long lost = take(); if (take()) {"
                   " AWAIT(self, self->awaited); } give(lost); }",
    "in a switch": "COROUTINE_BEGIN(self); switch (self->kept) { case 0: {"
                   " unsigned long lost = take(); AWAIT(self, self->awaited); give(lost); } }",
}

KEEPS: Dict[str, str] = {
    "between awaits": "COROUTINE_BEGIN(self); { unsigned long fine = take(); give(fine); }"
                      " AWAIT(self, self->awaited); { unsigned long fine = take(); give(fine); }"
                      " COROUTINE_YIELD(self);",
    "in the structure": "COROUTINE_BEGIN(self); self->kept = take(); AWAIT(self, self->awaited);"
                        " give(self->kept);",
    "static": "static volatile unsigned long fine; COROUTINE_BEGIN(self); fine = take();"
              " AWAIT(self, self->awaited); give(fine);",
    "in a loop": "COROUTINE_BEGIN(self); for (;;) { COROUTINE_YIELD(self);"
                 " { unsigned long fine = take(); give(fine); } }",
}


def compiled(build: Path, folder: Path, text: str) -> Path:
    """Without the warnings that some of them deserve."""
    words, directory = kernel_command(build)
    target = folder / "sample.o"
    subprocess.run([*words, "-w", "-O0", "-x", "c", "-c", "-o", str(target), "-"],
                   input=SAMPLE % text, text=True, cwd=directory, check=True)
    return target


@pytest.mark.parametrize("name", LOSES)
def test_lost_variable_is_found(build: Path, tmp_path: Path, name: str) -> None:
    (body,) = bodies(compiled(build, tmp_path, LOSES[name]))
    assert body.await_count == 1
    assert [words.partition(": ")[2] for words in complaints([body])] == [
        "body has a local across an await: lost, line 11"]


@pytest.mark.parametrize("name", KEEPS)
def test_kept_variable_is_right(build: Path, tmp_path: Path, name: str) -> None:
    (body,) = bodies(compiled(build, tmp_path, KEEPS[name]))
    assert body.await_count >= 1
    assert body.lost == ()
