"""What an expression surely gives when some names surely stand for a constant, or for an object that is not None."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is known; ``an_object``: some object that is true and not None, nothing more."""

    value: bool | int | str | None
    an_object: bool = False

    @property
    def truth(self) -> bool:
        """Whether a test on the value holds."""
        return self.an_object or bool(self.value)


AN_OBJECT = Known(None, True)
Facts = Mapping[str, Known]
_COMPARED: dict[type[ast.cmpop], Callable[[object, object], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}


def known(node: ast.expr, facts: Facts) -> Known | None:
    """The value of an expression; None when it is not known."""
    match node:
        case ast.Constant(value=bool() | int() | str() | None as value):
            return Known(value)
        case ast.Name(id=name):
            return facts.get(name)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            found = truth(inner, facts)
            return None if found is None else Known(not found)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            found = truth(test, facts)
            return None if found is None else known(body if found else orelse, facts)
        case ast.BoolOp(values=values):
            parts = [known(value, facts) for value in values]
            stops = isinstance(node.op, ast.Or)
            for part in parts:
                if part is None or part.truth is stops:
                    return part
            return parts[-1]
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return _compared(known(left, facts), comparison, right, facts)
    return None


def _compared(left: Known | None, comparison: ast.cmpop, right: ast.expr, facts: Facts) -> Known | None:
    if left is None:
        return None
    if isinstance(comparison, ast.In | ast.NotIn):
        if left.an_object or not isinstance(right, ast.Tuple | ast.List | ast.Set):
            return None
        if not all(isinstance(e, ast.Constant) for e in right.elts):
            return None
        held = left.value in [e.value for e in right.elts if isinstance(e, ast.Constant)]
        return Known(held is isinstance(comparison, ast.In))
    other = known(right, facts)
    if other is None:
        return None
    if left.an_object or other.an_object:
        if left.an_object and other.an_object:
            return None
        plain = other if left.an_object else left
        return Known(isinstance(comparison, ast.IsNot | ast.NotEq)) if plain.value is None else None
    if isinstance(comparison, ast.Is | ast.IsNot):
        if not any(part.value is None or isinstance(part.value, bool) for part in (left, other)):
            return None
        return Known((left.value is other.value) is isinstance(comparison, ast.Is))
    compare = _COMPARED.get(type(comparison))
    return None if compare is None else Known(compare(left.value, other.value))


def truth(node: ast.expr, facts: Facts) -> bool | None:
    """Whether a test holds; None when it is not known. What is not run any more when it is known has no effect."""
    if (found := known(node, facts)) is not None:
        return found.truth
    if isinstance(node, ast.BoolOp):
        stops = isinstance(node.op, ast.Or)
        for position, value in enumerate(node.values):
            if truth(value, facts) is stops and all(map(_is_quiet, node.values[:position])):
                return stops
    return None


def _is_quiet(node: ast.expr) -> bool:
    """Whether asking changes nothing and cannot fail where the text runs at all: names, numbers and their comparisons."""
    allowed = (ast.Name, ast.Constant, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp)
    return all(isinstance(n, allowed) for n in ast.walk(node) if isinstance(n, ast.expr))


def without_known(values: Sequence[ast.expr], stops: bool, facts: Facts, in_test: bool) -> list[int]:
    """The places of the operands of `and` (or, when ``stops``, of `or`) that still say something."""
    last = len(values) - 1
    kept = [i for i, v in enumerate(values) if truth(v, facts) is not (not stops) or (i == last and not in_test)]
    return kept or [last]
