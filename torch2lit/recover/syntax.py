"""The text of a program as two trees: `ast` to understand it, LibCST to rewrite it.

`ast` costs a tenth of a LibCST pass, so every question is answered on it; LibCST is parsed once and only
when something is to be rewritten, because it keeps comments and the insides of f-strings.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import libcst as cst

from ..memory import once, tree_of
from ..trees import _PARTS, layout
from ..trees import Node as Node
from ..trees import children as children
from ..trees import remembered as remembered
from ..trees import walk as walk
from .twins import Twin, pair

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
DEEPEST = 3_000
"""The deepest tree that is rewritten; code that people write stays below 100."""
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


_BLOCK = "_walk_scope of the block that begins here"
_SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class SeenFamily(Protocol):
    """The classes that are seen plainly: the one that trains and the bases that it has in the file."""

    @property
    def leaf(self) -> ast.ClassDef:
        """The class of which the object is."""

    @property
    def classes(self) -> Sequence[ast.ClassDef]:
        """The class and its bases."""

    @property
    def names(self) -> Collection[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The methods that are functions of the view."""

    @property
    def abstract(self) -> Collection[str]:
        """The methods that some class has to define, by name."""

    @property
    def is_module(self) -> bool:
        """Whether the class is one of torch's modules itself."""

    def read_by_bases(self, name: str, text: str) -> bool:
        """Whether methods of bases in other files read an attribute of this name."""


class Seen(Protocol):
    """A program of which one object's attributes are variables and its methods functions, and what its names stand for."""

    @property
    def raw(self) -> Source:
        """The program as it is written."""

    @property
    def family(self) -> SeenFamily:
        """The classes that are seen so."""

    @property
    def others(self) -> str:
        """The text of the project's other files."""

    @property
    def overridden(self) -> frozenset[str]:
        """The methods of bases that others of the same name override."""

    @property
    def bound_outside(self) -> frozenset[str] | None:
        """The attributes that code outside of the class binds on objects; None when it may be any."""

    @property
    def mentioned_elsewhere(self) -> frozenset[str]:
        """The attributes that the project's other files read or bind on anything."""

    @property
    def is_made_elsewhere(self) -> bool:
        """Whether another file may make objects of the class."""

    @property
    def is_made_here(self) -> bool:
        """Whether the file makes an object of the class itself."""

    def receiver(self, source: Source, scope: Scope) -> str | None:
        """What a scope of the view calls the object, None when it does not know it."""

    def method(self, scope: Scope) -> str:
        """The name of the method that a function of the view is, "" for any other function."""


def source_of(text: str, view: Seen | None = None) -> Source:
    """The one `Source` of a text in this run. Raises SyntaxError when the text is not Python."""
    return once(("source", text, view and id(view)), lambda: Source(text, view))


class Source:
    """One parsed file; `source_of` gives the one of a text. Raises SyntaxError when the text is not Python."""

    def __init__(self, text: str, view: Seen | None = None) -> None:
        self.text = text
        self.view = view
        """What the text is a plain view of (torch2lit/objects)."""
        self.tree = tree_of(text)
        laid_out = layout(self.tree)
        self.parents = laid_out.parents
        self.functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self.classes: dict[str, ast.ClassDef] = {}
        self.calls: list[ast.Call] = []
        self.names: set[str] = set()
        self.depth = laid_out.depth
        self._of_kind = laid_out.kinds
        self._index()

    def _index(self) -> None:
        self.functions += [*self.all(ast.FunctionDef), *self.all(ast.AsyncFunctionDef)]
        self.functions.sort(key=lambda f: f.lineno)
        self.calls += self.all(ast.Call)
        self.calls.sort(key=lambda c: (c.lineno, c.col_offset))
        for definition in sorted(self.all(ast.ClassDef), key=lambda c: c.lineno):
            # The last of several of one name, but none inside of another.
            known = self.classes.get(definition.name)
            if known is None or (known.end_lineno or 0) < definition.lineno:
                self.classes[definition.name] = definition
        names = self.names
        names.update(self.classes)
        names.update(f.name for f in self.functions)
        names.update(n.id for n in self.all(ast.Name))
        names.update(a.arg for a in self.all(ast.arg))
        names.update((a.asname or a.name).split(".")[0] for a in self.all(ast.alias))

    def all(self, kind: type[Node]) -> Sequence[Node]:
        """Every node of exactly this type, outer ones first (the order of `walk`)."""
        return self._of_kind.get(kind, ())  # type: ignore[return-value]

    def calls_to(self, name: str) -> Sequence[ast.Call]:
        """Every call of a plain name, in source order."""
        return self._calls_by_name.get(name, ())

    @functools.cached_property
    def _calls_by_name(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = {}
        for call in self.calls:
            if isinstance(call.func, ast.Name):
                found.setdefault(call.func.id, []).append(call)
        return found

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, split as Python splits them (form feeds are no line ends)."""
        return self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @functools.cached_property
    def _raw_lines(self) -> list[str]:
        return _LINE.findall(self.text)

    def segment(self, node: ast.AST) -> str:
        """The source of an expression as it stands."""
        first, last = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if first is None or last is None:
            return ast.unparse(node)
        # Columns count bytes of UTF-8.
        lines = [line.encode() for line in self._raw_lines[first - 1 : last]]
        if not lines:
            return ast.unparse(node)
        lines[-1] = lines[-1][: node.end_col_offset]  # type: ignore[attr-defined]
        lines[0] = lines[0][node.col_offset :]  # type: ignore[attr-defined]
        return b"".join(lines).decode() or ast.unparse(node)

    def column(self, node: ast.AST) -> int:
        """The column in which a node begins, in characters from 1: Python's own count bytes of UTF-8, from 0."""
        line, offset = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        if not 0 < line <= len(self._raw_lines):
            return int(offset) + 1
        return len(self._raw_lines[line - 1].encode()[:offset].decode(errors="replace")) + 1

    def scope_of(self, node: ast.AST) -> Scope:
        """The function (or the module) whose block holds the node; a function's scope is where it is defined."""
        parents = self.parents
        current = parents.get(node)
        while current is not None:
            if isinstance(current, _SCOPES):
                return current
            current = parents.get(current)
        return self.tree

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds the node."""
        current: ast.AST = node
        while not isinstance(current, ast.stmt):
            current = self.parents[current]
        return current

    def block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block of statements that a statement stands in; none for a module or a `match` case around it."""
        parent = self.parents.get(statement)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and statement in block:
                return block
        return []

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
        """The one plain function of this name outside of classes, which may be written several times; None when there is none or several."""
        return self._plain_functions.get(name)

    @functools.cached_property
    def _plain_functions(self) -> dict[str, ast.FunctionDef]:
        found: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        for function in self.functions:
            if not self.in_class(function):
                found.setdefault(function.name, []).append(function)
        return {
            name: same[0] for name, same in found.items() if isinstance(same[0], ast.FunctionDef) and self._is_one(same)
        }

    def again(self, function: ast.FunctionDef) -> list[ast.FunctionDef]:
        """A plain function, wherever the file's own statements write it."""
        if self.function(function.name) is not function:
            return [function]
        return [
            f
            for f in self.functions
            if isinstance(f, ast.FunctionDef) and f.name == function.name and not self.in_class(f)
        ]

    def _is_one(self, functions: Sequence[ast.FunctionDef | ast.AsyncFunctionDef]) -> bool:
        """Whether it is one function, or the same one written again in the file's own statements, as notebooks do."""
        if len(functions) == 1:
            return True
        defaults = [d for f in functions for d in (*f.args.defaults, *f.args.kw_defaults)]
        same = len({ast.dump(f) for f in functions}) == 1 and all(f in self.tree.body for f in functions)
        return same and all(d is None or isinstance(d, ast.Constant) for d in defaults)

    @functools.cached_property
    def module(self) -> cst.Module:
        """The LibCST tree. Its parser takes time with the square of the depth, so a limit is set: RecursionError."""
        if self.depth > DEEPEST:
            raise RecursionError(f"{self.depth} levels of nesting")
        return cst.parse_module(self.text)

    @functools.cached_property
    def twins(self) -> dict[ast.stmt, Twin]:
        """For every `ast` statement its LibCST twin."""
        found: dict[ast.stmt, Twin] = {}
        pair(self.tree.body, self.module.body, found)
        return found


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


def conditions_of(test: ast.expr) -> list[ast.expr]:
    """The conditions that a test asks for, all of which must be true."""
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def leaves(body: Sequence[ast.stmt], kind: type[ast.Break] | type[ast.Continue]) -> bool:
    """Whether a block of a loop's body has a `break` or a `continue` of that loop."""
    for statement in body:
        if isinstance(statement, kind):
            return True
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        inner = [statement.orelse] if isinstance(statement, ast.For | ast.AsyncFor | ast.While) else blocks(statement)
        if any(leaves(block, kind) for block in inner):
            return True
    return False


def mentions(node: ast.AST, name: str) -> bool:
    """Whether a name stands anywhere in a piece of code."""
    return any(isinstance(n, ast.Name) and n.id == name for n in walk(node))


def walk_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a block, outer ones first, in source order; nested functions and classes are not entered."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for block in blocks(statement):
                yield from walk_statements(block)


def walk_scope(nodes: list[ast.stmt] | ast.AST) -> Sequence[ast.AST]:
    """Every node that runs in the same scope, in no particular order; nested functions and classes are not entered."""
    if not isinstance(nodes, list):
        return _in_scope(nodes)
    if not nodes:
        return nodes
    known = nodes[0].__dict__  # a block is walked again and again
    if _BLOCK not in known or known[_BLOCK][0] != nodes:
        known[_BLOCK] = list(nodes), [node for root in reversed(nodes) for node in _in_scope(root)]
    found: Sequence[ast.AST] = known[_BLOCK][1]
    return found


@remembered
def _in_scope(root: ast.AST) -> Sequence[ast.AST]:
    found: list[ast.AST] = []
    stack = [root]
    while stack:
        node = stack.pop()
        found.append(node)
        if isinstance(node, _NESTED):
            stack += getattr(node, "decorator_list", [])
        elif _PARTS[type(node)]:
            stack += children(node)
    return found


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
            case (
                ast.Attribute(value=inner)
                | ast.Subscript(value=inner)
                | ast.Starred(value=inner)
                | ast.Await(value=inner)
            ):
                node = inner
            case ast.Call(func=inner):
                node = inner
            case ast.Name(id=name):
                return name
            case _:
                return ""
