"""Statements that give a model's name the model that it holds already: ``model = model.to(device)``."""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.role import Role
from .draft import Draft
from .same_parameters import SAME_OBJECT


def keeps_its_model(draft: Draft, item: Item, name: str) -> bool:
    """Whether a statement does no more than to give the name the module that it holds, by methods of torch's that give back their own."""
    match item.node:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if item.kind == "statement" and target == name:
            pass
        case _:
            return False
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in SAME_OBJECT:
        if any(f.name == value.func.attr for f in draft.source.functions):
            return False
        value = value.func.value
    scope = item.frame.scope
    held = isinstance(value, ast.Name) and value.id == name and draft.roles.of(value, scope) is Role.MODEL
    return held and not draft.roles.is_bare_object(value, scope)
