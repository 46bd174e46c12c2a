"""The opposite of a condition, as one would write it."""

from __future__ import annotations

import ast

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def opposite(test: ast.expr) -> ast.expr:
    """A condition that holds where the test does not. The order of two values has none: numbers may be no numbers."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Compare(left=left, ops=[op], comparators=values) if type(op) in _OPPOSITES:
            return ast.Compare(left, [_OPPOSITES[type(op)]()], values)
    return ast.UnaryOp(ast.Not(), test)
