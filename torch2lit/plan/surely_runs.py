"""Whether the epoch loop surely has a turn."""

from __future__ import annotations

import ast

from ..recover.loops import Iterable
from ..recover.syntax import walk
from .draft import Draft


def has_turns(draft: Draft) -> bool:
    """Whether the epoch loop surely has a turn: a `range` of plain numbers that is not empty."""
    epochs = draft.nest.epochs
    if epochs is None or epochs.kind is not Iterable.RANGE or not isinstance(epochs.base, ast.Call):
        return False
    numbers = [_number(draft, a) for a in epochs.base.args]
    if epochs.base.keywords or not numbers or len(numbers) > 2 or None in numbers:
        return False
    first, last = (0, numbers[0]) if len(numbers) == 1 else numbers
    assert first is not None and last is not None
    return first < last


def _number(draft: Draft, node: ast.expr) -> int | None:
    """The whole number that an expression of the entry surely is."""
    match node:
        case ast.Constant(value=int() as number) if type(number) is int:
            return number
        case ast.Name(id=name):
            key = draft.roles.key(draft.nest.entry.scope, name)
            bindings = draft.roles.bindings(key) if key is not None else []
            if key is None or len(bindings) != 1 or bindings[0].index is not None:
                return None
            bound = [n for n in walk(draft.source.tree) if isinstance(n, ast.Name | ast.arg) and _binds(n, name)]
            if len(bound) != 1 or draft.roles.rebound_unseen(key):
                return None
            value = bindings[0].value
            if isinstance(value, ast.Constant) and type(value.value) is int:
                return value.value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _number(draft, left), _number(draft, right)
            return one + other if one is not None and other is not None else None
    return None


def _binds(node: ast.Name | ast.arg, name: str) -> bool:
    if isinstance(node, ast.arg):
        return node.arg == name
    return node.id == name and not isinstance(node.ctx, ast.Load)
