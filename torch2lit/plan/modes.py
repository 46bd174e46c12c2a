"""Statements that switch a model between train and eval."""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.torch_calls import mode_of
from ..recover.variables import Variable
from .draft import Draft


def mode_calls(draft: Draft, item: Item) -> list[tuple[Variable, str]]:
    """The models that a statement surely switches, with ``train`` or ``eval``."""
    if item.kind != "statement":
        return []
    node = item.node
    value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="train" | "eval")) as call:
            trains = mode_of(call)
        case _:
            return []
    if trains is None or draft.roles.is_bare_object(name, item.frame.scope):
        return []
    variable = draft.variable(name, item.frame)
    return [(variable, "train" if trains else "eval")] if variable is not None else []


def only_mode_call(item: Item) -> bool:
    """Whether an item with such a call does no more: ``model.eval()``, ``model = model.eval()``."""
    node = item.node
    if isinstance(node, ast.Expr):
        return True
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return target == name
    return False
