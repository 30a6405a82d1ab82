# SPDX-License-Identifier: MIT
"""The changes of a file of Python. What types say, and what people are told in docstrings, is left
alone."""
from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, Iterator, List, Tuple, Type

from .mutant import Change, Mutant, mutants_of

COMPARISONS: Dict[Type[ast.cmpop], Tuple[str, Tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")), ast.LtE: ("<=", ("<", ">")), ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")), ast.Eq: ("==", ("!=",)), ast.NotEq: ("!=", ("==",)),
    ast.In: ("in", ("not in",)), ast.NotIn: ("not in", ("in",)),
    ast.Is: ("is", ("is not",)), ast.IsNot: ("is not", ("is",))}
SIGNS: Dict[Type[ast.operator], Tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "//"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"), ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<")}


def mutants(root: Path, path: str) -> Tuple[Mutant, ...]:
    """Of the file `path` below `root`; places are counted in bytes, so each byte is a character."""
    text = (root / path).read_text(encoding="latin-1")
    return mutants_of(path, text, _File(text).changes())


class _File:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tree = ast.parse(text.encode("latin-1"))
        self._lines = [0]
        for line in text.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def changes(self) -> Iterator[Change]:
        yield from self._below(self._tree, "")

    def _below(self, node: ast.AST, function: str) -> Iterator[Change]:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            function = f"{function}.{node.name}" if function else node.name
        for change in self._of_node(node):
            yield Change(change.operator, change.start, change.end, change.new, function)
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and name not in ("annotation", "returns"):
                    yield from self._below(child, function)

    def _of_node(self, node: ast.AST) -> Iterator[Change]:
        if isinstance(node, ast.Compare):
            yield from self._compare(node)
        elif isinstance(node, ast.BoolOp):
            yield from self._logical(node)
        elif isinstance(node, ast.BinOp):
            yield from self._arithmetic(node.left, node.op, node.right)
        elif isinstance(node, ast.AugAssign):
            yield from self._arithmetic(node.target, node.op, node.value, "=")
        elif isinstance(node, ast.UnaryOp):
            start, end = self._extent(node)
            yield Change("drop-unary", start, end, f"({self._of(node.operand)})")
        elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
            yield from self._negate(node.test)
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield from self._negate(test)
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.FunctionDef):
            yield from self._early_return(node)
        elif isinstance(node, ast.Return) and node.value is not None:
            start, end = self._extent(node.value)
            if self._text[start:end] != "None":
                yield Change("return-nothing", start, end, "None")
        if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise, ast.Break, ast.Continue,
                             ast.Assign, ast.Assert, ast.Delete)):
            yield from self._delete(node)

    def _compare(self, node: ast.Compare) -> Iterator[Change]:
        operands = [node.left, *node.comparators]
        for left, kind, right in zip(operands, node.ops, operands[1:]):
            sign, others = COMPARISONS[type(kind)]
            at = self._sign_between(left, right, sign)
            for other in others if at >= 0 else ():
                yield Change("relational", at, at + len(sign), other)

    def _logical(self, node: ast.BoolOp) -> Iterator[Change]:
        sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            at = self._sign_between(left, right, sign)
            if at >= 0:
                yield Change("logical", at, at + len(sign), other)
        for value in node.values:
            start, end = self._extent(value)
            yield Change("drop-term", start, end, "True" if sign == "and" else "False")

    def _arithmetic(self, left: ast.expr, kind: ast.operator, right: ast.expr, behind: str = ""
                    ) -> Iterator[Change]:
        sign, other = SIGNS.get(type(kind), ("", ""))
        at = self._sign_between(left, right, sign + behind) if sign else -1
        if at >= 0 and not (isinstance(left, ast.Constant) and isinstance(left.value, str)):
            yield Change("arithmetic", at, at + len(sign), other)

    def _sign_between(self, left: ast.expr, right: ast.expr, sign: str) -> int:
        start, end = self._extent(left)[1], self._extent(right)[0]
        gap = self._text[start:end]
        return start + gap.index(sign) if gap.strip(" \n\t()\\") == sign else -1

    def _negate(self, test: ast.expr) -> Iterator[Change]:
        is_simple = isinstance(test, ast.Compare) and len(test.ops) == 1
        if not is_simple and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            start, end = self._extent(test)
            yield Change("negate", start, end, f"(not ({self._text[start:end]}))")

    def _constant(self, node: ast.Constant) -> Iterator[Change]:
        start, end = self._extent(node)
        if isinstance(node.value, bool):
            yield Change("constant", start, end, str(not node.value))
        elif isinstance(node.value, (int, float)):
            for other in (node.value + 1, node.value - 1) if node.value > 0 else (1,):
                yield Change("constant", start, end, f"({other})" if other < 0 else str(other))

    def _early_return(self, node: ast.FunctionDef) -> Iterator[Change]:
        first = next((each for each in node.body if not _is_docstring(each)), None)
        if first is not None and not isinstance(first, (ast.Return, ast.Pass)):
            start, _ = self._extent(first)
            yield Change("early-return", start, start, "return None; " if isinstance(
                first, (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.AnnAssign)) else
                "return None\n" + " " * first.col_offset)

    def _delete(self, node: ast.stmt) -> Iterator[Change]:
        if not _is_docstring(node):
            start, end = self._extent(node)
            name = {ast.Assert: "delete-assert", ast.Raise: "delete-raise"}.get(
                type(node), "delete-statement")
            yield Change(name, start, end, "pass")

    def _extent(self, node: "ast.expr | ast.stmt") -> Tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (self._lines[node.lineno - 1] + node.col_offset,
                self._lines[node.end_lineno - 1] + node.end_col_offset)

    def _of(self, node: ast.expr) -> str:
        start, end = self._extent(node)
        return self._text[start:end]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def importers(tests: Path, module: str) -> List[str]:
    """The test files of this folder that import this module themselves, such as judge.order, or
    one of this package."""
    found = []
    for path in sorted(tests.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names: List[str] = []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if any(f"{name}.".startswith(f"{module}.") for name in names):
                found.append(path.name)
                break
    return found
