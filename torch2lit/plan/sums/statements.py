"""What the statements that start and feed a sum say."""

from __future__ import annotations

import ast

from .meters import Meter
from .values import Values


def pairs(statement: ast.stmt) -> list[tuple[ast.Name, ast.expr]]:
    """The names that an assignment gives values, each with its own."""
    return [(n, v) for n, v in targets_and_values(statement) if isinstance(n, ast.Name)]


def targets_and_values(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """What an assignment gives values, each with its own; nothing where they are not written out one by one."""
    match statement:
        case ast.Assign(targets=[ast.Name() as name], value=value):
            return [(name, value)]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            return list(zip(names, values, strict=True))
    return []


def adds_to(statement: ast.stmt, name: ast.Name) -> bool:
    """Whether a statement adds to what a name stands for, which it names there."""
    match statement:
        case ast.AugAssign(target=target, op=ast.Add()):
            return target is name
        case ast.Assign(targets=[target], value=ast.BinOp(left=ast.Name(id=old), op=ast.Add())):
            return target is name and old == name.id
    return False


def is_zero(value: ast.expr) -> bool:
    """Whether it is nothing, as a number that is written out."""
    return isinstance(value, ast.Constant) and type(value.value) in (int, float) and value.value == 0


def given(call: ast.Call, meter: Meter) -> tuple[ast.expr, ast.expr | None] | None:
    """What a call of a meter's method adds, and with which weight."""
    keywords = {k.arg: k.value for k in call.keywords}
    match call.args:
        case [value, weight] if not keywords:
            return value, weight
        case [value] if not keywords and meter.weighted:
            return value, None
        case [value] if set(keywords) == {"n"}:
            return value, keywords["n"]
    return None


def weighted(value: ast.expr, values: Values) -> tuple[ast.expr, ast.expr | None]:
    """A number that is added, apart from the weight that it is multiplied by."""
    match value:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            for number, weight in ((left, right), (right, left)):
                if values.is_whole(weight) or (
                    isinstance(number, ast.Call)
                    and isinstance(number.func, ast.Attribute)
                    and number.func.attr == "item"
                ):
                    return number, weight
    return value, None
