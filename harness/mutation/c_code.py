# SPDX-License-Identifier: MIT
"""The changes of a file of C: what people get wrong everywhere, and what they forget in a kernel.

Asserts are no code to be changed: what they check is deleted as a whole, by an operator of its own,
because an assert that can go unnoticed is a promise without a test. Declarations alone are no
promise either, but what they are initialized with is.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from . import source
from .clang import Node, bare, locate, pairs, tree
from .mutant import Change, Mutant, mutants_of
from .source import Span

OTHERS: Dict[str, Dict[str, Tuple[str, ...]]] = {
    "relational": {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
                   "==": ("!=",), "!=": ("==",)},
    "arithmetic": {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",),
                   "+=": ("-=",), "-=": ("+=",), "*=": ("/=",), "/=": ("*=",)},
    "bitwise": {"&": ("|",), "|": ("&",), "^": ("&",), "&=": ("|=",), "|=": ("&=",),
                "^=": ("|=",)},
    "shift": {"<<": (">>",), ">>": ("<<",), "<<=": (">>=",), ">>=": ("<<=",)},
    "logical": {"&&": ("||",), "||": ("&&",)},
}
# What a statement does that a kernel can't do without, by the function that it calls or the
# instruction; any other is just a deleted statement.
FORGOTTEN = {
    "forget-eoi": r"eoi|end_of_interrupt|acknowledge|chip->end$",
    "forget-tlb-flush": r"invlpg|invalidate|tlb|write_cr3",
    "forget-interrupt-flag": r"(dis|en)able_interrupts|\bcli\b|\bsti\b|irq_restore|irq_save",
    "forget-fence": r"fence|barrier",
    "forget-unlock": r"unlock",
}
NUMBERED = re.compile(r"^(IST|VECTOR)_|_(IST|VECTOR|IRQ)$")
FLAG = re.compile(r"^[A-Z][A-Z0-9_]+(\(.*\))?$", re.DOTALL)
ERROR = re.compile(r"^E[A-Z0-9]{2,}$")
NUMBER = re.compile(r"^(0[xX][0-9a-fA-F']+|[0-9][0-9']*)([uUlL]*)$")
CONDITIONS = {"IfStmt": 0, "WhileStmt": 0, "DoStmt": 1, "ForStmt": 2, "ConditionalOperator": 0}
SIMPLE_STATEMENTS = ("CallExpr", "BinaryOperator", "CompoundAssignOperator", "UnaryOperator",
                     "GCCAsmStmt", "BreakStmt", "ContinueStmt", "ReturnStmt", "StmtExpr",
                     "CStyleCastExpr", "AtomicExpr", "DoStmt")
COMPARISONS = tuple(OTHERS["relational"])
NO_CONTEXT = ("StaticAssertDecl",)


def mutants(root: Path, path: str, options: Sequence[str]) -> Tuple[Mutant, ...]:
    """Of the file `path` below `root`; places are counted in bytes, so each byte is a character."""
    text = (root / path).read_text(encoding="latin-1")
    return mutants_of(path, text, _File(path, text, tree(root, path, options)).changes())


class _File:
    def __init__(self, path: str, text: str, root: Node) -> None:
        self._text = text
        self._code = source.code_only(text)
        self._root = root
        locate(root, path, self._code)
        self._macros = source.definitions(self._code)
        self._asserts = [Span(call.start, call.end, call.name)
                         for call in source.calls(self._code, "assert|_Static_assert")]
        self._inside: List[Span] = []  # functions, and what else has a name
        self._in_table = 0

    def changes(self) -> Iterator[Change]:
        found: List[Change] = []
        for declaration in self._root.children:
            if declaration.is_here and "name" in declaration.data:
                self._inside.append(Span(declaration.start, declaration.end,
                                         str(declaration.data["name"])))
            found += self._below(declaration, [])
        found += [*self._lost_words(), *self._lost_asserts()]
        for change in found:
            if not any(each.holds(change.start, change.end) for each in self._asserts) or \
                    change.operator == "delete-assert":
                yield Change(change.operator, change.start, change.end, change.new,
                             self._function(change))

    def _function(self, change: Change) -> str:
        for span in (*self._macros, *self._inside):
            if span.holds(change.start, change.end):
                return span.name
        return ""

    # --- The tree -------------------------------------------------------------------------------

    def _below(self, node: Node, above: List[Node]) -> Iterator[Change]:
        if node.kind in NO_CONTEXT:
            return
        yield from self._of_node(node, above)
        for child in node.children:
            yield from self._below(child, [*above, node])

    def _of_node(self, node: Node, above: List[Node]) -> Iterator[Change]:
        rules: Dict[str, Callable[[Node, List[Node]], Iterator[Change]]] = {
            "BinaryOperator": self._binary, "CompoundAssignOperator": self._binary,
            "UnaryOperator": self._unary, "IntegerLiteral": self._number,
            "CharacterLiteral": self._character, "DeclRefExpr": self._numbered,
            "CallExpr": self._call, "FunctionDecl": self._early_return,
            "ReturnStmt": self._lost_error, "CompoundStmt": self._statements,
            "CaseStmt": self._statements, "DefaultStmt": self._statements,
        }
        if node.kind in rules:
            yield from rules[node.kind](node, above)
        if node.kind in CONDITIONS:
            yield from self._condition(node)

    def _condition(self, node: Node) -> Iterator[Change]:
        place = CONDITIONS[node.kind]
        condition = bare(node.children[place]) if place < len(node.children) else node
        is_opposite_anyway = condition.data.get("opcode") in (*COMPARISONS, "!")
        if condition is not node and condition.is_here and not node.is_macro and \
                not is_opposite_anyway:
            yield _change("negate", condition, f"!({self._of(condition)})")

    def _binary(self, node: Node, above: List[Node]) -> Iterator[Change]:
        if len(node.children) != 2:
            return
        left, right = node.children
        sign = str(node.data["opcode"])
        at = self._sign_between(left, right, sign)
        if at < 0:
            return
        for operator, others in OTHERS.items():
            for other in others.get(sign, ()):
                yield Change(operator, at, at + len(sign), other)
        if node.is_here and sign in ("&&", "||"):
            yield _change("drop-term", node, self._of(left))
            yield _change("drop-term", node, self._of(right))
        if node.is_here and sign == "<<":
            swapped = self._text[left.end:right.start]
            yield _change("swap-shift", node, self._of(right) + swapped + self._of(left))
        if node.is_here and sign == "|":
            yield from self._flags(node, left, right)

    def _flags(self, node: Node, left: Node, right: Node) -> Iterator[Change]:
        for lost, kept in ((left, right), (right, left)):
            if FLAG.match(self._of(lost)):
                yield _change("drop-flag", node, self._of(kept))

    def _sign_between(self, left: Node, right: Node, sign: str) -> int:
        """Where the operator stands, if both sides are spelled here; else -1."""
        if not left.is_here or not right.is_here or left.end > right.start:
            return -1
        gap = self._code[left.end:right.start]
        return left.end + gap.index(sign) if gap.strip() == sign else -1

    def _unary(self, node: Node, above: List[Node]) -> Iterator[Change]:
        sign = str(node.data["opcode"])
        if not node.is_here:
            return
        if sign in ("!", "~", "-") and self._code.startswith(sign, node.start):
            yield Change("drop-unary", node.start, node.start + 1, " ")
        if sign in ("++", "--"):
            at = node.end - 2 if node.data.get("isPostfix") else node.start
            if self._code.startswith(sign, at):
                yield Change("arithmetic", at, at + 2, "--" if sign == "++" else "++")

    # --- Values ---------------------------------------------------------------------------------

    def _number(self, node: Node, above: List[Node]) -> Iterator[Change]:
        if self._of(node) in ("true", "false"):
            yield _change("constant", node, "false" if self._of(node) == "true" else "true")
        match = NUMBER.match(self._of(node)) if node.is_here else None
        if match is None:
            return
        value = int(match[1].replace("'", ""), 0) if match[1][:1] != "0" or \
            match[1][1:2] in "xX" else int(match[1], 8)
        is_table = any(each.kind in ("InitListExpr", "EnumConstantDecl") for each in above)
        for number in [value + 1] + ([value - 1] if value > 0 and not is_table else []):
            digits = hex(number) if match[1][:2] in ("0x", "0X") else str(number)
            yield _change("constant", node, digits + match[2])

    def _character(self, node: Node, above: List[Node]) -> Iterator[Change]:
        if node.is_here and not node.is_macro:
            yield _change("constant", node, f"({self._of(node)} + 1)")

    def _numbered(self, node: Node, above: List[Node]) -> Iterator[Change]:
        name = str(node.reference.get("name", ""))
        if node.reference.get("kind") == "EnumConstantDecl" and node.is_here and \
                NUMBERED.search(name):
            yield _change("vector", node, f"({name} + 1)")
            yield _change("vector", node, f"({name} - 1)")

    def _call(self, node: Node, above: List[Node]) -> Iterator[Change]:
        name = self._callee(node)
        if name == "irq_save" and node.is_here:
            yield _change("drop-irq-save", node, "((irq_state_t){cpu_interrupts_enabled()})")
        for left, right in pairs(node.children[1:]):
            left, right = bare(left), bare(right)
            is_fit = left.is_here and right.is_here and left.end <= right.start
            if is_fit and left.type == right.type and self._of(left) != self._of(right):
                between = self._text[left.end:right.start]
                yield Change("swap-arguments", left.start, right.end,
                             self._of(right) + between + self._of(left))

    # --- Statements -----------------------------------------------------------------------------

    def _statements(self, node: Node, above: List[Node]) -> Iterator[Change]:
        is_body = bool(above) and above[-1].kind == "FunctionDecl"
        for child in node.children:
            is_last = child is node.children[-1] and is_body
            if child.kind in SIMPLE_STATEMENTS:
                yield from self._deleted(child, is_last)

    def _deleted(self, node: Node, is_last: bool) -> Iterator[Change]:
        if node.kind == "ReturnStmt" and node.children and is_last:
            return
        if node.kind == "CStyleCastExpr" and "CallExpr" not in {each.kind for each in node.walk()}:
            return
        if not node.is_here or (node.kind == "DoStmt" and not node.is_macro):
            return
        start, end = node.start, self._with_semicolon(node.end)
        if end > 0 and not self._code.startswith("assert", start):
            yield Change(self._what_is_forgotten(node, start, end), start, end, ";")

    def _with_semicolon(self, end: int) -> int:
        if end > 0 and self._code[end - 1] == ";":
            return end
        return source.statement_end(self._code, end) if end > 0 else -1

    def _what_is_forgotten(self, node: Node, start: int, end: int) -> str:
        if node.kind == "GCCAsmStmt":
            what = default = "delete-assembly"
            said = self._text[start:end]
        else:
            what = default = "delete-statement"
            call = next((each for each in node.walk() if each.kind == "CallExpr"), None)
            said = self._callee(call) if call is not None else ""
        for name, pattern in FORGOTTEN.items():
            if what == default and re.search(pattern, said):
                what = name
        return what

    def _early_return(self, node: Node, above: List[Node]) -> Iterator[Change]:
        """As if the function were not written yet."""
        body = node.children[-1] if node.children else node
        type_name = node.written_type.partition("(")[0].strip()
        returns = not any("NoReturn" in each.kind for each in node.children) and \
            "noreturn" not in node.written_type
        is_body = body.kind == "CompoundStmt" and body.is_here and not body.is_macro
        if not is_body or not body.children or not returns or node.written_type.count("(") != 1:
            return
        value = "" if type_name == "void" else f" ({type_name}){{0}}"
        yield Change("early-return", body.start, body.start + 1, f"{{ return{value};")

    def _lost_error(self, node: Node, above: List[Node]) -> Iterator[Change]:
        value = bare(node.children[0]) if node.children else node
        if value.kind == "DeclRefExpr" and value.is_here and ERROR.match(self._of(value)):
            yield _change("lose-error", value, "OK")

    # --- Words ----------------------------------------------------------------------------------

    def _lost_words(self) -> Iterator[Change]:
        for start, end in source.word_places(self._code, "volatile"):
            yield Change("drop-volatile", start, end, " ")
        for start, end in source.word_places(
                self._code, "__ATOMIC_ACQUIRE|__ATOMIC_RELEASE|__ATOMIC_ACQ_REL|__ATOMIC_SEQ_CST"):
            yield Change("drop-order", start, end, "__ATOMIC_RELAXED")
        for call in source.calls(self._code, r"__atomic_load_n|__atomic_store_n"):
            parts = self._text[call.start:call.end].partition("(")[2][:-1].rsplit(",", 1)[0]
            change = _plain_access(call.name, parts)
            if change:
                yield Change("drop-atomic", call.start, call.end, change)

    def _lost_asserts(self) -> Iterator[Change]:
        for call in self._asserts:
            end = source.statement_end(self._code, call.end)
            is_definition = any(each.holds(call.start, call.end) for each in self._macros)
            if call.name == "assert" and end > 0 and not is_definition:
                yield Change("delete-assert", call.start, end, ";")

    def _of(self, node: Node) -> str:
        return self._text[node.start:node.end]

    def _callee(self, call: Optional[Node]) -> str:
        function = bare(call.children[0]) if call is not None and call.children else None
        if function is None:
            return ""
        return self._of(function) if function.is_here else str(function.reference.get("name", ""))


def _plain_access(name: str, arguments: str) -> str:
    """What a compiler may tear, move and leave out."""
    if name == "__atomic_load_n":
        return f"(*({arguments.strip()}))"
    place, comma, value = arguments.partition(",")
    return f"(*({place.strip()}) = ({value.strip()}))" if comma else ""


def _change(operator: str, node: Node, new: str) -> Change:
    return Change(operator, node.start, node.end, new)
