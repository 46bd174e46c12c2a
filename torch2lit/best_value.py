"""What features ask about a value and the best one so far: how they are compared, what gives them another value, what is left of that."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from .feature import Training

_INFINITE = {"math.inf", "numpy.inf", "numpy.Inf", "numpy.infty", "torch.inf"}
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq}  # fmt: skip


def compared(test: ast.expr) -> Iterator[tuple[ast.expr, type[ast.cmpop], ast.expr]]:
    """A comparison as it stands, and from its other side."""
    match test:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _OPPOSITE:
            yield left, type(operator), right
            yield right, _OPPOSITE[type(operator)], left


def pairs(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """Each target of a plain assignment with its value, of ``a, b = 1, 2`` too."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            return list(zip(targets, values, strict=True))
        case ast.Assign(targets=[target], value=value):
            return [(target, value)]
    return []


def assigned_name(statement: ast.stmt, name: str) -> str:
    """The name whose value a statement gives another one."""
    values = [v for t, v in pairs(statement) if isinstance(t, ast.Name) and t.id == name]
    return values[0].id if len(values) == 1 and isinstance(values[0], ast.Name) else ""


def rebinds(test: ast.If, name: str) -> bool:
    """Whether anything in an `if` gives a name another value."""
    return any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in ast.walk(test))


def number(training: Training, node: ast.expr) -> float | None:
    """The number that an expression is, an infinite one too."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            found = number(training, inner)
            return None if found is None else -found
        case ast.Call(func=ast.Name() as function, args=[ast.Constant(value=str(text))], keywords=[]):
            if training.full_name(function) == "float" and text.strip().lower().lstrip("+-") in ("inf", "infinity"):
                return float(text)
        case ast.Attribute() if training.full_name(node) in _INFINITE:
            return math.inf
        case ast.Constant(value=int() | float() as known) if not isinstance(known, bool):
            return float(known) if abs(known) < 2**53 else None
    return None


def left_of(training: Training, statement: ast.stmt, names: set[str]) -> str | None:
    """An assignment without some of its targets; None when that was all."""
    left = [(t, v) for t, v in pairs(statement) if not (isinstance(t, ast.Name) and t.id in names)]
    if not left:
        return None
    targets, values = (", ".join(training.text(pair[side]) for pair in left) for side in (0, 1))
    return f"{targets} = {values}\n"
