# SPDX-License-Identifier: MIT
"""Which changes are made of a line, of C and of Python."""
from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Set, Tuple

import pytest

from judge.model import Refusal
from mutation import c_code, python_code
from mutation.mutant import Mutant, apply
from tests.modules import need_clang

HEAD = """#include <stdbool.h>
#define BIT(n) (1UL << (n))
#define ON BIT(0)
#define WIDE BIT(1)
#define assert(...) do { if (!(__VA_ARGS__)) { stop(); } } while (0)
#define report(...) do { log(__VA_ARGS__); } while (0)
enum error { OK, EINVAL = 22 };
enum { IST_NMI = 2, OTHER = 3 };
typedef struct { bool is_enabled; } irq_state_t;
void stop(void); void log(const char *text, ...); int sum(int a, int b); bool ask(void);
irq_state_t irq_save(void); void irq_restore(irq_state_t); void invalidate_page(int);
void lock_unlock(int); bool cpu_interrupts_enabled(void); unsigned long flags(unsigned long);
"""
Found = Set[Tuple[str, str]]


def of_c(tmp_path: Path, text: str) -> List[Mutant]:
    need_clang()
    (tmp_path / "head.h").write_text(f"#pragma once\n{HEAD}")
    (tmp_path / "code.c").write_text(f'#include "head.h"\n{text}\n')
    return list(c_code.mutants(tmp_path, "code.c", ["-I."]))


def body(tmp_path: Path, line: str) -> Found:
    """The changes of a line in a function, but for those of the function."""
    mutants = of_c(tmp_path, f"int f(int a, int b, int *p)\n{{\n{line}\nreturn a;\n}}")
    return {(each.key.operator, each.key.after) for each in mutants if each.line == 4}


@pytest.mark.parametrize("line, expected", [
    ("if (a < b) { ; }", {("relational", "if (a <= b) { ; }"),
                          ("relational", "if (a >= b) { ; }")}),
    ("if (a == b) { ; }", {("relational", "if (a != b) { ; }")}),
    ("if (a) { ; }", {("negate", "if (!(a)) { ; }")}),
    ("while (ask()) { ; }", {("negate", "while (!(ask())) { ; }")}),
    ("if (!a) { ; }", {("drop-unary", "if ( a) { ; }")}),
    ("if (a && b) { ; }", {("negate", "if (!(a && b)) { ; }"), ("logical", "if (a || b) { ; }"),
                           ("drop-term", "if (a) { ; }"), ("drop-term", "if (b) { ; }")}),
    ("a = a /* - */ - b;", {("arithmetic", "a = a /* - */ + b;"), ("delete-statement", ";")}),
    ("a += b;", {("arithmetic", "a -= b;"), ("delete-statement", ";")}),
    ("p++;", {("arithmetic", "p--;"), ("delete-statement", ";")}),
    ("a = b << 3;", {("shift", "a = b >> 3;"), ("swap-shift", "a = 3 << b;"),
                     ("constant", "a = b << 4;"), ("constant", "a = b << 2;"),
                     ("delete-statement", ";")}),
    ("a = 0x1f;", {("constant", "a = 0x20;"), ("constant", "a = 0x1e;"),
                   ("delete-statement", ";")}),
    ("a = 'x';", {("constant", "a = ('x' + 1);"), ("delete-statement", ";")}),
    ("bool is = true;", {("constant", "bool is = false;")}),
    ("a = sum(a, b);", {("swap-arguments", "a = sum(b, a);"), ("delete-statement", ";")}),
    ("a = sum(a, a);", {("delete-statement", ";")}),
    ("a = IST_NMI;", {("vector", "a = (IST_NMI + 1);"), ("vector", "a = (IST_NMI - 1);"),
                      ("delete-statement", ";")}),
    ("a = OTHER;", {("delete-statement", ";")}),
    ("flags(ON | WIDE);", {("drop-flag", "flags(ON);"), ("drop-flag", "flags(WIDE);"),
                           ("bitwise", "flags(ON & WIDE);"), ("delete-statement", ";")}),
    ("irq_state_t s = irq_save(); irq_restore(s);",
     {("drop-irq-save",
       "irq_state_t s = ((irq_state_t){cpu_interrupts_enabled()}); irq_restore(s);"),
      ("forget-interrupt-flag", "irq_state_t s = irq_save(); ;")}),
    ("invalidate_page(a);", {("forget-tlb-flush", ";")}),
    ("lock_unlock(a);", {("forget-unlock", ";")}),
    ('__asm__("cli");', {("forget-interrupt-flag", ";")}),
    ('__asm__("mfence");', {("forget-fence", ";")}),
    ('__asm__ volatile("nop");', {("delete-assembly", ";"), ("drop-volatile", '__asm__ ("nop");')}),
    ("assert(a < b && ask());", {("delete-assert", ";")}),
    ('report("a < b", a);', {("delete-statement", ";")}),
    ("(void)a;", set()),
    ("// a < b", set()),
    ("__atomic_store_n(p, b, __ATOMIC_RELEASE);",
     {("drop-order", "__atomic_store_n(p, b, __ATOMIC_RELAXED);"), ("drop-atomic", "(*(p) = (b));"),
      ("delete-statement", ";")}),
    ("a = __atomic_load_n(p, __ATOMIC_RELAXED);",
     {("drop-atomic", "a = (*(p));"), ("delete-statement", ";")}),
])
def test_changes_of_a_line_of_c(tmp_path: Path, line: str, expected: Found) -> None:
    assert body(tmp_path, line) == expected


@pytest.mark.parametrize("text, expected", [
    ("void f(void)\n{\n    stop();\n}", ("early-return", "{ return;")),
    ("int f(void)\n{\n    return ask();\n}", ("early-return", "{ return (int){0};")),
    ("enum error f(void)\n{\n    return EINVAL;\n}", ("lose-error", "return OK;")),
    ("#define TWICE(n) ((n) * 2)\nint f(int a)\n{\n    return TWICE(a);\n}",
     ("arithmetic", "#define TWICE(n) ((n) / 2)")),
    ("static const int table[] = {\n    7,\n};", ("constant", "8,")),
])
def test_changes_of_a_function_a_macro_a_table(tmp_path: Path, text: str,
                                               expected: Tuple[str, str]) -> None:
    found = {(each.key.operator, each.key.after): each for each in of_c(tmp_path, text)}
    assert expected in found
    assert found[expected].key.function in ("f", "TWICE", "table")


def test_a_header_that_includes_what_includes_it(tmp_path: Path) -> None:
    need_clang()
    (tmp_path / "one.h").write_text('#pragma once\n#include "two.h"\nstatic inline int one(int a)\n'
                                    "{\n    return a + 1;\n}\n")
    (tmp_path / "two.h").write_text('#pragma once\n#include "one.h"\nstatic inline int two(int a)\n'
                                    "{\n    return a - 1;\n}\n")
    mutants = c_code.mutants(tmp_path, "one.h", ["-I."])
    assert {each.key.function for each in mutants} == {"one"}


def test_what_clang_does_not_understand(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="clang does not understand code.c"):
        of_c(tmp_path, "int f(void) { return nothing; }")


def test_lines_below_a_change_keep_their_numbers(tmp_path: Path) -> None:
    text = '#include "head.h"\nvoid f(int a)\n{\n    log("x",\n        a);\n    stop();\n}\n'
    mutants = of_c(tmp_path, text.partition("\n")[2])
    deleted = next(each for each in mutants if each.key.before.startswith("log"))
    lines = apply(text, deleted.change).splitlines()
    assert [line.strip() for line in lines[3:6]] == [";", "", "stop();"]


def test_a_mutant_is_the_same_when_its_line_has_moved(tmp_path: Path) -> None:
    code = "int f(int a)\n{\n    return a + 1;\n}"
    before = {each.id for each in of_c(tmp_path, code)}
    assert {each.id for each in of_c(tmp_path, "int g;\n\n" + code)} == before
    assert {each.id for each in of_c(tmp_path, code.replace("f", "h"))}.isdisjoint(before)


def test_twins_in_a_function_are_two(tmp_path: Path) -> None:
    twins = [each for each in of_c(tmp_path, "void f(void)\n{\n    stop();\n    stop();\n}")
             if each.key.operator == "delete-statement"]
    assert len({each.id for each in twins}) == 2 and len({each.key for each in twins}) == 1


# --- Python ---------------------------------------------------------------------------------------


def of_python(tmp_path: Path, text: str) -> Found:
    (tmp_path / "code.py").write_text(text)
    return {(each.key.operator, each.key.after)
            for each in python_code.mutants(tmp_path, "code.py")}


@pytest.mark.parametrize("line, expected", [
    ("x = a < b", {("relational", "x = a <= b"), ("relational", "x = a >= b"),
                   ("delete-statement", "pass")}),
    ("x = a not in b", {("relational", "x = a in b"), ("delete-statement", "pass")}),
    ("f(a and b)", {("logical", "f(a or b)"), ("drop-term", "f(True and b)"),
                    ("drop-term", "f(a and True)"), ("delete-statement", "pass")}),
    ("x = not a", {("drop-unary", "x = (a)"), ("delete-statement", "pass")}),
    ("x += 1", {("arithmetic", "x -= 1"), ("constant", "x += 2"), ("constant", "x += 0"),
                ("delete-statement", "pass")}),
    ('x = "%d" % a', {("delete-statement", "pass")}),
    ("raise a", {("delete-raise", "pass")}),
    ("assert a", {("delete-assert", "pass")}),
    ("x = True", {("constant", "x = False"), ("delete-statement", "pass")}),
    ("x = [a for a in b if a]", {("negate", "x = [a for a in b if (not (a))]"),
                                 ("delete-statement", "pass")}),
    ('"""what people read"""', set()),
    ("x: Tuple[1, 2]", set()),
])
def test_changes_of_a_line_of_python(tmp_path: Path, line: str, expected: Found) -> None:
    assert of_python(tmp_path, line) == expected


def test_changes_of_a_function_of_python(tmp_path: Path) -> None:
    found = of_python(tmp_path, 'def f(a: int) -> int:\n    """Says."""\n    if a:\n'
                      "        g()\n    return a\n")
    assert found == {("early-return", "return None if a:"), ("negate", "if (not (a)):"),
                     ("delete-statement", "pass"), ("return-nothing", "return None")}


def test_every_change_of_a_module_is_python(tmp_path: Path) -> None:
    root = Path(python_code.__file__).parents[2]
    path = "harness/judge/order.py"
    text = (root / path).read_text(encoding="latin-1")
    mutants: Sequence[Mutant] = python_code.mutants(root, path)
    assert len(mutants) > 10
    for each in mutants:
        compile(apply(text, each.change).encode("latin-1"), path, "exec")


def test_who_imports_a_module(tmp_path: Path) -> None:
    words: Dict[str, str] = {"test_a.py": "from judge.order import Order",
                             "test_c.py": "import judge",
                             "test_b.py": "def f():\n    from judge import order, table",
                             "test_d.py": "import judge.order"}
    for name, text in words.items():
        (tmp_path / name).write_text(text)
    assert python_code.importers(tmp_path, "judge.order") == ["test_a.py", "test_b.py", "test_d.py"]
    assert python_code.importers(tmp_path, "judge") == [*sorted(words)]
    assert not python_code.importers(tmp_path, "judge.or")
