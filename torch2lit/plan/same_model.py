"""Statements that give a model's name the model that it holds already: ``model = model.to(device)``."""

from __future__ import annotations

import ast
from collections.abc import Container

from ..recover.items import Item
from ..recover.role import Role
from ..recover.syntax import Scope
from .draft import Draft
from .same_parameters import SAME_OBJECT


def keeps_its_model(draft: Draft, item: Item, name: str) -> bool:
    """Whether an item does no more than to give the name the module that it holds."""
    return item.kind == "statement" and gives_itself(draft, item.node, item.frame.scope, name)


def leaves_its_model(draft: Draft, item: Item, name: str) -> bool:
    """Whether the name holds the same module behind an item, whatever was done to its parts: ``model = model.apply(adjust)``."""
    methods = {*SAME_OBJECT, "apply"}
    return item.kind == "statement" and gives_itself(draft, item.node, item.frame.scope, name, methods)


def gives_itself(
    draft: Draft, statement: ast.AST, scope: Scope, name: str, methods: Container[str] = SAME_OBJECT
) -> bool:
    """Whether a statement of a scope does no more than that, by methods of torch's that give back their own."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            pass
        case _:
            return False
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in methods:
        if any(f.name == value.func.attr for f in draft.source.functions):
            return False
        value = value.func.value
    held = isinstance(value, ast.Name) and value.id == name and draft.roles.of(value, scope) is Role.MODEL
    return held and not draft.roles.is_bare_object(value, scope)
