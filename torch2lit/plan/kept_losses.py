"""Where a step hands its loss on to be kept: to a sum, a list, a meter, or as a number of Python.

total += loss.item() * n     losses.update(loss.item(), n)     value = loss.item()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.syntax import walk

_KEEPERS = {"append", "update", "add", "record", "push", "log"}
_OF_THE_STEP = {"backward", "step", "scale", "unscale_", "manual_backward"}


def kept_by(statement: ast.stmt) -> Iterator[ast.Name]:
    """The names whose values a statement keeps."""
    if any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in _OF_THE_STEP
        for n in walk(statement)
    ):
        return
    match statement:
        case ast.AugAssign(target=target, value=value):
            if not (
                isinstance(target, ast.Name) and target.id in {n.id for n in walk(value) if isinstance(n, ast.Name)}
            ):
                yield from _terms(value)
        case ast.Expr(value=ast.Call(func=function) as call):
            given = [*call.args, *(k.value for k in call.keywords)]
            if isinstance(function, ast.Attribute) and function.attr in _KEEPERS:
                yield from (a for a in given if isinstance(a, ast.Name))
            for argument in given:
                yield from _made_numbers(argument)
        case ast.Assign(value=value):
            yield from _made_numbers(value)


def _terms(node: ast.expr) -> Iterator[ast.Name]:
    match node:
        case ast.Name():
            yield node
        case ast.BinOp(left=left, right=right):
            yield from _terms(left)
            yield from _terms(right)
        case _:
            yield from _made_numbers(node)


def _made_numbers(node: ast.expr) -> Iterator[ast.Name]:
    """The names that are made numbers, or taken out of the graph, somewhere in an expression."""
    for part in walk(node):
        bare = bare_value(part)[0] if isinstance(part, ast.expr) else part
        if bare is not part and isinstance(bare, ast.Name):
            yield bare


def bare_value(node: ast.expr) -> tuple[ast.expr, bool]:
    """What stands before `.item()`, `.detach()` and the like, and whether it has to be of one element for that."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="item" | "detach" | "cpu" as attr), args=[]):
            bare, single = bare_value(inner)
            return bare, single or attr == "item"
        case ast.Attribute(value=inner, attr="data"):
            return bare_value(inner)
        case ast.Call(func=ast.Name(id="float"), args=[inner]):
            return bare_value(inner)[0], True
    return node, False
