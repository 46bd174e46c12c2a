"""What the attributes of a plainly seen object (torch2lit/objects) are bound to: by its methods, all over the file."""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

from .bindings import Binding, Names, collect_bindings
from .names import local_names
from .state_names import LOCAL, is_attribute
from .syntax import Scope


def add_attributes(roles: Names, found: dict[str, list[Binding]]) -> None:
    """Add to a module's bindings those of attributes in functions, in source order."""
    for function in roles.source.functions:
        for name, bindings in collect_bindings(function).items():
            if is_attribute(name):
                found.setdefault(name, []).extend(
                    replace(b, value=_outside(roles, b.value, function)) for b in bindings
                )
    for name, bindings in found.items():
        if is_attribute(name):
            bindings.sort(key=lambda b: (b.statement.lineno, b.statement.col_offset))


def _outside(roles: Names, value: ast.expr, function: Scope) -> ast.expr:
    """An expression of a method in which the method's own names can be looked up from anywhere."""
    own = local_names(function)
    if isinstance(function, ast.Module) or not any(isinstance(n, ast.Name) and n.id in own for n in ast.walk(value)):
        return value
    moved = copy.deepcopy(value)
    for node in ast.walk(moved):
        if isinstance(node, ast.Name) and node.id in own:
            alias = f"{LOCAL}{function.lineno}_{node.id}"
            roles.aliases[alias] = (function, node.id)
            node.id = alias
    return moved
