"""Statements that do nothing but clear gradients: ``optimizer.zero_grad()``, ``model.zero_grad(set_to_none=True)``."""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.role import Role
from .draft import Draft


def zero_grad_call(item: Item) -> ast.Call | None:
    """The call of something's ``zero_grad`` that an item is."""
    match item.node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="zero_grad")) as call) if item.kind == "statement":
            return call
    return None


def zeroed(item: Item) -> ast.expr | None:
    """What an item calls ``zero_grad`` of, whatever it is."""
    call = zero_grad_call(item)
    return call.func.value if call is not None and isinstance(call.func, ast.Attribute) else None


def only_zeroes(draft: Draft, item: Item) -> bool:
    """Whether an item clears gradients of an optimizer or a module and does nothing else."""
    call, receiver = zero_grad_call(item), zeroed(item)
    if call is None or receiver is None:
        return False
    plain = all(isinstance(a, ast.Constant) for a in [*call.args, *(k.value for k in call.keywords)])
    return plain and draft.role(receiver, item.frame) in (Role.OPTIMIZER, Role.MODEL)
