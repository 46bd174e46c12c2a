"""The text of a program as two trees: `ast` to understand it, LibCST to rewrite it.

`ast` costs a tenth of a LibCST pass, so every question is answered on it; LibCST is parsed once and only
when something is to be rewritten, because it keeps comments and the insides of f-strings.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

import libcst as cst

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


class Source:
    """One parsed file. Raises SyntaxError when the text is not Python."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self.classes: dict[str, ast.ClassDef] = {}
        self.calls: list[ast.Call] = []
        self.names: set[str] = set()
        self._index()

    def _index(self) -> None:
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                stack.append(child)
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.functions.append(node)
                    self.names.add(node.name)
                case ast.ClassDef():
                    self.classes.setdefault(node.name, node)
                    self.names.add(node.name)
                case ast.Call():
                    self.calls.append(node)
                case ast.Name():
                    self.names.add(node.id)
                case ast.arg():
                    self.names.add(node.arg)
                case ast.alias():
                    self.names.add((node.asname or node.name).split(".")[0])
        self.functions.sort(key=lambda f: f.lineno)
        self.calls.sort(key=lambda c: (c.lineno, c.col_offset))

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, split as Python splits them (form feeds are no line ends)."""
        return self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def segment(self, node: ast.AST) -> str:
        """The source of an expression as it stands."""
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def scope_of(self, node: ast.AST) -> Scope:
        """The function (or the module) whose block holds the node; a function's scope is where it is defined."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, Scope):
            current = self.parents.get(current)
        return current if current is not None else self.tree

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds the node."""
        current: ast.AST = node
        while not isinstance(current, ast.stmt):
            current = self.parents[current]
        return current

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the parent up to the module."""
        current = self.parents.get(node)
        while current is not None:
            yield current
            current = self.parents.get(current)

    def in_class(self, node: ast.AST) -> ast.ClassDef | None:
        """The class whose body (or method) holds the node, if any."""
        return next((a for a in self.ancestors(node) if isinstance(a, ast.ClassDef)), None)

    def function(self, name: str) -> ast.FunctionDef | None:
        """The one plain function of this name outside of classes; None when there is none or several."""
        found = [f for f in self.functions if f.name == name and not self.in_class(f)]
        return found[0] if len(found) == 1 and isinstance(found[0], ast.FunctionDef) else None

    @functools.cached_property
    def module(self) -> cst.Module:
        """The LibCST tree. A text that LibCST does not give back unchanged raises ValueError."""
        module = cst.parse_module(self.text)
        return module

    @functools.cached_property
    def twins(self) -> dict[ast.stmt, Twin]:
        """For every `ast` statement its LibCST twin."""
        found: dict[ast.stmt, Twin] = {}
        _pair(self.tree.body, self.module.body, found)
        return found


class Twin:
    """A statement's LibCST node and, for one of several on a line, its index there."""

    __slots__ = ("index", "node")

    def __init__(self, node: cst.BaseStatement | cst.SimpleStatementSuite, index: int = 0) -> None:
        self.node = node
        self.index = index

    @property
    def small(self) -> cst.BaseSmallStatement | None:
        """The small statement itself, None for a compound one."""
        if isinstance(self.node, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            return self.node.body[self.index]
        return None


def _pair(body: list[ast.stmt], nodes: object, found: dict[ast.stmt, Twin]) -> None:
    statements = iter(body)
    for node in nodes:  # type: ignore[attr-defined]
        if isinstance(node, cst.SimpleStatementLine):
            for index in range(len(node.body)):
                found[next(statements)] = Twin(node, index)
        else:
            statement = next(statements)
            found[statement] = Twin(node)
            _pair_compound(statement, node, found)


def _pair_block(body: list[ast.stmt], block: cst.BaseSuite, found: dict[ast.stmt, Twin]) -> None:
    if isinstance(block, cst.SimpleStatementSuite):
        for index, statement in enumerate(body):
            found[statement] = Twin(block, index)
    else:
        _pair(body, block.body, found)


def _pair_compound(statement: ast.stmt, node: cst.CSTNode, found: dict[ast.stmt, Twin]) -> None:
    match statement:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
            _pair_block(statement.body, node.body, found)  # type: ignore[attr-defined]
            orelse = node.orelse  # type: ignore[attr-defined]
            if isinstance(orelse, cst.If):
                found[statement.orelse[0]] = Twin(orelse)
                _pair_compound(statement.orelse[0], orelse, found)
            elif orelse is not None:
                _pair_block(statement.orelse, orelse.body, found)
        case ast.With() | ast.AsyncWith() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            _pair_block(statement.body, node.body, found)  # type: ignore[attr-defined]
        case ast.Try():
            _pair_try(statement, node, found)
        case ast.Match():
            for case, twin in zip(statement.cases, node.cases, strict=True):  # type: ignore[attr-defined]
                _pair_block(case.body, twin.body, found)
        case _:
            if type(statement).__name__ == "TryStar":
                _pair_try(statement, node, found)


def _pair_try(statement: object, node: object, found: dict[ast.stmt, Twin]) -> None:
    _pair_block(statement.body, node.body, found)  # type: ignore[attr-defined]
    for handler, twin in zip(statement.handlers, node.handlers, strict=True):  # type: ignore[attr-defined]
        _pair_block(handler.body, twin.body, found)
    for part in ("orelse", "finalbody"):
        if block := getattr(node, part, None):
            _pair_block(getattr(statement, part), block.body, found)


def blocks(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists directly inside a compound statement."""
    for name in _BLOCKS:
        part = getattr(statement, name, None)
        if not isinstance(part, list) or not part:
            continue
        if name in ("handlers", "cases"):
            for holder in part:
                yield holder.body
        elif isinstance(part[0], ast.stmt):
            yield part


def walk_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a block, outer ones first, in source order; nested functions and classes are not entered."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for block in blocks(statement):
                yield from walk_statements(block)


def walk_scope(nodes: list[ast.stmt] | ast.AST) -> Iterator[ast.AST]:
    """Every node that runs in the same scope, in no particular order; nested functions and classes are not entered."""
    stack: list[ast.AST] = list(nodes) if isinstance(nodes, list) else [nodes]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack.extend(getattr(node, "decorator_list", []))
            continue
        stack.extend(ast.iter_child_nodes(node))


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for a chain of attributes on a name, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([node.id, *reversed(parts)])
    return ""


def root_name(node: ast.AST) -> str:
    """The name at the bottom of a chain of attributes, subscripts and calls: ``a`` for ``a.b[0].c()``; "" if none."""
    while True:
        match node:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.Await(value=inner):
                node = inner
            case ast.Call(func=inner):
                node = inner
            case ast.Name(id=name):
                return name
            case _:
                return ""
