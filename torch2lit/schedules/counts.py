"""Which names count the epochs or the steps of a training, and what they are in terms of the schedule's own number?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.loops import Iterable, Loop
from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import walk


@dataclass(frozen=True, slots=True)
class Count:
    """The loop over ``range(first, end)``, ``first`` being a text, "" for 0."""

    name: str
    first: str
    end: ast.expr


def count_of(loop: Loop | None, roles: Roles) -> Count | None:
    """How the loop over the epochs counts; None for anything but a plain range of two numbers."""
    if loop is None or loop.kind is not Iterable.RANGE or loop.index is not None or not isinstance(loop.node, ast.For):
        return None
    match loop.items, loop.base:
        case ast.Name(id=name), ast.Call(func=ast.Name(id="range"), args=[end], keywords=[]):
            first = ""
        case ast.Name(id=name), ast.Call(
            func=ast.Name(id="range"), args=[ast.Constant(value=int() as start), end], keywords=[]
        ):
            first = str(start) if start else ""
            if start < 0:
                return None
        case ast.Name(id=name), ast.Call(func=ast.Name(id="range"), args=[ast.Name(id=start), end], keywords=[]):
            first = start
        case _:
            return None
    stores = [
        n for n in walk(loop.node) if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
    ]
    return Count(name, first, end) if len(stores) == 1 else None


def own_controls(statements: list[ast.stmt], *kinds: type[ast.stmt]) -> Iterator[ast.stmt]:
    """The `continue`, `break` or `return` statements of one loop's body that belong to that loop."""
    for statement in statements:
        if isinstance(statement, kinds):
            yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        inner = tuple(k for k in kinds if k is ast.Return) if isinstance(statement, ast.For | ast.While) else kinds
        for name in ("body", "orelse", "finalbody"):
            yield from own_controls(getattr(statement, name, []), *inner)
        for handler in getattr(statement, "handlers", []):
            yield from own_controls(handler.body, *inner)


def is_raised_once(name: str, nest: Nest, roles: Roles) -> tuple[int, ast.AugAssign] | None:
    """For a name that starts from a whole number and is raised by one in every batch: that number, and the statement that raises it."""
    assert nest.batches is not None
    scope, source = nest.entry.scope, roles.source
    key = roles.key(nest.step_frame.scope, name)
    if key is None or key[0] is not scope or nest.step_frame.scope is not scope or roles.rebound_unseen(key):
        return None
    stores = [n for n in source.all(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
    stores = [n for n in stores if roles.key(source.scope_of(n), name) == key]
    raising = [
        s
        for s in nest.batches.node.body
        if isinstance(s, ast.AugAssign) and s.target in stores and isinstance(s.op, ast.Add) and _is_one(s.value)
    ]
    starts = [s for n in stores if isinstance(s := source.parents[n], ast.Assign) and s.targets == [n]]
    if len(stores) != 2 or len(raising) != 1 or len(starts) != 1:
        return None
    match starts[0].value:
        case ast.Constant(value=int() as first) if not isinstance(first, bool) and first >= 0:
            pass
        case _:
            return None
    outermost = nest.outermost
    if starts[0] not in source.block_of(outermost) or starts[0].lineno >= outermost.lineno:
        return None
    return first, raising[0]


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value == 1
