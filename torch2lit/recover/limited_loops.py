"""A loop that runs over the first batches of a loader only, and the count with which its function begins.

def measure(loader, model, count=None):
    if len(loader) == 0:
        return float("nan")
    elif count is None:
        count = len(loader)
    else:
        count = min(count, len(loader))
    for i, batch in enumerate(loader):
        if i < count: ...
        else: break
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .loops import Loop
from .names import parameter_names
from .roles import Roles
from .syntax import walk_scope

_READ = ("len", "min", "float")
"""The builtins whose meaning is taken for granted."""


@dataclass(frozen=True, slots=True)
class Count:
    """The parameter ``name`` of a function is cut down to the length of its ``loader`` by a ``statement``.

    ``empty`` is what the function returns at once for a loader without batches.
    """

    name: str
    loader: str
    statement: ast.stmt
    empty: ast.Return | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A loop runs for as many batches as ``count`` says: ``test`` leaves it behind them, ``body`` is what it does with each."""

    count: Count
    test: ast.If
    body: list[ast.stmt]


def count_of(function: ast.AST, roles: Roles) -> Count | None:
    """The one count of batches with which a function begins."""
    if not isinstance(function, ast.FunctionDef) or any(roles.key(function, name) for name in _READ):
        return None
    found = [c for s in function.body if (c := _counted(s)) is not None]
    if len(found) != 1 or not {found[0].name, found[0].loader} <= {*parameter_names(function)}:
        return None
    count = found[0]
    inside = {id(n) for n in ast.walk(count.statement)}
    stored = [n for n in ast.walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
    again = any(n.id in (count.name, count.loader) and id(n) not in inside for n in stored)
    return None if again or any(isinstance(n, ast.Global | ast.Nonlocal) for n in walk_scope(function.body)) else count


def limit_of(function: ast.AST, roles: Roles, loop: Loop) -> Limit | None:
    """The limit of a loop whose batches are counted from 0; None where it has none that is understood."""
    from_zero = loop.first is None or (isinstance(loop.first, ast.Constant) and loop.first.value == 0)
    count, index = count_of(function, roles), loop.index
    if count is None or not index or not from_zero or not isinstance(loop.base, ast.Name):
        return None
    if loop.base.id != count.loader or _is_bound(loop, index):
        return None
    match loop.node.body:
        case [ast.If(body=body, orelse=[ast.Break()]) as test] if _below(test.test, index, count.name):
            return Limit(count, test, body)
        case [ast.If(body=[ast.Break()], orelse=[]) as test, *body] if body and _reaches(test.test, index, count.name):
            return Limit(count, test, body)
    return None


def _is_bound(loop: Loop, index: str) -> bool:
    """Whether the batch, or what is done with it, takes the counter's name."""
    names = (n for part in (loop.items, *loop.node.body) for n in ast.walk(part) if isinstance(n, ast.Name))
    return any(n.id == index and not isinstance(n.ctx, ast.Load) for n in names)


def _counted(statement: ast.stmt) -> Count | None:
    """The count that a statement of a function's body makes."""
    empty: ast.Return | None = None
    made: ast.stmt = statement
    loader = ""
    match statement:
        case ast.If(test=test, body=[ast.Return(value=value) as empty], orelse=[made]):
            loader = _asked_empty(test)
            if not loader or value is None or not _is_plain(value):
                return None
        case _:
            made = statement
    match made:
        case ast.If(test=ast.Compare(left=ast.Name(id=name), ops=[ast.Is()], comparators=[ast.Constant(value=None)])):
            if len(made.body) != 1 or len(made.orelse) != 1:
                return None
            whole, cut = _whole(made.body[0]), _cut(made.orelse[0])
            if whole is None or whole != cut or whole[0] != name:
                return None
            found = whole
        case _:
            if (only := _cut(made)) is None:
                return None
            found = only
    return Count(*found, statement, empty) if not loader or loader == found[1] else None


def _whole(node: ast.stmt) -> tuple[str, str] | None:
    """The names of ``count = len(loader)``."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if loader := _length(value):
            return name, loader
    return None


def _cut(node: ast.stmt) -> tuple[str, str] | None:
    """The names of ``count = min(count, len(loader))``."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="min"), args=[ast.Name(id=again), length], keywords=[]),
        ) if name == again and (loader := _length(length)):
            return name, loader
    return None


def _length(node: ast.expr) -> str:
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=loader)], keywords=[]):
            return loader
    return ""


def _asked_empty(test: ast.expr) -> str:
    match test:
        case ast.Compare(left=length, ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
            return _length(length)
    return ""


def _is_plain(value: ast.expr) -> bool:
    """Whether it is written out: a number, ``float("nan")``, several of them."""
    match value:
        case ast.Constant(value=number):
            return type(number) in (int, float)
        case ast.UnaryOp(operand=operand):
            return _is_plain(operand)
        case ast.Tuple(elts=elements):
            return all(map(_is_plain, elements))
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant()], keywords=[]):
            return True
    return False


def _below(test: ast.expr, index: str, count: str) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id=one), ops=[ast.Lt()], comparators=[ast.Name(id=other)]):
            return (one, other) == (index, count)
    return False


def _reaches(test: ast.expr, index: str, count: str) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id=one), ops=[ast.GtE() | ast.Eq()], comparators=[ast.Name(id=other)]):
            return (one, other) == (index, count)
    return False
